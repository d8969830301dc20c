# SPDX-License-Identifier: MIT OR Apache-2.0
"""The benchmarks against peers: turns, ratios, rows of sides that cannot take part, and the command as a whole."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MODULES = ("sides", "rounds", "tables")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.SimpleNamespace]:
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield types.SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    for name in MODULES:
        sys.modules.pop(name)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(BENCHMARKS / "compare_peers.py"), *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_sides_take_turns_and_every_other_round_goes_backwards(bench, monkeypatch):
    monkeypatch.setattr(bench.rounds, "PAUSE", 0)
    order = []
    sides = [bench.sides.Side(name, lambda name=name: order.append(name)) for name in "abc"]
    found = bench.rounds.measure(bench.sides.Contest("turns", sides), bench.sides.Options(seconds=0, rounds=4))
    assert "".join(order) == "aabbcc" + "abc" + "cba" + "abc" + "cba"
    assert [len(one.seconds) for one in found] == [4, 4, 4]


def test_a_side_that_only_partly_counts_is_timed_by_its_own_clock(bench):
    side = bench.sides.Side("own", lambda: None, units=4, clock=lambda: 2.0)
    (one,) = bench.rounds.measure(bench.sides.Contest("clock", [side]), bench.sides.Options(seconds=0, rounds=1))
    assert one.median == 0.5


def test_a_ratio_pairs_what_was_measured_in_the_same_round(bench):
    def measured(name, seconds):
        return bench.rounds.Measured(bench.sides.Side(name, lambda: None), seconds)

    ours, peer = measured("Vynapse", [1.0, 2.0, 4.0]), measured("Peer, slow", [3.0, 2.0, 8.0])
    assert bench.rounds.ratio(ours, peer) == bench.rounds.Ratio(1.5, 1.0, 3.0)
    said = bench.tables.verdict(bench.sides.Bar(2, "Peer"), [ours, peer])
    assert said == "bar ≥ 2 × Peer: missed, 1.5 (1–3), against Peer, slow"


def test_a_peer_that_is_missing_or_computes_other_numbers_is_a_row_and_no_failure(bench):
    def missing():
        return importlib.import_module("no_such_peer")

    makers = {"same": lambda: lambda: [1.0], "other": lambda: lambda: [1.1], "missing": missing}
    sides, absent = bench.sides.gathered(makers, expected=np.array([1.0]))
    assert [side.name for side in sides] == ["same"]
    assert absent["missing"] == "not installed (no_such_peer)"
    assert "computes other numbers: they differ by 0.05" in absent["other"]


def test_infinite_numbers_do_not_count_as_the_same(bench):
    with pytest.raises(ValueError, match="other numbers"):
        bench.sides.check([1.0], [np.nan], 1e-3)


def test_the_command_prints_tables_and_writes_them_and_the_figures(tmp_path):
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    page.write_text("before\n<!-- peers -->\nold\n<!-- /peers -->\nafter\n", encoding="utf-8")
    options = ("--small", "--rounds", 2, "--seconds", 0, "--json", figures, "--markdown-into", page)
    done = command("tiny", *options)
    assert done.returncode == 0, done.stderr
    assert page.read_text(encoding="utf-8") == f"before\n<!-- peers -->\n{done.stdout}<!-- /peers -->\nafter\n"
    (workload,) = json.loads(figures.read_text())["workloads"]
    names = {side["name"] for side in workload["sides"]}
    assert {"Vynapse, reference device", "NumPy, broadcasting", "NumPy, population last"} <= names
    assert names | set(workload["absent"]) >= {"JAX, vmap", "PyTorch, vmap"}
    assert all(len(side["seconds_by_round"]) == 2 for side in workload["sides"])


def test_neat_is_measured_against_a_peer_that_finds_the_same_networks_as_fit(tmp_path):
    figures = tmp_path / "figures.json"
    done = command("neat_150", "--small", "--rounds", 1, "--seconds", 0, "--json", figures)
    assert done.returncode == 0, done.stderr
    (workload,) = json.loads(figures.read_text())["workloads"]
    names = {side["name"] for side in workload["sides"]}
    assert "Vynapse, reference device" in names
    assert "neat-python" in names or "not installed" in workload["absent"]["neat-python"]
    assert "TensorNEAT" in workload["absent"]


def test_an_unknown_workload_is_refused_with_those_that_exist():
    done = command("tinny")
    assert done.returncode == 2
    assert "unknown workload tinny; known: xor, xor_large" in done.stderr


@pytest.mark.slow
def test_every_workload_runs_in_small():
    done = command("--small", "--rounds", 1, "--seconds", 0)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("**Vynapse") >= 15
