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
    ACTIVATION,
    AGGREGATION,
    CHILD,
    ENABLED,
    ID,
    INNOVATION,
    INPUTS,
    LINKS,
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
def one_or_mean(x: Any, y: Any, second: Any, average: Any) -> Any:
    """Return one of two float32 numbers, or their mean."""
    if average:
        return np.float64(x) * 0.5 + np.float64(y) * 0.5
    return np.float64(y) if second else np.float64(x)


@routine_part
def matched_enabled(x: Any, y: Any, bits: Any, crossing: Any) -> Any:
    """Return whether a gene is enabled that is so or not in its parents."""
    disable = crossing[DISABLE_BOTH] if x == y else crossing[DISABLE]
    if x == y and (x == 1 or disable < 0.0):
        return np.int64(x)
    if disable < 0.0:
        return np.int64(y) if (bits & BIT_0) != NO else np.int64(x)
    return np.int64(unit(bits) >= disable)


@routine_part
def mixed_connection(
    cells: Any, values: Any, sizes: Any, crossing: Any, mean: Any, bits: Any, other: Any, j: Any, k: Any
) -> None:
    """Mix connection k of the child, a copy of one parent's, with the matching connection j of the other parent."""
    x, y = values[CHILD * sizes[VALUES] + k], values[other * sizes[VALUES] + j]
    values[CHILD * sizes[VALUES] + k] = one_or_mean(x, y, (bits & BIT_0) != NO, mean)
    ours = at_connection(sizes, CHILD, ENABLED) + k
    theirs = cells[at_connection(sizes, other, ENABLED) + j]
    cells[ours] = matched_enabled(cells[ours], theirs, bits, crossing)


@routine_part
def mixed_node(cells: Any, values: Any, sizes: Any, mean: Any, bits: Any, other: Any, j: Any, k: Any) -> None:
    """Mix node k of the child, a copy of one parent's, with the matching node j of the other parent."""
    if (bits & BIT_0) != NO:
        cells[at_node(sizes, CHILD, ACTIVATION) + k] = cells[at_node(sizes, other, ACTIVATION) + j]
    if (bits & BIT_1) != NO:
        cells[at_node(sizes, CHILD, AGGREGATION) + k] = cells[at_node(sizes, other, AGGREGATION) + j]
    ours, theirs = CHILD * sizes[VALUES] + sizes[LINKS] + k, other * sizes[VALUES] + sizes[LINKS] + j
    values[ours] = one_or_mean(values[ours], values[theirs], (bits & BIT_2) != NO, mean)
    if sizes[RESPONSE]:
        ours, theirs = ours + sizes[WIDE], theirs + sizes[WIDE]
        values[ours] = one_or_mean(values[ours], values[theirs], (bits & BIT_3) != NO, mean)


@routine_part
def mixed(cells: Any, values: Any, sizes: Any, crossing: Any, seed: Any, other: Any) -> None:
    """Mix a child that is a copy of the fitter parent with the matching genes of the other parent."""
    mean = unit(word(seed, WHOLE)) < crossing[AVERAGE]
    ours, theirs = at_connection(sizes, CHILD, INNOVATION), at_connection(sizes, other, INNOVATION)
    j, last = 0, connections_of(cells, sizes, other)
    for k in range(connections_of(cells, sizes, CHILD)):
        wanted = cells[ours + k]
        while j < last and cells[theirs + j] < wanted:
            j += 1
        if j == last:
            break
        if cells[theirs + j] == wanted:
            mixed_connection(cells, values, sizes, crossing, mean, word(seed, OF_CONNECTIONS + k), other, j, k)
    ours, theirs = at_node(sizes, CHILD, ID), at_node(sizes, other, ID)
    # inputs have no attributes
    j, last = sizes[INPUTS], nodes_of(cells, sizes, other)
    for k in range(sizes[INPUTS], nodes_of(cells, sizes, CHILD)):
        wanted = cells[ours + k]
        while j < last and cells[theirs + j] < wanted:
            j += 1
        if j == last:
            break
        if cells[theirs + j] == wanted:
            mixed_node(cells, values, sizes, mean, word(seed, OF_NODES + k), other, j, k)
