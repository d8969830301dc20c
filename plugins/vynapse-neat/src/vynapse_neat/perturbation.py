# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mutation of a child's real numbers and of its choices: weights, biases, responses; activations, enabled flags."""

from __future__ import annotations

from typing import Any

import numpy as np

from vynapse_core import routine_part
from vynapse_neat.draws import NEAR, PURPOSE, below, central, high, low, normal, tail, trailing_zeros, unit, word
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
    FIRST,
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
    whole_lanes,
)

WEIGHTS, BIASES, FACTORS, FLAGS, CHOSEN, CHANCES = PURPOSE * np.arange(3, 9)
"""Where the draws for each begin."""
OF_WEIGHTS, OF_BIASES, OF_RESPONSES, OF_TOGGLE, OF_REENABLE, WHICH_TOGGLED = CHANCES + np.arange(6)
"""Draws of which a child takes one each."""
NO, BIT_0 = np.uint64(0), np.uint64(1)
PLACES = 64
"""Bits of a word."""


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
def drawn(first: Any, count: Any, seed: Any, draws: Any, rates: Any, kind: Any, middles: Any, shares: Any) -> Any:
    """Write draws for `count` numbers of a kind to `middles` and `shares` from `first` on; return where they end.

    A share says whether a number changes and how; a middle, in (-1/2, 1/2), to what. It goes by LANES numbers at a
    time. What will not be used is in the very middle.
    """
    either = rates[kind + EITHER]
    for k in range(0, count, LANES):
        for s in range(LANES):
            bits = word(seed, draws + k + s)
            share, middle = high(bits), low(bits) - 0.5
            shares[first + k + s] = share
            middles[first + k + s] = middle if (share < either) & (k + s < count) else 0.0
    return first + whole_lanes(count)


@routine_part
def noises_found(count: Any, middles: Any, noises: Any) -> None:
    """Write standard normal numbers for `count` middles, a multiple of LANES."""
    for first in range(0, count, PLACES):
        # few are far from the middle, and only they need a logarithm: a loop over those alone, all in one word, ends
        # once, where a branch for each would often be predicted wrongly
        far = NO
        for k in range(first, min(first + PLACES, count), LANES):
            here = NO
            for s in range(LANES):
                noises[k + s] = central(middles[k + s])
                here |= np.uint64(abs(middles[k + s]) > NEAR) << np.uint64(s)
            far |= here << np.uint64(k - first)
        while far != NO:
            k = first + trailing_zeros(far)
            noises[k] = tail(middles[k])
            far &= far - BIT_0


@routine_part
def changed(
    values: Any, start: Any, first: Any, count: Any, rates: Any, kind: Any, noises: Any, middles: Any, shares: Any
) -> None:
    """Perturb or replace `count` values from `start` on, or leave them, each by itself, by draws from `first` on.

    It goes by LANES values at a time, up to LANES - 1 of which lie past the last and are written as they were.
    """
    perturb, either, least, most = rates[kind + PERTURB], rates[kind + EITHER], rates[kind + LEAST], rates[kind + MOST]
    power, mean, spread = rates[kind + POWER], rates[kind + MEAN], rates[kind + SPREAD]
    perturb_normal, fresh_normal = rates[kind + NOISE] != 0.0, rates[kind + FRESH] != 0.0
    for k in range(0, count, LANES):
        for s in range(LANES):
            share, before, even = shares[first + k + s], np.float64(values[start + k + s]), 2.0 * middles[first + k + s]
            normal = noises[first + k + s]
            moved = min(max(before + (normal if perturb_normal else even) * power, least), most)
            new = min(max(mean + (normal if fresh_normal else even) * spread, least), most)
            after = moved if share < perturb else (new if share < either else before)
            values[start + k + s] = after if k + s < count else before


@routine_part
def is_normal(rates: Any, kind: Any) -> Any:
    """Return whether numbers of a kind need normal noise."""
    return (rates[kind + NOISE] != 0.0) | (rates[kind + FRESH] != 0.0)


@routine_part
def numbers_changed(cells: Any, values: Any, sizes: Any, rates: Any, seed: Any, lanes: Any) -> None:
    """Change the weights, biases and responses of a child; `lanes` float64 [3, ...] has room for all of them.

    All are drawn before any is changed, so that those that need a logarithm are gone through at once.
    """
    noises, middles, shares = lanes[0], lanes[1], lanes[2]
    first, nodes, inputs, fixed = CHILD * sizes[VALUES], nodes_of(cells, sizes, CHILD), sizes[INPUTS], sizes[FIXED]
    own = unit(word(seed, OF_WEIGHTS)) < rates[WEIGHT + GENOME]
    also = own if rates[WITH_WEIGHTS] != 0.0 else unit(word(seed, OF_BIASES)) < rates[BIAS + GENOME]
    weights = connections_of(cells, sizes, CHILD) if own else np.int64(0)
    biases = nodes - inputs if also and sizes[BIAS_NODE] == 0 else np.int64(0)
    at_biases = drawn(FIRST, weights, seed, WEIGHTS, rates, WEIGHT, middles, shares)
    end = at_outputs = at_hidden = drawn(at_biases, biases, seed, BIASES, rates, BIAS, middles, shares)
    responding = sizes[RESPONSE] != 0 and unit(word(seed, OF_RESPONSES)) < rates[RESPONSES + GENOME]
    if responding:
        at_hidden = drawn(at_outputs, sizes[OUTPUTS], seed, FACTORS, rates, RESPONSES, middles, shares)
        end = drawn(at_hidden, nodes - fixed, seed, FACTORS + fixed, rates, RESPONSES, middles, shares)
    if is_normal(rates, WEIGHT) or is_normal(rates, BIAS) or is_normal(rates, RESPONSES):
        noises_found(end, middles, noises)
    changed(values, first, FIRST, weights, rates, WEIGHT, noises, middles, shares)
    first += sizes[LINKS]
    changed(values, first + inputs, at_biases, biases, rates, BIAS, noises, middles, shares)
    if responding:
        first += sizes[WIDE]
        changed(values, first + inputs, at_outputs, sizes[OUTPUTS], rates, RESPONSES, noises, middles, shares)
        changed(values, first + fixed, at_hidden, nodes - fixed, rates, RESPONSES, noises, middles, shares)


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
