# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `neat`: networks grow from small beginnings, and new structure is protected in species.

A step is: quotas by shared fitness, parents, children and their mutations, evaluation, species of the children, and the
next threshold. All counters are in the state, and every number drawn comes from a stream named by its role and step.

Reference: Stanley & Miikkulainen 2002, "Evolving Neural Networks through Augmenting Topologies".
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, model_validator

from vynapse_core import Array, Population, Report, RunError, Solution, Trainer
from vynapse_neat.clustering import Placement, first_compatible, nearest_compatible
from vynapse_neat.distance import side
from vynapse_neat.examination import Examined, next_examined
from vynapse_neat.genome import Neat
from vynapse_neat.innovation import Counters
from vynapse_neat.mating import Mating
from vynapse_neat.medoids import k_medoids
from vynapse_neat.mixing import Crossing
from vynapse_neat.mutation import Breeding
from vynapse_neat.phase import Phase, Phasing, next_phase, simplified
from vynapse_neat.presets import TRAINERS, Preset, filled
from vynapse_neat.rates import Rates
from vynapse_neat.reproduction import parents
from vynapse_neat.sharing import Sharing, shares
from vynapse_neat.speciation import Speciation
from vynapse_neat.species import Species, no_species, refocused, succeeded
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
        state = State(
            step=0,
            population=population,
            species=no_species(genes),
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
        return _with(state, species=self._species(experiment, state, population, 0))

    def step(self, experiment: "Experiment", state: State) -> tuple[State, Report]:
        """Return the state after a generation, and its report."""
        step, streams, device = state.step, experiment.streams, experiment.recipe.device
        fitness = state.population.fitness
        shared = shares(state.species, fitness, self.population, step, self.sharing, device)
        species = state.species
        if shared.refocused:
            species = refocused(species, np.flatnonzero(~shared.stagnant), step)
        mating, rates = self._ways(state.phase)
        chosen = parents(shared, fitness, mating, streams("mating", step), device)
        genes, counters = self._breeding(experiment).children(
            state.population.genes,
            chosen.mothers,
            chosen.fathers,
            chosen.equal,
            chosen.mutating,
            self.crossover,
            rates,
            state.counters,
            streams("mutation", step),
        )
        ids = state.population.ids
        both = np.empty((len(genes), 2), np.int64)
        both[:, 0] = ids[chosen.mothers]
        both[:, 1] = np.where(chosen.fathers < 0, -1, ids[chosen.fathers])
        found = _one_number(experiment, experiment.evaluate(genes, step))
        population = Population.born(genes, found, state.born, both)
        after = _with(state, species=species, counters=counters, born=state.born + len(genes))
        return self._after(experiment, after, population)

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

    def _after(self, experiment: "Experiment", state: State, population: Population) -> tuple[State, Report]:
        step, fitness = state.step + 1, population.fitness
        finite = np.isfinite(fitness)
        if not finite.any():
            raise RunError(
                f"step {step}: none of {len(fitness)} individuals has a finite fitness; look for overflow in "
                "activations and the loss, for weights without bounds, and for NaN in the data"
            )
        species = self._species(experiment, state, population, step)
        found = len(species)
        aim = Aim(wanted=self.speciation.wanted, lowest=self.speciation.lowest)
        control, draw = self.speciation.control, 0.0
        if control.rule == "bandit":
            draw = float(experiment.streams("threshold", step).uniform((), dtype=np.float64))
        threshold, memory, why = control.update(state.threshold, state.memory, found, aim, draw)
        best, index = float(fitness.max()), int(np.argmax(fitness))
        better, asked = best > state.best, experiment.evaluation.examined
        after = State(
            step=step,
            population=population,
            species=species,
            counters=state.counters,
            threshold=threshold,
            memory=memory,
            phase=self._phase(state, population),
            champion=population.take(np.array([index])) if better or experiment.task.stochastic else state.champion,
            best=max(best, state.best),
            improved=step if better else state.improved,
            evaluations=state.evaluations + len(population),
            born=state.born,
            examined=next_examined(state.examined, species, fitness, step) if asked else state.examined,
        )
        notes = [f"threshold {threshold:.3g}: {why}"] * (threshold != state.threshold)
        if after.phase.simplifying != state.phase.simplifying:
            notes.append("the population simplifies" if after.phase.simplifying else "the population grows")
        known = fitness if finite.all() else fitness[finite]
        mean, worst = float(known.mean()), float(known.min())
        columns = self._columns(experiment, after, known, mean, index)
        tables = {"species": _species_table(species)}
        return after, Report(step, after.evaluations, best, mean, worst, columns, "; ".join(notes), tables)

    def _ways(self, phase: Phase) -> tuple[Mating, Rates]:
        """Return how children are made in a phase."""
        if self.phases is None or not phase.simplifying:
            return self.mating, self.mutation
        rates = simplified(self.mutation, self.phases.delete_node, self.phases.delete_connection)
        return self.mating.model_copy(update={"crossover": 0.0}), rates

    def _phase(self, state: State, population: Population) -> Phase:
        """Return the phase of the generation after `population`."""
        if self.phases is None:
            return state.phase
        structure = population.genes.structure
        complexity = float((structure["nodes"] + structure["connections"]).mean())
        return next_phase(state.phase, complexity, self.phases.growth, self.phases.patience)

    def _columns(
        self, experiment: "Experiment", state: State, finite: Array, mean: float, index: int
    ) -> dict[str, float]:
        structure, fixed = state.population.genes.structure, _genome(experiment).layout.fixed
        nodes, connections = structure["nodes"], structure["connections"]
        apart, population = finite - mean, len(nodes)
        return {
            "deviation": math.sqrt(float((apart * apart).sum()) / len(finite)),
            "failed": float(population - len(finite)),
            "species": float(len(state.species)),
            "threshold": state.threshold,
            "hidden": int(nodes.sum()) / population - fixed,
            "connections": int(connections.sum()) / population,
            "best_hidden": float(nodes[index] - fixed),
            "best_connections": float(connections[index]),
            "stagnant": float(state.step - state.improved),
        }

    def _species(self, experiment: "Experiment", state: State, population: Population, step: int) -> Species:
        """Return the species of a population, by the representatives of those before."""
        genes, device, way = population.genes, experiment.recipe.device, self.speciation
        terms = way.distance.terms(_genome(experiment).layout)
        ours = side(genes, way.distance, device)
        theirs = side(state.species.representatives, way.distance, device)
        words: Array | None = None
        placement: Placement
        if way.clustering == "k_medoids":
            drawn = experiment.streams("medoids", step).words(way.wanted)
            placement = k_medoids(ours, theirs, way.wanted, terms, drawn, device)
        elif way.clustering == "nearest_compatible":
            placement = nearest_compatible(ours, theirs, state.threshold, terms, device)
        else:
            placement = first_compatible(ours, theirs, state.threshold, terms, device)
            words = experiment.streams("representatives", step).words(len(placement.centres))
        measure = self.sharing.measure
        return succeeded(state.species, placement, genes, population.fitness, step, device, measure, words)

    def _breeding(self, experiment: "Experiment") -> Breeding:
        """Return how children are made on the experiment's device."""
        device, layout = experiment.recipe.device, _genome(experiment).layout
        return experiment.prepared(self, lambda: Breeding.on(device, layout))


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


def _with(state: State, **changes: Any) -> State:
    """Return the state with some of it changed: what `dataclasses.replace` does, at a fifth of its cost."""
    return State(**(vars(state) | changes))
