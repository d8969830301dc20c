# SPDX-License-Identifier: MIT OR Apache-2.0
"""A rule of distance at work: whole populations compared on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vynapse_neat.columns import LANES, Columns, empty_columns, filled
from vynapse_neat.distance import PART, Side, distances_found, ordered_by_ends
from vynapse_neat.layout import rounded
from vynapse_neat.scratch import Scratch

if TYPE_CHECKING:
    from vynapse_core import Array, Device, Genes, Routine, Run
    from vynapse_neat.distance import Compatibility
    from vynapse_neat.layout import Layout


class Comparing:
    """Compares genomes of a layout by a rule, on a device."""

    def __init__(self, compatibility: Compatibility, layout: Layout, device: Device) -> None:
        self.terms = compatibility.terms(layout)
        """The rule as numbers, for routines."""
        self._by_ends = compatibility.by_ends
        self._device = device
        self._runs: dict[int, Run] = {}
        self._columns = Scratch(empty_columns)

    def run(self, routine: Routine) -> Run:
        """Return a routine of sides, for the keys that the rule goes by."""
        found = self._runs.get(id(routine))
        if found is None:
            found = self._device.routine(routine.of(key="int64" if self._by_ends else "int32"))
            self._runs[id(routine)] = found
        return found

    def side(self, genes: Genes) -> Side:
        """Return `genes` [P] as the rule reads them."""
        of = genes.structure
        keys = places = of["innovation"]
        if self._by_ends:
            n, width, parts = len(genes), rounded(keys.shape[1]), -(-len(genes) // PART)
            keys, places = np.empty((n, width), np.int64), np.empty((n, width), np.int32)
            unordered = np.empty((parts, width), np.int64)
            order = self._device.routine(ordered_by_ends)
            order(parts, of["connections"], of["source"], of["target"], unordered, keys, places)
        elif keys.shape[1] % LANES:
            # rows are read LANES at a time
            keys = places = np.pad(keys, ((0, 0), (0, rounded(keys.shape[1]) - keys.shape[1])))
        nodes = (of["nodes"], of["node"], of["activation"], of["aggregation"])
        return Side(of["connections"], keys, places, genes.values, of["enabled"], *nodes)

    def distances(self, some: Side, rows: Array, others: Side, columns: Array) -> Array:
        """Return the distances of `some[rows]` from `others[columns]`, float64 [len(rows), len(columns)]."""
        found = np.empty((len(rows), len(columns)), np.float64)
        self.run(distances_found)(len(rows), rows, columns, self.terms, *some, *others, found)
        return found

    def columns(self, genomes: Side, rows: Array) -> Columns:
        """Return the genomes at `rows` int64 [S] as columns, until they are `done` with.

        A row below 0 gives an empty column.
        """
        blocks = -(-len(rows) // LANES)
        found = self._columns.take(*self._sizes(genomes, blocks))
        self.run(filled)(blocks, rows, self.terms, *genomes, *found)
        return found

    def done(self, columns: Columns) -> None:
        """Let the next columns lie where these do."""
        sizes = (*columns.keys.shape, columns.nodes.shape[1], self._by_ends)
        self._columns.give(columns, *sizes)

    def _sizes(self, genomes: Side, blocks: int) -> tuple[int, int, int, bool]:
        wide, known = ((LANES * (array.shape[1] + 1)) for array in (genomes.keys, genomes.node))
        return blocks, wide, known if self._by_ends else 1, self._by_ends

    def scratch(self, genomes: Side, parts: int) -> tuple[Array, ...]:
        """Return what parts of genomes are compared in: float64 [parts, LANES], three of it, and int32 [parts, ...]."""
        wide = max(genomes.keys.shape[1], genomes.node.shape[1]) + LANES
        return *np.empty((3, parts, LANES)), np.empty((parts, wide), np.int32)
