# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where a tile's values lie: each gets a buffer for as long as it is needed, and buffers are used again.

A worker keeps its buffers from tile to tile and from call to call: in the steady state nothing is allocated that
grows with the number of networks, and what is written next was read a moment ago.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, prod

import numpy as np

from vynapse_core import Array
from vynapse_numba.tiles.bind import Write, concrete
from vynapse_numba.tiles.chains import Chain
from vynapse_numba.tiles.plans import Plan, Step
from vynapse_numba.tiles.product import aligned
from vynapse_numba.tiles.split import Stage

TILE = 2**21
"""Bytes of values that a tile may have: a second-level cache. Fewer networks would read the samples more often."""
MOST = 4096
"""Most networks of a tile."""
LIGHT = 2**18
"""Bytes of values, without products, that are computed sooner than another thread wakes up."""
HEAVY = 2**23
"""Work of kernels, as `kernels_work` counts it, from which another thread is worth waking up: about 0.2 ms."""
ROW = 2**15
"""Most numbers of one value of one network: enough to hide what a call of NumPy costs."""
PANEL = 2**18
"""Most numbers of a block of a shared matrix."""
STEP = 48
"""A block of samples is a multiple of this, which every processor's vectors divide."""

VECTOR = 16
"""The same for graphs with convolutions, whose vectors lie side by side position after position."""
NEAR = 2**19
"""Most numbers of one value of a block of those: it is read more than once, from the second-level cache."""

FRAMES = 8
"""Most sizes of tiles for which a worker keeps its steps bound."""

_ORDER = {Stage.ONCE: 0, Stage.SUMS: 1, Stage.EACH: 1, Stage.AFTER: 2}


@dataclass(frozen=True)
class Layout:
    """How the values of one set of sizes are stored."""

    sizes: Mapping[str, int]
    """Of the symbols that steps are bound to."""
    block: int
    """Samples of a block."""
    blocks: int
    place: Mapping[int, int]
    """{node: buffer}."""
    bytes: tuple[int, ...]
    """Bytes a network of each buffer."""
    networks: int
    """Most networks of a tile."""
    light: int
    """Up to so many networks, one thread is done sooner than two."""


