# SPDX-License-Identifier: MIT OR Apache-2.0
"""Comparing runs: grouping, statistics against SciPy and NumPy, broken folders, tables and pictures."""

from __future__ import annotations

import json
import math
import struct
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.stats
import tomli
import tomli_w
from hypothesis import given, strategies as st
from rich.console import Console

from vynapse_core.compare import (
    Comparison,
    compare,
    comparison_markdown,
    comparison_renderable,
    holm,
    number,
    summarise,
)
from vynapse_core.errors import ArgumentError
from vynapse_core.plots import over_seeds, plot_fitness, read_curve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

RECIPE: dict[str, Any] = {
    "experiment": {"name": "xor", "description": "", "output": "runs"},
    "task": {"type": "xor"},
    "trainer": {"type": "evolution", "population": 50, "mutation": [{"type": "gaussian", "sigma": 0.1}]},
}
HEADER = "step,evaluations,seconds,best,mean,worst\n"


def make_run(folder: Path, seed: int, best: float = -0.1, *, trainer: object = None, **changes: Any) -> Path:
    """Write a finished run; `changes` replace keys of result.json."""
    folder.mkdir(parents=True)
    recipe = {**RECIPE, "experiment": {**RECIPE["experiment"], "seed": seed}}
    recipe["trainer"] = {**RECIPE["trainer"], **(trainer if isinstance(trainer, dict) else {})}
    result = {"status": "finished", "reason": "steps", "steps": 3, "evaluations": 150, "seconds": 0.5}
    result |= {"best_fitness": best, "metrics": {"test": {"loss": -best, "accuracy": 0.9}}} | changes
    (folder / "recipe.toml").write_text(tomli_w.dumps(recipe), "utf-8")
    about = {
        "name": "xor",
        "seed": seed,
        "status": "finished",
        "started": f"2025-01-01T00:00:{seed % 60:02d}Z",
    }
    (folder / "run.json").write_text(json.dumps(about), "utf-8")
    (folder / "result.json").write_text(json.dumps(result), "utf-8")
    rows = "".join(f"{i},{50 * i},{0.1 * i},{value},-9,-9\n" for i, value in enumerate((-1, -0.5, best), 1))
    (folder / "metrics.csv").write_text(HEADER + rows, "utf-8")
    return folder


def make_two_groups(root: Path, small: Sequence[float], large: Sequence[float]) -> Comparison:
    for seed, best in enumerate(small):
        make_run(root / f"small{seed}", seed, best)
    for seed, best in enumerate(large):
        make_run(root / f"large{seed}", seed, best, trainer={"population": 500})
    return compare([*sorted(root.glob("small*")), *sorted(root.glob("large*"))])


def shown(comparison: Comparison, width: int = 160) -> str:
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(comparison_renderable(comparison))
    return capture.get()


def test_runs_that_differ_only_in_seed_output_and_description_are_one_group(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "a", 1), make_run(tmp_path / "b", 2)
    text = (second / "recipe.toml").read_text("utf-8")
    text = text.replace('output = "runs"', 'output = "elsewhere"').replace('description = ""', 'description = "x"')
    assert 'output = "elsewhere"' in text
    (second / "recipe.toml").write_text(text, "utf-8")
    (group,) = compare([first, second]).groups
    assert [run.seed for run in group.runs] == [1, 2]


def test_what_watches_a_run_makes_no_other_group(tmp_path: Path) -> None:
    for seed, observers in ((1, []), (2, [{"type": "csv"}])):
        recipe = make_run(tmp_path / str(seed), seed) / "recipe.toml"
        tree = tomli.loads(recipe.read_text("utf-8")) | {"observers": observers, "checkpoint": {"steps": seed}}
        recipe.write_text(tomli_w.dumps(tree), "utf-8")
    assert len(compare([tmp_path]).groups) == 1


def test_the_formatting_of_a_recipe_does_not_matter(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1)
    second = make_run(tmp_path / "b", 2)
    (second / "recipe.toml").write_text(
        'task.type = "xor"  # the same tree\n'
        '[trainer]\nmutation = [{sigma = 1e-1, type = "gaussian"}]\npopulation = 5_0\ntype = "evolution"\n'
        '[experiment]\nseed = 2\nname = "xor"\n',
        "utf-8",
    )
    assert len(compare([tmp_path]).groups) == 1


