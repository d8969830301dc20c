# SPDX-License-Identifier: MIT OR Apache-2.0
"""Logic functions of bits: XOR, the smallest problem that needs a hidden layer, and parity of more bits."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from vynapse_core import Array, Dataset, Loss, SampledTask, Streams, Value, target_like, where
from vynapse_tasks.losses import MeanSquaredError

if TYPE_CHECKING:
    from vynapse_core import Experiment

SOLVED_LOSS = 0.01
"""Mean loss at which a logic function counts as learnt: with `mse`, a root mean square error of 0.1."""


class LogicTask(SampledTask):
    """A function of bits: inputs float32 [n, bits] and targets float32 [n, k], all of them 0 or 1."""

    loss: Loss = MeanSquaredError()
    """What is minimised: `mse` for outputs 0 and 1, `binary_cross_entropy` for logits."""

    @abstractmethod
    def patterns(self) -> Array:
        """Return the inputs, integers 0 or 1, [n, bits]."""

    def answers(self, bits: Array) -> Array:
        """Return the targets 0 or 1, [n, k], of patterns [n, bits]; by default whether an odd number is set."""
        odd: Array = bits.sum(axis=1, keepdims=True) % 2
        return odd

    @property
    def classification(self) -> bool:
        """A single answer is yes or no; several are no classes, of which one would hold."""
        return self.outputs == 1

    @property
    def target(self) -> float:
        """A mean loss of 0.01; where accuracy is the fitness, every pattern right."""
        return 1.0 if self.fitness == "accuracy" else -SOLVED_LOSS

    def load(self) -> Mapping[str, Dataset]:
        """Return the patterns with their answers."""
        bits = self.patterns()
        return {"train": Dataset(bits.astype(np.float32), self.answers(bits).astype(np.float32))}

    def default_genome(self) -> Mapping[str, Any]:
        """Return a network with two hidden units a bit."""
        (bits,) = self.inputs
        return {"type": "vynapse-evolution:mlp", "layers": (bits, 2 * bits, self.outputs)}


class Xor(LogicTask):
    """Exclusive or: two inputs, one output, four patterns. Solved as `criterion` says, by default at a loss of 0.01.

    The criteria of the literature differ, so that numbers of evaluations by one do not compare with those by another.
    """

    criterion: Literal["loss", "stanley2002", "neat-python"] = "loss"
    """What fitness is, e being the error of an output between 0 and 1: `loss` as the field `fitness` says; (4 - Σ|e|)²,
    solved by four outputs on the right side of 0.5 (Stanley & Miikkulainen 2002); 4 - Σe², solved at 3.9
    (neat-python)."""

    @property
    def target(self) -> float:
        """16 for Stanley's criterion, 3.9 for neat-python's; for the loss as with all logic functions."""
        return {"stanley2002": 16.0, "neat-python": 3.9}.get(self.criterion) or super().target

    def build_fitness(self, prediction: Value, target: Value) -> Value:
        """Return the fitness by the criterion.

        By Stanley's a network that solves has the full 16: no selection sees that, as the run is then at its end. A sum
        of errors above 4 counts as 4, which a network with outputs between 0 and 1 cannot exceed.
        """
        if self.criterion == "loss":
            return super().build_fitness(prediction, target)
        apply, wanted = prediction.builder.apply, target_like(prediction, target)
        error = prediction - wanted
        if self.criterion == "neat-python":
            return 4.0 - (error**2).sum()
        wrong = prediction.greater(0.5).equal(wanted.greater(0.5)).equal(False).cast(prediction.dtype).sum()
        left = apply("maximum", 4.0 - apply("abs", error).sum(), 0.0)
        return where(wrong.less(0.5), 16.0, left**2)

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where something asks for what the criterion takes no notice of."""
        yield from super().problems(experiment)
        if self.criterion == "loss":
            return
        if self.fitness == "accuracy":
            yield "fitness", f"accuracy and the criterion '{self.criterion}' cannot both be the fitness; leave one out"
        if self.batch is not None:
            yield "batch", f"the criterion '{self.criterion}' counts all four patterns; leave 'batch' out"
        if experiment.recipe.stop.loss is not None:
            yield "criterion", f"stop.loss needs 'loss', and fitness is {self.criterion}'s; take stop.fitness"

    def patterns(self) -> Array:
        """Return 00, 01, 10, 11."""
        return all_patterns(2)


class Parity(LogicTask):
    """Whether an odd number of bits is set: no bit tells anything alone. Solved at a mean loss of 0.01."""

    bits: int = Field(3, ge=2, le=64)
    """Number of inputs."""
    samples: int = Field(4096, gt=0, le=2**20)
    """Most patterns to learn from: all 2^bits where they are no more, else this many draws."""
    sample_seed: int = Field(0, ge=0, lt=2**63)
    """Seed of that draw, apart from the run's seed, so that all runs learn from the same patterns."""

    def patterns(self) -> Array:
        """Return all patterns in counting order, or a draw of them."""
        if 2**self.bits <= self.samples:
            return all_patterns(self.bits)
        return Streams(self.sample_seed)("patterns").integers(0, 2, (self.samples, self.bits))


def all_patterns(bits: int) -> Array:
    """Return all 2^bits patterns in counting order, int64 [2^bits, bits], the highest bit first."""
    numbers = np.arange(2**bits)[:, None]
    return (numbers >> np.arange(bits)[::-1]) & 1
