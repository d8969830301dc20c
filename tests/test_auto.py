# SPDX-License-Identifier: MIT OR Apache-2.0
"""The device `auto`: what it measures, what it picks, what it says, and that a run keeps what was picked."""

import json
import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from click.testing import CliRunner

from vynapse_core import (
    Builder,
    Device,
    Experiment,
    Program,
    RecipeError,
    Report,
    RunError,
    Solution,
    Trainer,
    wire,
)
from vynapse_core.catalogue import Catalogue, Entry, installed
from vynapse_core.cli import main
from vynapse_core.devices import choice
from vynapse_core.devices.auto import Auto
from vynapse_core.devices.choice import Candidate, Choice, settled
from vynapse_core.devices.estimate import Estimate
from vynapse_core.devices.reference import Reference
from vynapse_core.devices.rehearsal import rehearsed
from vynapse_core.distributions.local import Local
from vynapse_core.folder import named_folder
from vynapse_core.recipe import build, load_recipe
from vynapse_core.run import run_experiment
from vynapse_core.source import Source

XOR = {
    "experiment": {"name": "xor", "seed": 3},
    "task": {"type": "xor"},
    "genome": {"type": "mlp", "layers": [2, 4, 1]},
    "trainer": {"type": "evolution", "population": 20},
    "stop": {"steps": 5},
}


class Delayed(Program):
    """A program that takes its time for every network."""

    def __init__(self, program, seconds):
        self.graph, self.per_network = program.graph, program.per_network
        self.program, self.seconds = program, seconds

    def __call__(self, arrays, inputs):
        time.sleep(self.seconds * len(next(iter(arrays.values()))))
        return self.program(arrays, inputs)


class Slow(Device):
    """Right, and slow."""

    delay: float = 0.002
    """Seconds a network."""

    def compile(self, graph, per_network=()):
        return Delayed(Reference().compile(graph, per_network), self.delay)


class Broken(Device):
    """A device whose machine is not there."""

    def compile(self, graph, per_network=()):
        raise RuntimeError("no card\nis there")


class Narrow(Device):
    """A device that computes one network and fails with more."""

    def compile(self, graph, per_network=()):
        program = Reference().compile(graph, per_network)

        class Alone(Delayed):
            def __call__(self, arrays, inputs):
                if len(next(iter(arrays.values()))) > 1:
                    raise MemoryError("out of lanes")
                return self.program(arrays, inputs)

        return Alone(program, 0)


class Demanding(Device):
    """A device with a key that has no default."""

    card: int
    """Which card."""

    def compile(self, graph, per_network=()):
        raise AssertionError("it cannot be made")


@dataclass(frozen=True)
class Weights:
    """The state of a learner."""

    w: np.ndarray


class Learner(Trainer):
    """Runs a program of its own on four networks: once, or as a scan of 24 repetitions."""

    how: str = "call"
    """call, scan, batches, fail or idle."""

    def state_type(self):
        return Weights

    def start(self, experiment):
        if self.how == "fail":
            raise ValueError("no start")
        return Weights(np.zeros((4, 2), np.float32))

    def step(self, experiment, state):
        builder = Builder()
        w, x = builder.parameter("w", (2,)), builder.input("x", ("B", 2))
        graph = builder.graph({"next": w + (x * w).mean(0)})
        program = experiment.recipe.device.compile(graph)
        inputs, after = {"x": np.ones((8, 2), np.float32)}, state.w
        if self.how == "call":
            after = program({"w": state.w}, inputs)["next"]
        elif self.how != "idle":
            batches, steps = ({}, 24) if self.how == "scan" else ({"x": np.zeros((24, 3), np.int64)}, None)
            after = program.scan({"w": state.w}, inputs, batches, {"next": "w"}, steps)[0]["w"]
        return Weights(after), Report(1, 1, 0.0, 0.0, 0.0)

    def best(self, experiment, state):
        return Solution()


class TwoRanks(Local):
    """Two ranks, of which the other has measured what it is told."""

    started: ClassVar[list[str]] = []
    other: ClassVar[tuple[float, ...]] = ()

    @property
    def size(self):
        return 2

    def start(self, experiment):
        self.started.append("started")

    def stop(self):
        self.started.append("stopped")

    def sum(self, array):
        return array + np.array(self.other)


def catalogue(*names):
    """Return what is installed and these parts, with the devices of these names alone, where there are any."""
    known = installed()
    parts = [
        *(("device", cls.__name__.lower(), cls) for cls in (Slow, Broken, Narrow, Demanding)),
        ("trainer", "learner", Learner),
        ("distribution", "two", TwoRanks),
    ]
    entries = [*known.entries, *(Entry(kind, name, cls, "tests", "1") for kind, name, cls in parts)]
    wanted = [
        e for e in entries if e.kind != "device" or e.name in (names or ("reference", "slow")) or e.name == "auto"
    ]
    return Catalogue(known.plugins, tuple(wanted), known.ops, known.kernels, known.gradients)


