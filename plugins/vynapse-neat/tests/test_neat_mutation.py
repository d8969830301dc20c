# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mutation: each kind by itself on plain genomes, all together on what grows out of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Genes, Streams, VynapseError, routine
from vynapse_core.devices.reference import Reference
from vynapse_neat.breeding import Breeding, mutate
from vynapse_neat.draws import normal
from vynapse_neat.innovation import Counters
from vynapse_neat.layout import Layout, rounded
from vynapse_neat.mixing import Crossing
from vynapse_neat.phase import Phase, next_phase, simplified
from vynapse_neat.rates import Change, Rates
from vynapse_numba.device import Numba

REFERENCE, ONE, TWO = Reference(), Numba(threads=1), Numba(threads=2)
MANY = 20_000
THREE = Layout(3, 1)
STILL = Change(genome=0.0)
NEVER = Rates(weight=STILL, add_node=0.0, add_connection=0.0)
layouts = st.builds(
    Layout,
    st.integers(1, 3),
    st.integers(1, 2),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.just(("tanh", "sin", "relu")),
    st.just(("sum", "max")),
)
rates = st.builds(
    Rates,
    add_node=st.sampled_from([0.0, 0.4, 1.0]),
    add_connection=st.sampled_from([0.0, 0.5, 1.0]),
    delete_node=st.sampled_from([0.0, 0.3, 1.0]),
    delete_connection=st.sampled_from([0.0, 0.3, 1.0]),
    response=st.sampled_from([None, Change()]),
    toggle=st.sampled_from([0.0, 0.5]),
    reenable=st.sampled_from([0.0, 0.5]),
    flip=st.sampled_from([0.0, 0.2]),
    activation=st.sampled_from([0.0, 0.5]),
    aggregation=st.sampled_from([0.0, 0.5]),
    single=st.booleans(),
    exclusive=st.booleans(),
    recurrent=st.sampled_from([None, 0.0, 0.5, 1.0]),
    from_outputs=st.booleans(),
)
seeds = st.integers(0, 2**32)


def full(layout: Layout, n: int) -> tuple[Genes, Counters]:
    """Return n genomes without hidden nodes, all inputs linked to all outputs, all weights 1."""
    sources = [v for v in range(layout.fixed) if not layout.inputs <= v < layout.inputs + layout.outputs]
    pairs = [(a, b) for a in sources for b in range(layout.inputs, layout.inputs + layout.outputs)]
    genes = layout.empty(n, rounded(layout.fixed), rounded(len(pairs)))
    of, k = genes.structure, len(pairs)
    of["nodes"][:], of["connections"][:] = layout.fixed, k
    of["node"][:, : layout.fixed] = np.arange(layout.fixed)
    of["source"][:, :k], of["target"][:, :k] = np.array(pairs).T
    of["innovation"][:, :k], of["enabled"][:, :k] = np.arange(k), 1
    layout.weights(genes)[:, :k] = 1
    return genes, Counters(layout.fixed, k)


def grown(
    layout: Layout, chosen: Rates, seed: int, n: int = 8, steps: int = 6, device: Any = REFERENCE
) -> tuple[Genes, Counters]:
    """Return what is left after some generations of chance."""
    genes, counters = full(layout, n)
    breeding = Breeding.on(device, layout, Crossing(average=0.2), chosen)
    for step in range(steps):
        stream = Streams(seed)("parents", step)
        mothers, fathers = stream.integers(0, n, n), stream.integers(-1, n, n)
        equal, mutating = (stream.bernoulli(rate, n).view(np.uint8) for rate in (0.3, 0.9))
        children = Streams(seed)("children", step)
        genes, counters = breeding.children(genes, mothers, fathers, equal, mutating, counters, children)
    return genes, counters


def same(one: Genes, other: Genes) -> bool:
    """Return whether two populations have the same bits."""
    return one.values.tobytes() == other.values.tobytes() and all(
        one.structure[name].tobytes() == other.structure[name].tobytes() for name in one.structure
    )


def mutants(chosen: Rates, layout: Layout = THREE, n: int = MANY, seed: int = 1) -> Genes:
    genes, counters = full(layout, n)
    return mutate(genes, layout, chosen, counters, Streams(seed)("m"), TWO)[0]


def near(found: Any, share: float, n: int = MANY) -> bool:
    """Return whether shares found among n lie within five standard deviations."""
    return bool(np.abs(np.asarray(found) - share).max() <= 5 * np.sqrt(share * (1 - share) / n) + 1e-12)