def layout(plan: Plan, sizes: Mapping[str, int]) -> Layout:
    """Return the layout for such sizes; it depends on the graph and on them alone."""
    block, blocks = _blocks(plan, sizes)
    symbol = plan.split.symbol
    local = sizes if symbol is None else {**sizes, symbol: block}
    place, sized = _buffers(plan, local)
    live = plan.arguments.live
    results = [live.nodes[i] for i in live.outputs.values()]
    written = sum(prod(concrete(node.shape, sizes)) * np.dtype(node.dtype).itemsize for node in results)
    products = any(node.op == "matmul" for node in live.nodes)
    light = 0 if products else LIGHT // max(sum(sized) * blocks + written, 1)
    return Layout(sizes, block, blocks, place, sized, max(1, min(MOST, TILE // max(sum(sized), 1))), light)


def kernels_work(plan: Plan, sizes: Mapping[str, int]) -> int:
    """Return about how much work plugins' kernels have with a network: each of its numbers is read for each result.

    Results are computed in vectors; to read a number for the first time takes as long as for 32 of them.
    """
    nodes, varying, work = plan.arguments.live.nodes, plan.arguments.varying, 0
    for step in plan.steps:
        if step.by_kernel:
            own = [prod(concrete(nodes[o].shape, sizes)) for o in step.operands if varying[o]]
            work += sum(own) * (32 + sum(prod(concrete(nodes[i].shape, sizes)) for i in step.nodes))
    return work


def _blocks(plan: Plan, sizes: Mapping[str, int]) -> tuple[int, int]:
    symbol = plan.split.symbol
    if symbol is None:
        return 0, 1
    nodes, samples, one = plan.arguments.live.nodes, sizes[symbol], {**sizes, symbol: 1}
    stages, direct = plan.split.stages, _direct(plan)
    held = [i for step in plan.steps for i in step.nodes if stages[i] is Stage.EACH and i not in direct]
    widths = [prod(concrete(nodes[i].shape, one)) for i in held]
    depths = [prod(concrete(nodes[packed.node].shape, one)) for packed in plan.packed]
    if not widths and not depths:
        return samples, 1
    most = min(ROW // max(1, *widths, 1), PANEL // max(1, *depths, 1))
    step = STEP
    if plan.convolves:
        most, step = NEAR // max(1, *widths, 1), VECTOR
    most = max(most // step, 1) * step
    blocks = max(ceil(samples / most), 1)
    block = samples if blocks == 1 else ceil(samples / blocks / step) * step
    return block, max(ceil(samples / block), 1) if block else 1


def _buffers(plan: Plan, sizes: Mapping[str, int]) -> tuple[dict[int, int], tuple[int, ...]]:
    """Return {node: buffer} and the bytes of each buffer for one network, by the time each value is needed."""
    nodes = plan.arguments.live.nodes
    steps = sorted(plan.steps, key=lambda step: _ORDER[step.stage])
    phases = [sum(_ORDER[step.stage] <= phase for step in steps) for phase in range(3)]
    roots, last = _lives(plan, steps, phases)
    place: dict[int, int] = {}
    sized: list[int] = []
    free: list[int] = []
    stages = plan.split.stages
    ends: list[tuple[int, int]] = []

    direct = _direct(plan)

    def put(i: int) -> None:
        node = nodes[i]
        need = prod(concrete(node.shape, sizes)) * np.dtype(node.dtype).itemsize
        fitting = [buffer for buffer in free if need <= sized[buffer] <= 2 * need]
        if fitting:
            chosen = min(fitting, key=lambda buffer: sized[buffer])
            free.remove(chosen)
        else:
            chosen = len(sized)
            sized.append(need)
        place[i] = chosen
        ends.append((last[i], chosen))

    for at, step in enumerate(steps):
        if at == phases[0]:
            # sums live through all blocks, so they come before what each block computes
            for later in steps[at : phases[1]]:
                for i in later.nodes:
                    if stages[i] is Stage.SUMS and later.buffer and i not in direct:
                        put(i)
        for i in step.nodes:
            if not step.buffer or i in direct or (stages[i] is Stage.SUMS and at < phases[1]):
                continue
            taken = _taken(plan, step, i, at, roots, last, place) if step.in_place else None
            if taken is None or (at, place[taken]) not in ends:
                put(i)
            else:
                place[i] = place[taken]
                ends.remove((at, place[taken]))
                ends.append((last[i], place[taken]))
        free += [buffer for end, buffer in ends if end <= at]
        ends[:] = [(end, buffer) for end, buffer in ends if end > at]
    return place, tuple(sized)


def _lives(plan: Plan, steps: list[Step], phases: list[int]) -> tuple[dict[int, int], dict[int, int]]:
    """Return {node: node whose buffer it is a view of} and {node: last step that reads it}."""
    roots: dict[int, int] = {}
    last: dict[int, int] = {}
    stages = {i: plan.split.stages[i] for step in steps for i in step.nodes}

    def read(node: int, at: int) -> None:
        root = roots.get(node, node)
        if root in stages and _ORDER[stages[root]] == 0 and at >= phases[0]:
            # what every block reads must outlive the last one
            at = max(at, phases[1])
        last[root] = max(last.get(root, -1), at)

    for at, step in enumerate(steps):
        if step.view:
            roots[step.nodes[0]] = roots.get(step.operands[0], step.operands[0])
        for i in step.nodes:
            last.setdefault(i, at)
        for operand in step.operands:
            read(operand, at)
    ends = {Stage.ONCE: phases[2], Stage.EACH: phases[1], Stage.SUMS: phases[2], Stage.AFTER: phases[2]}
    for output in plan.arguments.live.outputs.values():
        if output in stages:
            read(output, ends[stages[output]])
    return roots, last


def rewritable(plan: Plan, carry: Mapping[str, str]) -> frozenset[int]:
    """Return the parameters whose next value can be written where they lie, of those that `carry` {output: parameter}.

    Nothing reads them after the chain that writes the new value, and the chain reads each number where it writes it.
    """
    live = plan.arguments.live
    steps = sorted(plan.steps, key=lambda step: _ORDER[step.stage])
    phases = [sum(_ORDER[step.stage] <= phase for step in steps) for phase in range(3)]
    roots, last = _lives(plan, steps, phases)
    writers = {i: at for at, step in enumerate(steps) if step.chain and step.in_place for i in step.nodes}
    found = set()
    for name, to in carry.items():
        result, parameter = live.outputs[name], live.parameters[to]
        at = writers.get(result)
        if at is None or name not in plan.direct or steps[at].stage not in (Stage.ONCE, Stage.AFTER):
            continue
        chain = steps[at].chain
        read = [o for o in steps[at].operands if roots.get(o, o) == parameter]
        put = any(roots.get(i, i) == parameter for i in live.outputs.values())
        apart = any(o != parameter for o in read) or (chain is not None and not _alike(chain, parameter, result))
        if last.get(parameter, -1) <= at and not apart and not put:
            found.add(parameter)
    return frozenset(found)


def _taken(
    plan: Plan,
    step: Step,
    result: int,
    at: int,
    roots: Mapping[int, int],
    last: Mapping[int, int],
    place: Mapping[int, int],
) -> int | None:
    """Return the operand whose buffer the result may take: it is not read again, and it lies as the result will."""
    nodes = plan.arguments.live.nodes
    node = nodes[result]
    for operand in step.operands:
        if step.chain is not None and not _alike(step.chain, operand, result):
            continue
        other = nodes[operand] if operand < len(nodes) else None
        if (
            other is not None
            and operand not in roots
            and operand in place
            and last[operand] == at
            and (other.shape, other.dtype, plan.inner[operand]) == (node.shape, node.dtype, plan.inner[result])
        ):
            return operand
    return None


@dataclass(frozen=True)
class Bound:
    """A step, bound to its arrays."""

    write: Write
    nodes: tuple[int, ...]
    outs: tuple[Array | None, ...]
    """Arrays for the results; None where the function finds its own, or the result goes where a slot says."""
    slots: tuple[int, ...]
    """The slot of each result that goes to an output's place, else -1; empty where there is none."""
    operands: tuple[int, ...]
    chain: bool
    native: bool
    view: bool
    by_kernel: bool


@dataclass(frozen=True)
class Frame:
    """The steps for so many networks and samples, bound to their arrays."""

    once: list[Bound]
    first: list[Bound]
    """For the first block of samples."""
    more: list[Bound]
    """For each other one."""
    after: list[Bound]


class Arena:
    """One worker's buffers, and the frames that were made of them."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self._plan = plan
        self._layout = layout
        self._rooms = [aligned(size * layout.networks) for size in layout.bytes]
        self._frames: dict[tuple[int, int], Frame] = {}

    def frame(self, networks: int, block: int) -> Frame:
        """Return the frame for so many networks and samples."""
        key = (networks, block)
        if key not in self._frames:
            if len(self._frames) >= FRAMES:
                self._frames.clear()
            self._frames[key] = self._made(networks, block)
        return self._frames[key]

    def _made(self, networks: int, block: int) -> Frame:
        symbol = self._plan.split.symbol
        sizes = self._layout.sizes if symbol is None else {**self._layout.sizes, symbol: block}
        frame = Frame([], [], [], [])
        lists = {Stage.ONCE: frame.once, Stage.EACH: frame.first, Stage.SUMS: frame.first, Stage.AFTER: frame.after}
        direct = _direct(self._plan)
        for step in self._plan.steps:
            write = step.bind(networks, sizes)
            outs = tuple(self._array(i, networks, sizes) for i in step.nodes)
            slots = tuple(direct.get(i, -1) for i in step.nodes)
            slots = slots if max(slots) >= 0 else ()
            kind = (step.chain is not None, step.native, step.view, step.by_kernel)
            bound = Bound(write, step.nodes, outs, slots, step.operands, *kind)
            lists[step.stage].append(bound)
            if step.chain is not None and step.stage is Stage.EACH:
                frame.more.append(replace(bound, write=partial(write, add=True)))
            elif step.stage is Stage.EACH:
                frame.more.append(bound)
            elif step.stage is Stage.SUMS and step.again is not None:
                more = _added(step.again(write))
                frame.more.append(replace(bound, write=more, outs=(None,), operands=(*step.nodes, *step.operands)))
        return frame

    def _array(self, node: int, networks: int, sizes: Mapping[str, int]) -> Array | None:
        """Return the array [networks, ...] for a node's value, its inner axis the last in memory."""
        place = self._layout.place.get(node)
        if place is None:
            return None
        described = self._plan.arguments.live.nodes[node]
        shape = concrete(described.shape, sizes)
        inner = self._plan.inner[node]
        inner = len(shape) - 1 if inner is None else inner
        stored = (networks, *shape[:inner], *shape[inner + 1 :], *shape[inner : inner + 1])
        dtype = np.dtype(described.dtype)
        array: Array = self._rooms[place][: prod(stored) * dtype.itemsize].view(dtype).reshape(stored)
        return np.moveaxis(array, -1, inner + 1) if shape else array


def _direct(plan: Plan) -> dict[int, int]:
    """Return {node: slot} of the results that are written to an output's place."""
    return {plan.arguments.live.outputs[name]: slot for name, slot in plan.direct.items()}


def _alike(chain: Chain, operand: int, result: int) -> bool:
    """Whether a chain reads an operand as it writes a result: number by number, from the same places."""
    place = chain.places[result]
    return all((leaf.vector, leaf.rows) == (place.vector, place.rows) for leaf in chain.leaves if leaf.node == operand)


def _added(write: Write) -> Write:
    """Return what writes to the value that is there already, its first operand."""
    return lambda none, value, *xs, **named: write(value, *xs, **named)
