# SPDX-License-Identifier: MIT OR Apache-2.0
"""Presets against the programs and papers that they are named after."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from vynapse_core import Streams
from vynapse_core.experiment import wire
from vynapse_core.recipe import build, tree
from vynapse_core.source import Source
from vynapse_neat.genome import Neat
from vynapse_neat.presets import GENOMES, TRAINERS, Preset
from vynapse_neat.trainer import NeatTrainer

PRESETS: tuple[Any, ...] = get_args(Preset)
PAGE = Path(__file__).parents[3] / "docs" / "neat.md"
XOR = """
[NEAT]
fitness_criterion     = max
fitness_threshold     = 3.9
pop_size              = 150
reset_on_extinction   = False
no_fitness_termination = False

[DefaultGenome]
activation_default      = sigmoid
activation_mutate_rate  = 0.0
activation_options      = sigmoid
aggregation_default     = sum
aggregation_mutate_rate = 0.0
aggregation_options     = sum
bias_init_mean          = 0.0
bias_init_stdev         = 1.0
bias_init_type          = gaussian
bias_max_value          = 30.0
bias_min_value          = -30.0
bias_mutate_power       = 0.5
bias_mutate_rate        = 0.7
bias_replace_rate       = 0.1
compatibility_disjoint_coefficient = 1.0
compatibility_weight_coefficient   = 0.5
conn_add_prob           = 0.5
conn_delete_prob        = 0.5
enabled_default         = True
enabled_mutate_rate     = 0.01
enabled_rate_to_true_add  = 0.0
enabled_rate_to_false_add = 0.0
feed_forward            = True
initial_connection      = full
node_add_prob           = 0.2
node_delete_prob        = 0.2
num_hidden              = 0
num_inputs              = 2
num_outputs             = 1
response_init_mean      = 1.0
response_init_stdev     = 0.0
response_init_type      = gaussian
response_max_value      = 30.0
response_min_value      = -30.0
response_mutate_power   = 0.0
response_mutate_rate    = 0.0
response_replace_rate   = 0.0
single_structural_mutation = false
structural_mutation_surer  = default
weight_init_mean        = 0.0
weight_init_stdev       = 1.0
weight_init_type        = gaussian
weight_max_value        = 30
weight_min_value        = -30
weight_mutate_power     = 0.5
weight_mutate_rate      = 0.8
weight_replace_rate     = 0.1

[DefaultSpeciesSet]
compatibility_threshold = 3.0

[DefaultStagnation]
species_fitness_func = max
max_stagnation       = 20
species_elitism      = 2

[DefaultReproduction]
elitism            = 2
survival_threshold = 0.2
min_species_size   = 2
"""
"""The values of neat-python's example `xor`."""


@pytest.fixture
def parsed(tmp_path: Path) -> Any:
    """Return neat-python's example as neat-python itself reads it."""
    neat = pytest.importorskip("neat")
    path = tmp_path / "config"
    path.write_text(XOR, encoding="utf-8")
    kinds = (neat.DefaultGenome, neat.DefaultReproduction, neat.DefaultSpeciesSet, neat.DefaultStagnation)
    return neat.Config(*kinds, str(path))


def test_neat_pythons_preset_is_its_example(parsed: Any) -> None:
    trainer, genes = NeatTrainer(preset="neat-python"), parsed.genome_config
    rates, way, shared = trainer.mutation, trainer.speciation, trainer.sharing
    assert trainer.population == parsed.pop_size
    assert (rates.add_node, rates.delete_node) == (genes.node_add_prob, genes.node_delete_prob)
    assert (rates.add_connection, rates.delete_connection) == (genes.conn_add_prob, genes.conn_delete_prob)
    assert (rates.flip, rates.single) == (genes.enabled_mutate_rate, False)
    assert (rates.activation, rates.aggregation) == (genes.activation_mutate_rate, genes.aggregation_mutate_rate)
    for kind, change in (("weight", rates.weight), ("bias", rates.bias)):
        assert change is not None
        found = (change.perturb, change.replace, change.power, change.mean, change.spread, change.least, change.most)
        names = ("mutate_rate", "replace_rate", "mutate_power", "init_mean", "init_stdev", "min_value", "max_value")
        assert found == tuple(getattr(genes, f"{kind}_{name}") for name in names)
        assert (change.genome, change.noise, change.fresh) == (1.0, "normal", "normal")
    assert way.distance.disjoint == genes.compatibility_disjoint_coefficient
    assert way.distance.weight == genes.compatibility_weight_coefficient
    assert way.threshold == parsed.species_set_config.compatibility_threshold
    assert (shared.stagnation, shared.spared) == (20, 2)
    assert shared.stagnation == parsed.stagnation_config.max_stagnation
    assert shared.spared == parsed.stagnation_config.species_elitism
    assert parsed.stagnation_config.species_fitness_func == "max"
    assert shared.measure == "best"
    assert shared.elites == parsed.reproduction_config.elitism
    assert shared.least == parsed.reproduction_config.min_species_size
    assert shared.survival == parsed.reproduction_config.survival_threshold