def test_groups_of_one_name_are_told_apart_by_the_settings_that_differ(tmp_path: Path) -> None:
    labels = [group.label for group in make_two_groups(tmp_path, [-1.0], [-2.0]).groups]
    assert labels == ["xor trainer.population=50", "xor trainer.population=500"]


def test_a_part_of_another_type_is_told_by_its_type_alone(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1)
    make_run(tmp_path / "b", 1, trainer={"mutation": [{"type": "polynomial", "eta": 20.0}]})
    assert [group.label for group in compare([tmp_path]).groups] == [
        "xor trainer.mutation.0.type=gaussian",
        "xor trainer.mutation.0.type=polynomial",
    ]


def test_a_setting_that_only_one_group_has_is_none_in_the_other(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1)
    make_run(tmp_path / "b", 1, trainer={"elite": 2})
    labels = [group.label for group in compare([tmp_path]).groups]
    assert labels == ["xor trainer.elite=none", "xor trainer.elite=2"]


def test_a_group_of_one_name_alone_is_called_by_that_name(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1)
    assert compare([tmp_path]).groups[0].label == "xor"


def test_runs_are_found_below_a_folder_and_counted_once(tmp_path: Path) -> None:
    make_run(tmp_path / "xor" / "one", 1)
    make_run(tmp_path / "xor" / "deeper" / "two", 2)
    comparison = compare([tmp_path, tmp_path / "xor" / "one"])
    assert [run.seed for run in comparison.groups[0].runs] == [1, 2]
    assert comparison.notes == ()


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_a_summary_agrees_with_numpy_and_scipy(values: list[float]) -> None:
    summary = summarise(values)
    assert summary.n == len(values)
    assert summary.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert summary.deviation == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-8)
    half = scipy.stats.sem(values) * scipy.stats.t.ppf(0.975, len(values) - 1)
    expected = (np.mean(values) - half, np.mean(values) + half)
    assert summary.interval == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_diverged_fitness_near_the_largest_float_does_not_overflow() -> None:
    summary = summarise([-1.5e308, -1.5e308, -1.0e308])
    assert summary.mean == pytest.approx(-1.3333333333333333e308)
    assert summary.deviation is not None
    assert math.isfinite(summary.deviation)


def test_one_run_has_a_mean_but_neither_deviation_nor_interval(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1, -0.25)
    comparison = compare([tmp_path])
    summary = comparison.groups[0].summaries["best_fitness"]
    assert (summary.n, summary.mean, summary.deviation, summary.interval) == (1, -0.25, None, None)
    text = comparison_markdown(comparison)
    assert "| best fitness | xor | 1 | -0.25 | – | – |" in text
    assert "nan" not in text


def test_every_metric_of_the_result_is_summarised(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1, metrics={"train": {"loss": 0.5}, "test": {"accuracy": 0.75, "name": "no number"}})
    make_run(tmp_path / "b", 2, metrics={"train": {"loss": 1.5}, "test": None})
    summaries = compare([tmp_path]).groups[0].summaries
    assert list(summaries)[:4] == ["best_fitness", "steps", "evaluations", "seconds"]
    assert summaries["train.loss"].mean == 1.0
    assert summaries["test.accuracy"].n == 1
    assert "test.name" not in summaries


def test_success_is_a_run_that_reached_its_goal(tmp_path: Path) -> None:
    for seed, reason in enumerate(("fitness", "solved", "steps", "patience")):
        make_run(tmp_path / str(seed), seed, reason=reason)
    comparison = compare([tmp_path])
    assert comparison.groups[0].successes == 2
    assert "2/4 (50%)" in comparison_markdown(comparison)


