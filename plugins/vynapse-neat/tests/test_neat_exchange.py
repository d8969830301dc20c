# SPDX-License-Identifier: MIT OR Apache-2.0
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import DataError, Streams
from vynapse_neat.exchange import exported, imported
from vynapse_neat.genome import Neat


def some(**fields):
    genome = Neat(**{"inputs": 2, "outputs": 1, "hidden": 2, "activations": ("tanh", "sin"), **fields})
    return genome, genome.initial(3, Streams(4)("genes"))


@pytest.mark.parametrize("bias", ["gene", "node"])
@pytest.mark.parametrize("response", [False, True])
@pytest.mark.parametrize("recurrent", [False, True])
def test_a_genome_comes_back_to_the_bit(bias, response, recurrent):
    genome, genes = some(bias=bias, response=response, recurrent=recurrent, response_spread=0.5)
    genes.structure["enabled"][1, 2] = 0
    text = exported(genome.layout, genes, 1)
    layout, read = imported(text, genome.layout)
    assert layout is genome.layout
    assert (read.values == genes.values[1]).all()
    assert all((read.structure[name][0] == genes.structure[name][1]).all() for name in genes.structure)
    found, alone = imported(text)
    assert (alone.values == genes.values[1]).all()
    assert found.inputs == 2
    assert exported(found, alone) == text


@given(st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**127), max_value=2.0**127))
@settings(max_examples=200)
def test_a_weight_comes_back_to_the_bit(weight):
    genome, genes = some(hidden=0)
    genes.values[0, 0] = weight
    _, read = imported(exported(genome.layout, genes, 0), genome.layout)
    assert read.values[0, 0] == np.float32(weight)


def test_nodes_and_connections_may_stand_in_any_order():
    genome, genes = some()
    tree = json.loads(exported(genome.layout, genes))
    tree["nodes"].reverse()
    tree["connections"].reverse()
    _, read = imported(json.dumps(tree), genome.layout)
    assert (read.values == genes.values[0]).all()


def changed(change):
    genome, genes = some()
    tree = json.loads(exported(genome.layout, genes))
    change(tree)
    return json.dumps(tree)


def test_a_file_that_is_no_genome_is_refused():
    for text in ("", "{", "[]", "null", "3", '{"format": 1}', "\ud800", '"' * 5000, "[" * 100_000):
        with pytest.raises(DataError, match="no genome that can be read"):
            imported(text)


HOSTILE = {
    "extra key": (lambda t: t.update(code="import os"), "code"),
    "missing part": (lambda t: t.pop("nodes"), "nodes"),
    "other version": (lambda t: t.update(version=2), "version"),
    "text for a number": (lambda t: t["connections"][0].update(weight="1"), "connections.0.weight"),
    "truth for a number": (lambda t: t["connections"][0].update(source=True), "connections.0.source"),
    "not a number": (lambda t: t["connections"][0].update(weight=float("nan")), "connections.0.weight"),
    "endless": (lambda t: t["nodes"][0].update(bias=float("inf")), "nodes.0.bias"),
    "too large": (lambda t: t["connections"][0].update(weight=1e39), "connections.0.weight"),
    "negative id": (lambda t: t["nodes"][1].update(id=-1), "nodes.1.id"),
    "huge id": (lambda t: t["nodes"][1].update(id=2**31), "nodes.1.id"),
    "huge inputs": (lambda t: t.update(inputs=10**12), "inputs"),
    "unknown activation": (lambda t: t["nodes"][0].update(activation="sni"), "did you mean 'sin'"),
    "unknown aggregation": (lambda t: t["nodes"][0].update(aggregation="eval"), "unknown aggregation"),
    "no outputs": (lambda t: t["nodes"].clear(), "number of nodes"),
    "a node twice": (lambda t: t["nodes"].append(t["nodes"][-1]), "do not ascend"),
    "an innovation twice": (lambda t: t["connections"][1].update(innovation=0), "do not ascend"),
    "a link into an input": (lambda t: t["connections"][0].update(target=0), "ends in an input"),
    "a link from nowhere": (lambda t: t["connections"][0].update(source=77), "does not have"),
    "a link twice": (lambda t: t["connections"][1].update(source=0), "join the same nodes"),
    "a cycle": (lambda t: t["connections"][0].update(source=3), "cycle"),
    "a stray response": (lambda t: t["nodes"][0].update(response=2.0), "'response': true"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_the_reason(name):
    change, message = HOSTILE[name]
    with pytest.raises(DataError) as caught:
        imported(changed(change))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": 3}, "inputs is 2; this population has 3"),
        ({"activations": ("tanh",)}, "sin: not among this population's activations"),
        ({"bias_node": True}, "bias_node"),
    ],
)
def test_a_genome_of_another_population_is_told_apart(changes, message):
    genome, genes = some(activations=("sin",), aggregations=("sum",))
    text = exported(genome.layout, genes)
    with pytest.raises(DataError, match=message):
        imported(text, replace(genome.layout, **changes))


def test_a_recurrent_genome_does_not_enter_a_feed_forward_population():
    genome, genes = some(recurrent=True)
    with pytest.raises(DataError, match="recurrent"):
        imported(exported(genome.layout, genes), replace(genome.layout, recurrent=False))


def test_a_genome_with_a_hundred_thousand_connections_is_exchanged():
    genome = Neat(inputs=100, outputs=1000)
    genes = genome.initial(1, Streams(1)("x"))
    _, read = imported(exported(genome.layout, genes), genome.layout)
    assert (read.values == genes.values).all()
