# SPDX-License-Identifier: MIT OR Apache-2.0
"""How far apart two genomes are: what speciation goes by.

Genes that stem from one innovation match. A merge of two ascending lists finds them, so that a comparison costs the sum
of two lengths. It ends early where the distance is already past what anybody asks for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from pydantic import Field

from vynapse_core import Settings, routine, routine_part

if TYPE_CHECKING:
    from vynapse_core import Array
    from vynapse_neat.layout import Layout

Rule: TypeAlias = Literal["stanley2002", "jair2004", "neat-python", "tensorneat"]

SIDE = "int32[:], {key}[:, :], int32[:, :], float32[:, :], int32[:, :], int32[:], int32[:, :], int32[:, :], int32[:, :]"
"""What a routine takes of one side of a comparison: a `Side`."""


class Compatibility(Settings):
    """A rule of distance, and its coefficients.

    - "stanley2002": excess · E/N + disjoint · D/N + weight · W, with E and D the excess and the disjoint connections, W
      the mean difference of the weights of matching ones, and N the connections of the larger genome, or 1 where both
      have fewer than 20. Stanley & Miikkulainen 2002, equation 1.
    - "jair2004": the same with N = 1. Stanley & Miikkulainen 2004 (JAIR 21), appendix A.
    - "neat-python": (disjoint · U + weight · V) / N of connections, plus the same of nodes. U counts what does not
      match; V sums over matching ones the differences of weights, biases and responses, and 1 for each differing
      activation, aggregation and enabled flag; N is the larger count; inputs are no nodes. Connections match by their
      ends, whatever their innovation. `excess` is not looked at. neat-python 2.0.
    - "tensorneat": the same, but enabled flags are not compared, and inputs are nodes. TensorNEAT, `DefaultDistance`.
    """

    rule: Rule = "stanley2002"
    excess: float = Field(1.0, ge=0)
    """c1, the weight of excess genes, at least 0."""
    disjoint: float = Field(1.0, ge=0)
    """c2, the weight of disjoint genes, at least 0."""
    weight: float = Field(0.4, ge=0)
    """c3, the weight of differences between matching genes, at least 0."""

    @property
    def by_ends(self) -> bool:
        """Whether connections match by their ends, and nodes count."""
        return self.rule in _BY_ENDS

    def terms(self, layout: Layout) -> Array:
        """Return the rule as numbers, float64 [9], for the routines."""
        disabled, uncounted = 0.0, 0
        if self.rule == "neat-python":
            disabled, uncounted = 1.0, layout.inputs + layout.bias_node
        small, choices = _SMALL.get(self.rule, 0.0), max(len(layout.activations), len(layout.aggregations)) > 1
        terms = [
            self.excess,
            self.disjoint,
            self.weight,
            small,
            self.by_ends,
            disabled,
            uncounted,
            choices,
            layout.inputs,
        ]
        return np.array(terms, np.float64)


_SMALL: dict[str, float] = {"stanley2002": 20.0, "jair2004": math.inf}
"""Below so many connections in both genomes, N is 1."""
_BY_ENDS = ("neat-python", "tensorneat")


PART = 64
"""Genomes that share scratch space, so that it stays in the cache."""
FEW = 64
"""So many connections are soonest put in order by comparing each with all."""


class Side(NamedTuple):
    """P genomes as a rule reads them: what a routine takes of them, in order."""

    connections: Array
    """int32 [P]."""
    keys: Array
    """[P, C], ascending: innovations int32, or both ends as one int64."""
    places: Array
    """int32 [P, C], where in the genes the connection of each key stands; not looked at where keys are innovations, as
    those ascend in the genes."""
    values: Array
    """float32 [P, ...], the genes'."""
    enabled: Array
    """int32 [P, C], the genes'."""
    nodes: Array
    """int32 [P]."""
    node: Array
    """int32 [P, N]."""
    activation: Array
    """int32 [P, N]."""
    aggregation: Array
    """int32 [P, N]."""

    @property
    def population(self) -> int:
        """P."""
        return len(self.connections)


