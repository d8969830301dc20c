# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `evolution`: selection, crossover, mutation and replacement, one generation a step.

Every number that a step draws comes from a stream named by its role and the step, and the whole state is in `State`,
so that a resumed run goes on to the same bits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from vynapse_core import (
    Crossover,
    Genes,
    Genome,
    Mutation,
    Population,
    Replacement,
    Report,
    RunError,
    Selector,
    Solution,
    Stream,
    Streams,
    Task,
    Trainer,
    mistake,
)
from vynapse_evolution.breeding import Breed, breeding
from vynapse_evolution.crossover import UniformCrossover
from vynapse_evolution.measures import Measure, Spread, measuring, spread
from vynapse_evolution.mutation import BitFlip, Gaussian
from vynapse_evolution.replacement import Comma, Generational, Plus
from vynapse_evolution.selection import Tournament
from vynapse_evolution.several import OneOrSeveral

if TYPE_CHECKING:
    from vynapse_core import Experiment

DEFAULTS: Mapping[str, tuple[tuple[Mutation, ...], Crossover]] = MappingProxyType(
    {
        "real": ((Gaussian(),), UniformCrossover()),
        "binary": ((BitFlip(),), UniformCrossover()),
    }
)
"""Mutations and crossover by encoding, for a recipe that names none."""


@dataclass(frozen=True)
class State:
    """All that a run of evolution must remember."""

    step: int
    """Steps finished."""
    population: Population
    champion: Population
    """One individual: the best so far, or where fitness changes from step to step the best of the population."""
    best: float
    """The best fitness so far."""
    improved: int
    """The step that found it; 0 for the first population."""
    evaluations: int
    """Individuals evaluated so far."""
    born: int
    """Individuals numbered so far."""


@dataclass(frozen=True, eq=False)
class Forms:
    """What a step does, in the form that suits an experiment: the same in all steps."""

    revalues: bool
    """Whether parents are evaluated anew, so that their fitness can be compared with their offspring's.

    Where fitness changes from step to step, a parent that was lucky with a past batch would never be replaced.
    """
    offspring: int
    breed: Breed
    survive: Callable[[Population, Population, Stream], Population]
    replacing: Streams
    """What a replacement draws from, by step."""
    measure: Measure


