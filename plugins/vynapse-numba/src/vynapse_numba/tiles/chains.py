# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which nodes are computed together, in one pass over memory: chains of ops on single elements, and reductions.

All nodes of a chain share one domain: an axis that is computed in vectors (the samples, else the last one, else the
networks) and any others, its rows. A node is wide, with all rows, or narrow, with none. Reductions over rows give
narrow values that the chain goes on with, as a softmax does; reductions over the vectors' axis end in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vynapse_core import Arguments, Node
from vynapse_numba.lanes.code import Code
from vynapse_numba.lanes.elementwise import ELEMENTWISE, UnsupportedError, element
from vynapse_numba.tiles.split import Split, Stage

VIEWS = frozenset({"expand_like", "reshape", "stop_gradient"})
"""Ops that a chain takes in where they lie between others; alone they are but another look at their operand."""
REDUCTIONS = frozenset({"sum", "max", "sum_like", "argmax"})
MOST = 64
"""Most nodes of a chain."""
ROWS = 128
"""Most rows of a chain that goes through them several times: values between are kept for one vector's width."""

NETWORKS = -1

Dims = tuple[int | str, ...]


@dataclass(frozen=True)
class Leaf:
    """A value from outside a chain, and which of its axes lie along the chain's; None where it has the same all along.

    NETWORKS for the axis of vectors where that is the axis of networks, which comes before the value's own.
    """

    node: int
    vector: int | None
    rows: tuple[int | None, ...]


@dataclass(frozen=True)
class Literal:
    """An operand that is one number, known when the code is written."""

    value: float | int | bool


Operand = int | Leaf | Literal
"""An operand: a member's node, a leaf or a literal."""


@dataclass
class Member:
    """A node of a chain."""

    node: int
    op: str
    operands: tuple[Operand, ...]
    wide: bool
    level: int = 0
    """How many reductions over rows come before it."""
    over_rows: bool = False
    """Whether it is reduced over the rows."""
    over_vector: bool = False
    """Whether it is reduced over the axis of vectors: the chain's end."""


@dataclass
class Chain:
    """Nodes that one kernel computes."""

    stage: Stage
    length: str | int | None
    """Size of the axis of vectors; None where that is the axis of networks."""
    rows: Dims | None = None
    """Sizes of the other axes; None until a wide node tells."""
    members: dict[int, Member] = field(default_factory=dict)
    places: dict[int, Leaf] = field(default_factory=dict)
    """How each of the members lies that are needed outside."""

    @property
    def by_columns(self) -> bool:
        """Whether all rows of a vector's width are computed before the next."""
        kinds = {member.wide for member in self.members.values()}
        return len(kinds) > 1 or any(member.over_rows and not member.over_vector for member in self.members.values())

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """What it reads, each once."""
        found = [o for member in self.members.values() for o in member.operands if isinstance(o, Leaf)]
        return tuple(dict.fromkeys(found))


class _RefusedError(Exception):
    """The node cannot be a member."""