def test_a_pair_is_tested_as_scipy_does_it(tmp_path: Path) -> None:
    a, b = [-3.0, -2.5, -4.0, -1.0], [-1.5, -0.5, -1.0, -0.2, -0.1]
    (pair,) = make_two_groups(tmp_path, a, b).pairs
    expected = scipy.stats.mannwhitneyu(a, b, alternative="two-sided").pvalue
    assert pair.p == pytest.approx(expected)
    assert pair.corrected == pair.p
    wins = sum((x > y) + 0.5 * (x == y) for x in a for y in b)
    assert pair.effect == pytest.approx(wins / 20)


def test_equal_groups_show_no_difference(tmp_path: Path) -> None:
    comparison = make_two_groups(tmp_path, [0.0] * 4, [0.0] * 4)
    (pair,) = comparison.pairs
    assert (pair.p, pair.effect) == (1.0, 0.5)
    assert "no significant difference (negligible effect)" in comparison_markdown(comparison)


def test_the_verdict_names_the_better_group(tmp_path: Path) -> None:
    comparison = make_two_groups(tmp_path, [-5.0, -6.0, -7.0, -8.0, -9.0], [-1.0, -2.0, -3.0, -4.0, -4.5])
    assert "xor trainer.population=500" in comparison_markdown(comparison)
    assert "#2 is better (large effect)" in comparison_markdown(comparison)


def test_under_three_runs_no_p_is_given(tmp_path: Path) -> None:
    comparison = make_two_groups(tmp_path, [-1.0, -2.0, -3.0], [-4.0, -5.0])
    (pair,) = comparison.pairs
    assert (pair.p, pair.corrected, pair.effect) == (None, None, None)
    assert "3 and 2 runs: a test is not meaningful under 3 runs a group" in comparison_markdown(comparison)


def test_groups_on_different_tasks_are_not_tested(tmp_path: Path) -> None:
    for seed in range(3):
        make_run(tmp_path / f"a{seed}", seed)
        other = make_run(tmp_path / f"b{seed}", seed)
        text = (other / "recipe.toml").read_text("utf-8").replace('type = "xor"', 'type = "sphere"')
        (other / "recipe.toml").write_text(text, "utf-8")
    (pair,) = compare([tmp_path]).pairs
    assert pair.p is None
    assert "other task" in pair.why


def test_holm_agrees_with_the_worked_definition() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_only_raises_p_and_keeps_their_order(p: list[float]) -> None:
    corrected = holm(p)
    assert all(a <= b <= 1 for a, b in zip(p, corrected, strict=True))
    assert [corrected[i] for i in np.argsort(p, kind="stable")] == sorted(corrected)


def test_three_groups_are_corrected_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for group in range(3):
        for seed in range(5):
            best = float(rng.normal(group))
            make_run(tmp_path / f"{group}-{seed}", seed, best, trainer={"population": 10 + group})
    pairs = compare([tmp_path]).pairs
    assert [pair.corrected for pair in pairs] == holm([pair.p for pair in pairs if pair.p is not None])
    assert any(pair.corrected != pair.p for pair in pairs)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: (run / "result.json").unlink(), "no usable result.json (status finished)"),
        (lambda run: (run / "result.json").write_text('{"steps": 3,'), "result.json cannot be read"),
        (lambda run: (run / "result.json").write_text("[1]"), "result.json holds list"),
        (lambda run: (run / "result.json").write_bytes(b"\xff\xfe"), "result.json cannot be read"),
        (lambda run: (run / "result.json").write_text('{"reason": "interrupted"}'), "interrupted"),
        (lambda run: (run / "result.json").write_text('{"status": "failed"}'), "left out: failed"),
        (lambda run: (run / "recipe.toml").unlink(), "no usable recipe.toml"),
        (lambda run: (run / "recipe.toml").write_text("[trainer\n"), "recipe.toml cannot be read"),
        (lambda run: (run / "recipe.toml").write_bytes(b'name = "\xff"'), "recipe.toml cannot be read"),
    ],
)
def test_a_run_that_cannot_be_compared_is_a_note(tmp_path: Path, damage: Callable[[Path], object], words: str) -> None:
    make_run(tmp_path / "good", 1)
    damage(make_run(tmp_path / "bad", 2))
    comparison = compare([tmp_path])
    assert [run.seed for run in comparison.groups[0].runs] == [1]
    assert any(words in note and "bad" in note for note in comparison.notes)
    assert words in comparison_markdown(comparison)


