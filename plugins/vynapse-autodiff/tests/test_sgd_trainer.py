# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `sgd`: that it follows the gradient, shuffles, chooses, resumes to the same bits, says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vynapse_autodiff.batches import held_out, rows
from vynapse_autodiff.descent import State
from vynapse_autodiff.lbfgs import Lbfgs
from vynapse_autodiff.optimisers import Adam, Momentum, Sgd as Descent
from vynapse_autodiff.sgd import Sgd
from vynapse_autodiff.training_step import training_step
from vynapse_core import (
    Array,
    Builder,
    Dataset,
    Experiment,
    GraphError,
    Loss,
    Networks,
    Program,
    RecipeError,
    Report,
    RunError,
    Streams,
    SupervisedTask,
    Value,
    named_folder,
    run_experiment,
    wire,
)
from vynapse_core.catalogue import installed
from vynapse_core.devices.reference import Reference
from vynapse_core.experiment import with_seed
from vynapse_core.recipe import Recipe
from vynapse_core.schedules import Cosine
from vynapse_core.testing import check_trainer
from vynapse_core.testing.samples import Linear, Plane


class Squares(Loss):
    """The mean squared error."""

    def build(self, prediction: Value, target: Value) -> Value:
        return ((prediction - target) ** 2).mean()


class Held(SupervisedTask):
    """A plane to learn from, and another one to be judged by."""

    loss: Loss = Squares()

    @property
    def inputs(self) -> tuple[int, ...]:
        return (2,)

    @property
    def outputs(self) -> int:
        return 1

    @property
    def splits(self) -> tuple[str, ...]:
        return ("train", "validation")

    def data(self, split: str) -> Dataset:
        x = np.random.default_rng(3).normal(size=(20, 2)).astype(np.float32)
        return Dataset(x, x[:, :1] * (2.0 if split == "train" else 0.5))


def experiment(trainer: Sgd, task: Any = None, device: Any = "reference", steps: int = 20, seed: int = 1) -> Experiment:
    tables = {"task": task or Plane(), "genome": Linear(), "trainer": trainer, "device": device}
    recipe = Recipe.model_validate({**tables, "stop": {"steps": steps}}, context={"catalogue": installed()})
    return with_seed(wire(recipe), seed)


def run(wired: Experiment, steps: int) -> tuple[State, list[Report]]:
    state = wired.trainer.start(wired)
    reports = []
    for _ in range(steps):
        state, report = wired.trainer.step(wired, state)
        reports.append(report)
    return state, reports


@pytest.mark.parametrize(
    "trainer",
    [
        Sgd(),
        Sgd(batch=5, optimiser=Momentum()),
        Sgd(batch=5, batches=3, networks=3),
        Sgd(optimiser=Adam(rate=Cosine(start=0.1, end=0.01))),
    ],
    ids=["plain", "batches", "several networks", "schedule"],
)
def test_the_trainer_keeps_its_contract(trainer: Sgd) -> None:
    check_trainer(trainer)


def test_the_trainer_keeps_its_contract_with_a_validation_split_on_the_numba_device() -> None:
    wanted = {"task": Held(), "genome": Linear(), "device": "numba"}
    check_trainer(Sgd(batch=5, networks=2), experiment=wanted, steps=4)


