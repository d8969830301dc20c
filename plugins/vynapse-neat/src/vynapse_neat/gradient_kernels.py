# SPDX-License-Identifier: MIT OR Apache-2.0
"""The cotangents of evolved networks for the device `numba`: forward and back again, a block of samples at a time.

What is summed over samples is summed in LANES places, each taking every so many-th sample of a block, and these are
added in their order at the end, as additions side by side are faster than a chain of them. Aggregations other than sums
go network by network, through NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import routine, routine_part
from vynapse_neat.activation_rows import activate
from vynapse_neat.kernels import NO_MEMORY, add_links, block_of, codes, load, network_by_network, on_numba, own
from vynapse_neat.meanings import backward
from vynapse_neat.scalars import ONE, ZERO
from vynapse_neat.slope_rows import slope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vynapse_core import Array, Kernel

LANES = 64
"""Places in which a sum over samples is collected."""


@routine_part
def add_dot(sums: Any, at: Any, a: Any, i: Any, b: Any, j: Any, width: Any) -> None:
    """Add the products of the rows a[i] and b[j] to sums[at], each to the place of its number."""
    lanes = sums.shape[1]
    for start in range(0, width, lanes):
        for lane in range(min(lanes, width - start)):
            sums[at, lane] += a[i, start + lane] * b[j, start + lane]


@routine_part
def there(
    read: Any, after: Any, total: Any, slopes: Any, width: Any, values: Any, order: Any, ends: Any, link: Any,
    source: Any, activation: Any, evaluated: Any, activations: Any, response: Any,
) -> None:  # fmt: skip
    """Compute the nodes of one network, and keep the sums before and the slopes of their activations."""
    links, nodes = link.shape[0], order.shape[0]
    start = np.int64(0)
    for row in range(evaluated):
        place, end = np.int64(order[row]), np.int64(ends[row])
        add_links(total, place, read, link, source, values, start, end, width, ZERO)
        bias = values[links + place]
        factor = values[links + nodes + place] if response else ONE
        for i in range(width):
            after[place, i] = bias + factor * total[place, i]
        code = activations[activation[place]]
        slope(code, after[place], slopes[place], width)
        activate(code, after[place], width)
        start = end


@routine_part
def back(
    read: Any, total: Any, slopes: Any, wanted: Any, toward: Any, sums: Any, width: Any, values: Any, order: Any,
    ends: Any, link: Any, source: Any, evaluated: Any, response: Any,
) -> None:  # fmt: skip
    """Go through the nodes of one network backwards: cotangents `wanted` to `toward`, parameters' to `sums`."""
    links, nodes = link.shape[0], order.shape[0]
    for row in range(evaluated - 1, -1, -1):
        place = np.int64(order[row])
        start = np.int64(ends[row - 1]) if row else np.int64(0)
        factor = values[links + nodes + place] if response else ONE
        add_dot(sums, links + place, slopes, place, wanted, place, width)
        for i in range(width):
            slopes[place, i] *= wanted[place, i]
        if response:
            add_dot(sums, links + nodes + place, slopes, place, total, place, width)
            for i in range(width):
                slopes[place, i] *= factor
        for k in range(start, np.int64(ends[row])):
            at, weight = source[k], values[link[k]]
            add_dot(sums, link[k], slopes, place, read, at, width)
            for i in range(width):
                toward[at, i] += weight * slopes[place, i]


