# SPDX-License-Identifier: MIT OR Apache-2.0
"""Children: two parents crossed or one copied, then mutated, a whole generation in two passes.

The first pass makes each child and what it proposes to add; the proposals of all are numbered; the second pass adds
them. Between the two, no individual is touched in Python. `cross` and `mutate` are the same with the other half left
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vynapse_core import Genes, routine
from vynapse_neat.additions import grown
from vynapse_neat.crossover import crossed
from vynapse_neat.innovation import (
    ABSENT,
    FACTS,
    MOST_CONNECTIONS,
    MOST_NODES,
    NEXT_INNOVATION,
    NEXT_NODE,
    PROPOSED,
    Counters,
    numbered,
)
from vynapse_neat.layout import COUNTS, OF_CONNECTIONS, OF_NODES, places, rounded
from vynapse_neat.mixing import EQUAL, SMALLER, Crossing, crossing_table
from vynapse_neat.mutation import mutated
from vynapse_neat.radix import BASE, DIGITS
from vynapse_neat.rates import Rates, rates_table
from vynapse_neat.scratch import Scratch
from vynapse_neat.workspace import (
    ALL_CELLS,
    CHILD,
    FATHER,
    GENES,
    LONGEST,
    MOTHER,
    VALUES,
    arrays,
    loaded,
    sizes,
    stored,
)

if TYPE_CHECKING:
    from vynapse_core import Array, Device, Run, Stream
    from vynapse_neat.layout import Layout

PART = 32
"""Children made one after the other."""


@routine(
    f"int64[:], int64[:], uint8[:], uint8[:], uint64[:], float64[:], float64[:], int64[:], {GENES}, {GENES}, "
    "int64[:, :], int32[:, :], float32[:, :], float64[:, :, :], int32[:, :]",
    grain=2,
    distinct=True,
)
def bred(
    first: int, last: int, mothers: Any, fathers: Any, equal: Any, mutating: Any, words: Any, crossing: Any, rates: Any,
    sizes: Any,
    values: Any, nodes: Any, connections: Any, node: Any, activation: Any, aggregation: Any,
    innovation: Any, source: Any, target: Any, enabled: Any,
    c_values: Any, c_nodes: Any, c_connections: Any, c_node: Any, c_activation: Any, c_aggregation: Any,
    c_innovation: Any, c_source: Any, c_target: Any, c_enabled: Any,
    keys: Any, all_cells: Any, all_reals: Any, all_lanes: Any, all_spots: Any,
) -> None:  # fmt: skip
    """Make the children of the parts from `first` to `last`, in the first's workspace, and say what they would add."""
    cells, reals, lanes, spots = all_cells[first], all_reals[first], all_lanes[first], all_spots[first]
    for kind in range(lanes.shape[0]):
        for lane in range(lanes.shape[1]):
            lanes[kind, lane] = 0.0
    for row in range(first * PART, min(last * PART, len(mothers))):
        seed = words[row]
        one, other = mothers[row], fathers[row]
        single = other < 0 or other == one
        tied = not single and equal[row] != 0
        choosing = tied and crossing[EQUAL] < SMALLER
        if tied and crossing[EQUAL] == SMALLER and connections[other] < connections[one]:
            one, other = other, one
        for parent in range(1 if single else 2):
            genome = MOTHER if choosing else CHILD
            loaded(
                cells,
                reals,
                sizes,
                FATHER if parent else genome,
                other if parent else one,
                values,
                nodes,
                connections,
                node,
                activation,
                aggregation,
                innovation,
                source,
                target,
                enabled,
            )
        if not single:
            crossed(cells, reals, sizes, crossing, seed, choosing, spots, lanes[0])
        keys[row, 0] = ABSENT
        keys[row, 1] = ABSENT
        if mutating[row]:
            mutated(cells, reals, sizes, rates, seed, row, keys, lanes, spots)
        stored(
            cells,
            reals,
            sizes,
            CHILD,
            row,
            c_values,
            c_nodes,
            c_connections,
            c_node,
            c_activation,
            c_aggregation,
            c_innovation,
            c_source,
            c_target,
            c_enabled,
        )


class _Work(NamedTuple):
    """What is worked in while n children are made."""

    keys: Array
    """int64 [n, 2], what they propose."""
    numbers: Array
    """int32 [2 n, 2], the numbers of that."""
    facts: Array
    """int64 [FACTS]."""
    numbering: tuple[Array, ...]
    """What proposals are ordered in."""
    workspaces: tuple[Array, ...]
    """Cells, values, lanes and spots, [parts, ...]."""


def _work(n: int, parts: int, cells: int, values: int, longest: int) -> _Work:
    numbering = *np.empty((2, 2 * n), np.int64), np.empty((DIGITS, BASE), np.int32)
    workspaces = (
        np.empty((parts, cells), np.int32),
        np.empty((parts, 3 * values), np.float32),
        np.empty((parts, 3, 3 * longest), np.float64),
        np.empty((parts, 3 * longest), np.int32),
    )
    keys, numbers = np.empty((n, 2), np.int64), np.empty((2 * n, 2), np.int32)
    return _Work(keys, numbers, np.empty(FACTS, np.int64), numbering, workspaces)