class Chains:
    """The chains of a graph, found in one go over its nodes; the nodes `taken` are computed otherwise."""

    def __init__(
        self,
        arguments: Arguments,
        parts: Split,
        needed: tuple[int, ...],
        valued: Callable[[Node], tuple[int, ...]],
        taken: frozenset[int],
        kernels: frozenset[str],
    ) -> None:
        self._arguments, self._parts, self._valued, self._kernels = arguments, parts, valued, kernels
        self._nodes = arguments.live.nodes
        self._literals = {i: a.item() for i, a in arguments.constants if a.size == 1}
        self._open: list[Chain] = []
        self._of: dict[int, Chain] = {}
        self.order: list[int | Chain] = []
        """Chains, and nodes that are in none, so that each comes after what it reads."""
        for i in needed:
            if not self._nodes[i].operands:
                continue
            if i in taken or not self._joined(i):
                for operand in valued(self._nodes[i]):
                    self._close(operand)
                self.order.append(i)
        self.order += self._open
        self._finish(needed)

    def _finish(self, needed: tuple[int, ...]) -> None:
        """Take apart the chains that compute nothing, and name the results of the others."""
        order, self.order = self.order, []
        for entry in order:
            if isinstance(entry, Chain) and not {m.op for m in entry.members.values()} - VIEWS:
                self.order += entry.members
            else:
                self.order.append(entry)
        chains = [entry for entry in self.order if isinstance(entry, Chain)]
        within = {(i, member) for chain in chains for member in chain.members for i in chain.members}
        read = set(self._arguments.live.outputs.values())
        for i in needed:
            read.update(o for o in self._valued(self._nodes[i]) if (i, o) not in within)
        for chain in chains:
            chain.places = {i: self._place(member) for i, member in chain.members.items() if i in read}

    def _place(self, member: Member) -> Leaf:
        i = member.node
        if member.over_vector:
            rows = () if member.over_rows else tuple(at for at, dim in enumerate(self._nodes[i].shape) if dim != 1)
            return Leaf(i, None, rows)
        vector = self._vector(i)
        if vector is None and self._arguments.varying[i]:
            vector = NETWORKS
        return Leaf(i, vector, self._others(i))

    def _close(self, node: int) -> None:
        chain = self._of.get(node)
        if chain is not None and chain in self._open:
            self._open.remove(chain)
            self.order.append(chain)

    def _joined(self, i: int) -> bool:
        """Put a node into a chain, or return False."""
        node = self._nodes[i]
        if node.op in self._kernels or node.op not in ELEMENTWISE | VIEWS | REDUCTIONS:
            return False
        own = [o for o in self._valued(node) if self._of.get(o) in self._open]
        rows = self._dims(self._valued(node)[0] if node.op in REDUCTIONS else i)[1]
        candidates = [chain for chain in self._open if any(self._of[o] is chain for o in own)]
        candidates += [chain for chain in self._open if not own and (chain.rows or ()) == rows]
        for chain in (*candidates, None):
            try:
                member, made = self._member(i, chain)
            except _RefusedError:
                continue
            for o in own:
                if self._of[o] is not chain:
                    self._close(o)
            if chain is None:
                self._open.append(made)
            made.rows = self._rows_of(i, member) if member.wide else made.rows
            made.members[i] = member
            self._of[i] = made
            return True
        return False

    def _vector(self, i: int) -> int | None:
        """Return the axis of a node that is computed in vectors."""
        shape, axis = self._nodes[i].shape, self._parts.axes[i]
        if self._parts.symbol is not None and axis is not None:
            return axis
        if axis is not None and shape[axis] != 1:
            return axis
        return next((at for at in range(len(shape) - 1, -1, -1) if shape[at] != 1), None)

    def _others(self, i: int) -> tuple[int, ...]:
        """Return the axes of a node that are rows."""
        vector = self._vector(i)
        return tuple(at for at, dim in enumerate(self._nodes[i].shape) if at != vector and dim != 1)

    def _dims(self, i: int) -> tuple[str | int | None, Dims]:
        vector, shape = self._vector(i), self._nodes[i].shape
        return None if vector is None else shape[vector], tuple(shape[at] for at in self._others(i))

    def _rows_of(self, i: int, member: Member) -> Dims:
        source = self._valued(self._nodes[i])[0] if member.op in REDUCTIONS else i
        return self._dims(source)[1]

    def _member(self, i: int, chain: Chain | None) -> tuple[Member, Chain]:
        """Return the node as a member of a chain, or of a new one. Raises _RefusedError."""
        node, stage = self._nodes[i], self._parts.stages[i]
        reduced = self._reduced(i) if node.op in REDUCTIONS else None
        domain = self._valued(node)[0] if reduced else i
        if node.op == "sum_like" and reduced == (False, False):
            reduced = None
        length, rows = self._dims(domain)
        if reduced and stage is Stage.SUMS:
            stage = Stage.EACH
        made = chain or Chain(stage, length)
        if made.stage is not stage or made.length != length or len(made.members) >= MOST:
            raise _RefusedError
        wide = bool(rows)
        if wide and made.rows not in (None, (), rows):
            raise _RefusedError
        member = Member(i, node.op, (), wide)
        if reduced:
            member.over_rows, member.over_vector = reduced
        member.operands = tuple(self._operand(o, i, domain, made, bool(reduced)) for o in self._valued(node))
        if reduced is None:
            self._supported(i, member)
        trial = Chain(stage, length, rows or made.rows, {**made.members, i: member})
        self._level(member, made)
        self._check(trial)
        return member, made

    def _check(self, chain: Chain) -> None:
        """Raise _RefusedError for a chain that cannot be written."""
        if not chain.by_columns:
            return
        rows = chain.rows or ()
        if len(rows) > 1 or any(not isinstance(dim, int) or dim > ROWS for dim in rows) or chain.length is None:
            raise _RefusedError
        if any(m.over_vector and m.wide and not m.over_rows for m in chain.members.values()):
            raise _RefusedError

    def _level(self, member: Member, chain: Chain) -> None:
        before = [chain.members[o] for o in member.operands if isinstance(o, int)]
        member.level = max((m.level + (m.over_rows and not m.over_vector) for m in before), default=0)

    def _reduced(self, i: int) -> tuple[bool, bool]:
        """Return whether a reduction goes over rows and over vectors. Raises _RefusedError for another kind."""
        node = self._nodes[i]
        source = self._valued(node)[0]
        shape = self._nodes[source].shape
        vector, others = self._vector(source), self._others(source)
        if node.op == "sum_like":
            missing = len(shape) - len(node.shape)
            like = (*(1,) * missing, *node.shape)
            axes = tuple(at for at, dim in enumerate(like) if dim == 1 and shape[at] != 1)
        elif node.op == "argmax":
            axes = (node.attributes["axis"],)
        else:
            axes = tuple(node.attributes["axes"])
        axes = tuple(at for at in axes if shape[at] != 1 or at == vector)
        over_vector = vector in axes
        over_rows = tuple(at for at in axes if at != vector)
        if vector is None or over_rows not in ((), others) or self._nodes[source].dtype == "bool":
            raise _RefusedError
        if node.op == "argmax" and (over_vector or not over_rows):
            raise _RefusedError
        if not over_rows and not over_vector and node.op != "sum_like":
            # nothing to add up but axes of one
            raise _RefusedError
        if over_vector and others and not over_rows and node.op == "max":
            raise _RefusedError
        if over_vector and self._parts.stages[i] not in (Stage.SUMS, self._parts.stages[source]):
            raise _RefusedError
        return bool(over_rows), over_vector

    def _operand(self, o: int, i: int, domain: int, chain: Chain, reduced: bool) -> Operand:
        """Return an operand of node i as the chain sees it. Raises _RefusedError."""
        node, other = self._nodes[i], self._nodes[o]
        if o in self._literals and not reduced and node.op not in VIEWS:
            return Literal(self._literals[o])
        if o in chain.members:
            member = chain.members[o]
            if member.over_vector:
                raise _RefusedError
            if reduced or node.op == "reshape":
                return o
            vector = self._vector(o)
            at = None if vector is None else vector + len(node.shape) - len(other.shape)
            if at != self._vector(i):
                raise _RefusedError
            return o
        vector, rows = self._vector(domain), self._others(domain)
        if vector is None:
            return Leaf(o, NETWORKS if self._arguments.varying[o] else None, ())
        if node.op == "reshape":
            return Leaf(o, self._vector(o), self._others(o))
        shift = len(self._nodes[domain].shape) - len(other.shape)

        def along(axis: int | None) -> int | None:
            return None if axis is None or axis < shift or other.shape[axis - shift] == 1 else axis - shift

        return Leaf(o, along(vector), tuple(along(axis) for axis in rows))

    def _supported(self, i: int, member: Member) -> None:
        """Raise _RefusedError for an op that cannot be written for these dtypes."""
        node = self._nodes[i]
        if node.op == "reshape" and _long(self._nodes[self._valued(node)[0]]) != _long(node):
            raise _RefusedError
        if node.op in VIEWS or node.op == "sum_like":
            return
        code = Code(4, 10_000)
        dtypes = [self._nodes[o].dtype for o in self._valued(node)]
        values = [
            o.value if isinstance(o, Literal) else code.lane(0, dtype)
            for o, dtype in zip(member.operands, dtypes, strict=True)
        ]
        try:
            element(code, node.op, values, dtypes, node.dtype)
        except UnsupportedError:
            raise _RefusedError from None


def _long(node: Node) -> Dims:
    return tuple(dim for dim in node.shape if dim != 1)
