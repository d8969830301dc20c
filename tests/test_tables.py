# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tables of several rows a step, as the observer `csv` writes them, and as a resumed run goes on with them."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from vynapse_core import Progress, Report, Result, RunError
from vynapse_core.errors import CheckpointError
from vynapse_core.observers.csv import Csv
from vynapse_core.observers.tables import Tables, cut_rows_after, rows_written

FINISHED = Result("finished", "steps", 3, 30, 1.5, -0.5)


def species(step):
    """Return the table of a step: one species more in each, of whole numbers, floats and an infinity."""
    ids = np.arange(step + 1)
    best = np.where(ids == step, -np.inf, ids / 7)
    return {"id": ids, "size": ids * 10 + 1, "best": best, "share": [1 / (1 + i) for i in range(step + 1)]}


def watched(folder, steps, resumed_at=None, name="species"):
    """Let the observer write the tables of `steps` into a run's folder."""
    observer = Csv()
    observer.vynapse_run_started(folder=folder, resumed_at=resumed_at)
    for step in steps:
        report = Report(step, step * 10, 1.0, 0.5, 0.0, tables={name: species(step)})
        observer.vynapse_step_finished(report=report, progress=Progress(step, step * 10, 0.5, 1.0, step, 0.0, 20.0))
        if step % 2 == 0:
            observer.vynapse_checkpoint_started()
    observer.vynapse_run_finished(result=FINISHED)


def test_a_table_has_a_row_for_each_value_and_its_step_first(tmp_path):
    watched(tmp_path, [1, 2])
    rows = list(csv.DictReader((tmp_path / "species.csv").read_text().splitlines()))
    assert list(rows[0]) == ["step", "id", "size", "best", "share"]
    assert [(int(row["step"]), int(row["id"]), int(row["size"])) for row in rows] == [
        (1, 0, 1),
        (1, 1, 11),
        (2, 0, 1),
        (2, 1, 11),
        (2, 2, 21),
    ]
    assert [float(row["best"]) for row in rows] == [0.0, -math.inf, 0.0, 1 / 7, -math.inf]
    assert json.loads((tmp_path / "run.json").read_text())["tables"] == ["species"]


@given(st.lists(st.tuples(st.floats(), st.integers(-(2**62), 2**62)), min_size=1, max_size=5))
def test_rows_read_back_to_the_same_bits(pairs):
    floats, whole = [a for a, _ in pairs], [b for _, b in pairs]
    lines = rows_written("t", 7, [np.array(floats), whole], {}).decode().splitlines()
    assert [
        [str(kind(text)) for kind, text in zip((int, float, int), line.split(","), strict=True)] for line in lines
    ] == [[str(value) for value in (7, a, b)] for a, b in pairs]


@pytest.mark.parametrize("killed_after", [2, 3, 4, 5])
def test_a_run_killed_and_resumed_writes_the_same_table(tmp_path, killed_after):
    for name in ("whole", "run"):
        (tmp_path / name).mkdir()
    whole, run = tmp_path / "whole", tmp_path / "run"
    watched(whole, range(1, 9))
    watched(run, range(1, killed_after + 1))
    with (table := run / "species.csv").open("ab") as file:
        file.write(b"9,1,")
    checkpoint = killed_after // 2 * 2
    watched(run, range(checkpoint + 1, 9), resumed_at=checkpoint)
    assert table.read_bytes() == (whole / "species.csv").read_bytes()


def test_what_came_after_the_checkpoint_is_cut_even_if_no_further_step_is_taken(tmp_path):
    watched(tmp_path, range(1, 5))
    watched(tmp_path, [], resumed_at=2)
    assert (tmp_path / "species.csv").read_text().splitlines()[-1].startswith("2,2,")


def test_a_run_resumed_from_its_start_begins_a_new_table(tmp_path):
    watched(tmp_path, [1, 2, 3])
    watched(tmp_path, [1], resumed_at=0)
    assert len((tmp_path / "species.csv").read_text().splitlines()) == 3


