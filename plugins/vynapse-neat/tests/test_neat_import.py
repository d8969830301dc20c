# SPDX-License-Identifier: MIT OR Apache-2.0
"""Other programs' configurations: that they become recipes which mean the same, and what is said where they cannot."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st

from vynapse_core import RecipeError
from vynapse_core.cli import main
from vynapse_core.recipe import load_recipe
from vynapse_neat.activations import ACTIVATIONS
from vynapse_neat.genome import Neat
from vynapse_neat.interchange.imported import Imported
from vynapse_neat.interchange.neat_python import read_neat_python
from vynapse_neat.interchange.neat_python_genome import ACTIVATIONS as NEAT_PYTHONS
from vynapse_neat.interchange.options import LARGEST
from vynapse_neat.interchange.tensorneat import read_tensorneat
from vynapse_neat.trainer import NeatTrainer

SMALL = """\
[NEAT]
pop_size = 20
fitness_criterion = max
fitness_threshold = 3.9

[DefaultGenome]
num_inputs = 2
num_outputs = 1
initial_connection = full
activation_default = sigmoid
"""
"""A configuration that leaves most to neat-python's example."""
PROGRAM = """\
from tensorneat import NEAT, DefaultGenome
SIZE = 40
GENES = dict
algorithm = NEAT(
    pop_size=SIZE,
    genome=DefaultGenome(num_inputs=2, num_outputs=1),
)
"""
ELSE = {"DefaultStagnation": "species_fitness_func = max\nmax_stagnation = 20\nspecies_elitism = 2\n",
        "DefaultReproduction": "elitism = 2\nsurvival_threshold = 0.2\nmin_species_size = 2\n"}  # fmt: skip


def imported(folder: Path, text: str, name: str = "config") -> Imported:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_tensorneat(path) if name != "config" else read_neat_python(path)


def with_options(**options: Any) -> str:
    """Return the small configuration with these options of the genome."""
    return SMALL + "".join(f"{name} = {value}\n" for name, value in options.items())


def said(found: Imported, name: str) -> str:
    """Return what the notes say of an option."""
    return "\n".join(str(note) for note in found.notes if note.where.endswith(f"] {name}"))


def refused(folder: Path, text: str, name: str = "config") -> str:
    with pytest.raises(RecipeError) as caught:
        imported(folder, text, name)
    return str(caught.value)


def test_neat_pythons_example_becomes_its_preset(tmp_path: Path) -> None:
    text = SMALL.replace("20", "150") + "".join(f"[{section}]\n{lines}" for section, lines in ELSE.items())
    recipe = tmp_path / "xor.toml"
    recipe.write_text(imported(tmp_path, text).recipe("xor"), encoding="utf-8")
    built = load_recipe(recipe)
    preset = NeatTrainer(preset="neat-python")
    # no species has more members than the population
    alike = preset.sharing.model_copy(update={"champion_size": 150})
    assert built.trainer == preset.model_copy(update={"sharing": alike})
    genome = Neat(preset="neat-python", inputs=2, outputs=1, output_activation="neat_sigmoid")
    assert built.genome == genome
    assert (built.stop.fitness, built.experiment.name) == (3.9, "config")


def test_every_option_that_is_missing_is_noted(tmp_path: Path) -> None:
    found = imported(tmp_path, SMALL)
    assert "0.8 as in neat-python's example xor" in said(found, "weight_mutate_rate")
    assert said(found, "num_inputs") == ""


