# SPDX-License-Identifier: MIT OR Apache-2.0
"""The genome `network`: rows of what is learnt, problems with their key and line, evolved and trained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vynapse_autodiff.genome import Network
from vynapse_core import Folder, Recipe, RecipeError, Streams, load_recipe, wire
from vynapse_core.catalogue import installed
from vynapse_core.experiment import Experiment
from vynapse_core.recipe import to_toml
from vynapse_core.run import run_experiment
from vynapse_core.source import read_source
from vynapse_core.testing import check_genome
from vynapse_core.testing.samples import Plane

LAYERS: tuple[dict[str, Any], ...] = (
    {"type": "dense", "units": 5, "activation": "tanh"},
    {"type": "batch_norm"},
    {"type": "dense", "units": 5, "frozen": True},
    {"type": "dropout", "rate": 0.1},
    {"type": "dense", "units": 1},
)


def network(**fields: Any) -> Network:
    return Network.model_validate({"layers": LAYERS} | fields, context={"catalogue": installed()})


def wired(genome: dict[str, Any], task: Any = None, trainer: Any = "sgd") -> Experiment:
    tables = {"task": task or Plane(), "genome": {"type": "network", **genome}, "trainer": trainer}
    recipe = {**tables, "stop": {"steps": 3}, "device": "reference"}
    return wire(Recipe.model_validate(recipe, context={"catalogue": installed()}))


def test_the_genome_keeps_its_contract() -> None:
    check_genome(network(), task=Plane())
    check_genome(network(shape=(2,)))


def test_genes_are_what_is_learnt_and_the_rest_is_structure() -> None:
    genome = network(shape=(2,))
    genes = genome.initial(4, Streams(1)("initial"))
    assert genes.values.shape == (4, 5 * 2 + 5 + 5 + 5 + 5 + 1)
    assert {name: array.shape for name, array in genes.structure.items()} == {
        "1.mean": (4, 5),
        "1.variance": (4, 5),
        "2.weight": (4, 5, 5),
        "2.bias": (4, 5),
    }
    weights = genome.networks(genes).arrays["0.weight"]
    assert np.shares_memory(weights, genes.values)


@pytest.mark.parametrize("trainer", ["sgd", {"type": "evolution", "population": 12}])
def test_one_recipe_is_trained_and_evolved_and_its_resolved_form_gives_the_same_bits(
    trainer: Any, tmp_path: Path
) -> None:
    experiment = wired({"layers": LAYERS}, trainer=trainer, task="two_spirals")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    run_experiment(experiment, Folder(tmp_path / "first"))
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(to_toml(experiment.recipe), encoding="utf-8")
    run_experiment(wire(load_recipe(resolved)), Folder(tmp_path / "second"))
    genes = [(tmp_path / name / "best" / "genes.safetensors").read_bytes() for name in ("first", "second")]
    assert genes[0] == genes[1]


def test_inputs_are_laid_out_before_the_first_layer() -> None:
    genome = network(
        layers=({"type": "conv2d", "filters": 2, "size": 2}, {"type": "flatten"}, {"type": "dense", "units": 1}),
        input=(1, 2, 2),
        shape=(4,),
    )
    assert genome.assembly.graph.nodes[genome.assembly.graph.inputs["x"]].shape == ("B", 4)
    assert genome.assembly.outputs == (1,)


@pytest.mark.parametrize(
    ("genome", "key", "text"),
    [
        ({"layers": (*LAYERS[:-1], {"type": "dense", "units": 3})}, "genome.layers.4", "must give [1], the task's"),
        ({"layers": LAYERS, "input": (1, 2, 2)}, "genome.input", "inputs [2] cannot be laid out as [1, 2, 2]"),
        ({"layers": LAYERS, "shape": (3,)}, "genome.shape", "expected [2], the shape of the task's inputs, found [3]"),
        ({"layers": ({"type": "dropout"},), "shape": (2,)}, "genome.layers", "no layer has parameters"),
        (
            {"layers": ({"type": "sequential", "layers": (LAYERS[0], {"type": "max_pool"})},)},
            "genome.layers.0.layers.1",
            "max_pool cannot take values [5]: expected images",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_key(genome: dict[str, Any], key: str, text: str) -> None:
    with pytest.raises(RecipeError) as raised:
        wired(genome)
    (found,) = raised.value.problems
    assert found.path == key
    assert text in found.message


def test_a_wrong_layer_of_a_recipe_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'task = { type = "xor" }\ntrainer = { type = "sgd" }\n\n[genome]\ntype = "network"\n'
        'layers = [\n  { type = "dense", units = 3 },\n  { type = "max_pool" },\n  { type = "dense", units = 1 },\n]\n',
        encoding="utf-8",
    )
    with pytest.raises(RecipeError) as raised:
        wire(load_recipe(path), source=read_source(path))
    (found,) = raised.value.problems
    assert (found.path, found.line) == ("genome.layers.1", 8)


def test_a_wrong_setting_of_a_layer_is_told_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'task = { type = "xor" }\ntrainer = { type = "sgd" }\n\n[genome]\ntype = "network"\n'
        'layers = [\n  { type = "dense", unit = 3 },\n  { type = "desne", units = 1 },\n]\n',
        encoding="utf-8",
    )
    with pytest.raises(RecipeError) as raised:
        load_recipe(path)
    assert {found.line for found in raised.value.problems} == {7, 8}
    assert any("did you mean 'dense'" in str(found) for found in raised.value.problems)
