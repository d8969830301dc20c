# SPDX-License-Identifier: MIT OR Apache-2.0
"""The run: same seed same bits, resumption, stops, failures, and what lies in its folder."""

import csv
import errno
import json
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import PrivateAttr

from vynapse_core import (
    Dataset,
    DirectTask,
    EpisodicTask,
    Graph,
    Mutation,
    Networks,
    Observer,
    RecipeError,
    RunError,
    SupervisedTask,
    Task,
    checkpoint,
    hookimpl,
    wire,
)
from vynapse_core.catalogue import Entry, installed
from vynapse_core.checkpoint import load_arrays
from vynapse_core.cli import main
from vynapse_core.devices.reference import Reference
from vynapse_core.distributions.local import Local
from vynapse_core.errors import ArgumentError, CheckpointError
from vynapse_core.experiment import with_seed
from vynapse_core.folder import Folder, named_folder
from vynapse_core.lock import locked
from vynapse_core.observers.csv import TIME_COLUMNS
from vynapse_core.recipe import build, load_recipe
from vynapse_core.run import Saved, run_experiment
from vynapse_core.source import Source
from vynapse_core.stop import Progress
from vynapse_evolution.evolution import Evolution, State
from vynapse_tasks.losses import MeanSquaredError

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


class Complaining(Observer):
    """Raises at a step, and at the end of the run."""

    at: int = 0
    """The step; 0 for none."""
    end: bool = False
    """Whether at the end."""

    @hookimpl
    def vynapse_step_finished(self, report):
        if report.step == self.at:
            raise KeyError("pen")

    @hookimpl
    def vynapse_run_finished(self, result):
        if self.end:
            raise IndexError("paper")


class Listening(Observer):
    """Writes down what it is told, and whether a best solution lay in the folder then."""

    told: ClassVar[list[object]] = []
    _folder: Path = PrivateAttr()

    @hookimpl
    def vynapse_run_started(self, folder):
        self._folder = folder

    @hookimpl
    def vynapse_step_finished(self, report):
        self.told.append((report.step, (self._folder / "best" / "model.json").exists()))

    @hookimpl
    def vynapse_run_finished(self, result):
        self.told.append(result.status)


@dataclass(frozen=True)
class SecondState:
    """The state of some other trainer."""

    step: int


class SecondRank(Local):
    """One of two ranks, the one that writes nothing."""

    @property
    def rank(self):
        return 1


class Coins(SupervisedTask):
    """Heads or tails, of which the input says nothing: a batch of one is guessed by luck, all of them never."""

    loss: MeanSquaredError = MeanSquaredError()
    """Squared error."""
    inputs: ClassVar[tuple[int, ...]] = (1,)
    outputs: ClassVar[int] = 1
    classification: ClassVar[bool] = True

    def data(self, split):
        x = np.ones((8, 1), np.float32)
        return Dataset(x, (np.arange(8) % 2).astype(np.float32)[:, None])


class Unread(Coins):
    """Its data must not be read."""

    def data(self, split):
        raise AssertionError


class Homeless(Coins):
    """Has no default genome, or one that is none."""

    table: str = ""
    """The type it names."""

    def default_genome(self):
        return {"type": self.table} if self.table else super(SupervisedTask, self).default_genome()


class Doubling(Mutation):
    """Gives genes in another precision."""

    encodings: ClassVar[frozenset[str]] = frozenset({"real"})

    def mutate(self, genes, rng, clock):
        return genes.with_values(genes.values.astype(np.float64))


