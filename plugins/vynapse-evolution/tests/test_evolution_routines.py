# SPDX-License-Identifier: MIT OR Apache-2.0
"""Operators as loops: they do what NumPy's forms do, with the same draws, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Clock, Genes, Population, RunError, Selector, Streams, catalogue, wire
from vynapse_core.devices.reference import Reference
from vynapse_core.recipe import build
from vynapse_core.source import Source
from vynapse_evolution.breeding import breeding
from vynapse_evolution.crossover import Clone, UniformCrossover
from vynapse_evolution.measures import measuring
from vynapse_evolution.mixture import mixture
from vynapse_evolution.mutation import BitFlip, Gaussian
from vynapse_evolution.replacement import Plus
from vynapse_evolution.selection import Random, Rank, Tournament

numba = pytest.importorskip("vynapse_numba.device").Numba
DEVICES = (numba(threads=1), numba(threads=2))
WIDTHS = st.sampled_from([0, 1, 2, 17, 63, 64, 65, 130, 2049, 2100])
CLOCK = Clock(3, 10)


def rng(seed=0):
    return Streams(seed)("test")


def values(n, w, seed=0, dtype=np.float32):
    if dtype == np.uint8:
        return rng(seed).bernoulli(0.5, (n, w)).view(np.uint8)
    return rng(seed).normal((n, w))


def population(n, w, seed=0, levels=5, dtype=np.float32):
    fitness = rng(seed + 1).integers(0, levels, n).astype(float)
    fitness[rng(seed + 2).bernoulli(0.1, n)] = -np.inf
    born = Population.born(Genes(values(n, w, seed, dtype)), fitness, 100 * seed)
    return born.older()


def same(one, other):
    np.testing.assert_array_equal(one.genes.values, other.genes.values)
    for name in ("fitness", "ids", "parents", "ages"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("selector", [Tournament(size=1), Tournament(size=3), Tournament(size=6), Random()])
@settings(max_examples=25, deadline=None)
@given(p=st.integers(1, 30), n=st.sampled_from([0, 1, 2, 7, 9000]), used=st.integers(0, 9), seed=st.integers(0, 99))
def test_a_compiled_selection_chooses_whom_the_plain_one_chooses(device, selector, p, n, used, seed):
    fitness = population(p, 1, seed).fitness
    streams = rng(seed), rng(seed)
    for stream in streams:
        stream.words(used)
    expected, found = selector.select(fitness, n, streams[0]), selector.on(device)(fitness, n, streams[1])
    assert found.tolist() == expected.tolist()
    assert streams[0].position == streams[1].position


MIXTURES = (
    (Tournament(weight=0.8), Random(weight=0.2)),
    (Tournament(size=5), Tournament(size=2, weight=0.4), Random(weight=0.0)),
    (Rank(), Tournament(weight=0.3)),
)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("selectors", MIXTURES)
@settings(max_examples=25, deadline=None)
@given(p=st.integers(1, 30), n=st.sampled_from([0, 1, 2, 7, 500, 9000]), used=st.integers(0, 9), seed=st.integers(0, 9))
def test_a_compiled_mixture_chooses_whom_the_plain_one_chooses_in_its_order(device, selectors, p, n, used, seed):
    fitness = population(p, 1, seed).fitness
    streams = rng(seed), rng(seed)
    for stream in streams:
        stream.words(used)
    forms = (mixture(selectors, Reference()), mixture(selectors, device))
    expected, found = (form(fitness, n, stream) for form, stream in zip(forms, streams, strict=True))
    assert found.tolist() == expected.tolist()
    assert streams[0].position == streams[1].position


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 9),
    w=WIDTHS,
    rate=st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]),
    swap=st.sampled_from([0.5, 0.2]),
    dtype=st.sampled_from([np.float32, np.uint8, np.float64]),
    used=st.integers(0, 5),
)
def test_a_compiled_crossover_makes_the_children_of_the_plain_one(device, n, w, rate, swap, dtype, used):
    genes = Genes(values(6, w).astype(dtype))
    mothers, fathers = rng(1).integers(0, 6, n), rng(2).integers(0, 6, n)
    crossover = UniformCrossover(rate=rate, swap=swap)
    streams = rng(3), rng(3)
    for stream in streams:
        stream.words(used)
    expected = crossover.cross(genes.take(mothers), genes.take(fathers), streams[0], CLOCK)
    found = crossover.on(device)(genes, mothers, fathers, streams[1], CLOCK)
    np.testing.assert_array_equal(found.values, expected.values)
    assert streams[0].position == streams[1].position


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 9),
    w=WIDTHS,
    probability=st.sampled_from([0.2, 0.5, 0.8, 1.0]),
    rate=st.sampled_from([0.0, 0.01, 0.07, 0.3, 1.0]),
    bounds=st.sampled_from([None, (-0.5, 0.5)]),
    used=st.integers(0, 5),
)
def test_compiled_noise_changes_the_genes_that_plain_noise_changes_by_as_much(
    device, n, w, probability, rate, bounds, used
):
    start = values(n, w).clip(*(bounds or (-9, 9)))
    mutation = Gaussian(sigma=0.5, probability=probability, rate=rate)
    streams = rng(3), rng(3)
    for stream in streams:
        stream.words(used)
    expected = mutation.mutate(Genes(start.copy(), bounds=bounds), streams[0], CLOCK).values
    found = mutation.on(device)(Genes(start.copy(), bounds=bounds), streams[1], CLOCK).values
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
    assert (found[expected == start] == start[expected == start]).all()
    assert streams[0].position == streams[1].position


@settings(max_examples=10, deadline=None)
@given(n=st.sampled_from([5, 300]), rate=st.sampled_from([0.05, 1.0]))
def test_compiled_noise_has_the_same_bits_on_one_thread_and_on_two(n, rate):
    found = [Gaussian(rate=rate).on(device)(Genes(values(n, 257)), rng(), CLOCK).values for device in DEVICES]
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=40, deadline=None)
@given(
    p=st.integers(1, 40),
    m=st.integers(1, 40),
    w=st.sampled_from([0, 1, 17]),
    levels=st.integers(1, 6),
    dtype=st.sampled_from([np.float32, np.uint8, np.float64]),
)
def test_the_same_live_on_in_a_compiled_survival(device, p, m, w, levels, dtype):
    parents = population(p, w, 1, levels, np.uint8 if dtype == np.uint8 else np.float32)
    offspring = population(m, w, 2, levels, np.uint8 if dtype == np.uint8 else np.float32)
    if dtype == np.float64:
        parents = Population(Genes(parents.genes.values.astype(dtype)), *_rest(parents))
        offspring = Population(Genes(offspring.genes.values.astype(dtype)), *_rest(offspring))
    offspring = Population(offspring.genes, offspring.fitness, offspring.ids, offspring.parents, np.zeros(m, np.int64))
    same(Plus().on(device)(parents, offspring, rng()), Plus().survive(parents, offspring, rng()))


def _rest(population):
    return population.fitness, population.ids, population.parents, population.ages


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=30, deadline=None)
@given(p=st.sampled_from([1, 2, 40, 1500]), w=st.sampled_from([0, 1, 17, 300]), seed=st.integers(0, 9))
def test_compiled_statistics_are_the_plain_ones(device, p, w, seed):
    measured = population(p, w, seed, 50)
    if not np.isfinite(measured.fitness).any():
        return
    expected, spread = measuring(Reference())(measured.fitness, measured.genes.values, "here")
    found, differing = measuring(device)(measured.fitness, measured.genes.values, "here")
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert differing == pytest.approx(spread, rel=1e-6)


@pytest.mark.parametrize("device", [Reference(), *DEVICES])
def test_a_population_without_hope_is_told_with_its_place(device):
    with pytest.raises(RunError, match="step 7: none of 3 individuals has a finite fitness"):
        measuring(device)(np.full(3, -np.inf), values(3, 2), "step 7")


@pytest.mark.parametrize("crossover", [Clone(), UniformCrossover()])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_a_compiled_generation_breeds_the_children_of_the_plain_one(crossover, dtype):
    parents = population(50, 33, dtype=dtype)
    parts = (Tournament(weight=0.8), Random(weight=0.2)), crossover, ()
    bred = [breeding(*parts, device, Streams(4))(parents, 70, CLOCK) for device in (Reference(), *DEVICES)]
    for genes, ids in bred[1:]:
        assert genes.values.tobytes() == bred[0][0].values.tobytes()
        assert ids.tolist() == bred[0][1].tolist()


class Wrong(Selector):
    """Chooses those at a place, which may not be there."""

    at: int = 0

    def select(self, fitness, n, rng):
        return np.full(n, self.at)


@pytest.mark.parametrize("device", [Reference(), *DEVICES])
@pytest.mark.parametrize("at", [-1, 20, 10**12])
@pytest.mark.parametrize("crossover", [Clone(), UniformCrossover()])
def test_a_selector_that_chooses_whom_there_is_not_is_named(device, at, crossover):
    breed = breeding((Wrong(at=at),), crossover, (), device, Streams(1))
    with pytest.raises(
        RunError, match=f"selector Wrong returned int64 \\[..?\\] from {at} to {at}; expected the places"
    ):
        breed(population(20, 3), 8, CLOCK)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rate", [0.02, 1.0])
def test_genes_of_another_memory_order_mutate_as_well(device, rate):
    mutation = Gaussian(sigma=0.5, rate=rate)
    start = np.asfortranarray(values(20, 50))
    found = mutation.on(device)(Genes(start.copy(order="F")), rng(), CLOCK).values
    np.testing.assert_allclose(found, mutation.mutate(Genes(start), rng(), CLOCK).values, atol=2e-6)
    assert (found != start).any()


@pytest.mark.parametrize("device", DEVICES)
def test_genes_that_may_not_be_written_are_not(device):
    start = values(20, 50)
    start.flags.writeable = False
    before = start.copy()
    Gaussian().on(device)(Genes(start), rng(), CLOCK)
    assert (start == before).all()


@pytest.mark.parametrize("device", DEVICES)
def test_survivors_are_found_among_genes_of_another_memory_order(device):
    parents, offspring = population(6, 4, 1), population(6, 4, 2)
    offspring = Population(offspring.genes, offspring.fitness, offspring.ids, offspring.parents, np.zeros(6, np.int64))
    turned = Population(Genes(np.asfortranarray(parents.genes.values)), *_rest(parents))
    same(Plus().on(device)(turned, offspring, rng()), Plus().survive(parents, offspring, rng()))


@pytest.mark.parametrize("device", [Reference(), *DEVICES])
def test_a_gene_that_is_not_a_number_stays_so_and_shows(device):
    genes = Genes(np.full((4, 3), np.nan, np.float32), bounds=(-1.0, 1.0))
    assert np.isnan(Gaussian().on(device)(genes, rng(), CLOCK).values).all()
    assert np.isnan(Gaussian(rate=0.05).on(device)(genes, rng(), CLOCK).values).all()


def test_a_trainer_that_has_run_can_be_changed_and_compared():
    def wired(trainer):
        recipe = {"task": {"type": "onemax", "bits": 8}, "trainer": trainer, "device": {"type": "numba"}}
        return wire(build(Source(recipe, "test"), catalogue.installed()))

    made = wired({"type": "evolution", "population": 10, "mutation": []})
    state = made.trainer.start(made)
    made.trainer.step(made, state)
    again = wired({"type": "evolution", "population": 10, "mutation": []})
    assert made.trainer == again.trainer
    changed = made.trainer.model_copy(update={"mutation": (BitFlip(rate=1.0),)})
    (_, plain), (_, flipped) = made.trainer.step(made, state), changed.step(made, state)
    assert plain.mean != flipped.mean
