# SPDX-License-Identifier: MIT OR Apache-2.0
"""The run: same seed same bits, resumption, stops, failures, and what lies in its folder."""

import csv
import errno
import json
import os
import signal
from typing import ClassVar

import numpy as np
import pytest

from vynapse_core import DirectTask, Graph, Networks, Observer, RunError, hookimpl, wire
from vynapse_core.catalogue import Entry, installed
from vynapse_core.checkpoint import load_arrays
from vynapse_core.errors import ArgumentError, CheckpointError
from vynapse_core.folder import Folder, named_folder
from vynapse_core.lock import locked
from vynapse_core.observers.csv import TIME_COLUMNS
from vynapse_core.recipe import build, load_recipe
from vynapse_core.run import run_experiment
from vynapse_core.source import Source

XOR = {
    "experiment": {"name": "xor", "seed": 3},
    "task": {"type": "xor"},
    "genome": {"type": "mlp", "layers": [2, 4, 1], "activation": "tanh"},
    "trainer": {
        "type": "evolution",
        "population": 20,
        "mutation": {"type": "gaussian", "sigma": {"type": "exponential", "start": 0.5, "end": 0.05}},
    },
    "stop": {"steps": 40},
    "observers": [{"type": "console"}],
}


class Interrupting(Observer):
    """Sends a signal to this process after a step."""

    step: int
    """The step."""
    number: int = int(signal.SIGINT)
    """The signal."""

    @hookimpl
    def vynapse_step_finished(self, report):
        if report.step == self.step:
            os.kill(os.getpid(), self.number)


class Faulty(DirectTask):
    """Returns what it is told at a step, and the sum of the genes at all others."""

    encoding: ClassVar[str] = "real"
    at: int = 10
    """Call at which it fails."""
    failure: str = "raise"
    """How: raise, nan, all or shape."""
    calls: ClassVar[list[int]] = []

    @property
    def length(self):
        return 3

    @property
    def bounds(self):
        return (-1.0, 1.0)

    def evaluate(self, genes):
        self.calls.append(1)
        fitness = genes.values.sum(axis=1)
        if len(self.calls) < self.at:
            return fitness
        if self.failure == "raise":
            raise ZeroDivisionError("the sensor is off")
        if self.failure == "nan":
            return np.where(np.arange(len(fitness)) % 2, fitness, np.nan)
        return np.full(len(fitness), np.nan)


def catalogue():
    known = installed()
    more = [
        Entry("task", "faulty", Faulty, "tests", "1"),
        Entry("observer", "interrupting", Interrupting, "tests", "1"),
    ]
    return type(known)(known.plugins, (*known.entries, *more), known.ops, known.kernels, known.gradients)


def experiment(tree=XOR, **changed):
    known = catalogue()
    return wire(build(Source({**tree, **changed}), known), catalogue=known)


def rows(folder):
    """Return metrics.csv without the columns that tell time."""
    with folder.metrics.open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in TIME_COLUMNS} for row in csv.DictReader(file)]


def best_genes(folder):
    return load_arrays(folder.best / "genes.safetensors")["values"]


def test_the_same_seed_gives_the_same_metrics_and_the_same_best_genes(tmp_path):
    folders = [named_folder(tmp_path / name) for name in "ab"]
    for folder in folders:
        run_experiment(experiment(), folder)
    assert rows(folders[0]) == rows(folders[1])
    assert len(rows(folders[0])) == 40
    np.testing.assert_array_equal(best_genes(folders[0]), best_genes(folders[1]))


def test_another_seed_gives_other_metrics(tmp_path):
    a, b = named_folder(tmp_path / "a"), named_folder(tmp_path / "b")
    run_experiment(experiment(), a)
    run_experiment(experiment(experiment={"seed": 4}), b)
    assert rows(a) != rows(b)


