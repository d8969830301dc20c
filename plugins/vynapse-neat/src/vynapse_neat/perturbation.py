# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mutation of a child's real numbers and of its choices: weights, biases, responses; activations, enabled flags."""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.draws import NEAR, PURPOSE, below, central, high, low, normal, tail, unit, word
from vynapse_neat.rates import (
    ACTIVATION_RATE,
    AGGREGATION_RATE,
    BIAS,
    CHOICES,
    EITHER,
    FLIP,
    FRESH,
    GENOME,
    LEAST,
    MEAN,
    MOST,
    NOISE,
    OUTPUTS_DRAW,
    PERTURB,
    POWER,
    REENABLE,
    RESPONSES,
    SPREAD,
    TOGGLE,
    WEIGHT,
    WITH_WEIGHTS,
)
from vynapse_neat.workspace import (
    ACTIVATION,
    AGGREGATION,
    AGGREGATIONS,
    BIAS_NODE,
    CHILD,
    ENABLED,
    FIXED,
    INPUTS,
    LANES,
    LINKS,
    OUTPUTS,
    RESPONSE,
    VALUES,
    WIDE,
    at_connection,
    at_node,
    connections_of,
    nodes_of,
)

WEIGHTS, BIASES, FACTORS, FLAGS, CHOSEN, CHANCES = PURPOSE * np.arange(3, 9)
"""Where the draws for each begin."""
OF_WEIGHTS, OF_BIASES, OF_RESPONSES, OF_TOGGLE, OF_REENABLE, WHICH_TOGGLED = CHANCES + np.arange(6)
"""Draws of which a child takes one each."""
NO, BIT_0 = np.uint64(0), np.uint64(1)


@routine_part
def noise(share: Any, is_normal: Any, size: Any) -> Any:
    """Return noise about 0 for a share in (0, 1)."""
    if is_normal:
        return normal(share) * size
    return (2.0 * share - 1.0) * size


@routine_part
def within(number: Any, rates: Any, kind: Any) -> Any:
    """Return the number nearest to `number` that its kind may be."""
    return min(max(number, rates[kind + LEAST]), rates[kind + MOST])


@routine_part
def fresh(bits: Any, rates: Any, kind: Any) -> Any:
    """Return a new number of a kind."""
    drawn = rates[kind + MEAN] + noise(low(bits), rates[kind + FRESH] != 0.0, rates[kind + SPREAD])
    return within(drawn, rates, kind)


@routine_part
def changed(
    values: Any, first: Any, last: Any, seed: Any, draws: Any, rates: Any, kind: Any, noises: Any, middles: Any,
    far: Any,
) -> None:  # fmt: skip
    """Perturb or replace the values `first` to `last`, or leave them, each by itself.

    It goes by LANES values at a time, up to LANES - 1 of which lie past the last and are written as they were. Each of
    `noises`, `middles` and `far` has room for all of them.
    """
    perturb, either, least, most = rates[kind + PERTURB], rates[kind + EITHER], rates[kind + LEAST], rates[kind + MOST]
    power, mean, spread = rates[kind + POWER], rates[kind + MEAN], rates[kind + SPREAD]
    perturb_normal, fresh_normal = rates[kind + NOISE] != 0.0, rates[kind + FRESH] != 0.0
    for k in range(0, last - first, LANES):
        for s in range(LANES):
            middles[k + s] = low(word(seed, draws + k + s)) - 0.5
    if perturb_normal or fresh_normal:
        for k in range(0, last - first, LANES):
            for s in range(LANES):
                noises[k + s] = central(middles[k + s])
        # few are far from the middle, and only they need a logarithm: listed first, as no branch of that is ever
        # predicted wrongly
        count = 0
        for k in range(last - first):
            far[count] = k
            count += int(abs(middles[k]) > NEAR)
        for i in range(count):
            noises[far[i]] = tail(middles[far[i]])
    for k in range(0, last - first, LANES):
        for s in range(LANES):
            share, before = high(word(seed, draws + k + s)), np.float64(values[first + k + s])
            even = 2.0 * middles[k + s]
            noise, new = noises[k + s] if perturb_normal else even, noises[k + s] if fresh_normal else even
            moved = min(max(before + noise * power, least), most)
            drawn = min(max(mean + new * spread, least), most)
            after = moved if share < perturb else (drawn if share < either else before)
            values[first + k + s] = after if first + k + s < last else before


