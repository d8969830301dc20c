# SPDX-License-Identifier: MIT OR Apache-2.0
"""The ops of evolved networks for one network and one sample: what the device `numba` puts into fused episodes.

Sums have the order they have in `kernels`, so that a value has the same bits in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import SampleKernel, routine_part
from vynapse_neat.activation_rows import activate
from vynapse_neat.aggregation_rows import aggregate
from vynapse_neat.kernels import codes
from vynapse_neat.scalars import ONE, ZERO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Shape = tuple[int | str, ...]


@routine_part
def evaluate(
    read: Any, after: Any, values: Any, order: Any, ends: Any, link: Any, source: Any, activation: Any,
    aggregation: Any, evaluated: Any, activations: Any, aggregations: Any, response: Any,
) -> None:  # fmt: skip
    """Compute all nodes of a network, from `read` [N, 1] to `after` [N, 1]."""
    links, nodes = link.shape[0], order.shape[0]
    start = np.int64(0)
    for row in range(evaluated):
        place, end = np.int64(order[row]), np.int64(ends[row])
        code, total = aggregations[aggregation[place]], values[links + place]
        if code == 0 and not response:
            for k in range(start, end):
                total += values[link[k]] * read[source[k], 0]
        else:
            aggregate(code, after, place, read, link, source, values, start, end, 1)
            total += (values[links + nodes + place] if response else ONE) * after[place, 0]
        after[place, 0] = total
        activate(activations[activation[place]], after[place], 1)
        start = end


@routine_part
def alone(
    x: Any, values: Any, order: Any, ends: Any, link: Any, source: Any, activation: Any, aggregation: Any,
    evaluated: Any, result: Any, nodes: Any, activations: Any, aggregations: Any, outputs: Any, bias_node: Any,
    response: Any,
) -> None:  # fmt: skip
    """Compute one network for one sample; `nodes` [N, 1] is for its nodes' values."""
    inputs = x.shape[1]
    for i in range(inputs):
        nodes[i, 0] = x[0, i]
    if bias_node:
        nodes[inputs + outputs, 0] = ONE
    evaluate(
        nodes, nodes, values, order, ends, link, source, activation, aggregation, evaluated, activations,
        aggregations, response,
    )  # fmt: skip
    for i in range(outputs):
        result[0, i] = nodes[inputs + i, 0]


@routine_part
def step_alone(
    x: Any, values: Any, order: Any, ends: Any, link: Any, source: Any, activation: Any, aggregation: Any,
    evaluated: Any, memory: Any, result: Any, before: Any, after: Any, activations: Any, aggregations: Any,
    outputs: Any, bias_node: Any, response: Any,
) -> None:  # fmt: skip
    """Compute the memory after a time step of one network; `before` and `after` [N, 1] are for its nodes' values."""
    inputs, count = x.shape[1], memory.shape[1]
    for i in range(count):
        before[i, 0] = x[0, i] if i < inputs else memory[0, i]
        result[0, i] = ZERO
    if bias_node:
        before[inputs + outputs, 0] = ONE
    evaluate(
        before, after, values, order, ends, link, source, activation, aggregation, evaluated, activations,
        aggregations, response,
    )  # fmt: skip
    for row in range(evaluated):
        result[0, order[row]] = after[order[row], 0]


def sample_kernel(attributes: Mapping[str, Any], shapes: Sequence[Shape]) -> SampleKernel | None:
    """Return `sparse_network` for one network and one sample; None where there are more samples."""
    return SampleKernel(alone, ((*shapes[2], 1),), _numbers(attributes)) if shapes[0][0] == 1 else None


def sample_kernel_step(attributes: Mapping[str, Any], shapes: Sequence[Shape]) -> SampleKernel | None:
    """Return `sparse_network_step` for one network and one sample; None where there are more samples."""
    return SampleKernel(step_alone, ((*shapes[2], 1),) * 2, _numbers(attributes)) if shapes[0][0] == 1 else None


def _numbers(attributes: Mapping[str, Any]) -> tuple[int | tuple[int, ...], ...]:
    names = codes(attributes["activations"], attributes["aggregations"])
    flags = (attributes["outputs"], attributes["bias_node"], attributes["response"])
    return (*[tuple(each.tolist()) for each in names], *map(int, flags))


SAMPLE_KERNELS = {
    ("numba:lanes", "sparse_network"): sample_kernel,
    ("numba:lanes", "sparse_network_step"): sample_kernel_step,
}
"""{(engine, op): kernel}, for the hook `vynapse_kernels`."""