@given(layouts, rates, seeds)
@settings(deadline=None, max_examples=40)
def test_genomes_stay_sound_whatever_happens_to_them(layout: Layout, chosen: Rates, seed: int) -> None:
    genes, counters = grown(layout, chosen, seed)
    assert layout.validate(genes) == []
    assert genes.structure["node"].max() < max(counters.node, layout.fixed)
    assert genes.structure["innovation"].max(initial=0) < max(counters.innovation, 1)


@given(layouts, rates, seeds)
@settings(deadline=None, max_examples=20)
def test_python_and_machine_code_give_the_same_bits_on_any_number_of_threads(
    layout: Layout, chosen: Rates, seed: int
) -> None:
    slow, counters = grown(layout, chosen, seed)
    fast, others = grown(layout, chosen, seed, device=ONE)
    assert same(slow, fast)
    assert counters == others
    fast, counters = grown(layout, chosen, seed, n=700, device=ONE)
    shared, others = grown(layout, chosen, seed, n=700, device=TWO)
    assert same(fast, shared)
    assert counters == others


def test_normal_noise_gives_the_same_bits_too() -> None:
    chosen = Rates(weight=Change(noise="normal", fresh="normal"))
    assert same(grown(Layout(2, 1), chosen, 3, n=40)[0], grown(Layout(2, 1), chosen, 3, n=40, device=ONE)[0])


def test_the_same_change_has_the_same_numbers_in_all_children_of_a_generation() -> None:
    layout = Layout(1, 1)
    genes, counters = full(layout, 50)
    chosen = NEVER.model_copy(update={"add_node": 1.0})
    made, after = mutate(genes, layout, chosen, counters, Streams(1)("m"), REFERENCE)
    assert after == Counters(3, 3)
    of = made.structure
    assert (of["node"][:, :3] == [0, 1, 2]).all()
    assert (of["innovation"][:, :3] == [0, 1, 2]).all()
    _, later = mutate(genes, layout, chosen, after, Streams(1)("m"), REFERENCE)
    assert later == Counters(4, 5)


def test_an_added_node_takes_the_place_of_the_connection_that_it_splits() -> None:
    layout = Layout(1, 1, response=True, activations=("tanh", "sin"), aggregations=("sum", "max"))
    genes, counters = full(layout, 200)
    layout.weights(genes)[:, 0] = 0.75
    chosen = NEVER.model_copy(update={"add_node": 1.0})
    made, _ = mutate(genes, layout, chosen, counters, Streams(1)("m"), REFERENCE)
    of, responses = made.structure, layout.responses(made)
    assert (of["enabled"][:, :3] == [0, 1, 1]).all()
    assert (of["source"][:, :3] == [0, 0, 2]).all()
    assert (of["target"][:, :3] == [1, 2, 1]).all()
    assert (layout.weights(made)[:, :3] == [0.75, 1.0, 0.75]).all()
    assert (layout.biases(made)[:, 2] == 0).all()
    assert responses is not None
    assert (responses[:, 2] == 1).all()
    assert set(of["activation"][:, 2]) == {0, 1}
    assert set(of["aggregation"][:, 2]) == {0, 1}


def test_only_enabled_connections_are_split_where_there_are_any() -> None:
    layout = Layout(3, 1)
    genes, counters = full(layout, 300)
    genes.structure["enabled"][:, :3] = [0, 1, 0]
    chosen = NEVER.model_copy(update={"add_node": 1.0})
    made, _ = mutate(genes, layout, chosen, counters, Streams(1)("m"), REFERENCE)
    assert (made.structure["source"][:, 3] == 1).all()
    genes.structure["enabled"][:, :3] = 0
    made, _ = mutate(genes, layout, chosen, counters, Streams(1)("m"), REFERENCE)
    assert set(made.structure["source"][:, 3]) == {0, 1, 2}


def test_links_of_the_bias_node_are_split_only_on_request() -> None:
    layout = Layout(1, 1, bias_node=True)
    made = mutants(NEVER.model_copy(update={"add_node": 1.0}), layout, n=200)
    assert (made.structure["source"][:, 2] == 0).all()
    made = mutants(NEVER.model_copy(update={"add_node": 1.0, "split_bias": True}), layout, n=200)
    assert set(made.structure["source"][:, 2]) == {0, 2}