def catalogue():
    known = installed()
    tasks = {"faulty": Faulty, "coins": Coins, "unread": Unread, "homeless": Homeless}
    observers = {"interrupting": Interrupting, "complaining": Complaining, "listening": Listening}
    more = [
        *(Entry("task", name, component, "tests", "1") for name, component in tasks.items()),
        *(Entry("observer", name, component, "tests", "1") for name, component in observers.items()),
        Entry("distribution", "second_rank", SecondRank, "tests", "1"),
        Entry("mutation", "doubling", Doubling, "tests", "1"),
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


def test_runs_of_one_experiment_with_other_seeds_share_what_is_compiled(tmp_path, monkeypatch):
    compiled, real = [], Reference.compile
    monkeypatch.setattr(
        Reference, "compile", lambda self, *given, **named: compiled.append(1) or real(self, *given, **named)
    )
    made = experiment(device="reference")
    for seed in (3, 4):
        run_experiment(with_seed(made, seed), named_folder(tmp_path / str(seed)))
    assert len(compiled) == 2  # of fitness in steps, and of metrics at the end
    monkeypatch.undo()
    run_experiment(with_seed(experiment(device="reference"), 4), named_folder(tmp_path / "alone"))
    assert rows(Folder(tmp_path / "alone")) == rows(Folder(tmp_path / "4"))


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


def contents(folder):
    """Return the bytes of all files of a run, but for the lock."""
    files = (file for file in sorted(folder.path.rglob("*")) if file.is_file() and file.name != ".lock")
    return {file.relative_to(folder.path): file.read_bytes() for file in files}


def interrupted(path, step=9, tree=XOR):
    """Return the folder of a run that was interrupted after a step."""
    folder = named_folder(path)
    run_experiment(experiment({**tree, "observers": [{"type": "interrupting", "step": step}]}), folder)
    return folder


def refused(tree, **changed):
    """Return what is wrong with a recipe: {path: message}."""
    with pytest.raises(RecipeError) as error:
        experiment(tree, **changed)
    return {problem.path: str(problem) for problem in error.value.problems}


@pytest.mark.parametrize(
    ("changed", "place", "said"),
    [
        ("trainer.population=50", "trainer.population", "the run goes on with its 20 individuals, found 50"),
        ("genome.layers=[2, 5, 1]", "genome", "genes float32 [17], and this genome has float32 [21]"),
        ("genome.low=-1.0", "genome", "float32 [17], and this genome has float32 [17] in [-1.0, inf]"),
    ],
)
def test_a_resumption_that_does_not_fit_the_state_is_refused_and_changes_nothing(tmp_path, changed, place, said):
    whole = named_folder(tmp_path / "whole")
    run_experiment(experiment(trainer={"type": "evolution", "population": 20}), whole)
    (tmp_path / "xor.toml").write_bytes(whole.recipe.read_bytes())
    short = [str(tmp_path / "xor.toml"), "--out", str(tmp_path / "run"), "--quiet", "--set", "stop.steps=9"]
    assert CliRunner().invoke(main, ["run", *short]).exit_code == 0
    folder = Folder(tmp_path / "run")
    before = contents(folder)
    resumed = ["resume", str(folder.path), "--set", "stop.steps=40"]
    result = CliRunner().invoke(main, [*resumed, "--set", changed])
    assert result.exit_code == 2
    assert f"{place}: " in result.stderr
    assert said in result.stderr
    assert contents(folder) == before
    assert CliRunner().invoke(main, resumed).exit_code == 0
    assert rows(folder) == rows(whole)
    assert list(json.loads(folder.run.read_text())["changes"][0]) == ["stop.steps"]


def test_a_state_of_another_trainer_is_refused_and_changes_nothing(tmp_path):
    folder = interrupted(tmp_path / "run")
    checkpoint.save(folder.checkpoint, Saved(SecondState(3), Progress(3)))
    before = contents(folder)
    with pytest.raises(CheckpointError, match="not a State"):
        run_experiment(experiment(), folder, resume=True, changes={"stop.steps": [40, 50]})
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"step": 8, "improved": 0}, "the trainer's state is of step 9, and the run's progress of step 8"),
        ({"improved": 12}, "a step after its last one, 9"),
        ({"seconds": -1.0}, "it took -1.0 seconds"),
        ({"best": float("nan")}, "its best fitness is nan"),
    ],
)
def test_a_checkpoint_that_no_run_could_write_is_refused(tmp_path, changed, said):
    folder = interrupted(tmp_path / "run")
    saved, _ = checkpoint.load(folder.checkpoint, Saved[State])
    checkpoint.save(folder.checkpoint, Saved(saved.state, replace(saved.progress, **changed)))
    with pytest.raises(CheckpointError, match=said):
        run_experiment(experiment(), folder, resume=True)


@pytest.mark.parametrize("task", ["onemax", {"type": "xor", "fitness": "accuracy"}, "cartpole"])
def test_a_loss_to_stop_at_needs_a_fitness_that_is_one(task):
    tree = {"task": task, "trainer": "evolution", "stop": {"loss": 0.1}}
    assert "not a loss with its sign changed (take stop.fitness)" in refused(tree)["stop.loss"]


COINS = {
    "task": {"type": "coins", "batch": 1, "fitness": "accuracy"},
    "genome": {"type": "mlp", "layers": [1, 1]},
    "trainer": {"type": "evolution", "population": 10},
    "stop": {"fitness": 1.0, "steps": 30},
}


@pytest.fixture
def looks(monkeypatch):
    """The steps after which the best was chosen on all the data."""
    taken = []
    best = Evolution.best

    def noted(self, experiment, state):
        taken.append(state.step)
        return best(self, experiment, state)

    monkeypatch.setattr(Evolution, "best", noted)
    return taken