@pytest.mark.parametrize("name", NEAT_PYTHONS)
def test_activations_are_the_same_functions_by_our_names(name: str) -> None:
    theirs = pytest.importorskip("neat").activations.ActivationFunctionSet().get(name)
    x = np.linspace(-3, 3, 61)
    ours = ACTIVATIONS[NEAT_PYTHONS[name]].value(x)
    assert np.allclose(ours, [theirs(float(each)) for each in x], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("num_hiden", "3", "unknown, not imported: '3'; did you mean 'num_hidden'?"),
        ("time_constant_init_mean", "1.0", "continuous-time networks"),
        ("enabled_default", "False", "new connections are enabled here"),
        ("enabled_rate_to_true_add", "0.1", "flags change at one rate"),
        ("structural_mutation_surer", "true", "no connection is enabled"),
        ("single_structural_mutation", "true", ""),
        ("response_init_mean", "2.0", "has the response 1 here"),
        ("bias_init_type", "uniform", "the distribution of the weights, normal"),
        ("weight_init_stdev", "20.0", "first values beyond -30 and 30 are cut there"),
        ("conn_add_prob", "1.5", "1.5 is no probability; 1 means the same"),
        ("weight_replace_rate", "0.5", "what is left of 1 is 0.2"),
        ("activation_options", "sigmoid mine", "there is no activation 'mine' here"),
        ("aggregation_options", "sum max", ""),
    ],
)
def test_what_is_not_as_it_was_is_noted_with_its_line(tmp_path: Path, name: str, value: str, text: str) -> None:
    found = imported(tmp_path, with_options(**{name: value}))
    line = len(SMALL.splitlines()) + 1
    assert text in said(found, name)
    assert not text or said(found, name).startswith(f"line {line}: [DefaultGenome] {name}: ")
    assert not text or f"#   line {line}: [DefaultGenome] {name}: " in found.recipe()


@pytest.mark.parametrize(
    ("connection", "hidden", "ours", "text"),
    [
        ("unconnected", 0, "unconnected", ""),
        ("fs_neat_nohidden", 0, "none", ""),
        ("fs_neat_nohidden", 2, "none", "linked to the hidden nodes"),
        ("full_direct", 2, "full", "inputs are not linked to outputs"),
        ("partial_nodirect 0.5", 0, "full", "with probability 0.5; here all are"),
    ],
)
def test_first_topologies_become_the_nearest_of_ours(
    tmp_path: Path, connection: str, hidden: int, ours: str, text: str
) -> None:
    found = imported(tmp_path, SMALL.replace("= full", f"= {connection}") + f"num_hidden = {hidden}\n")
    assert found.tree["genome"]["initial_topology"] == ours
    assert text in said(found, "initial_connection")
    assert bool(text) == bool(said(found, "initial_connection"))


def test_uniform_numbers_have_the_range_that_neat_python_gives_them(tmp_path: Path) -> None:
    text = with_options(weight_init_type="uniform", weight_init_mean=1.0, weight_init_stdev=2.0, weight_max_value=4.0)
    found = imported(tmp_path, text)
    # from 1 - 2 * 2 to the maximum, 4
    assert (found.tree["genome"]["weight_mean"], found.tree["genome"]["weight_spread"]) == (0.5, 3.5)
    weight = found.tree["trainer"]["mutation"]["weight"]
    assert (weight["fresh"], weight["mean"], weight["spread"]) == ("uniform", 0.5, 3.5)


def test_functions_and_memory_are_those_of_the_configuration(tmp_path: Path) -> None:
    text = with_options(
        activation_options="tanh relu", aggregation_default="max", aggregation_options="sum max", feed_forward="False"
    )
    genome = imported(tmp_path, text.replace("= sigmoid", "= relu")).tree["genome"]
    assert (genome["activations"], genome["output_activation"]) == (("neat_tanh", "relu"), "relu")
    assert (genome["aggregations"], genome["recurrent"]) == (("max", "sum"), True)


def test_a_response_that_changes_is_a_gene(tmp_path: Path) -> None:
    found = imported(tmp_path, with_options(response_mutate_rate=0.3, response_mutate_power=0.1)).tree
    assert found["genome"]["response"] is True
    assert found["trainer"]["mutation"]["response"]["perturb"] == 0.3
    assert imported(tmp_path, with_options(response_mutate_rate=0.3)).tree["genome"]["response"] is False


