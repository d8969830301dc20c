# SPDX-License-Identifier: MIT OR Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Genes
from vynapse_neat.genome import Neat
from vynapse_neat.layout import rounded
from vynapse_neat.simplify import outputs, probes, simplified

NAMES = ("identity", "tanh", "relu", "sigmoid")


def built(genome, nodes, links):
    """Return genes [1] of nodes {id: (bias, activation)} and links [(source, target, weight)]; outputs and hidden."""
    layout = genome.layout
    ids = sorted({*range(layout.fixed), *nodes})
    genes = layout.empty(1, rounded(len(ids)), rounded(len(links)))
    structure = genes.structure
    structure["nodes"][0], structure["connections"][0] = len(ids), len(links)
    structure["node"][0, : len(ids)] = ids
    for node, (bias, activation) in nodes.items():
        layout.biases(genes)[0, ids.index(node)] = bias
        structure["activation"][0, ids.index(node)] = layout.activations.index(activation)
    for at, (source, target, weight) in enumerate(links):
        for name, value in (("source", source), ("target", target), ("innovation", at), ("enabled", 1)):
            structure[name][0, at] = value
        layout.weights(genes)[0, at] = weight
    assert layout.validate(genes) == []
    return genes


def sizes(genes):
    return int(genes.structure["nodes"][0]), int(genes.structure["connections"][0])


def same(genome, genes, simpler):
    x = np.random.default_rng(0).normal(size=(50, genome.layout.inputs))
    assert genome.layout.validate(simpler) == []
    np.testing.assert_allclose(outputs(genome.layout, simpler, x), outputs(genome.layout, genes, x), atol=1e-6)


def test_what_leads_nowhere_goes():
    genome = Neat(inputs=2, outputs=1, activations=NAMES)
    genes = built(
        genome,
        {2: (0.5, "tanh"), 3: (0.1, "tanh"), 4: (0.2, "tanh")},
        [(0, 2, 1.0), (0, 3, 1.0), (3, 4, 2.0), (1, 2, 0.0)],
    )
    simpler = simplified(genome.layout, genes)
    assert sizes(simpler) == (3, 1)
    same(genome, genes, simpler)


def test_constants_go_into_biases():
    genome = Neat(inputs=1, outputs=1, activations=NAMES)
    nodes = {1: (0.5, "tanh"), 2: (0.7, "sigmoid"), 3: (-0.3, "tanh")}
    genes = built(genome, nodes, [(0, 1, 1.0), (2, 3, 2.0), (3, 1, 3.0)])
    simpler = simplified(genome.layout, genes)
    assert sizes(simpler) == (2, 1)
    expected = 0.5 + 3 * np.tanh(-0.3 + 2 / (1 + np.exp(-0.7)))
    assert genome.layout.biases(simpler)[0, 1] == pytest.approx(expected, rel=1e-6)
    same(genome, genes, simpler)


def test_constants_become_links_of_a_bias_node():
    genome = Neat(inputs=1, outputs=1, bias="node", activations=NAMES)
    nodes = {1: (0, "tanh"), 3: (0, "sigmoid")}
    genes = built(genome, nodes, [(0, 1, 1.0), (2, 3, 0.4), (3, 1, 3.0), (2, 1, 0.25)])
    simpler = simplified(genome.layout, genes)
    assert sizes(simpler) == (3, 2)
    same(genome, genes, simpler)


def test_linear_chains_become_one_link():
    genome = Neat(inputs=1, outputs=1, activations=NAMES)
    nodes = {1: (0.5, "tanh"), 2: (0.25, "identity"), 3: (-0.5, "identity")}
    genes = built(genome, nodes, [(0, 2, 2.0), (2, 3, 3.0), (3, 1, 0.5), (0, 1, 1.0)])
    simpler = simplified(genome.layout, genes)
    assert sizes(simpler) == (2, 1)
    assert genome.layout.weights(simpler)[0, 0] == pytest.approx(1 + 2 * 3 * 0.5)
    same(genome, genes, simpler)


def test_linear_nodes_between_many_links_stay():
    genome = Neat(inputs=3, outputs=3, activations=NAMES)
    nodes = {3: (0, "tanh"), 4: (0, "tanh"), 5: (0, "tanh"), 6: (0, "identity")}
    links = [(0, 6, 1.0), (1, 6, 2.0), (2, 6, 3.0), (6, 3, 1.0), (6, 4, 1.0), (6, 5, 1.0)]
    genes = built(genome, nodes, links)
    assert sizes(simplified(genome.layout, genes)) == (7, 6)


