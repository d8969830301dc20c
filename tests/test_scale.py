# SPDX-License-Identifier: MIT OR Apache-2.0
"""The benchmarks of scale and memory: exponents, the picture, memory by stages, and the commands as a whole."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PROC = Path("/proc/self/clear_refs")

Importer = Callable[[str], ModuleType]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Importer]:
    monkeypatch.syspath_prepend(BENCHMARKS)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(BENCHMARKS)):
            sys.modules.pop(name)


def command(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(BENCHMARKS / program), *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_the_last_decade(bench: Importer, power: float) -> None:
    sizes = [1, 10, 100, 300, 1_000]
    seconds = [7.0, 7.0, *(3e-6 * np.array(sizes[2:], np.float64) ** power)]
    assert bench("curves").exponent(sizes, seconds) == pytest.approx(power)


def test_the_same_figures_give_the_same_picture(bench: Importer, tmp_path: Path) -> None:
    curves = bench("curves")
    panels = [curves.Panel("a", "x", "y", [1, 10, 100], {"one": [0.1, 0.2, 1.0], "two": [0.1, 0.1, 0.1]})] * 2
    first, second = tmp_path / "new" / "first.svg", tmp_path / "second.svg"
    curves.draw(panels, first)
    curves.draw(panels, second)
    assert first.read_bytes().startswith(b"<?xml")
    assert first.read_bytes() == second.read_bytes()


def test_a_page_keeps_what_stands_around_its_tables(bench: Importer, tmp_path: Path) -> None:
    page, path = bench("page"), tmp_path / "page.md"
    path.write_text("a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\n<!-- /two -->\n", encoding="utf-8")
    assert [page.missing(path, name) for name in ("one", "two")] == ["", ""]
    assert "no lines '<!-- three -->' and '<!-- /three -->'" in page.missing(path, "three")
    page.put(path, "one", ["| new \\1 |", "end"])
    page.put(path, "two", ["more"])
    expected = "a\n<!-- one -->\n| new \\1 |\nend\n<!-- /one -->\nb\n<!-- two -->\nmore\n<!-- /two -->\n"
    assert path.read_text(encoding="utf-8") == expected


def test_evaluations_are_timed_within_the_generations(bench: Importer) -> None:
    scale = bench("scale")
    options = bench("sides").Options(seconds=0, rounds=3, small=True)
    found = scale.by_population("reference", options)
    assert [one.size for one in found] == [10, 30, 100, 300, 1_000, 3_000, 10_000]
    for one in found:
        assert len(one.whole) == len(one.evaluation) == 3
        assert all(0 < part < whole for part, whole in zip(one.evaluation, one.whole, strict=True))


def test_the_command_writes_tables_figures_and_the_picture(tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    page.write_text("<!-- scale -->\nold\n<!-- /scale -->\n", encoding="utf-8")
    options = ("--small", "--rounds", 1, "--seconds", 0, "--json", figures, "--markdown-into", page)
    done = command("scale.py", *options)
    assert done.returncode == 0, done.stderr
    written = page.read_text(encoding="utf-8")
    assert written.startswith(f"<!-- scale -->\n{done.stdout}")
    assert "](images/scale.svg)" in written
    assert (tmp_path / "images" / "scale.svg").read_bytes().startswith(b"<?xml")
    assert len(re.findall(r"exponent over the last decade: -?\d+\.\d\d", written)) == 2
    values = json.loads(figures.read_text())
    assert [one["samples"] for one in values["evaluation"]] == [20, 60, 200, 600]
    assert [one["population"] for one in values["generation"]][-1] == 10_000


def test_a_page_without_a_place_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n", encoding="utf-8")
    done = command("scale.py", "--markdown-into", page)
    assert done.returncode == 2
    assert "no lines '<!-- scale -->' and '<!-- /scale -->'" in done.stderr


@pytest.mark.skipif(not PROC.exists(), reason="memory is measured where /proc tells it")
def test_memory_taken_and_given_back_is_seen_in_its_own_stage_alone(bench: Importer) -> None:
    memory, size = bench("memory"), 2**27
    before = memory.taken()
    np.ones(size, np.uint8)
    during, after = memory.taken(), memory.taken()
    assert during["most"] - before["held"] > 0.9 * size
    assert after["most"] - before["held"] < 0.5 * size


@pytest.mark.skipif(not PROC.exists(), reason="memory is measured where /proc tells it")
def test_the_command_tells_the_memory_of_each_stage(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = command("memory.py", "--small", "--json", figures)
    assert done.returncode == 0, done.stderr
    assert "bar ≤ 2,048 MiB for the whole process: reached" in done.stdout
    cases: dict[str, list[dict[str, Any]]] = json.loads(figures.read_text())["bytes"]
    assert [one["needed"] for one in cases["tiny"]] == [None, 4 * 3 * 4, 1_000 * 33 * 4, 1_000 * 8, 1_000 * 8]
    assert [one["needed"] for one in cases["images"]][1:4] == [600 * (784 * 4 + 8), 200 * 50_890 * 4, 200 * 8]
    for stages in cases.values():
        assert all(0 < one["held"] <= one["most"] for one in stages)
