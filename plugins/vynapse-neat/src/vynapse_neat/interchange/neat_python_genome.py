# SPDX-License-Identifier: MIT OR Apache-2.0
"""The genome of neat-python's configurations, and how its numbers change."""

from __future__ import annotations

import math
from typing import Any

from vynapse_neat.interchange.neat_python_file import EXAMPLE, GENOME, default
from vynapse_neat.interchange.options import Options, shown

ACTIVATIONS = {
    **{name: name for name in ("identity", "relu", "elu", "lelu", "selu", "clamped", "inv", "log", "exp", "abs")},
    **{name: name for name in ("hat", "square", "cube")},
    **{name: f"neat_{name}" for name in ("sigmoid", "tanh", "sin", "gauss", "softplus")},
}
"""Its names of activations, and ours of the same functions."""
AGGREGATIONS = {name: name for name in ("sum", "product", "min", "max", "mean", "median", "maxabs")}
CONNECTIONS = {
    "unconnected": "unconnected",
    "fs_neat": "none",
    "fs_neat_nohidden": "none",
    "fs_neat_hidden": "none",
    "full": "full",
    "full_nodirect": "full",
    "full_direct": "full",
    "partial": "full",
    "partial_nodirect": "full",
    "partial_direct": "full",
}
"""Its first topologies, and the nearest of ours."""


def change_of(options: Options, kind: str) -> dict[str, Any]:
    """Return how numbers of a kind change, a table of `Change`; new ones are drawn as the first ones are."""

    def number(name: str, low: float = -math.inf) -> float:
        return options.number(GENOME, f"{kind}_{name}", default(f"{kind}_{name}"), low)

    def probability(name: str) -> float:
        return options.probability(GENOME, f"{kind}_{name}", default(f"{kind}_{name}"))

    mean, deviation = number("init_mean"), number("init_stdev", low=0.0)
    least, most = number("min_value"), number("max_value")
    if least > most:
        options.problem(GENOME, f"{kind}_min_value", f"{least:g} lies above {kind}_max_value, {most:g}")
    perturb, replace = probability("mutate_rate"), probability("replace_rate")
    if perturb + replace > 1.0:
        text = f"with {kind}_mutate_rate more than 1; what is left of 1 is {1 - perturb:g}"
        options.note(GENOME, f"{kind}_replace_rate", text)
        replace = 1.0 - perturb
    form = options.word(GENOME, f"{kind}_init_type", "gaussian").lower()
    if "gauss" in form or "normal" in form:
        fresh, spread = "normal", deviation
        if mean + 3 * deviation > most or mean - 3 * deviation < least:
            text = f"first values beyond {least:g} and {most:g} are cut there; here only once they change"
            options.note(GENOME, f"{kind}_init_stdev", text)
    elif "uniform" in form:
        low, high = max(least, mean - 2 * deviation), min(most, mean + 2 * deviation)
        fresh, mean, spread = "uniform", (low + high) / 2, max((high - low) / 2, 0.0)
    else:
        options.problem(GENOME, f"{kind}_init_type", f"expected gaussian or uniform, found {shown(form)}")
        fresh, spread = "normal", deviation
    return {
        "genome": 1.0,
        "perturb": perturb,
        "replace": replace,
        "power": number("mutate_power", low=0.0),
        "noise": "normal",
        "mean": mean,
        "spread": spread,
        "fresh": fresh,
        "least": least,
        "most": most,
    }


