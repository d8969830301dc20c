# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mutation of a child in a workspace: its structure, its choices, its real numbers."""

from __future__ import annotations

from typing import Any

from vynapse_core import routine_part
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
from vynapse_neat.innovation import ABSENT
from vynapse_neat.perturbation import choices_changed, numbers_changed
from vynapse_neat.rates import EXCLUSIVE
from vynapse_neat.workspace import CHILD, FIXED, connections_of, nodes_of


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
        numbers_changed(cells, values, sizes, rates, seed, lanes)
