# SPDX-License-Identifier: MIT OR Apache-2.0
"""Crossover against a slow one on dictionaries, and on random genomes that share part of their history."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Genes, Streams
from vynapse_core.devices.reference import Reference
from vynapse_neat.breeding import cross
from vynapse_neat.layout import OF_CONNECTIONS, OF_NODES, Layout, rounded
from vynapse_neat.mixing import Crossing
from vynapse_numba.device import Numba

REFERENCE, ONE, TWO = Reference(), Numba(threads=1), Numba(threads=2)
HIDDEN = 5
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
seeds = st.integers(0, 2**32)
LAYOUT = Layout(2, 1)


def leads(links: list[tuple[int, int]], origin: int, end: int) -> bool:
    """Return whether a path leads from `origin` to `end`."""
    seen, waiting = {origin}, [origin]
    while waiting:
        at = waiting.pop()
        for a, b in links:
            if a == at and b not in seen:
                seen.add(b)
                waiting.append(b)
    return end in seen


def random_genes(layout: Layout, seed: int, n: int = 6, links: int = 10) -> Genes:
    """Return sound genomes that chose out of the same innovations, of which some join the same nodes."""
    rng = np.random.default_rng(seed)
    ends = [v for v in range(layout.fixed + HIDDEN) if layout.inputs <= v < layout.inputs + layout.outputs]
    ends += range(layout.fixed, layout.fixed + HIDDEN)
    history = [(int(rng.integers(layout.fixed + HIDDEN)), int(rng.choice(ends))) for _ in range(3 * links)]
    genes = layout.empty(n, rounded(layout.fixed + HIDDEN), rounded(links))
    of = genes.structure
    for row in range(n):
        taken: list[tuple[int, int]] = []
        places = []
        for place in rng.permutation(len(history)):
            pair = history[place]
            if len(taken) == links or rng.random() < 0.3 or pair in taken:
                continue
            if layout.recurrent or not leads(taken, pair[1], pair[0]):
                taken.append(pair)
                places.append(int(place))
        places.sort()
        chosen = np.array([history[place] for place in places]).reshape(-1, 2)
        some = [v for v in range(layout.fixed, layout.fixed + HIDDEN) if v in chosen or rng.random() < 0.2]
        nodes = np.array([*range(layout.fixed), *some])
        count, wide = len(places), len(nodes)
        of["nodes"][row], of["connections"][row] = wide, count
        of["node"][row, :wide] = nodes
        of["innovation"][row, :count] = places
        of["source"][row, :count], of["target"][row, :count] = chosen.T
        of["enabled"][row, :count] = rng.random(count) < 0.7
        active = (nodes >= layout.inputs) & ~(layout.bias_node & (nodes == layout.fixed - 1))
        of["activation"][row, :wide] = rng.integers(0, len(layout.activations), wide) * active
        of["aggregation"][row, :wide] = rng.integers(0, len(layout.aggregations), wide) * active
        layout.weights(genes)[row, :count] = rng.normal(size=count)
        if not layout.bias_node:
            layout.biases(genes)[row, :wide] = rng.normal(size=wide) * active
        if (responses := layout.responses(genes)) is not None:
            responses[row, :wide] = rng.normal(size=wide)
    assert layout.validate(genes) == []
    return genes


def links_of(layout: Layout, genes: Genes, row: int) -> dict[int, dict[str, Any]]:
    """Return an individual's connections by innovation."""
    of = genes.structure
    return {
        int(of["innovation"][row, k]): {
            **{name: int(of[name][row, k]) for name in OF_CONNECTIONS},
            "weight": float(layout.weights(genes)[row, k]),
        }
        for k in range(of["connections"][row])
    }


def nodes_of(layout: Layout, genes: Genes, row: int) -> dict[int, dict[str, Any]]:
    """Return an individual's nodes by id."""
    of, responses = genes.structure, layout.responses(genes)
    return {
        int(of["node"][row, k]): {
            **{name: int(of[name][row, k]) for name in OF_NODES},
            "bias": float(layout.biases(genes)[row, k]),
            "response": 1.0 if responses is None else float(responses[row, k]),
        }
        for k in range(of["nodes"][row])
    }


