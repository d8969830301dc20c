# SPDX-License-Identifier: MIT OR Apache-2.0
"""Children: two parents crossed or one copied, then mutated, a whole generation in two passes.

The first pass makes each child and what it proposes to add; the proposals of all are numbered; the second pass adds
them. Between the two, no individual is touched in Python. `cross` and `mutate` are the same with the other half left
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import Genes, routine, routine_part
from vynapse_neat.crossover import crossed
from vynapse_neat.draws import PURPOSE, below, word
from vynapse_neat.growth import (
    ADDS_CONNECTION,
    ADDS_NODE,
    DELETES_CONNECTION,
    DELETES_NODE,
    connection_deleted,
    connection_proposed,
    node_deleted,
    planned,
    split_proposed,
)
from vynapse_neat.innovation import (
    ABSENT,
    CONNECTION,
    ENDPOINT,
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
from vynapse_neat.perturbation import choices_changed, fresh, numbers_changed
from vynapse_neat.radix import BASE, DIGITS
from vynapse_neat.rates import CHOICES, EXCLUSIVE, WEIGHT, Rates, rates_table
from vynapse_neat.workspace import (
    AGGREGATIONS,
    ALL_CELLS,
    CHILD,
    FATHER,
    FIXED,
    GENES,
    LONGEST,
    MOTHER,
    RESPONSE,
    VALUES,
    arrays,
    connections_of,
    loaded,
    nodes_of,
    sizes,
    stored,
)

if TYPE_CHECKING:
    from vynapse_core import Array, Device, Run, Stream
    from vynapse_neat.layout import Layout


PART = 32
"""Children made one after the other."""
CHOSEN = 12 * PURPOSE
NEW_ACTIVATION, NEW_AGGREGATION, NEW_WEIGHT = CHOSEN + np.arange(3)
"""Draws for what is added."""


@routine_part
def mutated(
    cells: Any, values: Any, sizes: Any, rates: Any, seed: Any, row: Any, keys: Any, lanes: Any, spots: Any,
) -> None:  # fmt: skip
    """Mutate a child, but for what it adds: that is proposed in `keys` [P, 2], a node and a connection."""
    hidden, links = nodes_of(cells, sizes, CHILD) - sizes[FIXED], connections_of(cells, sizes, CHILD)
    plan = planned(seed, hidden, links, rates)
    choices_changed(cells, sizes, rates, seed)
    if plan & DELETES_NODE:
        node_deleted(cells, values, sizes, seed)
    if plan & DELETES_CONNECTION:
        connection_deleted(cells, values, sizes, seed)
    if plan & ADDS_NODE:
        keys[row, 0] = split_proposed(cells, sizes, rates, seed)
    if plan & ADDS_CONNECTION:
        keys[row, 1] = connection_proposed(cells, sizes, rates, seed, spots)
    grows = keys[row, 0] != ABSENT or keys[row, 1] != ABSENT
    shrinks = nodes_of(cells, sizes, CHILD) - sizes[FIXED] < hidden or connections_of(cells, sizes, CHILD) < links
    if rates[EXCLUSIVE] == 0.0 or not (grows or shrinks):
        numbers_changed(cells, values, sizes, rates, seed, lanes, spots)


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


@routine(f"uint64[:], float64[:], int64[:], int64[:, :], int32[:, :], {GENES}", grain=256, distinct=True)
def grown(
    first: int, last: int, words: Any, rates: Any, sizes: Any, keys: Any, numbers: Any,
    values: Any, nodes: Any, connections: Any, node: Any, activation: Any, aggregation: Any,
    innovation: Any, source: Any, target: Any, enabled: Any,
) -> None:  # fmt: skip
    """Add what children proposed: `numbers` [P, 4] has a pair for either key."""
    wide, links = node.shape[1], innovation.shape[1]
    for row in range(first, last):
        split, key = keys[row, 0], keys[row, 1]
        if split != ABSENT:
            k, place, id_of_node = connections[row], nodes[row], numbers[row, 0]
            old = 0
            while innovation[row, old] != split:
                old += 1
            enabled[row, old] = 0
            values[row, k] = 1.0
            values[row, k + 1] = values[row, old]
            source[row, k] = source[row, old]
            target[row, k] = id_of_node
            source[row, k + 1] = id_of_node
            target[row, k + 1] = target[row, old]
            for each in range(2):
                innovation[row, k + each] = numbers[row, 1] + each
                enabled[row, k + each] = 1
            connections[row] = k + 2
            node[row, place] = id_of_node
            activation[row, place] = below(word(words[row], NEW_ACTIVATION), np.int64(rates[CHOICES]))
            aggregation[row, place] = below(word(words[row], NEW_AGGREGATION), sizes[AGGREGATIONS])
            if sizes[RESPONSE]:
                values[row, links + wide + place] = 1.0
            nodes[row] = place + 1
        if key != ABSENT:
            k = connections[row]
            values[row, k] = fresh(word(words[row], NEW_WEIGHT), rates, WEIGHT)
            innovation[row, k] = numbers[row, 3]
            source[row, k] = (key - CONNECTION) // ENDPOINT
            target[row, k] = (key - CONNECTION) % ENDPOINT
            enabled[row, k] = 1
            connections[row] = k + 1


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

    @classmethod
    def on(cls, device: Device, layout: Layout, crossing: Crossing, rates: Rates) -> Breeding:
        """Return how children of this layout are made on a device."""
        both = crossing.equal in ("random", "both")
        tables = crossing_table(crossing), rates_table(rates, len(layout.activations))
        return cls(layout, both, *tables, rates.room, *map(device.routine, (bred, numbered, grown)))

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
        words, keys, parts = rng.words(n), np.empty((n, 2), np.int64), -(-max(n, 1) // PART)
        # whoever may have the genes of both parents needs room for twice as many
        nodes, connections = places(genes)
        known = sizes(layout, nodes << self.both, connections << self.both)
        cells, reals = np.empty((parts, known[ALL_CELLS]), np.int32), np.empty((parts, 3 * known[VALUES]), np.float32)
        longest = 3 * known[LONGEST]
        lanes, spots = np.empty((parts, 3, longest), np.float64), np.empty((parts, longest), np.int32)
        numbers, (order, space) = np.empty((2 * n, 2), np.int32), np.empty((2, 2 * n), np.int64)
        counts, facts = np.empty((DIGITS, BASE), np.int32), np.empty(FACTS, np.int64)
        flat, of_old, widths = keys.view(np.uint64).ravel(), arrays(genes), _widths(genes, self.room, layout.fixed)
        while True:
            new = _unset(layout, n, *widths)
            of_new = arrays(new)
            self.bred(
                parts,
                mothers,
                fathers,
                equal,
                mutating,
                words,
                self.crossing,
                self.rates,
                known,
                *of_old,
                *of_new,
                keys,
                cells,
                reals,
                lanes,
                spots,
            )
            facts[NEXT_NODE], facts[NEXT_INNOVATION] = counters.node, counters.innovation
            self.numbered(1, flat, of_new[1], of_new[2], order, space, counts, facts, numbers)
            needed = rounded(max(int(facts[MOST_NODES]), layout.fixed)), rounded(int(facts[MOST_CONNECTIONS]))
            if needed[0] <= widths[0] and needed[1] <= widths[1]:
                break
            # a child of two equally fit parents has more genes than any parent: the same again, in wider arrays
            widths = max(needed[0], widths[0]), max(needed[1], widths[1])
        if facts[PROPOSED]:
            counters = Counters.after(facts)
            self.grown(n, words, self.rates, known, keys, numbers.reshape(n, 4), *of_new)
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
