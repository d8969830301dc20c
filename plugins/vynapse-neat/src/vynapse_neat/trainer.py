# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `neat`: networks grow from small beginnings, and new structure is protected in species.

A step is: quotas by shared fitness, parents, children and their mutations, evaluation, species of the children, and the
next threshold. All counters are in the state, and every number drawn comes from a stream named by its role and step.

Reference: Stanley & Miikkulainen 2002, "Evolving Neural Networks through Augmenting Topologies".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from vynapse_core import Array, Population, Report, RunError, Solution, Trainer
from vynapse_neat.breeding import Breeding
from vynapse_neat.examination import Examined, next_examined
from vynapse_neat.genome import Neat
from vynapse_neat.innovation import Counters
from vynapse_neat.mating import Mating
from vynapse_neat.mixing import Crossing
from vynapse_neat.parting import Parting
from vynapse_neat.phase import Phase, Phasing, next_phase, simplified
from vynapse_neat.presets import TRAINERS, Preset, filled
from vynapse_neat.rates import Rates
from vynapse_neat.reproduction import parents
from vynapse_neat.shares import shares
from vynapse_neat.sharing import Sharing, sharing_rules
from vynapse_neat.speciation import Speciation
from vynapse_neat.species import Species, no_species, refocused
from vynapse_neat.summary import Summary, summary
from vynapse_neat.threshold import Aim, Memory

if TYPE_CHECKING:
    from vynapse_core import Experiment


@dataclass(frozen=True)
class State:
    """All that a run of NEAT must remember."""

    step: int
    """Steps finished."""
    population: Population
    species: Species
    counters: Counters
    """The next numbers of nodes and innovations."""
    threshold: float
    """Genomes nearer than this are of one species."""
    memory: Memory
    """What the threshold's controller remembers."""
    phase: Phase
    """Whether the population grows or simplifies."""
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
    examined: Examined = field(default_factory=Examined)
    """Which species' best have sat the task's examinations, and who is next."""


@dataclass(frozen=True)
class _Ready:
    """What is made of the settings once."""

    ways: tuple[tuple[Mating, Breeding], ...]
    """How children are made while the population grows, and while it simplifies."""
    sharing: Array
    """How species share offspring, in numbers."""
    parting: Parting
    """How populations are parted into species."""