def test_a_goal_reached_by_a_lucky_batch_does_not_end_the_run(tmp_path, looks):
    result = run_experiment(experiment(COINS), named_folder(tmp_path / "run"))
    assert (result.reason, result.steps, result.best_fitness) == ("steps", 30, 0.5)
    assert looks == [1, 11, 21, 30]


def test_a_goal_that_all_the_data_confirm_ends_the_run(tmp_path, looks):
    result = run_experiment(experiment(COINS, stop={"fitness": 0.5}), named_folder(tmp_path / "run"))
    assert (result.reason, result.steps, result.best_fitness) == ("fitness", 1, 0.5)
    assert looks == [1]


def test_a_loss_reached_by_a_lucky_batch_does_not_end_the_run(tmp_path):
    tree = {**COINS, "task": {"type": "coins", "batch": 1}}
    result = run_experiment(experiment(tree, stop={"loss": 0.2, "steps": 12}), named_folder(tmp_path / "run"))
    assert (result.reason, result.steps) == ("steps", 12)


def test_a_resumed_run_looks_at_all_the_data_after_the_same_steps(tmp_path, looks):
    folder = interrupted(tmp_path / "run", 5, COINS)
    assert looks == [1]
    run_experiment(experiment(COINS), folder, resume=True)
    assert looks == [1, 11, 21, 30]


def test_an_interrupted_run_does_not_wait_for_a_choice_on_all_the_data(tmp_path, looks):
    folder = interrupted(tmp_path / "run", 3, {**COINS, "stop": {"steps": 30}})
    assert looks == []
    assert json.loads(folder.result.read_text())["best_fitness"] == 1.0
    assert best_genes(folder).shape == (1, 2)


def test_patience_ends_a_run_at_the_step_whose_stagnant_column_says_so(tmp_path):
    folder = named_folder(tmp_path / "run")
    trainer = {"type": "evolution", "population": 20, "mutation": [], "crossover": "none"}
    assert run_experiment(experiment(trainer=trainer, stop={"patience": 3}), folder).reason == "patience"
    assert [row["stagnant"] for row in rows(folder)] == ["1.0", "2.0", "3.0"]


def test_an_episodic_task_has_a_default_genome():
    genome = experiment({"task": "cartpole", "trainer": "evolution"}).genome
    assert genome.layers == (4, 16, 2)
    assert EpisodicTask.default_genome is not Task.default_genome


def test_a_task_without_a_default_genome_asks_for_one():
    tree = {"task": "homeless", "trainer": "evolution"}
    said = "missing, and the task's default is of no use: this task has no default genome (name a [genome])"
    assert refused(tree) == {"genome": f"genome: {said}"}


def test_a_default_genome_that_is_none_is_a_problem_of_the_recipe():
    assert (
        "unknown genome 'vektor'"
        in refused({"task": {"type": "homeless", "table": "vektor"}, "trainer": "evolution"})["genome"]
    )
    assert (
        "layers: missing" in refused({"task": {"type": "homeless", "table": "mlp"}, "trainer": "evolution"})["genome"]
    )


def test_checking_a_recipe_with_batches_reads_no_data():
    assert experiment({**COINS, "task": {"type": "unread", "batch": 4}}).task.batch == 4


def test_an_observer_that_stands_twice_and_writes_one_file_is_refused():
    found = refused(XOR, observers=["csv", "console", {"type": "csv"}, "jsonl", "console"])
    assert found.keys() == {"observers.2", "observers.4"}


def test_two_equal_observers_both_watch(tmp_path):
    Listening.told.clear()
    run_experiment(experiment(observers=["listening", "listening"], stop={"steps": 1}), named_folder(tmp_path / "run"))
    assert Listening.told == [(1, False)] * 2 + ["finished"] * 2


def test_an_observer_that_raises_is_told_with_the_step_it_was_told_of(tmp_path):
    whole, folder = named_folder(tmp_path / "whole"), named_folder(tmp_path / "run")
    run_experiment(experiment(), whole)
    with pytest.raises(RunError, match=r"^step 5: observer Complaining at observers\.0 raised KeyError: 'pen'"):
        run_experiment(experiment(observers=[{"type": "complaining", "at": 5}]), folder)
    assert json.loads(folder.result.read_text())["steps"] == 4
    run_experiment(experiment(), folder, resume=True)
    assert rows(folder) == rows(whole)


