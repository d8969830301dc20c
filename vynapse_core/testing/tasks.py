# SPDX-License-Identifier: MIT OR Apache-2.0
"""The check of tasks: supervised, direct and episodic."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import catalogue as catalogues
from vynapse_core.contracts import Dataset, DirectTask, EpisodicTask, Genome, SupervisedTask, Task
from vynapse_core.population import Array, Genes
from vynapse_core.settings import frozen
from vynapse_core.streams import Streams
from vynapse_core.testing.contract import Contract, copied, difference, shaped, stream
from vynapse_core.testing.parts import check_component
from vynapse_core.testing.samples import PLAIN, plain_genes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core.catalogue import Catalogue

PLAYED = 50
"""Time steps of an episodic task that are looked at."""


def check_task(task: Task, *, genes: Genes | None = None, catalogue: Catalogue | None = None) -> None:
    """Check a task of any form: shapes as promised, the same at each call, and every individual's fitness its own.

    `genes`, seven or more, are for a direct task whose genes are not real numbers, bits or a permutation.
    """
    contract = Contract.of(task, Task)
    check_component(task, catalogue)
    target = task.target
    contract.require(
        target is None or (isinstance(target, float) and math.isfinite(target)),
        "target is the fitness from which on the task is solved, a finite float, or None",
        f"{target!r}",
    )
    if isinstance(task, SupervisedTask):
        _check_supervised(contract, task)
    elif isinstance(task, DirectTask):
        _check_direct(contract, task, genes)
    elif isinstance(task, EpisodicTask):
        _check_episodic(contract, task)
    else:
        contract.require(
            False, "a task is a SupervisedTask, a DirectTask or an EpisodicTask", type(task).__mro__[1].__name__
        )
    _check_default_genome(contract, task, catalogue or catalogues.installed())


def _check_default_genome(contract: Contract, task: Task, catalogue: Catalogue) -> None:
    try:
        table = task.default_genome()
    except LookupError:
        return
    contract.require(isinstance(table.get("type"), str), "default_genome is a recipe's table with 'type'", f"{table!r}")
    if all(entry.name != table["type"] for entry in catalogue.of_kind("genome")):
        return
    genome = contract.call(
        lambda: catalogue.build(Genome, _frozen_table(table)).fitted(task), given="its default genome"
    )
    if isinstance(task, DirectTask):
        served = task.encoding
        contract.require(
            genome.encoding == served, f"the default genome is {served}, as the task", f"{genome.encoding}"
        )
        made = genome.initial(3, stream(1))
        contract.require(
            made.values.shape == (3, task.length), f"the default genome has {task.length} genes", shaped(made.values)
        )


def _frozen_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's table with tuples for lists."""
    return {key: frozen(value) for key, value in table.items()}


def _check_shapes(contract: Contract, task: SupervisedTask | EpisodicTask) -> None:
    inputs, outputs = task.inputs, task.outputs
    contract.require(
        isinstance(inputs, tuple) and inputs and all(type(size) is int and size > 0 for size in inputs),
        "inputs is the shape of one sample's input, a tuple of int",
        f"{inputs!r}",
    )
    contract.require(type(outputs) is int and outputs > 0, "outputs is the size of a network's output", f"{outputs!r}")


def _check_supervised(contract: Contract, task: SupervisedTask) -> None:
    _check_shapes(contract, task)
    splits = task.splits
    named = isinstance(splits, tuple) and splits and all(isinstance(split, str) for split in splits)
    contract.require(named, "splits names at least one split, in a tuple", f"{splits!r}")
    for split in splits:
        data = contract.call(task.data, split, given=f"the split {split!r}")
        contract.require(isinstance(data, Dataset), "data returns a Dataset", type(data).__name__)
        _check_data(contract, task, split, data)
        differs = difference(data, task.data(split), split)
        contract.require(not differs, "data returns the same at each call; what is random is keyed by a field", differs)
    _check_batches(contract, task)
    _check_measured(contract, task)


