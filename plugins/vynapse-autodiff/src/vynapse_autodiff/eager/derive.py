# SPDX-License-Identifier: MIT OR Apache-2.0
"""From a structure to the program of its gradients, by the plugin's own rules: there is no second set of them.

The recorded calls become nodes of a builder, the vector-Jacobian product adds its nodes, and what it needs of them
becomes a flat list of NumPy calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vynapse_autodiff.eager.calls import KERNEL, OWN
from vynapse_autodiff.eager.program import Program
from vynapse_autodiff.gradient import vjp
from vynapse_autodiff.vjps import VJPS
from vynapse_core import Builder, Gradient, Node, Value, installed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vynapse_autodiff.eager.structure import Structure
    from vynapse_autodiff.eager.tensor import Tensor
    from vynapse_core import Op

RULES: dict[str, Gradient] = {}
"""Gradients of the ops of eager mode alone."""


@dataclass(frozen=True, eq=False, slots=True)
class Pullback:
    """The program that takes cotangents of some tensors back to others."""

    program: Program
    loads: tuple[tuple[int, int], ...]
    """(slot, number of the tensor) of the recorded values that are needed."""
    seeds: tuple[int, ...]
    """Slots of the cotangents; none where the cotangent is 1."""
    results: tuple[tuple[int, bool, bool], ...]
    """(slot, whether others may hold that array too, whether it is a scalar) of each gradient."""
    places: Mapping[int, int]
    """{node: number of the recorded tensor}."""
    origins: Mapping[int, int]
    """{node: number of the recorded tensor whose rule made it}."""
    wanted: tuple[int, ...]
    """The numbers of the tensors whose gradients these are."""


def pullback(
    structure: Structure, found: Sequence[Tensor], roots: int, wanted: Sequence[int], seeded: bool
) -> Pullback:
    """Return the program of the gradient of the first `roots` tensors by those numbered `wanted`.

    Raises GraphError for an op without a gradient.
    """
    used = {call.op.name: call.op for _, call, *_ in structure.calls}
    ops: dict[str, Op] = {**KERNEL, **OWN, **used}
    if any(name not in KERNEL and name not in OWN for name in used):
        ops |= installed().ops
    builder = Builder(ops)
    places = _forward(builder, structure, found)
    recorded = {place: number for number, place in places.items()}
    values = {number: Value(builder, place) for number, place in places.items()}
    cotangents = [
        builder.input(f"cotangent {i}", values[i].shape, values[i].dtype)
        if seeded
        else builder.constant(1.0, values[i].dtype)
        for i in range(roots)
    ]
    origins: dict[int, int] = {}
    rules = {name: _told(rule, recorded, origins) for name in used if (rule := _rule(name)) is not None}
    slopes = vjp([values[i] for i in range(roots)], [values[i] for i in wanted], cotangents, rules)
    seeds = tuple(cotangent.place for cotangent in cotangents) if seeded else ()
    given = [place for place in recorded if builder.nodes[place].op != "constant"]
    program = Program(builder.nodes, ops, [*given, *seeds], [slope.place for slope in slopes])
    results = program.results
    return Pullback(
        program,
        tuple((place, recorded[place]) for place in program.loads if place in recorded),
        seeds,
        tuple(
            (slot, slot not in program.fresh or results.count(slot) > 1, found[number]._data.ndim == 0)
            for slot, number in zip(results, wanted, strict=True)
        ),
        recorded,
        origins,
        tuple(wanted),
    )


def _forward(builder: Builder, structure: Structure, found: Sequence[Tensor]) -> dict[int, int]:
    """Add what was recorded, each tensor as a node of its own; return {number: node}."""
    places: dict[int, int] = {}
    for number, call, shape, dtype, _ in structure.leaves:
        places[number] = len(builder.nodes)
        leaf = ("input", {"name": f"x{number}"}) if call is None else ("constant", call.attributes)
        builder.nodes.append(Node(leaf[0], (), leaf[1], shape, dtype.name))
    calls = {number: call for number, call, *_ in structure.calls}
    for number in structure.order():
        data = found[number]._data
        operands = tuple(places[operand] for operand in structure.operands[number])
        places[number] = len(builder.nodes)
        builder.nodes.append(
            Node(calls[number].op.name, operands, calls[number].attributes, data.shape, data.dtype.name)
        )
    return places


def _rule(op: str) -> Gradient | None:
    return RULES.get(op) or VJPS.get(op) or installed().gradients.get(op)


def _told(rule: Gradient, recorded: Mapping[int, int], origins: dict[int, int]) -> Gradient:
    """Return a rule that notes which nodes it adds for which tensor."""

    def told(operands: Sequence[Value], output: Value, cotangent: Value, attributes: Mapping[str, Any]) -> Any:
        builder = output.builder
        before = len(builder.nodes)
        parts = rule(operands, output, cotangent, attributes)
        for node in range(before, len(builder.nodes)):
            origins[node] = recorded[output.place]
        return parts

    return told
