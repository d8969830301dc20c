# SPDX-License-Identifier: MIT OR Apache-2.0
"""The evolution trainer: that it improves, counts, remembers, resumes to the same bits, and says what went wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import ModuleType

import numpy as np
import pytest
from pydantic import Field, ValidationError

from vynapse_core import DirectTask, Genome, RecipeError, RunError, catalogue, checkpoint, hookimpl, wire
from vynapse_core.plugins import Plugin
from vynapse_core.recipe import Recipe, tree
from vynapse_evolution.crossover import Clone, UniformCrossover
from vynapse_evolution.evolution import State
from vynapse_evolution.measures import WATCHED_GENES, diversity, spread
from vynapse_evolution.mutation import BitFlip, Gaussian


class Ones(DirectTask):
    """Count the ones."""

    encoding = "binary"
    size: int = 40

    @property
    def length(self):
        return self.size

    def evaluate(self, genes):
        return genes.values.sum(axis=1)


class Bowl(DirectTask):
    """The sum of squares, with its sign changed; those whose first gene is below `bad` fail."""

    encoding = "real"
    size: int = Field(6, gt=0)
    bad: float = -9.0
    bounded: bool = True
    objectives: int = 1

    @property
    def length(self):
        return self.size

    @property
    def bounds(self):
        return (-5, 5) if self.bounded else None

    def evaluate(self, genes):
        fitness = -(genes.values.astype(float) ** 2).sum(axis=1)
        fitness[genes.values[:, 0] < self.bad] = np.nan
        return fitness if self.objectives == 1 else np.stack([fitness] * self.objectives, axis=1)


class Weather(Bowl):
    """A bowl whose fitness depends on the step: what an individual got at one step says nothing about another."""

    @property
    def stochastic(self):
        return True


class Order(Genome):
    """A genome of an encoding that no default operator serves."""

    encoding = "permutation"

    def initial(self, n, rng):
        raise AssertionError


@cache
def known():
    module = ModuleType("tasks_of_this_test")

    @hookimpl
    def vynapse_tasks():
        return {"ones": Ones, "bowl": Bowl, "weather": Weather}

    @hookimpl
    def vynapse_genomes():
        return {"order": Order}

    module.vynapse_tasks, module.vynapse_genomes = vynapse_tasks, vynapse_genomes
    found = [plugin for plugin in catalogue.installed().plugins if plugin.package in ("vynapse", "vynapse-evolution")]
    return catalogue.collect([*found, Plugin("test", "test", "0", module)])


def wired(task, seed=1, **trainer):
    table = {"experiment": {"seed": seed}, "task": task, "trainer": {"type": "evolution", **trainer}}
    table["device"] = "reference"
    return wire(Recipe.model_validate(table, context={"catalogue": known()}), catalogue=known())


def steps(experiment, n, state=None):
    state, reports = state or experiment.trainer.start(experiment), []
    for _ in range(n):
        state, report = experiment.trainer.step(experiment, state)
        reports.append(report)
    return state, reports


def same(a, b):
    """Whether two states are equal to the bit."""
    return (
        np.array_equal(a.population.genes.values, b.population.genes.values)
        and np.array_equal(a.population.fitness, b.population.fitness)
        and np.array_equal(a.population.ids, b.population.ids)
        and np.array_equal(a.population.parents, b.population.parents)
        and np.array_equal(a.champion.genes.values, b.champion.genes.values)
        and (a.step, a.best, a.improved, a.evaluations, a.born) == (b.step, b.best, b.improved, b.evaluations, b.born)
    )


@pytest.mark.parametrize("seed", range(5))
def test_with_its_defaults_it_counts_to_forty(seed):
    experiment = wired("ones", seed)
    state, _ = steps(experiment, 40)
    assert experiment.trainer.best(experiment, state).fitness == 40


@pytest.mark.parametrize("seed", range(3))
def test_with_its_defaults_it_finds_the_bottom_of_a_bowl(seed):
    experiment = wired("bowl", seed)
    state, reports = steps(experiment, 60)
    assert reports[0].best < -1
    assert experiment.trainer.best(experiment, state).fitness > -0.05


@pytest.mark.parametrize("replacement", ["plus", "comma", "generational"])
@pytest.mark.parametrize("selection", ["tournament", "roulette", "rank", "elitism"])
def test_every_selection_improves_under_every_replacement(selection, replacement):
    trainer = {"population": 30, "selection": selection, "replacement": replacement}
    _, reports = steps(wired("bowl", **trainer), 25)
    assert reports[-1].mean > reports[0].mean


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    first, again, other = (steps(wired("bowl", seed), 8)[0] for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize("task", ["bowl", "ones", "weather"])
def test_a_resumed_run_goes_on_to_the_same_bits(task, tmp_path):
    experiment = wired(task, population=12, mutation=[{"type": "bit_flip" if task == "ones" else "gaussian"}])
    whole, reports = steps(experiment, 9)
    half, _ = steps(experiment, 4)
    checkpoint.save(tmp_path, half)
    loaded, _ = checkpoint.load(tmp_path, experiment.trainer.state_type())
    resumed, rest = steps(wired(task, population=12, mutation=experiment.trainer.mutation), 5, loaded)
    assert same(whole, resumed)
    assert rest == reports[4:]


def test_a_step_writes_nothing_of_the_state_before():
    experiment = wired("bowl", population=10)
    state = experiment.trainer.start(experiment)
    before = state.population.genes.values.copy()
    for array in (state.population.genes.values, state.population.fitness, state.population.ids, state.population.ages):
        array.flags.writeable = False
    experiment.trainer.step(experiment, state)
    assert np.array_equal(state.population.genes.values, before)


def test_reports_count_steps_and_evaluations_and_describe_the_population():
    state, reports = steps(wired("bowl", population=10, offspring=25), 4)
    assert [report.step for report in reports] == [1, 2, 3, 4]
    assert [report.evaluations for report in reports] == [35, 60, 85, 110]
    finite = state.population.fitness[np.isfinite(state.population.fitness)]
    last = reports[-1]
    assert (last.best, last.worst) == (finite.max(), finite.min())
    assert last.mean == pytest.approx(finite.mean())
    assert last.columns["deviation"] == pytest.approx(finite.std())
    assert last.columns["diversity"] == pytest.approx(state.population.genes.values.std(axis=0).mean(), rel=1e-5)
    assert list(last.columns) == ["deviation", "diversity", "failed", "stagnant", "converged"]


def test_ids_are_never_reused_and_parents_are_known():
    experiment = wired("bowl", population=10, replacement="generational")
    state, seen = experiment.trainer.start(experiment), set(range(10))
    for step in range(4):
        before = set(state.population.ids.tolist())
        state, _ = experiment.trainer.step(experiment, state)
        young = state.population.ages == 0
        assert young.sum() == 9
        assert not set(state.population.ids[young].tolist()) & seen
        assert set(state.population.parents[young].ravel().tolist()) <= before
        seen |= set(state.population.ids.tolist())
        assert state.born == 10 + 9 * (step + 1)


def test_the_mother_is_the_fitter_parent():
    experiment = wired("bowl", population=20, replacement="comma", selection="random")
    state = experiment.trainer.start(experiment)
    fitness = dict(zip(state.population.ids.tolist(), state.population.fitness.tolist(), strict=True))
    after, _ = experiment.trainer.step(experiment, state)
    assert all(fitness[mother] >= fitness[father] for mother, father in after.population.parents.tolist())
    assert any(fitness[mother] > fitness[father] for mother, father in after.population.parents.tolist())


def test_without_crossover_a_child_has_one_parent():
    state, _ = steps(wired("bowl", population=10, replacement="comma", crossover="none"), 2)
    assert (state.population.parents[:, 1] == -1).all()
    assert (state.population.parents[:, 0] >= 0).all()


def test_without_mutation_and_crossover_nobody_new_appears():
    experiment = wired("bowl", population=10, replacement="comma", mutation=[], crossover="none")
    first = experiment.trainer.start(experiment)
    state, _ = steps(experiment, 3, first)
    assert {tuple(row) for row in state.population.genes.values} <= {
        tuple(row) for row in first.population.genes.values
    }


def test_all_mutations_apply_in_order():
    mutations = [{"type": "uniform", "rate": 1.0, "low": 1.0, "high": 2.0}, {"type": "gaussian", "sigma": 0.0}]
    trainer = {"population": 10, "replacement": "comma", "crossover": "none"}
    state, _ = steps(wired("bowl", mutation=mutations, **trainer), 1)
    assert ((state.population.genes.values >= 1) & (state.population.genes.values < 2)).all()
    state, _ = steps(wired("bowl", mutation=[mutations[0], {"type": "gaussian"}], **trainer), 1)
    assert not ((state.population.genes.values >= 1) & (state.population.genes.values < 2)).all()


def test_individuals_that_fail_are_counted_and_die_out():
    _, reports = steps(wired({"type": "bowl", "bad": 0.0}, population=40), 10)
    first = wired({"type": "bowl", "bad": 0.0}, population=40)
    start = first.trainer.start(first)
    assert 0 < np.isneginf(start.population.fitness).sum() < 40
    assert reports[-1].columns["failed"] == 0
    assert np.isfinite([reports[0].best, reports[0].mean, reports[0].worst]).all()


def test_a_population_without_any_finite_fitness_stops_the_run_and_says_what_to_look_at():
    experiment = wired({"type": "bowl", "bad": 9.0}, population=5)
    with pytest.raises(RunError, match="the first population: none of 5 individuals has a finite fitness; look for"):
        experiment.trainer.start(experiment)


def test_the_step_that_lost_the_last_finite_fitness_is_named():
    experiment = wired({"type": "bowl", "bad": 0.0}, population=6, replacement="comma", crossover="none")
    state = experiment.trainer.start(experiment)
    doomed = wired({"type": "bowl", "bad": 9.0}, population=6, replacement="comma", crossover="none")
    with pytest.raises(RunError, match="step 1: none of 6"):
        doomed.trainer.step(doomed, state)


def test_the_champion_outlives_the_population():
    mutation = {"type": "gaussian", "sigma": 2.0}
    experiment = wired("bowl", population=4, replacement={"type": "comma", "ratio": 1.0}, mutation=mutation)
    state, reports = steps(experiment, 30)
    best = experiment.trainer.best(experiment, state)
    assert best.fitness == state.best >= max(report.best for report in reports) > reports[-1].best
    assert experiment.evaluate(best.genes, 0)[0] == best.fitness
    assert len(best.genes) == 1


def test_stagnation_is_counted_from_the_last_improvement():
    _, reports = steps(wired({"type": "ones", "size": 4}, population=20), 12)
    improved = 0
    best = -np.inf
    for report in reports[1:]:
        assert report.columns["stagnant"] in (0, reports[report.step - 2].columns["stagnant"] + 1)
    for report in reports:
        if report.best > best and report.columns["stagnant"] == 0:
            best, improved = report.best, report.step
    assert reports[-1].columns["stagnant"] in (12 - improved, 12)


def test_a_population_of_twins_has_converged():
    _, reports = steps(wired("bowl", population=8, mutation=[], convergence=1e-3, selection="elitism"), 40)
    assert reports[0].columns["converged"] == 0
    assert reports[-1].columns["converged"] == 1
    assert reports[-1].columns["diversity"] <= 1e-3


def test_where_fitness_changes_with_the_step_parents_are_measured_again(monkeypatch):
    experiment = wired("weather", population=6, offspring=4)
    shift = {}

    def changing(self, evaluate, genes, step):
        return evaluate(genes, step) + shift.get(step, 0.0)

    monkeypatch.setattr(type(experiment.recipe.distribution), "evaluate", changing)
    shift |= {0: 1000.0, 1: 0.0, 2: -1000.0}
    state, reports = steps(experiment, 3)
    assert [report.evaluations for report in reports] == [10, 20, 30]
    assert reports[0].best > 900
    assert -300 < reports[1].best < 300
    assert reports[2].best < -900
    shift[None] = 5.0
    best = experiment.trainer.best(experiment, state)
    everyone = experiment.evaluate(state.population.genes, None)
    assert best.fitness == everyone.max()


def test_under_comma_replacement_nobody_is_measured_twice():
    _, reports = steps(wired("weather", population=6, replacement="comma", offspring=12), 3)
    assert [report.evaluations for report in reports] == [18, 30, 42]


def test_several_objectives_are_refused():
    experiment = wired({"type": "bowl", "objectives": 2})
    with pytest.raises(RunError, match="Bowl has 2 objectives"):
        experiment.trainer.start(experiment)


@pytest.mark.parametrize(("task", "mutation"), [("ones", BitFlip()), ("bowl", Gaussian())])
def test_open_operators_are_chosen_by_encoding(task, mutation):
    experiment = wired(task)
    fitted = experiment.trainer.fitted(experiment.genome)
    assert fitted.mutation == (mutation,)
    assert fitted.crossover == UniformCrossover()
    assert fitted.offspring == 100
    assert fitted.fitted(experiment.genome) is fitted


def test_what_the_recipe_names_is_left_alone():
    experiment = wired("ones", mutation=[], crossover="none", offspring=7)
    fitted = experiment.trainer.fitted(experiment.genome)
    assert (fitted.mutation, fitted.crossover, fitted.offspring) == ((), Clone(), 7)


def test_an_encoding_without_default_operators_asks_for_them():
    experiment = wired("bowl")
    other = replace(experiment, recipe=experiment.recipe.model_copy(update={"genome": Order()}))
    left_open = experiment.trainer.model_copy(update={"mutation": None, "crossover": None})
    found = dict(left_open.problems(other))
    assert found == {
        "mutation": "missing: there is no default mutation for permutation genomes",
        "crossover": "missing: there is no default crossover for permutation genomes",
    }


@pytest.mark.parametrize("single", ["tournament", {"type": "tournament", "size": 3, "weight": 1.0}])
def test_a_single_selector_needs_no_array(single):
    assert wired("bowl", selection=single).trainer.selection == wired("bowl", selection=[single]).trainer.selection


def test_the_resolved_recipe_validates_to_the_same_trainer():
    trainer = wired("bowl", mutation="gaussian", selection=["rank", "random"]).trainer
    table = tree(trainer, known())
    again = type(trainer).model_validate(
        {key: value for key, value in table.items() if key != "type"}, context={"catalogue": known()}
    )
    assert again == trainer


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"selection": [{"type": "random", "weight": -1.0}, "rank"]}, "must be at least 0"),
        ({"selection": {"type": "random", "weight": 0.0}}, "one of them above 0"),
        ({"selection": []}, "at least 1 item"),
        ({"replacement": "comma", "offspring": 99}, "next 100 individuals from 99 offspring"),
        ({"population": 3, "replacement": {"type": "generational", "elites": 3}}, "leaves no place"),
        ({"population": 0}, "at least 1"),
    ],
)
def test_trainers_without_sense_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        wired("bowl", **fields)


@pytest.mark.parametrize(
    ("trainer", "place", "message"),
    [
        ({"mutation": {"type": "gaussian", "only": [[0, 7]]}}, "trainer.mutation.0.only", "beyond the genome's 6"),
        ({"crossover": {"type": "k_point", "points": 6}}, "trainer.crossover.points", "6 cuts do not fit"),
        ({"mutation": "bit_flip"}, "trainer.mutation.0", "serves binary genomes"),
    ],
)
def test_operators_that_do_not_fit_the_genome_are_found_when_the_recipe_is_wired(trainer, place, message):
    with pytest.raises(RecipeError) as refused:
        wired("bowl", **trainer)
    (found,) = refused.value.problems
    assert found.path == place
    assert message in found.message


def test_uniform_mutation_of_an_unbounded_genome_is_found_when_the_recipe_is_wired():
    assert wired("bowl", mutation="uniform")
    with pytest.raises(RecipeError, match="no bounds that fresh values could be drawn from"):
        wired({"type": "bowl", "bounded": False}, mutation="uniform")


@pytest.mark.parametrize(
    ("field", "beyond", "message"),
    [("low", 1e6, "must lie below .*, the greatest value"), ("high", -1e6, "must lie above .*, the least value")],
)
def test_uniform_mutation_with_one_end_beyond_the_genomes_bounds_is_found_when_the_recipe_is_wired(
    field, beyond, message
):
    with pytest.raises(RecipeError, match=message) as refused:
        wired("bowl", mutation={"type": "uniform", field: beyond})
    assert [problem.path for problem in refused.value.problems] == [f"trainer.mutation.0.{field}"]
    assert wired("bowl", mutation={"type": "uniform", field: 0.0})


def test_statistics_keep_their_digits_far_from_zero():
    fitness = np.array([1e9 + 1, 1e9 + 2, 1e9 + 3, -np.inf])
    found = spread(fitness, "here")
    assert found.deviation == pytest.approx(np.sqrt(2 / 3))
    assert (found.best, found.mean, found.worst, found.failed) == (1e9 + 3, 1e9 + 2, 1e9 + 1, 1)


def test_diversity_of_long_genomes_is_measured_on_evenly_spaced_genes():
    values = np.zeros((4, 1000), np.float32)
    values[::2] = 1
    assert diversity(values) == 0.5
    values[:, : 1000 // 2] = 0
    assert diversity(values) == pytest.approx(0.25, abs=1 / WATCHED_GENES)
    assert diversity(np.zeros((3, 0), np.float32)) == 0


def test_the_state_is_a_frozen_dataclass_of_plain_things():
    assert set(State.__dataclass_fields__) == {
        "step", "population", "champion", "best", "improved", "evaluations", "born"
    }  # fmt: skip


def test_a_state_fits_the_recipe_that_made_it_and_no_other_population_or_genome():
    experiment = wired("bowl", population=10)
    state, _ = steps(experiment, 2)
    assert list(experiment.trainer.fits(experiment, state)) == []
    other = wired({"type": "bowl", "size": 7, "bounded": False}, population=11)
    assert dict(other.trainer.fits(other, state)) == {
        "trainer.population": "the run goes on with its 10 individuals, found 11",
        "genome": "the run goes on with genes float32 [6] in [-5.0, 5.0], and this genome has float32 [7]",
    }


@pytest.mark.parametrize("task", ["bowl", "weather"])
def test_the_champion_is_told_without_an_evaluation(task, monkeypatch):
    experiment = wired(task, population=6)
    state, reports = steps(experiment, 3)

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(type(experiment.recipe.distribution), "evaluate", refuse)
    champion = experiment.trainer.champion(experiment, state)
    assert champion.fitness == reports[-1].best
    assert len(champion.genes) == 1