def test_neat_pythons_preset_keeps_flags_off_as_often_as_its_genes_do(parsed: Any) -> None:
    gene = pytest.importorskip("neat.genes").DefaultConnectionGene
    crossing, n = NeatTrainer(preset="neat-python").crossover, 20_000
    on, off = gene((0, 1), innovation=1), gene((0, 1), innovation=1)
    (on.weight, on.enabled), (off.weight, off.enabled) = (1.0, True), (1.0, False)
    random.seed(1)
    one = sum(not on.crossover(off).enabled for _ in range(n)) / n
    assert crossing.disable is not None
    assert abs(one - crossing.disable) < 5 * 0.34 / np.sqrt(n)
    assert not any(off.crossover(off).enabled for _ in range(100))
    assert crossing.disable_both == 1.0


def test_stanleys_preset_has_the_papers_figures() -> None:
    trainer = NeatTrainer(preset="stanley2002")
    distance, rates = trainer.speciation.distance, trainer.mutation
    assert trainer.population == 150
    assert (distance.excess, distance.disjoint, distance.weight) == (1.0, 1.0, 0.4)
    assert (trainer.speciation.threshold, trainer.speciation.control.rule) == (3.0, "fixed")
    assert (rates.weight.genome, rates.weight.perturb, rates.weight.replace) == (0.8, 0.9, 0.1)
    assert (rates.add_node, rates.add_connection) == (0.03, 0.05)
    assert (trainer.mating.crossover, trainer.mating.interspecies) == (0.75, 0.001)
    assert (trainer.crossover.disable, trainer.crossover.average) == (0.75, 0.0)
    assert (trainer.sharing.stagnation, trainer.sharing.population_stagnation) == (15, 20)
    assert (trainer.sharing.champion_size, trainer.sharing.survival) == (5, 0.2)
    genome = Neat(preset="stanley2002")
    assert (genome.bias, genome.activations) == ("node", ("steep_sigmoid",))


def test_jairs_preset_has_the_appendix_figures() -> None:
    trainer = NeatTrainer(preset="jair2004")
    distance, control = trainer.speciation.distance, trainer.speciation.control
    assert trainer.population == 256
    assert (distance.rule, distance.excess, distance.disjoint, distance.weight) == ("jair2004", 1.0, 1.0, 2.0)
    assert tree(control) == {"rule": "step", "size": 0.3}
    assert (trainer.speciation.threshold, trainer.speciation.wanted) == (3.0, 10)
    assert (trainer.sharing.stagnation, trainer.sharing.worst_age, trainer.sharing.champion_size) == (0, 30, 5)
    assert (trainer.mating.crossover, trainer.mating.interspecies) == (0.75, 0.05)
    assert (trainer.crossover.disable, trainer.crossover.average) == (0.75, 0.4)
    assert (trainer.mutation.add_node, trainer.mutation.add_connection) == (0.01, 0.1)
    assert trainer.mutation.weight == NeatTrainer().mutation.weight


@pytest.mark.parametrize("preset", ["stanley2002", "jair2004"])
def test_where_the_papers_are_silent_the_presets_are_the_authors_program(preset: Preset) -> None:
    trainer = NeatTrainer(preset=preset)
    # δ = E + D + c3·W: never divided by the number of genes
    assert trainer.speciation.distance.rule == "jair2004"
    assert (trainer.mutation.exclusive, trainer.mutation.old_first) == (True, 15)
    assert (trainer.mating.mutate, trainer.mutation.weight.power) == (0.8, 2.5)


