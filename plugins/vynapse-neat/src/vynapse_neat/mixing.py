# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a child has of genes that both parents have: matching genes of Stanley & Miikkulainen 2002, section 3.2.

Lists of connections ascend by innovation and lists of nodes by id: what matches eight genes of one parent stands near
together in the other.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from pydantic import Field

from vynapse_core import Settings, routine_part
from vynapse_neat.draws import PURPOSE, unit, word
from vynapse_neat.workspace import (
    CHILD,
    ENABLED,
    FIRST,
    ID,
    INNOVATION,
    INPUTS,
    LANES,
    LINKS,
    RESPONSE,
    VALUES,
    WIDE,
    at_connection,
    at_node,
    connections_of,
    nodes_of,
    whole_lanes,
)

if TYPE_CHECKING:
    from vynapse_core import Array

EqualFitness: TypeAlias = Literal["random", "both", "smaller", "mother"]

AVERAGE, DISABLE, DISABLE_BOTH, EQUAL = range(4)
"""Places in the table of a `Crossing`."""
SMALLER = 2
"""Place of "smaller" in `EqualFitness`: before it are those that take genes of both parents."""
OF_CONNECTIONS, OF_NODES, WHOLE = PURPOSE * np.arange(3)
"""Where the draws for connections, for nodes and for the whole crossover begin."""
SCANNED = 32
"""With so many genes at most, each gene of the other parent is compared: few branches are then predicted wrongly."""
NO, BIT_0, LOW_BITS = np.uint64(0), np.uint64(1), np.uint64(15)


class Crossing(Settings):
    """How two parents make a child. The defaults are those of Stanley & Miikkulainen 2002."""

    average: float = Field(0.0, ge=0, le=1)
    """Probability that a crossover gives matching genes the mean of both weights, and not one of them at random."""
    disable: float | None = Field(0.75, ge=0, le=1)
    """Probability that a matching gene which is disabled in either parent is disabled in the child; otherwise it is
    enabled, whatever the parent has whose weight it takes. None: it is enabled as in one parent at random."""
    disable_both: float | None = Field(None, ge=0, le=1)
    """The same for a gene that is disabled in both parents; None: `disable` holds for it too."""
    equal: EqualFitness = "random"
    """What a child of equally fit parents has of the genes that only one parent has: "random" each with probability
    1/2, "both" all, "smaller" those of the parent with fewer connections, "mother" those of the one drawn first."""


@cache
def crossing_table(crossing: Crossing) -> Array:
    """Return the numbers of a `Crossing` for routines: float64 [4]."""
    disable = -1.0 if crossing.disable is None else crossing.disable
    both = disable if crossing.disable_both is None else crossing.disable_both
    table = np.array([crossing.average, disable, both, get_args(EqualFitness).index(crossing.equal)])
    table.flags.writeable = False
    return table


@routine_part
def bits_of(number: Any) -> Any:
    """Return the bits of a float32 as an int32."""
    return np.float32(number).view(np.int32)


@routine_part
def of_bits(bits: Any) -> Any:
    """Return the float32 of the bits in an int32."""
    return np.int32(bits).view(np.float32)


@routine_part
def one_or_other(one: Any, other: Any, second: Any) -> Any:
    """Return one of two integers. It is computed, as a compiler would choose between addresses, and by a branch."""
    return one + (other - one) * np.int64(second)


@routine_part
def one_or_mean(x: Any, y: Any, second: Any, average: Any) -> Any:
    """Return one of two float32 numbers, or their mean."""
    mean, one = np.float64(x) * 0.5 + np.float64(y) * 0.5, np.float64(y if second else x)
    return mean if average else one


@routine_part
def matched_enabled(x: Any, y: Any, second: Any, share: Any, either: Any, both: Any) -> Any:
    """Return whether a gene is enabled that is so or not in its parents; see `Crossing` for the two probabilities."""
    disable = both if x == y else either
    one, drawn = y if second else x, np.int32(share >= disable)
    # no branch: each would be predicted wrongly
    return one if (disable < 0.0) | ((x == y) & (x == 1)) else drawn


@routine_part
def first_near(cells: Any, theirs: Any, others: Any, first: Any, least: Any) -> Any:
    """Return where, in whole LANES, the first of `others` ascending numbers is that is `least` or more."""
    while first + LANES < others and cells[theirs + first + LANES - 1] < least:
        first += LANES
    return first


@routine_part
def last_near(cells: Any, theirs: Any, others: Any, first: Any, most: Any) -> Any:
    """Return the end, in whole LANES, of those of `others` ascending numbers that are `most` or less."""
    while first < others and cells[theirs + first] <= most:
        first += LANES
    return first