class Evolution(Trainer):
    """Evolve a population: select parents, cross and mutate them, evaluate the offspring, replace.

    Several selectors share the parents by their weights; several mutations all apply, in order.
    """

    uses_genome: ClassVar[bool] = True

    population: int = Field(100, ge=1)
    """Number of individuals."""
    offspring: int | None = Field(None, ge=1)
    """Number of offspring in a step; by default what suits the replacement."""
    selection: Annotated[tuple[Selector, ...], OneOrSeveral] = Field((Tournament(),), min_length=1)
    """Who becomes a parent; an array shares the parents by weight."""
    mutation: Annotated[tuple[Mutation, ...], OneOrSeveral] | None = None
    """How offspring are changed, in order; by default gaussian for reals and bit_flip for bits, [] for not at all."""
    crossover: Crossover | None = None
    """How pairs of parents are mixed; by default uniform for reals and bits, "none" for not at all."""
    replacement: Replacement = Plus()
    """Who lives on."""
    convergence: float = Field(1e-6, ge=0)
    """Diversity, in gene units, up to which the population counts as converged."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        weights = [selector.weight for selector in self.selection]
        if min(weights) < 0 or not 0 < sum(weights) < float("inf"):
            raise mistake(f"the weights of 'selection', {weights}, must be at least 0, and one of them above 0")
        if self.offspring is not None and isinstance(self.replacement, Comma) and self.offspring < self.population:
            raise mistake(
                f"comma replacement takes the next {self.population} individuals from {self.offspring} offspring",
                "set offspring to at least the population, or leave it out",
            )
        if isinstance(self.replacement, Generational) and self.replacement.elites >= self.population:
            raise mistake(f"an elite of {self.replacement.elites} leaves no place in a population of {self.population}")
        return self

    def fitted(self, genome: Genome) -> Self:
        """Return this trainer with what it left open: operators that suit the genome, the number of offspring.

        A genome of another encoding than those in `DEFAULTS` is left without mutation, which `problems` tells.
        """
        if None not in (self.mutation, self.crossover, self.offspring):
            return self
        mutation, crossover = DEFAULTS.get(genome.encoding, (None, None))
        return self.model_copy(
            update={
                "mutation": mutation if self.mutation is None else self.mutation,
                "crossover": crossover if self.crossover is None else self.crossover,
                "offspring": self.replacement.offspring(self.population) if self.offspring is None else self.offspring,
            }
        )

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where operators are left open and no default suits the genome."""
        genome = experiment.recipe.genome
        if genome is not None and genome.encoding not in DEFAULTS:
            for field in ("mutation", "crossover"):
                if getattr(self, field) is None:
                    yield field, f"missing: there is no default {field} for {genome.encoding} genomes"

    def state_type(self) -> type[State]:
        """Return the dataclass of the state."""
        return State

    def fits(self, experiment: "Experiment", state: State) -> Iterator[tuple[str, str]]:
        """Yield a problem where the population is of another size, or its genes are of another form."""
        genes, wanted = state.population.genes, experiment.genome.initial(0, experiment.streams("initial"))
        if len(genes) != self.population:
            yield "trainer.population", f"the run goes on with its {len(genes)} individuals, found {self.population}"
        if _form(genes) != _form(wanted):
            yield "genome", f"the run goes on with genes {_form(genes)}, and this genome has {_form(wanted)}"

    def start(self, experiment: "Experiment") -> State:
        """Return the first population, evaluated."""
        genes = experiment.genome.initial(self.population, experiment.streams("initial"))
        fitness = experiment.evaluate(genes, 0)
        if fitness.ndim != 1:
            task = type(experiment.task).__name__
            raise RunError(f"evolution maximises one number, and {task} has {fitness.shape[1]} objectives")
        population = Population.born(genes, fitness, 0)
        best = spread(fitness, "the first population").best
        return State(0, population, _fittest(population), best, 0, len(genes), len(genes))

    def step(self, experiment: "Experiment", state: State) -> tuple[State, Report]:
        """Return the state after a generation, and its report."""
        forms = experiment.prepared(self, lambda: self._forms(experiment))
        population, evaluated = state.population, 0
        if forms.revalues and state.step > 0:
            fitness = experiment.evaluate(population.genes, state.step)
            population, evaluated = replace(population, fitness=fitness), len(population)
        genes, parents = forms.breed(population, forms.offspring, experiment.clock(state.step))
        fitness = experiment.evaluate(genes, state.step)
        offspring = Population.born(genes, fitness, state.born, parents)
        alive = forms.survive(population, offspring, forms.replacing(state.step))
        fitness, values = alive.fitness, alive.genes.values
        measured = forms.measure(fitness, values, f"step {state.step + 1}")
        return self._after(experiment.task, state, alive, measured, evaluated + len(genes), len(genes))

    def best(self, experiment: "Experiment", state: State) -> Solution:
        """Return the best so far; where steps see only batches, the best of the population on all the data."""
        if not experiment.task.stochastic:
            return self.champion(experiment, state)
        fitness = experiment.evaluate(state.population.genes, None)
        index = int(np.argmax(fitness))
        return Solution(state.population.genes.take(slice(index, index + 1)), fitness=float(fitness[index]))

    def champion(self, experiment: "Experiment", state: State) -> Solution:
        """Return the best so far, as the step saw it that measured it."""
        return Solution(state.champion.genes, fitness=float(state.champion.fitness[0]))

    def _forms(self, experiment: "Experiment") -> Forms:
        """Return what a step does in this experiment."""
        device, fitted = experiment.recipe.device, self.fitted(experiment.genome)
        if fitted.mutation is None or fitted.crossover is None or fitted.offspring is None:
            raise RunError(f"there are no default operators for {experiment.genome.encoding} genomes; name them")
        return Forms(
            revalues=experiment.task.stochastic and self.replacement.keeps_parents,
            offspring=fitted.offspring,
            breed=breeding(fitted.selection, fitted.crossover, fitted.mutation, device, experiment.streams),
            survive=self.replacement.on(device),
            replacing=experiment.streams.within("replacement"),
            measure=measuring(device),
        )

    def _after(
        self,
        task: Task,
        state: State,
        population: Population,
        measured: tuple[Spread, float],
        evaluated: int,
        born: int,
    ) -> tuple[State, Report]:
        step = state.step + 1
        fitness, differing = measured
        better = fitness.best > state.best
        after = State(
            step,
            population,
            _fittest(population) if better or task.stochastic else state.champion,
            fitness.best if better else state.best,
            step if better else state.improved,
            state.evaluations + evaluated,
            state.born + born,
        )
        columns = {
            "deviation": fitness.deviation,
            "diversity": differing,
            "failed": float(fitness.failed),
            "stagnant": float(step - after.improved),
            "converged": float(differing <= self.convergence),
        }
        return after, Report(step, after.evaluations, fitness.best, fitness.mean, fitness.worst, columns)


def _form(genes: Genes) -> str:
    """Say what genes look like: those of a changing structure have no fixed number."""
    number = "" if genes.structure else f" {list(genes.values.shape[1:])}"
    structure = "".join(f", {name} {array.dtype}" for name, array in sorted(genes.structure.items()))
    bounds = f" in {list(genes.bounds)}" if genes.bounds else ""
    return f"{genes.values.dtype}{number}{bounds}{structure}"


def _fittest(population: Population) -> Population:
    index = int(np.argmax(population.fitness))
    # an array of indices copies, where a slice would hold on to the whole population
    return population.take(np.array([index]))