def test_the_resolved_recipe_of_a_run_gives_the_same_bits(tmp_path):
    first, again = named_folder(tmp_path / "first"), named_folder(tmp_path / "again")
    run_experiment(experiment(), first)
    run_experiment(wire(load_recipe(first.recipe)), again)
    assert rows(first) == rows(again)
    assert first.recipe.read_bytes() == again.recipe.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_resumes_to_the_same_bits(tmp_path, number):
    whole, halves = named_folder(tmp_path / "whole"), named_folder(tmp_path / "halves")
    run_experiment(experiment(), whole)
    watched = {**XOR, "observers": [{"type": "interrupting", "step": 17, "number": int(number)}]}
    result = run_experiment(experiment(watched), halves)
    assert (result.status, result.reason, result.steps) == ("interrupted", "interrupted", 17)
    result = run_experiment(experiment(watched), halves, resume=True)
    assert (result.status, result.steps) == ("finished", 40)
    assert rows(whole) == rows(halves)
    np.testing.assert_array_equal(best_genes(whole), best_genes(halves))
    assert json.loads(halves.run.read_text())["resumed"][0]["step"] == 17


def test_rows_written_after_the_checkpoint_are_dropped_on_resuming(tmp_path):
    whole, torn = named_folder(tmp_path / "whole"), named_folder(tmp_path / "torn")
    run_experiment(experiment(), whole)
    run_experiment(experiment({**XOR, "observers": [{"type": "interrupting", "step": 9}]}), torn)
    with torn.metrics.open("a") as file:
        file.write("10,200,0.1,0,0\n11,")
    run_experiment(experiment(), torn, resume=True)
    assert rows(torn) == rows(whole)


def test_a_resumed_run_whose_table_was_cut_is_refused(tmp_path):
    folder = named_folder(tmp_path / "cut")
    run_experiment(experiment({**XOR, "observers": [{"type": "interrupting", "step": 9}]}), folder)
    kept = folder.metrics.read_text().splitlines()[:4]
    folder.metrics.write_text("\n".join(kept) + "\n")
    with pytest.raises(CheckpointError, match="lacks rows up to step 9"):
        run_experiment(experiment(), folder, resume=True)


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    folder = named_folder(tmp_path / "run")
    run_experiment(experiment(), folder)
    before = folder.metrics.read_bytes(), best_genes(folder)
    result = run_experiment(experiment(), folder, resume=True)
    assert result.reason == "steps"
    assert folder.metrics.read_bytes() == before[0]
    np.testing.assert_array_equal(best_genes(folder), before[1])


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ({"steps": 5}, "steps"),
        ({"evaluations": 100}, "evaluations"),
        ({"seconds": 0.05}, "seconds"),
        ({"fitness": -10.0, "steps": 5}, "fitness"),
        ({"loss": 10.0, "steps": 5}, "loss"),
        ({"patience": 3, "steps": 500}, "patience"),
    ],
)
def test_the_first_criterion_that_holds_ends_the_run_and_the_result_says_which(tmp_path, stop, reason):
    tree = {**XOR, "trainer": {"type": "evolution", "population": 20, "mutation": {"type": "gaussian", "sigma": 1e-9}}}
    folder = named_folder(tmp_path / "run")
    assert run_experiment(experiment(tree, stop=stop), folder).reason == reason
    assert json.loads(folder.result.read_text())["reason"] == reason


def test_a_solved_task_ends_the_run(tmp_path):
    tree = {"task": {"type": "onemax", "bits": 12}, "trainer": {"type": "evolution", "population": 40}}
    result = run_experiment(experiment(tree, stop={"solved": True, "steps": 500}), named_folder(tmp_path / "run"))
    assert (result.reason, result.best_fitness) == ("solved", 12)


def test_a_component_that_raises_is_named_by_its_path_and_the_step(tmp_path):
    Faulty.calls.clear()
    folder = named_folder(tmp_path / "run")
    tree = {"task": {"type": "faulty", "at": 8}, "trainer": {"type": "evolution", "population": 6}}
    with pytest.raises(RunError, match=r"step 7: task Faulty at task raised ZeroDivisionError: the sensor is off"):
        run_experiment(experiment(tree), folder)
    assert json.loads(folder.result.read_text())["status"] == "failed"
    assert json.loads(folder.run.read_text())["status"] == "failed"
    assert len(rows(folder)) == 6


