# SPDX-License-Identifier: MIT OR Apache-2.0
"""Distances: by hand, by an independent reading of each rule, and by neat-python where it is installed."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Genes
from vynapse_core.devices.reference import Reference
from vynapse_neat.comparing import Comparing
from vynapse_neat.distance import Compatibility
from vynapse_neat.layout import Layout
from vynapse_numba.device import Numba

REFERENCE, ONE, TWO = Reference(), Numba(threads=1), Numba(threads=2)
LAYOUT = Layout(2, 1, activations=("sigmoid", "tanh"), aggregations=("sum", "max"), response=True)
RULES = ("stanley2002", "jair2004", "neat-python", "tensorneat")


@dataclass
class Made:
    """A genome: {innovation: (source, target, weight, enabled)}, {node: (bias, response, activation, aggregation)}."""

    links: dict[int, tuple[int, int, float, int]]
    nodes: dict[int, tuple[float, float, int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ends = {end for source, target, *_ in self.links.values() for end in (source, target)}
        for each in ends | set(range(LAYOUT.fixed)):
            self.nodes.setdefault(each, (0.0, 1.0, 0, 0))
        self.nodes |= dict.fromkeys(range(LAYOUT.inputs), (0.0, 0.0, 0, 0))


def genes(*made: Made, spare: int = 0) -> Genes:
    """Return the genomes as arrays, with `spare` places more than needed."""
    width = max((len(each.links) for each in made), default=0) + spare
    nodes = max(len(each.nodes) for each in made) + spare
    found = LAYOUT.empty(len(made), nodes, width)
    of = found.structure
    for row, each in enumerate(made):
        of["connections"][row], of["nodes"][row] = len(each.links), len(each.nodes)
        for place, (innovation, (source, target, weight, enabled)) in enumerate(sorted(each.links.items())):
            of["innovation"][row, place], of["enabled"][row, place] = innovation, enabled
            of["source"][row, place], of["target"][row, place] = source, target
            found.values[row, place] = weight
        for place, (node, (bias, response, activation, aggregation)) in enumerate(sorted(each.nodes.items())):
            of["node"][row, place] = node
            of["activation"][row, place], of["aggregation"][row, place] = activation, aggregation
            found.values[row, width + place], found.values[row, width + nodes + place] = bias, response
    return found


def matrix(some: Genes, others: Genes, rule: Compatibility, device: Any = REFERENCE) -> Any:
    comparing, rows, columns = Comparing(rule, LAYOUT, device), np.arange(len(some)), np.arange(len(others))
    return comparing.distances(comparing.side(some), rows, comparing.side(others), columns)


def apart(a: Made, b: Made, rule: Compatibility) -> float:
    return float(matrix(genes(a), genes(b, spare=3), rule)[0, 0])


def link(weight: float, pair: int = 0, enabled: int = 1) -> tuple[int, int, float, int]:
    return pair // 40, 2 + pair % 40, weight, enabled


@st.composite
def genomes(draw: st.DrawFn, pairs: int = 12) -> Made:
    """Innovation i is one of two that links the ends i mod `pairs`: the same link may have come about twice."""
    weight = st.floats(-4, 4, width=32)
    links: dict[int, tuple[int, int, float, int]] = {}
    for pair in draw(st.sets(st.integers(0, pairs - 1), max_size=pairs)):
        innovation = pair + draw(st.sampled_from([0, pairs]))
        links[innovation] = (pair % 4, 2 + pair // 4, draw(weight), draw(st.integers(0, 1)))
    kind = st.integers(0, 1)
    return Made(links, draw(st.dictionaries(st.integers(2, 8), st.tuples(weight, weight, kind, kind), max_size=4)))


@given(genomes(), genomes(), st.sampled_from(RULES))
@settings(max_examples=60, deadline=None)
def test_distance_is_symmetric_to_the_bit_and_never_negative(a: Made, b: Made, rule: Any) -> None:
    found = matrix(genes(a, b), genes(a, b, spare=2), Compatibility(rule=rule, excess=1.0, disjoint=0.7, weight=0.4))
    assert found[0, 1] == found[1, 0]
    assert found.min() >= 0


@given(genomes(), st.sampled_from(RULES))
@settings(max_examples=30, deadline=None)
def test_a_genome_is_at_distance_zero_from_itself(a: Made, rule: Any) -> None:
    assert apart(a, a, Compatibility(rule=rule)) == 0


def test_excess_disjoint_and_weights_are_told_apart() -> None:
    a = Made({1: link(1.0, 1), 2: link(2.0, 2), 4: link(3.0, 4), 5: link(0.5, 5)})
    b = Made({1: link(1.5, 1), 3: link(9.0, 3), 5: link(1.5, 5), 7: link(9.0, 7), 8: link(9.0, 8)})
    rule = Compatibility(rule="stanley2002", excess=100.0, disjoint=10.0, weight=1.0)
    assert apart(a, b, rule) == 100 * 2 + 10 * 3 + (0.5 + 1.0) / 2


@pytest.mark.parametrize(("count", "divisor"), [(19, 1), (20, 20), (25, 25)])
def test_size_divides_only_from_twenty_connections_on_and_never_by_jair(count: int, divisor: int) -> None:
    a = Made({i: link(0.0, i) for i in range(count)})
    b = Made({i: link(0.0, i) for i in range(count - 3)})
    assert apart(a, b, Compatibility(rule="stanley2002")) == pytest.approx(3 / divisor)
    assert apart(a, b, Compatibility(rule="jair2004")) == 3


def test_weights_are_averaged_over_matching_connections_alone() -> None:
    a = Made({i: link(2.0, i) for i in range(30)})
    b = Made({0: link(1.0, 0), 1: link(4.0, 1)})
    assert apart(a, b, Compatibility(rule="jair2004", excess=0.0, disjoint=0.0, weight=1.0)) == 1.5


def test_a_genome_without_connections_has_a_distance() -> None:
    empty, full = Made({}), Made({i: link(1.0, i) for i in range(5)})
    assert apart(empty, full, Compatibility(rule="stanley2002", excess=2.0)) == 10
    assert apart(empty, empty, Compatibility(rule="neat-python")) == 0


def test_neat_python_matches_links_by_their_ends_and_canonical_neat_by_innovation() -> None:
    a, b = Made({3: (0, 2, 1.0, 1)}), Made({9: (0, 2, 1.0, 1)})
    assert apart(a, b, Compatibility(rule="neat-python")) == 0
    assert apart(a, b, Compatibility(rule="stanley2002")) == 2


def test_only_neat_python_compares_enabled_flags_and_leaves_inputs_out_of_the_count() -> None:
    a, b = Made({1: (0, 2, 1.0, 1)}), Made({1: (0, 2, 1.0, 0)})
    assert apart(a, b, Compatibility(rule="neat-python", weight=0.5)) == 0.5
    assert apart(a, b, Compatibility(rule="tensorneat", weight=0.5)) == 0
    tuned = Made({1: (0, 2, 1.0, 1)}, {2: (3.0, 1.0, 0, 0)})
    assert apart(a, tuned, Compatibility(rule="neat-python", weight=0.5)) == 1.5
    assert apart(a, tuned, Compatibility(rule="tensorneat", weight=0.5)) == 0.5


def read(a: Made, b: Made, rule: Compatibility) -> float:
    """Return what neat-python's and TensorNEAT's rules say, by dictionaries."""
    inputs = range(LAYOUT.inputs) if rule.rule == "neat-python" else ()
    total = 0.0
    first, second = ({x[:2]: x[2:] for x in made.links.values()} for made in (a, b))
    nodes_a, nodes_b = ({i: x for i, x in made.nodes.items() if i not in inputs} for made in (a, b))
    for mine, other, flags in ((first, second, rule.rule == "neat-python"), (nodes_a, nodes_b, True)):
        if not mine and not other:
            continue
        matching = mine.keys() & other.keys()
        value = rule.disjoint * len(mine.keys() ^ other.keys())
        for key in sorted(matching):
            x, y = mine[key], other[key]
            continuous = 1 if mine is first else 2
            value += rule.weight * sum(abs(p - q) for p, q in zip(x[:continuous], y[:continuous], strict=True))
            value += rule.weight * flags * sum(p != q for p, q in zip(x[continuous:], y[continuous:], strict=True))
        total += value / max(len(mine), len(other))
    return total


@given(genomes(), genomes(), st.sampled_from(["neat-python", "tensorneat"]))
@settings(max_examples=100, deadline=None)
def test_attribute_rules_agree_with_a_plain_reading_of_them(a: Made, b: Made, rule: Any) -> None:
    compatibility = Compatibility(rule=rule, disjoint=1.3, weight=0.6)
    assert apart(a, b, compatibility) == pytest.approx(read(a, b, compatibility), rel=1e-12, abs=1e-12)


@given(genomes(), genomes())
@settings(max_examples=60, deadline=None)
def test_the_rule_of_neat_python_agrees_with_neat_python(a: Made, b: Made) -> None:
    neat = pytest.importorskip("neat")

    def theirs(made: Made) -> Any:
        genome = neat.DefaultGenome(0)
        for key, (bias, response, activation, aggregation) in made.nodes.items():
            if key >= LAYOUT.inputs:
                node = genome.nodes[key] = neat.genes.DefaultNodeGene(key)
                node.bias, node.response, node.time_constant = bias, response, 1.0
                node.activation, node.aggregation = activation, aggregation
        for innovation, (source, target, weight, enabled) in made.links.items():
            gene = neat.genes.DefaultConnectionGene((source, target), innovation)
            gene.weight, gene.enabled = weight, bool(enabled)
            genome.connections[source, target] = gene
        return genome

    config = SimpleNamespace(compatibility_disjoint_coefficient=1.1, compatibility_weight_coefficient=0.5)
    expected = theirs(a).distance(theirs(b), config)
    assert apart(a, b, Compatibility(rule="neat-python", disjoint=1.1, weight=0.5)) == pytest.approx(
        expected, rel=1e-12
    )


def crowd(seed: int, count: int, links: int) -> Genes:
    rng = np.random.default_rng(seed)

    def made() -> Made:
        chosen = np.flatnonzero(rng.random(links) < rng.uniform(0.3, 1))
        found = {int(i): (int(i) % 4, 2 + int(i) // 4, rng.normal(), int(rng.integers(0, 2))) for i in chosen}
        return Made(found, {2: (rng.normal(), rng.normal(), int(rng.integers(0, 2)), 0)})

    return genes(*(made() for _ in range(count)))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("links", [8, 60])
def test_machine_code_and_threads_give_the_bits_of_python(rule: Any, links: int) -> None:
    some, others = crowd(1, 40, links), crowd(2, 5, links)
    found = [
        matrix(some, others, Compatibility(rule=rule, excess=1.0, disjoint=0.9, weight=0.3), each)
        for each in (REFERENCE, ONE, TWO)
    ]
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


@pytest.mark.parametrize("rule", RULES)
def test_a_genome_of_a_hundred_thousand_connections_is_compared(rule: Any) -> None:
    n = 100_000
    found = LAYOUT.empty(2, 8, n)
    of = found.structure
    of["nodes"][:], of["connections"][:] = 3, (n, n - 10)
    of["node"][:, :3] = np.arange(3)
    order = np.random.default_rng(0).permutation(n)
    for row, count in enumerate((n, n - 10)):
        of["innovation"][row, :count] = np.arange(count)
        of["source"][row, :count], of["target"][row, :count] = order[:count] // 300, 2 + order[:count] % 300
    compatibility = Compatibility(rule=rule)
    expected = {"jair2004": 10.0}.get(rule, 10 / n)
    assert matrix(found, found, compatibility, ONE).tolist() == [[0.0, expected], [expected, 0.0]]


@pytest.mark.parametrize("wrong", [{"rule": "manhattan"}, {"excess": -1.0}, {"weight": float("nan")}])
def test_what_is_no_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Compatibility(**wrong)
