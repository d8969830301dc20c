# SPDX-License-Identifier: MIT OR Apache-2.0
"""A graph as steps over a tile of networks: what is known before any size is.

Values that have samples lie with the samples innermost: [networks, ..., samples]. So a dense layer is weights times
samples, transposing costs nothing, and sums over outputs run along whole rows.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vynapse_core import Arguments, Array, Kernel, Node
from vynapse_numba.tiles.bind import Write
from vynapse_numba.tiles.chains import NETWORKS, Chain, Chains
from vynapse_numba.tiles.convolution import convolution
from vynapse_numba.tiles.elementwise import IN_PLACE
from vynapse_numba.tiles.fused import Fused, fused
from vynapse_numba.tiles.lift import LIFTED, OWN, lifted
from vynapse_numba.tiles.plans import Packed, Plan, Step
from vynapse_numba.tiles.pooling import pool
from vynapse_numba.tiles.product import Panels, dense
from vynapse_numba.tiles.split import Split, Stage, split
from vynapse_numba.tiles.tape import NOW, Tape
from vynapse_numba.tiles.views import VIEWS

log = logging.getLogger("vynapse_numba")


def plan(arguments: Arguments, kernels: Mapping[str, Kernel]) -> Plan:
    """Return the plan of a graph."""
    nodes = arguments.live.nodes

    plain = [i for i, node in enumerate(nodes) if node.op not in kernels]
    found = {i: step for i in plain if (step := convolution(nodes, arguments.varying, i))}
    convolved = frozenset(i for i in found if nodes[i].op in ("add", "matmul"))
    found |= {i: step for i in plain if (step := pool(nodes, arguments.varying, convolved, i))}
    others = {id(nodes[i]): step.operands for i, step in found.items()}

    def valued(node: Node) -> tuple[int, ...]:
        if id(node) in others:
            return others[id(node)]
        if not node.operands or node.op in kernels or node.op not in LIFTED | {"size"}:
            return node.operands
        only_shape = arguments.ops[node.op].shape_only
        return tuple(o for at, o in enumerate(node.operands) if at not in only_shape)

    parts = split(arguments, valued)
    needed = _needed(arguments, valued)
    for op in sorted({nodes[i].op for i in needed if arguments.varying[i] and nodes[i].operands}):
        if op not in LIFTED and op not in kernels:
            log.warning("the op %r has no kernel for the device 'numba': it is computed network by network", op)
    inner = list(parts.axes)
    steps: list[Step] = []
    packed: dict[tuple[int, bool], Packed] = {}
    biased = _biased(arguments, parts, needed, valued, kernels)
    absorbed = {product for product, _ in biased.values()}
    order = Chains(arguments, parts, needed, valued, frozenset(biased) | frozenset(found), frozenset(kernels)).order
    compiled = fused([entry for entry in order if isinstance(entry, Chain)], arguments)
    shared: list[int | Step] = []
    for i in order:
        if isinstance(i, Chain):
            (shared if i.stage is Stage.SHARED else steps).append(_chained(i, compiled[id(i)]))
            continue
        if not arguments.varying[i]:
            shared.append(i)
            continue
        if i in absorbed:
            continue
        if i in found:
            again = _again_matmul if parts.stages[i] is Stage.SUMS else None
            operands, bind, in_place = found[i].operands, found[i].bind, found[i].in_place
            inner[i] = 0 if found[i].samples else inner[i]
            steps.append(Step((i,), parts.stages[i], operands, bind, again=again, native=True, in_place=in_place))
            continue
        node = nodes[i]
        product, bias = biased.get(i, (i, None))
        if nodes[product].op == "matmul" and len(nodes[product].shape) == 2 and "matmul" not in kernels:
            steps.append(_dense(arguments, parts, i, product, bias, inner, packed))
            continue
        operands = valued(node)
        varies = [arguments.varying[o] for o in operands]
        kernel = kernels.get(node.op)
        own = node.op in OWN or node.op not in LIFTED or kernel is not None
        view = node.op in VIEWS and kernel is None
        steps.append(
            Step(
                (i,),
                parts.stages[i],
                operands,
                lifted(node, [nodes[o] for o in operands], varies, arguments.ops[node.op], kernel),
                again=_again(node.op) if parts.stages[i] is Stage.SUMS else None,
                native=node.op in ("matmul", "pad") and kernel is None,
                view=view,
                buffer=not (own or view),
                in_place=node.op in IN_PLACE and kernel is None,
                by_kernel=kernel is not None,
            )
        )
    slots = len(nodes) + len(packed)
    direct = _direct(arguments, steps, slots)
    return Plan(
        arguments,
        parts,
        tuple(inner),
        tuple(shared),
        tuple(steps),
        tuple(packed.values()),
        direct,
        slots + len(direct),
        bool(found),
        kernels,
        valued,
    )


def _chained(chain: Chain, compiled: Fused) -> Step:
    reading = tuple(leaf.node for leaf in chain.leaves)
    return Step(
        tuple(chain.places),
        chain.stage,
        reading,
        compiled.bind,
        chain=chain,
        native=True,
        in_place=not chain.by_columns,
    )


def _direct(arguments: Arguments, steps: list[Step], slots: int) -> dict[str, int]:
    """Return {output: slot} of what chains can write to its place: what lies there in vectors as it is computed."""
    nodes = arguments.live.nodes
    places = {i: place for step in steps if step.chain for i, place in step.chain.places.items()}
    found: dict[int, str] = {}
    for name, i in arguments.live.outputs.items():
        axis = places[i].vector if i in places else 0
        if i in places and (axis in (None, NETWORKS) or all(dim == 1 for dim in nodes[i].shape[axis + 1 :])):
            found.setdefault(i, name)
    return {name: slots + at for at, name in enumerate(found.values())}


def _needed(arguments: Arguments, valued: Callable[[Node], tuple[int, ...]]) -> tuple[int, ...]:
    """Return the nodes whose values outputs need, in order."""
    nodes = arguments.live.nodes
    needed = set(arguments.live.outputs.values())
    for i in range(len(nodes) - 1, -1, -1):
        if i in needed:
            needed.update(valued(nodes[i]))
    return tuple(sorted(needed))


def _biased(
    arguments: Arguments,
    parts: Split,
    needed: tuple[int, ...],
    valued: Callable[[Node], tuple[int, ...]],
    kernels: Mapping[str, Kernel],
) -> dict[int, tuple[int, int]]:
    """Return {sum: (product, bias)} of dense layers: there the sums of products start at the bias."""
    nodes = arguments.live.nodes
    if "add" in kernels or "matmul" in kernels:
        return {}
    uses = Counter(o for i in needed for o in valued(nodes[i]))
    uses.update(arguments.live.outputs.values())
    fused: dict[int, tuple[int, int]] = {}
    for i in needed:
        if nodes[i].op != "add":
            continue
        for product, bias in (nodes[i].operands, nodes[i].operands[::-1]):
            node, other = nodes[product], nodes[bias]
            layer = node.op == "matmul" and len(node.shape) == 2 and arguments.varying[product]
            if (
                layer
                and uses[product] == 1
                and node.shape == nodes[i].shape
                and parts.axes[product] == 0
                and parts.stages[product] is not Stage.SUMS
                and parts.stages[bias] in (Stage.SHARED, parts.stages[product], Stage.ONCE)
                and other.shape in ((node.shape[1],), (1, node.shape[1]))
            ):
                fused[i] = (product, bias)
                break
    return fused


def _dense(
    arguments: Arguments,
    parts: Split,
    result: int,
    product: int,
    bias: int | None,
    inner: list[int | None],
    packed: dict[tuple[int, bool], Packed],
) -> Step:
    """Return the step of a product of two matrices, as weights times samples, the samples packed where shared."""
    nodes = arguments.live.nodes
    a, b = nodes[product].operands
    a_varies, b_varies = arguments.varying[a], arguments.varying[b]
    axis = parts.axes[product]
    turned = not a_varies if axis is None else axis == 0
    inner[result] = 0 if turned else 1
    weights, samples = (b, a) if turned else (a, b)
    weights_vary, samples_vary = (b_varies, a_varies) if turned else (a_varies, b_varies)
    place = samples
    if not samples_vary:
        key = (samples, turned)
        packed.setdefault(key, Packed(len(nodes) + len(packed), samples, turned))
        place = packed[key].slot
    bias_varies = bias is not None and arguments.varying[bias]

    def write(
        out: Array, left: Array, right: Array | Panels, start: Array | None = None, add: bool = False, tape: Tape = NOW
    ) -> Array:
        left = left if weights_vary else left[None]
        target = out
        if turned:
            left, target = left.swapaxes(1, 2), out.swapaxes(1, 2)
            right = right.swapaxes(1, 2) if isinstance(right, np.ndarray) and samples_vary else right
        if start is not None:
            start = start.reshape(len(start) if bias_varies else 1, target.shape[1])
        if isinstance(right, Panels):
            dense(left, right.array, target, start, True, add, tape)
        else:
            dense(left, right, target, start, False, add, tape)
        return out

    def again(_: Write) -> Write:
        return lambda out, left, right, tape: write(out, left, right, add=True, tape=tape)

    operands = (weights, place) if bias is None else (weights, place, bias)
    return Step((result,), parts.stages[product], operands, lambda n, sizes: write, again=again, native=True)


def _again(op: str) -> Callable[[Write], Write]:
    """Return what adds to a sum over samples, or a maximum, what the next block of samples gives."""
    if op == "matmul":
        return _again_matmul
    combine = np.maximum if op == "max" else np.add

    def again(write: Write) -> Write:
        def more(out: Array, *xs: Array, **named: Any) -> Array:
            combine(out, write(np.empty_like(out), *xs, **named), out=out)
            return out

        return more

    return again


def _again_matmul(write: Write) -> Write:
    return lambda out, *xs, tape: write(out, *xs, add=True, tape=tape)