def test_a_table_begun_after_the_checkpoint_is_begun_anew(tmp_path):
    watched(tmp_path, [1, 2], name="islands")
    tables = Tables(tmp_path, 2)
    tables.add(3, {"species": species(3)})
    tables.close()
    (tmp_path / "metrics.csv").unlink()
    tables = Tables(tmp_path, 2)
    tables.add(3, {"species": species(3)})
    tables.close()
    assert [row.split(",")[0] for row in (tmp_path / "species.csv").read_text().splitlines()] == ["step", *"3333"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "step,id\n",
        "step,id\n1,0\n1,1\n",
        "step,id\n1,0\n1,1\n2,0",
        "step,id\n1,0\n1\n2,0\n",
        "step,id\n1,0\n3,0\n",
        "step,id\n0,0\n2,0\n",
    ],
)
def test_a_table_that_lacks_rows_of_the_checkpoint_is_refused_and_left_alone(tmp_path, text):
    (tmp_path / "run.json").write_text('{"tables": ["species"]}')
    table = tmp_path / "species.csv"
    if text is not None:
        table.write_text(text)
    step = 3 if text and "3,0" in text else 2
    with pytest.raises(CheckpointError, match=f"lacks rows up to step {step}"):
        Tables(tmp_path, step)
    assert (table.read_text() if text is not None else None) == text


@given(
    step=st.integers(1, 12), sizes=st.lists(st.integers(1, 4), min_size=12, max_size=16), torn=st.text("0123456789,")
)
def test_cutting_leaves_just_the_rows_up_to_the_checkpoint(tmp_path_factory, step, sizes, torn):
    table = tmp_path_factory.mktemp("run") / "species.csv"
    rows = [f"{n},{i},{i / 3}" for n, size in enumerate(sizes, start=1) for i in range(size)]
    table.write_text("\n".join(["step,id,best", *rows, torn]))
    assert cut_rows_after(table, step) == ("id", "best")
    assert table.read_text().splitlines() == ["step,id,best", *rows[: sum(sizes[:step])]]


@pytest.mark.parametrize("name", ["metrics", "Metrics", "a/b", "..", "", "a b", "é", "a\n"])
def test_a_name_that_is_no_files_or_anothers_is_refused(tmp_path, name):
    with pytest.raises(RunError, match="letters, digits and _"):
        Tables(tmp_path, None).add(1, {name: species(1)})
    (tmp_path / "run.json").write_text(json.dumps({"tables": [name]}))
    with pytest.raises(RunError, match="letters, digits and _"):
        Tables(tmp_path, 1)


@pytest.mark.parametrize("columns", [{}, {"id": []}, {"id": [1, 2], "size": [1]}, {"id": [1], "size": 3.0}])
def test_columns_that_make_no_rows_are_refused_with_their_lengths(tmp_path, columns):
    tables = Tables(tmp_path, None)
    with pytest.raises(RunError, match="'species' of step 4 does not fit"):
        tables.add(4, {"species": columns})
    tables.close()


def test_a_column_that_a_later_step_lacks_is_refused(tmp_path):
    tables = Tables(tmp_path, None)
    tables.add(1, {"species": {"id": [1], "size": [5]}})
    with pytest.raises(RunError, match="found id 1"):
        tables.add(2, {"species": {"id": [1]}})
    tables.close()


def test_without_tables_nothing_but_the_metrics_is_written(tmp_path):
    observer = Csv()
    observer.vynapse_run_started(folder=tmp_path, resumed_at=None)
    observer.vynapse_step_finished(
        report=Report(1, 10, 1.0, 0.5, 0.0), progress=Progress(1, 10, 0.5, 1.0, 1, 0.0, 20.0)
    )
    observer.vynapse_run_finished(result=FINISHED)
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]
