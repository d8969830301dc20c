# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command line as its users see it: help, exit codes, what goes to stdout and what to stderr, and every message.

Most commands are invoked in this process; what only a real process shows (exit codes, streams, imports, plugins that
are found at its start) is tested in one.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import tomli
from click.testing import CliRunner

from vynapse_core import RecipeError, RunError
from vynapse_core.catalogue import Catalogue, collect, installed
from vynapse_core.cli import COMMANDS, main
from vynapse_core.observers.csv import TIME_COLUMNS
from vynapse_core.recipe import build
from vynapse_core.source import Source

VYNAPSE = shutil.which("vynapse", path=str(Path(sys.executable).parent)) or "vynapse"
SUBCOMMANDS = [(name,) for name in COMMANDS] + [("new", "recipe"), ("new", "plugin")]

RECIPE = """\
[experiment]
name = "xor"
seed = 7

[task]
type = "xor"

[trainer]
type = "evolution"
population = 10

[stop]
steps = 6

[mode.wide.genome]
type = "mlp"
layers = [2, 16, 1]
"""

PLUGIN = """\
from typing import ClassVar

from vynapse_core import DirectTask, hookimpl


class Sensor(DirectTask):
    \"\"\"A sensor that fails.\"\"\"

    encoding: ClassVar[str] = "real"

    @property
    def length(self):
        return 3

    def evaluate(self, genes):
        raise ZeroDivisionError("the sensor is off")


@hookimpl
def vynapse_tasks():
    return {"sensor": Sensor}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with a recipe."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "xor.toml").write_text(RECIPE)
    return tmp_path


def invoke(*arguments):
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="vynapse")


def done(*arguments):
    """Run a command that is to succeed, and return what it prints."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments):
    """Run a command that is to be refused before anything runs, and return what it says on stderr."""
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert isinstance(result.exception, SystemExit)
    return result.stderr


def process(*arguments, **options):
    """Run a command in a process of its own."""
    options = {"capture_output": True, "encoding": "utf-8", "timeout": 60, "env": os.environ} | options
    options["env"] = {"PYTHONIOENCODING": "utf-8"} | options["env"]
    return subprocess.run([VYNAPSE, *map(str, arguments)], **options)


def package(site, name, source):
    """Put a plugin's distribution into the folder `site`, and return the environment of a process that has it."""
    module = name.replace("-", "_")
    info = site / f"{module}-1.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[vynapse]\n{module} = {module}\n")
    (site / f"{module}.py").write_text(source)
    return os.environ | {"PYTHONPATH": str(site)}


def rows(run):
    """Return metrics.csv without the columns that tell time."""
    with (run / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in TIME_COLUMNS} for row in csv.DictReader(file)]


def resolved(run):
    return tomli.loads((run / "recipe.toml").read_text())


# Help


def test_help_imports_nothing_that_takes_long():
    heavy = {"numpy", "pydantic", "rich", "scipy", "matplotlib", "sklearn", "structlog", "safetensors", "numba"}
    code = "import sys; from vynapse_core.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "compare" in ran.stdout
    assert heavy.isdisjoint(ran.stdout.splitlines()[-1].split())