def genome_of(
    options: Options, weight: dict[str, Any], bias: dict[str, Any], response: dict[str, Any]
) -> dict[str, Any]:
    """Return the genome's table, by how its numbers change."""
    hidden = options.integer(GENOME, "num_hidden", 0)
    feed_forward = options.flag(GENOME, "feed_forward", True)
    activations, output = _functions(options, "activation", ACTIVATIONS, "neat_sigmoid")
    aggregations, first = _functions(options, "aggregation", AGGREGATIONS, "sum")
    aggregations = (first, *(name for name in aggregations if name != first))
    varies = (response["mean"], response["spread"], response["perturb"] * response["power"]) != (1.0, 0.0, 0.0)
    if varies and (response["mean"], response["spread"]) != (1.0, 0.0):
        options.note(GENOME, "response_init_mean", "a node that splits a connection has the response 1 here")
    for kind, table in (("bias", bias), ("response", response)):
        if table["fresh"] != weight["fresh"] and table["spread"] > 0:
            text = f"first values have the distribution of the weights, {weight['fresh']}; new ones are as there"
            options.note(GENOME, f"{kind}_init_type", text)
    enabled = options.word(GENOME, "enabled_default", "true").lower()
    if enabled not in ("true", "yes", "on", "1"):
        options.note(GENOME, "enabled_default", "new connections are enabled here")
    for name in (name for name in options.sections.get(GENOME, {}) if name.startswith("time_constant_")):
        options.option(GENOME, name)
        options.note(GENOME, name, "for continuous-time networks, which there are none of here")
    found: dict[str, Any] = {"type": "neat", "preset": "neat-python"}
    for ours, theirs in (("inputs", "num_inputs"), ("outputs", "num_outputs")):
        if options.option(GENOME, theirs):
            found[ours] = options.integer(GENOME, theirs, 1, low=1, high=2**20)
    return found | {
        "initial_topology": _connections(options, hidden, feed_forward),
        "hidden": hidden,
        "bias": "gene",
        "activations": activations,
        "output_activation": output,
        "aggregations": aggregations,
        "response": varies,
        "recurrent": not feed_forward,
        "distribution": weight["fresh"],
        "weight_mean": weight["mean"],
        "weight_spread": weight["spread"],
        "bias_mean": bias["mean"],
        "bias_spread": bias["spread"],
        "response_mean": response["mean"],
        "response_spread": response["spread"],
    }


def _functions(options: Options, kind: str, table: dict[str, str], fallback: str) -> tuple[tuple[str, ...], str]:
    """Return the functions that nodes draw from, and the one that outputs begin with."""
    drawn = options.option(GENOME, f"{kind}_options")
    names = str(drawn.value).split() if drawn else [str(EXAMPLE[GENOME][f"{kind}_options"])]
    found = tuple(options.known(GENOME, f"{kind}_options", names, table, kind))
    if not found:
        options.problem(GENOME, f"{kind}_options", f"none of these is known here: {', '.join(table)}")
        return (fallback,), fallback
    name = options.word(GENOME, f"{kind}_default", "random")
    if name.lower() in ("random", "none"):
        if len(found) > 1:
            options.note(GENOME, f"{kind}_default", f"outputs begin with {found[0]}; hidden nodes draw, as there")
        return found, found[0]
    chosen = options.known(GENOME, f"{kind}_default", [name], table, kind)
    if not chosen:
        return found, found[0]
    if len(found) > 1:
        text = f"outputs begin with {chosen[0]}; hidden nodes draw one of {kind}_options when they come"
        options.note(GENOME, f"{kind}_default", text)
    return found, chosen[0]


def _connections(options: Options, hidden: int, feed_forward: bool) -> str:
    """Return the first topology that is nearest to the one asked for."""

    def note(text: str) -> None:
        options.note(GENOME, "initial_connection", text)

    name, _, share = options.word(GENOME, "initial_connection", "unconnected").partition(" ")
    if name not in CONNECTIONS:
        known = ", ".join(CONNECTIONS)
        options.problem(GENOME, "initial_connection", f"expected one of {known}; found {shown(name)}")
        return "full"
    if name.startswith("partial"):
        note(f"each connection there with probability {shown(share.strip(), '')}; here all are")
    if name.endswith("_direct") and hidden:
        note("inputs are not linked to outputs where there are hidden nodes")
    if name.startswith("fs_neat") and hidden:
        note("the input is linked to the hidden nodes, and these to the outputs")
    if name == "unconnected" and hidden:
        note("hidden nodes are linked to the outputs")
    if not feed_forward:
        if name.startswith(("full", "partial")):
            note("nodes are not linked to themselves at first")
        options.note(GENOME, "feed_forward", "connections may begin at outputs too")
    return CONNECTIONS[name]
