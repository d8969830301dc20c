# SPDX-License-Identifier: MIT OR Apache-2.0
"""Broken selectors and replacements, and what the kit says of each."""

import numpy as np
import pytest

from vynapse_core import Population, Replacement, Selector, best_first
from vynapse_core.testing import ContractError, check, check_replacement, check_selector


class Duel(Selector):
    """The better of two."""

    def select(self, fitness, n, rng):
        pairs = rng.integers(0, len(fitness), (n, 2))
        return np.where(fitness[pairs[:, 0]] >= fitness[pairs[:, 1]], pairs[:, 0], pairs[:, 1])


class WorseDuel(Selector):
    """The worse of two."""

    def select(self, fitness, n, rng):
        pairs = rng.integers(0, len(fitness), (n, 2))
        return np.where(fitness[pairs[:, 0]] < fitness[pairs[:, 1]], pairs[:, 0], pairs[:, 1])


class Proportional(Selector):
    """In proportion to fitness, of whatever sign."""

    def select(self, fitness, n, rng):
        return rng.choice(len(fitness), n, fitness)


class Small(Duel):
    """Returns int32."""

    def select(self, fitness, n, rng):
        return super().select(fitness, n, rng).astype(np.int32)


class OneMore(Duel):
    """Returns one too many."""

    def select(self, fitness, n, rng):
        return super().select(fitness, n + 1, rng)


class CountingFromOne(Duel):
    """Counts from one."""

    def select(self, fitness, n, rng):
        return super().select(fitness, n, rng) + 1


class Sorting(Duel):
    """Sorts the fitness in place."""

    def select(self, fitness, n, rng):
        fitness.sort()
        return super().select(fitness, n, rng)


class LovingFailure(Selector):
    """Mistakes minus infinity for a large number."""

    def select(self, fitness, n, rng):
        size = np.where(np.isinf(fitness), 1e4, np.exp(np.clip(fitness, -9, 9)))
        return rng.choice(len(fitness), n, size)


class Lexicase(Selector):
    """The best in a drawn objective."""

    def select(self, fitness, n, rng):
        pairs = rng.integers(0, len(fitness), (n, 2))
        column = rng.integers(0, fitness.shape[1], n)
        return np.where(fitness[pairs[:, 0], column] >= fitness[pairs[:, 1], column], pairs[:, 0], pairs[:, 1])


def test_a_sound_selector_passes():
    check_selector(Duel())


def test_a_selector_for_objectives_is_given_objectives():
    check_selector(Lexicase(), objectives=2)
    with pytest.raises(ContractError, match="IndexError"):
        check_selector(Lexicase())


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        (WorseDuel(), "never chooses a worse individual more often"),
        (Proportional(), "select serves n = .*\n.*ValueError"),
        (Small(), r"int64 \[n\].*\n.*int32"),
        (OneMore(), r"int64 \[n\], here \(0,\)"),
        (CountingFromOne(), "indices of the 3 individuals"),
        (Sorting(), "writes nothing"),
        (LovingFailure(), "does not prefer individuals that failed"),
    ],
)
def test_a_broken_selector_is_caught(selector, words):
    with pytest.raises(ContractError, match=words):
        check(selector)


class Best(Replacement):
    """The best of all."""

    def survive(self, parents, offspring, rng):
        everyone = Population.concatenated([parents.older(), offspring])
        return everyone.take(best_first(everyone.fitness)[: len(parents)])


class Growing(Best):
    """Keeps everyone."""

    def survive(self, parents, offspring, rng):
        return Population.concatenated([parents.older(), offspring])


class Ageless(Best):
    """Forgets that time goes by."""

    def survive(self, parents, offspring, rng):
        everyone = Population.concatenated([parents, offspring])
        return everyone.take(best_first(everyone.fitness)[: len(parents)])


class Cloning(Best):
    """Keeps the best, over and over."""

    def survive(self, parents, offspring, rng):
        return super().survive(parents, offspring, rng).take(np.zeros(len(parents), np.int64))


class Renumbering(Best):
    """Gives out new ids."""

    def survive(self, parents, offspring, rng):
        kept = super().survive(parents, offspring, rng)
        return Population(kept.genes, kept.fitness, kept.ids + 10_000, kept.parents, kept.ages)


class Flattering(Best):
    """Improves the fitness."""

    def survive(self, parents, offspring, rng):
        kept = super().survive(parents, offspring, rng)
        return Population(kept.genes, kept.fitness + 1.0, kept.ids, kept.parents, kept.ages)


class Childless(Best):
    """Asks for no offspring."""

    def offspring(self, population):
        return 0


def test_a_sound_replacement_passes():
    check_replacement(Best())


@pytest.mark.parametrize(
    ("replacement", "words"),
    [
        (Growing(), "keeps the size"),
        (Ageless(), "a step older"),
        (Cloning(), "survives once"),
        (Renumbering(), "with their ids"),
        (Flattering(), "keep their genes, fitness.*\n.*survivors.fitness"),
        (Childless(), "an int of at least 1"),
    ],
)
def test_a_broken_replacement_is_caught(replacement, words):
    with pytest.raises(ContractError, match=words):
        check(replacement)
