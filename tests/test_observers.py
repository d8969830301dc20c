# SPDX-License-Identifier: MIT OR Apache-2.0
"""The observers, fed with reports made by hand: the screen, the table, the log."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from rich.console import Console as Terminal, Group
from rich.live import Live

from vynapse_core import Progress, Report, Result, wire
from vynapse_core.catalogue import installed
from vynapse_core.errors import CheckpointError
from vynapse_core.folder import Folder
from vynapse_core.observers.console import Console
from vynapse_core.observers.csv import Csv, cut_after, written
from vynapse_core.observers.jsonl import Jsonl
from vynapse_core.observers.lines import Lines
from vynapse_core.observers.screen import BARS, View, clock, ending, fraction, frame, line, sparkline
from vynapse_core.recipe import build
from vynapse_core.source import Source
from vynapse_core.stop import Stop

XOR = {"experiment": {"name": "xor"}, "task": {"type": "xor"}, "trainer": {"type": "evolution"}, "stop": {"steps": 9}}
FINISHED = Result("finished", "steps", 3, 30, 1.5, -0.5, {"train": {"loss": 0.5, "accuracy": 0.75}})
FAILED = Result("failed", "the sensor is off", 3, 30, 1.5, None)


@pytest.fixture(scope="module")
def experiment():
    return wire(build(Source(XOR), installed()), catalogue=installed())


def taken(step, best=None, **columns):
    """Return the report and the progress of a step of 10 evaluations and half a second."""
    best = step / 7 if best is None else best
    report = Report(step, step * 10, best, best - 1, best - 2, columns)
    return report, Progress(step, step * 10, step * 0.5, best, step, -best, 20.0)


def last_step(folder):
    """Return the step of the last row of the table."""
    return int((folder / "metrics.csv").read_text().splitlines()[-1].split(",")[0])


def watch(observer, experiment, folder, steps, result=None, resumed_at=None):
    """Show an observer the life of a run."""
    calls = {"experiment": experiment, "folder": folder, "resumed_at": resumed_at}
    wanted = type(observer).vynapse_run_started.__code__.co_varnames[
        1 : type(observer).vynapse_run_started.__code__.co_argcount
    ]
    observer.vynapse_run_started(**{name: calls[name] for name in wanted})
    for report, progress in steps:
        observer.vynapse_step_finished(report=report, progress=progress)
    if result is not None:
        observer.vynapse_run_finished(result=result)


class Gone(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


def test_a_row_of_the_table_reads_back_to_the_same_bits(tmp_path, experiment):
    best = 0.1 + 0.2
    watch(Csv(), experiment, tmp_path, [taken(1, best, loss=1e-300), taken(2, math.pi, loss=-0.0)], FINISHED)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:6] == ["step", "evaluations", "seconds", "best", "mean", "worst"]
    assert [float(row["best"]) for row in rows] == [best, math.pi]
    assert [float(row["loss"]).hex() for row in rows] == [(1e-300).hex(), (-0.0).hex()]


@pytest.fixture
def clock_of_rows(monkeypatch):
    """The clock by which a table is written, in seconds."""
    now = [0.0]
    monkeypatch.setattr("vynapse_core.observers.csv.monotonic", lambda: now[0])
    return now


def test_rows_that_come_slowly_are_on_disk_before_the_next_step_begins(tmp_path, experiment, clock_of_rows):
    watch(observer := Csv(), experiment, tmp_path, [])
    for step in (1, 2, 3):
        observer.vynapse_step_finished(*taken(step))
        assert last_step(tmp_path) == step
        clock_of_rows[0] += 0.05
    observer.vynapse_run_finished(result=FINISHED)


def test_rows_that_come_fast_are_written_many_times_a_second(tmp_path, experiment, clock_of_rows):
    watch(observer := Csv(), experiment, tmp_path, [])
    for step in range(1, 1001):
        observer.vynapse_step_finished(*taken(step))
        assert step - last_step(tmp_path) <= 100
        clock_of_rows[0] += 0.001
    observer.vynapse_run_finished(result=FINISHED)
    assert last_step(tmp_path) == 1000


def test_all_rows_are_on_disk_before_a_checkpoint(tmp_path, experiment, clock_of_rows):
    watch(observer := Csv(), experiment, tmp_path, [taken(1), taken(2), taken(3)])
    assert last_step(tmp_path) == 1
    observer.vynapse_checkpoint_started()
    assert last_step(tmp_path) == 3
    observer.vynapse_run_finished(result=FINISHED)


def test_what_a_full_disk_leaves_of_a_row_is_written_once_there_is_room(tmp_path, monkeypatch):
    lines, write = Lines(tmp_path / "table", "wb"), os.write
    lines.add(b"first\n")
    lines.write()
    with monkeypatch.context() as patched:
        room = [3, 0]

        def nearly_full(file, data):
            if not (free := room.pop(0)):
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(file, data[:free])

        patched.setattr(os, "write", nearly_full)
        lines.add(b"second\n")
        with pytest.raises(OSError, match="No space"):
            lines.write()
    assert (tmp_path / "table").read_bytes() == b"first\nsec"
    lines.close()
    assert (tmp_path / "table").read_bytes() == b"first\nsecond\n"


def test_numbers_that_json_lacks_are_written_as_python_does(tmp_path, experiment):
    report, progress = taken(1, float("-inf"), loss=float("nan"), share=np.float32(0.1), count=np.int64(3))
    watch(Csv(), experiment, tmp_path, [(report, progress), taken(2, loss=1.0, share=0.5, count=2)], FINISHED)
    first, second = csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines())
    assert [first[name] for name in ("best", "loss", "share", "count")] == ["-inf", "nan", "0.1", "3"]
    assert [second[name] for name in ("loss", "share", "count")] == ["1.0", "0.5", "2"]


@given(st.lists(st.floats() | st.integers(-(2**62), 2**62), min_size=2))
def test_a_line_of_numbers_reads_back_to_the_same_bits(values):
    read = [type(value)(text) for value, text in zip(values, written(values).decode().split(","), strict=True)]
    assert [str(value) for value in read] == [str(value) for value in values]


def test_a_column_that_a_later_step_lacks_is_empty_and_one_that_it_adds_is_left_out(tmp_path, experiment):
    watch(Csv(), experiment, tmp_path, [taken(1, loss=0.5, rate=1.0), taken(2, rate=2.0, more=1.0)], FINISHED)
    _, second = csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines())
    assert (second["loss"], second["rate"], "more" in second) == ("", "2.0", False)


def test_rows_after_the_checkpoint_are_cut_even_where_the_last_is_torn(tmp_path):
    table = tmp_path / "metrics.csv"
    table.write_text("step,best\n1,0.5\n2,0.75\n3,0.8\n4,0.")
    assert cut_after(table, 2) == ("step", "best")
    assert table.read_bytes() == b"step,best\n1,0.5\n2,0.75\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "step,best\n",
        "step,best\n1,0.5\n2",
        "step,best\n1,0.5\n3,0.75\n",
        "step,best\n1\n2,0.5\n",
        "step,best\n2,0.5\n1,0.5\n",
        "\0\0\0\0",
        None,
    ],
)
def test_a_table_that_lacks_rows_of_the_checkpoint_is_refused_and_left_alone(tmp_path, text):
    table = tmp_path / "metrics.csv"
    if text is not None:
        table.write_text(text)
    with pytest.raises(CheckpointError, match="lacks rows up to step 2"):
        cut_after(table, 2)
    assert (table.read_text() if text is not None else None) == text


@given(step=st.integers(1, 30), more=st.integers(0, 5), torn=st.text("0123456789.,-e", max_size=12))
def test_cutting_leaves_just_the_rows_up_to_the_checkpoint(tmp_path_factory, step, more, torn):
    table = tmp_path_factory.mktemp("run") / "metrics.csv"
    rows = [f"{n},{n / 3}" for n in range(1, step + more + 1)]
    table.write_text("\n".join(["step,best", *rows, torn]))
    cut_after(table, step)
    assert table.read_text().splitlines() == ["step,best", *rows[:step]]


def test_a_resumed_table_goes_on_under_the_same_columns(tmp_path, experiment):
    watch(Csv(), experiment, tmp_path, [taken(n, loss=0.5) for n in (1, 2, 3)], FINISHED)
    whole = (tmp_path / "metrics.csv").read_bytes()
    watch(Csv(), experiment, tmp_path, [taken(n, loss=0.5) for n in (2, 3)], FINISHED, resumed_at=1)
    assert (tmp_path / "metrics.csv").read_bytes() == whole


def test_a_run_resumed_from_its_start_begins_a_new_table(tmp_path, experiment):
    (tmp_path / "metrics.csv").write_text("step,best\n1,0.5\n")
    watch(Csv(), experiment, tmp_path, [taken(1)], FINISHED, resumed_at=0)
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("kind", [Csv, Jsonl])
def test_a_full_disk_is_told_at_the_step_and_not_again_at_the_end_of_the_failed_run(tmp_path, experiment, kind):
    (tmp_path / ("metrics.csv" if kind is Csv else "events.jsonl")).symlink_to("/dev/full")
    observer = kind()
    with pytest.raises(OSError, match="No space"):
        watch(observer, experiment, tmp_path, [taken(1)])
    observer.vynapse_run_finished(result=FAILED)


def test_the_log_holds_the_start_every_improvement_and_the_end(tmp_path, experiment):
    flat = Report(2, 20, 0.1, 0.0, -1.0, {}), Progress(2, 20, 1.0, 1 / 7, 1)
    watch(Jsonl(), experiment, tmp_path, [taken(1), flat, taken(3, failed=4.0)], FINISHED)
    events = [json.loads(text) for text in (tmp_path / "events.jsonl").read_text().splitlines()]
    told = [(event["event"], event.get("step", event.get("steps"))) for event in events]
    assert told == [
        ("run_started", 0),
        ("improved", 1),
        ("individuals_failed", 3),
        ("improved", 3),
        ("run_finished", 3),
    ]
    assert (events[0]["experiment"], events[0]["seed"]) == ("xor", 0)
    assert (events[2]["failed"], events[2]["level"]) == (4, "warning")
    assert all(event["timestamp"].endswith("Z") for event in events)


def test_the_log_of_every_step_tells_improvements_from_others(tmp_path, experiment):
    flat = Report(2, 20, 0.1, 0.0, -1.0, {}), Progress(2, 20, 1.0, 1 / 7, 1)
    watch(Jsonl(every_step=True), experiment, tmp_path, [taken(1), flat], FAILED)
    events = [json.loads(text) for text in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["run_started", "improved", "step", "run_finished"]
    assert (events[-1]["level"], events[-1]["reason"]) == ("error", "the sensor is off")


def test_the_log_of_a_resumed_run_goes_on_in_the_same_file(tmp_path, experiment):
    watch(Jsonl(), experiment, tmp_path, [taken(1)], FAILED)
    watch(Jsonl(), experiment, tmp_path, [taken(1)], FINISHED, resumed_at=0)
    events = [json.loads(text)["event"] for text in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert events.count("run_resumed") == 1
    assert events.count("run_finished") == 2


def test_a_pipe_gets_the_first_and_the_last_step_and_between_them_one_line_a_second(
    tmp_path, experiment, capsys, monkeypatch
):
    now = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(now) / 10)
    watch(Console(), experiment, tmp_path, [taken(n) for n in range(1, 26)], FINISHED)
    steps = [int(text.split()[1]) for text in capsys.readouterr().out.splitlines() if text.startswith("step ")]
    assert steps == [1, 11, 21, 25]


def test_the_last_step_is_not_printed_twice(tmp_path, experiment, capsys):
    watch(Console(), experiment, tmp_path, [taken(1)], FINISHED)
    assert capsys.readouterr().out.count("step       1") == 1


def test_a_pipe_gets_no_control_characters(tmp_path, experiment, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    watch(Console(), experiment, tmp_path, [taken(1), taken(2)], FINISHED)
    assert "\x1b" not in capsys.readouterr().out


def test_what_is_run_stands_first_and_how_it_ended_last(tmp_path, experiment, capsys):
    watch(Console(), experiment, tmp_path, [taken(1)], FINISHED, resumed_at=1200)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "xor · xor by evolution on the numba device · seed 0 · resumed after step 1,200"
    assert told[-4:] == [
        "finished: the last step was taken (3 steps, 30 evaluations, 1.50 s)",
        "best fitness -0.5",
        "train: loss 0.5, accuracy 0.75",
        f"files in {tmp_path}",
    ]


def test_a_run_that_failed_before_it_began_is_left_to_its_error(experiment, capsys):
    Console().vynapse_run_finished(result=FAILED)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("stream", [Gone(), None])
def test_a_reader_that_leaves_does_not_end_the_run(tmp_path, experiment, monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)
    watch(Console(every=1e-9), experiment, tmp_path, [taken(1), taken(2)], FINISHED)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self):
        return True


def screen(monkeypatch):
    """Return a terminal of 80 columns in place of stdout."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stdout", Screen())
    return sys.stdout