@routine_part
def size_of(terms: Any, n: Any, m: Any) -> Any:
    """Return the N of a rule for genomes of n and m connections."""
    larger = max(np.float64(n), np.float64(m))
    return 1.0 if larger < terms[3] else max(larger, 1.0)


@routine_part
def apart_by_innovation(terms: Any, n: Any, m: Any, matching: Any, excess: Any, difference: Any) -> Any:
    """Return the distance of genomes of n and m connections, of which some match and some are excess genes."""
    size = size_of(terms, n, m)
    disjoint = np.float64(n) + np.float64(m) - 2.0 * matching - excess
    mean = difference / max(matching, 1.0)
    return terms[0] * excess / size + terms[1] * disjoint / size + terms[2] * mean


@routine_part
def apart_by_ends(terms: Any, n: Any, m: Any, matching: Any, difference: Any) -> Any:
    """Return the distance of n and m connections, of which some match."""
    unmatched = np.float64(n) + np.float64(m) - 2.0 * matching
    return (terms[1] * unmatched + terms[2] * difference) / size_of(terms, n, m)


@routine_part
def apart_by_nodes(terms: Any, n: Any, m: Any, matching: Any, difference: Any) -> Any:
    """Return the distance of n and m nodes, of which some match."""
    unmatched = np.float64(n) + np.float64(m) - 2.0 * matching
    counted = max(max(np.float64(n), np.float64(m)) - terms[6], 1.0)
    return (terms[1] * unmatched + terms[2] * difference) / counted