@dataclass(frozen=True)
class Breeding:
    """How children are made: `Breeding.on(device, layout, crossing, rates)`."""

    layout: Layout
    both: bool
    """Whether a child may have genes of both parents that only one of them has."""
    crossing: Array
    """The numbers of a `Crossing`."""
    rates: Array
    """The numbers of `Rates`."""
    room: tuple[int, int]
    """The nodes and the connections that one mutation may add."""
    bred: Run
    numbered: Run
    grown: Run
    scratch: Scratch[_Work]

    @classmethod
    def on(cls, device: Device, layout: Layout, crossing: Crossing, rates: Rates) -> Breeding:
        """Return how children of this layout are made on a device."""
        both = crossing.equal in ("random", "both")
        tables = crossing_table(crossing), rates_table(rates, len(layout.activations))
        first, second, third = map(device.routine, (bred, numbered, grown))
        return cls(layout, both, *tables, rates.room, first, second, third, Scratch(_work))

    def children(
        self,
        genes: Genes,
        mothers: Array,
        fathers: Array,
        equal: Array,
        mutating: Array,
        counters: Counters,
        rng: Stream,
    ) -> tuple[Genes, Counters]:
        """Return n children of individuals in `genes`, and the next counters.

        `mothers` int64 [n] are the fitter parents; `fathers` int64 [n] the others, or -1 where a child is a copy of its
        mother; `equal` uint8 [n] says where both are equally fit, `mutating` likewise which children mutate. One word
        is drawn for each child. Raises RunError where innovation numbers are used up.
        """
        layout, n = self.layout, len(mothers)
        # a workspace is filled LANES places at a time
        genes = layout.resized(genes, *map(rounded, places(genes)))
        # whoever may have the genes of both parents needs room for twice as many
        nodes, connections = places(genes)
        known = sizes(layout, nodes << self.both, connections << self.both)
        parts, words, old = -(-max(n, 1) // PART), rng.words(n), arrays(genes)
        needs = n, parts, int(known[ALL_CELLS]), int(known[VALUES]), int(known[LONGEST])
        keys, numbers, facts, numbering, workspaces = work = self.scratch.take(*needs)
        widths = _widths(genes, self.room, layout.fixed)
        chosen = (mothers, fathers, equal, mutating, words, self.crossing, self.rates, known)
        while True:
            new = _unset(layout, n, *widths)
            made = arrays(new)
            self.bred(parts, *chosen, *old, *made, keys, *workspaces)
            facts[NEXT_NODE], facts[NEXT_INNOVATION] = counters.node, counters.innovation
            self.numbered(1, keys.reshape(2 * n).view(np.uint64), made[1], made[2], *numbering, facts, numbers)
            needed = rounded(max(int(facts[MOST_NODES]), layout.fixed)), rounded(int(facts[MOST_CONNECTIONS]))
            if needed[0] <= widths[0] and needed[1] <= widths[1]:
                break
            # a child of two equally fit parents has more genes than any parent: the same again, in wider arrays
            widths = max(needed[0], widths[0]), max(needed[1], widths[1])
        if facts[PROPOSED]:
            counters = Counters.after(facts)
            self.grown(n, words, self.rates, known, keys, numbers.reshape(n, 4), *made)
        self.scratch.give(work, *needs)
        return new, counters


def cross(
    genes: Genes,
    mothers: Array,
    fathers: Array,
    equal: Array,
    layout: Layout,
    crossing: Crossing,
    rng: Stream,
    device: Device,
) -> Genes:
    """Return n children of individuals in `genes`, not mutated.

    The arguments are those of `Breeding.children`; `equal` may be bool too.
    """
    breeding, counters = Breeding.on(device, layout, crossing, Rates()), Counters(layout.fixed, 0)
    none, tied = np.zeros(len(mothers), np.uint8), np.asarray(equal, np.uint8)
    return breeding.children(genes, mothers, fathers, tied, none, counters, rng)[0]


def mutate(
    genes: Genes, layout: Layout, rates: Rates, counters: Counters, rng: Stream, device: Device
) -> tuple[Genes, Counters]:
    """Return mutated copies of all individuals, and the next counters; see `Breeding.children`."""
    n = len(genes)
    every, none = np.ones(n, np.uint8), np.zeros(n, np.uint8)
    mothers, fathers = np.arange(n), np.full(n, -1)
    breeding = Breeding.on(device, layout, Crossing(), rates)
    return breeding.children(genes, mothers, fathers, none, every, counters, rng)


def _widths(genes: Genes, room: tuple[int, int], fixed: int) -> tuple[int, int]:
    """Return the widths that individuals need, with the room of a mutation."""
    nodes, connections = (genes.structure[name] for name in COUNTS)
    return rounded(int(nodes.max(initial=fixed)) + room[0]), rounded(int(connections.max(initial=0)) + room[1])


def _unset(layout: Layout, n: int, nodes: int, connections: int) -> Genes:
    """Return genes whose arrays hold anything: routines set every place."""
    structure = {name: np.empty(n, np.int32) for name in COUNTS}
    structure |= {name: np.empty((n, nodes), np.int32) for name in OF_NODES}
    structure |= {name: np.empty((n, connections), np.int32) for name in OF_CONNECTIONS}
    return Genes(np.empty((n, layout.width(nodes, connections)), np.float32), structure)
