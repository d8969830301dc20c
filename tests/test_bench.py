# SPDX-License-Identifier: MIT OR Apache-2.0
"""The bench: what it measures, and that a part which fails costs its row only."""

from __future__ import annotations

import os
import sys
import time
from typing import ClassVar

import pytest
from click.testing import CliRunner

from vynapse_core import Device, Trainer
from vynapse_core.bench import WORKLOADS, Workload, bench, timed
from vynapse_core.bench_modes import bench_modes
from vynapse_core.catalogue import Catalogue, Entry, installed
from vynapse_core.cli import main
from vynapse_core.devices.reference import Reference


class Unplugged(Device):
    """A device whose machine is not there."""

    def compile(self, graph, *, per_network=()):
        raise RuntimeError("no | card\nis there")


class Deliberate(Device):
    """A device that takes its time to compile."""

    def compile(self, graph, per_network=()):
        time.sleep(0.6)
        program = Reference().compile(graph, per_network)
        program.engine = "thought"
        return program


class Demanding(Trainer):
    """A trainer with a key that has no default."""

    uses_genome: ClassVar[bool] = False
    rate: float
    """Of learning."""

    def state_type(self):
        return dict

    def start(self, experiment):
        return {}

    def step(self, experiment, state):
        raise AssertionError("it cannot be built")

    def best(self, experiment, state):
        raise AssertionError("it cannot be built")


def with_parts(*entries):
    known = installed()
    return Catalogue(known.plugins, (*known.entries, *entries), known.ops, known.kernels, known.gradients)


def rows(catalogue, seconds=1e-6):
    return [line.split(" | ") for line in bench(catalogue, seconds) if line.startswith("| ")]


def test_every_device_and_trainer_that_is_installed_gets_its_rows():
    named = [row[0].removeprefix("| ") for row in rows(installed())]
    # auto is one of the others
    devices = [entry.name for entry in installed().of_kind("device") if entry.name != "auto" for _ in WORKLOADS]
    assert named == ["device", *devices, "trainer", *(entry.name for entry in installed().of_kind("trainer"))]


def test_the_figures_of_a_row_agree_with_one_another():
    row = next(row for row in rows(installed()) if row[0] == "| reference")
    _, engine, workload, ready, milliseconds, rate, speed = row
    assert (engine, float(ready) >= 0) == ("", True)
    calls = 1e3 / float(milliseconds)
    assert str(WORKLOADS[0]) == workload
    assert float(rate.replace(",", "")) == pytest.approx(calls * WORKLOADS[0].networks, rel=0.01)
    assert float(speed.strip(" |")) == pytest.approx(calls * WORKLOADS[0].flops / 1e9, abs=0.006)


def test_a_part_that_fails_says_so_in_its_row_and_the_others_are_measured():
    parts = (
        Entry("device", "unplugged", Unplugged, "tests", "1"),
        Entry("trainer", "demanding", Demanding, "tests", "1"),
    )
    said = {row[0].removeprefix("| "): row for row in rows(with_parts(*parts))}
    assert said["unplugged"][4] == r"RuntimeError: no \| card is there"
    assert "rate: missing" in said["demanding"][2]
    assert float(said["evolution"][2]) > 0


def test_parts_of_one_name_are_told_apart_by_their_packages():
    device = installed().entry("device", "reference").component
    known = with_parts(Entry("device", "reference", type("Rival", (device,), {}), "rival", "1"))
    said = {row[0].removeprefix("| "): row for row in rows(known)}
    assert float(said["rival:reference"][4]) > 0
    assert float(said["vynapse:reference"][4]) > 0


def test_getting_ready_is_told_apart_from_the_calls_and_the_engine_is_named():
    known = with_parts(Entry("device", "deliberate", Deliberate, "tests", "1"))
    row = next(row for row in rows(known, 0.01) if row[0] == "| deliberate")
    assert row[1] == "thought"
    assert float(row[3]) >= 500 > float(row[4])


def test_the_operations_of_a_workload_are_those_of_its_products():
    assert Workload((3, 5, 2), networks=7, samples=11).flops == 2 * 7 * 11 * (3 * 5 + 5 * 2)


@pytest.mark.parametrize("seconds", [0.0, 1e-9])
def test_a_call_is_timed_at_least_once_after_one_that_does_not_count(seconds):
    calls = []
    assert timed(lambda: calls.append(1), seconds) >= 0
    assert len(calls) == 2


def test_a_call_that_takes_longer_than_there_is_time_is_not_repeated():
    calls = []
    timed(lambda: calls.append(sum(range(100_000))), 1e-4)
    assert len(calls) == 2


RECIPE = """
[task]
type = "onemax"
bits = 12

[trainer]
type = "evolution"
population = 10

[stop]
steps = 3

[mode.large]
trainer = { type = "evolution", population = 40 }

[mode.broken]
trainer = { type = "no|such" }
"""


def test_the_modes_of_a_recipe_are_run_beside_each_other(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    lines = list(bench_modes(tmp_path / "recipe.toml", ("stop.steps=5",)))
    head, _, plain, large, broken = (
        [cell.strip() for cell in line.replace(r"\|", "/").split("|")[1:-1]] for line in lines
    )
    assert [row[0] for row in (plain, large, broken)] == ["(none)", "large", "broken"]
    assert {len(row) for row in (head, plain, large, broken)} == {10}
    for row in (plain, large):
        told = dict(zip(head, row, strict=True))
        assert (told["trainer"], told["stopped by"], told["steps"]) == ("evolution", "steps", "5")
        assert float(told["s in all"]) > float(told["s in the loop"]) >= 0
        assert 0 < float(told["best fitness"]) <= 12
    assert "no/such" in broken[2]
    # files are left nowhere
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not tell")
def test_processor_use_and_memory_of_a_mode_are_those_of_its_own_process(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.split("[mode")[0], encoding="utf-8")
    (row,) = list(bench_modes(tmp_path / "recipe.toml"))[2:]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert 0 < float(cells[6].rstrip("%")) < 100 * (os.cpu_count() or 1) + 1
    assert 20 < float(cells[7].replace(",", "")) < 2000


def test_a_change_without_a_recipe_is_refused():
    done = CliRunner().invoke(main, ["bench", "--set", "stop.steps=1"])
    assert done.exit_code == 2
    assert "--set changes the recipe of --modes" in done.output
