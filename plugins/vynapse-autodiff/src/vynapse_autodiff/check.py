# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gradient checking: a graph's gradient against central differences, in float64 on the reference device.

All displaced copies of a leaf are networks of one call, so a check costs a few calls whatever the leaf's size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vynapse_autodiff.gradient import gradient, known_ops
from vynapse_core import Device, Graph, GraphError, installed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vynapse_autodiff.gradient import Rules
    from vynapse_core import Array, Program

AT_ONCE = 2**21
"""Most numbers that the displaced copies of one call hold: 16 MiB."""
PREFIX = "slope of "


def check_gradient(
    graph: Graph,
    arrays: Mapping[str, Array],
    inputs: Mapping[str, Array] | None = None,
    output: str = "loss",
    wrt: Sequence[str] | None = None,
    tolerance: float = 1e-6,
    step: float = 1e-5,
    most: int = 1000,
    rules: Rules | None = None,
) -> dict[str, float]:
    """Return the relative error of the gradient of a scalar output by each leaf, {name: error}.

    `arrays` {parameter: array} and `inputs` {input: array} are those of one network, without the axis P; floats count
    as float64. The error is the largest difference among the elements that are displaced, at most `most` a leaf, evenly
    spread, over the largest gradient of the leaf, or over what keeps the rounding of the output below `tolerance`. An
    element is displaced by `step` times its magnitude, or by `step` where that is below 1. Choose points away from
    kinks, where both are right and differ. Raises GraphError as `gradient` does, and where an error is above
    `tolerance`: it names leaf and element, and both numbers.
    """
    double = graph.astype("float64", known_ops(graph))
    slopes = gradient(double, output, wrt, PREFIX, rules=rules)
    device = installed().build(Device, {"type": "vynapse:reference"})
    own = {name: _as_double(array) for name, array in arrays.items()}
    shared = {name: _as_double(array) for name, array in (inputs or {}).items()}
    point = device.compile(slopes)({name: array[None] for name, array in own.items()}, shared)
    scalar = Graph(double.nodes, {output: double.outputs[output]}).live(leaves=True)
    noise = 4.0 * float(np.finfo(np.float64).eps) * max(1.0, abs(float(point[output][0]))) / step
    errors: dict[str, float] = {}
    for name in slopes.outputs:
        if name in double.outputs:
            continue
        leaf = name.removeprefix(PREFIX)
        exact = point[name][0].ravel()
        chosen = np.unique(np.linspace(0, max(exact.size - 1, 0), min(most, exact.size)).astype(np.int64))
        program = device.compile(scalar, (leaf,) if leaf in scalar.inputs else ())
        measured = _differences(program, output, own, shared, leaf, chosen, step)
        errors[leaf] = _relative(exact, measured, chosen, noise / tolerance)
        if not errors[leaf] <= tolerance:
            worst = int(np.argmax(np.nan_to_num(np.abs(exact[chosen] - measured), nan=np.inf)))
            at = [int(i) for i in np.unravel_index(chosen[worst], point[name].shape[1:])]
            raise GraphError(
                f"the gradient of {output!r} by {leaf!r} at {at} is {exact[chosen[worst]]:.9g}, but central differences"
                f" give {measured[worst]:.9g}: relative error {errors[leaf]:.2g}, allowed {tolerance:.2g}. An op on the"
                " way has a wrong rule, or the point lies at a kink"
            )
    return errors


def _differences(
    program: Program,
    output: str,
    own: Mapping[str, Array],
    shared: Mapping[str, Array],
    leaf: str,
    chosen: Array,
    step: float,
) -> Array:
    """Return d output / d leaf, float64 [n], for the `chosen` elements of the leaf, int [n]."""
    array = own[leaf] if leaf in own else shared[leaf]
    found = []
    for part in np.array_split(chosen, max(1, -(-2 * len(chosen) * array.size // AT_ONCE))):
        n, rows = 2 * len(part), np.arange(len(part))
        moved = np.repeat(array.reshape(1, -1), n, axis=0)
        steps = step * np.maximum(1.0, np.abs(array.ravel()[part]))
        moved[rows, part] += steps
        moved[rows + len(part), part] -= steps
        # the distance that there is between the two numbers, which is not quite twice the step
        apart = moved[rows, part] - moved[rows + len(part), part]
        copies = moved.reshape(n, *array.shape)
        arrays = {name: np.broadcast_to(value, (n, *value.shape)) for name, value in own.items() if name != leaf}
        inputs = {name: value for name, value in shared.items() if name != leaf}
        (arrays if leaf in own else inputs)[leaf] = copies
        values = program(arrays, inputs)[output]
        found.append((values[: len(part)] - values[len(part) :]) / apart)
    return np.concatenate(found)


def _relative(exact: Array, measured: Array, chosen: Array, least: float) -> float:
    """Return the largest difference over the largest gradient or `least`; infinity for what is not finite."""
    if not (np.isfinite(exact).all() and np.isfinite(measured).all()):
        return float("inf")
    largest = max(float(np.abs(exact).max(initial=0.0)), float(np.abs(measured).max(initial=0.0)), least)
    return float(np.abs(exact[chosen] - measured).max(initial=0.0)) / largest


def _as_double(array: Array) -> Array:
    array = np.asarray(array)
    return array.astype(np.float64) if array.dtype.kind == "f" else array
