# SPDX-License-Identifier: MIT OR Apache-2.0
"""What children are given of what they proposed, once it has its numbers: nodes and connections."""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine
from vynapse_neat.draws import PURPOSE, below, word
from vynapse_neat.innovation import ABSENT, CONNECTION, ENDPOINT
from vynapse_neat.perturbation import fresh
from vynapse_neat.rates import CHOICES, WEIGHT
from vynapse_neat.workspace import AGGREGATIONS, GENES, RESPONSE

CHOSEN = 12 * PURPOSE
NEW_ACTIVATION, NEW_AGGREGATION, NEW_WEIGHT = CHOSEN + np.arange(3)
"""Draws for what is added."""


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
