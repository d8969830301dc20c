# SPDX-License-Identifier: MIT OR Apache-2.0
"""Broken genomes, initialisers, losses and activations, and what the kit says of each."""

from typing import ClassVar

import numpy as np
import pytest

from vynapse_core import Activation, Builder, Genes, Genome, Initialiser, Loss, Networks, one_hot
from vynapse_core.contracts.loss import target_like
from vynapse_core.testing import (
    ContractError,
    check,
    check_activation,
    check_genome,
    check_initialiser,
    check_loss,
)
from vynapse_core.testing.samples import Linear, Plane


class Bits(Genome):
    """Bits."""

    encoding: ClassVar[str] = "binary"
    length: int | None = 4
    """Number of bits."""

    def initial(self, n, rng):
        return Genes(rng.integers(0, 2, (n, self.length or 1)).astype(np.uint8))

    def fitted(self, task):
        return self if self.length else self.model_copy(update={"length": task.inputs[0]})


class Tour(Genome):
    """An order of five."""

    encoding: ClassVar[str] = "permutation"

    def initial(self, n, rng):
        return Genes(rng.permutation(5, (n,)))


class Detour(Tour):
    """Comes by some twice."""

    def initial(self, n, rng):
        return Genes(rng.integers(0, 5, (n, 5)))


class WideBits(Bits):
    """Bits of the wrong dtype."""

    def initial(self, n, rng):
        return Genes(rng.integers(0, 2, (n, 4)))


class Trits(Bits):
    """Bits with three values."""

    def initial(self, n, rng):
        return Genes(rng.integers(0, 3, (n, 4)).astype(np.uint8))


class OneMore(Linear):
    """One more than wanted."""

    def initial(self, n, rng):
        return Genes(rng.normal((n + 1, 3)))


class Outside(Linear):
    """Starts outside its bounds."""

    def initial(self, n, rng):
        return Genes(rng.normal((n, 3)) * 10, bounds=(-1.0, 1.0))


class Fixed(Linear):
    """Draws and forgets what it drew."""

    def initial(self, n, rng):
        rng.normal((n, 3))
        return Genes(np.ones((n, 3), np.float32))


class Unstable(Linear):
    """Draws from a generator of its own."""

    def initial(self, n, rng):
        return Genes(np.random.default_rng().standard_normal((n, 3), np.float32))


class Nameless(Linear):
    """Calls its output something else."""

    def networks(self, genes):
        builder = Builder()
        graph = builder.graph({"out": builder.input("x", ("B", 2)) @ builder.parameter("w", (2, 1))})
        return Networks(graph, {"w": genes.values[:, :2, None]})


class Unbiased(Linear):
    """Forgets an array."""

    def networks(self, genes):
        networks = super().networks(genes)
        return Networks(networks.graph, {"w": networks.arrays["w"]})


class Doubling(Linear):
    """Has arrays of another dtype."""

    def networks(self, genes):
        networks = super().networks(genes)
        return Networks(networks.graph, {k: a.astype(np.float64) for k, a in networks.arrays.items()})


class Trained(Linear):
    """Is trained by a graph that is not that of its networks."""

    wrong: str
    """What is wrong with it."""

    def networks(self, genes):
        networks = super().networks(genes)
        builder = Builder()
        outputs = builder.extend(networks.graph)
        if self.wrong == "parameter":
            outputs["y"] = outputs["y"] * builder.parameter("more", (1,))
        elif self.wrong == "input":
            outputs["y"] = outputs["y"] * builder.input("more", (1,))
        else:
            outputs["next.nothing"] = outputs["y"]
        return Networks(networks.graph, networks.arrays, builder.graph(outputs))


class Flat(Linear):
    """Has an output without the axis k."""

    def networks(self, genes):
        builder = Builder()
        y = (builder.input("x", ("B", 2)) @ builder.parameter("w", (2, 1))).reshape(("B",))
        return Networks(builder.graph({"y": y}), {"w": genes.values[:, :2, None]})


class Normalising(Linear):
    """Makes a network depend on the others."""

    def networks(self, genes):
        networks = super().networks(genes)
        return Networks(networks.graph, {k: a / np.float32(max(len(a), 1)) for k, a in networks.arrays.items()})


class Remembering(Linear):
    """Adds what it saw before, which is as large as its weights tell."""

    def networks(self, genes):
        builder = Builder()
        x, memory = builder.input("x", ("B", 2)), builder.input("memory", ("B", "M"))
        after = memory * builder.parameter("kept", ("M",)) + x.sum(axes=1, keepdims=True)
        graph = builder.graph({"y": after.sum(axes=1, keepdims=True), "memory": after})
        return Networks(graph, {"kept": genes.values})

    def absorb(self, genes, arrays):
        return genes.with_values(arrays["kept"])


class RememberingTogether(Remembering):
    """Remembers as the others do."""

    def networks(self, genes):
        networks = super().networks(genes)
        return Networks(networks.graph, {"kept": networks.arrays["kept"] / np.float32(max(len(genes), 1))})


class Amnesiac(Linear):
    """Takes a memory and gives none."""

    def networks(self, genes):
        networks = super().networks(genes)
        builder = Builder()
        memory = builder.input("memory", ("B", 1))
        return Networks(builder.graph({"y": builder.extend(networks.graph)["y"] + memory}), networks.arrays)


class Lossy(Linear):
    """Loses the bias."""

    def absorb(self, genes, arrays):
        return genes.with_values(np.concatenate([arrays["w"][:, 0], arrays["b"] * 0], axis=1))


class Stubborn(Linear):
    """Learns nothing."""

    def absorb(self, genes, arrays):
        return genes