def test_a_broken_run_json_costs_a_note_but_not_the_run(tmp_path: Path) -> None:
    (make_run(tmp_path / "a", 7) / "run.json").write_text("{", "utf-8")
    comparison = compare([tmp_path])
    assert comparison.groups[0].runs[0].seed == 7
    assert "run.json cannot be read" in comparison.notes[0]


def test_a_fitness_that_is_not_finite_enters_no_statistic(tmp_path: Path) -> None:
    make_run(tmp_path / "a", 1, best_fitness=None)
    make_run(tmp_path / "b", 2, -0.5)
    comparison = compare([tmp_path])
    assert comparison.groups[0].summaries["best_fitness"].n == 1
    assert comparison.groups[0].summaries["steps"].n == 2
    assert "not a finite number" in comparison.notes[0]


def test_a_seed_that_occurs_twice_counts_once_by_its_latest_run(tmp_path: Path) -> None:
    early, late = make_run(tmp_path / "z-early", 1, -0.5), make_run(tmp_path / "a-late", 1, -0.25)
    about = json.loads((late / "run.json").read_text("utf-8"))
    (late / "run.json").write_text(json.dumps(about | {"started": "2025-06-01T00:00:00Z"}), "utf-8")
    comparison = compare([late, early])
    assert comparison.groups[0].values("best_fitness") == [-0.25]
    assert "repeats seed 1" in comparison.notes[0]


def make_run_on(folder: Path, seed: int, host: str, **versions: str) -> Path:
    """Write a finished run whose run.json names this host and these versions."""
    run = make_run(folder, seed)
    about = json.loads((run / "run.json").read_text("utf-8"))
    about |= {"versions": {"numpy": "2.4.6", **versions}, "host": {"name": host, "machine": "x86_64"}}
    (run / "run.json").write_text(json.dumps(about), "utf-8")
    return run


def test_a_group_from_different_hosts_or_versions_is_noted_with_what_differs(tmp_path: Path) -> None:
    make_run_on(tmp_path / "a", 1, "alpha", vynapse="0.1.0")
    make_run_on(tmp_path / "b", 2, "beta", vynapse="0.2.0")
    comparison = compare([tmp_path])
    (note,) = comparison.notes
    assert note.startswith("'xor': its runs come from different hosts or versions")
    assert note.endswith(": host.name alpha, beta; versions.vynapse 0.1.0, 0.2.0")
    assert note in comparison_markdown(comparison)
    assert len(comparison.groups[0].runs) == 2


def test_a_long_list_of_hosts_is_cut_and_harmless_on_a_terminal(tmp_path: Path) -> None:
    for seed in range(5):
        make_run_on(tmp_path / str(seed), seed, f"node{seed}\x1b[2J")
    (note,) = compare([tmp_path]).notes
    assert note.endswith("host.name node0�[2J, node1�[2J, node2�[2J and 2 more")


def test_one_environment_gives_no_note_even_where_a_run_names_none_or_lacks_a_package(tmp_path: Path) -> None:
    make_run_on(tmp_path / "a", 1, "alpha", vynapse="0.1.0")
    make_run_on(tmp_path / "b", 2, "alpha", vynapse="0.1.0", **{"vynapse-neat": "0.1.0"})
    make_run(tmp_path / "c", 3)
    assert compare([tmp_path]).notes == ()


def test_a_run_left_out_for_a_later_one_of_its_seed_does_not_count_as_another_host(tmp_path: Path) -> None:
    make_run_on(tmp_path / "a", 1, "alpha")
    make_run_on(tmp_path / "b", 1, "beta")
    (note,) = compare([tmp_path]).notes
    assert "repeats seed 1" in note


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"typo: no such folder.*recipe\.toml, run\.json"):
        compare([tmp_path / "typo"])