def _check_data(contract: Contract, task: SupervisedTask, split: str, data: Dataset) -> None:
    x, y, n = data.x, data.y, len(data)
    contract.require(n > 0, "a split has samples", f"none in {split!r}")
    # of a sequential task each sample has T time steps, the last S of them with targets
    steps, scored = (x.shape[1:2], y.shape[1:2]) if task.sequential else ((), ())
    right = x.dtype == np.float32 and x.shape == (n, *steps, *task.inputs)
    contract.require(
        right,
        f"x is float32 [n{', T' * len(steps)}, ...] with samples of the shape {task.inputs}",
        f"{shaped(x)} in {split!r}",
    )
    ids = y.dtype == np.int64 and y.shape == (n, *scored)
    numbers = y.dtype == np.float32 and y.shape == (n, *scored, task.outputs)
    contract.require(
        ids or numbers,
        f"y is int64 [n{', S' * len(scored)}], class ids, or float32 [n{', S' * len(scored)}, {task.outputs}], numbers",
        f"{shaped(y)} in {split!r}",
    )
    contract.require(
        scored <= steps and 0 not in scored, "targets belong to the last of the time steps", f"{shaped(y)} in {split!r}"
    )
    contract.require(np.isfinite(x).all() and np.isfinite(y).all(), "data is finite", f"NaN or infinity in {split!r}")
    if ids:
        classes = max(task.outputs, 2)
        inside = y.min() >= 0 and y.max() < classes
        contract.require(inside, f"class ids lie in 0 to {classes - 1}", f"{y.min()} to {y.max()} in {split!r}")


def _check_batches(contract: Contract, task: SupervisedTask) -> None:
    data, streams = task.data(task.splits[0]), Streams(5)
    rows = np.tile(np.arange(min(len(data), 3)), (3, 1))
    made = contract.call(lambda: list(task.batches(rows, 2, streams)), given="three times the same rows")
    plain = data.take(rows[0])
    alike = [(b.x.shape, b.x.dtype, b.y.shape, b.y.dtype) for b in (plain, *made)]
    contract.require(
        len(made) == len(rows) and len(set(alike)) == 1,
        "batches gives a batch for each row of `rows`, of the form of the data",
        f"{len(made)}: {', '.join(shaped(batch.x) for batch in made)}",
    )
    differs = difference(made[1], next(iter(task.batches(rows[1:2], 3, streams))), "batch")
    contract.require(not differs, "a batch depends on its rows and the number of its update alone", differs)
    differs = "" if task.augments else difference(made[0], plain, "batch")
    contract.require(not differs, "batches are the data's samples, unless `augments` says otherwise", differs)


def _check_measured(contract: Contract, task: SupervisedTask) -> None:
    """Measure constant networks, as a run would."""
    from vynapse_core.builder import Builder
    from vynapse_core.devices.reference import Reference

    data = task.data(task.splits[0]).take(np.arange(min(len(task.data(task.splits[0])), 32)))
    builder = Builder(catalogues.installed().ops)
    y = data.y.reshape(-1, *data.y.shape[2:]) if task.sequential else data.y
    prediction = builder.input("prediction", ("B", task.outputs))
    target = builder.input("target", ("B", *y.shape[1:]), str(y.dtype))
    outputs = {
        "loss": contract.call(task.loss.build, prediction, target, given="its targets"),
        "fitness": contract.call(task.build_fitness, prediction, target, given="its targets"),
    }
    if task.classification:
        outputs["accuracy"] = contract.call(task.loss.correct, prediction, target, given="its targets").mean()
    program = Reference().compile(builder.graph(outputs), per_network=("prediction",))
    measured = program({}, {"prediction": np.full((1, len(y), task.outputs), 0.1, np.float32), "target": y})
    for name in ("loss", "fitness"):
        contract.require(
            np.isfinite(measured[name]).all(), f"its {name} is finite for constant predictions", f"{measured[name]}"
        )
    contract.require(
        task.fitness == "loss" or task.classification,
        "fitness is the accuracy only where targets are classes",
        task.fitness,
    )


def _check_direct(contract: Contract, task: DirectTask, genes: Genes | None) -> None:
    contract.require(type(task.length) is int and task.length > 0, "length is the number of genes", f"{task.length!r}")
    bounds = task.bounds
    contract.require(
        bounds is None or (len(bounds) == 2 and bounds[0] < bounds[1]),
        "bounds is (least, greatest) or None",
        f"{bounds!r}",
    )
    contract.require(
        genes is not None or task.encoding in PLAIN,
        f"`encoding` is {', '.join(PLAIN)}; for another, pass `genes=`",
        f"{task.encoding!r}",
    )
    genes = genes or _genes_within(task)
    fitness = _fitness(contract, task, genes)
    differs = difference(fitness, _fitness(contract, task, genes), "fitness")
    contract.require(not differs, "evaluate gives the same fitness at each call", differs)
    for n in (0, 1):
        _fitness(contract, task, genes.take(slice(0, n)))
    for share in (slice(0, 3), slice(3, 7)):
        differs = difference(fitness[share], _fitness(contract, task, genes.take(share)), "fitness")
        contract.require(
            not differs, "evaluate gives the same bits for a share of the population as for the whole", differs
        )
    order = np.arange(len(genes))[::-1].copy()
    differs = difference(fitness[order], _fitness(contract, task, genes.take(order)), "fitness")
    contract.require(not differs, "an individual's fitness does not depend on who stands beside it", differs)


