# SPDX-License-Identifier: MIT OR Apache-2.0
"""Presets: the parameters of known systems, as tables that fill in what a recipe leaves out.

Sources: Stanley & Miikkulainen 2002, section 4.1; Stanley & Miikkulainen 2004 (JAIR 21), appendix A; neat-python 2.0
with its example `xor`; TensorNEAT's default arguments. Where a paper is silent, the authors' program NEAT C++ is asked.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypeGuard

Preset: TypeAlias = Literal["stanley2002", "jair2004", "neat-python", "tensorneat"]
Table: TypeAlias = Mapping[str, Any]


def _around_zero(perturb: float, replace: float, power: float, most: float) -> Table:
    """Return how numbers change in neat-python and TensorNEAT: each by itself, by normal noise, within bounds."""
    return {
        "genome": 1.0,
        "perturb": perturb,
        "replace": replace,
        "power": power,
        "noise": "normal",
        "mean": 0.0,
        "spread": 1.0,
        "fresh": "normal",
        "least": -most,
        "most": most,
    }


_ALWAYS_MATED: Table = {"crossover": 1.0, "interspecies": 0.0, "mutate": 1.0}

_PROGRAM: Table = {"exclusive": True, "old_first": 15}
"""How NEAT C++ adds structure, of which the papers say nothing."""

TRAINERS: Mapping[str, Table] = {
    # the defaults of all tables are the paper's
    "stanley2002": {
        # the paper lets N be 1 in small genomes; its program does in all, else large ones are all of one species
        "speciation": {"distance": {"rule": "jair2004", "excess": 1.0, "disjoint": 1.0, "weight": 0.4}},
        "mutation": _PROGRAM,
    },
    "jair2004": {
        "population": 256,
        "speciation": {
            "distance": {"rule": "jair2004", "excess": 1.0, "disjoint": 1.0, "weight": 2.0},
            "threshold": 3.0,
            "control": {"rule": "step", "size": 0.3},
            "wanted": 10,
        },
        "sharing": {"stagnation": 0, "population_stagnation": 0, "worst_age": 30},
        "mating": {"interspecies": 0.05},
        "crossover": {"average": 0.4},
        "mutation": {**_PROGRAM, "add_node": 0.01, "add_connection": 0.1},
    },
    "neat-python": {
        "population": 150,
        "speciation": {
            "clustering": "nearest_compatible",
            "distance": {"rule": "neat-python", "excess": 1.0, "disjoint": 1.0, "weight": 0.5},
            "threshold": 3.0,
        },
        "sharing": {
            "quotas": "neat-python",
            "survival": 0.2,
            "fewest_parents": 2,
            "elites": 2,
            "least": 2,
            "stagnation": 20,
            "population_stagnation": 0,
            "spared": 2,
        },
        "mating": _ALWAYS_MATED,
        # a flag is one parent's, and then off in 3 of 4 where either was off: 1/4 · 1/2 are left on
        "crossover": {"disable": 0.875, "disable_both": 1.0, "equal": "mother"},
        "mutation": {
            "weight": _around_zero(0.8, 0.1, 0.5, 30.0),
            "bias": _around_zero(0.7, 0.1, 0.5, 30.0),
            "add_node": 0.2,
            "add_connection": 0.5,
            "delete_node": 0.2,
            "delete_connection": 0.5,
            "flip": 0.01,
        },
    },
    "tensorneat": {
        "speciation": {
            "clustering": "nearest_compatible",
            "distance": {"rule": "tensorneat", "excess": 1.0, "disjoint": 1.0, "weight": 0.4},
            "threshold": 2.0,
        },
        "sharing": {
            "quotas": "tensorneat",
            "survival": 0.1,
            "elites": 2,
            "least": 1,
            # it asks for more than 15 steps
            "stagnation": 16,
            "population_stagnation": 0,
            "spared": 2,
        },
        "mating": _ALWAYS_MATED,
        # a connection that is split is gone there, and stays so
        "crossover": {"disable": 1.0, "equal": "mother"},
        "mutation": {
            "weight": _around_zero(0.2, 0.015, 0.15, 5.0),
            "bias": _around_zero(0.2, 0.015, 0.15, 5.0),
            "response": {**_around_zero(0.2, 0.015, 0.15, 5.0), "mean": 1.0, "spread": 0.0},
            "add_node": 0.1,
            "add_connection": 0.2,
            "delete_node": 0.1,
            "delete_connection": 0.2,
            "activation": 0.1,
            "aggregation": 0.1,
            "from_outputs": True,
        },
    },
}
"""What the trainer leaves out, by preset."""

_STANLEY: Table = {
    "bias": "node",
    "activations": ("steep_sigmoid",),
    # NEAT C++ draws the first weights so
    "distribution": "uniform",
    "weight_spread": 1.0,
}

GENOMES: Mapping[str, Table] = {
    "stanley2002": _STANLEY,
    "jair2004": _STANLEY,
    "neat-python": {"bias": "gene", "activations": ("neat_sigmoid",)},
    "tensorneat": {
        "bias": "gene",
        "activations": ("sigmoid",),
        "output_activation": "identity",
        "response": True,
    },
}
"""What the genome leaves out, by preset."""


def filled(given: Table, presets: Mapping[str, Table]) -> dict[str, Any]:
    """Return a table with what it leaves out from the preset that it names, tables within it likewise.

    A table that asks for another `rule` than the preset's has nothing of the preset's.
    """
    named = given.get("preset")
    return _merged(presets.get(named, {}) if isinstance(named, str) else {}, given)


def _merged(below: Table, above: Table) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if _alike(under, value) else value
    return merged


def _alike(below: Any, above: Any) -> TypeGuard[Table]:
    """Return whether both are tables, and of one rule where they have any."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return False
    return bool(above.get("rule", below.get("rule")) == below.get("rule"))
