# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a child has of genes that both parents have: matching genes of Stanley & Miikkulainen 2002, section 3.2.

Lists of connections ascend by innovation and lists of nodes by id, so that one merge finds which genes match.
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
    ID,
    INNOVATION,
    INPUTS,
    LANES,
    LINKS,
    LONGEST,
    RESPONSE,
    VALUES,
    WIDE,
    at_connection,
    at_node,
    connections_of,
    nodes_of,
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
"""With so many genes at most, each gene of the other parent is compared: no branch is then predicted wrongly."""
NO, BIT_0, BIT_1, BIT_2, BIT_3 = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(8)


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
def one_or_other(one: Any, other: Any, second: Any) -> Any:
    """Return one of two integers. It is computed, as a compiler would choose between addresses, and by a branch."""
    return one + (other - one) * np.int64(second)


@routine_part
def one_or_mean(x: Any, y: Any, second: Any, average: Any) -> Any:
    """Return one of two float32 numbers, or their mean."""
    mean, one = np.float64(x) * 0.5 + np.float64(y) * 0.5, np.float64(y if second else x)
    return mean if average else one


@routine_part
def matched_enabled(x: Any, y: Any, bits: Any, crossing: Any) -> Any:
    """Return whether a gene is enabled that is so or not in its parents."""
    disable = crossing[DISABLE_BOTH] if x == y else crossing[DISABLE]
    one, drawn = y if (bits & BIT_0) != NO else x, np.int32(unit(bits) >= disable)
    # no branch: each would be predicted wrongly
    return one if (disable < 0.0) | ((x == y) & (x == 1)) else drawn


@routine_part
def matched(cells: Any, ours: Any, count: Any, theirs: Any, others: Any, spots: Any) -> None:
    """Write to `spots` which of `others` ascending numbers each of `count` others equals, -1 for none.

    They stand in the cells from `theirs` and from `ours` on. LANES of ours are compared with each of theirs where these
    are few, else with those between the first and the last of ours. Behind each list there is room for LANES.
    """
    first, last = 0, others
    for k in range(0, count, LANES):
        if others > SCANNED:
            while first < others and cells[theirs + first] < cells[ours + k]:
                first += 1
            last = first
            while last < others and cells[theirs + last] <= cells[ours + min(k + LANES, count) - 1]:
                last += 1
        for s in range(LANES):
            spots[k + s] = -1
        # four at a time, the last ones first: what lies behind all of theirs equals nothing, or gives way
        for back in range(0, last - first, 4):
            j = first + (last - first - 1) // 4 * 4 - back
            at = theirs + j
            for s in range(LANES):
                own, spot = cells[ours + k + s], spots[k + s]
                spot = np.int32(j + 3) if own == cells[at + 3] else spot
                spot = np.int32(j + 2) if own == cells[at + 2] else spot
                spot = np.int32(j + 1) if own == cells[at + 1] else spot
                spots[k + s] = np.int32(j) if own == cells[at] else spot
        for s in range(LANES):
            spots[k + s] = spots[k + s] if (spots[k + s] < last) & (k + s < count) else -1


@routine_part
def connections_mixed(
    cells: Any, values: Any, sizes: Any, crossing: Any, mean: Any, seed: Any, other: Any, spots: Any, numbers: Any
) -> None:
    """Mix the connections of a child, a copy of one parent's, with the matching ones of the other parent.

    What theirs are is first put beside ours, so that all else happens LANES at a time.
    """
    links = connections_of(cells, sizes, CHILD)
    ours, theirs = at_connection(sizes, CHILD, INNOVATION), at_connection(sizes, other, INNOVATION)
    matched(cells, ours, links, theirs, connections_of(cells, sizes, other), spots)
    flags, weights, enabled = sizes[LONGEST], other * sizes[VALUES], at_connection(sizes, other, ENABLED)
    for k in range(links):
        j = max(np.int64(spots[k]), 0)
        numbers[k] = values[weights + j]
        spots[flags + k] = cells[enabled + j]
    weights, enabled = CHILD * sizes[VALUES], at_connection(sizes, CHILD, ENABLED)
    for k in range(0, links, LANES):
        for s in range(LANES):
            bits, match = word(seed, OF_CONNECTIONS + k + s), spots[k + s] >= 0
            weight, flag = values[weights + k + s], cells[enabled + k + s]
            new = one_or_mean(weight, numbers[k + s], (bits & BIT_0) != NO, mean)
            values[weights + k + s] = new if match else np.float64(weight)
            cells[enabled + k + s] = matched_enabled(flag, spots[flags + k + s], bits, crossing) if match else flag