def test_individuals_without_a_finite_fitness_rank_last_and_are_counted(tmp_path):
    Faulty.calls.clear()
    folder = named_folder(tmp_path / "run")
    tree = {"task": {"type": "faulty", "failure": "nan"}, "trainer": {"type": "evolution", "population": 10}}
    result = run_experiment(experiment({**tree, "stop": {"steps": 30}}), folder)
    assert np.isfinite(result.best_fitness)
    assert all(np.isfinite(float(row["mean"])) for row in rows(folder))
    events = [json.loads(line) for line in folder.events.read_text().splitlines()]
    assert any(event["event"] == "individuals_failed" for event in events) or "failed" in rows(folder)[0]


def test_a_population_without_any_finite_fitness_stops_the_run(tmp_path):
    Faulty.calls.clear()
    tree = {
        "task": {"type": "faulty", "failure": "all", "at": 1},
        "trainer": {"type": "evolution", "population": 10},
    }
    with pytest.raises(RunError, match="finite"):
        run_experiment(experiment(tree), named_folder(tmp_path / "run"))


def test_a_full_disk_leaves_the_last_checkpoint_intact(tmp_path, monkeypatch):
    folder = named_folder(tmp_path / "run")
    run_experiment(experiment({**XOR, "observers": [{"type": "interrupting", "step": 9}]}), folder)
    before = (folder.checkpoint / "state.json").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises((RunError, CheckpointError), match=r"disk full|No space"):
            run_experiment(experiment({**XOR, "checkpoint": {"steps": 1}}), folder, resume=True)
    assert (folder.checkpoint / "state.json").read_bytes() == before


def test_the_folder_holds_what_the_documentation_says(tmp_path):
    folder = named_folder(tmp_path / "run")
    run_experiment(experiment(), folder)
    noted = json.loads(folder.run.read_text())
    assert {"name", "seed", "versions", "host", "git", "started", "finished", "status"} <= noted.keys()
    assert noted["versions"]["vynapse-evolution"]
    result = json.loads(folder.result.read_text())
    assert result["metrics"]["train"].keys() == {"loss", "accuracy"}
    assert result["status"] == "finished"
    header = folder.metrics.read_text().splitlines()[0]
    assert header.startswith("step,evaluations,seconds,best,mean,worst")
    events = [json.loads(line) for line in folder.events.read_text().splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["run_started", "run_finished"]


def test_the_best_solution_is_written_as_a_model_that_gives_the_same_loss(tmp_path):
    folder = named_folder(tmp_path / "run")
    ran = experiment()
    result = run_experiment(ran, folder)
    graph = Graph.from_json((folder.best / "model.json").read_text())
    arrays = {name: array[None] for name, array in load_arrays(folder.best / "model.safetensors").items()}
    again = ran.evaluation.metrics(Networks(graph, arrays))
    assert again["train"]["loss"] == result.metrics["train"]["loss"]


def test_an_observer_is_registered_for_its_run_alone(tmp_path):
    seen = []

    class Watching(Observer):
        """Counts steps."""

        @hookimpl
        def vynapse_step_finished(self, report):
            seen.append(report.step)

    known = catalogue()
    known = type(known)(
        known.plugins, (*known.entries, Entry("observer", "watching", Watching, "tests", "1")), known.ops
    )
    watched = wire(build(Source({**XOR, "observers": ["watching"], "stop": {"steps": 4}}), known), catalogue=known)
    run_experiment(watched, named_folder(tmp_path / "a"))
    run_experiment(experiment(stop={"steps": 4}), named_folder(tmp_path / "b"))
    assert seen == [1, 2, 3, 4]


def test_a_run_that_goes_on_in_another_process_is_left_alone(tmp_path):
    folder = named_folder(tmp_path / "run")
    with locked(folder.path), pytest.raises(ArgumentError, match="another process"):
        run_experiment(experiment(), folder)
    assert not folder.run.exists()
    assert run_experiment(experiment(), folder).status == "finished"


def test_a_hostile_checkpoint_is_refused(tmp_path):
    folder = named_folder(tmp_path / "run")
    run_experiment(experiment({**XOR, "observers": [{"type": "interrupting", "step": 9}]}), folder)
    state = folder.checkpoint / "state.json"
    state.write_bytes(state.read_bytes()[:-40])
    with pytest.raises(CheckpointError):
        run_experiment(experiment(), Folder(folder.path), resume=True)