@pytest.mark.parametrize(
    ("criterion", "threshold", "more", "stop"),
    [
        ("max", "3.9", "", {"steps": 1000, "fitness": 3.9}),
        ("max", "inf", "", {"steps": 1000}),
        ("max", "3.9", "no_fitness_termination = True\n", {"steps": 1000}),
        ("mean", "3.9", "", {"steps": 1000}),
    ],
)
def test_a_run_stops_at_the_threshold_of_the_best_individual(
    tmp_path: Path, criterion: str, threshold: str, more: str, stop: dict[str, Any]
) -> None:
    head = f"[NEAT]\npop_size = 20\nfitness_criterion = {criterion}\nfitness_threshold = {threshold}\nseed = 7\n{more}"
    found = imported(tmp_path, head)
    assert found.tree["stop"] == stop
    assert found.tree["experiment"]["seed"] == 7
    assert bool(said(found, "fitness_criterion")) == (criterion == "mean")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pop_size = 3\n", "line 1: expected a section such as [NEAT] before any option"),
        ("[NEAT]\npop_size = 3\n[NEAT]\n", "line 3: the section [NEAT] stands twice"),
        ("[NEAT]\npop_size = 3\npop_size = 4\n", "line 3: the option 'pop_size' stands twice in [NEAT]"),
        ("[NEAT]\npop_size = 3\nnonsense\n", "line 3: expected 'option = value'"),
        ("[DefaultGenome]\nnum_inputs = 2\n", "has no section [NEAT]"),
        ("[basic]\nforward_way = common\n", "has no section [NEAT]"),
        ("", "has no section [NEAT]"),
        ("[NEAT]\npop_size = many\n", "line 2: [NEAT] pop_size: expected a number, found 'many'"),
        ("[NEAT]\npop_size = 3 # few\n", "found '3 # few' (a comment needs a line of its own)"),
        ("[NEAT]\npop_size = 2.5\n", "line 2: [NEAT] pop_size: expected an integer, found '2.5'"),
        ("[NEAT]\npop_size = 0\n", "line 2: [NEAT] pop_size: expected at least 1, found '0'"),
        ("[NEAT]\npop_size = 1e400\n", "line 2: [NEAT] pop_size: expected a number, found '1e400'"),
        ("[NEAT]\npop_size = %(x)s\n", "expected a number, found '%(x)s'"),
        ("[NEAT]\nfitness_threshold = nan\n", "line 2: [NEAT] fitness_threshold: expected a number, found 'nan'"),
        (with_options(num_hidden=-1), "line 11: [DefaultGenome] num_hidden: expected at least 0, found '-1'"),
        (with_options(feed_forward="perhaps"), "feed_forward: expected true or false, found 'perhaps'"),
        (with_options(bias_max_value=-50), "bias_min_value: -30 lies above bias_max_value, -50"),
        (with_options(weight_init_type="cauchy"), "weight_init_type: expected gaussian or uniform"),
        (with_options(aggregation_options="mine"), "aggregation_options: none of these is known here"),
        (SMALL.replace("= full", "= some"), "line 9: [DefaultGenome] initial_connection: expected one of"),
        (SMALL + "[DefaultSpeciesSet]\ncompatibility_threshold = 0\n", "line 12: [DefaultSpeciesSet] compat"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    found = refused(tmp_path, with_options(num_hidden="x", node_add_prob=-1))
    assert "2 problems" in found
    assert "line 11" in found
    assert "line 12" in found


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"[NEAT]\npop_size = \xff\n")
    with pytest.raises(RecipeError, match="line 2: is not UTF-8 text"):
        read_neat_python(path)
    path.write_bytes(b"[NEAT]\n" + b"#" * LARGEST)
    with pytest.raises(RecipeError, match="larger than 1 MiB"):
        read_neat_python(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_neat_python(tmp_path)


@given(st.text("[NEAT]pop_size =:#;\n\t%0123.efx\x00\u2028"), st.sampled_from(["config", "config.py", "config.json"]))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str, name: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    with suppress(RecipeError):
        tomli.loads(imported(folder, text, name).recipe())


@given(st.sampled_from(SMALL.split()), st.text(max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_configuration_with_a_word_replaced_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, word: str, other: str
) -> None:
    with suppress(RecipeError):
        tomli.loads(imported(tmp_path_factory.getbasetemp(), SMALL.replace(word, other)).recipe())


def test_tensorneats_defaults_become_its_preset(tmp_path: Path) -> None:
    recipe = tmp_path / "evolve.toml"
    recipe.write_text(imported(tmp_path, PROGRAM, "evolve.py").recipe("xor"), encoding="utf-8")
    built = load_recipe(recipe)
    preset = NeatTrainer(preset="tensorneat", population=40)
    alike = preset.sharing.model_copy(update={"champion_size": 40})
    assert built.trainer == preset.model_copy(update={"sharing": alike})
    assert built.genome == Neat(preset="tensorneat", inputs=2, outputs=1)
    assert built.experiment.seed == 42


def test_a_programs_calls_are_read_wherever_their_values_stand(tmp_path: Path) -> None:
    program = """
from tensorneat.common import ACT, AGG
genome = RecurrentGenome(
    3, 2, init_hidden_layers=(4,), activate_time=5, output_transform=ACT.tanh, max_nodes=10,
    node_gene=BiasNode(bias_lower_bound=-1, activation_options=[ACT.relu, ACT.sin], activation_default=ACT.sin),
    conn_gene=DefaultConn(weight_mutate_rate=0.5), mutation=DefaultMutation(0.3, node_add=0.4),
    distance=DefaultDistance(2.0),
)
pipeline = Pipeline(NEAT(genome, 60, species_fitness_func=jnp.mean), None, seed=9, generation_limit=30)
"""
    found = imported(tmp_path, program, "evolve.py")
    genome, trainer = found.tree["genome"], found.tree["trainer"]
    assert (genome["inputs"], genome["outputs"], genome["hidden"], genome["activation_steps"]) == (3, 2, 4, 5)
    assert (genome["recurrent"], genome["response"], genome["output_activation"]) == (True, False, "tanh")
    assert genome["activations"] == ("sin", "relu")
    mutation = trainer["mutation"]
    assert (mutation["bias"]["least"], mutation["weight"]["perturb"]) == (-1.0, 0.5)
    assert (mutation["add_connection"], mutation["add_node"], mutation["delete_node"]) == (0.3, 0.4, 0.1)
    assert (trainer["population"], trainer["sharing"]["measure"]) == (60, "mean")
    assert trainer["speciation"]["distance"]["disjoint"] == 2.0
    assert (found.tree["stop"]["steps"], found.tree["experiment"]["seed"]) == (30, 9)
    assert said(found, "max_nodes") == "line 4: [genome] max_nodes: there is no such limit here"


def test_a_program_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = f"open({str(mark)!r}, 'w')\n{PROGRAM}\n1 / 0\n"
    imported(tmp_path, program, "evolve.py")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("NEAT(", "line 1: Python syntax"),
        ("x = 1\n", "calls no NEAT"),
        ("a = '\0'\n", "Python"),
        ("(" * 5000, "Python"),
        ("-" * 200_000 + "1\n", "Python"),
        ("NEAT(pop_size=3)\n", "[NEAT] genome: expected a genome that is made in this file"),
        ("NEAT(genome=DefaultGenome(2, 1))\n", "[NEAT] pop_size: is missing"),
        ("NEAT(genome=DefaultGenome(2, 1), pop_size=f(2))\n", "[NEAT] pop_size: is missing, or no plain number"),
        ("NEAT(genome=DefaultGenome(2, 1), pop_size=0)\n", "line 1: [NEAT] pop_size: expected at least 1, found '0'"),
        ("a = b\nb = a\nNEAT(genome=a, pop_size=3)\n", "[NEAT] genome: expected a genome"),
        (PROGRAM.replace("=1)", "=1, node_gene=genes)"), "line 6: [genome] node_gene: expected an object"),
        (PROGRAM.replace("=1)", "=1, init_hidden_layers=[0.5])"), "line 6: [genome] init_hidden_layers"),
    ],
)
def test_a_program_without_parameters_is_refused(tmp_path: Path, program: str, message: str) -> None:
    assert message in refused(tmp_path, program, "evolve.py")


