# SPDX-License-Identifier: MIT OR Apache-2.0
"""Real processes that are killed, interrupted and hung up on: what they leave, and how they go on to the same bits."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vynapse_core.observers.csv import TIME_COLUMNS

VYNAPSE = shutil.which("vynapse", path=str(Path(sys.executable).parent)) or "vynapse"
STEPS = 1500
RECIPE = f"""\
[experiment]
name = "xor"
seed = 11

[task]
type = "xor"

[trainer]
type = "evolution"
population = 6

[checkpoint]
steps = 30

[stop]
steps = {STEPS}
"""
SLOW = """\
import time
from typing import ClassVar

from vynapse_core import DirectTask, hookimpl


class Slow(DirectTask):
    \"\"\"Evaluates for a minute.\"\"\"

    encoding: ClassVar[str] = "real"

    @property
    def length(self):
        return 3

    @property
    def bounds(self):
        return (-1.0, 1.0)

    def evaluate(self, genes):
        time.sleep(60)
        return genes.values.sum(axis=1)


@hookimpl
def vynapse_tasks():
    return {"slow": Slow}
"""

needs_signals = pytest.mark.skipif(os.name != "posix", reason="signals are sent to processes on POSIX systems alone")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "xor.toml").write_text(RECIPE)
    subprocess.run([VYNAPSE, "run", "xor.toml", "--out", "run", "--quiet"], cwd=folder, check=True, timeout=120)
    return folder / "run"


@pytest.fixture
def folder(tmp_path):
    """A folder with the same recipe."""
    (tmp_path / "xor.toml").write_text(RECIPE)
    return tmp_path


def start(folder, *arguments, program=(VYNAPSE,), **options):
    """Start a command in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    return subprocess.Popen([*program, *arguments], cwd=folder, **pipes, **options)


def wait_until(process, holds):
    """Wait until something holds, or the process has ended; fail after a minute."""
    end = time.monotonic() + 60
    while process.poll() is None and not holds():
        assert time.monotonic() < end
        time.sleep(0.004)


def last_step(run):
    """Return the step of the last whole row of a table, 0 where there is none."""
    try:
        with (run / "metrics.csv").open("rb") as table:
            table.seek(max(table.seek(0, os.SEEK_END) - 2000, 0))
            rows = table.read().splitlines(keepends=True)[1:]
    except FileNotFoundError:
        return 0
    return max((int(row.split(b",")[0]) for row in rows if row.endswith(b"\n")), default=0)


def starts(run):
    """Return how often a run was started or resumed."""
    try:
        noted = json.loads((run / "run.json").read_text())
    except FileNotFoundError:
        return 0
    return 1 + len(noted.get("resumed", []))


def same(run, other):
    """Assert that two runs ended at the same bits, what tells time aside."""
    for name in ("recipe.toml", "best/genes.safetensors", "best/model.json", "best/model.safetensors"):
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
    assert rows(run) == rows(other)
    results = [json.loads((folder / "result.json").read_text()) for folder in (run, other)]
    assert results[0] | {"seconds": 0} == results[1] | {"seconds": 0}


def rows(run):
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in TIME_COLUMNS} for row in csv.DictReader(file)]


def test_a_run_killed_at_ten_random_moments_ends_at_the_same_bits(folder, whole):
    moments = random.Random(20)
    targets = sorted(moments.randrange(STEPS - 250) for _ in range(10))
    run, killed = folder / "run", 0
    for number, target in enumerate(targets):
        command = ("resume", "run") if starts(run) else ("run", "xor.toml", "--out", "run")
        process = start(folder, *command)
        wait_until(process, lambda before=number: starts(run) > before)
        wait_until(process, lambda goal=target: last_step(run) >= goal)
        time.sleep(moments.uniform(0, 0.02))
        process.kill()
        process.communicate()
        killed += process.returncode != 0
    assert killed >= 8
    last = start(folder, "resume", "run")
    out, err = last.communicate(timeout=60)
    assert (last.returncode, err) == (0, "")
    assert "finished: the last step was taken" in out
    same(run, whole)


@needs_signals
def test_a_run_that_is_resumed_quietly_says_how_to_go_on_where_it_is_interrupted(folder):
    first = start(folder, "run", "xor.toml", "--out", "run", "--quiet", "--set", "stop.steps=20")
    assert first.communicate(timeout=60) == ("", "")
    process = start(folder, "resume", "run", "--quiet", "--set", "stop.steps=10000000")
    wait_until(process, lambda: last_step(folder / "run") >= 60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "stopping after this step; once more stops at once\ninterrupted; go on with: vynapse resume run\n"


@needs_signals
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupted_run_writes_a_checkpoint_and_says_how_to_go_on(folder, whole, name):
    process = start(folder, "run", "xor.toml", "--out", "run", "--set", "checkpoint.steps=1000000")
    wait_until(process, lambda: last_step(folder / "run") >= 40)
    process.send_signal(signal.Signals[name])
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "stopping after this step; once more stops at once\n"
    reached = last_step(folder / "run")
    assert f"interrupted after {reached:,} steps; go on with: vynapse resume run\n" in out
    assert json.loads((folder / "run" / "run.json").read_text())["status"] == "interrupted"
    assert json.loads((folder / "run" / "result.json").read_text())["reason"] == "interrupted"
    assert (folder / "run" / "checkpoint" / "state.json").exists()
    assert (folder / "run" / "best" / "genes.safetensors").exists()
    if name == "SIGINT":
        again = start(folder, "resume", "run", "--set", "checkpoint.steps=30")
        assert f"resumed after step {reached:,}\n" in again.communicate(timeout=60)[0]
        same(folder / "run", whole)


@needs_signals
def test_a_second_interrupt_ends_a_step_that_takes_long_at_once(folder):
    info = folder / "slow_tasks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-tasks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vynapse]\nslow = slow_tasks\n")
    (folder / "slow_tasks.py").write_text(SLOW)
    environment = os.environ | {"PYTHONPATH": str(folder)}
    process = start(folder, "run", "xor.toml", "--out", "run", "--set", 'task={type="slow"}', env=environment)
    wait_until(process, lambda: (folder / "run" / "metrics.csv").exists())
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "stopping after this step; once more stops at once\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "interrupted\n")
    assert "interrupted after 0 steps, stopped at once, without a checkpoint of the last steps; go on with:" in out
    assert json.loads((folder / "run" / "run.json").read_text())["status"] == "interrupted"


@needs_signals
def test_an_interrupt_ends_several_seeds_and_names_those_not_run(folder):
    process = start(folder, "run", "xor.toml", "--seeds", "3", "--out", "runs", "--quiet")
    wait_until(process, lambda: last_step(folder / "runs" / "s11") >= 10)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[1:] == [
        f"interrupted; go on with: vynapse resume {Path('runs/s11')}",
        "seeds not run: 12, 13",
    ]


@needs_signals
@pytest.mark.skipif(shutil.which("nohup") is None, reason="there is no nohup here")
def test_a_run_started_by_nohup_outlives_its_terminal(folder, whole):
    process = start(folder, "run", "xor.toml", "--out", "run", program=("nohup", VYNAPSE))
    wait_until(process, lambda: last_step(folder / "run") >= 10)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    same(folder / "run", whole)
