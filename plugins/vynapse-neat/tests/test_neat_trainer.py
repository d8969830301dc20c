# SPDX-License-Identifier: MIT OR Apache-2.0
"""The trainer `neat`: that it grows networks, keeps its counts, goes on to the same bits, and never dies out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from vynapse_core import Dataset, Loss, RecipeError, RunError, SupervisedTask, catalogue, checkpoint, target_like
from vynapse_core.experiment import wire
from vynapse_core.recipe import build
from vynapse_core.source import Source
from vynapse_core.testing import check_trainer
from vynapse_core.testing.contract import difference
from vynapse_neat.trainer import NeatTrainer, State

PRESETS = ("stanley2002", "jair2004", "neat-python", "tensorneat")
WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"clustering": "nearest_compatible", "distance": {"rule": "neat-python"}},
    {"clustering": "k_medoids", "wanted": 4},
    {"control": {"rule": "step"}, "wanted": 4},
    {"control": {"rule": "pid"}, "wanted": 4},
    {"control": {"rule": "hill_climbing"}, "wanted": 4},
    {"control": {"rule": "bandit"}, "wanted": 4},
)


class Squares(Loss):
    """Squared errors, made worse than any number for some networks."""

    def build(self, prediction, target):
        return ((prediction - target_like(prediction, target)) ** 2).mean()


class Broken(SupervisedTask):
    """Four samples, of which the targets are what a test asks for."""

    loss: Loss = Squares()
    wanted: float = 0.0

    @property
    def inputs(self):
        return (2,)

    @property
    def outputs(self):
        return 1

    def data(self, split):
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        return Dataset(x, np.full((4, 1), self.wanted, np.float32))


def experiment(trainer=None, genome=None, device="numba", seed=1, task=None):
    tree = {
        "experiment": {"seed": seed},
        "task": task or {"type": "xor", "criterion": "stanley2002"},
        "genome": {"type": "neat"} | (genome or {}),
        "trainer": {"type": "neat", "population": 40} | (trainer or {}),
        "device": device if isinstance(device, dict) else {"type": device},
    }
    return wire(build(Source(tree, "test"), catalogue.installed()))


def run(wired, steps):
    state, reports = wired.trainer.start(wired), []
    for _ in range(steps):
        state, report = wired.trainer.step(wired, state)
        reports.append(report)
    return state, reports


def test_it_keeps_the_contract_of_a_trainer():
    rest = {"task": {"type": "xor"}, "genome": {"type": "neat"}}
    check_trainer(NeatTrainer(population=20), experiment=rest)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_runs_and_its_genomes_are_valid(preset):
    wired = experiment({"preset": preset}, {"preset": preset})
    state, reports = run(wired, 25)
    assert wired.genome.layout.validate(state.population.genes) == []
    assert len(state.population) == 40
    assert reports[-1].evaluations == 40 * 26


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_way_of_speciation_runs_and_every_individual_has_a_species(way):
    state, reports = run(experiment({"speciation": way}), 20)
    species = state.species
    assert len(species.species_of) == 40
    assert set(species.species_of) == set(range(len(species)))
    assert reports[-1].columns["species"] == len(species)


def test_structure_grows_from_nothing_hidden():
    state, reports = run(experiment({"mutation": {"add_node": 0.2, "add_connection": 0.2}}), 30)
    assert reports[0].columns["hidden"] <= 0.4
    assert reports[-1].columns["hidden"] > 1
    assert state.counters.node > reports[-1].columns["hidden"]


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("way", [WAYS[0], WAYS[6]], ids=str)
def test_the_reference_device_and_the_compiling_one_breed_the_same_structures(recurrent, way):
    genome = {"recurrent": recurrent}
    rates = {"add_node": 0.3, "add_connection": 0.3}
    some = [
        run(experiment({"mutation": rates, "speciation": way}, genome, device), 6) for device in ("reference", "numba")
    ]
    (one, first), (other, second) = some
    for name, array in one.population.genes.structure.items():
        np.testing.assert_array_equal(other.population.genes.structure[name], array, err_msg=name)
    np.testing.assert_allclose(one.population.fitness, other.population.fitness, rtol=1e-5)
    assert [each.note for each in first] == [each.note for each in second]


def test_one_thread_and_two_give_the_same_bits():
    runs = [run(experiment(device={"type": "numba", "threads": threads}), 15) for threads in (1, 2)]
    assert not difference(*runs)


def test_a_run_that_goes_on_from_a_checkpoint_has_the_bits_of_one_that_was_not_interrupted(tmp_path):
    wired = experiment({"speciation": WAYS[6]})
    state, _ = run(wired, 8)
    checkpoint.save(tmp_path, state)
    read, _ = checkpoint.load(tmp_path, State)
    again = experiment({"speciation": WAYS[6]})
    for _ in range(5):
        state, report = wired.trainer.step(wired, state)
        read, same = again.trainer.step(again, read)
        assert not difference(report, same)
    assert not difference(state, read)


def test_the_best_of_all_steps_is_kept_though_it_dies():
    wired = experiment({"sharing": {"champion_size": 1000}})
    state, reports = run(wired, 30)
    assert state.best == max(report.best for report in reports + run(wired, 0)[1])
    solution = wired.trainer.best(wired, state)
    assert solution.fitness == state.best
    assert wired.evaluate(solution.genes, 0)[0] == pytest.approx(state.best)


def test_champions_of_large_species_live_on_unchanged():
    wired = experiment({"sharing": {"champion_size": 0}})
    _, reports = run(wired, 20)
    fitness = [report.best for report in reports]
    assert fitness == sorted(fitness)


def test_the_note_says_why_the_threshold_moved():
    _, reports = run(experiment({"speciation": {"control": {"rule": "step"}, "wanted": 3, "threshold": 1.0}}), 10)
    moved = [before.columns["threshold"] != after.columns["threshold"] for before, after in pairwise(reports)]
    assert [bool(report.note) for report in reports[1:]] == moved
    assert "species, 3 wanted" in next(report.note for report in reports if report.note)


@pytest.mark.parametrize("wanted", [0.0, 1e15, -1e15])
def test_a_population_whose_fitness_is_all_negative_or_huge_does_not_die_out(wanted):
    state, _ = run(experiment(task=Broken(wanted=wanted)), 25)
    assert len(state.population) == 40
    assert len(state.species) >= 1


def test_a_population_without_any_finite_fitness_is_told():
    wired = experiment(task=Broken(wanted=float("3e38")))
    with pytest.raises(RunError, match="none of 40 individuals has a finite fitness"):
        run(wired, 2)


def test_stagnation_of_the_whole_population_does_not_kill_it():
    state, reports = run(experiment({"sharing": {"stagnation": 2, "population_stagnation": 3}}, task=Broken()), 40)
    assert len(state.population) == 40
    assert all(report.columns["species"] >= 1 for report in reports)


def test_a_recipe_with_another_genome_is_refused():
    with pytest.raises(RecipeError, match='write \\[genome\\] type = "neat"'):
        experiment(genome={"type": "mlp", "layers": [2, 2, 1]})


def test_a_checkpoint_of_another_layout_is_refused():
    state, _ = run(experiment(), 2)
    wired = experiment({"population": 50}, {"bias": "node"})
    found = dict(wired.trainer.fits(wired, state))
    assert "its 40 individuals, found 50" in found["trainer.population"]
    assert "not of this layout" in found["genome"]


def test_mating_happens_as_often_as_asked():
    def parents(**mating):
        state, _ = run(experiment({"population": 400, "mating": mating, "sharing": {"champion_size": 1000}}), 1)
        return state.population.parents

    both = (parents(crossover=0.6)[:, 1] >= 0).mean()
    assert both == pytest.approx(0.6, abs=0.1)
    assert (parents(crossover=0.0)[:, 1] >= 0).sum() == 0


def test_species_are_crossed_where_mating_between_them_is_asked_for():
    wide = {"speciation": {"threshold": 0.5}, "sharing": {"champion_size": 1000, "survival": 1.0}, "population": 200}

    def crossed(share):
        wired = experiment(wide | {"mating": {"crossover": 1.0, "interspecies": share}})
        first = wired.trainer.start(wired)
        after, _ = wired.trainer.step(wired, first)
        mothers, fathers = after.population.parents.T
        return (first.species.species_of[mothers] != first.species.species_of[fathers]).mean(), len(first.species)

    never, species = crossed(0.0)
    assert species > 3
    assert never == 0
    assert crossed(1.0)[0] == 1


def test_an_unknown_way_of_control_is_refused_with_the_nearest_one():
    with pytest.raises(RecipeError, match=r"control: unknown rule 'pidd' \(did you mean 'pid'\?\)"):
        experiment({"speciation": {"control": {"rule": "pidd"}}})


def test_a_control_without_its_rule_is_told():
    with pytest.raises(RecipeError, match="control: missing: the key 'rule'"):
        experiment({"speciation": {"control": {"size": 0.1}}})


def test_phased_search_grows_and_simplifies_by_turns():
    rates = {"add_node": 0.4, "add_connection": 0.4}
    phases = {"growth": 4.0, "patience": 3, "delete_node": 0.5, "delete_connection": 0.5}
    state, reports = run(experiment({"mutation": rates, "phases": phases, "sharing": {"survival": 1.0}}), 80)
    notes = [report.note for report in reports if "population" in report.note]
    assert notes[:2] == ["the population simplifies", "the population grows"]
    connections = [report.columns["connections"] for report in reports]
    turned = next(i for i, report in enumerate(reports) if "simplifies" in report.note)
    assert min(connections[turned : turned + 15]) < connections[turned]
    assert state.phase.ceiling > 0
