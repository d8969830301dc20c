# SPDX-License-Identifier: MIT OR Apache-2.0
"""CSV files: numbers and class names come back, and what is wrong is named with its line."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from vynapse_core.errors import DataError
from vynapse_data.csv import read_csv

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, text: str) -> Path:
    file = folder / "data.csv"
    file.write_bytes(text.encode())
    return file


IRIS = "length,width,species\n5.1,3.5,setosa\n7.0, 3.2 ,versicolor\n\n4.9,3.0,setosa\n"


def test_class_names_become_ids_in_sorted_order(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, IRIS))
    np.testing.assert_array_equal(table.x, np.array([[5.1, 3.5], [7.0, 3.2], [4.9, 3.0]], np.float32))
    assert table.x.dtype == np.float32
    assert table.y.tolist() == [0, 1, 0]
    assert table.y.dtype == np.int64
    assert table.features == ("length", "width")
    assert table.classes == ("setosa", "versicolor")


@pytest.mark.parametrize("target", ["width", 1, -2])
def test_a_target_is_named_or_counted_from_either_end(tmp_path: Path, target: Any) -> None:
    table = read_csv(written(tmp_path, "a,width,c\n1,2,3\n4,5,6\n"), target)
    np.testing.assert_array_equal(table.y, [2, 5])
    np.testing.assert_array_equal(table.x, [[1, 3], [4, 6]])
    assert table.classes is None
    assert table.features == ("a", "c")


def test_several_targets_come_in_the_order_asked_for(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, "a,b,c\n1,2,3\n4,5,6\n"), target=["c", 0])
    np.testing.assert_array_equal(table.y, [[3, 1], [6, 4]])
    assert table.features == ("b",)


def test_a_file_without_header_keeps_its_first_row(tmp_path: Path) -> None:
    for header in ("auto", False):
        table = read_csv(written(tmp_path, "1,2,a\n3,4,b\n"), header=header)
        assert table.x.tolist() == [[1, 2], [3, 4]]
        assert table.features == ("column 0", "column 1")


def test_a_header_of_numbers_is_a_header_when_told_so(tmp_path: Path) -> None:
    file = written(tmp_path, "10,20\n1,2\n")
    assert read_csv(file, header=True).features == ("10",)
    assert read_csv(file, target="20").x.tolist() == [[1]]


def test_numbers_are_class_names_on_request_sorted_by_value(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, "1,10\n2,9\n3,10\n"), classes=True)
    assert table.classes == ("9", "10")
    assert table.y.tolist() == [1, 0, 1]


def test_quotes_delimiters_and_byte_order_marks_are_understood(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, '\ufeff"a; b";y\r\n"1.5";"x; ""y"""\r\n2;z\r\n'), delimiter=";")
    assert table.features == ("a; b",)
    assert table.x.tolist() == [[1.5], [2.0]]
    assert table.classes == ('x; "y"', "z")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,\n", "line 3, column 'b': the value is missing"),
        ("a,b\n1,2\n\n ,2\n", "line 4, column 'a': expected a finite number.*the value is missing"),
        ("a,b\n1,2\n1,2,3\n", "line 3: expected 2 cells as in the first line, found 3"),
        ("a,b\n1,2\nred,2\n", "line 3, column 'a': expected a finite number.*found 'red'"),
        ("a,b\n1,2\n1_0,2\n", "line 3, column 'a'.*found '1_0'"),
        ("a,b\n1,2\nnan,2\n", "line 3, column 'a'.*found 'nan'"),
        ("a,b\n1,2\n1e39,2\n", r"line 3, column 'a'.*found '1e\+39'"),
        ("a,b\n1,inf\n", "line 2, column 'b'.*found 'inf'"),
        ("a,b\n1,2\n2,?\n", r"line 3, column 'b': found '\?' in a target column that holds numbers too"),
        ('a,b\n1,"x\ny"\nred,z\n', "line 4, column 'a'.*found 'red'"),
        ('a,b\n1,"x\n', "line 2: malformed CSV"),
        ("a,b\n", "no rows of data"),
        ("", "the file is empty"),
        ("a\n1\n", "no feature column"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"data\.csv(:|,) {message}"):
        read_csv(written(tmp_path, text))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"target": "specie"},
            r"no such column; the header reads length, width, species \(did you mean 'species'",
        ),
        ({"target": 3}, "the file has 3 columns"),
        ({"target": ["width", 1]}, "different columns"),
        ({"target": []}, "one or several different columns"),
        ({"target": "species", "header": False}, "without header takes indices only"),
        ({"classes": False}, "line 2, column 'species'.*found 'setosa'"),
        ({"target": [1, 2]}, "line 2, column 'species'.*found 'setosa'"),
        ({"target": [1, 2], "classes": True}, "single target column"),
        ({"delimiter": "::"}, "expected one character"),
        ({"encoding": "no-such"}, "cannot be read"),
    ],
)
def test_options_that_do_not_fit_the_file_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_csv(written(tmp_path, IRIS), **options)


def test_a_file_that_cannot_be_decoded_or_found_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"a,b\n1,\xff\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(tmp_path / "data.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(tmp_path / "nothing.csv")


@given(st.text(alphabet='12.,\n"\r; -ea_', max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_ways_of_reading_agree(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    try:
        numbers = read_csv(file, header=False, classes=False)
    except DataError:
        return
    # Class names are never read by NumPy's parser.
    names = read_csv(file, header=False, classes=True)
    assert names.classes is not None
    np.testing.assert_array_equal(numbers.x, names.x)
    np.testing.assert_array_equal(numbers.y, np.array(names.classes, float).astype(np.float32)[names.y])


numbers = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@given(numbers, st.integers(-2, 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_float32_table_survives_the_round_trip(
    tmp_path: Path, values: np.ndarray[Any, np.dtype[np.float32]], target: int
) -> None:
    with (tmp_path / "data.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(values.astype(float).tolist())
    table = read_csv(tmp_path / "data.csv", target)
    np.testing.assert_array_equal(table.y, values[:, target])
    np.testing.assert_array_equal(table.x, np.delete(values, target, axis=1))