def experiment(*names, device="auto", **changed):
    known = catalogue(*names)
    return wire(build(Source({**XOR, "device": device, **changed}), known), catalogue=known)


def picked(*names, **changed):
    return settled(experiment(*names, **changed)).choice


def with_figures(monkeypatch, figures):
    """Let each device be measured as told, {type: (seconds a step, seconds to get ready)}."""

    def told(prepare, size, budget, enough):
        return Estimate(*figures[type(prepare.args[0])])

    monkeypatch.setattr(choice, "estimate", told)


@pytest.mark.parametrize("among", [["slow", "reference"], ["reference", "slow"], []])
def test_the_slower_device_is_never_picked(among):
    after = settled(experiment(device={"type": "auto", "among": among}))
    assert type(after.recipe.device) is Reference
    slow = next(each for each in after.choice.others if each.name == "slow")
    assert slow.estimate.seconds > 10 * after.choice.picked.estimate.seconds


def test_the_fields_of_the_picked_device_are_kept_and_named():
    among = [{"type": "slow", "delay": 0.01}, {"type": "slow", "delay": 0.0001}]
    after = settled(experiment(device={"type": "auto", "among": among}))
    assert after.recipe.device == Slow(delay=0.0001)
    assert str(after.choice).startswith("device slow (delay = 0.0001): about ")


def test_a_broken_device_is_left_out_by_name_with_its_cause():
    found = picked("broken", "narrow", "demanding", "reference")
    assert found.picked.name == "reference"
    assert found.record()["left_out"] == {
        "broken": "raised RuntimeError: no card is there",
        "demanding": "card: missing: Which card.",
        "narrow": "raised MemoryError: out of lanes",
    }
    assert "; broken left out: raised RuntimeError: no card is there" in str(found)


def test_a_recipe_that_no_device_can_compute_is_refused_with_every_cause(tmp_path):
    with pytest.raises(RunError) as caught:
        run_experiment(experiment("broken", "narrow"), named_folder(tmp_path / "run"))
    assert str(caught.value).splitlines() == [
        "device: 'auto' finds none that can compute this recipe",
        "  broken: raised RuntimeError: no card is there",
        "  narrow: raised MemoryError: out of lanes",
    ]
    assert list((tmp_path / "run").iterdir()) == []


def test_where_estimates_are_close_the_first_of_the_order_is_taken(monkeypatch):
    with_figures(monkeypatch, {Reference: (1.05, 0.0), Slow: (1.0, 0.0)})
    assert picked().picked.name == "reference"
    assert picked(device={"type": "auto", "among": ["slow", "reference"]}).picked.name == "slow"
    with_figures(monkeypatch, {Reference: (1.2, 0.0), Slow: (1.0, 0.0)})
    assert picked().picked.name == "slow"


@pytest.mark.parametrize(
    ("stop", "name"), [({"steps": 10}, "reference"), ({"steps": 1000}, "slow"), ({"seconds": 5.0}, "slow")]
)
def test_getting_ready_is_spread_over_the_steps_where_they_are_known(monkeypatch, stop, name):
    with_figures(monkeypatch, {Reference: (0.02, 0.0), Slow: (0.001, 1.0)})
    assert picked(stop=stop).picked.name == name


def test_ranks_agree_on_the_device_that_is_fastest_for_all_of_them(monkeypatch):
    with_figures(monkeypatch, {Reference: (1.0, 0.0), Slow: (2.0, 0.0)})
    monkeypatch.setattr(TwoRanks, "started", [])
    monkeypatch.setattr(TwoRanks, "other", (5.0, 1.0))
    assert picked(distribution="two").picked.name == "slow"
    assert TwoRanks.started == ["started", "stopped"]
    monkeypatch.setattr(TwoRanks, "other", (5.0, np.inf))
    assert picked(distribution="two").picked.name == "reference"


def test_what_is_measured_is_the_evaluation_of_the_first_individuals():
    given = experiment()
    work = rehearsed(given)
    share = work.on(Reference())(3)
    genes = given.genome.initial(20, given.streams("initial"))
    assert work.size == 20
    np.testing.assert_array_equal(share, settled(given).evaluate(genes, 0)[:3])


def test_a_rank_measures_its_share():
    assert rehearsed(experiment(distribution="two")).size == 10


@pytest.mark.parametrize(("how", "size", "outputs"), [("call", 4, 3), ("scan", 24, 2), ("batches", 24, 2)])
def test_of_a_trainer_with_programs_of_its_own_the_first_call_is_measured(how, size, outputs):
    work = rehearsed(experiment(trainer={"type": "learner", "how": how}))
    assert work.size == size
    found = work.on(Reference())(3)
    assert len(found["next"] if how == "call" else found) == outputs


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"task": {"type": "sphere"}, "genome": {"type": "vector"}}, "the first step asks nothing of a device"),
        ({"trainer": {"type": "learner", "how": "idle"}}, "the first step asks nothing of a device"),
        ({"trainer": {"type": "learner", "how": "fail"}}, "the trainer cannot start: it raised ValueError: no start"),
    ],
)
def test_where_there_is_nothing_to_measure_the_first_of_the_order_is_taken(changed, why):
    found = picked(**changed)
    assert str(found) == f"device reference: not measured, as {why}"


