# SPDX-License-Identifier: MIT OR Apache-2.0
"""The experiment: a recipe wired into objects that fit each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from vynapse_core import catalogue as catalogues
from vynapse_core.catalogue import Catalogue
from vynapse_core.clock import Clock
from vynapse_core.component import Component
from vynapse_core.contracts import Crossover, Device, DirectTask, Genome, Mutation, SupervisedTask, Task, Trainer
from vynapse_core.errors import DataError, Problem, RecipeError, RunError
from vynapse_core.evaluation import Evaluation
from vynapse_core.population import Array, Genes
from vynapse_core.recipe import STANDARD_OBSERVERS, Recipe, components, problem
from vynapse_core.settings import mistake
from vynapse_core.source import Source, written
from vynapse_core.streams import Streams

if TYPE_CHECKING:
    from vynapse_core.devices.choice import Choice

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Experiment:
    """What a trainer works with: the recipe's components, the random streams, and the evaluation."""

    recipe: Recipe
    catalogue: Catalogue
    choice: Choice | None = None
    """How the device was picked, where the recipe leaves that open."""
    _seeded_from: Experiment | None = field(init=False, repr=False, default=None)
    """The same experiment with another seed: what is compiled for one serves all."""

    @property
    def task(self) -> Task:
        """What is to be solved."""
        return self.recipe.task

    @property
    def trainer(self) -> Trainer:
        """The method of learning."""
        return self.recipe.trainer

    @property
    def genome(self) -> Genome:
        """How individuals are encoded. Raises RunError where the recipe has no genome."""
        if self.recipe.genome is None:
            raise RunError("this trainer needs a [genome] and the recipe has none")
        return self.recipe.genome

    @cached_property
    def streams(self) -> Streams:
        """The named random streams of this run."""
        return Streams(self.recipe.experiment.seed)

    @cached_property
    def evaluation(self) -> Evaluation:
        """How genes and networks become numbers."""
        if self._seeded_from is not None:
            return self._seeded_from.evaluation.with_streams(self.streams)
        return Evaluation(self.task, self.recipe.genome, self.recipe.device, self.streams, self.catalogue.ops)

    def clock(self, step: int) -> Clock:
        """Return the clock at a step."""
        return Clock(step, self.recipe.stop.steps)

    @cached_property
    def _prepared(self) -> dict[int, tuple[object, Any]]:
        return {}

    def prepared(self, owner: object, make: Callable[[], T]) -> T:
        """Return what `make` makes, once for an `owner` in this experiment: what a component readies for its steps.

        It belongs here because a component is its settings alone: it is compared, copied and sent elsewhere as such.
        """
        # the owner is kept too, so that no other object gets its id
        if id(owner) not in self._prepared:
            self._prepared[id(owner)] = (owner, make())
        made: T = self._prepared[id(owner)][1]
        return made

    def evaluate(self, genes: Genes, step: int | None) -> Array:
        """Return the fitness float64 [P] or [P, M] of `genes` at a step, computed wherever the distribution does.

        An individual whose fitness is not finite gets −inf. `step` None asks for all the data, not for a step's batch.
        """
        return self.recipe.distribution.evaluate(self.evaluation.fitness, genes, step)


def wire(recipe: Recipe, *, source: Source | None = None, catalogue: Catalogue | None = None) -> Experiment:
    """Return the experiment of a recipe, its genome completed from the task.

    Raises RecipeError for parts that are valid each alone and do not fit together, all at once.
    """
    catalogue = catalogue or catalogues.installed()
    try:
        experiment = Experiment(_fitted(recipe, catalogue, source), catalogue)
        found = list(_problems(experiment, source))
    except DataError as error:
        found = [problem(("task",), str(error), "", source)]
    if found:
        raise RecipeError(found, source.name if source else "recipe")
    return experiment


def with_seed(experiment: Experiment, seed: int) -> Experiment:
    """Return the same experiment with another seed."""
    description = experiment.recipe.experiment.model_copy(update={"seed": seed})
    other = replace(experiment, recipe=experiment.recipe.model_copy(update={"experiment": description}))
    object.__setattr__(other, "_seeded_from", experiment)
    return other