@routine_part
def connections_mixed(
    cells: Any, values: Any, sizes: Any, crossing: Any, mean: Any, seed: Any, other: Any, spots: Any, shares: Any
) -> None:
    """Mix the connections of a child, a copy of one parent's, with the matching ones of the other parent.

    LANES of ours are compared with each of theirs where these are few, else with those between the first and the last
    of ours. What a match has is put beside ours: one more than its flag, its weight's bits; 0 stands beside no match.
    """
    links, others = connections_of(cells, sizes, CHILD), connections_of(cells, sizes, other)
    ours, theirs = at_connection(sizes, CHILD, INNOVATION), at_connection(sizes, other, INNOVATION)
    enabled, flags = at_connection(sizes, CHILD, ENABLED), at_connection(sizes, other, ENABLED)
    weights, their_weights = CHILD * sizes[VALUES], other * sizes[VALUES]
    either, both = crossing[DISABLE], crossing[DISABLE_BOTH]
    first, last = FIRST, whole_lanes(others)
    for k in range(0, links, LANES):
        # drawn ahead of a loop whose end a processor often predicts wrongly: so it need not wait for the draws there
        for s in range(LANES):
            bits = word(seed, OF_CONNECTIONS + k + s)
            shares[s] = unit(bits)
            spots[2 * LANES + s] = np.int64(bits & BIT_0)
        if others > SCANNED:
            first = first_near(cells, theirs, others, first, cells[ours + k])
            last = last_near(cells, theirs, others, first, cells[ours + min(k + LANES, links) - 1])
        for s in range(LANES):
            spots[s] = 0
        for s in range(LANES):
            spots[LANES + s] = 0
        for j in range(first, last):
            known, flag, weight = cells[theirs + j], cells[flags + j] + 1, bits_of(values[their_weights + j])
            for s in range(LANES):
                match = cells[ours + k + s] == known
                spots[s] |= flag if match else 0
                spots[LANES + s] |= weight if match else 0
        for s in range(LANES):
            match, second = (spots[s] > 0) & (k + s < links), spots[2 * LANES + s] != 0
            weight, flag = values[weights + k + s], cells[enabled + k + s]
            new = one_or_mean(weight, of_bits(spots[LANES + s]), second, mean)
            values[weights + k + s] = new if match else np.float64(weight)
            drawn = matched_enabled(flag, spots[s] - 1, second, shares[s], either, both)
            cells[enabled + k + s] = drawn if match else flag


@routine_part
def nodes_mixed(cells: Any, values: Any, sizes: Any, mean: Any, seed: Any, other: Any, spots: Any) -> None:
    """Mix the nodes of a child likewise. Inputs have no attributes.

    Of a match, `spots` [5, LANES] have one more than its activation, its aggregation, and the bits of its bias and of
    its response, 0 where there is no match; and then what is drawn for a node of ours.
    """
    inputs, wide = sizes[INPUTS], sizes[WIDE]
    ours, theirs = at_node(sizes, CHILD, ID), at_node(sizes, other, ID)
    nodes, others = nodes_of(cells, sizes, CHILD), nodes_of(cells, sizes, other)
    biases, their_biases = CHILD * sizes[VALUES] + sizes[LINKS], other * sizes[VALUES] + sizes[LINKS]
    begin, last = inputs // LANES * LANES, whole_lanes(others)
    first = begin
    for k in range(begin, nodes, LANES):
        for s in range(LANES):
            spots[4 * LANES + s] = np.int64(word(seed, OF_NODES + k + s) & LOW_BITS)
        if others > SCANNED:
            first = first_near(cells, theirs, others, first, cells[ours + k])
            last = last_near(cells, theirs, others, first, cells[ours + min(k + LANES, nodes) - 1])
        for s in range(LANES):
            spots[s] = 0
        for s in range(LANES):
            spots[LANES + s] = 0
        for s in range(LANES):
            spots[2 * LANES + s] = 0
        for j in range(first, last):
            known, bias = cells[theirs + j], bits_of(values[their_biases + j])
            activation, aggregation = cells[theirs + wide + j] + 1, cells[theirs + 2 * wide + j]
            for s in range(LANES):
                match = cells[ours + k + s] == known
                spots[s] |= activation if match else 0
                spots[LANES + s] |= aggregation if match else 0
                spots[2 * LANES + s] |= bias if match else 0
        for s in range(LANES):
            spots[s] = spots[s] if (k + s >= inputs) & (k + s < nodes) else 0
        for s in range(LANES):
            second, own, their = spots[4 * LANES + s] & 1, np.int64(cells[ours + wide + k + s]), np.int64(spots[s])
            cells[ours + wide + k + s] = one_or_other(own, their - 1, (their > 0) & (second != 0))
        for s in range(LANES):
            second, match, own = spots[4 * LANES + s] & 2, spots[s] > 0, np.int64(cells[ours + 2 * wide + k + s])
            cells[ours + 2 * wide + k + s] = one_or_other(own, np.int64(spots[LANES + s]), match & (second != 0))
        for s in range(LANES):
            second, match, bias = spots[4 * LANES + s] & 4, spots[s] > 0, values[biases + k + s]
            new = one_or_mean(bias, of_bits(spots[2 * LANES + s]), second != 0, mean)
            values[biases + k + s] = new if match else np.float64(bias)
        if sizes[RESPONSE]:
            for s in range(LANES):
                spots[3 * LANES + s] = 0
            for j in range(first, last):
                known, response = cells[theirs + j], bits_of(values[their_biases + wide + j])
                for s in range(LANES):
                    spots[3 * LANES + s] |= response if cells[ours + k + s] == known else 0
            for s in range(LANES):
                second, match, response = spots[4 * LANES + s] & 8, spots[s] > 0, values[biases + wide + k + s]
                new = one_or_mean(response, of_bits(spots[3 * LANES + s]), second != 0, mean)
                values[biases + wide + k + s] = new if match else np.float64(response)


@routine_part
def mixed(cells: Any, values: Any, sizes: Any, crossing: Any, seed: Any, other: Any, spots: Any, shares: Any) -> None:
    """Mix a child that is a copy of the fitter parent with the matching genes of the other parent."""
    mean = unit(word(seed, WHOLE)) < crossing[AVERAGE]
    connections_mixed(cells, values, sizes, crossing, mean, seed, other, spots, shares)
    nodes_mixed(cells, values, sizes, mean, seed, other, spots)