def test_a_trainer_that_cannot_start_is_told_by_the_run(tmp_path):
    failing = experiment(trainer={"type": "learner", "how": "fail"})
    with pytest.raises(RunError, match="trainer Learner at trainer raised ValueError: no start"):
        run_experiment(failing, named_folder(tmp_path / "run"))


def test_auto_among_the_devices_of_auto_is_a_mistake():
    with pytest.raises(RecipeError, match=r"device\.among: 'auto' chooses among devices and is none itself"):
        experiment(device={"type": "auto", "among": ["reference", "auto"]})


def test_a_choice_says_which_why_and_who_was_left_out():
    found = Choice(
        Candidate("numba", estimate=Estimate(0.00021, 0.035)),
        (Candidate("reference", estimate=Estimate(0.06, 0.0)), Candidate("card", failure="no card")),
    )
    assert str(found) == (
        "device numba: about 210 µs a step, 35 ms to get ready; reference about 60 ms a step; card left out: no card"
    )
    assert json.loads(json.dumps(found.record())) == {
        "picked": "numba",
        "measured": {"numba": {"step": 0.00021, "ready": 0.035}, "reference": {"step": 0.06, "ready": 0.0}},
        "left_out": {"card": "no card"},
        "unmeasured": "",
    }


def test_a_run_prints_records_and_keeps_the_device_that_was_picked(tmp_path, capsys):
    first, again = named_folder(tmp_path / "first"), named_folder(tmp_path / "again")
    run_experiment(experiment("reference", "broken"), first)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("on the reference device · seed 3")
    assert printed[1].startswith("device reference: about ")
    assert printed[1].endswith("; broken left out: raised RuntimeError: no card is there")
    assert first.noted()["device"]["picked"] == "reference"
    events = [json.loads(line) for line in first.events.read_text().splitlines()]
    assert [event["left_out"] for event in events if event["event"] == "device_picked"] == [
        {"broken": "raised RuntimeError: no card is there"}
    ]
    assert load_recipe(first.recipe).device == Reference()
    run_experiment(wire(load_recipe(first.recipe)), again)
    assert again.recipe.read_bytes() == first.recipe.read_bytes()
    assert (again.best / "genes.safetensors").read_bytes() == (first.best / "genes.safetensors").read_bytes()
    assert "device" not in again.noted()


def test_a_run_that_goes_on_does_not_pick_anew(tmp_path, monkeypatch):
    folder = named_folder(tmp_path / "run")
    run_experiment(experiment(), folder)
    before = folder.recipe.read_bytes()
    with pytest.raises(RecipeError, match="a run goes on with the device that it has"):
        run_experiment(experiment(stop={"steps": 9}), folder, resume=True)
    assert folder.recipe.read_bytes() == before

    def never(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(choice, "rehearsed", never)
    kept = wire(build(Source({**XOR, "device": "reference", "stop": {"steps": 9}})))
    assert run_experiment(kept, folder, resume=True).steps == 9
    assert folder.noted()["device"]["picked"] == "reference"


def test_several_seeds_take_one_device(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(choice, "rehearsed", lambda given: calls.append(given))
    monkeypatch.chdir(tmp_path)
    recipe = tmp_path / "xor.json"
    recipe.write_text(json.dumps({**XOR, "device": {"type": "auto", "among": ["reference"]}}))
    result = CliRunner().invoke(main, ["run", "xor.json", "--seeds", "3", "--quiet"])
    assert (result.exit_code, result.output) == (0, "")
    assert len(calls) == 1
    assert len(list(tmp_path.glob("runs/xor/*/recipe.toml"))) == 3


def test_check_says_that_the_device_is_picked_later(tmp_path):
    recipe = tmp_path / "xor.json"
    recipe.write_text(json.dumps(XOR))
    runner = CliRunner()
    result = runner.invoke(main, ["check", str(recipe), "--device", "auto"])
    assert 'type = "auto"' in result.stdout
    assert "note: the device is picked when a run starts" in result.stderr
    assert runner.invoke(main, ["check", str(recipe), "--device", "reference"]).stderr == ""


def test_a_concrete_device_is_left_as_it_is():
    given = experiment(device="reference")
    assert settled(given) is given
    assert isinstance(given, Experiment)


def test_outside_a_run_auto_compiles_on_the_first_device_there_is():
    builder = Builder()
    graph = builder.graph({"y": builder.parameter("w", (2,)) * 2})
    assert type(Auto(among=(Reference(), Slow())).compile(graph)) is type(Reference().compile(graph))