def with_device(experiment: Experiment, device: Device) -> Experiment:
    """Return the same experiment on another device."""
    return replace(experiment, recipe=experiment.recipe.model_copy(update={"device": device}))


def _keys(field: str) -> tuple[str | int, ...]:
    """Return the key path that a part's problem names below it: `layers.0` is an item of a field."""
    return tuple(int(key) if key.isdigit() else key for key in field.split(".") if key)


def _fitted(recipe: Recipe, catalogue: Catalogue, source: Source | None) -> Recipe:
    if not recipe.trainer.uses_genome and recipe.genome is None:
        return recipe
    try:
        genome = (recipe.genome or _default_genome(recipe.task, catalogue)).fitted(recipe.task)
    except (ValidationError, PydanticCustomError) as error:
        text, hint = _told(error)
        where = text if recipe.genome else f"missing, and the task's default is of no use: {text}"
        found = problem(("genome",), where, hint or "name a [genome]" * (recipe.genome is None), source)
        raise RecipeError([found], source.name if source else "recipe") from None
    return recipe.model_copy(update={"genome": genome, "trainer": recipe.trainer.fitted(genome)})


def _default_genome(task: Task, catalogue: Catalogue) -> Genome:
    try:
        table = task.default_genome()
    except LookupError as error:
        raise mistake(str(error)) from None
    return catalogue.build(Genome, table)


def _told(error: ValidationError | PydanticCustomError) -> tuple[str, str]:
    """Return what a validation found, and its hint."""
    if isinstance(error, PydanticCustomError):
        context = error.context or {}
        return context.get("text", error.message()), context.get("hint", "")
    return "; ".join(f"{written(detail['loc'])}: {detail['msg']}" for detail in error.errors(include_url=False)), ""


def _problems(experiment: Experiment, source: Source | None) -> Iterator[Problem]:
    """Yield what of the recipe does not fit the rest of it."""
    recipe = experiment.recipe
    for path, part in components(recipe):
        for name, message in (*_misfits(part, experiment), *part.problems(experiment)):
            yield problem((*path, *_keys(name)), message, "", source)
    if recipe.stop.solved and recipe.task.target is None and not experiment.evaluation.examined:
        yield problem(("stop", "solved"), "this task does not say when it is solved", "", source)
    if recipe.stop.loss is not None and not (isinstance(recipe.task, SupervisedTask) and recipe.task.fitness == "loss"):
        text = "this task's fitness is not a loss with its sign changed"
        yield problem(("stop", "loss"), text, "take stop.fitness", source)
    for index in _twins(experiment):
        text = "this observer stands twice, and both would write to one place"
        yield problem(("observers", index), text, "leave one out", source)


def _twins(experiment: Experiment) -> Iterator[int]:
    """Yield the places of observers that write to the screen or the file which one before them writes to."""
    offered = experiment.catalogue.of_kind("observer")
    single = {entry.component for entry in offered if entry.full in STANDARD_OBSERVERS}
    types = [type(observer) for observer in experiment.recipe.observers]
    yield from (index for index, each in enumerate(types) if each in single and each in types[:index])


def _misfits(part: Component, experiment: Experiment) -> Iterator[tuple[str, str]]:
    genome = experiment.recipe.genome
    if isinstance(part, Mutation | Crossover) and genome is not None and genome.encoding not in part.encodings:
        serves = " and ".join(sorted(part.encodings))
        yield "", f"this {part.kind} serves {serves} genomes, and the genome here is {genome.encoding}"
    if isinstance(part, Genome) and isinstance(experiment.task, DirectTask):
        if part.encoding != experiment.task.encoding:
            yield "", f"the task takes {experiment.task.encoding} genes, and this genome is {part.encoding}"
    elif isinstance(part, Genome) and type(part).networks is Genome.networks:
        yield "", "the task is solved by networks, and this genome encodes none"
