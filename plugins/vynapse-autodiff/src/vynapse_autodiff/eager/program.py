# SPDX-License-Identifier: MIT OR Apache-2.0
"""Program: the nodes of a graph as a flat list of bound NumPy calls, for one set of shapes.

What depends on constants and shapes alone is computed when the list is made; an array is let go of, or written over,
after its last use.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core import GraphError, constant_array

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vynapse_core import Array, Node, Op

    Step = tuple[Callable[..., Any], int, int, int, tuple[int, ...] | None]

LARGE = 1 << 16
"""Bytes from which on an array is let go of or written over as soon as can be."""
FOLDED = 1 << 12
"""Most elements of a constant that is computed beforehand."""
VIEWS = ("reshape", "transpose", "slice", "window", "stop_gradient", "picked")
"""Ops whose result may be a view of their operand, or an array that others hold too."""
SPREADING = ("add", "sub", "mul", "div", "maximum", "minimum")
"""Ops that broadcast an operand as they go."""


class Steps:
    """Calls in order, each on slots of a list."""

    def __init__(self, steps: list[Step], dead: list[tuple[int, ...]], large: bool) -> None:
        self.steps = steps
        self.dead = dead
        """After each step, the slots of arrays that nothing needs any more."""
        self.large = large
        """Whether it is worth while to let go of them."""

    def run(self, slots: list[Any]) -> None:
        """Fill `slots`."""
        if self.large:
            self._run_large(slots)
            return
        for function, result, first, second, more in self.steps:
            if more is not None:
                slots[result] = function(*[slots[i] for i in more])
            elif second < 0:
                slots[result] = function(slots[first])
            else:
                slots[result] = function(slots[first], slots[second])

    def _run_large(self, slots: list[Any]) -> None:
        for (function, result, first, second, more), dead in zip(self.steps, self.dead, strict=True):
            if more is not None:
                slots[result] = function(*[slots[i] for i in more])
            elif second < 0:
                slots[result] = function(slots[first])
            else:
                slots[result] = function(slots[first], slots[second])
            for slot in dead:
                slots[slot] = None


class Program:
    """A flat list: copy `template`, put the arrays of the `loads` in place, run `steps`, read the `results`."""

    def __init__(
        self,
        nodes: Sequence[Node],
        ops: Mapping[str, Op],
        given: Sequence[int],
        results: Sequence[int],
        into: Mapping[int, int] | None = None,
    ) -> None:
        """Make the list that computes the nodes `results` out of the nodes `given`, whose arrays each run gets.

        `into` {node: given node} says where a result may be written over the array of another.
        """
        self.nodes = nodes
        self._ops = ops
        self._given = set(given)
        self.template: list[Any] = [None] * len(nodes)
        self.alias = list(range(len(nodes)))
        """For each node the one whose array is read in its place."""
        needed = self._needed(results)
        self._fold(needed)
        self._spread(needed, set(results))
        self.results = [self.alias[i] for i in results]
        needed = self._needed(self.results)
        self.order = [i for i, wanted in enumerate(needed) if wanted and i not in self._given and not self._folded(i)]
        """The nodes that are computed."""
        self.loads = [i for i in given if needed[i]]
        """Those of the given nodes whose arrays are read."""
        self.steps = self._bound(into or {})
        self.fresh = {i for i in self.order if nodes[i].op not in VIEWS}
        """Nodes whose arrays belong to a run alone."""

    def blank(self, place: int) -> Array:
        """Return zeros of a node's shape and dtype, which take no memory."""
        return _shaped(self.nodes[place])

    def part(self, chosen: Callable[[Node], bool]) -> Steps:
        """Return the steps that compute the nodes that `chosen` is true of; they let go of no others."""
        pairs = [
            (step, dead)
            for step, dead in zip(self.steps.steps, self.steps.dead, strict=True)
            if chosen(self.nodes[step[1]])
        ]
        mine = {step[1] for step, _ in pairs}
        dead = [tuple(slot for slot in dead if slot in mine) for _, dead in pairs]
        return Steps([step for step, _ in pairs], dead, self.steps.large)

    def _needed(self, results: Sequence[int]) -> list[bool]:
        """Return for each node whether its value is needed; where only a shape counts, it is not."""
        needed = [False] * len(self.nodes)
        for result in results:
            needed[result] = True
        for i in range(len(self.nodes) - 1, -1, -1):
            if needed[i] and i not in self._given:
                for operand in self._read(i):
                    needed[operand] = True
        return needed

    def _read(self, i: int) -> list[int]:
        """Return the operands of a node whose values count."""
        node = self.nodes[i]
        if not node.operands or self._folded(i):
            return []
        only_shape = self._ops[node.op].shape_only
        return [self.alias[operand] for at, operand in enumerate(node.operands) if at not in only_shape]

    def _folded(self, i: int) -> bool:
        return self.template[i] is not None

    def _fold(self, needed: list[bool]) -> None:
        """Compute what depends on constants alone; see through products with 1."""
        for i, node in enumerate(self.nodes):
            if not needed[i] or i in self._given:
                continue
            if node.op == "constant":
                self.template[i] = constant_array(node)
                continue
            read = self._read(i)
            known = [self.template[operand] for operand in read]
            if all(value is not None for value in known) and _elements(node) <= FOLDED:
                arrays = iter(known)
                shape_only = self._ops[node.op].shape_only
                operands = [
                    _shaped(self.nodes[operand]) if at in shape_only else next(arrays)
                    for at, operand in enumerate(node.operands)
                ]
                with np.errstate(all="ignore"):
                    value = self._ops[node.op].bind(node.attributes, {})(*operands)
                self.template[i] = np.asarray(value)
            elif node.op == "mul":
                for one, other in ((0, 1), (1, 0)):
                    value = known[one]
                    if value is not None and (value == 1.0).all() and self.nodes[read[other]].shape == node.shape:
                        self.alias[i] = read[other]

    def _spread(self, needed: list[bool], results: set[int]) -> None:
        """See through an expansion where all that read it broadcast it themselves."""
        readers: dict[int, list[int]] = {}
        for i, wanted in enumerate(needed):
            if wanted and i not in self._given:
                for operand in self._read(i):
                    readers.setdefault(operand, []).append(i)
        for i, node in enumerate(self.nodes):
            if node.op != "expand_like" or not needed[i] or i in results or i in self._given or self._folded(i):
                continue
            if all(self._broadcasts(reader, i) for reader in readers.get(i, ())):
                self.alias[i] = self._read(i)[0]

    def _broadcasts(self, reader: int, expanded: int) -> bool:
        node = self.nodes[reader]
        others = [operand for operand in self._read(reader) if operand != expanded]
        return node.op in SPREADING and any(self.nodes[other].shape == node.shape for other in others)

    def _bound(self, into: Mapping[int, int]) -> Steps:
        last, root = self._lifetimes()
        kept = {root.get(result, result) for result in self.results} | set(self.results)
        shown = set(root) | set(root.values())
        large = any(_bytes(self.nodes[i]) >= LARGE for i in (*self.order, *self.loads))
        steps: list[Step] = []
        released: list[tuple[int, ...]] = []
        made: set[int] = set()
        for at, i in enumerate(self.order):
            node = self.nodes[i]
            function, operands = self._function(i), self._slots(i)
            dying = {operand for operand in operands if last.get(operand) == at and operand not in kept}
            target = into.get(i)
            if target is not None and last.get(target, -1) > at:
                target = None
            if target is None and _bytes(node) >= LARGE:
                spare = [x for x in operands if x in dying and x in made and x not in shown]
                target = next((x for x in spare if (self.nodes[x].shape, self.nodes[x].dtype) == _type(node)), None)
            more = tuple(operands) if len(operands) > 2 else None
            if target is not None and isinstance(function, np.ufunc):
                more = (*operands, target)
            steps.append((function, i, operands[0], operands[1] if len(operands) == 2 else -1, more))
            made.add(i)
            dying |= {root[operand] for operand in dying if operand in root and last[root[operand]] == at} - kept
            released.append(tuple(sorted(slot for slot in dying if not self._folded(slot))))
        return Steps(steps, released, large)

    def _lifetimes(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return the step at which each node is read last, and {view: the node whose array it shows}."""
        last: dict[int, int] = {}
        root: dict[int, int] = {}
        for at, i in enumerate(self.order):
            for operand in self._read(i):
                last[operand] = at
                if self.nodes[i].op in VIEWS:
                    root[i] = root.get(operand, operand)
        for view, shown in root.items():
            last[shown] = max(last.get(shown, -1), last.get(view, -1))
        return last, root

    def _slots(self, i: int) -> list[int]:
        """Return the slots that a step reads; zeros stand for operands of which only the shape counts."""
        node = self.nodes[i]
        operands = [self.alias[operand] for operand in node.operands]
        if node.op in ("sum_like", "expand_like"):
            return operands[:1]
        for position in self._ops[node.op].shape_only:
            operands[position] = len(self.template)
            self.template.append(_shaped(self.nodes[node.operands[position]]))
        return operands

    def _function(self, i: int) -> Callable[..., Any]:
        """Return the bound call of a node, in the form that costs least for these shapes."""
        node = self.nodes[i]
        shapes = [self.nodes[operand].shape for operand in node.operands]
        if node.op == "sum_like":
            return _summed(shapes[0], shapes[1])
        if node.op == "expand_like":
            return partial(_broadcast, shape=_sizes(self.nodes[node.operands[1]]))
        if node.op == "sum" and node.dtype.startswith("float") and not node.attributes["keepdims"]:
            return _reduced(node.attributes["axes"])
        if node.op == "matmul" and all(len(shape) == 2 for shape in shapes):
            return np.dot
        return self._ops[node.op].bind(node.attributes, {})


def _summed(wide: tuple[Any, ...], narrow: tuple[Any, ...]) -> Callable[..., Any]:
    """Return the sum over the axes that broadcasting gave."""
    lead = len(wide) - len(narrow)
    if tuple(wide[lead:]) == tuple(narrow):
        return _reduced(tuple(range(lead)))
    axes = tuple(axis for axis, size in enumerate((1,) * lead + tuple(narrow)) if size == 1)
    return lambda x: np.add.reduce(x, axes, keepdims=True).reshape(narrow)


def _reduced(axes: tuple[int, ...]) -> Callable[..., Any]:
    reduce, over = np.add.reduce, axes[0] if len(axes) == 1 else axes
    return lambda x: reduce(x, over)


def _broadcast(x: Array, shape: tuple[int, ...]) -> Array:
    result = np.empty(shape, x.dtype)
    result[...] = x
    return result


def _shaped(node: Node) -> Array:
    """Return zeros of a node's shape and dtype that take no memory."""
    return np.broadcast_to(np.zeros((), node.dtype), _sizes(node))


def _sizes(node: Node) -> tuple[int, ...]:
    if any(isinstance(dim, str) for dim in node.shape):
        raise GraphError(f"{node.op} {node.type}: a flat list wants sizes, not symbols")
    return tuple(int(dim) for dim in node.shape)


def _elements(node: Node) -> int:
    return int(np.prod(_sizes(node), dtype=np.int64))


def _type(node: Node) -> tuple[tuple[int | str, ...], str]:
    return node.shape, node.dtype


def _bytes(node: Node) -> int:
    return _elements(node) * np.dtype(node.dtype).itemsize
