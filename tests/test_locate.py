# SPDX-License-Identifier: MIT OR Apache-2.0
"""Lines of recipe keys: the locator against documents whose lines are known, and against random ones."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import tomli
import tomli_w
from hypothesis import given, settings, strategies as st

from vynapse_core.locate import json_lines, line_of, toml_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPE = '''\
# a recipe
[experiment]
name = "xor"
text = """
[not.a.table]
key = 1  # no comment
"""
raw = \'\'\'
[[neither]] "quoted" \'\'\'

[trainer]
type = "evolution"
crossover = { type = "uniform", rate = 0.8 }
clock.start = 1
clock.end = 1.5
layers = [
  2,  # inputs
  [ 3,
    4 ],
  { type = "dense", size = 5 },
]

[[trainer.mutation]]   # first
type = "gaussian"
sigma = { type = "exponential", start = [
    0.5] }

[[trainer.mutation]]
type = "uniform"

[trainer.mutation.schedule]
"a \\"b\\".c" = 1
'literal #' . inner = [1979-05-27 07:32:00, -inf, 1e-3]

[[trainer.mutation.steps]]
n = 1
[[trainer.mutation.steps]]
n = 2

[ mode . sgd.trainer ]
type = "sgd"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("experiment",), 2),
        (("experiment", "name"), 3),
        (("experiment", "text"), 4),
        (("experiment", "raw"), 8),
        (("trainer",), 11),
        (("trainer", "crossover"), 13),
        (("trainer", "crossover", "rate"), 13),
        (("trainer", "clock"), 14),
        (("trainer", "clock", "end"), 15),
        (("trainer", "layers", 0), 17),
        (("trainer", "layers", 1), 18),
        (("trainer", "layers", 1, 1), 19),
        (("trainer", "layers", 2, "size"), 20),
        (("trainer", "mutation"), 23),
        (("trainer", "mutation", 0), 23),
        (("trainer", "mutation", 0, "type"), 24),
        (("trainer", "mutation", 0, "sigma", "start"), 25),
        (("trainer", "mutation", 0, "sigma", "start", 0), 26),
        (("trainer", "mutation", 1), 28),
        (("trainer", "mutation", 1, "type"), 29),
        (("trainer", "mutation", 1, "schedule", 'a "b".c'), 32),
        (("trainer", "mutation", 1, "schedule", "literal #", "inner"), 33),
        (("trainer", "mutation", 1, "schedule", "literal #", "inner", 2), 33),
        (("trainer", "mutation", 1, "steps"), 35),
        (("trainer", "mutation", 1, "steps", 1, "n"), 38),
        (("mode",), 40),
        (("mode", "sgd", "trainer", "type"), 41),
    ],
)
def test_every_form_of_toml_key_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert toml_lines(RECIPE)[path] == line


def test_the_toml_example_is_valid_and_no_path_is_invented() -> None:
    tree = tomli.loads(RECIPE)
    assert set(toml_lines(RECIPE)) == {path for path, _ in nodes(tree)}


def test_a_table_defined_after_its_child_has_its_own_line() -> None:
    assert toml_lines("[a.b]\nx = 1\n[a]\ny = 2\n")[("a",)] == 3


def test_an_inline_table_over_several_lines_has_a_line_for_each_key() -> None:
    assert toml_lines("a = {\n  b.c = 1, # }\n  d = [{\n e = 2 }],\n}\nf = 1") == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "b", "c"): 2,
        ("a", "d"): 3,
        ("a", "d", 0): 3,
        ("a", "d", 0, "e"): 4,
        ("f",): 6,
    }


def test_windows_line_ends_count_once() -> None:
    assert toml_lines("[a]\r\nx = [1,\r\n 2]\r\ny = 3\r\n")[("a", "y")] == 4


def test_json_keys_and_elements_have_their_lines() -> None:
    text = '{\n "a": {"b:": [1,\n  {"c": "}"}],\n "d\\u00e9\\"": 2},\n "e": []}\n'
    assert json_lines(text) == {
        ("a",): 2,
        ("a", "b:"): 2,
        ("a", "b:", 0): 2,
        ("a", "b:", 1): 3,
        ("a", "b:", 1, "c"): 3,
        ("a", 'dé"'): 4,
        ("e",): 5,
    }


def test_an_unknown_path_has_the_line_of_its_longest_known_prefix() -> None:
    lines = toml_lines(RECIPE)
    assert line_of(lines, ("trainer", "mutation", 0, "sigma", "nowhere", 3)) == 25
    assert line_of(lines, ["trainer", "mutation", 1, "type"]) == 29
    assert line_of(lines, ("nowhere", "at", "all")) is None
    assert line_of(lines, ()) is None


def test_a_thousand_nested_arrays_are_no_burden() -> None:
    assert json_lines("[" * 1000 + "\n1" + "]" * 1000)[(0,) * 1000] == 2


@given(st.text(alphabet="ab1[]{}=:.,#\"'\\\n\r ", max_size=60))
@settings(max_examples=300)
def test_no_text_at_all_makes_the_locator_raise(text: str) -> None:
    toml_lines(text)
    json_lines(text)


def nodes(tree: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield (*path, key), child
        yield from nodes(child, (*path, key))


keys = st.text(alphabet="ab_-.#=[]{}\"'\\ é:\t\u0007", max_size=5)
trees = st.dictionaries(
    keys,
    st.recursive(
        st.sampled_from(["number", "text"]),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


def marked(tree: Any, number: Iterator[int]) -> Any:
    """Give every leaf a number of its own, which then stands on the leaf's line and nowhere else."""
    if isinstance(tree, dict):
        return {key: marked(child, number) for key, child in tree.items()}
    if isinstance(tree, list):
        return [marked(child, number) for child in tree]
    return next(number) if tree == "number" else f"\n{{[ # {next(number)} = \"]}}'''\\ "


def check(text: str, tree: Any, lines: dict[tuple[str | int, ...], int]) -> None:
    for path, value in nodes(tree):
        line = text.split("\n")[lines[path] - 1]
        if not isinstance(value, dict | list):
            assert re.findall(r"\d+", str(value))[0] in re.findall(r"\d+", line)
        if isinstance(path[-1], str):
            bare = re.sub(r"\\u000[79]|\\[tu]", "", path[-1])
            assert not bare.isalpha() or bare in line


@given(trees, st.sampled_from([None, 2]))
def test_the_line_of_every_json_path_holds_its_key_and_value(tree: Any, indent: int | None) -> None:
    tree = marked(tree, iter(range(100, 10_000)))
    text = json.dumps(tree, indent=indent)
    check(json.dumps(tree, indent=indent, ensure_ascii=False), tree, json_lines(text))


@given(trees)
def test_the_line_of_every_toml_path_holds_its_key_and_value(tree: Any) -> None:
    tree = marked(tree, iter(range(100, 10_000)))
    text = tomli_w.dumps(tree)
    assert tomli.loads(text) == tree
    check(text, tree, toml_lines(text))