def test_a_terminal_gets_a_live_display_and_its_cursor_back(tmp_path, experiment, monkeypatch):
    shown = screen(monkeypatch)
    watch(observer := Console(), experiment, tmp_path, [taken(1)])
    assert isinstance(observer._live, Live)
    assert "step 1 of 9" in shown.getvalue().replace("\x1b[2m", "").replace("\x1b[0m", "")
    observer.vynapse_run_finished(result=FINISHED)
    after = shown.getvalue()
    assert after.count("\x1b[?25l") == after.count("\x1b[?25h") == 1
    assert after.rstrip().endswith(f"files in {tmp_path}")


def test_frames_are_drawn_a_few_times_a_second_however_fast_the_steps_are(tmp_path, experiment, monkeypatch):
    screen(monkeypatch)
    now = iter(range(10_000))
    monkeypatch.setattr("vynapse_core.observers.console.time", SimpleNamespace(monotonic=lambda: next(now) / 1000))
    drawn = []
    monkeypatch.setattr(
        "vynapse_core.observers.console.frame", lambda view, width: drawn.append(view.report.step) or ""
    )
    watch(Console(), experiment, tmp_path, [taken(n) for n in range(1, 1001)], FINISHED)
    assert 3 <= len(drawn) <= 5
    assert drawn[0] == 1


