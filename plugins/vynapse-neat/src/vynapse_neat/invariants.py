# SPDX-License-Identifier: MIT OR Apache-2.0
"""What must hold of genes: checked in files from elsewhere and in tests, never in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vynapse_neat.layout import COUNTS, OF_CONNECTIONS, OF_NODES, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vynapse_core import Array, Genes
    from vynapse_neat.layout import Layout


def violations(layout: Layout, genes: Genes) -> list[str]:
    """Return what is wrong with `genes`, a line each; nothing where every invariant holds."""
    found = list(_misshapen(layout, genes))
    found = found or list(_invalid_nodes(layout, genes)) + list(_invalid_connections(layout, genes))
    if not found and not layout.recurrent:
        found = [f"individual {i}: its connections form a cycle" for i in range(len(genes)) if _cyclic(genes, i)]
    return found


def _misshapen(layout: Layout, genes: Genes) -> Iterator[str]:
    """Yield what is wrong with names, shapes and dtypes."""
    expected = {*COUNTS, *OF_NODES, *OF_CONNECTIONS}
    if expected != set(genes.structure):
        yield f"structure: expected {', '.join(sorted(expected))}; found {', '.join(sorted(genes.structure))}"
        return
    n, (nodes, connections) = len(genes), places(genes)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(COUNTS, (n,))
    shapes |= dict.fromkeys(OF_NODES, (n, nodes)) | dict.fromkeys(OF_CONNECTIONS, (n, connections))
    for name, shape in shapes.items():
        array = genes.structure[name]
        if array.shape != shape or array.dtype != np.int32:
            yield f"{name}: expected int32 {list(shape)}, found {array.dtype} {list(array.shape)}"
    values = (n, layout.width(nodes, connections))
    if genes.values.shape != values or genes.values.dtype != np.float32:
        yield f"values: expected float32 {list(values)}, found {genes.values.dtype} {list(genes.values.shape)}"
    elif not np.isfinite(genes.values).all():
        yield "values: not all are finite"


def _told(what: str, wrong: Array) -> Iterator[str]:
    """Yield a line that names the first individual of which `wrong` [P] or [P, ...] holds."""
    rows = np.flatnonzero(wrong.any(axis=tuple(range(1, wrong.ndim))))
    if len(rows):
        yield f"individual {rows[0]}: {what}"


def _invalid_nodes(layout: Layout, genes: Genes) -> Iterator[str]:
    n, width = len(genes), places(genes)[0]
    counts, node = genes.structure["nodes"], genes.structure["node"]
    used = np.arange(width) < counts[:, None]
    few = (counts < layout.fixed) | (counts > width)
    yield from _told(f"its number of nodes is not within {layout.fixed} and {width}", few)
    if few.any():
        return
    fixed = np.broadcast_to(np.arange(layout.fixed), (n, layout.fixed))
    yield from _told("its first nodes are not the inputs, outputs and bias node", node[:, : layout.fixed] != fixed)
    yield from _told("its nodes do not ascend", used[:, 1:] & (node[:, 1:] <= node[:, :-1]))
    for name, names in (("activation", layout.activations), ("aggregation", layout.aggregations)):
        array = genes.structure[name]
        yield from _told(f"an {name} is not within 0 and {len(names) - 1}", (array < 0) | (array >= len(names)))
    constant = np.arange(width) < layout.inputs
    if layout.bias_node:
        constant[layout.fixed - 1] = True
    biases, responses = layout.biases(genes), layout.responses(genes)
    for name in ("activation", "aggregation"):
        yield from _told(f"an input has an {name}", genes.structure[name][:, constant] != 0)
    yield from _told("an input has a bias", biases[:, constant] != 0)
    if layout.bias_node:
        yield from _told("it has biases beside a bias node", biases != 0)
    beyond = {"node": node, "activation": genes.structure["activation"], "aggregation": genes.structure["aggregation"]}
    beyond["bias"] = biases
    if responses is not None:
        beyond["response"] = responses
    for name, array in beyond.items():
        yield from _told(f"beyond its nodes there is a value of '{name}' that is not 0", ~used & (array != 0))


def _invalid_connections(layout: Layout, genes: Genes) -> Iterator[str]:
    width = places(genes)[1]
    counts, innovation = genes.structure["connections"], genes.structure["innovation"]
    used = np.arange(width) < counts[:, None]
    many = (counts < 0) | (counts > width)
    yield from _told(f"its number of connections is not within 0 and {width}", many)
    if many.any():
        return
    yield from _told("its innovations do not ascend", used[:, 1:] & (innovation[:, 1:] <= innovation[:, :-1]))
    yield from _told("an innovation is negative", used & (innovation < 0))
    enabled = genes.structure["enabled"]
    yield from _told("a connection is neither enabled (1) nor disabled (0)", used & (enabled != 0) & (enabled != 1))
    for name in (*OF_CONNECTIONS,):
        yield from _told(
            f"beyond its connections there is a value of '{name}' that is not 0", ~used & (genes.structure[name] != 0)
        )
    yield from _told("beyond its connections there is a weight that is not 0", ~used & (layout.weights(genes) != 0))
    target = genes.structure["target"]
    bias_node = (target == layout.fixed - 1) if layout.bias_node else np.zeros(target.shape, bool)
    yield from _told("a connection ends in an input or the bias node", used & ((target < layout.inputs) | bias_node))
    for i in range(len(genes)):
        nodes = genes.structure["node"][i, : genes.structure["nodes"][i]]
        source, ends = (genes.structure[name][i, : counts[i]] for name in ("source", "target"))
        if not np.isin(source, nodes).all() or not np.isin(ends, nodes).all():
            yield f"individual {i}: a connection joins a node that it does not have"
        pairs = source.astype(np.int64) * 2**32 + ends
        if len(np.unique(pairs)) < len(pairs):
            yield f"individual {i}: two connections join the same nodes"


def _cyclic(genes: Genes, individual: int) -> bool:
    """Return whether the connections of one individual, disabled ones too, form a cycle."""
    nodes = genes.structure["node"][individual, : genes.structure["nodes"][individual]]
    ends = (genes.structure[name][individual] for name in ("source", "target"))
    source, target = (np.searchsorted(nodes, end[: genes.structure["connections"][individual]]) for end in ends)
    left = np.ones(len(nodes), bool)
    while True:
        # what no remaining connection ends in cannot lie on a cycle
        entered = np.zeros(len(nodes), bool)
        entered[target[left[source]]] = True
        if not (left & ~entered).any():
            return bool(left.any())
        left &= entered
