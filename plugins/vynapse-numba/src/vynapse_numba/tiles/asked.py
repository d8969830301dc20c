# SPDX-License-Identifier: MIT OR Apache-2.0
"""A plugin's kernel that is asked for values by Python, and what is said of a node whose computation fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vynapse_core import Array, GraphError, Node
from vynapse_numba.tiles.bind import Write


@dataclass(frozen=True)
class Asked:
    """A plugin's kernel, asked for the values of a node. Raises whatever the kernel raises."""

    node: Node
    write: Write
    operands: tuple[Array, ...]
    threads: int
    """That it may share its work among."""
    sizes: Mapping[str, int]

    def __call__(self) -> Array:
        """Ask it."""
        value: Array = self.write(None, *self.operands, sizes=self.sizes, threads=self.threads)
        return value

    def on(self, operands: Sequence[Array], sizes: Mapping[str, int]) -> Array:
        """Ask it of other arrays. Raises GraphError where it fails."""
        try:
            value: Array = self.write(None, *operands, sizes=sizes, threads=self.threads)
        except Exception as error:
            raise failed(self.node, error) from error
        return value


def failed(node: Node, error: Exception) -> GraphError:
    """Return the error that names the node."""
    return GraphError(f"{node.op} {node.type} failed: {error}")
