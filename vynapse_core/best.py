# SPDX-License-Identifier: MIT OR Apache-2.0
"""The best solution of a run, as files: its genes, and where they encode a network the graph and the weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vynapse_core.checkpoint import save_arrays
from vynapse_core.contracts import Solution
from vynapse_core.experiment import Experiment
from vynapse_core.networks import Networks
from vynapse_core.population import Array


def networks_of(experiment: Experiment, solution: Solution) -> Networks | None:
    """Return the network of a solution, or None where it is none."""
    genome = experiment.recipe.genome
    if solution.networks is not None or solution.genes is None or genome is None:
        return solution.networks
    try:
        return genome.networks(solution.genes)
    except TypeError:
        return None


def write_best(folder: Path, solution: Solution, networks: Networks | None) -> None:
    """Write a solution into `folder`, over the one that lies there."""
    arrays: dict[str, Mapping[str, Array]] = {}
    if solution.genes is not None:
        structure = {f"structure.{name}": array for name, array in solution.genes.structure.items()}
        arrays["genes.safetensors"] = {"values": solution.genes.values, **structure}
    if networks is None:
        save_arrays(folder, arrays)
        return
    # a slice, since a number taken out of an array is no array
    arrays["model.safetensors"] = {name: array[:1].reshape(array.shape[1:]) for name, array in networks.arrays.items()}
    save_arrays(folder, arrays, {"model.json": networks.graph.to_json().encode()})
