# SPDX-License-Identifier: MIT OR Apache-2.0
import itertools
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from vynapse_core import Genes, Streams
from vynapse_neat.genome import Neat
from vynapse_neat.layout import Layout, places

TOPOLOGIES = ("full", "minimal", "sparse_inputs", "sparse_outputs", "none")


def drawn(genome, n=20, seed=1):
    return genome.initial(n, Streams(seed)("initial"))


def links_of(genes, individual):
    count = genes.structure["connections"][individual]
    return list(
        zip(*(genes.structure[name][individual, :count].tolist() for name in ("source", "target")), strict=True)
    )


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize(("bias", "hidden", "response"), [*itertools.product(("gene", "node"), (0, 3), (False, True))])
def test_a_first_genome_of_any_topology_is_valid(topology, bias, hidden, response):
    if topology == "minimal" and hidden:
        pytest.skip("minimal has no hidden nodes")
    genome = Neat(inputs=4, outputs=2, initial_topology=topology, bias=bias, hidden=hidden, response=response)
    for n in (0, 1, 20):
        assert genome.layout.validate(drawn(genome, n)) == []


def test_full_links_every_input_to_every_output():
    genes = drawn(Neat(inputs=3, outputs=2))
    assert set(links_of(genes, 0)) == set(itertools.product(range(3), (3, 4)))
    assert np.isfinite(genes.values).all()
    assert genes.values[:, :6].std() > 0.5


def test_full_with_hidden_nodes_links_two_layers():
    genes = drawn(Neat(inputs=2, outputs=1, hidden=2, bias="node"))
    assert set(links_of(genes, 0)) == {
        *itertools.product((0, 1, 3), (4, 5)),
        *itertools.product((3, 4, 5), (2,)),
    }


def test_sparse_inputs_link_each_input_once():
    genes = drawn(Neat(inputs=5, outputs=3, initial_topology="sparse_inputs"))
    found = [links_of(genes, i) for i in range(20)]
    assert all(sorted(source for source, _ in links) == list(range(5)) for links in found)
    assert len({tuple(links) for links in found}) > 10


def test_sparse_outputs_link_each_output_once():
    genes = drawn(Neat(inputs=5, outputs=3, initial_topology="sparse_outputs"))
    found = [links_of(genes, i) for i in range(20)]
    assert all(sorted(target for _, target in links) == [5, 6, 7] for links in found)
    assert len({tuple(links) for links in found}) > 10


def test_none_links_one_input_to_all_outputs():
    genes = drawn(Neat(inputs=5, outputs=3, initial_topology="none"))
    for i in range(20):
        sources, targets = zip(*links_of(genes, i), strict=True)
        assert len(set(sources)) == 1
        assert sorted(targets) == [5, 6, 7]


def test_the_same_first_link_has_the_same_innovation_in_all_genomes():
    genome = Neat(inputs=6, outputs=4, initial_topology="sparse_inputs", hidden=2, bias="node")
    genes = drawn(genome, 50)
    known = {}
    for i in range(50):
        for link, innovation in zip(links_of(genes, i), genes.structure["innovation"][i].tolist(), strict=False):
            assert known.setdefault(link, innovation) == innovation
    assert len(set(known.values())) == len(known)
    assert max(known.values()) < genome.next_innovation
    assert genes.structure["node"].max() == genome.next_node - 1


def test_first_values_follow_the_distribution():
    genome = Neat(inputs=4, outputs=2, distribution="uniform", weight_mean=2.0, weight_spread=0.5, bias_spread=0.25)
    genes = drawn(genome, 500)
    weights, biases = genes.values[:, :8], genome.layout.biases(genes)
    assert weights.min() >= 1.5
    assert weights.max() < 2.5
    assert weights.std() == pytest.approx(0.5 / 3**0.5, rel=0.05)
    assert np.abs(biases).max() <= 0.25
    assert (biases[:, :4] == 0).all()


def test_outputs_have_their_own_activation_and_hidden_nodes_draw_theirs():
    genome = Neat(inputs=2, outputs=1, hidden=8, activations=("tanh", "sin"), output_activation="identity")
    genes = drawn(genome)
    names = np.array(genome.layout.activations)[genes.structure["activation"]]
    assert (names[:, 2] == "identity").all()
    assert set(names[:, 3:11].flat) == {"tanh", "sin"}