def same(one: Genes, other: Genes) -> bool:
    """Return whether two populations have the same bits."""
    return one.values.tobytes() == other.values.tobytes() and all(
        one.structure[name].tobytes() == other.structure[name].tobytes() for name in one.structure
    )


def children(
    layout: Layout,
    genes: Genes,
    seed: int,
    crossing: Crossing,
    equal: Any = False,
    n: int = 24,
    device: Any = REFERENCE,
) -> tuple[Genes, Any, Any]:
    """Return children of random pairs, and their parents."""
    stream = Streams(seed)("pairs")
    mothers, fathers = stream.integers(0, len(genes), n), stream.integers(0, len(genes), n)
    flags = np.full(n, equal) if isinstance(equal, bool) else equal
    made = cross(genes, mothers, fathers, flags, layout, crossing, Streams(seed)("children"), device)
    return made, mothers, fathers


@given(layouts, seeds, st.sampled_from(["random", "both", "smaller", "mother"]))
@settings(deadline=None, max_examples=40)
def test_children_are_sound_whatever_their_parents(layout: Layout, seed: int, rule: Any) -> None:
    genes = random_genes(layout, seed)
    equal = Streams(seed)("equal").bernoulli(0.7, 24)
    made, _, _ = children(layout, genes, seed, Crossing(average=0.3, equal=rule), equal)
    assert layout.validate(made) == []


@given(layouts, seeds)
@settings(deadline=None, max_examples=30)
def test_the_fitter_parent_gives_the_structure_and_matching_genes_come_from_either(layout: Layout, seed: int) -> None:
    genes = random_genes(layout, seed)
    made, mothers, fathers = children(layout, genes, seed, Crossing())
    for row in range(len(made)):
        child = links_of(layout, made, row)
        mother, father = (links_of(layout, genes, each[row]) for each in (mothers, fathers))
        assert child.keys() == mother.keys()
        for innovation, gene in child.items():
            choices = [of[innovation] for of in (mother, father) if innovation in of]
            assert (gene["source"], gene["target"]) == (choices[0]["source"], choices[0]["target"])
            assert gene["weight"] in [each["weight"] for each in choices]
            if len(choices) == 1 or all(each["enabled"] for each in choices):
                assert gene["enabled"] == choices[0]["enabled"]
        ours, mothers_nodes, fathers_nodes = (
            nodes_of(layout, *each) for each in ((made, row), (genes, mothers[row]), (genes, fathers[row]))
        )
        assert ours.keys() == mothers_nodes.keys()
        for key, gene in ours.items():
            for name, value in gene.items():
                assert value in [of[key][name] for of in (mothers_nodes, fathers_nodes) if key in of]


@given(layouts, seeds)
@settings(deadline=None, max_examples=30)
def test_equally_fit_parents_give_all_that_fits_together(layout: Layout, seed: int) -> None:
    genes = random_genes(layout, seed)
    made, mothers, fathers = children(layout, genes, seed, Crossing(equal="both"), equal=True)
    for row in range(len(made)):
        mother, father = (links_of(layout, genes, each[row]) for each in (mothers, fathers))
        wanted = set(mother)
        taken = [(gene["source"], gene["target"]) for gene in mother.values()]
        for innovation in sorted(father.keys() - mother.keys()):
            pair = father[innovation]["source"], father[innovation]["target"]
            if pair not in taken:
                taken.append(pair)
                wanted.add(innovation)
        if not layout.recurrent:
            cyclic = any(leads(taken, b, a) for a, b in taken)
            if cyclic:
                # which of the father's genes close a cycle depends on those taken before; none that could stay is gone
                wanted = set(links_of(layout, made, row))
                kept = [(gene["source"], gene["target"]) for gene in links_of(layout, made, row).values()]
                assert mother.keys() <= wanted
                for innovation in father.keys() - wanted:
                    pair = father[innovation]["source"], father[innovation]["target"]
                    assert pair in kept or leads(kept, pair[1], pair[0])
        assert links_of(layout, made, row).keys() == wanted
        used = {end for gene in links_of(layout, made, row).values() for end in (gene["source"], gene["target"])}
        shared = nodes_of(layout, genes, mothers[row]).keys() & nodes_of(layout, genes, fathers[row]).keys()
        assert nodes_of(layout, made, row).keys() == used | shared


