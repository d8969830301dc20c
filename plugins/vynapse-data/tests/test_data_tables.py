# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tasks on tables: mapped or in memory the same samples, CSV or Parquet the same table, and what is refused."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from vynapse_core import DataError
from vynapse_core.testing import check_task
from vynapse_data import csv as csv_module
from vynapse_data.converted import converted
from vynapse_data.csv import read_csv
from vynapse_data.table_task import Csv, Parquet

HEADER = "id,a,b,c,label\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vynapse" / "data"


def numbers(n: int = 500) -> Any:
    rng = np.random.default_rng(3)
    return np.column_stack([rng.normal(5, 2, (n, 3)), np.full(n, 7.0)]).astype(np.float32)


def labelled(folder: Path, n: int = 500) -> str:
    """Write a table of four inputs, of which one is constant, and a class name."""
    rows = [f"{i},{a},{b},{c},{'xyz'[i % 3]}\n" for i, (a, b, c, _) in enumerate(numbers(n).tolist())]
    (folder / "table.csv").write_text(HEADER + "".join(rows))
    return str(folder / "table.csv")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"validation": 0.1, "split_seed": 4},
        {"stratified": False, "test": 0.5},
        {"one_hot": True},
        {"input_columns": ("b", "a")},
        {"target_columns": ("b", 1), "input_columns": ("c",), "loss": "mse"},
    ],
)
def test_a_mapped_table_has_the_samples_of_one_in_memory(tmp_path: Path, settings: Any, cache: Path) -> None:
    file = labelled(tmp_path)
    # without input_columns, everything that is a number is one
    mapped, plain = (Csv(path=file, memory=memory, **settings) for memory in (0, 256))
    assert mapped.mapped
    assert not plain.mapped
    assert mapped.splits == plain.splits
    for split in plain.splits:
        assert np.array_equal(mapped.data(split).x, plain.data(split).x)
        assert np.array_equal(mapped.data(split).y, plain.data(split).y)
        assert mapped.data(split).y.dtype == plain.data(split).y.dtype
    assert not mapped.data("train").x.flags.writeable
    assert len(list(cache.iterdir())) == 1


def test_a_mapped_table_is_standardised_as_one_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savetxt(tmp_path / "table.csv", np.column_stack([numbers(), numbers()[:, 0]]), "%.9g", ",")
    monkeypatch.setattr("vynapse_data.converted.MOVED", 500)
    tasks = [
        Csv(path=str(tmp_path / "table.csv"), standardise=True, validation=0.1, memory=memory, loss="mse")
        for memory in (0, 256)
    ]
    mapped, plain = ({split: task.data(split).x for split in task.splits} for task in tasks)
    for split, x in plain.items():
        assert np.allclose(mapped[split], x, atol=2e-6)
    assert np.array_equal(mapped["test"][:, 3], np.zeros(100))


def test_a_table_is_converted_once_and_again_when_the_file_or_the_cut_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = labelled(tmp_path)
    first = Csv(path=file, memory=0).data("train").x
    monkeypatch.setattr("vynapse_data.table_task.csv_blocks", lambda file: pytest.fail("read again"))
    assert np.array_equal(Csv(path=file, memory=0, batch=16, fitness="accuracy").data("train").x, first)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Csv(path=file, memory=0, test=0.5).data("train")
    assert len(list(cache.iterdir())) == 2
    Path(file).write_text(Path(file).read_text().replace("x\n", "w\n"))
    Csv(path=file, memory=0).data("train")
    assert len(list(cache.iterdir())) == 3


def test_what_is_measured_converts_nothing_again(tmp_path: Path, cache: Path) -> None:
    path = labelled(tmp_path)
    for metrics in ((), ("f1",)):
        Csv(path=path, memory=0, metrics=metrics).data("train")
    assert len(list(cache.iterdir())) == 1


def test_a_conversion_that_fails_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    file = labelled(tmp_path)
    Path(file).write_text(Path(file).read_text() + "500,1,2,oops,x\n")
    with pytest.raises(DataError, match=r"table\.csv, line 502, column 'c'.*found 'oops'"):
        Csv(path=file, memory=0).data("train")
    assert list(cache.iterdir()) == []