@routine(
    "float32[:, :, :], float32[:, :, :], float32[:, :, :], float32[:, :], int32[:, :], int32[:, :], int32[:, :], "
    "int32[:, :], int32[:, :], int32[:], int64[:], "
    "float32[:, :], float32[:, :], float32[:, :], float32[:, :], float32[:, :], float32[:, :], float32[:, :], "
    "float32[:, :, :], float32[:, :], float32[:, :, :], int64, int64, int64, int64"
)
def differentiate(
    first: Any, last: Any,
    cotangent: Any, x: Any, memory: Any, values: Any, order: Any, ends: Any, link: Any, source: Any,
    activation: Any, evaluated: Any, activations: Any,
    read: Any, after: Any, total: Any, slopes: Any, wanted: Any, toward: Any, sums: Any,
    of_x: Any, of_values: Any, of_memory: Any,
    outputs: Any, bias_node: Any, response: Any, step: Any,
) -> None:  # fmt: skip
    """Write the cotangents of networks. Unless `step`, `wanted` is `toward`, and `read` is `after`."""
    samples, inputs, block, nodes = x.shape[1], x.shape[2], read.shape[1], order.shape[1]
    shared = x.shape[0] == 1
    for network in range(first, last):
        for at in range(values.shape[1]):
            for lane in range(sums.shape[1]):
                sums[at, lane] = ZERO
        for start in range(0, samples, block):
            count = min(block, samples - start)
            width = (count + 7) // 8 * 8
            for row in range(nodes):
                for i in range(width):
                    toward[row, i] = ZERO
            if step:
                load(read, memory[network], start, count, width, nodes)
                load(wanted, cotangent[network], start, count, width, nodes)
            else:
                for row in range(outputs):
                    for i in range(count):
                        wanted[inputs + row, i] = cotangent[network, start + i, row]
            load(read, x[0 if shared else network], start, count, width, inputs)
            if bias_node:
                for i in range(width):
                    read[inputs + outputs, i] = ONE
            there(
                read, after, total, slopes, width, values[network], order[network], ends[network], link[network],
                source[network], activation[network], evaluated[network], activations, response,
            )  # fmt: skip
            back(
                read, total, slopes, wanted, toward, sums, width, values[network], order[network], ends[network],
                link[network], source[network], evaluated[network], response,
            )  # fmt: skip
            if of_x.shape[0]:
                for i in range(count):
                    for row in range(inputs):
                        of_x[network, start + i, row] = toward[row, i]
            if of_memory.shape[0]:
                for i in range(count):
                    for row in range(nodes):
                        known = row < inputs or (bias_node and row == inputs + outputs)
                        of_memory[network, start + i, row] = ZERO if known else toward[row, i]
        if of_values.shape[0]:
            for at in range(values.shape[1]):
                total_of = ZERO
                for lane in range(sums.shape[1]):
                    total_of += sums[at, lane]
                of_values[network, at] = total_of


def sparse_network_vjp(
    operands: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int], threads: int
) -> Array:
    """Return the cotangent of an operand of `sparse_network`, [P, ...], for a tile of networks."""
    return _differentiated(operands, None, attributes)


def sparse_network_step_vjp(
    operands: Sequence[Array], attributes: Mapping[str, Any], sizes: Mapping[str, int], threads: int
) -> Array:
    """Return the cotangent of an operand of `sparse_network_step`, [P, ...], for a tile of networks."""
    return _differentiated(operands[:-1], operands[-1], attributes)


def _differentiated(operands: Sequence[Array], memory: Array | None, attributes: Mapping[str, Any]) -> Array:
    networks = max(map(len, operands))
    cotangent, x, *rest = operands
    if x.dtype != np.float32 or attributes["aggregations"] != ("sum",):
        return network_by_network(_by_meaning, operands, memory, attributes, networks)
    values, order, ends, link, source, activation, _, evaluated = own(rest, networks)
    samples, nodes = x.shape[1], order.shape[1]
    shape = (nodes, block_of(samples, nodes))
    read, total, slopes, toward = (np.empty(shape, np.float32) for _ in range(4))
    after, wanted = (read, toward) if memory is None else (np.empty_like(read), np.empty_like(toward))
    made = {
        "x": np.empty((networks, *x.shape[1:]), np.float32),
        "values": np.empty(values.shape, np.float32),
        "memory": np.empty((networks, samples, nodes), np.float32),
    }
    asked = attributes["of"]
    on_numba(differentiate)(
        networks,
        *own([cotangent], networks),
        np.ascontiguousarray(x),
        *([NO_MEMORY] if memory is None else own([memory], networks)),
        values, order, ends, link, source, activation, evaluated,
        codes(attributes["activations"], attributes["aggregations"])[0],
        read, after, total, slopes, wanted, toward,
        np.empty((values.shape[1], min(LANES, shape[1])), np.float32),
        *[array if name == asked else array[:0] for name, array in made.items()],
        attributes["outputs"],
        attributes["bias_node"],
        attributes["response"],
        memory is not None,
    )  # fmt: skip
    return made[asked]


def _by_meaning(operands: Sequence[Array], memory: Array | None, attributes: Mapping[str, Any]) -> Array:
    cotangent, x, *rest = operands
    inputs, of_nodes = x.shape[1], cotangent.T
    if memory is None:
        of_nodes = np.zeros((rest[1].shape[0], len(x)), x.dtype)
        of_nodes[inputs : inputs + attributes["outputs"]] = cotangent.T
    return backward(of_nodes, x, rest, attributes, memory)[attributes["of"]]


GRADIENT_KERNELS: Mapping[tuple[str, str], Kernel] = {
    ("numba", "sparse_network_vjp"): sparse_network_vjp,
    ("numba", "sparse_network_step_vjp"): sparse_network_step_vjp,
}
"""{(device, op): kernel}, for the hook `vynapse_kernels`."""