def test_observers_that_raise_at_the_end_do_not_hide_why_the_run_failed(tmp_path):
    Faulty.calls.clear()
    Listening.told.clear()
    tree = {"task": {"type": "faulty", "at": 3}, "trainer": {"type": "evolution", "population": 6}}
    complaining = {"type": "complaining", "end": True}
    with pytest.raises(RunError) as error:
        run_experiment(
            experiment(tree, observers=["listening", complaining, complaining]), named_folder(tmp_path / "run")
        )
    first, *others = str(error.value).splitlines()
    assert first.startswith("step 2: task Faulty at task raised ZeroDivisionError: the sensor is off")
    assert others == [f"  at the run's end observers.{n} raised IndexError: paper" for n in (2, 1)]
    assert Listening.told[-1] == "failed"


def test_an_observer_that_raises_at_a_good_end_leaves_the_result_as_it_is(tmp_path):
    Listening.told.clear()
    folder = named_folder(tmp_path / "run")
    complaining = {"type": "complaining", "end": True}
    with pytest.raises(RunError, match=r"ended well \(steps\)(.|\n)*observers\.1 raised IndexError: paper"):
        run_experiment(experiment(observers=["listening", complaining], stop={"steps": 2}), folder)
    assert json.loads(folder.result.read_text())["status"] == "finished"
    assert Listening.told[-1] == "finished"


def test_a_failed_run_keeps_what_it_had_and_goes_on_from_there(tmp_path):
    tree = {"task": {"type": "faulty", "at": 8}, "trainer": {"type": "evolution", "population": 6}}
    tree["stop"] = {"steps": 12}
    whole, folder = named_folder(tmp_path / "whole"), named_folder(tmp_path / "run")
    Faulty.calls.clear()
    run_experiment(experiment({**tree, "task": {"type": "faulty", "at": 10_000}}), whole)
    Faulty.calls.clear()
    with pytest.raises(RunError, match="step 7"):
        run_experiment(experiment(tree), folder)
    result = json.loads(folder.result.read_text())
    assert (result["steps"], result["best_fitness"]) == (6, float(rows(folder)[-1]["best"]))
    assert best_genes(folder).sum() == pytest.approx(result["best_fitness"])
    Faulty.calls.clear()
    run_experiment(experiment({**tree, "task": {"type": "faulty", "at": 10_000}}), folder, resume=True)
    assert rows(folder) == rows(whole)
    np.testing.assert_array_equal(best_genes(folder), best_genes(whole))


def test_the_best_so_far_lies_beside_the_first_checkpoint(tmp_path):
    Listening.told.clear()
    tree = {**XOR, "observers": ["listening"], "checkpoint": {"steps": 2}, "stop": {"steps": 4}}
    run_experiment(experiment(tree), named_folder(tmp_path / "run"))
    assert Listening.told == [(1, False), (2, False), (3, True), (4, True), "finished"]


def test_a_full_disk_before_the_first_checkpoint_says_that_there_is_none(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = named_folder(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(RunError, match="disk full at step 1; there is no checkpoint yet"):
            run_experiment(experiment(), folder)
    assert contents(folder) == {}


def test_a_rank_other_than_the_first_reads_the_checkpoint_and_writes_nothing(tmp_path):
    fresh = named_folder(tmp_path / "fresh")
    result = run_experiment(experiment(distribution="second_rank"), fresh)
    assert (result.status, result.steps) == ("finished", 40)
    assert list(fresh.path.iterdir()) == []
    folder = interrupted(tmp_path / "run")
    before = contents(folder)
    with locked(folder.path):
        again = run_experiment(experiment(distribution="second_rank"), folder, resume=True)
    assert again.best_fitness == result.best_fitness
    assert contents(folder) == before


def test_a_mutation_that_changes_the_precision_is_named_and_not_the_trainer(tmp_path):
    trainer = {"type": "evolution", "mutation": ["gaussian", "doubling"]}
    with pytest.raises(
        RunError, match=r"step 1: mutation Doubling at trainer\.mutation\.1 raised ValueError: new values"
    ):
        run_experiment(experiment(trainer=trainer), named_folder(tmp_path / "run"))


def test_ten_thousand_individuals_take_two_steps_on_the_reference_device(tmp_path):
    tree = {**XOR, "trainer": {"type": "evolution", "population": 10_000}, "device": "reference", "stop": {"steps": 2}}
    folder = named_folder(tmp_path / "run")
    result = run_experiment(experiment(tree), folder)
    assert (result.steps, result.evaluations) == (2, 30_000)
    assert float(rows(folder)[1]["best"]) == result.best_fitness > -0.25