def test_what_is_mapped_has_its_room_on_the_disk_before_it_is_written(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(DataError, match=r"the converted data cannot be written: .*No space left"):
        Csv(path=labelled(tmp_path), memory=0).data("train")
    assert list(cache.iterdir()) == []


def test_a_file_that_changes_while_it_is_converted_is_refused(tmp_path: Path, cache: Path) -> None:
    path = Path(labelled(tmp_path))

    def make(folder: Path) -> dict[str, Any]:
        path.write_text(path.read_text() + "1,2,3,4,x\n")
        return {"samples": {}}

    with pytest.raises(DataError, match="changed while it was converted"):
        converted([path], {}, make)
    assert list(cache.iterdir()) == []


def test_threads_that_convert_one_file_do_not_share_a_folder(tmp_path: Path, cache: Path) -> None:
    path, parts, both = labelled(tmp_path), [], Barrier(2)

    def make(folder: Path) -> dict[str, Any]:
        parts.append(folder)
        both.wait(10)
        for name in "xy":
            np.save(folder / f"{name}.npy", np.zeros((2, 1)))
        return {"samples": {"train": 2}}

    with ThreadPoolExecutor(2) as pool:
        entries = [pool.submit(converted, [path], {}, make) for _ in range(2)]
        assert {len(entry.result().datasets()["train"]) for entry in entries} == {2}
    assert len(set(parts)) == 2


def test_a_damaged_entry_of_the_cache_is_named(tmp_path: Path, cache: Path) -> None:
    file = labelled(tmp_path)
    Csv(path=file, memory=0).data("train")
    (entry,) = cache.iterdir()
    (entry / "x.npy").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"damaged.*vynapse data cache --remove"):
        Csv(path=file, memory=0).data("train")


def test_provenance_is_the_files_digest_however_it_is_read(tmp_path: Path) -> None:
    file = labelled(tmp_path)
    kept = [Csv(path=file, memory=memory, validation=0.1).provenance() for memory in (0, 256)]
    assert json.loads(json.dumps(kept[0])) == json.loads(json.dumps(kept[1]))
    assert kept[0]["samples"] == {"train": 350, "validation": 50, "test": 100}
    (record,) = kept[0]["files"]
    assert (record["path"], record["bytes"]) == (file, Path(file).stat().st_size)
    assert len(record["sha256"]) == 64


@pytest.mark.parametrize("memory", [0, 256])
def test_tables_keep_the_contract_of_tasks(tmp_path: Path, memory: float) -> None:
    check_task(Csv(path=labelled(tmp_path), memory=memory))


@pytest.mark.parametrize("size", [1, 5, 9, 14])
@pytest.mark.parametrize(
    "text",
    [
        'a,b\n1,x\n2,"y\ny"\n\n3,x\n4,"y\ny"\n5,z\n',
        "a,b\r\n1,2\r\n\r\n3,4\r\n5,6\r\n",
        '"a","b"\n"1","2"\n3,4\n',
    ],
)
def test_a_table_is_the_same_in_blocks_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, size: int
) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode())
    whole = read_csv(tmp_path / "t.csv")
    monkeypatch.setattr(csv_module, "BLOCK", size)
    parts = read_csv(tmp_path / "t.csv")
    assert np.array_equal(whole.x, parts.x)
    assert np.array_equal(whole.y, parts.y)
    assert whole.classes == parts.classes


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,4\n5,six\n", r"line 4, column 'b': found 'six' in a target column that holds numbers too"),
        ("a,b\n1,x\n3,y\n5,6\n", r"line 2, column 'b': found 'x' in a target column that holds numbers too"),
        ("a,b\n1,2\n3,4\n5\n", "line 4: expected 2 cells as in the first line, found 1"),
        ('a,b\n1,2\n"\n\n7",4\n5,\n', "line 6, column 'b': the value is missing"),
    ],
)
def test_a_fault_is_named_with_its_line_in_blocks_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str, size: int
) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode())
    monkeypatch.setattr(csv_module, "BLOCK", size)
    with pytest.raises(DataError, match=message):
        read_csv(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (("d",), "input column 'd': no such column"),
        (("a", "label"), "different columns that are no targets"),
        ((9,), "the file has 5 columns"),
    ],
)
def test_input_columns_that_do_not_fit_are_refused(tmp_path: Path, inputs: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Csv(path=labelled(tmp_path), input_columns=inputs).data("train")


def parquet(folder: Path, **columns: Any) -> str:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), folder / "table.parquet", row_group_size=100)
    return str(folder / "table.parquet")


