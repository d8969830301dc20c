# SPDX-License-Identifier: MIT OR Apache-2.0
"""Genes and populations: structs of arrays whose leading axis is the individual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Genes:
    """The genes of n individuals.

    All that operators on reals or bits change sits in `values`, so that one operator serves fixed and evolving
    topologies alike; ids, counts and masks sit in `structure`.
    """

    values: Array
    """[n, w]: float32 for reals, uint8 (0 or 1) for bits, int64 for permutations."""
    structure: Mapping[str, Array] = field(default_factory=dict)
    """Arrays [n, ...] by name."""
    bounds: tuple[float, float] | None = None
    """The least and the greatest value of a gene; None for none."""

    def __post_init__(self) -> None:
        if self.values.ndim < 1:
            raise ValueError(f"genes: values has shape {self.values.shape}, expected (n, ...)")
        # all in one go, as a trainer makes genes again and again
        if _lengths(self.structure) - {len(self.values)}:
            name, shape = next((name, x.shape) for name, x in self.structure.items() if x.shape[:1] != (len(self),))
            raise ValueError(f"genes: {name} has shape {shape}, expected ({len(self)}, ...)")

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Array | slice) -> Genes:
        """Return the individuals at `indices` [m]."""
        if not isinstance(indices, np.ndarray) or indices.dtype.kind != "i":
            structure = {name: array[indices] for name, array in self.structure.items()}
            return Genes(self.values[indices], structure, self.bounds)
        # for few rows, in a third of the time
        structure = {name: array.take(indices, 0) for name, array in self.structure.items()} if self.structure else {}
        return Genes(self.values.take(indices, 0), structure, self.bounds)

    def with_values(self, values: Array) -> Genes:
        """Return these genes with other `values` [n, w], clipped to the bounds.

        Raises ValueError for values of another shape or dtype.
        """
        if values.shape != self.values.shape or values.dtype != self.values.dtype:
            expected, found = (f"{array.dtype} {list(array.shape)}" for array in (self.values, values))
            raise ValueError(f"new values of genes must be {expected} like the old ones, found {found}")
        return Genes(values if self.bounds is None else np.clip(values, *self.bounds), self.structure, self.bounds)

    @staticmethod
    def concatenated(parts: Sequence[Genes]) -> Genes:
        """Return the individuals of all `parts`, in order; the parts have the same arrays."""
        structure = {name: np.concatenate([part.structure[name] for part in parts]) for name in parts[0].structure}
        return Genes(np.concatenate([part.values for part in parts]), structure, parts[0].bounds)


@dataclass(frozen=True)
class Population:
    """P individuals: what they are, how good they are, and where they come from."""

    genes: Genes
    fitness: Array
    """float64 [P], or [P, M] for M objectives; maximised; −inf for an individual that failed."""
    ids: Array
    """int64 [P], unique over the run, never reused."""
    parents: Array
    """int64 [P, 2], the ids of mother and father; −1 for none."""
    ages: Array
    """int64 [P], steps survived."""

    def __len__(self) -> int:
        return len(self.genes)

    def take(self, indices: Array | slice) -> Population:
        """Return the individuals at `indices` [m]."""
        return Population(
            self.genes.take(indices),
            self.fitness[indices],
            self.ids[indices],
            self.parents[indices],
            self.ages[indices],
        )

    def older(self) -> Population:
        """Return the same individuals a step later."""
        return Population(self.genes, self.fitness, self.ids, self.parents, self.ages + 1)

    @staticmethod
    def born(genes: Genes, fitness: Array, first_id: int, parents: Array | None = None) -> Population:
        """Return newborn individuals, numbered from `first_id`; `parents` int64 [P, 2]."""
        n = len(genes)
        if parents is None:
            parents = np.full((n, 2), -1, np.int64)
        ids = np.arange(first_id, first_id + n, dtype=np.int64)
        return Population(genes, fitness, ids, parents, np.zeros(n, np.int64))

    @staticmethod
    def concatenated(parts: Sequence[Population]) -> Population:
        """Return the individuals of all `parts`, in order."""
        return Population(
            Genes.concatenated([part.genes for part in parts]),
            np.concatenate([part.fitness for part in parts]),
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.parents for part in parts]),
            np.concatenate([part.ages for part in parts]),
        )


def _lengths(structure: Mapping[str, Array]) -> set[int]:
    """Return the lengths of arrays, -1 for one without axes."""
    try:
        return set(map(len, structure.values()))
    except TypeError:
        return {-1}


def best_first(fitness: Array) -> Array:
    """Return the indices of `fitness` [P] from best to worst; equals keep their order."""
    return np.argsort(-fitness, kind="stable")