def test_a_terminal_that_knows_no_control_characters_gets_lines(tmp_path, experiment, monkeypatch):
    shown = screen(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    watch(Console(), experiment, tmp_path, [taken(1)], FINISHED)
    assert "\x1b" not in shown.getvalue()
    assert "step       1" in shown.getvalue()


def view(stop=None, goal=None, **changed):
    report, progress = taken(1234, -0.0123)
    shown = {"best": [-1.0, -0.5, -0.0123], "steps_per_second": 2.0, "evaluations_per_second": 20.0, **changed}
    return View(report, progress, stop or Stop(steps=5000, patience=50), goal, **shown)


def drawn(shown, width):
    terminal = Terminal(width=width, file=io.StringIO(), force_terminal=False, highlight=False)
    terminal.print(Group(frame(shown, width)))
    return terminal.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [1, 10, 30, 60, 80, 200])
def test_a_frame_has_the_same_lines_at_every_width_and_none_is_too_wide(width):
    lines = drawn(view(), width)
    assert len(lines) == 6
    assert max(map(len, lines)) <= width


def test_a_frame_says_how_far_how_good_and_how_fast():
    first, bar, fitness, curve, speed, hint = drawn(view(goal=-0.01), 80)
    assert first == "step 1,234 of 5,000   25%   10:17   31:23 left"
    assert (bar.count("━"), bar.count("─")) == (18, 54)
    assert fitness.split()[:4] == ["best", "-0.0123", "goal", "-0.01"]
    assert curve == "▁▅█"[0] + curve[1] + "█"
    assert speed == "2 steps/s   20 evaluations/s   no better for 0 of 50 steps"
    assert "vynapse resume" in hint


