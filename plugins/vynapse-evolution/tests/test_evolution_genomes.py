# SPDX-License-Identifier: MIT OR Apache-2.0
"""Genomes: how genes start, how networks lie in them, and what does not fit a task."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from vynapse_core import Catalogue, DirectTask, Genome, RunError, Streams
from vynapse_core.activations import Identity, Relu, Sigmoid, Tanh
from vynapse_core.catalogue import installed
from vynapse_core.devices.reference import Reference
from vynapse_core.initialisers import Normal
from vynapse_core.recipe import tree
from vynapse_core.settings import frozen
from vynapse_evolution.bits import Bits
from vynapse_evolution.mlp import Mlp
from vynapse_evolution.vector import Vector


class Problem(DirectTask):
    """A direct task of a given size."""

    size: int = 3
    within: tuple[int, int] | None = None

    @property
    def length(self):
        return self.size

    @property
    def bounds(self):
        return self.within

    def evaluate(self, genes):
        return genes.values.sum(axis=1)


def problems(genome, task):
    return dict(genome.problems(SimpleNamespace(task=task)))


def rng():
    return Streams(3)("genes")


def outputs(genome, genes, x):
    networks = genome.networks(genes)
    return Reference().compile(networks.graph)(networks.arrays, {"x": x})["y"]


def test_a_networks_output_is_that_of_its_layers_computed_by_hand():
    genome = Mlp(layers=[3, 4, 2])
    genes = genome.initial(5, rng())
    genes.values[:, 12:16] = 0.3
    x = rng().normal((6, 3))
    for row, y in zip(genes.values, outputs(genome, genes, x), strict=True):
        w0, b0, w1, b1 = row[:12].reshape(4, 3), row[12:16], row[16:24].reshape(2, 4), row[24:]
        assert np.allclose(y, np.tanh(x @ w0.T + b0) @ w1.T + b1, atol=1e-6)


def test_without_biases_there_are_only_weights():
    genome = Mlp(layers=[3, 4, 2], bias=False)
    assert genome.length == 20
    assert list(genome.graph.parameters) == ["w0", "w1"]


@given(
    layers=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    bias=st.booleans(),
    n=st.integers(0, 4),
)
@settings(max_examples=30, deadline=None)
def test_the_arrays_of_networks_are_views_that_absorb_gives_back(layers, bias, n):
    genome = Mlp(layers=layers, bias=bias)
    genes = genome.initial(n, rng())
    arrays = genome.networks(genes).arrays
    assert genes.values.shape == (n, genome.length)
    assert sum(array[0].size for array in arrays.values() if n) == (genome.length if n else 0)
    assert all(np.shares_memory(array, genes.values) for array in arrays.values() if n)
    assert np.array_equal(genome.absorb(genes, arrays).values, genes.values)


def test_learned_weights_are_absorbed_within_the_bounds():
    genome = Mlp(layers=[2, 1], low=-1.0, high=1.0)
    genes = genome.initial(1, rng())
    learned = {"w0": np.float32([[[5, 0.5]]]), "b0": np.float32([[-7]])}
    assert genome.absorb(genes, learned).values.tolist() == [[1, 0.5, -1]]


def test_weights_start_as_the_initialiser_says_and_biases_at_zero():
    genome = Mlp(layers=[50, 40, 2], initialiser=Normal(sigma=0.2))
    values = genome.initial(20, rng()).values
    assert values[:, :2000].std() == pytest.approx(0.2, rel=0.02)
    assert not values[:, 2000:2040].any()
    assert values.dtype == np.float32


def test_first_weights_lie_within_the_bounds():
    values = Mlp(layers=[5, 5], initialiser=Normal(sigma=9.0), low=-0.5).initial(9, rng()).values
    assert values.min() == -0.5
    assert values.max() > 0.5


def test_a_single_activation_is_for_the_hidden_layers():
    assert Mlp(layers=[2, 3, 3, 1], activation="relu").activation == (Relu(), Relu(), Identity())
    assert Mlp(layers=[2, 1]).activation == (Identity(),)


def test_an_array_of_activations_includes_the_outputs():
    genome = Mlp(layers=[2, 3, 1], activation=["relu", {"type": "sigmoid"}])
    assert genome.activation == (Relu(), Sigmoid())
    x = np.float32([[1, 2]])
    y = outputs(genome, genome.initial(2, rng()), x)
    assert ((y > 0) & (y < 1)).all()


@pytest.mark.parametrize("activation", ["tanh", ["tanh", "sigmoid"]])
def test_the_resolved_recipe_gives_the_same_genome(activation):
    genome = Mlp(layers=[2, 3, 1], activation=activation)
    table = tree(genome)
    assert table["activation"][0] == {"type": "tanh"}
    assert Mlp(**{key: value for key, value in table.items() if key != "type"}) == genome


def test_a_wrong_number_of_activations_is_refused():
    with pytest.raises(ValidationError, match="expected 2 activations, one for each layer after the first, found 1"):
        Mlp(layers=[2, 3, 1], activation=[Tanh()])


@pytest.mark.parametrize("layers", [[], [2], [2, 0, 1], [2, -3]])
def test_layers_without_sense_are_refused(layers):
    with pytest.raises(ValidationError):
        Mlp(layers=layers)


def test_images_are_flattened_in_the_graph():
    task = SimpleNamespace(inputs=(2, 3), outputs=1)
    genome = Mlp(layers=[6, 1]).fitted(task)
    assert genome.shape == (2, 3)
    genes = genome.initial(2, rng())
    x = rng().normal((5, 2, 3))
    flat = outputs(Mlp(layers=[6, 1]), genes, x.reshape(5, 6))
    assert np.array_equal(outputs(genome, genes, x), flat)
    assert problems(genome, task) == {}


def test_a_shape_that_is_not_the_first_layer_is_refused():
    with pytest.raises(ValidationError, match=r"shape \[2, 2\] has 4 numbers, and 'layers' begins with 5"):
        Mlp(layers=[5, 1], shape=[2, 2])


def test_layers_that_do_not_fit_the_task_are_named_with_both_sizes():
    task = SimpleNamespace(inputs=(28, 28), outputs=10)
    assert list(Mlp(layers=[2, 4, 3]).problems(SimpleNamespace(task=task))) == [
        ("layers", "the first must be 784, the task's number of inputs; found 2"),
        ("layers", "the last must be 10, the task's number of outputs; found 3"),
    ]


def test_a_vector_takes_length_and_bounds_from_the_task():
    genome = Vector().fitted(Problem(size=4, within=(-2, 3)))
    assert (genome.length, genome.low, genome.high) == (4, -2.0, 3.0)
    genes = genome.initial(500, rng())
    assert genes.bounds == (-2.0, 3.0)
    assert genes.values.min() >= -2
    assert genes.values.max() < 3
    assert genes.values.mean() == pytest.approx(0.5, abs=5 * 5 / np.sqrt(12 * 2000))


def test_a_vectors_own_bounds_win():
    genome = Vector(low=0.0, high=1.0).fitted(Problem(within=(-2, 3)))
    assert (genome.low, genome.high) == (0.0, 1.0)


def test_a_vector_without_bounds_starts_normal():
    genes = Vector(length=50, sigma=2.0).initial(100, rng())
    assert genes.bounds is None
    assert genes.values.std() == pytest.approx(2.0, rel=0.06)


def test_one_bound_alone_is_a_problem():
    task = Problem()
    assert "'low' without 'high'" in problems(Vector(low=1.0).fitted(task), task)["low"]


def test_a_bound_beyond_the_tasks_other_one_is_a_problem():
    task = Problem(within=(-2, 3))
    assert "must lie below the greatest, 3.0" in problems(Vector(low=4.0).fitted(task), task)[""]


@pytest.mark.parametrize("genome", [Vector(length=7), Bits(length=7)])
def test_another_length_than_the_tasks_is_a_problem(genome):
    assert problems(genome, Problem()) == {"length": "expected 3, the task's number of genes, found 7"}


@pytest.mark.parametrize("genome", [Vector(), Bits()])
def test_genes_without_a_length_cannot_be_drawn(genome):
    with pytest.raises(RunError, match=r"set genome\.length"):
        genome.initial(1, rng())


def test_bits_start_with_their_density():
    genes = Bits(density=0.2).fitted(Problem(size=100)).initial(200, rng())
    assert genes.values.dtype == np.uint8
    assert set(np.unique(genes.values)) == {0, 1}
    assert genes.values.mean() == pytest.approx(0.2, abs=5 * 0.4 / np.sqrt(20_000))


@pytest.mark.parametrize("genome", [Mlp, Vector])
def test_reversed_bounds_are_refused(genome):
    with pytest.raises(ValidationError, match="must lie below"):
        genome(**{"layers": [1, 1]} if genome is Mlp else {}, low=1.0, high=-1.0)


def test_a_plugin_that_offers_the_name_of_a_default_does_not_change_the_network():
    known = installed()
    parts = [
        known.entry(*part) for part in (("activation", "tanh"), ("activation", "identity"), ("initialiser", "xavier"))
    ]
    rivals = [replace(part, component=type("Rival", (part.component,), {}), package="rival") for part in parts]
    crowded = Catalogue(known.plugins, (*known.entries, *rivals), known.ops, known.kernels, known.gradients)
    genome = crowded.build(Genome, {"type": "mlp", "layers": (3, 4, 2)})
    assert genome == Mlp(layers=(3, 4, 2))
    written = tree(genome, crowded)
    assert [part["type"] for part in written["activation"]] == ["vynapse:tanh", "vynapse:identity"]
    assert crowded.build(Genome, frozen(written)) == genome
    assert [part["type"] for part in tree(genome, known)["activation"]] == ["tanh", "identity"]
