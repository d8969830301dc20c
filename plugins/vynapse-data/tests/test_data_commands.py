# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse data`: what it prints, writes and deletes, and run.json's record of data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from vynapse_core.cli import main
from vynapse_data.table_task import Csv

RECIPE = """
trainer = {{ type = "evolution", population = 10 }}
[task]
type = "csv"
path = "{path}"
{more}
[stop]
steps = 2
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "cache" / "vynapse"


@pytest.fixture
def table(tmp_path: Path) -> str:
    rows = [f"{i}.25,{i % 7},{'pq'[i % 2]}\n" for i in range(40)]
    (tmp_path / "table.csv").write_text("a,b,label\n" + "".join(rows))
    return str(tmp_path / "table.csv")


def data(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def printed(*arguments: Any) -> str:
    done = data(*arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_info_tells_shapes_splits_classes_and_files(table: str) -> None:
    found = json.loads(printed("info", table, "--json", "--set", "validation=0.25"))
    assert (found["inputs"], found["outputs"], found["targets"]) == ([2], 2, "classes")
    assert {split: part["samples"] for split, part in found["splits"].items()} == {
        "train": 22,
        "validation": 10,
        "test": 8,
    }
    assert found["splits"]["test"]["classes"] == [4, 4]
    assert found["files"][0]["bytes"] == Path(table).stat().st_size
    assert found["class_names"] == ["p", "q"]
    text = printed("info", table)
    assert "classes  p, q" in text
    assert printed("info", table, "--set", "memory=0") == text
    assert "inputs   2, float32" in text
    assert "train: 32 samples" in text
    assert f"SHA-256 {found['files'][0]['sha256']}" in text


def test_data_is_named_by_a_recipe_a_file_or_a_task(tmp_path: Path, table: str) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.format(path=table, more="validation = 0.25"))
    hashes = [
        printed("hash", tmp_path / "recipe.toml"),
        printed("hash", table, "--set", "validation=0.25"),
        printed("hash", "csv", "--set", f"path={table}", "--set", "validation=0.25", "--set", "memory=0"),
    ]
    assert hashes[0] == hashes[1] == hashes[2]
    assert [line.split()[1] for line in hashes[0].splitlines()] == ["train", "validation", "test"]
    assert printed("hash", tmp_path / "recipe.toml", "--set", "task.split_seed=1") != hashes[0]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["digit"], 2, "did you mean 'digits'"),
        (["csv", "--set", "paht=x"], 2, "paht: unknown key"),
        (["csv", "--set", "path"], 2, "expected key=value"),
        (["onemax"], 2, "the task OneMax has no data"),
        (["none.csv"], 2, "there is no such file"),
        (["none.toml"], 2, "there is no such file"),
        (["{here}/notes.txt"], 2, "no reader for such a file; known are .csv"),
    ],
)
def test_what_names_no_data_is_refused(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    (tmp_path / "notes.txt").write_text("text")
    done = data("info", *(argument.format(here=tmp_path) for argument in arguments))
    assert done.exit_code == code
    assert message in done.output


@pytest.mark.parametrize("form", ["csv", "npz"])
def test_splits_are_written_and_read_back_bit_for_bit(tmp_path: Path, table: str, form: str) -> None:
    printed("split", table, "--out", tmp_path / "parts", "--format", form, "--set", "validation=0.25")
    task = Csv(path=table, validation=0.25)
    for split in task.splits:
        again = json.loads(printed("info", tmp_path / "parts" / f"{split}.{form}", "--json", "--set", "test=0"))
        assert again["splits"]["train"]["samples"] == len(task.data(split))
        if form == "npz":
            with np.load(tmp_path / "parts" / f"{split}.npz") as archive:
                assert np.array_equal(archive["x"], task.data(split).x)
                assert np.array_equal(archive["y"], task.data(split).y)
        else:
            found = np.loadtxt(tmp_path / "parts" / f"{split}.csv", np.float32, delimiter=",", skiprows=1)
            assert np.array_equal(found[:, :-1], task.data(split).x)
            assert np.array_equal(found[:, -1].astype(int), task.data(split).y)


def test_an_index_names_the_rows_of_each_split(tmp_path: Path, table: str) -> None:
    printed("split", table, "--out", tmp_path / "parts", "--format", "index")
    index = json.loads((tmp_path / "parts" / "split.json").read_text())
    assert sorted([*index["train"], *index["test"]]) == list(range(40))
    assert np.array_equal(Csv(path=table).data("test").x[:, 0], np.array(index["test"], np.float32) + 0.25)


def test_files_that_exist_are_not_overwritten(tmp_path: Path, table: str) -> None:
    printed("split", table, "--out", tmp_path / "parts")
    done = data("split", table, "--out", tmp_path / "parts")
    assert done.exit_code == 1
    assert "train.csv exists already" in done.output


def test_the_cache_is_listed_and_deleted(table: str, cache: Path) -> None:
    assert printed("cache") == "nothing is cached\n"
    printed("hash", table, "--set", "memory=0")
    printed("hash", table, "--set", "memory=0", "--set", "test=0.5")
    (cache / "mnist").mkdir()
    (cache / "mnist" / "train-labels-idx1-ubyte").write_bytes(bytes(2 << 20))
    lines = printed("cache").splitlines()
    assert lines[0] == "mnist  2.0 MiB  downloaded MNIST"
    assert all(line.endswith(f"of {table}") for line in lines[1:])
    assert len(lines) == 3
    assert printed("cache", "--remove", lines[1].split()[0][:12]) == f"deleted: {lines[1]}\n"
    done = data("cache", "--remove", "zzz")
    assert done.exit_code == 1
    assert "--remove zzz: there is none" in done.output
    assert data("cache", "--remove", "").exit_code == 1
    printed("cache", "--all")
    assert printed("cache") == "nothing is cached\n"


def test_what_a_killed_conversion_left_can_be_deleted(cache: Path) -> None:
    left = cache / "data" / f".abc.{os.getpid()}.part"
    left.mkdir(parents=True)
    assert "half-written or damaged" in printed("cache")
    printed("cache", "--remove", "abc")
    assert not left.exists()


def test_a_run_notes_the_digests_of_its_data(tmp_path: Path, table: str) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.format(path=table, more=""))
    done = CliRunner().invoke(main, ["run", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "run"), "--quiet"])
    assert done.exit_code == 0, done.output
    noted = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert noted["samples"] == {"train": 32, "test": 8}
    assert noted["files"] == json.loads(printed("info", table, "--json"))["files"]
