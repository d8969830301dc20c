# SPDX-License-Identifier: MIT OR Apache-2.0
"""neat-python's configuration files: INI, with the line of every option.

An option that neat-python demands and a file lacks is that of its example `xor`, which is noted.
"""

from __future__ import annotations

import configparser
import math
import re

from vynapse_core import Problem, RecipeError
from vynapse_neat.interchange.options import Option, Options, shown

NEAT, GENOME, SPECIES = "NEAT", "DefaultGenome", "DefaultSpeciesSet"
STAGNATION, REPRODUCTION = "DefaultStagnation", "DefaultReproduction"


def _numbers(
    kind: str, mean: float, deviation: float, mutate: float, replace: float, power: float
) -> dict[str, float | str]:
    return {
        f"{kind}_init_mean": mean,
        f"{kind}_init_stdev": deviation,
        f"{kind}_mutate_rate": mutate,
        f"{kind}_replace_rate": replace,
        f"{kind}_mutate_power": power,
        f"{kind}_min_value": -30.0,
        f"{kind}_max_value": 30.0,
    }


EXAMPLE: dict[str, dict[str, float | str]] = {
    NEAT: {"pop_size": 150, "fitness_criterion": "max", "fitness_threshold": 3.9},
    GENOME: {
        "compatibility_disjoint_coefficient": 1.0,
        "compatibility_weight_coefficient": 0.5,
        "conn_add_prob": 0.5,
        "conn_delete_prob": 0.5,
        "node_add_prob": 0.2,
        "node_delete_prob": 0.2,
        "enabled_mutate_rate": 0.01,
        "feed_forward": "true",
        "activation_mutate_rate": 0.0,
        "activation_options": "sigmoid",
        "aggregation_mutate_rate": 0.0,
        "aggregation_options": "sum",
        **_numbers("bias", 0.0, 1.0, 0.7, 0.1, 0.5),
        **_numbers("response", 1.0, 0.0, 0.0, 0.0, 0.0),
        **_numbers("weight", 0.0, 1.0, 0.8, 0.1, 0.5),
    },
    SPECIES: {"compatibility_threshold": 3.0},
}
"""Options that neat-python demands, as in its example `xor`."""


def read_options(text: str, source: str) -> Options:
    """Return the options of a configuration; those that are missing are noted. Raises RecipeError."""
    options = _parsed(text, source)
    if NEAT not in options.sections:
        hint = "the parameters of TensorNEAT are in a program, *.py, or in its config.txt"
        raise _malformed(source, "has no section [NEAT], as neat-python's configurations have", None, hint)
    for section, names in EXAMPLE.items():
        for name, value in names.items():
            if name not in options.sections.get(section, {}):
                options.note(section, name, f"missing; {value} as in neat-python's example xor")
    return options


def default(name: str) -> float:
    """Return what stands in for a number of the genome's that is missing."""
    value = EXAMPLE[GENOME][name]
    return float(value) if isinstance(value, int | float) else math.nan


def _parsed(text: str, source: str) -> Options:
    """Return the options of an INI file with their lines; a `%` in a value is only a `%`."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text, source)
    except configparser.MissingSectionHeaderError as error:
        raise _malformed(source, "expected a section such as [NEAT] before any option", error.lineno) from None
    except configparser.DuplicateSectionError as error:
        raise _malformed(source, f"the section [{shown(error.section, '')}] stands twice", error.lineno) from None
    except configparser.DuplicateOptionError as error:
        message = f"the option {shown(error.option)} stands twice in [{shown(error.section, '')}]"
        raise _malformed(source, message, error.lineno) from None
    except configparser.ParsingError as error:
        problems = [Problem("", "expected 'option = value'", line=line) for line, _ in error.errors]
        raise RecipeError(problems, source) from None
    except configparser.Error as error:
        raise _malformed(source, shown(error.message, ""), None) from None
    lines = _lines(text, parser)
    return Options(
        source,
        {
            section: {
                name: Option(value, lines.get((section, name)) or lines.get((parser.default_section, name)))
                for name, value in parser.items(section)
            }
            for section in parser.sections()
        },
    )


def _malformed(source: str, message: str, line: int | None, hint: str = "") -> RecipeError:
    return RecipeError([Problem("", message, hint, line)], source)


def _lines(text: str, parser: configparser.RawConfigParser) -> dict[tuple[str, str], int]:
    """Return the line of every option; the text is one that the parser took."""
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := parser.SECTCRE.match(line.strip()):
            section = header["header"]
        elif option := re.match(r"\s*([^=:#;\s][^=:]*?)\s*[=:]", line):
            found.setdefault((section, parser.optionxform(option[1])), number)
    return found