class NeatTrainer(Trainer):
    """Evolve topologies and weights of networks together (NEAT).

    Reference: Stanley & Miikkulainen 2002, "Evolving Neural Networks through Augmenting Topologies".
    """

    uses_genome: ClassVar[bool] = True

    preset: Preset = "stanley2002"
    """Whose parameters stand for what is left out; the page on NEAT's presets says what differs."""
    population: int = Field(150, ge=1)
    """Number of individuals."""
    speciation: Speciation = Speciation()
    """How the population is parted into species."""
    sharing: Sharing = Sharing()
    """How species share offspring."""
    mating: Mating = Mating()
    """How often children have two parents."""
    crossover: Crossing = Crossing()
    """How two parents make a child."""
    mutation: Rates = Rates()
    """How often each kind of mutation happens."""
    phases: Phasing | None = None
    """Whether the population grows and simplifies by turns; without it, it grows."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        return filled(data, TRAINERS) if isinstance(data, Mapping) else data

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where the genome is of another kind."""
        if not isinstance(experiment.recipe.genome, Neat):
            yield "", 'NEAT evolves topologies; write [genome] type = "neat"'

    def state_type(self) -> type[State]:
        """Return the dataclass of the state."""
        return State

    def fits(self, experiment: "Experiment", state: State) -> Iterator[tuple[str, str]]:
        """Yield a problem where the population is of another size, or its genomes are of another layout."""
        if len(state.population) != self.population:
            found = f"the run goes on with its {len(state.population)} individuals, found {self.population}"
            yield "trainer.population", found
        flaws = _genome(experiment).layout.validate(state.population.genes)
        if flaws:
            yield "genome", f"the run's genomes are not of this layout: {flaws[0]}"

    def start(self, experiment: "Experiment") -> State:
        """Return the first population, evaluated and parted into species."""
        genome = _genome(experiment)
        genes = genome.initial(self.population, experiment.streams("initial"))
        fitness = _one_number(experiment, experiment.evaluate(genes, 0))
        population = Population.born(genes, fitness, 0)
        species = self._ready(experiment).parting.species(no_species(genes), population, self.speciation.threshold, 0)
        return State(
            step=0,
            population=population,
            species=species,
            counters=Counters(genome.next_node, genome.next_innovation),
            threshold=self.speciation.threshold,
            memory=Memory(),
            phase=Phase(),
            champion=population.take(np.array([np.argmax(fitness)])),
            best=float(fitness.max()),
            improved=0,
            evaluations=len(genes),
            born=len(genes),
        )

    def step(self, experiment: "Experiment", state: State) -> tuple[State, Report]:
        """Return the state after a generation, and its report."""
        step, streams, device = state.step, experiment.streams, experiment.recipe.device
        fitness = state.population.fitness
        ready = self._ready(experiment)
        shared = shares(state.species, fitness, self.population, step, ready.sharing, device)
        species = state.species
        if shared.refocused:
            species = refocused(species, np.flatnonzero(~shared.stagnant), step)
        mating, breeding = ready.ways[self.phases is not None and state.phase.simplifying]
        chosen = parents(shared, state.population, self.population, mating, streams("mating", step), device)
        genes, counters = breeding.children(
            state.population.genes,
            chosen.mothers,
            chosen.fathers,
            chosen.equal,
            chosen.mutating,
            state.counters,
            streams("mutation", step),
        )
        found = _one_number(experiment, experiment.evaluate(genes, step))
        population = Population.born(genes, found, state.born, chosen.ids)
        return self._after(experiment, state, population, species, counters)

    def best(self, experiment: "Experiment", state: State) -> Solution:
        """Return the best so far; where steps see only batches, the best of the population on all the data."""
        if not experiment.task.stochastic:
            return self.champion(experiment, state)
        fitness = experiment.evaluate(state.population.genes, None)
        index = np.array([np.argmax(fitness)])
        return Solution(state.population.genes.take(index), fitness=float(fitness[index[0]]))

    def champion(self, experiment: "Experiment", state: State) -> Solution:
        """Return the best so far, as the step saw it that measured it."""
        return Solution(state.champion.genes, fitness=float(state.champion.fitness[0]))

    def candidate(self, experiment: "Experiment", state: State, improved: bool) -> Solution | None:
        """Return the best of a species, another one at each step, where there is one that did not sit them before."""
        individual = state.examined.individual
        if individual < 0:
            return None
        fitness = float(state.population.fitness[individual])
        return Solution(state.population.genes.take(np.array([individual])), fitness=fitness)

    def _after(
        self, experiment: "Experiment", state: State, population: Population, before: Species, counters: Counters
    ) -> tuple[State, Report]:
        """Return the state that a new population makes of `state`, and its report."""
        step, fitness = state.step + 1, population.fitness
        told = summary(population, experiment.recipe.device)
        if not told.finite:
            raise RunError(
                f"step {step}: none of {len(fitness)} individuals has a finite fitness; look for overflow in "
                "activations and the loss, for weights without bounds, and for NaN in the data"
            )
        species = self._ready(experiment).parting.species(before, population, state.threshold, step)
        aim, control, draw = Aim(self.speciation.wanted, self.speciation.lowest), self.speciation.control, 0.0
        if control.rule == "bandit":
            draw = float(experiment.streams("threshold", step).uniform((), dtype=np.float64))
        threshold, memory, why = control.update(state.threshold, state.memory, len(species), aim, draw)
        better, asked = told.best > state.best, experiment.evaluation.examined
        champion = state.champion
        if better or experiment.task.stochastic:
            champion = population.take(np.array([told.champion]))
        after = State(
            step=step,
            population=population,
            species=species,
            counters=counters,
            threshold=threshold,
            memory=memory,
            phase=self._phase(state, told),
            champion=champion,
            best=max(told.best, state.best),
            improved=step if better else state.improved,
            evaluations=state.evaluations + len(population),
            born=state.born + len(population),
            examined=next_examined(state.examined, species, fitness, step) if asked else state.examined,
        )
        notes = [f"threshold {threshold:.3g}: {why}"] * (threshold != state.threshold)
        if after.phase.simplifying != state.phase.simplifying:
            notes.append("the population simplifies" if after.phase.simplifying else "the population grows")
        columns = self._columns(experiment, after, told)
        tables = {"species": _species_table(species)}
        text = "; ".join(notes)
        return after, Report(step, after.evaluations, told.best, told.mean, told.worst, columns, text, tables)

    def _phase(self, state: State, told: Summary) -> Phase:
        """Return the phase of the generation after the one that is told of."""
        if self.phases is None:
            return state.phase
        return next_phase(state.phase, told.nodes + told.connections, self.phases.growth, self.phases.patience)

    def _columns(self, experiment: "Experiment", state: State, told: Summary) -> dict[str, float]:
        structure, fixed = state.population.genes.structure, _genome(experiment).layout.fixed
        return {
            "deviation": told.deviation,
            "failed": float(len(state.population) - told.finite),
            "species": float(len(state.species)),
            "threshold": state.threshold,
            "hidden": told.nodes - fixed,
            "connections": told.connections,
            "best_hidden": float(structure["nodes"][told.champion] - fixed),
            "best_connections": float(structure["connections"][told.champion]),
            "stagnant": float(state.step - state.improved),
        }

    def _ready(self, experiment: "Experiment") -> _Ready:
        """Return what is the same in all steps."""
        return experiment.prepared(self, lambda: self._readied(experiment))

    def _readied(self, experiment: "Experiment") -> _Ready:
        layout, device = _genome(experiment).layout, experiment.recipe.device
        parting = Parting.on(device, layout, self.speciation, self.sharing.measure, experiment.streams)
        return _Ready(tuple(self._ways(experiment)), sharing_rules(self.sharing), parting)

    def _ways(self, experiment: "Experiment") -> Iterator[tuple[Mating, Breeding]]:
        on, layout = experiment.recipe.device, _genome(experiment).layout
        yield self.mating, Breeding.on(on, layout, self.crossover, self.mutation)
        if self.phases is not None:
            rates = simplified(self.mutation, self.phases.delete_node, self.phases.delete_connection)
            alone = self.mating.model_copy(update={"crossover": 0.0})
            yield alone, Breeding.on(on, layout, self.crossover, rates)


def _species_table(species: Species) -> dict[str, Array]:
    """Return what a step tells of each species; −inf stands for those that failed."""
    return {
        "id": species.ids,
        "size": species.sizes,
        "best": species.tops,
        "mean": species.means,
        "created": species.created,
        "improved": species.improved,
    }


def _genome(experiment: "Experiment") -> Neat:
    genome = experiment.genome
    if not isinstance(genome, Neat):
        raise RunError('NEAT evolves topologies; write [genome] type = "neat"')
    return genome


def _one_number(experiment: "Experiment", fitness: Array) -> Array:
    if fitness.ndim != 1:
        task = type(experiment.task).__name__
        raise RunError(f"NEAT maximises one number, and {task} has {fitness.shape[1]} objectives")
    return fitness