@routine_part
def nodes_mixed(
    cells: Any, values: Any, sizes: Any, mean: Any, seed: Any, other: Any, spots: Any, numbers: Any
) -> None:  # fmt: skip
    """Mix the nodes of a child likewise. Inputs have no attributes."""
    inputs, wide, longest = sizes[INPUTS], sizes[WIDE], sizes[LONGEST]
    ours, theirs = at_node(sizes, CHILD, ID) + inputs, at_node(sizes, other, ID) + inputs
    nodes = nodes_of(cells, sizes, CHILD) - inputs
    matched(cells, ours, nodes, theirs, nodes_of(cells, sizes, other) - inputs, spots)
    biases = other * sizes[VALUES] + sizes[LINKS] + inputs
    for k in range(nodes):
        j = max(np.int64(spots[k]), 0)
        spots[longest + k] = cells[theirs + wide + j]
        spots[2 * longest + k] = cells[theirs + 2 * wide + j]
        numbers[k] = values[biases + j]
    biases, draws = CHILD * sizes[VALUES] + sizes[LINKS] + inputs, OF_NODES + inputs
    for k in range(0, nodes, LANES):
        for s in range(LANES):
            bits, match = word(seed, draws + k + s), spots[k + s] >= 0
            own, their = np.int64(cells[ours + wide + k + s]), np.int64(spots[longest + k + s])
            cells[ours + wide + k + s] = one_or_other(own, their, match & ((bits & BIT_0) != NO))
        for s in range(LANES):
            bits, match = word(seed, draws + k + s), spots[k + s] >= 0
            own, their = np.int64(cells[ours + 2 * wide + k + s]), np.int64(spots[2 * longest + k + s])
            cells[ours + 2 * wide + k + s] = one_or_other(own, their, match & ((bits & BIT_1) != NO))
        for s in range(LANES):
            bits, match, bias = word(seed, draws + k + s), spots[k + s] >= 0, values[biases + k + s]
            new = one_or_mean(bias, numbers[k + s], (bits & BIT_2) != NO, mean)
            values[biases + k + s] = new if match else np.float64(bias)
    if sizes[RESPONSE]:
        for k in range(nodes):
            numbers[k] = values[other * sizes[VALUES] + sizes[LINKS] + inputs + wide + max(np.int64(spots[k]), 0)]
        for k in range(0, nodes, LANES):
            for s in range(LANES):
                bits, match, response = word(seed, draws + k + s), spots[k + s] >= 0, values[biases + wide + k + s]
                new = one_or_mean(response, numbers[k + s], (bits & BIT_3) != NO, mean)
                values[biases + wide + k + s] = new if match else np.float64(response)


@routine_part
def mixed(
    cells: Any, values: Any, sizes: Any, crossing: Any, seed: Any, other: Any, spots: Any, numbers: Any
) -> None:  # fmt: skip
    """Mix a child that is a copy of the fitter parent with the matching genes of the other parent."""
    mean = unit(word(seed, WHOLE)) < crossing[AVERAGE]
    connections_mixed(cells, values, sizes, crossing, mean, seed, other, spots, numbers)
    nodes_mixed(cells, values, sizes, mean, seed, other, spots, numbers)