def test_tensorneats_preset_has_the_defaults_of_its_classes() -> None:
    trainer = NeatTrainer(preset="tensorneat")
    way, shared, rates = trainer.speciation, trainer.sharing, trainer.mutation
    assert (way.threshold, way.distance.disjoint, way.distance.weight) == (2.0, 1.0, 0.4)
    assert (shared.spared, shared.elites, shared.survival, shared.least) == (2, 2, 0.1, 1)
    # stagnant there: more than 15 steps without an improvement
    assert (shared.quotas, shared.stagnation) == ("tensorneat", 16)
    assert (rates.add_connection, rates.delete_connection) == (0.2, 0.2)
    assert (rates.add_node, rates.delete_node) == (0.1, 0.1)
    for change in (rates.weight, rates.bias, rates.response):
        assert change is not None
        assert (change.perturb, change.replace, change.power) == (0.2, 0.015, 0.15)
        assert (change.least, change.most) == (-5.0, 5.0)
    genome = Neat(preset="tensorneat")
    assert (genome.activations, genome.output_activation, genome.response) == (("sigmoid",), "identity", True)


def test_what_is_given_wins_and_the_rest_of_its_table_is_the_presets() -> None:
    trainer = NeatTrainer.model_validate(
        {"preset": "neat-python", "population": 7, "mutation": {"add_node": 0.9, "weight": {"power": 2.0}}}
    )
    assert (trainer.population, trainer.mutation.add_node, trainer.mutation.weight.power) == (7, 0.9, 2.0)
    assert (trainer.mutation.add_connection, trainer.mutation.weight.perturb) == (0.5, 0.8)
    assert Neat(preset="tensorneat", output_activation="tanh").response


def test_a_table_of_another_rule_takes_nothing_of_the_presets() -> None:
    way = {"control": {"rule": "pid"}, "distance": {"rule": "stanley2002"}}
    trainer = NeatTrainer.model_validate({"preset": "jair2004", "speciation": way})
    assert trainer.speciation.control.rule == "pid"
    assert trainer.speciation.distance.weight == 0.4
    assert trainer.speciation.wanted == 10


def test_a_part_built_in_python_is_taken_as_it_is() -> None:
    given = NeatTrainer().sharing
    assert NeatTrainer(preset="neat-python", sharing=given).sharing == given


@pytest.mark.parametrize("part", [NeatTrainer, Neat])
@pytest.mark.parametrize("preset", ["neat_python", 3, ["jair2004"]])
def test_an_unknown_preset_is_refused(part: Any, preset: Any) -> None:
    with pytest.raises(ValidationError, match="expected 'stanley2002'"):
        part(preset=preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_resolved_recipe_shows_every_value_and_means_the_same(preset: str) -> None:
    source = Source({"task": {"type": "xor"}, "genome": {"type": "neat", "preset": preset},
                     "trainer": {"type": "neat", "preset": preset}})  # fmt: skip
    recipe = wire(build(source), source=source).recipe
    shown = tree(recipe)
    for name, table in (("trainer", TRAINERS[preset]), ("genome", GENOMES[preset])):
        assert dict(flat(table)).items() <= dict(flat(shown[name])).items()
    again = build(Source(shown))
    assert (again.trainer, again.genome) == (recipe.trainer, recipe.genome)


def test_networks_can_begin_without_any_connection() -> None:
    genome = Neat(inputs=3, outputs=2, initial_topology="unconnected")
    genes = genome.initial(5, Streams(1)("initial"))
    assert genome.layout.validate(genes) == []
    assert (genes.structure["connections"] == 0).all()


def test_the_page_shows_every_parameter_of_every_preset() -> None:
    rows = re.findall(r"^\| `(\w+\.[\w.]+)` \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    expected = table()
    assert {name: [each.strip() for each in cells.split("|")] for name, cells in rows} == expected, "\n".join(
        f"| `{name}` | {' | '.join(cells)} |" for name, cells in expected.items()
    )


def table() -> dict[str, list[str]]:
    """Return the rows of the page's tables: each parameter with its values, where presets have a say in it."""
    found: dict[str, list[str]] = {}
    for part, model in (("genome", Neat), ("trainer", NeatTrainer)):
        columns = [dict(flat(tree(model(preset=preset)), part)) for preset in PRESETS]
        names = sorted({name for column in columns for name in column}, key=lambda name: _place(name, columns))
        for name in names:
            if name.rsplit(".", 1)[-1] not in ("type", "preset"):
                found[name] = [written(column.get(name)) for column in columns]
    return found


def _place(name: str, columns: list[dict[str, Any]]) -> tuple[int, int]:
    return next((number, list(column).index(name)) for number, column in enumerate(columns) if name in column)


def flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of nested tables with its key path."""
    for key, item in value.items():
        name = f"{path}.{key}" if path else key
        if isinstance(item, Mapping):
            yield from flat(item, name)
        else:
            yield name, list(item) if isinstance(item, tuple) else item


def written(value: Any) -> str:
    """Return a value as the page writes it."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(written, value))
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
