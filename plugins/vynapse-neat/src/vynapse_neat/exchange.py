# SPDX-License-Identifier: MIT OR Apache-2.0
"""A genome as JSON: what others write and read.

    {"format": "vynapse-neat-genome", "version": 1, "inputs": 2, "outputs": 1, "bias": "gene", "response": false,
     "recurrent": false,
     "nodes": [{"id": 2, "bias": 0.5, "activation": "tanh", "aggregation": "sum"}],
     "connections": [{"innovation": 0, "source": 0, "target": 2, "weight": 1.0, "enabled": true}]}

Inputs have the ids 0..I-1 and outputs I..I+O-1; a bias node, with `"bias": "node"`, has I+O. Neither inputs nor the
bias node stand under `nodes`. Reading coerces nothing and takes nothing that is not known.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vynapse_core import DataError, Genes
from vynapse_neat.activations import ACTIVATIONS, AGGREGATIONS, known_names
from vynapse_neat.layout import Layout, rounded

LARGEST = 2**28
"""Most characters of a text that is read."""
MOST_SAID = 10
"""Problems that an error spells out."""

Id = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1, lt=2**20)]
Number = Annotated[float, Field(ge=-3.4e38, le=3.4e38)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Node(_Strict):
    """An output or a hidden node."""

    id: Id
    bias: Number = 0.0
    response: Number = 1.0
    activation: str
    aggregation: str = "sum"


class Connection(_Strict):
    """A connection."""

    innovation: Id
    source: Id
    target: Id
    weight: Number
    enabled: bool = True


class File(_Strict):
    """The whole of it."""

    format: Literal["vynapse-neat-genome"]
    version: Literal[1]
    inputs: Count
    outputs: Count
    bias: Literal["gene", "node"]
    response: bool
    recurrent: bool
    nodes: tuple[Node, ...]
    connections: tuple[Connection, ...]


def exported(layout: Layout, genes: Genes, individual: int = 0) -> str:
    """Return one of the genomes as JSON; reading it gives the same bits."""
    own = genes.take(slice(individual, individual + 1))
    structure = {name: array[0] for name, array in own.structure.items()}
    biases, responses = layout.biases(own)[0], layout.responses(own)
    nodes = tuple(
        Node(
            id=int(structure["node"][place]),
            bias=_short(biases[place]),
            response=1.0 if responses is None else _short(responses[0, place]),
            activation=layout.activations[structure["activation"][place]],
            aggregation=layout.aggregations[structure["aggregation"][place]],
        )
        for place in range(layout.inputs, int(structure["nodes"]))
        if not (layout.bias_node and place == layout.fixed - 1)
    )
    weights = layout.weights(own)[0]
    connections = tuple(
        Connection(
            innovation=int(structure["innovation"][place]),
            source=int(structure["source"][place]),
            target=int(structure["target"][place]),
            weight=_short(weights[place]),
            enabled=bool(structure["enabled"][place]),
        )
        for place in range(int(structure["connections"]))
    )
    file = File(
        format="vynapse-neat-genome",
        version=1,
        inputs=layout.inputs,
        outputs=layout.outputs,
        bias="node" if layout.bias_node else "gene",
        response=layout.response,
        recurrent=layout.recurrent,
        nodes=nodes,
        connections=connections,
    )
    return file.model_dump_json(indent=2)


def imported(text: str, layout: Layout | None = None) -> tuple[Layout, Genes]:
    """Return the genome of a JSON text, [1], and its layout: `layout`, or one with the names that it uses.

    Raises DataError for what is not such a genome, or does not fit `layout`.
    """
    if len(text) > LARGEST:
        raise DataError(f"a genome's file has at most {LARGEST} characters, found {len(text)}")
    try:
        file = File.model_validate_json(text)
    except (ValidationError, UnicodeError) as error:
        raise _refused(_told(error)) from None
    nodes = sorted(file.nodes, key=lambda node: node.id)
    links = sorted(file.connections, key=lambda link: link.innovation)
    found = Layout(
        file.inputs,
        file.outputs,
        file.bias == "node",
        file.response,
        file.recurrent,
        _names([node.activation for node in nodes], ACTIVATIONS, "activation"),
        _names([node.aggregation for node in nodes], AGGREGATIONS, "aggregation"),
    )
    problems = [] if layout is None else list(_misfits(found, layout))
    if not file.response and any(node.response != 1 for node in nodes):
        problems.append("nodes: a response other than 1 needs 'response': true")
    if problems:
        raise _refused(problems)
    layout = found if layout is None else layout
    genes = _genes(layout, nodes, links)
    if problems := layout.validate(genes):
        raise _refused([problem.removeprefix("individual 0: ") for problem in problems])
    return layout, genes


def _genes(layout: Layout, nodes: list[Node], links: list[Connection]) -> Genes:
    """Return genes [1] of these nodes and links, ascending; whether they are valid is not asked here."""
    constant = [*range(layout.inputs), *([layout.fixed - 1] if layout.bias_node else [])]
    ids = np.array(sorted([*constant, *[node.id for node in nodes]]), np.int32)
    genes = layout.empty(1, rounded(len(ids)), rounded(len(links)))
    structure, biases, responses = genes.structure, layout.biases(genes), layout.responses(genes)
    structure["nodes"][:], structure["connections"][:] = len(ids), len(links)
    structure["node"][0, : len(ids)] = ids
    for place, node in zip(np.searchsorted(ids, [node.id for node in nodes]).tolist(), nodes, strict=True):
        structure["activation"][0, place] = layout.activations.index(node.activation)
        structure["aggregation"][0, place] = layout.aggregations.index(node.aggregation)
        biases[0, place] = node.bias
        if responses is not None:
            responses[0, place] = node.response
    for name in ("innovation", "source", "target", "enabled"):
        structure[name][0, : len(links)] = [getattr(link, name) for link in links]
    layout.weights(genes)[0, : len(links)] = [link.weight for link in links]
    return genes


def _names(used: list[str], table: Mapping[str, object], what: str) -> tuple[str, ...]:
    """Return the names in use, in order; the first of the table where there are none."""
    names = tuple(dict.fromkeys(used)) or (next(iter(table)),)
    known_names(names, table, what, DataError)
    return names


def _misfits(found: Layout, wanted: Layout) -> list[str]:
    """Return what keeps a genome out of a population of another layout."""
    problems = [
        f"{name} is {getattr(found, name)}; this population has {getattr(wanted, name)}"
        for name in ("inputs", "outputs", "bias_node", "response")
        if getattr(found, name) != getattr(wanted, name)
    ]
    if found.recurrent and not wanted.recurrent:
        problems.append("the genome is recurrent, which this population does not allow")
    for name in ("activations", "aggregations"):
        strange = sorted(set(getattr(found, name)) - set(getattr(wanted, name)))
        problems += [f"{each}: not among this population's {name}" for each in strange]
    return problems


def _short(number: Any) -> float:
    """Return a float32 as the shortest decimal that is read back as the same float32."""
    return float(str(np.float32(number)))


def _told(error: Exception) -> list[str]:
    if not isinstance(error, ValidationError):
        return ["it is no Unicode text"]
    return [
        f"{'.'.join(map(str, detail['loc'])) or 'the file'}: {detail['msg']}"
        for detail in error.errors(include_url=False, include_input=False)
    ]


def _refused(problems: list[str]) -> DataError:
    more = [f"and {len(problems) - MOST_SAID} more"] if len(problems) > MOST_SAID else []
    said = "; ".join(problem[:200] for problem in [*problems[:MOST_SAID], *more])
    return DataError(f"this is no genome that can be read: {said}")
