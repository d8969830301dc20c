# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ops of evolved networks for the device `numba`: whole tiles of networks in one routine.

Values of nodes lie [N, samples], a block of samples at a time, so that a link is one multiplication and addition of
whole rows and a block stays in the cache. Sums have the order of the links whatever the block: a sample's value does
not depend on the samples beside it.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import Device, routine, routine_part
from vynapse_neat.activation_rows import activate
from vynapse_neat.activations import codes_of_activations, codes_of_aggregations
from vynapse_neat.aggregation_rows import aggregate
from vynapse_neat.meanings import forward
from vynapse_neat.scalars import ONE, ZERO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vynapse_core import Array, Kernel, Routine, Run

LANES = 8
"""Samples of a block are a multiple of this: a vector of most processors."""
CACHED = 1 << 13
"""Numbers of a block that stay in a first-level cache."""
PART = 1 << 16
"""Samples times values of the networks of a part: some 10 us."""
WIDEST = 256
"""Most samples of a block."""
NO_MEMORY = np.empty((0, 0, 0), np.float32)
"""What stands for the memory of networks that have none."""


@routine_part
def add_links(
    target: Any, to: Any, read: Any, link: Any, source: Any, values: Any, first: Any, last: Any, width: Any, start: Any
) -> None:
    """Write to target[to] `start` and the sum of weight · read[source] over the links from `first` to `last`."""
    for i in range(width):
        target[to, i] = start
    k = first
    while k + 4 <= last:
        a, b, c, d = source[k], source[k + 1], source[k + 2], source[k + 3]
        u, v, w, z = values[link[k]], values[link[k + 1]], values[link[k + 2]], values[link[k + 3]]
        for i in range(width):
            target[to, i] = (((target[to, i] + u * read[a, i]) + v * read[b, i]) + w * read[c, i]) + z * read[d, i]
        k += 4
    while k < last:
        a, u = source[k], values[link[k]]
        for i in range(width):
            target[to, i] += u * read[a, i]
        k += 1


@routine_part
def load(block: Any, samples: Any, first: Any, count: Any, width: Any, rows: Any) -> None:
    """Write samples [count, rows] from `first` on to a block [rows, width], and 0 beyond them."""
    for row in range(rows):
        for i in range(count):
            block[row, i] = samples[first + i, row]
        for i in range(count, width):
            block[row, i] = ZERO


@routine_part
def evaluate(
    read: Any, after: Any, width: Any,
    values: Any, order: Any, ends: Any, link: Any, source: Any, activation: Any, aggregation: Any, evaluated: Any,
    activations: Any, aggregations: Any, response: Any,
) -> None:  # fmt: skip
    """Compute all nodes of one network for a block of samples: from the rows of `read` to those of `after`."""
    links, nodes = link.shape[0], order.shape[0]
    start = np.int64(0)
    for row in range(evaluated):
        place, end = np.int64(order[row]), np.int64(ends[row])
        code, bias = aggregations[aggregation[place]], values[links + place]
        if code == 0 and not response:
            add_links(after, place, read, link, source, values, start, end, width, bias)
        else:
            aggregate(code, after, place, read, link, source, values, start, end, width)
            factor = values[links + nodes + place] if response else ONE
            for i in range(width):
                after[place, i] = bias + factor * after[place, i]
        activate(activations[activation[place]], after[place], width)
        start = end


@routine(
    "float32[:, :, :], float32[:, :, :], float32[:, :], int32[:, :], int32[:, :], int32[:, :], int32[:, :], "
    "int32[:, :], int32[:, :], int32[:], int64[:], int64[:], float32[:, :, :], float32[:, :, :], float32[:, :, :], "
    "int64, int64, int64, int64, int64"
)
def compute(
    first: Any, last: Any,
    x: Any, memory: Any, values: Any, order: Any, ends: Any, link: Any, source: Any,
    activation: Any, aggregation: Any, evaluated: Any, activations: Any, aggregations: Any,
    reads: Any, afters: Any, result: Any,
    size: Any, outputs: Any, bias_node: Any, response: Any, step: Any,
) -> None:  # fmt: skip
    """Compute the parts from `first` to `last` of a tile, of `size` networks each.

    `x` is [1 or P, B, I]; `reads` and `afters` [parts, N, block] are one array unless `step`.
    """
    samples, inputs, block = x.shape[1], x.shape[2], reads.shape[2]
    shared = x.shape[0] == 1
    for part in range(first, last):
        read, after = reads[part], afters[part]
        for start in range(0, samples, block):
            count = min(block, samples - start)
            width = (count + 7) // 8 * 8
            if shared:
                load(read, x[0], start, count, width, inputs)
            for network in range(part * size, min(part * size + size, values.shape[0])):
                if step:
                    load(read, memory[network], start, count, width, order.shape[1])
                    load(read, x[0 if shared else network], start, count, width, inputs)
                elif not shared:
                    load(read, x[network], start, count, width, inputs)
                if bias_node:
                    for i in range(width):
                        read[inputs + outputs, i] = ONE
                evaluate(
                    read, after, width, values[network], order[network], ends[network], link[network],
                    source[network], activation[network], aggregation[network], evaluated[network],
                    activations, aggregations, response,
                )  # fmt: skip
                if step:
                    for i in range(count):
                        for row in range(order.shape[1]):
                            result[network, start + i, row] = ZERO
                    for row in range(evaluated[network]):
                        for i in range(count):
                            result[network, start + i, order[network, row]] = after[order[network, row], i]
                else:
                    for row in range(outputs):
                        for i in range(count):
                            result[network, start + i, row] = after[inputs + row, i]


