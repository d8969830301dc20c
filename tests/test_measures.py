# SPDX-License-Identifier: MIT OR Apache-2.0
"""What tasks may ask to be measured: against scikit-learn, on every device, and in the result of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Array, Builder, Loss, RecipeError, Value, named_folder, run_experiment, wire
from vynapse_core.catalogue import installed
from vynapse_core.devices.reference import Reference
from vynapse_core.measures import measured
from vynapse_core.recipe import Recipe

NAMES = ("confusion", "f1", "r2", "top1", "top2", "top3")


class Squares(Loss):
    """The mean squared error, whose threshold parts classes at one half."""

    def build(self, prediction: Value, target: Value) -> Value:
        return ((prediction - target) ** 2).mean()


def found(names: tuple[str, ...], y: Array, prediction: Array, device: Any = None) -> dict[str, Array]:
    """Return measures of P predictions [P, B, k], computed by a graph whose network is a parameter."""
    builder = Builder()
    target = builder.input("target", ("B", *y.shape[1:]), str(y.dtype))
    told = builder.input("told", ("B", prediction.shape[2]))
    outputs = {name: measured(name, Squares(), told, target) for name in names}
    program = (device or Reference()).compile(builder.graph(outputs), per_network=("told",))
    return program({}, {"target": y, "told": prediction.astype(np.float32)})


@given(seed=st.integers(0, 2**16), classes=st.integers(2, 6), samples=st.integers(1, 40))
@settings(deadline=None, max_examples=30)
def test_confusion_and_f1_are_those_of_scikit_learn(seed: int, classes: int, samples: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, samples)
    prediction = rng.normal(size=(2, samples, classes))
    ours = found(("confusion", "f1"), y, prediction)
    for p in range(2):
        named = prediction[p].astype(np.float32).argmax(1)
        wanted = sklearn.confusion_matrix(y, named, labels=range(classes))
        np.testing.assert_array_equal(ours["confusion"][p], wanted)
        f1 = sklearn.f1_score(y, named, average="macro", zero_division=0)
        assert ours["f1"][p] == pytest.approx(f1, abs=1e-6)


@given(seed=st.integers(0, 2**16), classes=st.integers(3, 6), samples=st.integers(1, 40))
@settings(deadline=None, max_examples=30)
def test_the_class_is_looked_for_among_the_highest_outputs(seed: int, classes: int, samples: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, samples)
    # few levels, so that there are equal ones, of which the first counts as in argmax
    prediction = rng.integers(0, 4, size=(1, samples, classes)).astype(float)
    ours = found(("top1", "top2", "top3"), y, prediction)
    order = np.argsort(-prediction[0], axis=1, kind="stable")
    for count in (1, 2, 3):
        wanted = (order[:, :count] == y[:, None]).any(1).mean()
        assert ours[f"top{count}"][0] == pytest.approx(wanted, abs=1e-6)


@given(seed=st.integers(0, 2**16), outputs=st.integers(1, 3), samples=st.integers(2, 40))
@settings(deadline=None, max_examples=30)
def test_r2_is_that_of_scikit_learn(seed: int, outputs: int, samples: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(samples, outputs)).astype(np.float32)
    prediction = y + rng.normal(size=(1, samples, outputs)).astype(np.float32)
    wanted = sklearn.r2_score(y.astype(float), prediction[0].astype(float))
    assert found(("r2",), y, prediction)["r2"][0] == pytest.approx(wanted, rel=1e-3, abs=1e-4)


def test_targets_that_are_all_the_same_are_explained_only_exactly() -> None:
    y = np.full((4, 1), 2.0, np.float32)
    ours = found(("r2",), y, np.stack([y, y + 1]))["r2"]
    np.testing.assert_array_equal(ours, [1.0, 0.0])


def test_a_single_output_names_one_of_two_classes() -> None:
    y = np.array([[0.0], [1.0], [1.0], [0.0]], np.float32)
    ours = found(("confusion", "f1"), y, np.array([[[0.2], [0.9], [0.1], [0.7]]]))
    np.testing.assert_array_equal(ours["confusion"][0], [[1, 1], [1, 1]])
    assert ours["f1"][0] == pytest.approx(0.5)


def test_devices_agree_on_many_samples() -> None:
    rng = np.random.default_rng(1)
    y, prediction = rng.integers(0, 10, 3000), rng.normal(size=(3, 3000, 10))
    other = installed().entry("device", "numba").component()
    theirs = found(NAMES, y, prediction, other)
    for name, wanted in found(NAMES, y, prediction).items():
        np.testing.assert_allclose(theirs[name], wanted, rtol=1e-5, err_msg=name)


def recipe(task: dict[str, Any], layers: tuple[int, ...]) -> Recipe:
    table = {
        "task": task,
        "genome": {"type": "mlp", "layers": layers},
        "trainer": {"type": "evolution", "population": 10},
        "stop": {"steps": 2},
        "device": "reference",
    }
    return Recipe.model_validate(table, context={"catalogue": installed()})


def test_a_result_has_what_the_task_asks_for(tmp_path: Path) -> None:
    wired = wire(recipe({"type": "two_spirals", "metrics": ("f1", "confusion")}, (2, 8, 1)))
    run_experiment(wired, named_folder(tmp_path / "run"))
    metrics = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))["metrics"]["train"]
    counts = np.array(metrics["confusion"])
    assert counts.shape == (2, 2)
    assert counts.sum() == len(wired.task.data("train"))
    assert metrics["accuracy"] == pytest.approx(np.trace(counts) / counts.sum(), rel=1e-5)
    assert 0 <= metrics["f1"] <= 1


@pytest.mark.parametrize(
    ("metric", "said"),
    [("top2", "compares outputs with each other"), ("precision", "precision"), ("top0", "top0")],
)
def test_a_metric_that_makes_no_sense_is_refused(metric: str, said: str) -> None:
    with pytest.raises((RecipeError, ValueError), match=said):
        wire(recipe({"type": "two_spirals", "metrics": (metric,)}, (2, 8, 1)))