def test_nothing_to_compare_is_refused_with_the_reasons(tmp_path: Path) -> None:
    (make_run(tmp_path / "bad", 1) / "result.json").unlink()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match="no finished run to compare") as caught:
        compare([tmp_path / "bad", tmp_path / "empty"])
    assert "A run folder is what" in str(caught.value)
    assert "no usable result.json" in str(caught.value)
    assert "no run folder in it" in str(caught.value)
    assert caught.value.exit_code == 2


def test_without_scipy_there_is_what_needs_none_and_a_note_of_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    comparison = make_two_groups(tmp_path, [-1.0, -2.0, -3.0], [-4.0, -5.0, -6.0])
    summary = comparison.groups[0].summaries["best_fitness"]
    assert (summary.n, summary.mean, summary.deviation, summary.interval) == (3, -2.0, 1.0, None)
    assert 'pip install "vynapse[compare]"' in comparison.pairs[0].why
    (note,) = comparison.notes
    assert note == 'no confidence intervals and no tests, which need scipy: pip install "vynapse[compare]"'
    assert "| -2 | 1 | – |" in comparison_markdown(comparison)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.123456, "0.1235"),
        (-1.23456e-7, "-1.235e-07"),
        (9999.7, "10,000"),
        (1234.5, "1234"),
        (150_000.0, "150,000"),
        (1.5e12, "1.5e+12"),
    ],
)
def test_numbers_are_short_enough_to_read(value: float | None, text: str) -> None:
    assert number(value) == text


def test_terminal_and_markdown_show_the_same_numbers(tmp_path: Path) -> None:
    comparison = make_two_groups(tmp_path, [-1.0, -2.0, -3.5], [-4.0, -5.0, -6.0])
    low, high = scipy.stats.t.interval(0.95, 2, -6.5 / 3, scipy.stats.sem([-1.0, -2.0, -3.5]))
    for text in (shown(comparison), comparison_markdown(comparison)):
        for piece in (
            "xor trainer.population=500",
            "-2.167",
            "1.258",
            f"{low:.4g} … {high:.4g}",
            "0.1",
            "test.accuracy",
        ):
            assert piece in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100])
def test_a_terminal_of_any_width_shows_words_and_numbers_unbroken(tmp_path: Path, width: int) -> None:
    text = shown(make_two_groups(tmp_path, [-1.0, -2.0, -3.5], [-4.0, -5.0, -6.0]), width)
    assert max(map(len, text.splitlines())) <= width
    for piece in ("evaluations", "test.accuracy", "deviation", "interval", "-2.167", "0.9591", "significant"):
        assert piece in text
    assert ("┃" in text) == (width >= 80)


def test_names_from_files_cannot_write_markup_or_terminal_codes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", 1, reason="[bold]x|y")
    about = json.loads((run / "run.json").read_text("utf-8"))
    (run / "run.json").write_text(json.dumps(about | {"name": "evil\x1b[2J\n| name"}), "utf-8")
    comparison = compare([tmp_path])
    assert "\x1b[2J" not in shown(comparison) + comparison_markdown(comparison)
    assert "[bold]x|y" in shown(comparison)
    assert r"[bold]x\|y" in comparison_markdown(comparison)


def test_a_curve_is_the_best_so_far_without_rows_that_are_cut_or_not_finite() -> None:
    text = HEADER + "1,50,0.1,-3,0,0\n2,100,0.2,-1,0,0\n3,150,0.3,-2,0,0\n4,200,0.4,nan,0,0\n5,25\n6,300,0.6,-0.5,0,"
    x, best = read_curve(text, "evaluations")
    assert x.tolist() == [50, 100, 150]
    assert best.tolist() == [-3, -1, -1]


@pytest.mark.parametrize("text", ["", "step,mean\n1,2\n"])
def test_a_curve_without_its_columns_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|no column best"):
        read_curve(text, "step")


def test_a_run_that_ended_keeps_its_last_value() -> None:
    short = (np.array([1.0, 2.0]), np.array([-4.0, -2.0]))
    long = (np.array([1.0, 2.0, 3.0, 4.0]), np.array([-8.0, -4.0, -3.0, 0.0]))
    grid, (low, median, high) = over_seeds([short, long], (0.0, 0.5, 1.0))
    assert grid.tolist() == [1, 2, 3, 4]
    assert low.tolist() == [-8, -4, -3, -2]
    assert median.tolist() == [-6, -3, -2.5, -1]
    assert high.tolist() == [-4, -2, -2, 0]


