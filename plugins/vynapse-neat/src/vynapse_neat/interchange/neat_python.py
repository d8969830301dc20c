# SPDX-License-Identifier: MIT OR Apache-2.0
"""neat-python's configurations as recipes, as version 2.0 reads them; what an option means was read in its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vynapse_neat.interchange.imported import Imported, checked, named
from vynapse_neat.interchange.neat_python_file import GENOME, NEAT, REPRODUCTION, SPECIES, STAGNATION, read_options
from vynapse_neat.interchange.neat_python_genome import change_of, genome_of
from vynapse_neat.interchange.options import Note, Options, printable, read_text, shown

if TYPE_CHECKING:
    from pathlib import Path

MEASURES = {"max": "best", "mean": "mean", "min": "mean", "median": "mean", "median2": "mean"}


ALWAYS = (
    "mutation looks for a connection to add until one fits; there it tries one pair of nodes",
    "a node splits an enabled connection where there is one; there any",
    "structure is deleted before it is added; there after",
)
"""What is not as it was whatever the options say."""


def read_neat_python(path: Path) -> Imported:
    """Return the recipe of a configuration file. Raises RecipeError with every problem and its line."""
    options = read_options(read_text(path), printable(str(path)))
    weight, bias, response = (change_of(options, kind) for kind in ("weight", "bias", "response"))
    genome = genome_of(options, weight, bias, response)
    trainer = _trainer(options, weight, bias, response if genome["response"] else None)
    experiment: dict[str, Any] = {"name": named(path)}
    if options.option(NEAT, "seed"):
        experiment["seed"] = options.integer(NEAT, "seed", 0)
    tree = {"experiment": experiment, "genome": genome, "trainer": trainer, "stop": _stop(options)}
    for text in ALWAYS:
        options.notes.append(Note("in general", text))
    return checked(options, path, "neat-python", tree)


def _trainer(
    options: Options, weight: dict[str, Any], bias: dict[str, Any], response: dict[str, Any] | None
) -> dict[str, Any]:
    population = options.integer(NEAT, "pop_size", 150, low=1)
    if options.option(NEAT, "reset_on_extinction"):
        options.note(NEAT, "reset_on_extinction", "a population cannot die out here: the best species always breed")
    mutation: dict[str, Any] = {
        "add_node": options.probability(GENOME, "node_add_prob", 0.2),
        "add_connection": options.probability(GENOME, "conn_add_prob", 0.5),
        "delete_node": options.probability(GENOME, "node_delete_prob", 0.2),
        "delete_connection": options.probability(GENOME, "conn_delete_prob", 0.5),
        "flip": options.probability(GENOME, "enabled_mutate_rate", 0.01),
        "activation": options.probability(GENOME, "activation_mutate_rate", 0.0),
        "aggregation": options.probability(GENOME, "aggregation_mutate_rate", 0.0),
        "single": options.flag(GENOME, "single_structural_mutation", False),
        "weight": weight,
        "bias": bias,
    }
    if response is not None:
        mutation["response"] = response
    for name in ("enabled_rate_to_true_add", "enabled_rate_to_false_add"):
        if options.number(GENOME, name, 0.0) != 0.0:
            options.note(GENOME, name, "flags change at one rate, whatever they are")
    surer = options.word(GENOME, "structural_mutation_surer", "default").lower()
    if surer in ("true", "yes", "on", "1") or (surer == "default" and mutation["single"]):
        text = "no connection is enabled in place of one to add, as one is found wherever any fits"
        options.note(GENOME, "structural_mutation_surer", text)
    return {
        "type": "neat",
        "preset": "neat-python",
        "population": population,
        "speciation": {
            "clustering": "nearest_compatible",
            "threshold": _threshold(options),
            "distance": {
                "rule": "neat-python",
                "disjoint": options.number(GENOME, "compatibility_disjoint_coefficient", 1.0, low=0.0),
                "weight": options.number(GENOME, "compatibility_weight_coefficient", 0.5, low=0.0),
            },
            "control": {"rule": "fixed"},
        },
        "sharing": _sharing(options, population),
        "mating": {"crossover": 1.0, "interspecies": 0.0, "mutate": 1.0},
        "crossover": {"average": 0.0, "disable": 0.875, "disable_both": 1.0, "equal": "mother"},
        "mutation": mutation,
    }


def _threshold(options: Options) -> float:
    name = "compatibility_threshold"
    # before version 0.9 it stood among the options of the genome
    section = SPECIES if name in options.sections.get(SPECIES, {}) else GENOME
    options.option(SPECIES, name)
    found = options.number(section, name, 3.0, low=0.0)
    if found == 0.0:
        options.problem(section, name, "expected more than 0, so that genomes can be of one species")
        return 3.0
    return found


def _sharing(options: Options, population: int) -> dict[str, Any]:
    measure = options.word(STAGNATION, "species_fitness_func", "mean")
    if measure not in MEASURES:
        known = ", ".join(MEASURES)
        options.problem(STAGNATION, "species_fitness_func", f"expected one of {known}; found {shown(measure)}")
    elif measure not in ("max", "mean"):
        options.note(STAGNATION, "species_fitness_func", f"{measure} is not offered; the mean is taken")
    spared = options.integer(STAGNATION, "species_elitism", 0)
    if spared == 0:
        options.note(STAGNATION, "species_elitism", "one species always breeds, so that the population lives on")
    stagnation = options.integer(STAGNATION, "max_stagnation", 15)
    if stagnation == 0:
        options.note(STAGNATION, "max_stagnation", "0 would end every species at once; 1 is the least here")
    elites = options.integer(REPRODUCTION, "elitism", 0)
    survival = options.probability(REPRODUCTION, "survival_threshold", 0.2)
    return {
        "quotas": "neat-python",
        # two parents breed even of none that survive
        "survival": max(survival, 1e-9),
        "fewest_parents": 2,
        # no species has more members: only `elites` says how many are copied
        "champion_size": population,
        "elites": elites,
        "least": options.integer(REPRODUCTION, "min_species_size", 1),
        "stagnation": max(stagnation, 1),
        "population_stagnation": 0,
        "spared": max(spared, 1),
        "measure": MEASURES.get(measure, "mean"),
    }


def _stop(options: Options) -> dict[str, Any]:
    """Return when the run stops; how many generations is said in the program there."""
    criterion = options.word(NEAT, "fitness_criterion", "max")
    option = options.option(NEAT, "fitness_threshold")
    stop: dict[str, Any] = {"steps": 1000}
    if option is not None and str(option.value).strip().lower().lstrip("+") in ("inf", "infinity"):
        return stop
    threshold = options.number(NEAT, "fitness_threshold", 3.9)
    if options.flag(NEAT, "no_fitness_termination", False):
        return stop
    if criterion == "max":
        stop["fitness"] = threshold
    elif criterion in ("min", "mean"):
        text = f"a run stops by its best individual, never by the {criterion} of all; left out, with {threshold:g}"
        options.note(NEAT, "fitness_criterion", text)
    else:
        options.problem(NEAT, "fitness_criterion", f"expected max, min or mean, found {shown(criterion)}")
    return stop