def test_the_rules_of_a_class_of_ones_own_are_noted(tmp_path: Path) -> None:
    found = imported(tmp_path, PROGRAM.replace("=1)", "=1, mutation=MyMutation(node_add=0.5))"), "evolve.py")
    assert "its own rules are not imported" in said(found, "MyMutation")
    assert found.tree["trainer"]["mutation"]["add_node"] == 0.5


@pytest.mark.parametrize(
    ("argument", "where", "text"),
    [
        ("spawn_number_change_rate=0.9", "spawn_number_change_rate", "half way"),
        ("species_size=20", "species_size", "more species"),
        ("species_number_calculate_by='fitness'", "species_number_calculate_by", "mean fitness"),
        ("species_fitness_func=lambda x: x", "species_fitness_func", "no plain value"),
        ("frobnicate=3", "frobnicate", "unknown, not imported: '3'"),
        ("**more", "**", "what is unpacked there is not imported"),
    ],
)
def test_arguments_without_a_counterpart_are_noted(tmp_path: Path, argument: str, where: str, text: str) -> None:
    found = imported(tmp_path, PROGRAM.replace("pop_size=SIZE,", f"pop_size=SIZE, {argument},"), "evolve.py")
    assert text in said(found, where)
    assert said(found, where).startswith("line 5: [NEAT] ") or where == "**"