@given(layouts, seeds, st.sampled_from(["random", "both", "smaller", "mother"]), st.booleans())
@settings(deadline=None, max_examples=30)
def test_a_child_of_identical_parents_is_the_parent(layout: Layout, seed: int, rule: Any, equal: bool) -> None:
    once = random_genes(layout, seed, n=3)
    twice = Genes.concatenated([once, once])
    mothers = np.array([0, 1, 2])
    crossing = Crossing(equal=rule, disable=1.0)
    made = cross(twice, mothers, mothers + 3, np.full(3, equal), layout, crossing, Streams(seed)("children"), REFERENCE)
    trimmed = layout.trimmed(once)
    nodes, connections = trimmed.structure["node"].shape[1], trimmed.structure["innovation"].shape[1]
    assert same(layout.resized(made, nodes, connections), trimmed)


def test_children_without_a_father_are_copies() -> None:
    layout = Layout(2, 2, response=True)
    genes = random_genes(layout, 5)
    mothers = np.array([3, 0, 3])
    none = np.full(3, -1)
    made = cross(genes, mothers, none, np.zeros(3, bool), layout, Crossing(), Streams(1)("c"), REFERENCE)
    for row, mother in enumerate(mothers):
        assert links_of(layout, made, row) == links_of(layout, genes, mother)
        assert nodes_of(layout, made, row) == nodes_of(layout, genes, mother)


@given(seeds)
@settings(deadline=None, max_examples=20)
def test_of_equally_fit_parents_the_smaller_one_counts_as_fitter(seed: int) -> None:
    genes = random_genes(LAYOUT, seed)
    made, mothers, fathers = children(LAYOUT, genes, seed, Crossing(equal="smaller"), equal=True)
    sizes = genes.structure["connections"]
    for row in range(len(made)):
        fitter = fathers[row] if sizes[fathers[row]] < sizes[mothers[row]] else mothers[row]
        assert links_of(LAYOUT, made, row).keys() == links_of(LAYOUT, genes, fitter).keys()


def pair_of(one: Any, other: Any, enabled: Any) -> Genes:
    """Return two genomes with the same three connections, of these weights and flags."""
    layout = Layout(3, 1)
    genes = layout.empty(2, 8, 8)
    of = genes.structure
    of["nodes"][:], of["connections"][:] = 4, 3
    of["node"][:, :4], of["source"][:, :3] = np.arange(4), np.arange(3)
    of["target"][:, :3], of["innovation"][:, :3] = 3, np.arange(3)
    of["enabled"][:, :3] = enabled
    layout.weights(genes)[:, :3] = [one, other]
    return genes


def crossed_often(genes: Genes, crossing: Crossing, n: int = 20_000, equal: bool = False) -> Genes:
    zeros = np.zeros(n, np.int64)
    return cross(genes, zeros, zeros + 1, np.full(n, equal), Layout(3, 1), crossing, Streams(4)("c"), TWO)


@pytest.mark.parametrize("equal", [False, True])
def test_matching_weights_come_from_each_parent_half_the_time_and_independently(equal: bool) -> None:
    made = crossed_often(pair_of([1, 1, 1], [2, 2, 2], 1), Crossing(), equal=equal)
    second = made.values[:, :3] == 2
    # five standard deviations of a share of 20,000
    assert np.abs(second.mean(0) - 0.5).max() < 5 * 0.5 / np.sqrt(20_000)
    assert np.abs((second[:, 0] & second[:, 1]).mean() - 0.25) < 5 * 0.433 / np.sqrt(20_000)
    assert made.structure["enabled"][:, :3].all()


@pytest.mark.parametrize("equal", [False, True])
def test_a_gene_disabled_in_either_parent_is_disabled_in_three_of_four_children(equal: bool) -> None:
    flags = [[0, 1, 0], [1, 0, 0]]
    made = crossed_often(pair_of([1, 1, 1], [2, 2, 2], flags), Crossing(), equal=equal)
    off = made.structure["enabled"][:, :3] == 0
    assert np.abs(off.mean(0) - 0.75).max() < 5 * 0.433 / np.sqrt(20_000)
    # the draw replaces inheritance: whose weight the gene has says nothing about it
    of_second = made.values[:, :3] == 2
    for k in range(3):
        assert abs(off[of_second[:, k], k].mean() - off[~of_second[:, k], k].mean()) < 0.04