def sparse_network(
    operands: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int], threads: int
) -> Array:
    """Return the outputs [P, B, O] of a tile of networks; operands are [P or 1, ...]."""
    return _computed(operands, None, attributes, threads)


def sparse_network_step(
    operands: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int], threads: int
) -> Array:
    """Return the memory [P, B, N] of a tile of networks after a time step."""
    return _computed(operands[:-1], operands[-1], attributes, threads)


def _computed(operands: Sequence[Array], memory: Array | None, attributes: Mapping[str, Any], threads: int) -> Array:
    networks = max(map(len, operands))
    x, *rest = operands
    if x.dtype != np.float32:
        return network_by_network(_by_meaning, operands, memory, attributes, networks)
    samples, nodes, outputs = x.shape[1], rest[1].shape[1], attributes["outputs"]
    block, size = block_of(samples, nodes), part_of(samples, rest[0].shape[1])
    reads = np.empty((-(-networks // size), nodes, block), np.float32)
    result = np.empty((networks, samples, outputs if memory is None else nodes), np.float32)
    on_numba(compute, threads)(
        len(reads),
        np.ascontiguousarray(x),
        *([NO_MEMORY] if memory is None else own([memory], networks)),
        *own(rest, networks),
        *codes(attributes["activations"], attributes["aggregations"]),
        reads,
        reads if memory is None else np.empty_like(reads),
        result,
        size,
        outputs,
        attributes["bias_node"],
        attributes["response"],
        memory is not None,
    )
    return result


@lru_cache(256)
def block_of(samples: int, nodes: int) -> int:
    """Return how many samples are computed at a time."""
    block = min(WIDEST, max(LANES, CACHED // max(nodes, 1) // LANES * LANES))
    return min(block, -(-max(samples, 1) // LANES) * LANES)


def part_of(samples: int, values: int) -> int:
    """Return how many networks of so many values are computed one after the other, worth a thread's while."""
    return max(1, PART // (-(-samples // LANES) * LANES * max(values, 1)))


def own(arrays: Sequence[Array], networks: int) -> list[Array]:
    """Return operands as [P, ...], contiguous."""
    if min(map(len, arrays)) < networks:
        arrays = [np.broadcast_to(array, (networks, *array.shape[1:])) for array in arrays]
    return list(map(np.ascontiguousarray, arrays))


def network_by_network(
    meaning: Callable[[Sequence[Array], Array | None, Mapping[str, Any]], Array],
    operands: Sequence[Array],
    memory: Array | None,
    attributes: Mapping[str, Any],
    networks: int,
) -> Array:
    """Compute in NumPy what the routines do not serve, such as float64, in which derivatives are checked."""
    found = []
    for network in range(networks):
        each = [array[network if len(array) > 1 else 0] for array in operands]
        before = None if memory is None else memory[network if len(memory) > 1 else 0]
        found.append(meaning(each, before, attributes))
    return np.stack(found)


def _by_meaning(operands: Sequence[Array], memory: Array | None, attributes: Mapping[str, Any]) -> Array:
    x, *rest = operands
    values = forward(x, rest, attributes, memory).T
    return values if memory is not None else values[:, x.shape[1] : x.shape[1] + attributes["outputs"]]


@lru_cache(64)
def codes(activations: tuple[str, ...], aggregations: tuple[str, ...]) -> tuple[Array, Array]:
    """Return what routines know the names by, two int64 arrays."""
    return codes_of_activations(activations), codes_of_aggregations(aggregations)


@cache
def on_numba(each: Routine, threads: int = 1) -> Run:
    """Return a routine as the device `numba` makes it, on so many threads."""
    from pydantic import TypeAdapter

    return TypeAdapter(Device).validate_python({"type": "numba", "threads": threads}).routine(each)


KERNELS: Mapping[tuple[str, str], Kernel] = {
    ("numba", "sparse_network"): sparse_network,
    ("numba", "sparse_network_step"): sparse_network_step,
}
"""{(device, op): kernel}, for the hook `vynapse_kernels`."""