def test_the_record_of_a_run_is_read(tmp_path: Path) -> None:
    record = {
        "algorithm": {
            "genome": {
                "num_inputs": "3",
                "num_outputs": "1",
                "node_gene": {
                    "bias_mutate_rate": "0.4",
                    "response_init_mean": "1.0",
                    "reponse_lower_bound": "-2",
                    "activation_options": "[<function sigmoid_ at 0x7f1>, <function tanh_ at 0x7f2>]",
                    "activation_default": "1",
                    "activation_indices": "[0 1]",
                },
                "conn_gene": {"weight_mutate_power": "0.3"},
                "mutation": {"node_add": "0.5"},
                "output_transform": "<function sigmoid_ at 0x7f1>",
                "input_transform": "None",
                "all_init_nodes": "[0 1 2 3 4 5]",
            },
            "pop_size": "50",
            "species_controller": {"genome_elitism": "3", "species_fitness_func": "<function max at 0x7f3>"},
        },
        "seed": "5",
    }
    found = imported(tmp_path, json.dumps(record), "config.txt")
    genome, trainer = found.tree["genome"], found.tree["trainer"]
    assert (genome["inputs"], genome["hidden"], genome["output_activation"]) == (3, 2, "sigmoid")
    assert genome["activations"] == ("tanh", "sigmoid")
    mutation = trainer["mutation"]
    assert (mutation["bias"]["perturb"], mutation["response"]["least"], mutation["add_node"]) == (0.4, -2.0, 0.5)
    assert (mutation["weight"]["power"], trainer["sharing"]["elites"], trainer["population"]) == (0.3, 3, 50)
    assert found.tree["experiment"]["seed"] == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "line 1: JSON syntax"), ("{}", "algorithm.genome: is missing"), ("[" * 100_000, "JSON"), ("[]", "missing")],
)
def test_a_wrong_record_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text, "config.txt")


def test_the_command_writes_a_recipe_that_check_accepts(tmp_path: Path) -> None:
    config, out = tmp_path / "config-feedforward", tmp_path / "xor.toml"
    config.write_text(SMALL, encoding="utf-8")
    arguments = ["neat", "import-config", str(config), "--task", "xor", "--out", str(out)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "note: [NEAT] weight" not in done.output
    assert "in general: structure is deleted before it is added" in done.output
    checked = CliRunner().invoke(main, ["check", str(out)])
    assert checked.exit_code == 0, checked.output
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert "nothing is overwritten" in again.output


def test_without_a_task_its_place_is_marked_and_check_says_so(tmp_path: Path) -> None:
    config, out = tmp_path / "evolve.py", tmp_path / "evolve.toml"
    config.write_text(PROGRAM, encoding="utf-8")
    done = CliRunner().invoke(main, ["neat", "import-config", str(config), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "fill in [task]" in done.output
    checked = CliRunner().invoke(main, ["check", str(out)])
    assert checked.exit_code == 2
    assert "task" in checked.output
    assert "TASK" in checked.output


def test_the_command_prints_a_recipe_and_refuses_what_is_none(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(SMALL, encoding="utf-8")
    done = CliRunner().invoke(main, ["neat", "import-config", str(config), "--task", "xor"])
    assert tomli.loads(done.output)["task"] == {"type": "xor"}
    config.write_text("[NEAT]\npop_size = x\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["neat", "import-config", str(config)])
    assert done.exit_code == 2
    assert "line 2: [NEAT] pop_size" in done.output
    assert "Traceback" not in done.output