def test_sound_genomes_pass():
    check_genome(Linear())
    check_genome(Bits())
    check_genome(Tour())
    check_genome(Remembering())


def test_a_genome_is_fitted_to_the_task():
    check_genome(Bits(length=None), task=Plane())


@pytest.mark.parametrize(
    ("genome", "words"),
    [
        (WideBits(), r"uint8 \[n, w\] for the encoding 'binary'.*\n.*int64"),
        (Trits(), "bits are 0 or 1"),
        (Detour(), "each row is a permutation"),
        (OneMore(), "n individuals"),
        (Outside(), "within the bounds"),
        (Fixed(), "another stream gives another result"),
        (Unstable(), "same bits for the same stream"),
        (Nameless(), "an output `y`"),
        (Unbiased(), "one array for each of the graph's parameters"),
        (Doubling(), "'w' is float32"),
        (Trained(wrong="parameter"), "has the same parameters"),
        (Trained(wrong="input"), "has the same inputs, and perhaps `key`"),
        (Trained(wrong="output"), "`next.NAME` for parameters that no gradient moves"),
        (Flat(), r"`y` is \[P, B, k\]"),
        (Normalising(), "depends on its own genes alone"),
        (RememberingTogether(), "depends on its own genes alone"),
        (Amnesiac(), "needs an output of the same type"),
        (Lossy(), "own arrays changes nothing"),
        (Stubborn(), "what is absorbed is what the networks have"),
    ],
)
def test_a_broken_genome_is_caught(genome, words):
    with pytest.raises(ContractError, match=words):
        check(genome)


class Zeros(Initialiser):
    """Zeros."""

    def draw(self, n, fan_out, fan_in, rng):
        return np.zeros((n, fan_out, fan_in), np.float32)


class Transposed(Initialiser):
    """Confuses in and out."""

    def draw(self, n, fan_out, fan_in, rng):
        return rng.normal((n, fan_in, fan_out))


class ByFanIn(Initialiser):
    """Divides by a fan of one less, which may be none."""

    def draw(self, n, fan_out, fan_in, rng):
        with np.errstate(all="ignore"):
            return rng.normal((n, fan_out, fan_in)) / np.float32(fan_in - 1)


def test_an_initialiser_may_draw_nothing():
    check_initialiser(Zeros())


@pytest.mark.parametrize(
    ("initialiser", "words"),
    [(Transposed(), r"\[n, fan_out, fan_in\], here \(0, 3, 2\)"), (ByFanIn(), "finite weights")],
)
def test_a_broken_initialiser_is_caught(initialiser, words):
    with pytest.raises(ContractError, match=words):
        check(initialiser)


class Absolute(Loss):
    """The mean absolute error."""

    def build(self, prediction, target):
        error = prediction - target_like(prediction, target)
        return error.builder.apply("abs", error).mean()


class Total(Absolute):
    """A sum where a mean is due."""

    def build(self, prediction, target):
        error = prediction - target_like(prediction, target)
        return error.builder.apply("abs", error).sum()


class PerSample(Absolute):
    """A loss of each sample."""

    def build(self, prediction, target):
        error = prediction - target_like(prediction, target)
        return error.builder.apply("abs", error).mean(-1)


class Negative(Absolute):
    """A fitness."""

    def build(self, prediction, target):
        return -super().build(prediction, target)


class Overflowing(Loss):
    """A cross-entropy that takes exponents as they come."""

    def build(self, prediction, target):
        exp = prediction.builder.apply("exp", prediction)
        shares = exp / exp.sum(-1, keepdims=True)
        log = prediction.builder.apply("log", shares)
        return -(log * target_like(prediction, target)).sum(-1).mean()


class ClassesOnly(Loss):
    """Squares against one-hot rows, of class ids alone."""

    def build(self, prediction, target):
        return ((prediction - one_hot(target.reshape(("B",)), prediction.shape[-1])) ** 2).mean()


class Refusing(Loss):
    """Takes nothing."""

    def build(self, prediction, target):
        return prediction.reshape((3, 7, 11)).mean()


class AlwaysRight(Absolute):
    """Counts everything as correct."""

    def correct(self, prediction, target):
        return super().correct(prediction, target) * 0.0 + 1.0


def test_sound_losses_pass():
    check_loss(Absolute())
    check_loss(ClassesOnly())


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (Total(), "mean over samples"),
        (PerSample(), r"returns a scalar.*\n.*\(5,\)"),
        (Negative(), "smaller where the prediction is better"),
        (Overflowing(), "the loss is finite"),
        (Refusing(), "serves at least one of"),
        (AlwaysRight(), "correct is .* 1 for each sample whose class is named"),
    ],
)
def test_a_broken_loss_is_caught(loss, words):
    with pytest.raises(ContractError, match=words):
        check(loss)


class Tanh(Activation):
    """The hyperbolic tangent."""

    def build(self, x):
        return x.builder.apply("tanh", x)


class Summing(Activation):
    """Sums where it should keep."""

    def build(self, x):
        return x.sum(-1)


class BareTanh(Activation):
    """The hyperbolic tangent by its definition, which overflows."""

    def build(self, x):
        exp = x.builder.apply("exp", x * 2.0)
        return (exp - 1.0) / (exp + 1.0)


class Root(Activation):
    """The square root."""

    def build(self, x):
        return x.builder.apply("sqrt", x)


def test_a_sound_activation_passes():
    check_activation(Tanh())


@pytest.mark.parametrize(
    ("activation", "words"),
    [(Summing(), "keeps shape"), (BareTanh(), "gives NaN"), (Root(), "finite for sums from -3 to 3")],
)
def test_a_broken_activation_is_caught(activation, words):
    with pytest.raises(ContractError, match=words):
        check(activation)
