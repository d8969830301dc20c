# SPDX-License-Identifier: MIT OR Apache-2.0
"""Broken tasks, and what the kit says of each."""

from typing import ClassVar

import numpy as np
import pytest

from vynapse_core import Dataset, DirectTask, EpisodicTask, Task
from vynapse_core.testing import ContractError, check, check_task
from vynapse_core.testing.samples import Plane, plain_genes


class NewData(Plane):
    """Draws its data anew."""

    def data(self, split):
        x = np.random.default_rng().standard_normal((12, 2), np.float32)
        return Dataset(x, x[:, :1])


class DoubleData(Plane):
    """Has inputs in float64."""

    def data(self, split):
        data = super().data(split)
        return Dataset(data.x.astype(np.float64), data.y)


class OddTargets(Plane):
    """Has targets without the axis k."""

    def data(self, split):
        data = super().data(split)
        return Dataset(data.x, data.y[:, 0])


class ThreeClasses(Plane):
    """Has a class too many."""

    def data(self, split):
        data = super().data(split)
        return Dataset(data.x, np.arange(12, dtype=np.int64) % 3)


class Holed(Plane):
    """Has a hole in its data."""

    def data(self, split):
        data = super().data(split)
        data.x[3, 0] = np.nan
        return data


class Splitless(Plane):
    """Has no split."""

    @property
    def splits(self):
        return ()


class Pretending(Plane):
    """Counts correct classes where there are none."""

    fitness: str = "accuracy"
    """What evolution maximises."""


class Shaken(Plane):
    """Changes its samples, and does not say so."""

    def batches(self, rows, first, streams):
        for batch in super().batches(rows, first, streams):
            yield Dataset(batch.x + 1, batch.y)


class ShakenInOrder(Plane):
    """Changes a batch by its place among those that are asked for."""

    augments: ClassVar[bool] = True

    def batches(self, rows, first, streams):
        for place, batch in enumerate(super().batches(rows, first, streams)):
            yield Dataset(batch.x + np.float32(place), batch.y)


class ShakenDoubly(Plane):
    """Changes the type of its samples."""

    augments: ClassVar[bool] = True

    def batches(self, rows, first, streams):
        for batch in super().batches(rows, first, streams):
            yield Dataset(batch.x.astype(np.float64), batch.y)


class Ball(DirectTask):
    """Minus the squares."""

    encoding: ClassVar[str] = "real"

    @property
    def length(self):
        return 3

    @property
    def bounds(self):
        return -2.0, 2.0

    def evaluate(self, genes):
        return -(genes.values.astype(np.float64) ** 2).sum(axis=1)


class SmallBall(Ball):
    """Has its fitness in float32."""

    def evaluate(self, genes):
        return -(genes.values**2).sum(axis=1)


class Relative(Ball):
    """Compares individuals with each other."""

    def evaluate(self, genes):
        fitness = super().evaluate(genes)
        return fitness - fitness.mean() if len(fitness) else fitness


class Noisy(Ball):
    """Adds noise."""

    def evaluate(self, genes):
        return super().evaluate(genes) + np.random.default_rng().random(len(genes))


class Centring(Ball):
    """Moves the genes."""

    def evaluate(self, genes):
        genes.values[...] -= 1
        return super().evaluate(genes)


class Root(Ball):
    """Is no number below zero."""

    def evaluate(self, genes):
        with np.errstate(all="ignore"):
            return np.sqrt(genes.values.astype(np.float64)).sum(axis=1)


class Backward(Ball):
    """Has its bounds the wrong way round."""

    @property
    def bounds(self):
        return 2.0, -2.0


class TextTarget(Ball):
    """Is solved at some text."""

    @property
    def target(self):
        return "0.0"


class Trees(Ball):
    """Evaluates something else."""

    encoding: ClassVar[str] = "tree"


class Push(EpisodicTask):
    """Push a point to the origin."""

    @property
    def inputs(self):
        return (2,)

    @property
    def outputs(self):
        return 1

    def reset(self, n, rng):
        state = {"place": rng.normal(n), "speed": np.zeros(n, np.float32)}
        return state, self.seen(state)

    def step(self, state, outputs):
        speed = state["speed"] + np.float32(0.1) * np.tanh(outputs[:, 0])
        after = {"place": state["place"] + speed, "speed": speed}
        return after, self.seen(after), -np.abs(after["place"]), np.abs(after["place"]) > 5

    def seen(self, state):
        return np.stack([state["place"], state["speed"]], axis=1)


class PushInPlace(Push):
    """Writes into its state."""

    def step(self, state, outputs):
        state["speed"] += np.float32(0.1) * np.tanh(outputs[:, 0])
        return super().step(state, outputs)


class PushTogether(Push):
    """Lets environments touch each other."""

    def step(self, state, outputs):
        return super().step({**state, "place": state["place"] - state["place"].mean()}, outputs)


class PushForgetting(Push):
    """Loses a part of its state."""

    def step(self, state, outputs):
        after, seen, rewards, ends = super().step(state, outputs)
        return {"place": after["place"]}, seen, rewards, ends


class PushDoubly(Push):
    """Has rewards in float64."""

    def step(self, state, outputs):
        after, seen, rewards, ends = super().step(state, outputs)
        return after, seen, rewards.astype(np.float64), ends


class PushAlike(Push):
    """Starts as it likes."""

    def reset(self, n, rng):
        return super().reset(n, rng.__class__(np.random.default_rng().bytes(16)))


class PushAndPull(Push):
    """Is solved by who also balances a stick, which takes other inputs."""

    def examinations(self):
        return ((Balance(), 1.0),)


class Balance(Push):
    """Sees less."""

    @property
    def inputs(self):
        return (1,)


class Formless(Task):
    """Is of no form."""


@pytest.mark.parametrize("task", [Plane(), Ball(), Push()])
def test_a_sound_task_passes(task):
    check_task(task)


def test_genes_of_another_encoding_are_handed_in():
    check_task(Trees(), genes=plain_genes("real", 7, 3))


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (NewData(), "data returns the same at each call"),
        (DoubleData(), r"x is float32 \[n, ...\].*\n.*float64"),
        (OddTargets(), r"y is int64 \[n\], class ids, or float32 \[n, 1\]"),
        (ThreeClasses(), "class ids lie in 0 to 1"),
        (Holed(), "data is finite"),
        (Splitless(), "at least one split"),
        (Pretending(), "accuracy only where targets are classes"),
        (Shaken(), "unless `augments` says otherwise"),
        (ShakenInOrder(), "its rows and the number of its update alone"),
        (ShakenDoubly(), r"of the form of the data.*\n.*float64"),
        (SmallBall(), r"float64 \[P\].*\n.*float32"),
        (Relative(), "a share of the population"),
        (Noisy(), "same fitness at each call"),
        (Centring(), "writes nothing"),
        (Root(), "fitness is a number"),
        (Backward(), "bounds is \\(least, greatest\\)"),
        (TextTarget(), "a finite float"),
        (Trees(), "pass `genes=`"),
        (PushInPlace(), r"writes nothing.*\n.*arguments\[0\]\.speed"),
        (PushTogether(), "does not depend on those beside it"),
        (PushForgetting(), "the same arrays"),
        (PushDoubly(), "rewards as float32"),
        (PushAlike(), "same bits for the same stream"),
        (PushAndPull(), "an examination has the task's inputs and outputs"),
        (Formless(), "a SupervisedTask, a DirectTask or an EpisodicTask"),
    ],
)
def test_a_broken_task_is_caught(task, words):
    with pytest.raises(ContractError, match=words):
        check(task)
