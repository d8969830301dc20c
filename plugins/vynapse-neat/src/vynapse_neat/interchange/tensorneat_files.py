# SPDX-License-Identifier: MIT OR Apache-2.0
"""Where TensorNEAT's parameters stand: in the program that calls its classes, or in the `config.txt` that a run writes.

A program is parsed and never run: what its calls of `NEAT`, `DefaultGenome` and so on are given is taken where it is
a plain value, the name of a function, or a variable that holds one of these. The `config.txt` is JSON whose values are
the texts of Python's objects.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vynapse_core import Problem, RecipeError
from vynapse_neat.interchange.options import Note, Option, Options, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST = 20
"""Most variables that stand for one another."""

ORDER: Mapping[str, tuple[str, ...]] = {
    "Pipeline": ("algorithm", "problem", "seed", "fitness_target", "generation_limit"),
    "NEAT": (
        *("genome", "pop_size", "species_size", "max_stagnation", "species_elitism", "spawn_number_change_rate"),
        *("genome_elitism", "survival_threshold", "min_species_size", "compatibility_threshold"),
        *("species_fitness_func", "species_number_calculate_by", "pop_batch_size"),
    ),
    "genome": (
        *("num_inputs", "num_outputs", "max_nodes", "max_conns", "node_gene", "conn_gene", "mutation", "crossover"),
        *("distance", "output_transform", "input_transform", "init_hidden_layers", "activate_time"),
    ),
    "mutation": ("conn_add", "conn_delete", "node_add", "node_delete"),
    "distance": ("compatibility_disjoint", "compatibility_weight"),
}
"""Names of arguments in their order, by section."""
PARTS = ("node_gene", "conn_gene", "mutation", "crossover", "distance")
"""Arguments of a genome that are objects of their own; each is a section."""


@dataclass(frozen=True)
class Unread:
    """Stands for what is no plain value."""

    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Found:
    """The options by section, and the classes of the objects that they were given to."""

    options: Options
    classes: Mapping[str, str]


def from_program(text: str, source: str) -> Found:
    """Return what a program gives to TensorNEAT's classes. Raises RecipeError where there is nothing to be found."""
    try:
        with warnings.catch_warnings():
            # a program's doubtful escapes are its author's business
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        message = f"Python syntax: {shown(error.msg, '')}"
        raise RecipeError([Problem("", message, line=error.lineno)], source) from None
    except (RecursionError, MemoryError, ValueError):
        raise RecipeError([Problem("", "cannot be parsed as a program in Python")], source) from None
    variables = _variables(tree)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "NEAT"]
    if not calls:
        hint = "TensorNEAT's parameters are the arguments of NEAT(...)"
        raise RecipeError([Problem("", "calls no NEAT", hint)], source)
    sections: dict[str, dict[str, Option]] = {"NEAT": _arguments(calls[0], "NEAT", variables)}
    options = Options(source, sections)
    for other in calls[1:]:
        options.note("NEAT", "", f"another one, in line {other.lineno}, is not imported")
    classes: dict[str, str] = {}
    for node in ast.walk(tree):
        name = _called(node)
        if name == "Pipeline" and isinstance(node, ast.Call) and "Pipeline" not in sections:
            pipeline = sections["Pipeline"] = _arguments(node, "Pipeline", variables)
            pipeline.pop("algorithm", None)
            if problem := pipeline.pop("problem", None):
                text = "what is to be solved is the recipe's task"
                options.notes.append(Note("[Pipeline] problem", text, problem.line))
        elif name.startswith("HyperNEAT"):
            options.note(name, "", "not imported: here networks evolve, and none that draws another's weights")
    genome = _object(sections["NEAT"].pop("genome", None))
    if genome is None:
        options.problem("NEAT", "genome", "expected a genome that is made in this file, such as DefaultGenome(...)")
        return Found(options, classes)
    classes["genome"] = _called(genome)
    sections["genome"] = _arguments(genome, "genome", variables)
    for part in PARTS:
        option = sections["genome"].pop(part, None)
        if (made := _object(option)) is not None:
            classes[part] = _called(made)
            sections[part] = _arguments(made, part, variables)
        elif option is not None:
            message = f"expected an object that is made in this file, found {shown(option.value)}"
            options.problems.append(Problem(f"[genome] {part}", message, line=option.line))
    for section, found in sections.items():
        for name, option in found.items():
            if isinstance(option.value, ast.Call):
                found[name] = Option(Unread(f"{_called(option.value)}(...)"), option.line)
            elif name == "**":
                options.note(section, name, "what is unpacked there is not imported")
        found.pop("**", None)
    return Found(options, classes)


def _variables(tree: ast.AST) -> dict[str, ast.expr]:
    """Return what variables hold that are assigned once."""
    found: dict[str, ast.expr] = {}
    often: set[str] = set()
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
                (often.add(target.id) if target.id in found else found.__setitem__(target.id, node.value))
    return {name: value for name, value in found.items() if name not in often}