@pytest.mark.parametrize(("old_first", "shares"), [(3, (1, 1, 1)), (4, (0.7 + 0.3**3, 0.21, 0.063))])
def test_in_small_genomes_old_connections_are_split_first_on_request(old_first: int, shares: tuple[float, ...]) -> None:
    layout = Layout(3, 1)
    genes, counters = full(layout, MANY)
    chosen = NEVER.model_copy(update={"add_node": 1.0, "old_first": old_first})
    made, _ = mutate(genes, layout, chosen, counters, Streams(1)("m"), REFERENCE)
    counted = np.bincount(made.structure["source"][:, 3], minlength=3)
    expected = MANY * np.array(shares) / sum(shares)
    assert (np.abs(counted - expected) < 4.5 * np.sqrt(expected)).all()


@pytest.mark.parametrize("crowded", [False, True])
def test_added_connections_are_uniform_among_all_pairs_that_may_be_joined(crowded: bool) -> None:
    inputs = 60 if crowded else 2
    layout = Layout(inputs, 1)
    genes, counters = full(layout, MANY)
    of = genes.structure
    if crowded:
        # all but two of sixty inputs are linked: drawing pairs seldom meets what is left
        of["connections"][:] = inputs - 2
        for name in ("source", "target", "innovation", "enabled"):
            of[name][:, inputs - 2 :] = 0
        layout.weights(genes)[:, inputs - 2 :] = 0
        possible = {(58, 60), (59, 60)}
    else:
        genes, counters = mutate(
            genes, layout, NEVER.model_copy(update={"add_node": 1.0}), counters, Streams(2)("m"), TWO
        )
        possible = {(0, 3), (1, 3)}
        genes = genes.take(np.flatnonzero(genes.structure["source"][:, 2] == 0))
        node = int(genes.structure["node"][0, 3])
        possible = {(1, node)}
        assert len({*genes.structure["node"][:, 3].tolist()}) == 1
    adding = NEVER.model_copy(update={"add_connection": 1.0})
    made, _ = mutate(genes, layout, adding, counters, Streams(1)("m"), TWO)
    last = made.structure["connections"] - 1
    assert (last == genes.structure["connections"]).all()
    rows = np.arange(len(made))
    found = list(zip(made.structure["source"][rows, last], made.structure["target"][rows, last], strict=True))
    for pair in possible:
        share = np.mean([each == pair for each in found])
        assert near(share, 1 / len(possible), len(found))


def test_recurrent_connections_are_uniform_among_all_pairs_of_their_kind() -> None:
    layout = Layout(2, 2, recurrent=True)
    for share, expected in ((None, 4), (1.0, 4)):
        made = mutants(NEVER.model_copy(update={"add_connection": 1.0, "recurrent": share}), layout)
        pairs = made.structure["source"][:, 4] * 10 + made.structure["target"][:, 4]
        kinds, counts = np.unique(pairs, return_counts=True)
        assert kinds.tolist() == [22, 23, 32, 33]
        assert near(counts / MANY, 1 / expected)
    made = mutants(NEVER.model_copy(update={"add_connection": 1.0, "recurrent": 0.0}), layout)
    assert (made.structure["connections"] == 4).all()


def test_links_out_of_outputs_count_as_recurrent_unless_asked_otherwise() -> None:
    layout = Layout(1, 2)
    made = mutants(NEVER.model_copy(update={"add_connection": 1.0}), layout, n=100)
    assert (made.structure["connections"] == 2).all()
    made = mutants(NEVER.model_copy(update={"add_connection": 1.0, "from_outputs": True}), layout, n=100)
    found = set(zip(made.structure["source"][:, 2].tolist(), made.structure["target"][:, 2].tolist(), strict=True))
    assert found == {(1, 2), (2, 1)}


@given(st.integers(2, 6), st.booleans(), seeds)
@settings(deadline=None, max_examples=15)
def test_connections_are_added_until_there_is_no_pair_left(hidden: int, recurrent: bool, seed: int) -> None:
    layout = Layout(2, 1, recurrent=recurrent)
    genes, counters = full(layout, 2)
    splitting, adding = (NEVER.model_copy(update={name: 1.0}) for name in ("add_node", "add_connection"))
    for step in range(hidden):
        genes, counters = mutate(genes, layout, splitting, counters, Streams(seed)("n", step), ONE)
    nodes = 3 + hidden
    # all ordered pairs of two hidden nodes, one of each two where there are no cycles; from inputs; to the output
    most = nodes * (nodes - 2) if recurrent else 2 * (hidden + 1) + hidden * (hidden - 1) // 2 + hidden
    for step in range(most):
        genes, counters = mutate(genes, layout, adding, counters, Streams(seed)("c", step), ONE)
    assert (genes.structure["connections"] == most).all()
    assert layout.validate(genes) == []