def test_no_line_of_the_list_of_commands_is_cut_short(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    listed = done("--help").partition("Commands:")[2]
    assert all(name in listed for name in COMMANDS)
    assert "..." not in listed


@pytest.mark.parametrize("command", SUBCOMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help_with_an_example_that_calls_it(command, option):
    text = done(*command, option)
    assert text.startswith(f"Usage: vynapse {' '.join(command)}")
    examples = text.partition("Examples:\n")[2]
    assert f"vynapse {' '.join(command)}" in examples or (command == ("new",) and "vynapse new recipe" in examples)


def test_the_version_is_the_distributions():
    from importlib.metadata import version

    assert done("--version").split()[-1] == version("vynapse")


# Exit codes and streams


def test_a_real_process_ends_with_0_and_prints_results_on_stdout_alone(folder):
    ran = process("run", "xor.toml", "--out", "out", cwd=folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0] == f"xor · xor by evolution on the {resolved(folder / 'out')['device']['type']} device · seed 7"
    assert lines[1].startswith("step       1 ")
    assert lines[2].startswith("step       6 ")
    assert lines[3].startswith("finished: the last step was taken (6 steps")
    assert lines[-1] == "files in out"


def test_a_real_process_ends_with_2_for_a_wrong_recipe_and_names_all_its_problems(folder):
    text = RECIPE.replace("population = 10", "population = 0\npopulaton = 3").replace('"xor"\n\n[tr', '"xro"\n\n[tr')
    (folder / "bad.toml").write_text(text)
    ran = process("run", "bad.toml", cwd=folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Traceback" not in ran.stderr
    assert "bad.toml: 3 problems" in ran.stderr
    assert "line 5: task: unknown task 'xro' (did you mean 'xor'?)" in ran.stderr
    assert "line 10: trainer.population: expected a value at least 1, found 0" in ran.stderr
    assert "line 11: trainer.populaton: unknown key, found 3 (integer) (did you mean 'population'?)" in ran.stderr
    assert not (folder / "runs").exists()


def test_a_real_process_ends_with_1_where_a_component_raises_and_names_it_with_step_file_and_line(folder):
    environment = package(folder / "site", "sensors", PLUGIN)
    ran = process("run", "xor.toml", "--set", 'task={type="sensor"}', "--out", "out", cwd=folder, env=environment)
    assert ran.returncode == 1
    place = f"sensors.py, line {PLUGIN[: PLUGIN.index('raise')].count(chr(10)) + 1}"
    said = f"step 1: task Sensor at task raised ZeroDivisionError: the sensor is off ({place})"
    assert ran.stderr == f"error: {said}\n"
    assert ran.stdout.splitlines()[-1] == "failed after 0 steps; what there is lies in out"
    assert json.loads((folder / "out" / "result.json").read_text())["reason"] == said
    told = process("--traceback", "run", "xor.toml", "--set", 'task={type="sensor"}', cwd=folder, env=environment)
    assert told.returncode == 1
    assert 'raise ZeroDivisionError("the sensor is off")' in told.stderr


def test_a_fault_of_the_program_is_told_as_one_without_a_traceback(folder, monkeypatch):
    monkeypatch.setattr("vynapse_core.source.read_source", lambda *_, **__: {}["key"])
    result = invoke("run", "xor.toml")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: KeyError: 'key'\n  This is a fault in Vynapse or a plugin")
    assert "Traceback" not in result.stderr
    assert "Traceback" in invoke("--traceback", "run", "xor.toml").stderr


def test_ctrl_c_outside_a_run_ends_with_130(folder, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("vynapse_core.source.read_source", interrupted)
    result = invoke("check", "xor.toml")
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu", "xor.toml"], "unknown command 'rnu'; did you mean 'run'?"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "xor.toml", "--sede", "1"], "No such option '--sede'. (Did you mean one of: '--seed'"),
        (["run", "none.toml"], "none.toml: 1 problem\n  cannot be read: No such file or directory"),
        (["run", "."], ".: 1 problem\n  cannot be read: "),
        (["run", "xor.toml", "--seed", "-1"], "-1 is not in the range 0<=x<=9223372036854775807"),
        (["run", "xor.toml", "--seed", str(2**63)], "is not in the range"),
        (["run", "xor.toml", "--seed", "1", "--seeds", "2"], "give --seed or --seeds, not both"),
        (["run", "xor.toml", "--seeds", "0"], "--seeds '0': expected a count from 1 to 10,000"),
        (["run", "xor.toml", "--seeds", "1000000000000"], "expected a count from 1 to 10,000"),
        (["run", "xor.toml", "--seeds", "many"], "expected a count (5) or a list (42,123,456)"),
        (["run", "xor.toml", "--seeds", ","], "expected seeds from 0 to 9223372036854775807"),
        (["run", "xor.toml", "--seeds", "1,-2"], "expected seeds from 0 to"),
        (["run", "xor.toml", "--seeds", "4,5,4"], "a seed stands there twice"),
        (["run", "xor.toml", "--device", "referense"], "device: unknown device 'referense' (did you mean 'reference'?"),
        (["run", "xor.toml", "--device", 'a"b'], "unknown device 'a\"b'"),
        (["run", "xor.toml", "--mode", "wied"], "xor.toml has no mode 'wied'; did you mean 'wide'?"),
        (["run", "xor.toml", "--set", "trainer.population"], "expected KEY.PATH=VALUE, such as trainer.population=500"),
        (["run", "xor.toml", "--set", "=3"], "expected KEY.PATH=VALUE"),
        (["run", "xor.toml", "--set", "trainer..population=3"], "expected KEY.PATH=VALUE"),
        (["run", "xor.toml", "--set", "trainer.population=[3"], "'[3' is no TOML value; a text goes in quotes"),
        (["run", "xor.toml", "--set", "trainer.population='3'"], "trainer.population: expected an integer, found '3'"),
        (["run", "xor.toml", "--set", "trainer.poplation=3"], "did you mean 'population'?; given by --set"),
        (["run", "xor.toml", "--set", "experiment.seed.x=3"], "'x' cannot be set in 7, which is no table"),
        (["run", "xor.toml", "--out", "xor.toml"], "Directory 'xor.toml' is a file"),
        (["run", "xor.toml", "--out", "."], ". is not empty, it holds "),
        (["check", "none.toml"], "cannot be read"),
        (["resume", "nowhere"], "there is no folder nowhere"),
        (["resume", "."], ". is no run's folder: it has no recipe.toml"),
        (["describe", "mutatoin", "gaussian"], "unknown kind 'mutatoin'; did you mean 'mutation'?"),
        (["describe", "mutation", "gausian"], "unknown mutation 'gausian'; did you mean 'gaussian'?"),
        (["list", "mutatoin"], "unknown kind 'mutatoin'; did you mean 'mutation'?"),
        (["compare", "."], "no finished run to compare"),
        (["new", "plgin", "x"], "plugin"),
        (["bench", "--seconds", "0"], "0 is not in the range"),
        (["completion", "csh"], "'csh' is not one of 'bash', 'zsh', 'fish'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_refused_with_what_would_be_right(folder, arguments, said):
    assert said in refused(*arguments)
    assert sorted(path.name for path in folder.iterdir()) == ["xor.toml"]


@pytest.mark.skipif(os.name != "posix", reason="a pipe whose reader has left is a signal's business elsewhere")
def test_a_run_goes_on_to_its_end_when_the_reader_of_its_output_leaves(folder):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        pipes = {"capture_output": False, "stdout": writing, "stderr": subprocess.PIPE}
        ran = process("run", "xor.toml", "--out", "out", cwd=folder, **pipes)
        several = process("run", "xor.toml", "--seeds", "2", "--out", "several", cwd=folder, **pipes)
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr, several.stderr) == (0, "", "")
    for run in ("out", "several/s7", "several/s8"):
        assert json.loads((folder / run / "result.json").read_text())["status"] == "finished"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", [["--help"], ["list"], ["check", "xor.toml"]])
def test_output_that_cannot_be_written_is_an_error_without_a_traceback(folder, command):
    with Path("/dev/full").open("w") as full:
        ran = process(*command, cwd=folder, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (1, "error: No space left on device\n")


def test_a_terminal_that_has_only_ascii_gets_question_marks(folder):
    ran = process("run", "xor.toml", cwd=folder, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert ran.returncode == 0
    assert ran.stdout.startswith("xor ? xor by evolution")


# run


def test_a_run_without_out_gets_a_folder_named_by_experiment_time_and_seed(folder):
    done("run", "xor.toml", "--seed", "5")
    (run,) = (folder / "runs" / "xor").iterdir()
    assert run.name.endswith("Z-s5")
    assert resolved(run)["experiment"]["seed"] == 5


def test_runs_that_start_in_one_second_get_folders_of_their_own(folder):
    for _ in range(3):
        done("run", "xor.toml", "--quiet", "--set", "stop.steps=1")
    assert len(list((folder / "runs" / "xor").iterdir())) == 3


def test_a_folder_that_holds_a_run_is_refused_with_the_command_that_goes_on(folder):
    done("run", "xor.toml", "--out", "out")
    before = (folder / "out" / "metrics.csv").read_bytes()
    assert "out holds a run already; go on with it by 'vynapse resume out'" in refused(
        "run", "xor.toml", "--out", "out"
    )
    assert (folder / "out" / "metrics.csv").read_bytes() == before


def test_a_count_of_seeds_begins_at_the_recipes_own(folder):
    text = done("run", "xor.toml", "--seeds", "3", "--out", "out")
    assert sorted(run.name for run in (folder / "out").iterdir()) == ["s7", "s8", "s9"]
    assert [resolved(folder / "out" / f"s{seed}")["experiment"]["seed"] for seed in (7, 8, 9)] == [7, 8, 9]
    assert "| best fitness | xor | 3 |" in text


def test_listed_seeds_are_run_as_listed_and_each_as_if_it_were_alone(folder):
    done("run", "xor.toml", "--seeds", "42,123", "--out", "several")
    done("run", "xor.toml", "--seed", "123", "--out", "alone")
    assert rows(folder / "several" / "s123") == rows(folder / "alone")
    assert rows(folder / "several" / "s42") != rows(folder / "alone")


def test_a_folder_in_use_is_found_before_the_first_of_several_seeds_is_run(folder):
    (folder / "out" / "s8").mkdir(parents=True)
    (folder / "out" / "s8" / "notes.txt").touch()
    assert "s8 is not empty, it holds notes.txt" in refused("run", "xor.toml", "--seeds", "2", "--out", "out")
    assert not (folder / "out" / "s7").exists()


def test_a_failure_ends_several_seeds_and_names_those_not_run(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = invoke("run", "xor.toml", "--seeds", "3", "--out", "out")
    assert result.exit_code == 1
    assert "disk full" in result.stderr
    assert "seeds not run: 8, 9" in result.stderr
    assert "Traceback" not in result.output


def test_the_seeds_that_finished_are_summarised_where_a_later_one_fails(folder, monkeypatch):
    from vynapse_core import run

    real, calls = run.run_experiment, []

    def failing(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise RunError("the third is too much")
        return real(*arguments, **options)

    monkeypatch.setattr(run, "run_experiment", failing)
    result = invoke("run", "xor.toml", "--seeds", "4", "--out", "out")
    assert result.exit_code == 1
    assert "| best fitness | xor | 2 |" in result.stdout
    assert "seeds not run: 10" in result.stderr
    assert "the third is too much" in result.stderr


def test_seeds_are_summarised_without_scipy(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    text = done("run", "xor.toml", "--seeds", "2", "--out", "out")
    assert "| best fitness | xor | 2 |" in text
    assert 'pip install "vynapse[compare]"' in text


def test_a_quiet_run_prints_nothing_and_writes_everything(folder):
    assert done("run", "xor.toml", "--quiet", "--seeds", "2", "--out", "out") == ""
    assert len(rows(folder / "out" / "s7")) == 6
    done("run", "xor.toml", "--out", "shown")
    assert resolved(folder / "shown") == resolved(folder / "out" / "s7")


def test_a_mode_replaces_its_tables(folder):
    done("run", "xor.toml", "--mode", "wide", "--out", "wide")
    done("run", "xor.toml", "--out", "plain")
    assert resolved(folder / "wide")["genome"]["layers"] == [2, 16, 1]
    assert resolved(folder / "plain")["genome"]["layers"] != [2, 16, 1]
    assert "mode" not in resolved(folder / "wide")


def test_a_device_given_by_option_replaces_the_recipes_table(folder):
    (folder / "xor.toml").write_text(RECIPE + '[device]\ntype = "abacus"\nbeads = 3\n')
    done("run", "xor.toml", "--device", "reference", "--out", "out")
    assert resolved(folder / "out")["device"]["type"] == "reference"


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("trainer.population=12", ("trainer", "population"), 12),
        ("stop.fitness=-0.5", ("stop", "fitness"), -0.5),
        ("stop.solved=true", ("stop", "solved"), True),
        ("experiment.description=short", ("experiment", "description"), "short"),
        ('experiment.description="two words"', ("experiment", "description"), "two words"),
        ("experiment.description = 'a=b'", ("experiment", "description"), "a=b"),
        ("genome.layers=[2, 3, 1]", ("genome", "layers"), [2, 3, 1]),
        ("trainer.crossover=none", ("trainer", "crossover"), {"type": "none"}),
        ('trainer.mutation=[{type="gaussian", sigma=0.25}]', ("trainer", "mutation", 0, "sigma"), 0.25),
    ],
)
def test_set_takes_any_value_that_a_recipe_takes(folder, override, path, value):
    (folder / "xor.toml").write_text(RECIPE + '[genome]\ntype = "mlp"\nlayers = [2, 4, 1]\n')
    tree = tomli.loads(done("check", "xor.toml", "--set", override))
    for key in path:
        tree = tree[key]
    assert tree == value


def test_of_two_values_for_one_key_the_last_holds(folder):
    tree = tomli.loads(done("check", "xor.toml", "--set", "stop.steps=2", "--set", "stop.steps=3"))
    assert tree["stop"]["steps"] == 3


# check, resume


@pytest.mark.parametrize(
    "options", [[], ["--mode", "wide"], ["--set", "trainer.crossover=none", "--device", "reference"]]
)
def test_a_resolved_recipe_is_accepted_and_printed_verbatim(folder, options):
    first = done("check", "xor.toml", *options)
    (folder / "resolved.toml").write_text(first)
    assert done("check", "resolved.toml") == first


def test_check_prints_what_a_run_writes_and_runs_nothing(folder):
    printed = done("check", "xor.toml")
    assert [path.name for path in folder.iterdir()] == ["xor.toml"]
    done("run", "xor.toml", "--out", "out")
    assert (folder / "out" / "recipe.toml").read_text() == printed


def test_check_validates_every_mode(folder):
    (folder / "xor.toml").write_text(RECIPE.replace("[2, 16, 1]", "[3, 16, 1]"))
    assert "line 17: genome.layers" in refused("check", "xor.toml")


def test_a_json_recipe_gives_the_same_run(folder):
    (folder / "xor.json").write_text(json.dumps(tomli.loads(RECIPE)))
    done("run", "xor.toml", "--out", "a")
    done("run", "xor.json", "--out", "b")
    assert rows(folder / "a") == rows(folder / "b")


def test_resuming_with_more_steps_goes_on_as_the_longer_run_would_and_notes_the_change(folder):
    done("run", "xor.toml", "--out", "short")
    done("run", "xor.toml", "--out", "long", "--set", "stop.steps=11")
    text = done("resume", "short", "--set", "stop.steps=11")
    assert text.splitlines()[0].endswith("resumed after step 6")
    assert rows(folder / "short") == rows(folder / "long")
    noted = json.loads((folder / "short" / "run.json").read_text())
    assert noted["changes"] == [{"stop.steps": [6, 11]}]
    assert noted["resumed"][0]["step"] == 6
    assert resolved(folder / "short")["stop"]["steps"] == 11


def test_a_value_that_changes_nothing_is_not_noted_as_a_change(folder):
    done("run", "xor.toml", "--out", "out")
    done("resume", "out", "--set", "stop.steps=6")
    assert "changes" not in json.loads((folder / "out" / "run.json").read_text())


def test_a_run_resumed_quietly_prints_nothing_and_ends_like_one_that_is_shown(folder):
    for name in ("shown", "quiet"):
        done("run", "xor.toml", "--set", "stop.steps=3", "--out", name)
    assert done("resume", "quiet", "--set", "stop.steps=6", "--quiet") == ""
    assert "step" in done("resume", "shown", "--set", "stop.steps=6")
    assert rows(folder / "quiet")[5]["best"] == rows(folder / "shown")[5]["best"]


def test_a_run_on_a_file_is_resumed_from_another_folder(folder, monkeypatch):
    (folder / "table.csv").write_text("a,b\n" + "0.5,x\n0.25,y\n" * 10)
    task = 'task={type="csv", path="table.csv"}'
    done("run", "xor.toml", "--set", task, "--set", "stop.steps=3", "--out", "out")
    assert resolved(folder / "out")["task"]["path"] == str(folder / "table.csv")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    done("resume", folder / "out", "--set", "stop.steps=5")
    assert len(rows(folder / "out")) == 5


def test_a_refused_change_leaves_the_run_as_it_was(folder):
    done("run", "xor.toml", "--out", "out")
    before = (folder / "out" / "recipe.toml").read_bytes(), (folder / "out" / "run.json").read_bytes()
    assert "trainer.population" in refused("resume", "out", "--set", "trainer.population=0")
    assert before == ((folder / "out" / "recipe.toml").read_bytes(), (folder / "out" / "run.json").read_bytes())


def test_a_folder_of_runs_is_no_run_and_the_last_one_in_it_is_proposed(folder):
    done("run", "xor.toml", "--out", "runs/a")
    done("run", "xor.toml", "--out", "runs/b")
    assert f"did you mean {Path('runs/b')}?" in refused("resume", "runs")


def test_a_run_whose_description_is_damaged_is_refused(folder):
    done("run", "xor.toml", "--out", "out")
    (folder / "out" / "run.json").write_text("{")
    result = invoke("resume", "out")
    assert result.exit_code == 2
    assert "run.json cannot be read" in result.stderr


# What is on offer


def test_plugins_lists_every_package_with_its_version_and_what_it_offers():
    text = done("plugins")
    for plugin in installed().plugins:
        assert f"{plugin.package} {plugin.version}" in text
    offered = {
        name for line in text.splitlines() if line.startswith("  ") for name in line.split(":", 1)[1].split(", ")
    }
    assert {entry.name for entry in installed().entries} <= {name.strip() for name in offered}


def test_plugins_shows_what_each_device_finds_here_and_keeps():
    text = done("plugins")
    for entry in installed().of_kind("device"):
        for fact, found in entry.component.describe_here().items():
            assert f"    {entry.name}, {fact}: {found}\n" in text


def test_a_device_that_cannot_describe_itself_costs_its_own_lines_only(monkeypatch):
    def failing(cls):
        raise RuntimeError("no driver")

    device = installed().entry("device", "reference").component
    monkeypatch.setattr(device, "describe_here", classmethod(failing))
    text = done("plugins")
    assert "    reference cannot say what it finds here: RuntimeError: no driver" in text
    assert "vynapse-evolution" in text


def test_every_component_that_list_names_can_be_described():
    kind = ""
    described = 0
    for text in done("list").splitlines():
        if not text.startswith(" "):
            kind = text
        else:
            assert done("describe", kind, text.split()[0]).startswith(f"# `{text.split()[0]}`")
            described += 1
    assert described == len(installed().entries)


def test_list_of_a_kind_names_that_kind_alone():
    names = [text.split()[0] for text in done("list", "device").splitlines()[1:]]
    assert names == [entry.name for entry in installed().of_kind("device")]


def test_describe_tells_keys_defaults_and_bounds():
    page = done("describe", "mutation", "gaussian")
    assert "sigma" in page
    assert "0.1" in page
    assert "standard deviation" in page.lower()


def test_a_terminal_gets_pages_and_tables_drawn_for_it(folder, monkeypatch):
    monkeypatch.setattr("vynapse_core.cli.options.on_terminal", lambda: True)
    page = done("describe", "mutation", "gaussian")
    assert "# `gaussian`" not in page
    assert "gaussian" in page
    table = done("run", "xor.toml", "--seeds", "2", "--out", "out")
    assert "│ best fitness" in table


def test_the_schema_is_one_and_takes_the_recipe_that_check_prints(folder):
    schema = json.loads(done("schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(tomli.loads(done("check", "xor.toml")))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**tomli.loads(RECIPE), "task": {"type": "xro"}})


def test_compare_prints_markdown_where_nobody_reads_and_draws_on_request(folder):
    done("run", "xor.toml", "--seeds", "3", "--out", "a", "--quiet")
    done("run", "xor.toml", "--seeds", "3", "--out", "b", "--quiet", "--set", "trainer.population=20")
    result = invoke("compare", "a", "b", "--plot", "curves.svg", "--x", "evaluations")
    assert result.exit_code == 0
    assert "| --- |" in result.stdout
    assert "drawn: curves.svg" in result.stderr
    assert (folder / "curves.svg").read_text().startswith("<?xml")


def test_bench_prints_a_table_of_devices_and_one_of_trainers():
    text = done("bench", "--seconds", "0.001")
    assert "| device | engine | workload |" in text
    assert "| trainer | task |" in text


def test_a_new_recipe_runs_and_is_not_written_over(folder):
    done("new", "recipe", "first.toml")
    done("run", "first.toml", "--set", "stop.steps=2", "--quiet")
    written = (folder / "first.toml").read_bytes()
    assert "first.toml" in refused("new", "recipe", "first.toml")
    assert (folder / "first.toml").read_bytes() == written


def test_a_new_plugin_package_has_code_tests_and_an_entry_point(folder):
    names = {Path(text).name for text in done("new", "plugin", "my-operators").splitlines()}
    assert {"pyproject.toml", "README.md", "plugin.py"} <= names
    project = tomli.loads((folder / "vynapse-my-operators" / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["vynapse"]


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell):
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    script = done("completion", shell)
    assert f"_VYNAPSE_COMPLETE={shell}_complete" in script


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("vynapse ", "resume"),
        ("vynapse describe mut", "mutation"),
        ("vynapse describe mutation ", "gaussian"),
        ("vynapse describe mutation ga", "gaussian"),
        ("vynapse list act", "activation"),
        ("vynapse run xor.toml --device ", "reference"),
        ("vynapse run xor.toml --mode ", "wide"),
        ("vynapse run none.toml --mode ", None),
        ("vynapse completion f", "fish"),
    ],
)
def test_the_tab_key_completes_names(folder, words, expected):
    environment = {
        "_VYNAPSE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - (not words.endswith(" "))),
    }
    result = CliRunner().invoke(main, [], env=environment, prog_name="vynapse")
    found = [text.partition(",")[2] for text in result.stdout.splitlines() if text]
    assert (expected in found) if expected else (found == [])


# Plugins that fail


def test_a_plugin_that_fails_to_load_is_named_with_its_cause_and_takes_nothing_else_down(folder):
    environment = package(folder / "site", "broken-operators", "import a_library_that_is_not_there\n")
    cause = "ModuleNotFoundError: No module named 'a_library_that_is_not_there'"
    ran = process("run", "xor.toml", "--quiet", cwd=folder, env=environment)
    assert ran.returncode == 0
    assert ran.stderr == f"warning: plugin broken-operators failed to load: {cause}\n"
    listed = process("plugins", env=environment)
    assert f"broken-operators 1.5\n  failed to load: {cause}\n" in listed.stdout
    assert "vynapse-evolution" in listed.stdout
    needs = process("run", "xor.toml", "--set", "trainer.crossover=homologous", cwd=folder, env=environment)
    assert needs.returncode == 2
    assert "unknown crossover 'homologous'" in needs.stderr
    assert f"broken-operators failed to load: {cause}" in needs.stderr.partition("problem")[2]


def test_a_plugin_with_a_misspelt_hook_is_named_with_the_hook_that_it_meant(folder):
    source = "from vynapse_core import hookimpl\n\n\n@hookimpl\ndef vynapse_operator():\n    return {}\n"
    ran = process("list", "device", env=package(folder / "site", "misspelt", source))
    assert ran.returncode == 0
    assert "warning: plugin misspelt failed to load" in ran.stderr
    assert "did you mean 'vynapse_operators'?" in ran.stderr


def test_a_plugin_whose_commands_fail_leaves_the_others(folder):
    source = "from vynapse_core import hookimpl\n\n\n@hookimpl\ndef vynapse_commands():\n    raise ValueError('no')\n"
    ran = process("--help", env=package(folder / "site", "commanding", source))
    assert ran.returncode == 0
    assert "Run a recipe." in ran.stdout
    assert ran.stderr == "warning: commanding gives no commands: ValueError: no\n"


def test_a_plugins_command_is_listed_run_and_found_when_misspelt(folder):
    source = (
        "import click\n\nfrom vynapse_core import hookimpl\n\n\n@click.command()\ndef greet():\n"
        '    """Say hello."""\n    click.echo("hello")\n\n\n@hookimpl\ndef vynapse_commands():\n'
        '    return {"greet": greet}\n'
    )
    environment = package(folder / "site", "greeting", source)
    assert "Say hello." in (shown := process("--help", env=environment).stdout)
    assert "Run a recipe." in shown
    assert process("greet", env=environment).stdout == "hello\n"
    assert "did you mean 'greet'?" in process("gret", env=environment).stderr


def test_of_two_commands_with_one_name_the_first_is_used_and_both_owners_are_named(folder):
    source = (
        "import click\n\nfrom vynapse_core import hookimpl\n\n\n@click.command()\ndef greet():\n"
        '    click.echo(__name__)\n\n\n@hookimpl\ndef vynapse_commands():\n    return {"greet": greet, "run": greet}\n'
    )
    package(folder / "site", "warm", source)
    environment = package(folder / "site", "cold", source)
    ran = process("greet", env=environment)
    assert ran.stdout == "cold\n"
    assert ran.stderr.splitlines() == [
        "warning: cold offers the command 'run', which vynapse has; that one is used",
        "warning: warm offers the command 'greet', which cold has; that one is used",
        "warning: warm offers the command 'run', which vynapse has; that one is used",
    ]
    assert "Run a recipe." in process("run", "--help", env=environment).stdout


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("@hookimpl\ndef vynapse_commands():\n    return ['greet']\n", "returned list, not a mapping of names"),
        ("@hookimpl\ndef vynapse_commands():\n    return {'greet': 3}\n", "'greet' is 3, not a click command"),
        ("def vynapse_commands():\n    return {}\n", "write @hookimpl above it"),
    ],
)
def test_commands_that_cannot_be_had_are_told_where_one_is_looked_for(folder, source, said):
    environment = package(folder / "site", "nonsense", f"from vynapse_core import hookimpl\n\n\n{source}")
    ran = process("greet", env=environment)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "unknown command 'greet'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_colours_are_left_out_where_no_color_is_set(folder, monkeypatch):
    def colored(**environment):
        arguments = {"args": ["plugins"], "prog_name": "vynapse", "color": True, "env": environment}
        return "\x1b[" in CliRunner().invoke(main, **arguments).output

    assert colored(NO_COLOR=None)
    assert not colored(NO_COLOR="1")
    assert colored(NO_COLOR="")


def test_an_error_has_no_colour_where_no_color_is_set(folder):
    for value, colored in (("", True), ("1", False)):
        result = CliRunner(env={"NO_COLOR": value}).invoke(main, ["compare", "none"], color=True)
        assert ("\x1b[" in result.stderr) == colored


def test_a_component_of_a_distribution_that_is_not_installed_names_the_distribution():
    without = collect(plugin for plugin in installed().plugins if plugin.package != "vynapse-evolution")
    with pytest.raises(RecipeError) as raised:
        build(Source(tomli.loads(RECIPE)), without)
    assert "trainer 'evolution' comes with vynapse-evolution, which is not installed" in str(raised.value)
    assert "pip install vynapse-evolution" in str(raised.value)


def test_a_component_of_a_plugin_that_failed_to_load_is_refused_with_the_cause():
    from dataclasses import replace

    plugins = [
        replace(plugin, module=None, failure="ImportError: no libm")
        if plugin.package == "vynapse-evolution"
        else plugin
        for plugin in installed().plugins
    ]
    broken: Catalogue = collect(plugins)
    with pytest.raises(RecipeError, match="comes with vynapse-evolution, which failed to load: ImportError: no libm"):
        build(Source(tomli.loads(RECIPE)), broken)