def test_an_update_goes_against_the_gradient_of_the_loss() -> None:
    wired = experiment(Sgd(optimiser=Descent(rate=0.1), networks=3))
    first = wired.trainer.start(wired)
    after, _ = wired.trainer.step(wired, first)
    x, y = Plane().data("train").x, Plane().data("train").y
    for p in range(3):
        weights, bias = first.arrays["w"][p], first.arrays["b"][p]
        error = x @ weights.T + bias - y
        np.testing.assert_allclose(after.arrays["w"][p], weights - 0.1 * 2 * (error * x).mean(0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(after.arrays["b"][p], bias - 0.1 * 2 * error.mean(0), rtol=1e-4, atol=1e-6)


def test_a_plane_is_learnt() -> None:
    wired = experiment(Sgd(optimiser=Adam(rate=0.1), batch=4, batches=100))
    state, reports = run(wired, 5)
    assert reports[-1].best > -1e-4
    networks = wired.trainer.best(wired, state).networks
    assert networks is not None
    np.testing.assert_allclose(networks.arrays["w"][0], [[1, -2]], atol=0.05)


def test_an_epoch_takes_each_sample_once_in_an_order_of_its_own() -> None:
    streams = Streams(7)
    epochs = rows(streams, 0, 12, 12, 3).reshape(3, 12)
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_samples_that_fill_no_batch_are_left_out_of_an_epoch() -> None:
    epoch = rows(Streams(7), 0, 2, 11, 5)
    assert len(np.unique(epoch)) == 10


def test_batches_do_not_depend_on_where_a_step_ends() -> None:
    whole = rows(Streams(7), 0, 14, 11, 2)
    for first, count in ((0, 4), (4, 1), (5, 9)):
        np.testing.assert_array_equal(rows(Streams(7), first, count, 11, 2), whole[first : first + count])


def test_the_same_updates_in_other_steps_give_the_same_bits() -> None:
    found = [run(experiment(Sgd(batch=4, batches=batches)), 12 // batches)[0] for batches in (1, 2, 6)]
    for state in found:
        np.testing.assert_array_equal(state.arrays["w"], found[0].arrays["w"])
        np.testing.assert_array_equal(state.memory["square.w"], found[0].memory["square.w"])


def test_devices_agree() -> None:
    found = [run(experiment(Sgd(batch=4, networks=3), device=device), 5)[0] for device in ("reference", "numba")]
    np.testing.assert_allclose(found[0].arrays["w"], found[1].arrays["w"], rtol=1e-5, atol=1e-6)


def test_fitness_is_measured_on_the_validation_split() -> None:
    wired = experiment(Sgd(optimiser=Descent(rate=0.1)), Held())
    state, reports = run(wired, 3)
    held = Held().data("validation")
    error = held.x @ state.arrays["w"][0].T + state.arrays["b"][0] - held.y
    assert reports[-1].best == pytest.approx(-float((error**2).mean()), rel=1e-4)
    assert reports[-1].columns["validation_loss"] == pytest.approx(-reports[-1].best)
    assert reports[-1].columns["loss"] != pytest.approx(-reports[-1].best)


def test_the_best_network_is_the_one_of_the_step_that_judged_it_best() -> None:
    wired = experiment(Sgd(optimiser=Descent(rate=0.1), batches=2), Held())
    state, reports = run(wired, 30)
    # weights pass the plane that judges on their way to the one that is learnt
    best = max(report.best for report in reports)
    assert best > reports[-1].best
    solution = wired.trainer.best(wired, state)
    assert solution.fitness == best
    assert solution.networks is not None
    measured = wired.evaluation.measure(solution.networks, Held().data("validation"), ("fitness",))
    assert measured["fitness"][0] == pytest.approx(best, rel=1e-5)


def test_a_share_of_the_samples_is_held_out_to_judge_by() -> None:
    wired = experiment(Sgd(validation=0.25, optimiser=Descent(rate=0.1)))
    first = wired.trainer.start(wired)
    state, report = wired.trainer.step(wired, first)
    data = Plane().data("train")
    kept, held = held_out(wired.streams, len(data), 0.25)
    assert sorted([*kept, *held]) == list(range(12))
    assert len(held) == 3
    weights, bias = first.arrays["w"][0], first.arrays["b"][0]
    error = data.x[kept] @ weights.T + bias - data.y[kept]
    np.testing.assert_allclose(state.arrays["b"][0], bias - 0.1 * 2 * error.mean(0), rtol=1e-4, atol=1e-6)
    error = data.x[held] @ state.arrays["w"][0].T + state.arrays["b"][0] - data.y[held]
    assert report.columns["validation_loss"] == pytest.approx(float((error**2).mean()), rel=1e-4)
    assert report.best == pytest.approx(-report.columns["validation_loss"])


def test_batches_leave_out_what_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    scan = Program.scan

    def watched(self: Program, arrays: Any, inputs: Any, batches: Any, *rest: Any) -> Any:
        taken.append(batches["x"])
        return scan(self, arrays, inputs, batches, *rest)

    monkeypatch.setattr(Program, "scan", watched)
    wired = experiment(Sgd(validation=0.3, batch=2))
    run(wired, 3)
    kept, _ = held_out(wired.streams, 12, 0.3)
    assert [sorted(batches.ravel()) for batches in taken] == [kept.tolist()] * 3


def test_a_share_is_refused_where_the_task_has_a_validation_split() -> None:
    with pytest.raises(RecipeError, match="this task has a validation split of its own"):
        experiment(Sgd(validation=0.2), Held())


def test_what_the_task_asks_for_is_reported_at_each_step() -> None:
    wired = experiment(Sgd(validation=0.25), Plane(metrics=("r2",)))
    _, (report,) = run(wired, 1)
    assert report.columns["validation_r2"] < 1
    _, (report,) = run(experiment(Sgd(), Plane(metrics=("r2",))), 1)
    assert report.columns["train_r2"] < 1


def test_a_run_ends_when_the_samples_held_out_are_learnt_no_better(tmp_path: Path) -> None:
    table = {
        "task": "two_spirals",
        "genome": {"type": "mlp", "layers": (2, 8, 1)},
        "trainer": {"type": "sgd", "validation": 0.3, "optimiser": {"rule": "adam", "rate": 0.1}},
        "stop": {"patience": 3, "steps": 100},
        "device": "reference",
    }
    wired = wire(Recipe.model_validate(table, context={"catalogue": installed()}))
    result = run_experiment(wired, named_folder(tmp_path / "run"))
    _, reports = run(wired, result.steps)
    fitness = [report.best for report in reports]
    assert result.reason == "patience"
    assert result.best_fitness == max(fitness)
    assert int(np.argmax(fitness)) + 1 + 3 == result.steps


def test_networks_are_judged_and_kept_with_the_average_of_their_parameters() -> None:
    wired = experiment(Sgd(optimiser=Adam(rate=0.1, average=0.9), batch=4, networks=2))
    state, reports = run(wired, 4)
    judged = Adam(average=0.9).judged(state.arrays, state.memory)
    networks = Networks(Linear().graph, judged)
    fitness = wired.evaluation.measure(networks, Plane().data("train"), ("fitness",))["fitness"]
    assert reports[-1].best == pytest.approx(fitness.max(), rel=1e-5)
    assert reports[-1].best == max(report.best for report in reports)
    np.testing.assert_array_equal(state.champion["w"][0], judged["w"][state.place])
    check_trainer(wired.trainer)


def test_accumulated_batches_count_as_one_larger_batch() -> None:
    parted = experiment(Sgd(optimiser=Momentum(accumulate=3), batch=4, batches=12))
    whole = experiment(Sgd(optimiser=Momentum(), batches=4))
    found, wanted = (run(wired, 2)[0] for wired in (parted, whole))
    np.testing.assert_allclose(found.arrays["w"], wanted.arrays["w"], rtol=1e-5)
    check_trainer(Sgd(optimiser=Momentum(accumulate=3), batch=4, batches=2))


class Shifted(Plane):
    """A plane whose targets are shifted by the number of the update, as an augmentation may."""

    @property
    def augments(self) -> bool:
        return True

    def batches(self, rows: Array, first: int, streams: Streams) -> Iterator[Dataset]:
        for update, batch in enumerate(super().batches(rows, first, streams), start=first):
            yield Dataset(batch.x, batch.y + np.float32(update))


@pytest.mark.parametrize("share", [None, 0.3])
@pytest.mark.parametrize("batch", [None, 2])
def test_augmented_batches_are_those_of_the_task(
    share: float | None, batch: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vynapse_autodiff.batches.CHUNK", 2)
    trainer = Sgd(optimiser=Descent(rate=0.1), validation=share, batch=batch, batches=3)
    shifted, plain = experiment(trainer, Shifted()), experiment(trainer)
    found, wanted = (wired.trainer.start(wired) for wired in (shifted, plain))
    for _ in range(2):
        found, _ = shifted.trainer.step(shifted, found)
        wanted, _ = plain.trainer.step(plain, wanted)
    # the bias follows the shifts 0 to 5, each by a fifth of its way; weights do where inputs have a mean
    assert found.updates == wanted.updates == 6
    assert float(np.abs(found.arrays["b"] - wanted.arrays["b"]).max()) > 1
    check_trainer(trainer, experiment={"task": Shifted(), "genome": Linear()})


NOISY = {
    "type": "network",
    "layers": (
        {"type": "dense", "units": 8, "activation": "relu"},
        {"type": "batch_norm"},
        {"type": "dropout", "rate": 0.5},
        {"type": "dense", "units": 1},
    ),
}


@pytest.mark.parametrize(
    "trainer",
    [
        Sgd(batch=16, batches=3, networks=2),
        Sgd(optimiser=Adam(accumulate=2, average=0.9), batch=16, batches=3),
        Sgd(validation=0.2, batches=2),
    ],
    ids=["batches", "accumulated", "all samples"],
)
def test_networks_that_draw_random_numbers_keep_the_contract(trainer: Sgd) -> None:
    check_trainer(trainer, experiment={"task": "two_spirals", "genome": NOISY}, steps=4)


def test_a_line_search_over_random_numbers_is_refused() -> None:
    table = {"task": "two_spirals", "genome": NOISY, "trainer": Sgd(optimiser=Lbfgs()), "device": "reference"}
    wired = wire(Recipe.model_validate(table, context={"catalogue": installed()}))
    with pytest.raises(RunError, match="leave dropout out"):
        wired.trainer.start(wired)
    with pytest.raises(RecipeError, match="lbfgs needs a loss that stays, and this task changes samples by chance"):
        experiment(Sgd(optimiser=Lbfgs()), Shifted())


def test_of_several_networks_the_best_counts() -> None:
    wired = experiment(Sgd(networks=4))
    state, (report,) = run(wired, 1)
    networks = Networks(Linear().graph, state.arrays)
    fitness = wired.evaluation.measure(networks, Plane().data("train"), ("fitness",))["fitness"]
    assert report.best == pytest.approx(fitness.max())
    assert report.worst == pytest.approx(fitness.min())
    solution = wired.trainer.best(wired, state)
    assert solution.fitness == report.best
    assert solution.genes is not None
    np.testing.assert_array_equal(solution.genes.values[0, :2], state.arrays["w"][fitness.argmax(), 0])


def test_the_rate_follows_its_schedule_without_compiling_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    compile_graph = Reference.compile

    def counted(self: Reference, graph: Any, *rest: Any) -> Any:
        compiled.append(graph)
        return compile_graph(self, graph, *rest)

    monkeypatch.setattr(Reference, "compile", counted)
    rate = {"type": "linear", "start": 0.1, "end": 0.05, "steps": 3}
    wired = experiment(
        Sgd.model_validate({"optimiser": {"rule": "sgd", "rate": rate}}, context={"catalogue": installed()})
    )
    _, reports = run(wired, 3)
    assert [report.columns["rate"] for report in reports] == pytest.approx([0.1, 0.075, 0.05])
    assert len(compiled) == 2  # the training step, and what measures fitness


def test_seeds_that_share_a_trainer_do_not_disturb_each_other() -> None:
    trainer = Sgd(batch=4)
    run(experiment(trainer, seed=1), 2)
    shared, alone = run(experiment(trainer, seed=2), 2)[0], run(experiment(Sgd(batch=4), seed=2), 2)[0]
    np.testing.assert_array_equal(shared.arrays["w"], alone.arrays["w"])


def test_evaluations_count_batches_and_measurements_of_every_network() -> None:
    state, _ = run(experiment(Sgd(batch=4, networks=2)), 2)
    assert state.evaluations == 2 * (1 + 2 * (3 + 1))


def test_a_loss_that_is_not_finite_ends_the_run_with_what_to_do() -> None:
    wired = experiment(Sgd(optimiser=Descent(rate=1e30), batches=5))
    with pytest.raises(RunError, match=r"no network's loss is finite; lower the optimiser's rate, 1e\+30"):
        run(wired, 1)


def test_a_task_without_samples_is_refused() -> None:
    table = {"task": "onemax", "genome": {"type": "bits"}, "trainer": "sgd"}
    with pytest.raises(RecipeError, match="no samples to lose on"):
        wire(Recipe.model_validate(table, context={"catalogue": installed()}))


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(RecipeError, match="expected 12 at most, the number of samples to learn from, found 13"):
        experiment(Sgd(batch=13))


def test_a_state_of_another_optimiser_is_refused() -> None:
    state, _ = run(experiment(Sgd()), 1)
    other = experiment(Sgd(optimiser=Momentum()))
    assert [path for path, _ in other.trainer.fits(other, state)] == ["trainer.optimiser"]
    more = experiment(Sgd(networks=2))
    assert [path for path, _ in more.trainer.fits(more, state)] == ["genome"]


def squares(prediction: Value, target: Value) -> dict[str, Value]:
    return {"loss": ((prediction - target) ** 2).mean()}


def test_parameters_that_are_no_floats_are_left_as_they_are() -> None:
    builder = Builder()
    column = builder.apply("gather", builder.input("x", ("B", 3)), builder.parameter("column", (1,), "int64"), axis=1)
    network = builder.graph({"y": column * builder.parameter("w", (1,))})
    step = training_step(network, squares, Descent(), (("B", 1), "float32"), builder.ops)
    assert step.trained == ("w",)
    arrays: dict[str, Array] = {"column": np.array([[2], [0]]), "w": np.zeros((2, 1), np.float32)}
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    inputs = {"x": x, "target": 3 * x[:, 2:], "rate": np.float32(0.2)}
    program = Reference().compile(step.graph)
    after, seen = program.scan({**arrays, **step.memory(arrays)}, inputs, {}, step.carry, 60)
    np.testing.assert_array_equal(after["column"], arrays["column"])
    assert after["w"][0, 0] == pytest.approx(3, abs=1e-3)
    assert seen["loss"].shape == (60, 2)
    assert seen["loss"][-1, 0] < 1e-6 < seen["loss"][-1, 1]


def test_a_network_without_float_parameters_cannot_be_trained() -> None:
    builder = Builder()
    index = builder.parameter("i", (1,), "int64")
    network = builder.graph({"y": builder.apply("gather", builder.input("x", ("B", 3)), index, axis=1)})
    with pytest.raises(GraphError, match="nothing to train"):
        training_step(network, squares, Descent(), (("B", 1), "float32"), builder.ops)


def test_exclusive_or_is_solved_on_every_device() -> None:
    for device in ("reference", "numba"):
        table = {
            "task": "xor",
            "genome": {"type": "mlp", "layers": (2, 4, 1)},
            "trainer": {"type": "sgd", "optimiser": {"rule": "adam", "rate": 0.02}, "batches": 100, "networks": 4},
            "device": device,
        }
        wired = wire(Recipe.model_validate(table, context={"catalogue": installed()}))
        _, reports = run(wired, 3)
        assert reports[-1].best > -0.01
        assert reports[-1].columns["accuracy"] == 1.0