def test_genomes_grow_to_thousands_of_nodes() -> None:
    layout = Layout(2, 1)
    genes, counters = full(layout, 1)
    chosen = Rates(add_node=1.0, add_connection=1.0)
    for step in range(2000):
        genes, counters = mutate(genes, layout, chosen, counters, Streams(1)("m", step), ONE)
    assert genes.structure["nodes"].tolist() == [2003]
    assert genes.structure["connections"].tolist() == [2 + 3 * 2000 - 1]
    assert layout.validate(genes) == []


def test_deleting_a_node_takes_its_connections_along_and_no_others() -> None:
    layout = Layout(2, 1)
    genes, counters = grown(layout, Rates(add_node=0.8, add_connection=0.8), 4, n=60)
    made, _ = mutate(genes, layout, NEVER.model_copy(update={"delete_node": 1.0}), counters, Streams(1)("m"), REFERENCE)
    before, after = genes.structure, made.structure
    for row in range(60):
        old, new = (set(of["node"][row, : of["nodes"][row]].tolist()) for of in (before, after))
        assert len(old) - len(new) == (len(old) > layout.fixed)
        for k in range(before["connections"][row]):
            stays = {before["source"][row, k], before["target"][row, k]} <= new
            assert stays == (before["innovation"][row, k] in after["innovation"][row, : after["connections"][row]])
    assert layout.validate(made) == []


def test_deleting_a_connection_takes_any_one_of_them() -> None:
    made = mutants(NEVER.model_copy(update={"delete_connection": 1.0}))
    assert (made.structure["connections"] == 2).all()
    gone = 3 - made.structure["source"][:, :2].sum(1)
    assert near(np.bincount(gone, minlength=3) / MANY, 1 / 3)
    assert (mutants(NEVER.model_copy(update={"delete_connection": 1.0}), Layout(1, 1)).structure["source"] == 0).all()


def test_rates_of_structural_changes_are_what_they_say() -> None:
    made = mutants(NEVER.model_copy(update={"add_node": 0.3, "delete_connection": 0.1}))
    of = made.structure
    added = of["nodes"] == 5
    deleted = of["connections"] - 2 * added == 2
    assert near(added.mean(), 0.3)
    assert near(deleted.mean(), 0.1)
    assert near((added & deleted).mean(), 0.03)


def test_with_single_at_most_one_structural_change_happens() -> None:
    both = {"add_node": 0.9, "delete_connection": 0.3, "single": True}
    of = mutants(NEVER.model_copy(update=both)).structure
    added, deleted = of["nodes"] == 5, of["connections"] == 2
    assert near(added.mean(), 0.75)
    assert near(deleted.mean(), 0.25)
    assert not (added & deleted).any()


def test_with_exclusive_a_child_of_new_structure_keeps_its_weights() -> None:
    layout = Layout(3, 1)
    made = mutants(Rates(weight=Change(genome=1.0, perturb=1.0, replace=0.0), add_node=0.5, exclusive=True))
    kept = (layout.weights(made)[:, :3] == 1).all(1)
    assert np.array_equal(kept, made.structure["nodes"] == 5)


def test_weights_change_at_their_rates_per_genome_and_per_gene() -> None:
    layout = Layout(3, 1)
    change = Change(genome=0.6, perturb=0.5, replace=0.2, power=0.25, mean=50.0, spread=1.0)
    made = mutants(NEVER.model_copy(update={"weight": change}))
    weights, biases = layout.weights(made)[:, :3], layout.biases(made)[:, 3:4]
    perturbed, replaced = (weights != 1) & (weights < 2), weights > 40
    touched = (weights != 1).any(1) | (biases != 0).any(1)
    assert near(touched.mean(), 0.6 * (1 - 0.3**4))
    assert near(perturbed.mean(0), 0.6 * 0.5)
    assert near(replaced.mean(0), 0.6 * 0.2)
    assert np.abs(weights[perturbed] - 1).max() <= 0.25
    assert np.abs(weights[replaced] - 50).max() <= 1.0
    shares = np.sort((weights[perturbed] - 0.75) / 0.5)
    assert np.abs(shares - np.linspace(0, 1, len(shares))).max() < 0.02
    # in one genome each gene is drawn by itself
    touched_genomes = weights[(weights != 1).all(1) | touched]
    together = (touched_genomes[:, 0] != 1) & (touched_genomes[:, 1] != 1)
    assert near(together.mean() * len(touched_genomes) / MANY, 0.6 * 0.49)


