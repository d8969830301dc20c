# SPDX-License-Identifier: MIT OR Apache-2.0
"""TensorNEAT's parameters as a recipe; what an argument means was read in TensorNEAT's source.

What is not given has the default of TensorNEAT's class, which is that of the preset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vynapse_core import Problem, RecipeError
from vynapse_neat.interchange.imported import Imported, checked, named
from vynapse_neat.interchange.options import Note, Options, printable, read_text, shown
from vynapse_neat.interchange.tensorneat_files import Found, Unread, from_program, from_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ACTIVATIONS = {
    **{name: name for name in ("sigmoid", "tanh", "sin", "relu", "lelu", "identity", "inv", "log", "exp", "abs")},
    "standard_sigmoid": "sigmoid",
    "standard_tanh": "tanh",
}
"""Its names of activations, and ours of the same functions."""
AGGREGATIONS = {name: name for name in ("sum", "product", "max", "min", "maxabs", "mean")}
KNOWN = {
    "genome": ("DefaultGenome", "RecurrentGenome"),
    "node_gene": ("DefaultNode", "BiasNode"),
    "conn_gene": ("DefaultConn",),
    "mutation": ("DefaultMutation",),
    "crossover": ("DefaultCrossover",),
    "distance": ("DefaultDistance",),
}
"""The classes whose rules are ours too; of another one the arguments are read, and its rules are not kept."""
NUMBERS = (("weight", "conn_gene", 0.0, 1.0), ("bias", "node_gene", 0.0, 1.0), ("response", "node_gene", 1.0, 0.0))
"""Numbers of genes, by kind: the section, the mean and the deviation of the first ones."""
ALWAYS = (
    "a new connection weighs 0 there; here it is drawn as replaced weights are",
    "a connection that is split is deleted there; here it is disabled",
    "inputs have biases there, which count in the distance and nowhere else",
)


def read_tensorneat(path: Path) -> Imported:
    """Return the recipe of a program or a record. Raises RecipeError with every problem, and its line in a program."""
    text, source = read_text(path), printable(str(path))
    found = from_program(text, source) if path.suffix.lower() == ".py" else from_record(text, source)
    options = found.options
    # a genome that is not found makes all else pointless
    options.check()
    for section, name in found.classes.items():
        if name not in KNOWN[section]:
            text = f"its own rules are not imported; those of {KNOWN[section][0]} are taken"
            options.note(section, name, text)
    for section, table in options.sections.items():
        for name, option in table.items():
            if isinstance(option.value, Unread):
                options.option(section, name)
                options.note(section, name, f"no plain value, not imported: {option.value!r}")
    plain = {
        section: {name: option for name, option in table.items() if not isinstance(option.value, Unread)}
        for section, table in options.sections.items()
    }
    options.sections = plain
    if "pop_size" not in plain["NEAT"]:
        raise RecipeError([Problem("[NEAT] pop_size", "is missing, or no plain number")], source)
    genome, trainer = _genome(found), _trainer(options)
    if not genome["response"]:
        trainer["mutation"].pop("response")
    experiment = {"name": named(path), "seed": options.integer("Pipeline", "seed", 42)}
    for text in ALWAYS:
        options.notes.append(Note("in general", text))
    tree = {"experiment": experiment, "genome": genome, "trainer": trainer, "stop": _stop(options)}
    return checked(options, path, "TensorNEAT", tree)


def _genome(found: Found) -> dict[str, Any]:
    options, recurrent = found.options, found.classes.get("genome") == "RecurrentGenome"
    for name in ("max_nodes", "max_conns"):
        if options.option("genome", name):
            options.note("genome", name, "there is no such limit here")
    if options.option("genome", "input_transform"):
        options.note("genome", "input_transform", "inputs are the task's as they are")
    activations, first = _functions(options, "activation", ACTIVATIONS, "sigmoid")
    aggregations, leading = _functions(options, "aggregation", AGGREGATIONS, "sum")
    table: dict[str, Any] = {"type": "neat", "preset": "tensorneat"}
    for ours, theirs in (("inputs", "num_inputs"), ("outputs", "num_outputs")):
        if options.option("genome", theirs):
            table[ours] = options.integer("genome", theirs, 1, low=1, high=2**20)
    table |= {
        "initial_topology": "full",
        "hidden": _hidden(options),
        "bias": "gene",
        "activations": (first, *(name for name in activations if name != first)),
        "output_activation": _output(options),
        "aggregations": (leading, *(name for name in aggregations if name != leading)),
        "response": found.classes.get("node_gene") != "BiasNode",
        "recurrent": recurrent,
        "distribution": "normal",
    }
    for kind, section, mean, spread in NUMBERS:
        table[f"{kind}_mean"] = options.number(section, f"{kind}_init_mean", mean)
        table[f"{kind}_spread"] = options.number(section, f"{kind}_init_std", spread, low=0.0)
    if recurrent:
        table["activation_steps"] = options.integer("genome", "activate_time", 10, low=1)
        text = "networks remember from one input to the next here; there each begins anew"
        options.note("genome", found.classes["genome"], text)
    return table


def _hidden(options: Options) -> int:
    option = options.option("genome", "init_hidden_layers")
    layers = option.value if option else ()
    if not isinstance(layers, tuple) or not all(type(size) is int and size > 0 for size in layers):
        options.problem("genome", "init_hidden_layers", f"expected numbers of nodes, found {shown(layers)}")
        return 0
    if len(layers) > 1:
        options.note("genome", "init_hidden_layers", f"of {len(layers)} layers the first one is there")
    return int(layers[0]) if layers else 0


def _output(options: Options) -> str:
    """Return what outputs are put through: nodes of outputs have no activation there."""
    option = options.option("genome", "output_transform")
    if option is None or option.value is None:
        return "identity"
    names = options.known("genome", "output_transform", [str(option.value)], ACTIVATIONS, "activation")
    return names[0] if names else "identity"


def _functions(options: Options, kind: str, table: Mapping[str, str], fallback: str) -> tuple[tuple[str, ...], str]:
    """Return the functions that nodes draw from, and that of new nodes."""
    drawn = options.option("node_gene", f"{kind}_options")
    names = (fallback,) if drawn is None else drawn.value if isinstance(drawn.value, tuple) else (drawn.value,)
    found = tuple(options.known("node_gene", f"{kind}_options", map(str, names), table, kind))
    if not found:
        options.problem("node_gene", f"{kind}_options", f"none of these is known here: {', '.join(table)}")
        return (fallback,), fallback
    default = options.option("node_gene", f"{kind}_default")
    if default is None or default.value is None:
        chosen = [found[0]]
    else:
        chosen = options.known("node_gene", f"{kind}_default", [str(default.value)], table, kind)
    if len(found) > 1:
        text = f"a new node draws one of {kind}_options"
        options.note("node_gene", f"{kind}_default" if default else f"{kind}_options", text)
    return found, chosen[0] if chosen else found[0]


def _change(options: Options, section: str, kind: str, mean: float, deviation: float) -> dict[str, Any]:
    """Return how numbers of a kind change, a table of `Change`."""
    perturb = options.probability(section, f"{kind}_mutate_rate", 0.2)
    replace = options.probability(section, f"{kind}_replace_rate", 0.015)
    if perturb + replace > 1.0:
        text = f"with {kind}_mutate_rate more than 1; what is left of 1 is {1 - perturb:g}"
        options.note(section, f"{kind}_replace_rate", text)
        replace = 1.0 - perturb
    least, most = (options.number(section, f"{kind}_{end}_bound", x) for end, x in (("lower", -5.0), ("upper", 5.0)))
    if least > most:
        options.problem(section, f"{kind}_lower_bound", f"{least:g} lies above {kind}_upper_bound, {most:g}")
    return {
        "genome": 1.0,
        "perturb": perturb,
        "replace": replace,
        "power": options.number(section, f"{kind}_mutate_power", 0.15, low=0.0),
        "noise": "normal",
        "mean": options.number(section, f"{kind}_init_mean", mean),
        "spread": options.number(section, f"{kind}_init_std", deviation, low=0.0),
        "fresh": "normal",
        "least": least,
        "most": most,
    }


def _trainer(options: Options) -> dict[str, Any]:
    if options.option("NEAT", "species_size"):
        options.note("NEAT", "species_size", "there may be more species than that here")
    if options.number("NEAT", "spawn_number_change_rate", 0.5) != 0.5:
        options.note("NEAT", "spawn_number_change_rate", "species go half way to their share")
    if options.option("NEAT", "pop_batch_size"):
        options.note("NEAT", "pop_batch_size", "it saves memory of a GPU, and is not needed here")
    return {
        "type": "neat",
        "preset": "tensorneat",
        "population": options.integer("NEAT", "pop_size", 150, low=1),
        "speciation": {
            "clustering": "nearest_compatible",
            "threshold": options.number("NEAT", "compatibility_threshold", 2.0, low=1e-9),
            "distance": {
                "rule": "tensorneat",
                "disjoint": options.number("distance", "compatibility_disjoint", 1.0, low=0.0),
                "weight": options.number("distance", "compatibility_weight", 0.4, low=0.0),
            },
            "control": {"rule": "fixed"},
        },
        "sharing": _sharing(options),
        "mating": {"crossover": 1.0, "interspecies": 0.0, "mutate": 1.0},
        "crossover": {"average": 0.0, "disable": 1.0, "equal": "mother"},
        "mutation": {
            "add_node": options.probability("mutation", "node_add", 0.1),
            "add_connection": options.probability("mutation", "conn_add", 0.2),
            "delete_node": options.probability("mutation", "node_delete", 0.1),
            "delete_connection": options.probability("mutation", "conn_delete", 0.2),
            "activation": options.probability("node_gene", "activation_replace_rate", 0.1),
            "aggregation": options.probability("node_gene", "aggregation_replace_rate", 0.1),
            "from_outputs": True,
            **{kind: _change(options, section, kind, mean, spread) for kind, section, mean, spread in NUMBERS},
        },
    }


def _sharing(options: Options) -> dict[str, Any]:
    quotas = options.word("NEAT", "species_number_calculate_by", "rank")
    if quotas == "fitness":
        text = "by the best members' fitness there; here by the mean fitness, as in neat-python"
        options.note("NEAT", "species_number_calculate_by", text)
    elif quotas != "rank":
        options.problem("NEAT", "species_number_calculate_by", f"expected rank or fitness, found {shown(quotas)}")
    worth = options.word("NEAT", "species_fitness_func", "max").removeprefix("_reduce_")
    if worth not in ("max", "amax", "mean"):
        options.note("NEAT", "species_fitness_func", f"{shown(worth)} is not offered; the best member's is taken")
    spared = options.integer("NEAT", "species_elitism", 2)
    if spared == 0:
        options.note("NEAT", "species_elitism", "one species always breeds, so that the population lives on")
    return {
        "quotas": "neat-python" if quotas == "fitness" else "tensorneat",
        "survival": max(options.probability("NEAT", "survival_threshold", 0.1), 1e-9),
        "champion_size": options.integer("NEAT", "pop_size", 150, low=1),
        "elites": options.integer("NEAT", "genome_elitism", 2),
        "least": options.integer("NEAT", "min_species_size", 1),
        "stagnation": options.integer("NEAT", "max_stagnation", 15) + 1,
        "population_stagnation": 0,
        "spared": max(spared, 1),
        "measure": "mean" if worth == "mean" else "best",
    }


def _stop(options: Options) -> dict[str, Any]:
    stop: dict[str, Any] = {"steps": options.integer("Pipeline", "generation_limit", 1000, low=1)}
    target = options.number("Pipeline", "fitness_target", 1.0)
    return stop | {"fitness": target}