def test_only_sums_take_part():
    genome = Neat(inputs=1, outputs=1, activations=NAMES, aggregations=("product", "sum"))
    nodes = {1: (0.5, "tanh"), 2: (0.25, "identity"), 3: (1.0, "tanh")}
    genes = built(genome, nodes, [(0, 2, 2.0), (2, 1, 0.5), (3, 1, 0.7), (0, 1, 0.0)])
    simpler = simplified(genome.layout, genes)
    assert sizes(simpler) == (4, 4)
    same(genome, genes, simpler)


def test_recurrent_genomes_are_only_pruned():
    genome = Neat(inputs=1, outputs=1, recurrent=True, activations=NAMES)
    nodes = {1: (0.5, "tanh"), 2: (0.25, "identity"), 3: (0.5, "tanh"), 4: (0.0, "tanh")}
    genes = built(genome, nodes, [(0, 2, 2.0), (2, 1, 0.5), (3, 1, 1.0), (4, 4, 1.0), (1, 4, 1.0)])
    assert sizes(simplified(genome.layout, genes)) == (4, 3)


def test_what_would_change_the_outputs_is_left_as_it_was():
    genome = Neat(inputs=1, outputs=1, activations=NAMES)
    nodes = {1: (0.0, "identity"), 2: (0.1, "identity")}
    genes = built(genome, nodes, [(0, 2, 0.1), (2, 1, 0.3)])
    assert sizes(simplified(genome.layout, genes)) == (2, 1)
    assert sizes(simplified(genome.layout, genes, tolerance=0.0)) == (3, 2)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from(("gene", "node")), st.booleans(), st.sampled_from((("sum",), ("sum", "max")))
)
def test_behaviour_is_kept(seed, bias, response, aggregations):
    rng = np.random.default_rng(seed)
    genome = Neat(inputs=2, outputs=2, bias=bias, response=response, activations=NAMES, aggregations=aggregations)
    layout = genome.layout
    fixed, hidden = layout.fixed, 6
    ids = [*range(fixed), *range(fixed, fixed + hidden)]
    rank = {node: rng.random() for node in ids} | dict.fromkeys([0, 1, *([4] if bias == "node" else [])], -1.0)
    pairs = [(a, b) for a in ids for b in ids if rank[a] < rank[b]]
    chosen = rng.permutation(len(pairs))[: rng.integers(3, 16)]
    computed = [node for node in ids if rank[node] >= 0]
    nodes = {node: (0.0 if bias == "node" else rng.normal(), str(rng.choice(NAMES, p=[0.5, 0.2, 0.2, 0.1])))
             for node in computed}  # fmt: skip
    genes = built(genome, nodes, [(*pairs[at], rng.choice([0.0, rng.normal()], p=[0.1, 0.9])) for at in chosen])
    places = np.searchsorted(ids, computed)
    genes.structure["aggregation"][0, places] = rng.integers(0, len(aggregations), len(computed))
    if response:
        layout.responses(genes)[0, places] = rng.normal(1, 0.3, len(computed))
    genes.structure["enabled"][0, : len(chosen)] = rng.random(len(chosen)) < 0.9
    assert layout.validate(genes) == []
    simpler = simplified(layout, genes)
    assert layout.validate(simpler) == []
    assert sizes(simpler) <= sizes(genes)
    x = probes(2)
    expected = outputs(layout, genes, x)
    assert (np.abs(outputs(layout, simpler, x) - expected) <= 1e-6 * np.maximum(np.abs(expected), 1)).all()


def test_a_population_is_simplified_one_by_one():
    genome = Neat(inputs=1, outputs=1, activations=NAMES)
    long = built(genome, {1: (0.5, "tanh"), 2: (0.25, "identity")}, [(0, 2, 2.0), (2, 1, 3.0)])
    short = genome.layout.resized(built(genome, {1: (0.5, "tanh")}, [(0, 1, 1.0)]), 8, 8)
    simpler = simplified(genome.layout, Genes.concatenated([long, short]))
    assert simpler.structure["nodes"].tolist() == [2, 2]
    assert len(simplified(genome.layout, long.take(slice(0, 0)))) == 0
