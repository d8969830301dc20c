# SPDX-License-Identifier: MIT OR Apache-2.0
"""Evolved networks in episodes that the device `numba` plays by itself."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Networks, Streams
from vynapse_core.catalogue import installed
from vynapse_core.devices.reference import Reference
from vynapse_core.evaluation import Evaluation
from vynapse_core.ops import OPS
from vynapse_core.rollouts import rollout
from vynapse_neat.activations import ACTIVATIONS, AGGREGATIONS
from vynapse_neat.genome import Neat
from vynapse_neat.sample_kernels import sample_kernel, sample_kernel_step
from vynapse_numba.device import Numba
from vynapse_tasks.control.cartpole import CartPole
from vynapse_tasks.control.pole_balancing import PoleBalancing

KNOWN = {**OPS, **installed().ops}
HIDDEN, LINKS = 5, 24


def genome_for(task, **fields):
    return Neat(**fields).fitted(task)


def random_networks(genome, n, seed):
    """Return n networks of the genome's graph with random links; nodes read earlier ones, in recurrent ones all."""
    layout, rng = genome.layout, np.random.default_rng(seed)
    nodes = layout.fixed + HIDDEN
    constant = [*range(layout.inputs), *([layout.fixed - 1] if layout.bias_node else [])]
    computed = [place for place in range(nodes) if place not in constant]
    arrays = {name: np.zeros((n, nodes), np.int32) for name in ("order", "ends", "activation", "aggregation")}
    arrays |= {name: np.zeros((n, LINKS), np.int32) for name in ("link", "source")}
    arrays["values"] = rng.normal(size=(n, LINKS + (2 if layout.response else 1) * nodes)).astype(np.float32)
    arrays["evaluated"] = np.full(n, len(computed), np.int32)
    for i in range(n):
        # hidden nodes first, so that outputs may read them
        order = [*rng.permutation(computed[layout.outputs :]), *computed[: layout.outputs]]
        ends = np.sort(rng.integers(0, LINKS + 1, len(order)))
        arrays["order"][i, : len(order)], arrays["ends"][i, : len(order)] = order, ends
        arrays["link"][i] = rng.permutation(LINKS)
        for row, end in enumerate(ends):
            known = range(nodes) if layout.recurrent else [*constant, *order[:row]]
            start = ends[row - 1] if row else 0
            arrays["source"][i, start:end] = rng.choice(known, end - start)
        arrays["activation"][i, computed] = rng.integers(0, len(layout.activations), len(computed))
        arrays["aggregation"][i, computed] = rng.integers(0, len(layout.aggregations), len(computed))
    return Networks(genome.graph, {name: arrays[name] for name in genome.graph.parameters})


def fitness(task, networks, device):
    with np.errstate(all="ignore"):
        return Evaluation(task, None, device, Streams(7), KNOWN).fitness_of_networks(networks, 1)


SMOOTH = ("tanh", "sin", "gauss", "identity", "steep_sigmoid")


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 40),
    kind=st.sampled_from([("gene", False, 0), ("node", True, 0), ("gene", True, 1), ("node", False, 3)]),
)
def test_fused_episodes_give_the_returns_of_the_reference(seed, n, kind):
    bias, response, steps = kind
    task = CartPole(episodes=2, limit=50)
    genome = genome_for(
        task,
        bias=bias,
        response=response,
        recurrent=steps > 0,
        activation_steps=max(1, steps),
        activations=SMOOTH,
        aggregations=tuple(AGGREGATIONS),
    )
    assert rollout(task, genome.graph, Numba(threads=1), KNOWN) is not None
    networks = random_networks(genome, n, seed)
    found, expected = fitness(task, networks, Numba(threads=1)), fitness(task, networks, Reference())
    # one rounding may turn the push of a close call, and then the rest of the episode
    assert np.isclose(found, expected, rtol=1e-3).mean() >= min(0.8, 1 - 1 / n)


def test_networks_that_see_no_velocities_remember_them_in_fused_episodes():
    task = PoleBalancing(velocities=False, limit=60)
    genome = genome_for(task, recurrent=True, activations=("tanh",))
    networks = random_networks(genome, 50, 3)
    found = fitness(task, networks, Numba(threads=1))
    forgetful = Networks(networks.graph, {**networks.arrays, "source": np.minimum(networks.arrays["source"], 2)})
    np.testing.assert_allclose(found, fitness(task, networks, Reference()), rtol=1e-3)
    assert (found != fitness(task, forgetful, Numba(threads=1))).any()


@pytest.mark.parametrize("recurrent", [False, True])
def test_threads_and_shares_of_the_population_do_not_change_a_bit_of_a_return(recurrent):
    task = CartPole(episodes=3)
    networks = random_networks(genome_for(task, recurrent=recurrent, activations=SMOOTH), 300, 5)
    whole = fitness(task, networks, Numba(threads=1))
    np.testing.assert_array_equal(fitness(task, networks, Numba(threads=3)), whole)
    shares = [fitness(task, networks.part(rows), Numba(threads=2)) for rows in (slice(0, 7), slice(7, 300))]
    np.testing.assert_array_equal(np.concatenate(shares), whole)


def test_every_activation_is_the_same_in_an_episode_and_in_the_loop_over_time_steps():
    task = CartPole(episodes=1, limit=20)
    networks = random_networks(genome_for(task, activations=tuple(ACTIVATIONS)), 4 * len(ACTIVATIONS), 9)
    networks.arrays["activation"][:] = (np.arange(len(networks)) // 4)[:, None]
    found = fitness(task, networks, Numba(threads=1))
    looped = fitness(task, networks, Numba(threads=1, engine="tiles"))
    near = np.isclose(found, looped, rtol=1e-3).reshape(len(ACTIVATIONS), 4).mean(axis=1)
    assert dict(zip(ACTIVATIONS, near >= 0.75, strict=True)) == dict.fromkeys(ACTIVATIONS, True)


def test_no_networks_have_no_returns():
    task = CartPole()
    genome = genome_for(task, recurrent=True)
    assert fitness(task, random_networks(genome, 0, 0), Numba(threads=1)).shape == (0,)


def test_sample_kernels_are_for_one_sample():
    attributes = {
        "outputs": 2,
        "bias_node": False,
        "response": False,
        "activations": ("tanh",),
        "aggregations": ("sum",),
    }
    one, more, rest = (1, 4), ("B", 4), [("W",), ("N",)]
    for make in (sample_kernel, sample_kernel_step):
        assert make(attributes, [one, *rest]) is not None
        assert make(attributes, [more, *rest]) is None