@routine_part
def distance(
    terms: Array, limit: float,
    a: int, connections_a: Array, keys_a: Array, places_a: Array, values_a: Array, enabled_a: Array,
    nodes_a: Array, node_a: Array, activation_a: Array, aggregation_a: Array,
    b: int, connections_b: Array, keys_b: Array, places_b: Array, values_b: Array, enabled_b: Array,
    nodes_b: Array, node_b: Array, activation_b: Array, aggregation_b: Array,
) -> Any:  # fmt: skip
    """Return the distance of row `a` of one side from row `b` of another.

    Where it is not less than `limit`, any number that is not may come instead.
    """
    n, m = connections_a[a], connections_b[b]
    excess, disjoint, weight, disabled = terms[0], terms[1], terms[2], terms[5]
    by_ends = terms[4] != 0.0
    larger, smaller = max(n, m), min(n, m)
    size = size_of(terms, n, m)
    rest = disjoint if by_ends else min(excess, disjoint)
    # a bound is a little less than what it bounds, whatever the rounding
    enough = limit * 1.000001
    if rest * np.float64(larger - smaller) / size >= enough:
        return np.inf
    divisor = size if by_ends else np.float64(max(smaller, 1))
    i, j, unmatched, difference = 0, 0, 0, 0.0
    while i < n and j < m:
        key, other = keys_a[a, i], keys_b[b, j]
        if key == other:
            at, to = (np.int64(places_a[a, i]), np.int64(places_b[b, j])) if by_ends else (np.int64(i), np.int64(j))
            difference += abs(np.float64(values_a[a, at]) - np.float64(values_b[b, to]))
            if disabled != 0.0 and enabled_a[a, at] != enabled_b[b, to]:
                difference += disabled
            i += 1
            j += 1
        else:
            unmatched += 1
            if key < other:
                i += 1
            else:
                j += 1
        # a step is 1 or 2, so that it cannot pass both
        if (i + j) & 62 == 0 and rest * np.float64(unmatched) / size + weight * difference / divisor >= enough:
            return np.inf
    left = n - i + m - j
    matching = np.float64((n + m - left - unmatched) // 2)
    if not by_ends:
        return apart_by_innovation(terms, n, m, matching, np.float64(left), difference)
    total = apart_by_ends(terms, n, m, matching, difference)
    if total >= enough:
        return np.inf
    n, m = nodes_a[a], nodes_b[b]
    biases_a, biases_b = enabled_a.shape[1], enabled_b.shape[1]
    responses_a, responses_b = biases_a + node_a.shape[1], biases_b + node_b.shape[1]
    response = values_a.shape[1] > responses_a
    # inputs are in every genome, and have no traits
    inputs = int(terms[8])
    i, j, matching, difference = inputs, inputs, terms[8], 0.0
    while i < n and j < m:
        if node_a[a, i] == node_b[b, j]:
            difference += abs(np.float64(values_a[a, biases_a + i]) - np.float64(values_b[b, biases_b + j]))
            if response:
                difference += abs(np.float64(values_a[a, responses_a + i]) - np.float64(values_b[b, responses_b + j]))
            if activation_a[a, i] != activation_b[b, j]:
                difference += 1.0
            if aggregation_a[a, i] != aggregation_b[b, j]:
                difference += 1.0
            matching += 1.0
            i += 1
            j += 1
        elif node_a[a, i] < node_b[b, j]:
            i += 1
        else:
            j += 1
    total += apart_by_nodes(terms, n, m, matching, difference)
    return total


@routine(f"int64[:], int64[:], float64[:], {SIDE}, {SIDE}, float64[:, :]", grain=256)
def distances_found(
    first: int, last: int, rows: Array, columns: Array, terms: Array,
    connections_a: Array, keys_a: Array, places_a: Array, values_a: Array, enabled_a: Array,
    nodes_a: Array, node_a: Array, activation_a: Array, aggregation_a: Array,
    connections_b: Array, keys_b: Array, places_b: Array, values_b: Array, enabled_b: Array,
    nodes_b: Array, node_b: Array, activation_b: Array, aggregation_b: Array,
    found: Array,
) -> None:  # fmt: skip
    """Write the distances of the `rows` from `first` to `last` from all `columns`."""
    for i in range(first, last):
        for j in range(len(columns)):
            found[i, j] = distance(
                terms, np.inf,
                rows[i], connections_a, keys_a, places_a, values_a, enabled_a, nodes_a, node_a, activation_a,
                aggregation_a,
                columns[j], connections_b, keys_b, places_b, values_b, enabled_b, nodes_b, node_b, activation_b,
                aggregation_b,
            )  # fmt: skip


@routine_part
def shell_sorted(row: int, n: int, keys: Array, places: Array) -> None:
    """Order a row by its keys: Shell's sort, with gaps as by Gonnet & Baeza-Yates 1991."""
    gap = n
    while gap > 1:
        gap = max(gap * 5 // 11, 1)
        for i in range(gap, n):
            key, place = keys[row, i], places[row, i]
            j = i
            while j >= gap and keys[row, j - gap] > key:
                keys[row, j] = keys[row, j - gap]
                places[row, j] = places[row, j - gap]
                j -= gap
            keys[row, j], places[row, j] = key, place


@routine("int32[:], int32[:, :], int32[:, :], int64[:, :], int64[:, :], int32[:, :]", grain=2, distinct=True)
def ordered_by_ends(
    first: int, last: int, connections: Array, source: Array, target: Array, unordered: Array, keys: Array,
    places: Array,
) -> None:  # fmt: skip
    """Order the connections of the parts from `first` to `last` by their ends; scratch space is [parts, ...]."""
    for part in range(first, last):
        for row in range(part * PART, min(part * PART + PART, connections.shape[0])):
            n = int(connections[row])
            for i in range(n):
                unordered[part, i] = np.int64(source[row, i]) * 4294967296 + np.int64(target[row, i])
            if n <= FEW:
                # a place is how many come before it: no branch of that is ever predicted wrongly
                for i in range(n):
                    key, place = unordered[part, i], np.int64(0)
                    for j in range(n):
                        place += np.int64(unordered[part, j] < key)
                    keys[row, place] = key
                    places[row, place] = i
            else:
                for i in range(n):
                    keys[row, i] = unordered[part, i]
                    places[row, i] = i
                shell_sorted(row, n, keys, places)