def test_biases_and_responses_have_changes_of_their_own() -> None:
    layout = Layout(3, 1, response=True)
    sure: dict[str, Any] = {"genome": 1.0, "perturb": 0.0, "replace": 1.0, "spread": 0.0}
    chosen = Rates(
        weight=Change(**sure, mean=1.0),
        bias=Change(**sure | {"genome": 0.5}, mean=2.0),
        response=Change(**sure | {"genome": 0.25}, mean=3.0),
        add_node=0.0,
        add_connection=0.0,
    )
    made = mutants(chosen, layout)
    responses = layout.responses(made)
    assert (layout.weights(made)[:, :3] == 1).all()
    assert near((layout.biases(made)[:, 3] == 2).mean(), 0.5)
    assert responses is not None
    assert near((responses[:, 3] == 3).mean(), 0.25)
    assert not responses[:, :3].any()
    assert not layout.biases(made)[:, :3].any()


def test_a_bias_node_has_no_bias_and_no_response_that_could_change() -> None:
    layout = Layout(2, 1, bias_node=True, response=True)
    chosen = Rates(response=Change(genome=1.0), add_node=1.0)
    made = mutants(chosen, layout, n=200)
    made, _ = mutate(made, layout, chosen, Counters(1000, 1000), Streams(2)("m"), REFERENCE)
    responses = layout.responses(made)
    assert responses is not None
    assert not layout.biases(made).any()
    assert not responses[:, [0, 1, 3]].any()
    assert (responses[:, 2] != 0).all()
    assert layout.validate(made) == []


def test_numbers_that_change_stay_within_their_bounds() -> None:
    change = Change(genome=1.0, perturb=0.5, replace=0.5, power=9.0, spread=9.0, least=-1.5, most=2.0)
    weights = mutants(Rates(weight=change, add_node=0.0, add_connection=0.0)).values[:, :3]
    assert weights.min() == -1.5
    assert weights.max() == 2.0


def test_weights_never_overflow() -> None:
    largest = float(np.finfo(np.float32).max)
    chosen = Rates(weight=Change(genome=1.0, perturb=1.0, replace=0.0, power=largest))
    layout = Layout(3, 1)
    genes, counters = full(layout, 100)
    for step in range(5):
        genes, counters = mutate(genes, layout, chosen, counters, Streams(1)("m", step), ONE)
    assert layout.validate(genes) == []


@routine("float64[:], float64[:]")
def quantiles(first: int, last: int, shares: Any, out: Any) -> None:
    for row in range(first, last):
        out[row] = normal(shares[row])


def test_normal_noise_is_normal() -> None:
    scipy = pytest.importorskip("scipy.stats")
    shares = np.concatenate([(np.arange(1000) + 0.5) / 1000, 0.5 ** np.arange(2, 33), 1 - 0.5 ** np.arange(2, 33)])
    out, fast = np.empty(len(shares)), np.empty(len(shares))
    REFERENCE.routine(quantiles)(len(shares), shares, out)
    ONE.routine(quantiles)(len(shares), shares, fast)
    np.testing.assert_allclose(out, scipy.norm.ppf(shares), rtol=3e-7, atol=1e-12)
    assert np.array_equal(out, fast)


def test_enabled_flags_are_toggled_reenabled_and_flipped_at_their_rates() -> None:
    made = mutants(NEVER.model_copy(update={"toggle": 0.6})).structure["enabled"][:, :3]
    assert near((made == 0).sum(1).mean(), 0.6)
    assert near((made == 0).mean(0), 0.2)
    assert near((mutants(NEVER.model_copy(update={"flip": 0.4})).structure["enabled"][:, :3] == 0).mean(0), 0.2)
    genes, counters = full(THREE, MANY)
    genes.structure["enabled"][:, :3] = [1, 0, 0]
    chosen = NEVER.model_copy(update={"reenable": 0.7})
    on = mutate(genes, THREE, chosen, counters, Streams(1)("m"), TWO)[0].structure["enabled"]
    assert near((on[:, 1] == 1).mean(), 0.7)
    assert not on[:, 2].any()


