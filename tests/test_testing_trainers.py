# SPDX-License-Identifier: MIT OR Apache-2.0
"""Broken trainers, and what the kit says of each."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from pydantic import PrivateAttr

from vynapse_core import Array, Genes, Report, Solution, Trainer
from vynapse_core.testing import ContractError, check, check_trainer


@dataclass(frozen=True)
class State:
    step: int
    values: Array
    fitness: float


class Climb(Trainer):
    """Keep the better of one individual and its noisy copy."""

    uses_genome = True
    sigma: float = 0.1
    """Standard deviation of the noise."""

    def state_type(self):
        return State

    def start(self, experiment):
        genes = experiment.genome.initial(1, experiment.streams("initial"))
        return State(0, genes.values, float(experiment.evaluate(genes, 0)[0]))

    def step(self, experiment, state):
        noise = self.noise(experiment, state)
        tried = Genes(state.values + np.float32(self.sigma) * noise)
        fitness = float(experiment.evaluate(tried, state.step)[0])
        if fitness > state.fitness:
            state = replace(state, values=tried.values, fitness=fitness)
        state = replace(state, step=state.step + 1)
        return state, Report(
            state.step, state.step + 1, state.fitness, state.fitness, state.fitness, {"tried": fitness}
        )

    def noise(self, experiment, state):
        return experiment.streams("noise", state.step).normal(state.values.shape)

    def best(self, experiment, state):
        return Solution(genes=Genes(state.values), fitness=state.fitness)


class Remembering(Climb):
    """Keeps a count outside its state."""

    _count: int = PrivateAttr(0)

    def noise(self, experiment, state):
        self._count += 1
        return experiment.streams("noise", self._count).normal(state.values.shape)


class Unresumable(Climb):
    """Draws from one stream for the whole run."""

    def start(self, experiment):
        object.__setattr__(experiment, "_noise", experiment.streams("noise"))
        return super().start(experiment)

    def noise(self, experiment, state):
        stream = getattr(experiment, "_noise", None) or experiment.streams("noise", "again")
        return stream.normal(state.values.shape)


class Writing(Climb):
    """Writes into its state."""

    def step(self, experiment, state):
        state.values[...] += self.noise(experiment, state)
        return super().step(experiment, state)


class Stepless(Climb):
    """Does not count its steps."""

    def step(self, experiment, state):
        state, report = super().step(experiment, state)
        return state, replace(report, step=1)


class ManyColumns(Climb):
    """Adds a column when it feels like it."""

    def step(self, experiment, state):
        state, report = super().step(experiment, state)
        return state, replace(report, columns={} if state.step % 2 else report.columns)


class Falling(Climb):
    """Counts evaluations of one step only."""

    def step(self, experiment, state):
        state, report = super().step(experiment, state)
        return state, replace(report, evaluations=10 - state.step)


class Unordered(Climb):
    """Takes the best for the worst."""

    def step(self, experiment, state):
        state, report = super().step(experiment, state)
        return state, replace(report, worst=report.best + 1)


class Mistyped(Climb):
    """Has a state that no checkpoint holds."""

    def start(self, experiment):
        return replace(super().start(experiment), fitness=np.float64(0.0))


class Unseeded(Climb):
    """Takes the same noise for every seed."""

    def start(self, experiment):
        return State(0, np.zeros((1, 3), np.float32), float("-inf"))

    def noise(self, experiment, state):
        return np.ones(state.values.shape, np.float32)


class Homeless(Climb):
    """Has a state of another sort than it says."""

    def state_type(self):
        return Solution


class Undecided(Climb):
    """Has no best."""

    def best(self, experiment, state):
        return Solution()


class Twofold(Climb):
    """Has two best."""

    def best(self, experiment, state):
        return Solution(genes=Genes(np.concatenate([state.values, state.values])))


class Refusing(Climb):
    """Goes on with none of its own states but the first."""

    def fits(self, experiment, state):
        if state.step > 0:
            yield "trainer.sigma", "the run goes on with another sigma"


class Evaluating(Climb):
    """Evaluates its best once more, and has no champion apart from it."""

    def best(self, experiment, state):
        genes = Genes(state.values)
        return Solution(genes=genes, fitness=float(experiment.evaluate(genes, None)[0]))


class Measuring(Evaluating):
    """Goes past the distribution to evaluate its champion, once there is one."""

    def champion(self, experiment, state):
        genes = Genes(state.values)
        return Solution(
            genes=genes, fitness=float(experiment.evaluation.fitness(genes, None)[0]) if state.step else None
        )


class Resting(Evaluating):
    """Evaluates its best once more, and has a champion that is known."""

    def champion(self, experiment, state):
        return Solution(genes=Genes(state.values), fitness=state.fitness)


class Unsung(Climb):
    """Has a best and no champion."""

    def champion(self, experiment, state):
        return None


class Demanding(Climb):
    """Wants a harder task."""

    def problems(self, experiment):
        yield "sigma", "this is too easy"


def test_a_sound_trainer_passes():
    check_trainer(Climb())


def test_a_trainer_whose_best_evaluates_passes_with_a_champion_that_does_not():
    check_trainer(Resting())


def test_a_deterministic_trainer_passes_where_the_test_says_so():
    check_trainer(Unseeded(), deterministic=True)


@pytest.mark.parametrize(
    ("trainer", "words"),
    [
        (Remembering(), "nothing is kept outside the state"),
        (Unresumable(), "resumed after step 3 goes on to the same bits"),
        (Writing(), r"step writes nothing.*\n.*arguments\[1\]\.values"),
        (Stepless(), "report.step counts the steps"),
        (ManyColumns(), "same columns at every step"),
        (Falling(), "never falls"),
        (Unordered(), "mean at least worst"),
        (Mistyped(), "a checkpoint holds the state whole.*\n.*fitness"),
        (Unseeded(), "another seed gives another run"),
        (Homeless(), "the state is a Solution, as state_type says"),
        (Undecided(), "genes, networks, or both"),
        (Twofold(), "one individual"),
        (Refusing(), "fits yields nothing for a state that the trainer made.*\n.*trainer.sigma"),
        (Evaluating(), "champion evaluates nothing.*\n.*the first state"),
        (Measuring(), "champion evaluates nothing.*\n.*the last state"),
        (Unsung(), "champion returns a Solution.*\n.*NoneType"),
        (Demanding(), "(?s)pass another one as `experiment=`.*this is too easy"),
    ],
)
def test_a_broken_trainer_is_caught(trainer, words):
    with pytest.raises(ContractError, match=words):
        check(trainer)