@routine_part
def numbers_changed(
    cells: Any, values: Any, sizes: Any, rates: Any, seed: Any, noises: Any, middles: Any, far: Any
) -> None:  # fmt: skip
    """Change the weights, biases and responses of a child."""
    first = CHILD * sizes[VALUES]
    nodes = nodes_of(cells, sizes, CHILD)
    own = unit(word(seed, OF_WEIGHTS)) < rates[WEIGHT + GENOME]
    also = own if rates[WITH_WEIGHTS] != 0.0 else unit(word(seed, OF_BIASES)) < rates[BIAS + GENOME]
    if own:
        changed(
            values,
            first,
            first + connections_of(cells, sizes, CHILD),
            seed,
            WEIGHTS,
            rates,
            WEIGHT,
            noises,
            middles,
            far,
        )
    first += sizes[LINKS]
    if also and sizes[BIAS_NODE] == 0:
        changed(values, first + sizes[INPUTS], first + nodes, seed, BIASES, rates, BIAS, noises, middles, far)
    first += sizes[WIDE]
    if sizes[RESPONSE] != 0 and unit(word(seed, OF_RESPONSES)) < rates[RESPONSES + GENOME]:
        outputs, hidden = first + sizes[INPUTS], first + sizes[FIXED]
        changed(values, outputs, outputs + sizes[OUTPUTS], seed, FACTORS, rates, RESPONSES, noises, middles, far)
        changed(values, hidden, first + nodes, seed, FACTORS + sizes[FIXED], rates, RESPONSES, noises, middles, far)


@routine_part
def choices_changed(cells: Any, sizes: Any, rates: Any, seed: Any) -> None:
    """Draw activations, aggregations and enabled flags of a child anew, at their rates."""
    if rates[ACTIVATION_RATE] > 0.0 or rates[AGGREGATION_RATE] > 0.0:
        activation, aggregation = at_node(sizes, CHILD, ACTIVATION), at_node(sizes, CHILD, AGGREGATION)
        outputs_end = sizes[INPUTS] + sizes[OUTPUTS]
        for k in range(sizes[INPUTS] if rates[OUTPUTS_DRAW] != 0.0 else sizes[FIXED], nodes_of(cells, sizes, CHILD)):
            if outputs_end <= k and k < sizes[FIXED]:
                continue
            draws = CHOSEN + 4 * k
            if unit(word(seed, draws)) < rates[ACTIVATION_RATE]:
                cells[activation + k] = below(word(seed, draws + 1), np.int64(rates[CHOICES]))
            if unit(word(seed, draws + 2)) < rates[AGGREGATION_RATE]:
                cells[aggregation + k] = below(word(seed, draws + 3), sizes[AGGREGATIONS])
    enabled, connections = at_connection(sizes, CHILD, ENABLED), connections_of(cells, sizes, CHILD)
    if rates[FLIP] > 0.0:
        for k in range(0, connections, LANES):
            for s in range(LANES):
                bits, before = word(seed, FLAGS + k + s), np.int64(cells[enabled + k + s])
                drawn = unit(bits) < rates[FLIP] and k + s < connections
                cells[enabled + k + s] = np.int64(bits & BIT_0) if drawn else before
    if rates[TOGGLE] > 0.0 and connections > 0 and unit(word(seed, OF_TOGGLE)) < rates[TOGGLE]:
        k = enabled + below(word(seed, WHICH_TOGGLED), connections)
        cells[k] = 1 - cells[k]
    if rates[REENABLE] > 0.0 and unit(word(seed, OF_REENABLE)) < rates[REENABLE]:
        for k in range(enabled, enabled + connections):
            if cells[k] == 0:
                cells[k] = 1
                break