def test_a_genome_takes_its_sizes_from_the_task():
    class Sized:
        inputs = (2, 3)
        outputs = 4

    fitted = Neat().fitted(Sized())
    assert (fitted.inputs, fitted.outputs, fitted.shape) == (6, 4, (2, 3))
    assert fitted.networks(drawn(fitted)).graph.nodes[0].shape == ("B", 2, 3)


def test_a_genome_without_sizes_says_so():
    with pytest.raises(ValueError, match="number of inputs"):
        drawn(Neat())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"activations": ("sigmiod",)}, "did you mean 'sigmoid'"),
        ({"aggregations": ("summ",)}, "did you mean 'sum'"),
        ({"activations": ("tanh", "tanh")}, "twice"),
        ({"hidden": 2, "initial_topology": "minimal"}, "no hidden nodes"),
        ({"activation_steps": 2}, "recurrent = true"),
        ({"inputs": 5, "shape": (2, 3)}, "6 numbers"),
    ],
)
def test_contradictory_fields_are_refused(fields, message):
    with pytest.raises(ValidationError) as caught:
        Neat(**fields)
    said = caught.value.errors()[0]
    assert message in f"{said['msg']} {said['ctx']['hint']}"


def test_widths_change_and_the_individuals_stay():
    genome = Neat(inputs=3, outputs=2, response=True)
    genes = drawn(genome)
    layout = genome.layout
    wide = layout.resized(genes, 100, 300)
    assert places(wide) == (100, 300)
    assert layout.validate(wide) == []
    back = layout.trimmed(wide)
    assert places(back) == (8, 8)
    assert (back.values == genes.values).all()
    assert all((back.structure[name] == genes.structure[name]).all() for name in genes.structure)
    assert layout.trimmed(genes) is genes


def test_individuals_that_do_not_fit_are_not_cut():
    genome = Neat(inputs=3, outputs=2)
    with pytest.raises(ValueError, match="do not fit"):
        genome.layout.resized(drawn(genome), 4, 8)


BROKEN = {
    "node": ([0, 3, 2], "first nodes"),
    "enabled": ([2], "neither enabled"),
    "innovation": ([1, 0], "do not ascend"),
    "target": ([1], "ends in an input"),
    "source": ([9], "does not have"),
    "activation": ([0, 0, 0, 7], "not within 0 and"),
    "nodes": (3, "number of nodes"),
    "connections": (-1, "number of connections"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_validation_names_what_is_wrong(name):
    genome = Neat(inputs=3, outputs=2)
    genes = drawn(genome, 2)
    value, message = BROKEN[name]
    array = genes.structure[name].copy()
    if isinstance(value, int):
        array[1] = value
    else:
        array[1, : len(value)] = value
    broken = replace(genes, structure={**genes.structure, name: array})
    assert any(message in line and "individual 1" in line for line in genome.layout.validate(broken))


def test_validation_finds_cycles_through_disabled_links_too():
    genome = Neat(inputs=1, outputs=1, hidden=2)
    genes = genome.layout.resized(drawn(genome, 2), 8, 16)
    structure = {name: array.copy() for name, array in genes.structure.items()}
    count = structure["connections"][0]
    for at, (source, target) in enumerate(((2, 3), (3, 2)), start=count):
        for name, value in (("source", source), ("target", target), ("innovation", 50 + at), ("enabled", 0)):
            structure[name][1, at] = value
    structure["connections"][1] += 2
    cyclic = Genes(genes.values, structure)
    assert genome.layout.validate(cyclic) == ["individual 1: its connections form a cycle"]
    assert replace(genome.layout, recurrent=True).validate(cyclic) == []


def test_genes_of_another_shape_are_told():
    layout = Layout(2, 1)
    assert layout.validate(layout.empty(3, 8, 8)) != []
    assert "expected" in layout.validate(Genes(np.zeros((2, 3), np.float32)))[0]


def test_the_same_stream_draws_the_same_genes():
    genome = Neat(inputs=3, outputs=2, initial_topology="sparse_inputs")
    first, again, other = drawn(genome), drawn(genome), drawn(genome, seed=2)
    assert (first.values == again.values).all()
    assert (first.structure["innovation"] == again.structure["innovation"]).all()
    assert (first.values != other.values).any()