def _genes_within(task: DirectTask) -> Genes:
    genes = plain_genes(task.encoding, 7, task.length)
    if task.encoding != "real" or task.bounds is None:
        return Genes(genes.values, bounds=task.bounds)
    return Genes(stream(11).uniform((7, task.length), *task.bounds), bounds=task.bounds)


def _fitness(contract: Contract, task: DirectTask, genes: Genes) -> Array:
    fitness = contract.call(task.evaluate, genes, given=f"{len(genes)} individuals")
    right = isinstance(fitness, np.ndarray) and fitness.dtype == np.float64 and fitness.ndim in (1, 2)
    contract.require(
        right and len(fitness) == len(genes),
        f"evaluate returns float64 [P] or [P, M], here P = {len(genes)}",
        shaped(fitness),
    )
    contract.require(not np.isnan(fitness).any(), "fitness is a number for genes within the bounds", "NaN")
    array: Array = fitness
    return array


def _check_episodic(contract: Contract, task: EpisodicTask) -> None:
    _check_shapes(contract, task)
    for other, wanted in contract.call(task.examinations, given="its fields"):
        alike = (other.inputs, other.outputs) == (task.inputs, task.outputs)
        contract.require(
            alike and math.isfinite(wanted),
            "an examination has the task's inputs and outputs, and a finite fitness that is wanted",
            f"{other.inputs} to {other.outputs}, {wanted!r}",
        )
    for n in (1, 6):
        reset = partial(contract.call, task.reset, n, given=f"n = {n}")
        state, seen = contract.draws("reset", reset, deterministic=None)
        _check_state(contract, task, n, state, state, seen)
        for time in range(min(task.limit, PLAYED)):
            outputs = stream(20 + time).normal((n, task.outputs))
            given = f"{n} environments at time step {time}"
            after = contract.call(task.step, state, outputs, given=given)
            differs = difference(copied(after), task.step(state, outputs), "step")
            contract.require(not differs, "step depends on state and outputs alone", differs)
            if n > 1:
                rest = task.step({name: array[2:5] for name, array in state.items()}, outputs[2:5])
                whole = [{k: a[2:5] for k, a in after[0].items()}, *(a[2:5] for a in after[1:])]
                differs = difference(whole, list(rest), "step")
                contract.require(not differs, "an environment does not depend on those beside it", differs)
            following, seen, rewards, ends = after
            _check_state(contract, task, n, state, following, seen)
            for name, array, dtype in (("rewards", rewards, np.float32), ("ends", ends, np.bool_)):
                right = isinstance(array, np.ndarray) and array.shape == (n,) and array.dtype == dtype
                contract.require(right, f"step returns {name} as {np.dtype(dtype)} [n], here ({n},)", shaped(array))
            contract.require(np.isfinite(rewards).all(), "rewards are finite", f"{rewards}")
            state = following
            if ends.all():
                break


def _check_state(
    contract: Contract, task: EpisodicTask, n: int, before: Mapping[str, Array], state: Mapping[str, Array], seen: Array
) -> None:
    right = seen.dtype == np.float32 and seen.shape == (n, *task.inputs)
    contract.require(
        right, f"observations are float32 [n, ...], here ({n}, {', '.join(map(str, task.inputs))})", shaped(seen)
    )
    contract.require(np.isfinite(seen).all(), "observations are finite", "NaN or infinity")
    same = {k: (a.dtype, a.shape) for k, a in before.items()} == {k: (a.dtype, a.shape) for k, a in state.items()}
    each = all(len(array) == n for array in state.values())
    contract.require(
        same and each,
        "the state has the same arrays, [n, ...], at every time step",
        f"{ {k: shaped(a) for k, a in state.items()} } after { {k: shaped(a) for k, a in before.items()} }",
    )