def test_activations_and_aggregations_are_drawn_anew_from_all_choices() -> None:
    layout = Layout(3, 1, activations=("a", "b", "c", "d"), aggregations=("sum", "max"))
    of = mutants(NEVER.model_copy(update={"activation": 0.8, "aggregation": 0.5}), layout).structure
    assert near(np.bincount(of["activation"][:, 3], minlength=4)[1:] / MANY, 0.2)
    assert near((of["aggregation"][:, 3] == 1).mean(), 0.25)
    assert not of["activation"][:, :3].any()
    few = NEVER.model_copy(update={"activation": 1.0, "activation_choices": 2})
    assert set(mutants(few, layout).structure["activation"][:, 3]) == {0, 1}
    hidden_only = NEVER.model_copy(update={"activation": 1.0, "outputs_draw": False})
    assert not mutants(hidden_only, layout).structure["activation"].any()


def test_past_a_target_size_additions_become_rare_but_never_stop() -> None:
    shares = []
    for target in (1.5, 3.0, 6.0):
        chosen = NEVER.model_copy(update={"add_node": 1.0, "target_connections": target, "sharpness": 4.0})
        shares.append((mutants(chosen).structure["nodes"] == 5).mean())
        assert near(shares[-1], 1 / (1 + (3 / target) ** 4))
    assert 0 < shares[0] < shares[1] < shares[2] < 1


def test_arrays_are_as_wide_as_the_largest_genome_needs_with_room_for_one_more_mutation() -> None:
    layout = Layout(2, 1)
    genes, counters = grown(layout, Rates(add_node=1.0), 2, n=20, steps=12)
    deleting = NEVER.model_copy(update={"delete_node": 1.0})
    for step in range(40):
        genes, counters = mutate(genes, layout, deleting, counters, Streams(1)("m", step), ONE)
    assert genes.structure["node"].shape == (20, 8)
    assert genes.structure["innovation"].shape[1] <= 8


def test_what_is_mutated_is_not_written() -> None:
    layout = Layout(2, 1)
    genes, counters = full(layout, 50)
    before, _ = full(layout, 50)
    mutate(genes, layout, Rates(add_node=1.0, add_connection=1.0), counters, Streams(1)("m"), ONE)
    assert same(genes, before)


def test_rates_that_make_no_sense_are_refused() -> None:
    with pytest.raises((ValueError, VynapseError), match="perturb"):
        Change(perturb=0.9, replace=0.2)
    with pytest.raises((ValueError, VynapseError), match="add_node"):
        Rates(add_node=1.5)


def test_a_population_grows_to_its_ceiling_and_shrinks_until_that_brings_nothing_more() -> None:
    phase, size, seen = Phase(), 10.0, []
    for _ in range(60):
        phase = next_phase(phase, size, growth=5.0, patience=3)
        seen.append((phase.simplifying, size))
        size = max(size - 2.0, 8.0) if phase.simplifying else size + 1.0
    assert max(size for _, size in seen) == 16.0
    shrinking = [size for simplifying, size in seen if simplifying]
    assert min(shrinking) == 8.0
    # it stays at its least size for as long as it is patient
    assert [size for _, size in seen if size == 8.0][:4] == [8.0] * 4
    first = next(i for i, (_, size) in enumerate(seen) if size == 8.0)
    assert [simplifying for simplifying, _ in seen[first : first + 5]] == [True, True, True, False, False]


def test_while_it_simplifies_nothing_is_added() -> None:
    chosen = simplified(Rates(add_node=0.5), delete_node=0.2, delete_connection=0.3)
    assert (chosen.add_node, chosen.add_connection) == (0.0, 0.0)
    assert (chosen.delete_node, chosen.delete_connection) == (0.2, 0.3)


@pytest.mark.parametrize("device", [REFERENCE, TWO], ids=["reference", "numba"])
def test_children_are_the_same_whatever_was_bred_before(device: Any) -> None:
    often = Breeding.on(device, THREE, Crossing(), Rates())
    for n, steps in ((30, 3), (7, 1), (90, 5), (30, 0)):
        genes, counters = grown(THREE, Rates(), 3, n, steps)
        none, every = np.zeros(n, np.uint8), np.ones(n, np.uint8)
        given_to = genes, np.arange(n), np.full(n, -1), none, every, counters
        found, fresh = (
            breeding.children(*given_to, Streams(5)("children", n))
            for breeding in (often, Breeding.on(device, THREE, Crossing(), Rates()))
        )
        assert same(found[0], fresh[0])
        assert found[1] == fresh[1]
