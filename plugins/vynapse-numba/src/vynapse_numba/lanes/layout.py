# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the shapes and strides of a call's arrays settle; kept for the next call, which mostly has the same ones.

A call for a hundred tiny networks takes the kernel two microseconds: to check every array again would take ten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vynapse_core import GraphError, concrete, constant_array
from vynapse_numba.lanes.shared import Shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Arguments, Array
    from vynapse_numba.lanes.kernel import Text
    from vynapse_numba.lanes.stages import Stages


class Layout:
    """How the arrays of a call lie. Raises ValueError for arrays that do not fit the graph, as every device does."""

    def __init__(
        self,
        arguments: Arguments,
        stages: Stages,
        text: Text,
        lanes: int,
        arrays: Mapping[str, Array],
        inputs: Mapping[str, Array],
    ) -> None:
        nodes = arguments.live.nodes
        checked = arguments.check(arrays, inputs)
        self.networks = checked.networks
        self.sizes = checked.sizes
        """What the graph's symbols stand for."""
        self.samples = checked.sizes.get(stages.symbol or "", 0)
        if self.networks and not self.samples and any(nodes[i].op == "max" for i in stages.over):
            raise GraphError("max failed: an axis without elements has no maximum")
        for node in nodes:
            # only elements of values of unknown size are read at places that no size was checked for
            if node.op == "gather" and any(o in stages.apart for o in node.operands):
                arguments.ops["gather"].bind(node.attributes, self.sizes)(
                    np.broadcast_to(np.float32(0), concrete(nodes[node.operands[0]].shape, self.sizes)),
                    constant_array(nodes[node.operands[1]]),
                )
        self.rows = -(-self.networks // lanes) * lanes
        """Networks, rounded up to whole blocks: what outputs have room for."""
        self.own: list[str] = [nodes[i].attributes["name"] for i in text.own]
        """The leaves that the kernel reads from each network's row."""
        self.inputs = [(i, nodes[i].attributes["name"]) for i, _ in checked.shared]
        """(node, name) of the inputs that all networks share."""
        found = arguments.live.outputs
        self.outputs = [
            (name, concrete(nodes[found[name]].shape, checked.sizes), nodes[found[name]].dtype) for name in text.outputs
        ]
        """(name, shape, dtype) of the kernel's outputs, of one network."""
        self.common = [name for name, i in found.items() if not arguments.varying[i]]
        """The outputs that are the same for all networks."""
        self.shared = Shared(arguments, (*text.shared, *(found[name] for name in self.common)), checked.sizes)
        given = {**arrays, **inputs}
        self.plain = all(type(array) is np.ndarray for array in given.values())
        """Whether all that is given is arrays already."""
        self.in_rows = self.plain and all(in_rows(given[name]) for name in self.own)
        """Whether the kernel can read the leaves where they lie."""
        names, settled = dict(self.inputs), self.shared.settled
        lies = {i for i, name in self.inputs if _as_it_lies(given[name], nodes[i].dtype)}
        whole = self.plain and not self.common and lies.union(settled).issuperset(text.shared)
        self.direct = [settled[i] if i in settled else names[i] for i in text.shared] if whole else None
        """The shared values that the kernel reads, where there is nothing to compute: those that need no input, and the
        names of inputs that can be read where they lie."""
        self._seen = [(name, array.shape, array.strides, array.dtype) for name, array in given.items() if self.plain]
        self._counts = (len(arrays), len(inputs))

    def fits(self, arrays: Mapping[str, Array], inputs: Mapping[str, Array]) -> bool:
        """Return whether a call's arrays are laid out as those of the call before."""
        if not self.plain or (len(arrays), len(inputs)) != self._counts:
            return False
        for name, shape, strides, dtype in self._seen:
            array = arrays.get(name)
            if array is None:
                array = inputs.get(name)
            if type(array) is not np.ndarray or array.dtype is not dtype:
                return False
            if array.shape != shape or array.strides != strides:
                return False
        return True


def _as_it_lies(array: Array, dtype: str) -> bool:
    return type(array) is np.ndarray and array.flags.c_contiguous and array.dtype == np.dtype(dtype)


def in_rows(array: Array) -> bool:
    """Return whether each network's numbers lie one after the other, in the machine's byte order."""
    step = array.itemsize
    for size, stride in zip(array.shape[:0:-1], array.strides[:0:-1], strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return array.dtype.isnative
