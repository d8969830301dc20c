# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a graph becomes before any size is known: steps in order, and what follows from them for every call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from vynapse_core import Arguments, Array, Kernel, Node
from vynapse_numba.tiles.bind import Bind, Write
from vynapse_numba.tiles.chains import Chain
from vynapse_numba.tiles.lift import LIFTED
from vynapse_numba.tiles.split import Split, Stage


@dataclass(frozen=True)
class Step:
    """One value to be computed, or those of a chain."""

    nodes: tuple[int, ...]
    stage: Stage
    operands: tuple[int, ...]
    bind: Bind
    again: Callable[[Write], Write] | None = None
    """For sums over blocks: what adds to the value instead of writing it, made of the step's function."""
    chain: Chain | None = None
    """The chain that the step computes: then its function takes a list of arrays for results, and returns nothing."""
    native: bool = False
    """Whether the step's function takes a tape, and writes down there what it does."""
    view: bool = False
    """Whether the result may be another look at the first operand."""
    buffer: bool = True
    """Whether the result is written to an array that is there already."""
    in_place: bool = False
    """Whether that may be an operand's."""
    by_kernel: bool = False
    """Whether a plugin's kernel computes it, which is told the sizes of the call."""


@dataclass(frozen=True)
class Packed:
    """A shared matrix that is the right operand of products, packed for them block by block."""

    slot: int
    node: int
    turned: bool
    """Whether it is the matrix transposed."""


@dataclass(frozen=True)
class Plan:
    """Steps in order, and what they need."""

    arguments: Arguments
    split: Split
    inner: tuple[int | None, ...]
    """Which axis of each value lies innermost."""
    shared: tuple[int | Step, ...]
    """What all networks share and is needed: chains of nodes, and nodes by themselves."""
    steps: tuple[Step, ...]
    packed: tuple[Packed, ...]
    direct: Mapping[str, int]
    """{output: slot} of the outputs that chains write where the caller gets them."""
    slots: int
    convolves: bool
    """Whether there are convolutions or pools."""
    kernels: Mapping[str, Kernel]
    valued: Callable[[Node], tuple[int, ...]]
    """The operands of a node whose values it needs."""

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that steps are bound to; what kernels alone read may change its size from call to call."""
        live = self.arguments.live
        inner = [i for i, node in enumerate(live.nodes) if node.operands]
        bound = {o for i in inner if live.nodes[i].op not in self.kernels for o in live.nodes[i].operands}
        if any(live.nodes[i].op not in LIFTED | self.kernels.keys() for i in inner):
            # an op of a plugin may ask for any size
            bound.update(range(len(live.nodes)))
        bound.update(inner, live.outputs.values())
        named = {dim for i in bound for dim in live.nodes[i].shape if isinstance(dim, str)}
        return tuple(sorted(named | ({self.split.symbol} if self.split.symbol else set())))

    @cached_property
    def cut(self) -> tuple[tuple[int, int], ...]:
        """(slot, axis of samples) of what all networks share and steps read a block at a time."""
        if self.split.symbol is None:
            return ()
        axes, varying = self.split.axes, self.arguments.varying
        read = sorted({o for step in self.steps for o in step.operands if o < len(axes) and not varying[o]})
        return tuple((slot, axis) for slot in read if (axis := axes[slot]) is not None)

    @cached_property
    def known(self) -> list[Array | None]:
        """The values of constants by slot, None for all others."""
        constants = dict(self.arguments.constants)
        return [constants.get(slot) for slot in range(self.slots)]

    @cached_property
    def common(self) -> tuple[tuple[str, int], ...]:
        """(output, node) of those that all networks share."""
        return tuple((name, i) for name, i in self.arguments.live.outputs.items() if not self.arguments.varying[i])

    @cached_property
    def shares(self) -> bool:
        """Whether anything is to be computed or laid out that all networks share."""
        return bool(self.shared or self.common or self.cut or self.packed)

    @cached_property
    def blockwise(self) -> tuple[tuple[str, int, int], ...]:
        """(output, node, axis of samples) of those that are copied a block at a time."""
        each = [(name, i) for name, i in self._copied if self.split.stages[i] is Stage.EACH]
        return tuple((name, i, self.split.axes[i] or 0) for name, i in each)

    @cached_property
    def whole(self) -> tuple[tuple[str, int], ...]:
        """(output, node) of those that are copied once a tile."""
        return tuple((name, i) for name, i in self._copied if self.split.stages[i] is not Stage.EACH)

    @property
    def _copied(self) -> list[tuple[str, int]]:
        own = [(name, i) for name, i in self.arguments.live.outputs.items() if name not in self.direct]
        return [(name, i) for name, i in own if self.split.stages[i] is not Stage.SHARED]

    def moving(self, inputs: Collection[str]) -> frozenset[int]:
        """Return the nodes that all networks share whose values depend on these inputs."""
        live = self.arguments.live
        found = {live.inputs[name] for name in inputs}
        for i, node in enumerate(live.nodes):
            if not self.arguments.varying[i] and found.intersection(self.valued(node)):
                found.add(i)
        return frozenset(found)