def test_a_run_without_a_limit_has_no_bar():
    assert len(drawn(view(Stop(fitness=0.0)), 80)) == 5
    assert fraction(Stop(patience=3), Progress(step=5)) is None


def test_the_nearest_limit_tells_how_much_is_done():
    stop = Stop(steps=100, evaluations=1000, seconds=10.0)
    assert fraction(stop, Progress(step=10, evaluations=900, seconds=5.0)) == 0.9
    assert fraction(stop, Progress(step=10, evaluations=100, seconds=9.5)) == 0.95


def test_individuals_that_failed_are_counted_on_the_screen():
    report, progress = taken(3, failed=12.0)
    assert "12 failed" in line(report, progress)
    assert "failed" not in line(*taken(3, failed=0.0))
    assert drawn(View(report, progress, Stop(), None, [1.0], 1.0, 1.0), 80)[0].endswith("failed 12")


@given(st.lists(st.floats(), max_size=300), st.integers(1, 100))
@example([-1.7e308, 1.7e308], 10)
@example([5e-324, 1e-323], 10)
def test_a_curve_is_as_wide_as_its_values_or_the_screen(values, width):
    curve = sparkline(values, width)
    assert set(curve) <= {*BARS, " "}
    assert len(curve) == (min(len(values), width) if any(map(math.isfinite, values)) else 0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_a_higher_value_never_has_a_lower_bar(values):
    curve = sparkline(values, 60)
    ranked = sorted(zip(values, map(BARS.index, curve), strict=True))
    assert [bar for _, bar in ranked] == sorted(bar for _, bar in ranked)


def test_a_curve_shows_the_first_and_the_last_value():
    curve = sparkline([0.0, *[0.5] * 500, 1.0], 10)
    assert (curve[0], curve[-1]) == (BARS[0], BARS[-1])


def test_losses_over_orders_of_magnitude_are_drawn_by_their_logarithm():
    assert sparkline([-1.0, -0.1, -0.01, -0.001]) == "▁▃▅█"
    assert sparkline([1.0, 10.0, 100.0, 1000.0]) == "▁▃▅█"
    assert sparkline([1.0, 2.0, 3.0]) == "▁▄█"


def test_equal_values_draw_a_flat_line():
    assert sparkline([3.0, 3.0]) == "▁▁"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (59.9, "0:59"),
        (61, "1:01"),
        (3600, "1:00:00"),
        (86399, "23:59:59"),
        (2 * 86400 + 1, "2 days 0:00:01"),
    ],
)
def test_a_duration_is_written_as_a_clock_shows_it(seconds, text):
    assert clock(seconds) == text