def _called(node: object) -> str:
    """Return the name of the class or function that a call calls, without its module."""
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _arguments(call: ast.Call, section: str, variables: Mapping[str, ast.expr]) -> dict[str, Option]:
    """Return what a call is given, by name."""
    found: dict[str, Option] = {}
    for name, value in zip(ORDER.get(section, ()), call.args, strict=False):
        found[name] = Option(_plain(value, variables), value.lineno)
    for keyword in call.keywords:
        found[keyword.arg or "**"] = Option(_plain(keyword.value, variables), keyword.value.lineno)
    return found


def _plain(node: ast.expr, variables: Mapping[str, ast.expr], depth: int = DEEPEST) -> Any:
    """Return a value: a number, a text, a function's name, a tuple of these, or a call as it is."""
    if isinstance(node, ast.Name) and node.id in variables and depth:
        return _plain(variables[node.id], variables, depth - 1)
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool | None):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = node.operand
        if isinstance(inner, ast.Constant) and isinstance(inner.value, int | float):
            return -inner.value
    if isinstance(node, ast.List | ast.Tuple) and depth:
        return tuple(_plain(each, variables, depth - 1) for each in node.elts)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node if isinstance(node, ast.Call) else Unread(type(node).__name__.lower())


def _object(option: Option | None) -> ast.Call | None:
    return option.value if option is not None and isinstance(option.value, ast.Call) else None


def from_record(text: str, source: str) -> Found:
    """Return what the `config.txt` of a run says. Raises RecipeError where it is none."""
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecipeError([Problem("", f"JSON syntax: {error.msg}", line=error.lineno)], source) from None
    except (RecursionError, ValueError):
        raise RecipeError([Problem("", "cannot be read as JSON")], source) from None
    algorithm = _inner(tree, "algorithm")
    genome = _inner(algorithm, "genome")
    if not genome:
        hint = "expected what Pipeline(is_save=True) writes"
        raise RecipeError([Problem("algorithm.genome", "is missing", hint)], source)
    controller = _inner(algorithm, "species_controller")
    sections = {
        "Pipeline": _recorded(tree, ORDER["Pipeline"]),
        "NEAT": _recorded({**algorithm, **controller}, ORDER["NEAT"]),
        "genome": _recorded(genome, ORDER["genome"]),
        **{part: _recorded(_inner(genome, part), None) for part in PARTS},
    }
    for part, name in (("node_gene", "activation"), ("node_gene", "aggregation")):
        _named_default(sections[part], name)
    options = Options(source, sections)
    first = [str(genome.get(name, "")) for name in ("all_init_nodes", "num_inputs", "num_outputs")]
    nodes = len(re.findall(r"\d+", first[0]))
    if nodes and first[1].isdecimal() and first[2].isdecimal():
        hidden = nodes - int(first[1][:9]) - int(first[2][:9])
        sections["genome"]["init_hidden_layers"] = Option((hidden,) if hidden > 0 else ())
    classes = {"genome": "RecurrentGenome" if "activate_time" in genome else "DefaultGenome"}
    if not any(name.startswith("response_") for name in sections["node_gene"]):
        classes["node_gene"] = "BiasNode"
    return Found(options, classes)


def _inner(table: Any, name: str) -> dict[str, Any]:
    found = table.get(name) if isinstance(table, dict) else None
    return found if isinstance(found, dict) else {}


def _recorded(table: Mapping[str, Any], names: tuple[str, ...] | None) -> dict[str, Option]:
    """Return the options of a table of texts: those of the names, or those that are parameters by their look."""
    return {
        name.replace("reponse_", "response_"): Option(_of_text(value))
        for name, value in table.items()
        if not isinstance(value, dict)
        and (name in names if names is not None else not name.endswith("_indices"))
        and value != "None"
    }


def _of_text(value: Any) -> Any:
    """Return the names of functions in a text, or the text."""
    text = value if isinstance(value, str) else repr(value)
    names = [name.rstrip("_") for name in re.findall(r"<(?:\S+ )??(?:function )?(\w+) at 0x", text)]
    if text.startswith(("[", "(")):
        return tuple(names)
    return names[0] if names else text


def _named_default(table: dict[str, Option], kind: str) -> None:
    """Put a function's name where its number in the list of options stands."""
    options, default = table.get(f"{kind}_options"), table.get(f"{kind}_default")
    if options is None or default is None:
        return
    names, place = options.value, str(default.value)
    if isinstance(names, tuple) and place.isdecimal() and int(place[:9]) < len(names):
        table[f"{kind}_default"] = Option(names[int(place[:9])])
    else:
        del table[f"{kind}_default"]
