# SPDX-License-Identifier: MIT OR Apache-2.0
"""The checks of selectors and replacements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vynapse_core.contracts import Replacement, Selector
from vynapse_core.population import Array, Population
from vynapse_core.testing.contract import Contract, difference, shaped, stream
from vynapse_core.testing.forms import check_forms
from vynapse_core.testing.parts import check_component
from vynapse_core.testing.samples import plain_population

if TYPE_CHECKING:
    from vynapse_core.streams import Stream

DRAWS = 4000
SLACK = 200
"""Draws by which a worse individual may lead a better one by chance: of 4000 draws among eight equals the difference
of two counts has a standard deviation of about 32, so a right selector leads the check astray once in 10^9."""


def check_selector(selector: Selector, *, objectives: int = 1, deterministic: bool | None = None) -> None:
    """Check a selector: indices in range for all sorts of fitness, and the better not chosen less often than the worse.

    With more `objectives`, fitness is [P, M] and the better ones are better in all of them.
    """
    contract = Contract.of(selector, Selector)
    check_component(selector)

    def select(fitness: Array, n: int, rng: Stream) -> Array:
        fitness = fitness if objectives == 1 else np.repeat(fitness[:, None], objectives, axis=1)
        given = f"n = {n} of fitness {fitness.tolist()!r:.80}"
        chosen = contract.call(selector.select, fitness, n, rng, given=given)
        right = isinstance(chosen, np.ndarray) and chosen.dtype == np.int64 and chosen.shape == (n,)
        contract.require(right, f"select returns int64 [n], here ({n},)", shaped(chosen))
        within = ((chosen >= 0) & (chosen < len(fitness))).all()
        contract.require(within, f"select returns indices of the {len(fitness)} individuals", f"{chosen}")
        indices: Array = chosen
        return indices

    inf = float("inf")
    cases = (
        [1.0, 2.0, 3.0],
        [0.5],
        [1.0] * 7,
        [-inf, 1.0, -inf, 2.0],
        [-inf] * 4,
        [-inf],
        [-3.0, -1.0, 0.0],
        [-1e30, 1e30, 0.0],
    )
    for fitness in cases:
        for n in (0, 1, 5, 12):
            select(np.array(fitness), n, stream(n))
    if objectives == 1:
        some = np.array(cases[3])
        check_forms(
            contract,
            "select",
            lambda rng: select(some, 12, rng),
            lambda device: lambda rng: selector.on(device)(some, 12, rng),
        )
    ranks = np.array([3.0, 7.0, 0.0, 5.0, 1.0, 6.0, 2.0, 4.0])
    contract.draws("select", lambda rng: select(ranks, 64, rng), deterministic=deterministic)
    _check_preference(contract, ranks, np.bincount(select(ranks, DRAWS, stream(1)), minlength=8))
    failed = np.where(ranks < 4, -inf, ranks)
    counts = np.bincount(select(failed, DRAWS, stream(2)), minlength=8)
    most, least = int(counts[ranks < 4].max()), int(counts[ranks >= 4].min())
    contract.require(
        most <= least + SLACK,
        "select does not prefer individuals that failed (-inf)",
        f"one that failed chosen {most} times, one that did not {least} times, of {DRAWS}",
    )


def check_replacement(replacement: Replacement, *, deterministic: bool | None = None) -> None:
    """Check a replacement: the population keeps its size, survivors are ones who were there, and parents age."""
    contract = Contract.of(replacement, Replacement)
    check_component(replacement)
    for size in (1, 6, 7):
        count = contract.call(replacement.offspring, size, given=f"a population of {size}")
        contract.require(
            type(count) is int and count >= 1,
            "offspring returns how many, an int of at least 1",
            f"{count!r} for {size}",
        )
        for failed in (0, 1, size + count):
            _check_survivors(contract, replacement, size, count, failed)
    parents, offspring = _generation(24, replacement.offspring(24), failed=0)

    def survive(rng: Stream) -> Population:
        survivors: Population = contract.call(replacement.survive, parents, offspring, rng, given="24 parents")
        return survivors

    contract.draws("survive", survive, deterministic=deterministic)
    check_forms(
        contract, "survive", survive, lambda device: lambda rng: replacement.on(device)(parents, offspring, rng)
    )


def _check_preference(contract: Contract, fitness: Array, counts: Array) -> None:
    by_rank = counts[np.argsort(fitness)]
    for worse in range(len(by_rank)):
        for better in range(worse + 1, len(by_rank)):
            contract.require(
                by_rank[worse] <= by_rank[better] + SLACK,
                "select never chooses a worse individual more often than a better one (fitness is maximised)",
                f"of {DRAWS} draws, from worst to best: {by_rank.tolist()}",
            )


def _generation(size: int, count: int, failed: int) -> tuple[Population, Population]:
    """Return parents and offspring, of whom the first `failed`, taken alternately, have no fitness."""
    fitness = stream(3).normal(size + count, dtype=np.float64)
    order = np.argsort(np.arange(size + count) % 2, kind="stable")
    fitness[order[:failed]] = -np.inf
    ages = np.arange(size, dtype=np.int64) % 3
    return plain_population(fitness[:size], ages, 10), plain_population(fitness[size:], np.zeros(count, np.int64), 500)


def _check_survivors(contract: Contract, replacement: Replacement, size: int, count: int, failed: int) -> None:
    parents, offspring = _generation(size, count, failed)
    given = f"{size} parents and {count} offspring, {failed} of them failed"
    after = contract.call(replacement.survive, parents, offspring, stream(4), given=given)
    contract.require(isinstance(after, Population), "survive returns a Population", type(after).__name__)
    contract.require(
        len(after) == size, "survive keeps the size of the population", f"{len(after)} survivors of {size} parents"
    )
    ids = after.ids.tolist()
    contract.require(len(set(ids)) == size, "an individual survives once", f"ids {sorted(ids)}")
    everyone = Population.concatenated([parents.older(), offspring])
    rows = {int(number): row for row, number in enumerate(everyone.ids)}
    strangers = [number for number in ids if number not in rows]
    contract.require(not strangers, "survivors are parents or offspring, with their ids", f"unknown ids {strangers}")
    expected = everyone.take(np.array([rows[number] for number in ids]))
    aged = difference(expected.ages, after.ages, "ages")
    contract.require(
        not aged,
        "parents that survive are a step older (`parents.older()`), offspring are as young as they came",
        f"{aged}",
    )
    changed = difference(expected, after, "survivors")
    contract.require(not changed, "survivors keep their genes, fitness, ids and parents", f"{changed}")