def test_curves_at_different_times_are_compared_from_where_all_have_begun() -> None:
    one = (np.array([0.5, 1.5]), np.array([-4.0, -2.0]))
    two = (np.array([1.0, 3.0]), np.array([-8.0, 0.0]))
    grid, (low,) = over_seeds([one, two], (0.0,))
    assert grid.tolist() == [1.0, 1.5, 3.0]
    assert low.tolist() == [-8, -8, -2]


def test_a_long_curve_is_thinned_but_keeps_its_end() -> None:
    x = np.arange(1.0, 20_001.0)
    grid, (median,) = over_seeds([(x, np.linspace(-1, 0, len(x)))], (0.5,))
    assert len(grid) == 1000
    assert (grid[0], grid[-1], median[-1]) == (1.0, 20_000.0, 0.0)


@pytest.mark.parametrize("x", ["step", "evaluations", "seconds"])
def test_a_png_is_written_in_the_size_that_is_promised(tmp_path: Path, x: Any) -> None:
    comparison = make_two_groups(tmp_path / "runs", [-0.1, -0.2, -0.01], [-0.001])
    assert plot_fitness(comparison, tmp_path / "new" / "plot.png", x) == ()
    content = (tmp_path / "new" / "plot.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (1350, 750)
    assert len(content) > 10_000


def test_the_same_runs_give_the_same_svg(tmp_path: Path) -> None:
    comparison = make_two_groups(tmp_path / "runs", [-0.1, -0.2], [-0.001])
    for name in ("a.svg", "b.SVG"):
        plot_fitness(comparison, tmp_path / name, band="range", scale="log")
    content = (tmp_path / "a.svg").read_bytes()
    assert content == (tmp_path / "b.SVG").read_bytes()
    assert b"<svg" in content
    assert b"dc:date" not in content


def test_a_logarithmic_axis_takes_zeros_and_both_signs(tmp_path: Path) -> None:
    comparison = make_two_groups(tmp_path / "runs", [0.0, 0.0], [300.0])
    plot_fitness(comparison, tmp_path / "log.svg", scale="log")
    plot_fitness(comparison, tmp_path / "linear.svg")
    assert (tmp_path / "log.svg").read_bytes() != (tmp_path / "linear.svg").read_bytes()


def test_a_name_that_looks_like_a_formula_is_drawn_as_text(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", 1)
    about = json.loads((run / "run.json").read_text("utf-8"))
    (run / "run.json").write_text(json.dumps(about | {"name": r"_$\frac{$ name"}), "utf-8")
    assert plot_fitness(compare([run]), tmp_path / "plot.svg") == ()


def test_a_run_without_curve_is_a_note_and_none_at_all_is_refused(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "a", 1), make_run(tmp_path / "b", 2)
    (first / "metrics.csv").write_text(HEADER, "utf-8")
    comparison = compare([tmp_path])
    (note,) = plot_fitness(comparison, tmp_path / "plot.svg")
    assert "no whole row" in note
    (second / "metrics.csv").unlink()
    with pytest.raises(ArgumentError, match=r"(?s)no run can be drawn.*No such file"):
        plot_fitness(comparison, tmp_path / "plot.svg")


def test_a_plot_with_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"\.png or \.svg, found '\.pdf'"):
        plot_fitness(Comparison((), (), ()), tmp_path / "plot.pdf")


def test_a_plot_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    comparison = compare([make_run(tmp_path / "a", 1)])
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(ArgumentError, match="cannot be written"):
        plot_fitness(comparison, tmp_path / "file" / "plot.svg")


def test_a_missing_matplotlib_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    comparison = compare([make_run(tmp_path / "a", 1)])
    with pytest.raises(ArgumentError, match=r"vynapse\[compare\]"):
        plot_fitness(comparison, tmp_path / "plot.png")