def test_enabled_flags_can_be_inherited_from_one_parent_at_random() -> None:
    made = crossed_often(pair_of([1, 1, 1], [2, 2, 2], [[0, 1, 0], [1, 0, 0]]), Crossing(disable=None))
    on = made.structure["enabled"][:, :3]
    assert np.abs(on[:, :2].mean(0) - 0.5).max() < 5 * 0.5 / np.sqrt(20_000)
    assert not on[:, 2].any()
    assert np.array_equal(on[:, 0] == 1, made.values[:, 0] == 2)


def test_averaging_is_drawn_once_for_a_crossover() -> None:
    made = crossed_often(pair_of([1, 1, 1], [2, 2, 2], 1), Crossing(average=0.4))
    mean = made.values[:, :3] == 1.5
    assert np.array_equal(mean.any(1), mean.all(1))
    assert abs(mean.all(1).mean() - 0.4) < 5 * 0.49 / np.sqrt(20_000)


def test_the_mean_of_the_greatest_weights_is_finite() -> None:
    largest = float(np.finfo(np.float32).max)
    made = crossed_often(pair_of([largest] * 3, [largest] * 3, 1), Crossing(average=1.0), n=10)
    assert (made.values[:, :3] == np.float32(largest)).all()


def test_surplus_genes_of_equally_fit_parents_are_taken_half_the_time() -> None:
    genes = pair_of([1, 1, 1], [2, 2, 2], 1)
    genes.structure["innovation"][1, :3] = [0, 5, 6]
    genes.structure["source"][0, :3] = [0, 1, 2]
    genes.structure["source"][1, :3] = [0, 1, 2]
    made = crossed_often(genes, Crossing(), equal=True)
    innovations = made.structure["innovation"][:, :6]
    for innovation, share in ((1, 0.5), (2, 0.5), (5, 0.25), (6, 0.25)):
        # a gene of the father's that joins what a gene of the mother's joins is left out
        assert abs((innovations == innovation).any(1).mean() - share) < 5 * 0.5 / np.sqrt(20_000)


@given(layouts, seeds)
@settings(deadline=None, max_examples=15)
def test_python_and_machine_code_give_the_same_bits_on_any_number_of_threads(layout: Layout, seed: int) -> None:
    genes = random_genes(layout, seed)
    equal = Streams(seed)("equal").bernoulli(0.5, 600)
    crossing = Crossing(average=0.4)
    slow, fast, shared = (
        children(layout, genes, seed, crossing, equal, n=600, device=device)[0] for device in (REFERENCE, ONE, TWO)
    )
    assert same(slow, fast)
    assert same(fast, shared)


def test_no_parents_have_no_children() -> None:
    none = np.zeros(0, np.int64)
    genes = random_genes(LAYOUT, 1, n=2)
    assert len(cross(genes, none, none, none.astype(bool), LAYOUT, Crossing(), Streams(1)("c"), REFERENCE)) == 0


def test_parents_are_not_written() -> None:
    genes = random_genes(LAYOUT, 3)
    before = genes.take(slice(None))
    copy = Genes(before.values.copy(), {name: array.copy() for name, array in before.structure.items()})
    children(LAYOUT, genes, 3, Crossing(average=0.5), equal=True)
    assert same(genes, copy)


@given(seeds)
@settings(deadline=None, max_examples=20)
def test_of_equally_fit_parents_the_first_one_may_count_as_fitter(seed: int) -> None:
    genes = random_genes(LAYOUT, seed)
    made, mothers, _ = children(LAYOUT, genes, seed, Crossing(equal="mother"), equal=True)
    for row in range(len(made)):
        assert links_of(LAYOUT, made, row).keys() == links_of(LAYOUT, genes, mothers[row]).keys()


@pytest.mark.parametrize("equal", [False, True])
def test_a_gene_disabled_in_both_parents_may_have_a_rule_of_its_own(equal: bool) -> None:
    crossing = Crossing(disable=0.5, disable_both=1.0)
    made = crossed_often(pair_of([1, 1, 1], [2, 2, 2], [[0, 0, 1], [0, 1, 1]]), crossing, equal=equal)
    enabled = made.structure["enabled"][:, :3].mean(0)
    assert enabled[0] == 0
    assert abs(enabled[1] - 0.5) < 5 * 0.5 / np.sqrt(20_000)
    assert enabled[2] == 1