def columns(n: int = 500) -> dict[str, Any]:
    a, b, c, _ = numbers(n).T
    return {"id": np.arange(n), "a": a, "b": b, "c": c, "label": ["xyz"[i % 3] for i in range(n)]}


@pytest.mark.parametrize("memory", [0, 256])
def test_a_parquet_file_has_the_samples_of_the_same_csv(
    tmp_path: Path, memory: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vynapse_data.parquet.ROWS", 70)
    task = Parquet(path=parquet(tmp_path, **columns()), memory=memory, validation=0.2)
    plain = Csv(path=labelled(tmp_path), validation=0.2)
    for split in plain.splits:
        assert np.allclose(task.data(split).x, plain.data(split).x)
        assert np.array_equal(task.data(split).y, plain.data(split).y)
    check_task(task)


def test_parquet_columns_may_be_dictionaries_booleans_or_any_number(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    mixed = {
        "i": pyarrow.array([1, 2, 3, 4] * 5, pyarrow.int8()),
        "t": [True, False] * 10,
        "d": pyarrow.array(["p", "q"] * 10).dictionary_encode(),
    }
    task = Parquet(path=parquet(tmp_path, **mixed), test=0)
    assert sorted(map(tuple, task.data("train").x.tolist())) == sorted([(1, 1), (2, 0), (3, 1), (4, 0)] * 5)
    assert np.array_equal(task.data("train").y, 1 - task.data("train").x[:, 1].astype(int))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": [1.0, None, 2.0]}, "row 2, column 'a': expected a finite number.*the value is missing"),
        ({"a": [1.0, 2.0, float("nan")]}, "row 3, column 'a'.*found 'nan'"),
        ({"a": ["1", "2", "3"]}, "row 1, column 'a': expected a finite number in float32 range, found '1'"),
        ({"a": [[1], [2], [3]]}, "column 'a': expected numbers, or text in a target column; found list"),
        ({"y": ["u", None, "v"]}, "row 2, column 'y'.*the value is missing"),
        ({"y": ["u", "v", " "]}, "row 3, column 'y'.*the value is missing"),
    ],
)
def test_a_bad_value_in_a_parquet_file_is_named_with_its_row(tmp_path: Path, change: Any, message: str) -> None:
    file = parquet(tmp_path, **({"a": [1.0, 2.0, 3.0], "y": ["u", "v", "u"]} | change))
    with pytest.raises(DataError, match=rf"table\.parquet, {message}"):
        Parquet(path=file).data("train")


def test_classes_that_are_long_numbers_stay_apart(tmp_path: Path) -> None:
    file = parquet(tmp_path, a=[1.0, 2.0, 3.0, 4.0], y=[1234567, 1234568, 1234567, 1234568])
    assert Parquet(path=file, targets="classes").class_names == ("1234567", "1234568")
    file = parquet(tmp_path, a=[1.0, 2.0], y=[2**53, 2**53 + 1])
    with pytest.raises(DataError, match=r"row 1, column 'y': expected a class as text, or as a number below 2\^53"):
        Parquet(path=file, targets="classes").data("train")


@pytest.mark.parametrize("kept", [0, 3, 40, -1])
def test_a_truncated_parquet_file_is_refused(tmp_path: Path, kept: int) -> None:
    file = Path(parquet(tmp_path, **columns()))
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"table\.parquet: cannot be read"):
        Parquet(path=str(file)).data("train")


def test_without_pyarrow_the_user_learns_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DataError, match=r'pip install "vynapse-data\[parquet\]"'):
        Parquet(path=str(tmp_path / "table.parquet"), memory=256).read()
