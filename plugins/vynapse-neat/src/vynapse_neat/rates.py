# SPDX-License-Identifier: MIT OR Apache-2.0
"""How often and how far genes mutate: all numbers of a mutation in one place, and as a table for routines."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from vynapse_core import Settings, mistake

if TYPE_CHECKING:
    from vynapse_core import Array

Noise: TypeAlias = Literal["uniform", "normal"]

LARGEST = float(np.finfo(np.float32).max)


class Change(Settings):
    """How real numbers of one kind change: weights, biases or responses."""

    genome: float = Field(0.8, ge=0, le=1)
    """Probability that a child's numbers of this kind change at all; then each one may."""
    perturb: float = Field(0.9, ge=0, le=1)
    """Probability that a number is perturbed: noise is added."""
    replace: float = Field(0.1, ge=0, le=1)
    """Probability that a number is replaced; with `perturb` at most 1."""
    power: float = Field(2.5, ge=0)
    """Size of a perturbation: half the width of uniform noise, or the standard deviation of normal noise."""
    noise: Noise = "uniform"
    """Distribution of perturbations."""
    mean: float = 0.0
    """Mean of new numbers."""
    spread: float = Field(2.5, ge=0)
    """Size of new numbers about their mean: half a width, or a standard deviation."""
    fresh: Noise = "uniform"
    """Distribution of new numbers."""
    least: float | None = None
    """The least value of a number that changes; None for no bound."""
    most: float | None = None
    """The greatest value of a number that changes; None for no bound."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.perturb + self.replace > 1 + 1e-9:
            raise mistake(f"'perturb' and 'replace' sum to at most 1, found {self.perturb} and {self.replace}")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise mistake(f"'least' ({self.least}) must not lie above 'most' ({self.most})")
        return self


class Rates(Settings):
    """How often each kind of mutation happens to a child. The defaults are those of Stanley & Miikkulainen 2002.

    Where nothing else is said, a rate is the probability that it happens once to a child.
    """

    weight: Change = Change()
    """How weights change, and what new connections weigh."""
    bias: Change | None = None
    """How biases change; None: as weights do, and in the same children."""
    response: Change | None = None
    """How responses change; None: not at all."""
    add_node: float = Field(0.03, ge=0, le=1)
    """A node splits a connection, which is disabled; the connection into it weighs 1, the one out of it as the old one.
    Enabled connections are split; others where none is enabled."""
    add_connection: float = Field(0.05, ge=0, le=1)
    """A connection joins two nodes that none joins, any such pair with the same probability."""
    delete_node: float = Field(0.0, ge=0, le=1)
    """A hidden node goes, with its connections."""
    delete_connection: float = Field(0.0, ge=0, le=1)
    """A connection goes."""
    toggle: float = Field(0.0, ge=0, le=1)
    """A connection is enabled where it is disabled, and disabled where it is enabled."""
    reenable: float = Field(0.0, ge=0, le=1)
    """The first disabled connection is enabled."""
    flip: float = Field(0.0, ge=0, le=1)
    """Probability per connection that it is enabled or disabled anew, by tossing a coin."""
    activation: float = Field(0.0, ge=0, le=1)
    """Probability per node that it draws its activation anew."""
    aggregation: float = Field(0.0, ge=0, le=1)
    """Probability per node that it draws its aggregation anew."""
    activation_choices: int | None = Field(None, ge=1)
    """Nodes draw from so many activations, the layout's first ones; None: from all."""
    outputs_draw: bool = True
    """Whether output nodes draw activations and aggregations anew, as hidden nodes do."""
    single: bool = False
    """Whether at most one of add_node, delete_node, add_connection and delete_connection happens to a child; where
    their rates sum to more than 1, they are shares."""
    exclusive: bool = False
    """Whether a child whose structure changes keeps its weights, biases and responses."""
    split_bias: bool = False
    """Whether connections from a bias node may be split."""
    old_first: int = Field(0, ge=0)
    """In a genome with fewer connections than this, a new node splits the oldest enabled one, but passes over each with
    probability 0.3; 0: any with the same probability. In the authors' own program, 15."""
    recurrent: float | None = Field(None, ge=0, le=1)
    """Where genomes may be recurrent: the probability that an added connection is sought among those that close a cycle
    and not among the others; None: among all."""
    from_outputs: bool = False
    """Whether a connection out of an output counts as feed-forward where it closes no cycle; otherwise it counts as
    recurrent, so that feed-forward genomes get none."""
    target_nodes: float | None = Field(None, ge=1)
    """Number of hidden nodes at which nodes are added half as often as the rate says; None for no pressure."""
    target_connections: float | None = Field(None, ge=1)
    """Number of connections at which nodes and connections are added half as often."""
    sharpness: float = Field(8.0, gt=0, le=30)
    """How sharply additions become rare past the targets."""

    @property
    def room(self) -> tuple[int, int]:
        """The nodes and the connections that one mutation may add."""
        return int(self.add_node > 0), 2 * (self.add_node > 0) + (self.add_connection > 0)


GENOME, PERTURB, EITHER, POWER, NOISE, MEAN, SPREAD, FRESH, LEAST, MOST = range(10)
"""Places of a change within its ten: `EITHER` is the sum of perturb and replace."""
WEIGHT, BIAS, RESPONSES = np.arange(0, 30, 10)
(
    WITH_WEIGHTS, ADD_NODE, ADD_CONNECTION, DELETE_NODE, DELETE_CONNECTION, TOGGLE, REENABLE, FLIP, ACTIVATION_RATE,
    AGGREGATION_RATE, CHOICES, OUTPUTS_DRAW, SINGLE, EXCLUSIVE, SPLIT_BIAS, RECURRENT_SHARE, FROM_OUTPUTS, TARGET_NODES,
    TARGET_CONNECTIONS, SHARPNESS, OLD_FIRST,
) = range(30, 51)  # fmt: skip
"""Places in the table of rates."""


@cache
def rates_table(rates: Rates, activations: int) -> Array:
    """Return the numbers of `rates` for routines, for so many activations: float64 [51]."""
    never = Change(genome=0.0)
    table = [
        *_changes(rates.weight),
        *_changes(rates.bias or rates.weight),
        *_changes(rates.response or never),
        rates.bias is None,
        rates.add_node,
        rates.add_connection,
        rates.delete_node,
        rates.delete_connection,
        rates.toggle,
        rates.reenable,
        rates.flip,
        rates.activation,
        rates.aggregation,
        min(rates.activation_choices or activations, activations),
        rates.outputs_draw,
        rates.single,
        rates.exclusive,
        rates.split_bias,
        -1.0 if rates.recurrent is None else rates.recurrent,
        rates.from_outputs,
        math.inf if rates.target_nodes is None else rates.target_nodes,
        math.inf if rates.target_connections is None else rates.target_connections,
        rates.sharpness,
        rates.old_first,
    ]
    numbers = np.array(table, np.float64)
    numbers.flags.writeable = False
    return numbers


def _changes(change: Change) -> list[float]:
    return [
        change.genome,
        change.perturb,
        change.perturb + change.replace,
        change.power,
        change.noise == "normal",
        change.mean,
        change.spread,
        change.fresh == "normal",
        -LARGEST if change.least is None else max(change.least, -LARGEST),
        LARGEST if change.most is None else min(change.most, LARGEST),
    ]