def test_an_interrupted_run_says_how_to_go_on_even_with_blanks_in_its_path(tmp_path):
    folder = Folder(tmp_path / "my runs" / "a")
    told = ending(Result("interrupted", "interrupted", 1, 10, 0.1, None), folder)[0]
    quote = "'" if os.name == "posix" else '"'
    assert told == f"interrupted after 1 step; go on with: vynapse resume {quote}{folder.path}{quote}"


def test_a_run_stopped_at_once_says_so(tmp_path):
    told = ending(Result("interrupted", "stopped at once", 2, 10, 0.1, None), Folder(tmp_path))[0]
    assert told.startswith("interrupted after 2 steps, stopped at once; go on with")


def test_a_failed_run_says_how_to_go_on_only_where_there_is_a_checkpoint(tmp_path):
    assert len(ending(FAILED, Folder(tmp_path))) == 1
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "state.json").touch()
    assert "vynapse resume" in ending(FAILED, Folder(tmp_path))[1]


def test_every_reason_that_a_run_can_stop_for_is_told_in_words(tmp_path):
    for reason in ("solved", "fitness", "loss", "patience", "steps", "evaluations", "seconds"):
        told = ending(Result("finished", reason, 1, 1, 1.0, None), Folder(tmp_path))[0]
        assert told.startswith(("finished: the ", "finished: all "))
