# SPDX-License-Identifier: MIT OR Apache-2.0
"""Recipes that are wrong in every way we could think of: each is refused with line, key path, finding and advice."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal, Self

import pytest
from pydantic import Field, model_validator

from vynapse_core import (
    Array,
    DataError,
    Device,
    DirectTask,
    Distribution,
    Genes,
    Mutation,
    Observer,
    RecipeError,
    Scheduled,
    Solution,
    Trainer,
    hookimpl,
    load_recipe,
)
from vynapse_core.catalogue import Catalogue, collect
from vynapse_core.errors import ArgumentError
from vynapse_core.plugins import Plugin, installed as installed_plugins
from vynapse_core.source import DEEPEST, LARGEST


class Bowl(DirectTask):
    """A task."""

    encoding: ClassVar[str] = "real"
    size: int = Field(2, ge=1, le=100)
    """Number of genes."""
    shape: Literal["round", "long"] = "round"
    """Form."""

    @property
    def length(self) -> int:
        """Return the number of genes."""
        return self.size

    def evaluate(self, genes: Genes) -> Array:
        """Return minus the sum of squares."""
        result: Array = -(genes.values**2).sum(axis=1)
        return result


class Noise(Mutation):
    """A mutation."""

    sigma: Scheduled = Field(0.1, gt=0, le=10)
    """Deviation."""
    rate: float = Field(1.0, ge=0, le=1)
    """Probability."""

    def mutate(self, genes: Genes, rng: Any, clock: Any) -> Genes:
        """Change nothing."""
        return genes


class Chain(Noise):
    """A mutation made of mutations."""

    links: tuple[Mutation, ...] = Field(min_length=1, max_length=3)
    """The mutations."""


class Faulty(Noise):
    """A mutation whose author forgot something."""

    fails: Literal["type", "data"] = "type"
    """How."""

    @model_validator(mode="after")
    def _fail(self) -> Self:
        if self.fails == "data":
            raise DataError("no such file: x.csv")
        raise TypeError("unsupported operand")


class Climb(Trainer):
    """A trainer."""

    mutation: Mutation
    """How to change."""
    population: int = Field(10, ge=1)
    """Individuals."""
    elite: bool = False
    """Whether."""
    label: str = Field("", max_length=8)
    """Words."""
    push: float = 0.0
    """Any number."""
    layers: tuple[int, ...] = (1,)
    """Sizes."""
    ranges: tuple[tuple[int, int], ...] = ()
    """Pairs."""

    def state_type(self) -> type[Any]:
        """Return any type."""
        return object

    def start(self, experiment: Any) -> Any:
        """Do nothing."""

    def step(self, experiment: Any, state: Any) -> Any:
        """Do nothing."""

    def best(self, experiment: Any, state: Any) -> Solution:
        """Return nothing."""
        return Solution()


class Slow(Device):
    """A device."""

    def compile(self, graph: Any, per_network: tuple[str, ...] = ()) -> Any:
        """Do nothing."""


class Here(Distribution):
    """A distribution."""

    def evaluate(self, evaluate: Any, genes: Genes, step: int | None) -> Array:
        """Evaluate here."""
        result: Array = evaluate(genes, step)
        return result

    def exchange(self, genes: Genes) -> tuple[Genes, ...]:
        """Return what is given."""
        return (genes,)

    def sum(self, array: Array) -> Array:
        """Return what is given."""
        return array


class Quiet(Observer):
    """An observer."""


def plugin(package: str, **offered: Any) -> Plugin:
    module = ModuleType(package)
    for hook, components in offered.items():
        setattr(module, f"vynapse_{hook}", hookimpl(lambda components=components: components))
    return Plugin(package, package, "1.0", module)


KERNEL = tuple(found for found in installed_plugins() if found.package == "vynapse")
TOY = plugin(
    "toy",
    tasks={"bowl": Bowl},
    operators={"noise": Noise, "chain": Chain, "faulty": Faulty, "shared": Noise},
    trainers={"climb": Climb},
    devices={"slow": Slow},
    distributions={"here": Here},
    observers={"quiet": Quiet},
)
OTHER = plugin("other", operators={"shared": Chain})
TOYS = collect((*KERNEL, TOY, OTHER))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    assert not TOYS.failures
    return TOYS


@dataclass(frozen=True)
class Wrong:
    """A recipe that is wrong in one place, and what must be said of it."""

    name: str
    text: str
    line: int | None
    path: str
    says: str
    """Part of the message."""
    hint: str = ""
    """Part of the hint."""


BASE = 'task = "bowl"\n[trainer]\ntype = "climb"\nmutation = "noise"\n'
NOISY = 'task = "bowl"\n[trainer]\ntype = "climb"\n[trainer.mutation]\ntype = "noise"\n'


def top(line: str) -> str:
    """Return a recipe whose first line is given."""
    return f"{line}\n{BASE}"


def trainer(line: str) -> str:
    """Return a recipe whose fifth line is a key of the trainer."""
    return f"{BASE}{line}\n"


def noise(line: str) -> str:
    """Return a recipe whose sixth line is a key of the trainer's mutation."""
    return f"{NOISY}{line}\n"


def mutation(value: str) -> str:
    """Return a recipe whose fourth line is the trainer's mutation."""
    return f'task = "bowl"\n[trainer]\ntype = "climb"\nmutation = {value}\n'


SYNTAX = [
    Wrong("no value", "task = \n", 1, "", "TOML syntax", "column 8"),
    Wrong("open string", 'task = "bowl\n', 1, "", "TOML syntax", "column"),
    Wrong("open table", f"{BASE}[stop\n", 5, "", "TOML syntax", "column"),
    Wrong("key twice", 'task = "bowl"\ntask = "bowl"\n', 2, "", "TOML syntax", "overwrite"),
    Wrong("table twice", f"{BASE}[trainer]\n", 5, "", "TOML syntax", "twice"),
    Wrong("bare word", "task = bowl\n", 1, "", "TOML syntax", "Invalid value"),
    Wrong("JSON in a TOML file", '{"task": "bowl"}\n', 1, "", "TOML syntax", "Invalid statement"),
    Wrong("YAML in a TOML file", "task: bowl\n", 1, "", "TOML syntax", ""),
    Wrong("a number of 5000 digits", trainer("population = " + "9" * 5000), None, "", "too many digits"),
    Wrong("control character", 'task = "bo\x07wl"\n', 1, "", "TOML syntax", "Illegal character"),
    Wrong("deep arrays", "x = " + "[" * 5000 + "]" * 5000, None, "", f"nested more than {DEEPEST}"),
    Wrong("deep tables", "x = " + "{a=" * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1), None, "", "nested more than"),
    Wrong("deep dotted key", "a" + ".a" * 20_000 + " = 1", None, "", "nested more than"),
    Wrong("integer of 65 bits", trainer("population = 9223372036854775808"), 5, "trainer.population", "64 bits"),
    Wrong("text with NUL", trainer('label = "a\\u0000"'), 5, "trainer.label", "no file can"),
]
KEYS = [
    Wrong("unknown table", top("tsk = 1"), 1, "tsk", "unknown key, found 1 (integer)", "did you mean 'task'?"),
    Wrong("far key", top("zzz = 1"), 1, "zzz", "unknown key", "known: experiment, task, genome"),
    Wrong("near key", trainer("populaton = 3"), 5, "trainer.populaton", "unknown key", "'population'"),
    Wrong("dotted key", trainer('"a b".c = 3'), 5, 'trainer."a b"', "unknown key, found {c = 3} (table)"),
    Wrong("key of the mutation", noise("sigm = 3"), 6, "trainer.mutation.sigm", "unknown key", "'sigma'"),
    Wrong("key of [stop]", top("stop.step = 1"), 1, "stop.step", "unknown key", "did you mean 'steps'?"),
    Wrong("key of [checkpoint]", top("checkpoint.every = 1"), 1, "checkpoint.every", "unknown key", "steps, seconds"),
    Wrong("empty table as value", top("experiment.deep = {}"), 1, "experiment.deep", "unknown key, found {} (table)"),
    Wrong(
        "required key", 'task = "bowl"\n[trainer]\ntype = "climb"\n', 2, "trainer.mutation", "missing: How to change"
    ),
    Wrong("no trainer", 'task = "bowl"\n', None, "trainer", "missing: The method of learning"),
    Wrong("no task", BASE.replace('task = "bowl"\n', ""), None, "task", "missing: What is to be solved"),
]
NAMES = [
    Wrong("unknown task", BASE.replace("bowl", "bwl"), 1, "task", "unknown task 'bwl'", "did you mean 'bowl'?"),
    Wrong("case matters", BASE.replace("climb", "Climb"), 2, "trainer", "unknown trainer 'Climb'", "'climb'"),
    Wrong("of another kind", mutation('"bowl"'), 4, "trainer.mutation", "unknown mutation 'bowl'", "'bowl' is a task"),
    Wrong("empty name", mutation('""'), 4, "trainer.mutation", "unknown mutation ''", "known: chain"),
    Wrong("name with a path", mutation('"../x"'), 4, "trainer.mutation", "unknown mutation '../x'", "known: "),
    Wrong("two packages", mutation('"shared"'), 4, "trainer.mutation", "2 packages offer", "'toy:shared'"),
    Wrong("wrong package", mutation('"tpy:shared"'), 4, "trainer.mutation", "unknown", "did you mean 'toy:shared'?"),
    Wrong(
        "no such package", mutation('"abc:noise"'), 4, "trainer.mutation", "unknown mutation", "did you mean 'noise'?"
    ),
    Wrong("name is a number", mutation("{ type = 3 }"), 4, "trainer.mutation", "is a name, found 3 (integer)"),
    Wrong("name is a table", mutation("{ type = {} }"), 4, "trainer.mutation", "is a name, found {} (table)"),
    Wrong("no name", mutation("{ sigma = 1 }"), 4, "trainer.mutation", "this mutation lacks its 'type'"),
    Wrong("unknown device", top('device = "slw"'), 1, "device", "unknown device 'slw'", "did you mean 'slow'?"),
    Wrong("nothing of that kind", top('genome = "zz"'), 1, "genome", "unknown genome 'zz'", "known: none"),
    Wrong("unknown observer", top('observers = ["quet"]'), 1, "observers.0", "unknown observer", "'quiet'"),
    Wrong("observer is an array", top("observers = [[{a = 1}]]"), 1, "observers.0", "expected an observer"),
    Wrong("observer's name is a table", top("observers = [{type = {}}]"), 1, "observers.0", "is a name"),
]
TYPES = [
    Wrong("number for a table", top("stop = 3"), 1, "stop", "expected a table, found 3 (integer)"),
    Wrong(
        "array of tables for a table",
        f"{BASE}[[stop]]\nsteps = 1\n",
        5,
        "stop",
        "expected a table, found [{steps = 1}]",
    ),
    Wrong(
        "array for a component", mutation('["noise"]'), 4, "trainer.mutation", "expected a mutation: a name, or a table"
    ),
    Wrong("number for a component", mutation("3"), 4, "trainer.mutation", "found 3 (integer)"),
    Wrong("boolean for a component", top("genome = false"), 1, "genome", "found false (boolean)"),
    Wrong(
        "table for an array",
        mutation('{type = "chain", links = {type = "noise"}}'),
        4,
        "trainer.mutation.links",
        "expected an array",
    ),
    Wrong("name for an array", top('observers = "csv"'), 1, "observers", "expected an array, found 'csv' (string)"),
    Wrong("text for a number", trainer('push = "3"'), 5, "trainer.push", "expected a number, found '3' (string)"),
    Wrong("boolean for a number", trainer("push = true"), 5, "trainer.push", "expected a number, found true (boolean)"),
    Wrong("boolean for an integer", trainer("population = true"), 5, "trainer.population", "expected an integer"),
    Wrong("float for an integer", trainer("population = 2.0"), 5, "trainer.population", "found 2.0 (float)"),
    Wrong("text for an integer", trainer("population = '2'"), 5, "trainer.population", "found '2' (string)"),
    Wrong(
        "integer for a boolean", trainer("elite = 1"), 5, "trainer.elite", "expected true or false, found 1 (integer)"
    ),
    Wrong("text for a boolean", trainer("elite = 'yes'"), 5, "trainer.elite", "found 'yes' (string)"),
    Wrong("number for a text", trainer("label = 3"), 5, "trainer.label", "expected a string, found 3 (integer)"),
    Wrong("date for a number", trainer("push = 1979-05-27"), 5, "trainer.push", "found 1979-05-27 (date)"),
    Wrong("array for a number", trainer("push = [1]"), 5, "trainer.push", "expected a number, found [1] (array)"),
    Wrong("table for a number", trainer("push = {a = 1}"), 5, "trainer.push", "found {a = 1} (table)"),
    Wrong(
        "nothing of a word",
        BASE.replace('"bowl"', '{type = "bowl", shape = "rond"}'),
        1,
        "task.shape",
        "'round' or 'long'",
        "did you mean 'round'?",
    ),
    Wrong("item of an array", trainer("layers = [\n1,\n2.5]"), 7, "trainer.layers.1", "expected an integer, found 2.5"),
    Wrong("item of an item", trainer("ranges = [[0, 1], [2, 'x']]"), 5, "trainer.ranges.1.1", "found 'x' (string)"),
    Wrong("item too many", trainer("ranges = [[0, 1, 2]]"), 5, "trainer.ranges.0", "at most 2 items, found [0, 1, 2]"),
]
BOUNDS = [
    Wrong(
        "below", trainer("population = 0"), 5, "trainer.population", "expected a value at least 1, found 0 (integer)"
    ),
    Wrong("above", noise("rate = 1.5"), 6, "trainer.mutation.rate", "expected a value at most 1, found 1.5 (float)"),
    Wrong("negative seed", top("experiment.seed = -1"), 1, "experiment.seed", "at least 0, found -1 (integer)"),
    Wrong("nan", trainer("push = nan"), 5, "trainer.push", "expected a finite number, found nan (float)"),
    Wrong("infinity", trainer("push = -inf"), 5, "trainer.push", "expected a finite number, found -inf (float)"),
    Wrong("overflow", trainer("push = 1e999"), 5, "trainer.push", "expected a finite number, found inf (float)"),
    Wrong("nan as fitness", top("stop.fitness = nan"), 1, "stop.fitness", "expected a finite number"),
    Wrong("no step", top("stop.steps = 0"), 1, "stop.steps", "expected a value greater than 0, found 0 (integer)"),
    Wrong("no second", top("checkpoint.seconds = 0.0"), 1, "checkpoint.seconds", "greater than 0, found 0.0 (float)"),
    Wrong(
        "no link", mutation('{type = "chain", links = []}'), 4, "trainer.mutation.links", "at least 1 item, found []"
    ),
    Wrong(
        "links too many",
        mutation('{type = "chain", links = ["noise", "noise", "noise", "noise"]}'),
        4,
        "trainer.mutation.links",
        "at most 3 items",
    ),
    Wrong("long text", trainer("label = '123456789'"), 5, "trainer.label", "at most 8 characters, found '123456789'"),
    Wrong(
        "name that leaves the folder",
        top("experiment.name = '../x'"),
        1,
        "experiment.name",
        "found '../x'",
        "letters, digits",
    ),
    Wrong("name of dots", top("experiment.name = '..'"), 1, "experiment.name", "found '..'", "letters, digits"),
    Wrong("empty name of a run", top("experiment.name = ''"), 1, "experiment.name", "found ''", "letters, digits"),
    Wrong("name with a line break", top('experiment.name = "a\\nb"'), 1, "experiment.name", "found 'a\\nb'", "letters"),
    Wrong("endless name", top(f"experiment.name = '{'a' * 101}'"), 1, "experiment.name", "at most 100 characters"),
    Wrong("no output", top("experiment.output = ''"), 1, "experiment.output", "at least 1 character"),
]
SCHEDULES = [
    Wrong("number below", noise("sigma = 0"), 6, "trainer.mutation.sigma", "greater than 0, found 0 (integer)"),
    Wrong("number not finite", noise("sigma = nan"), 6, "trainer.mutation.sigma", "a finite number, found nan (float)"),
    Wrong(
        "name alone",
        noise("sigma = 'linear'"),
        6,
        "trainer.mutation.sigma",
        "a number or a schedule",
        "a table with 'type'",
    ),
    Wrong("true", noise("sigma = true"), 6, "trainer.mutation.sigma", "a number or a schedule, found true (boolean)"),
    Wrong("no type", noise("sigma = {start = 1}"), 6, "trainer.mutation.sigma", "this schedule lacks its 'type'"),
    Wrong("unknown", noise("sigma = {type = 'linar'}"), 6, "trainer.mutation.sigma", "unknown schedule", "'linear'"),
    Wrong(
        "ends below",
        noise("sigma = {type = 'linear', start = 1, end = 0}"),
        6,
        "trainer.mutation.sigma",
        "greater than 0, found Linear(",
    ),
    Wrong(
        "starts above",
        noise("sigma = {type = 'cosine', start = 11, end = 1}"),
        6,
        "trainer.mutation.sigma",
        "at most 10, found Cosine(",
    ),
    Wrong(
        "decays to 0",
        noise("sigma = {type = 'step', start = 1, every = 1}"),
        6,
        "trainer.mutation.sigma",
        "greater than 0, found Step(",
    ),
    Wrong(
        "own bounds",
        noise("sigma = {type = 'exponential', start = -1, end = 1}"),
        6,
        "trainer.mutation.sigma.start",
        "greater than 0, found -1",
    ),
    Wrong(
        "no steps",
        noise("sigma = {type = 'linear', start = 1, end = 2, steps = 0}"),
        6,
        "trainer.mutation.sigma.steps",
        "greater than 0",
    ),
    Wrong(
        "points that fall",
        noise("sigma = {type = 'piecewise', steps = [2, 1], values = [1, 2]}"),
        6,
        "trainer.mutation.sigma",
        "'steps' must rise",
    ),
    Wrong(
        "points without values",
        noise("sigma = {type = 'piecewise', steps = [1], values = []}"),
        6,
        "trainer.mutation.sigma.values",
        "at least 1 item",
    ),
]
NESTED = """\
task = "bowl"
[trainer]
type = "climb"
[trainer.mutation]
type = "chain"
[[trainer.mutation.links]]
type = "noise"
[[trainer.mutation.links]]
type = "chain"
links = [
  "noise",
  {}
]
"""
DEEP = [
    Wrong(
        "bound", NESTED.format('{type = "noise", rate = 2}'), 12, "trainer.mutation.links.1.links.1.rate", "at most 1"
    ),
    Wrong("name", NESTED.format('"nise"'), 12, "trainer.mutation.links.1.links.1", "unknown mutation", "'noise'"),
    Wrong(
        "key",
        NESTED.format('{type = "noise", rat = 2}'),
        12,
        "trainer.mutation.links.1.links.1.rat",
        "unknown key",
        "'rate'",
    ),
    Wrong(
        "missing",
        NESTED.format('{type = "chain"}'),
        12,
        "trainer.mutation.links.1.links.1.links",
        "missing: The mutations",
    ),
    Wrong("not a component", NESTED.format("[1]"), 12, "trainer.mutation.links.1.links.1", "found [1] (array)"),
    Wrong(
        "a component that raises",
        NESTED.format('"faulty"'),
        12,
        "trainer.mutation.links.1.links.1",
        "Faulty raised TypeError: unsupported operand",
        "author",
    ),
    Wrong(
        "a component without its data",
        NESTED.format('{type = "faulty", fails = "data"}'),
        12,
        "trainer.mutation.links.1.links.1",
        "no such file: x.csv",
    ),
]
MODES = [
    Wrong("mode is a number", top("mode = 3"), 1, "mode", "expected tables, as [mode.NAME.trainer]"),
    Wrong("a mode is a number", f"{BASE}[mode]\nsgd = 3\n", 5, "mode", "expected tables, as [mode.NAME.trainer]"),
    Wrong("a mode is an array", f"{BASE}[[mode.sgd]]\na = 3\n", 5, "mode", "expected tables"),
]
CASES = [*SYNTAX, *KEYS, *NAMES, *TYPES, *BOUNDS, *SCHEDULES, *DEEP, *MODES]


def refusal(path: Path, catalogue: Catalogue, **options: Any) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, catalogue=catalogue, **options)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(str(path))
    return caught.value


def refused(
    tmp_path: Path, text: str | bytes, catalogue: Catalogue, suffix: str = ".toml", **options: Any
) -> RecipeError:
    path = tmp_path / f"recipe{suffix}"
    path.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    return refusal(path, catalogue, **options)


@pytest.mark.parametrize("wrong", CASES, ids=lambda wrong: wrong.name)
def test_a_wrong_recipe_is_refused_with_line_path_finding_and_advice(
    wrong: Wrong, tmp_path: Path, catalogue: Catalogue
) -> None:
    error = refused(tmp_path, wrong.text, catalogue)
    problems = [problem for problem in error.problems if problem.path == wrong.path]
    assert problems, str(error)
    problem = problems[0]
    assert problem.line == wrong.line, str(error)
    assert wrong.says in problem.message, str(error)
    assert wrong.hint in (f"{problem.message} {problem.hint}" if wrong.path == "" else problem.hint), str(error)
    assert len(error.problems) == 1 or wrong in (KEYS[-1], KEYS[-2]), str(error)


def test_the_table_holds_no_case_twice_and_enough_of_them() -> None:
    assert len({wrong.text for wrong in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize(
    ("text", "line", "path", "says"),
    [
        ("", 1, "", "JSON syntax"),
        ("{", 1, "", "JSON syntax"),
        ('{"task": "bowl"\n"trainer"}', 2, "", "JSON syntax"),
        ("[1]", None, "", "expected an object, {...}, found [1] (array)"),
        ("3", None, "", "found 3 (integer)"),
        ("null", None, "", "expected an object"),
        ('{"task": "bowl",\n"task": "bowl"}', None, "", "key 'task' stands twice"),
        ('{"trainer": {"type": "climb", "a": {"b": 1, "b": 2}}}', None, "", "key 'b' stands twice"),
        ('{\n"task": null}', 2, "task", "null is no value; leave the key out"),
        ('{"trainer": {"mutation": [1,\nnull]}}', 2, "trainer.mutation.1", "null is no value"),
        (
            '{"task": "bowl",\n"trainer": {"type": "climb", "mutation": "noise", "push": NaN}}',
            2,
            "trainer.push",
            "finite",
        ),
        (
            '{"task": "bowl",\n"trainer": {"type": "climb", "mutation": "noise", "push": 1e999}}',
            2,
            "trainer.push",
            "finite",
        ),
        ('{"task": "\\ud800"}', 1, "task", "no file can"),
        ('{"a": ' * 400 + "1" + "}" * 400, None, "", "nested more than"),
        ('{"a": ' * 90_000 + "1" + "}" * 90_000, None, "", "nested more than"),
        ("[" * 400 + "]" * 400, None, "", "expected an object"),
        (f'{{"a": {"9" * 5000}}}', None, "", "too many digits"),
        ('{"task": {"type": "bowl",\n"size": "2"}}', 2, "task.size", "expected an integer, found '2' (string)"),
        (BASE, 1, "", "JSON syntax"),
    ],
)
def test_a_wrong_json_recipe_is_refused_with_its_line(
    text: str, line: int | None, path: str, says: str, tmp_path: Path, catalogue: Catalogue
) -> None:
    error = refused(tmp_path, text, catalogue, ".json")
    problem = next(problem for problem in error.problems if problem.path == path)
    assert (problem.line, says in problem.message) == (line, True), str(error)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x00\x01\x02\x03", "TOML syntax"),
        (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8 text (byte 0 is 0x89)"),
        (BASE.encode("utf-16"), "not UTF-8 text (byte 0 is 0xff)"),
        (BASE.encode() + b'\n[experiment]\nname = "M\xfcller"', "not UTF-8 text"),
        (b"# " + b"x" * LARGEST, "larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_text_or_too_large_is_refused(
    content: bytes, says: str, tmp_path: Path, catalogue: Catalogue
) -> None:
    error = refused(tmp_path, content, catalogue)
    assert says in str(error)
    assert len(error.problems) == 1


def test_a_byte_that_is_not_utf8_is_named_with_its_line(tmp_path: Path, catalogue: Catalogue) -> None:
    error = refused(tmp_path, b'task = "bowl"\nname = "M\xfcller"\n', catalogue)
    assert (error.problems[0].line, error.problems[0].hint) == (2, "save it as UTF-8")


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    assert "cannot be read: No such file" in str(refusal(tmp_path / "none.toml", catalogue))
    assert "cannot be read: Is a directory" in str(refusal(tmp_path, catalogue))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a pipe in the POSIX way")
def test_a_device_or_a_pipe_that_nobody_writes_to_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (Path("/dev/zero"), tmp_path / "pipe.toml"):
        assert "is no file" in str(refusal(path, catalogue))


@pytest.mark.parametrize(
    "text",
    [
        'task = "{long}"\ntrainer = "climb"\n',
        'task = "toy:{long}"\ntrainer = "climb"\n',
        '{long} = 1\ntask = "bowl"\ntrainer = "climb"\n',
        'task = "bowl"\n[trainer]\ntype = "climb"\nmutation = {{ type = "noise", sigma = {{ type = "{long}" }} }}\n',
    ],
)
def test_a_very_long_name_or_key_is_not_repeated_whole(text: str, tmp_path: Path, catalogue: Catalogue) -> None:
    error = refused(tmp_path, text.format(long="x" * 500_000), catalogue)
    assert "xxx..." in str(error)
    assert len(str(error)) < 1000


def test_of_many_problems_the_first_fifty_are_printed_and_all_are_held(tmp_path: Path, catalogue: Catalogue) -> None:
    error = refused(tmp_path, "".join(f"key{n} = 1\n" for n in range(99)) + BASE, catalogue)
    assert len(error.problems) == 99
    lines = str(error).splitlines()
    assert len(lines) == 52
    assert lines[0].endswith(": 99 problems")
    assert lines[-1] == "  and 49 more"


def test_an_empty_file_lacks_what_has_no_default(tmp_path: Path, catalogue: Catalogue) -> None:
    assert [problem.path for problem in refused(tmp_path, "", catalogue).problems] == ["task", "trainer"]


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path, catalogue: Catalogue) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xef\xbb\xbf" + BASE.encode())
    assert isinstance(load_recipe(path, catalogue=catalogue).task, Bowl)


def test_all_problems_of_a_recipe_are_reported_at_once_in_the_order_of_lines(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    text = """\
stop.steps = 0
experiment.seed = -1
observers = ["quiet", "nobody", 3]
device = "sloow"
[task]
type = "bowl"
size = 1000
[trainer]
type = "climb"
populatoin = 3
elite = 1
[trainer.mutation]
type = "chain"
links = [{type = "noise", rate = -1}, "nose", {type = "chain", links = [4]}]
"""
    error = refused(tmp_path, text, catalogue)
    assert [(problem.line, problem.path) for problem in error.problems] == [
        (1, "stop.steps"),
        (2, "experiment.seed"),
        (3, "observers.1"),
        (3, "observers.2"),
        (4, "device"),
        (7, "task.size"),
        (10, "trainer.populatoin"),
        (11, "trainer.elite"),
        (14, "trainer.mutation.links.0.rate"),
        (14, "trainer.mutation.links.1"),
        (14, "trainer.mutation.links.2.links.0"),
    ]
    assert "11 problems" in str(error)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("trainer.population", "expected KEY.PATH=VALUE"),
        ("=3", "expected KEY.PATH=VALUE"),
        ("", "expected KEY.PATH=VALUE"),
        ("trainer..population=3", "expected KEY.PATH=VALUE"),
        (f"{'a.' * 100}a=3", "expected KEY.PATH=VALUE"),
        ("trainer.population=", "'' is no TOML value"),
        ("trainer.population=[1", "is no TOML value"),
        ("trainer.population=1\nelite=true", "is no TOML value"),
        ("trainer.label='open", "a text goes in quotes"),
        ("trainer.population=" + "9" * 5000, "is no TOML value"),
        ("trainer.population=9223372036854775808", "64 bits"),
        ("trainer.layers=" + "[" * 80 + "]" * 80, "is no TOML value"),
        ("trainer.layers.3=1", "there are 1 items, none numbered 3"),
        ("trainer.layers.x=1", "cannot be set in"),
        ("trainer.population.x.y=1", "cannot be set in"),
    ],
)
def test_a_wrong_override_is_refused_by_name(override: str, says: str, tmp_path: Path, catalogue: Catalogue) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(trainer("layers = [1]\npopulation = 3"))
    with pytest.raises(ArgumentError) as caught:
        load_recipe(path, overrides=(override,), catalogue=catalogue)
    assert "--set " in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("override", "path", "says"),
    [
        ("trainer.population=0", "trainer.population", "at least 1, found 0"),
        ("trainer.population=many", "trainer.population", "expected an integer, found 'many' (string)"),
        ("trainer.mutation.rate=7", "trainer.mutation.rate", "at most 1, found 7"),
        ("trainer.mutaton.rate=7", "trainer.mutaton", "unknown key"),
        ("trainer.²=7", 'trainer."\\u00b2"', "unknown key"),
        ("task=nothing", "task", "unknown task 'nothing'"),
        ("stop.steps=-5", "stop.steps", "greater than 0"),
    ],
)
def test_a_wrong_value_of_an_override_is_named_without_a_line_of_the_file(
    override: str, path: str, says: str, tmp_path: Path, catalogue: Catalogue
) -> None:
    error = refused(tmp_path, BASE, catalogue, overrides=(override,))
    problem = error.problems[0]
    assert (problem.path, problem.line) == (path, None)
    assert says in problem.message
    assert problem.hint.endswith("given by --set")


def test_an_unknown_mode_is_refused_with_the_modes_there_are(tmp_path: Path, catalogue: Catalogue) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f"{BASE}[mode.fast.stop]\nsteps = 1\n")
    with pytest.raises(ArgumentError, match="no mode 'fats'; did you mean 'fast'"):
        load_recipe(path, mode="fats", catalogue=catalogue)
    path.write_text(BASE)
    with pytest.raises(ArgumentError, match="no mode 'fast'; it has: none"):
        load_recipe(path, mode="fast", catalogue=catalogue)


def test_a_problem_of_a_mode_has_the_line_of_the_mode(tmp_path: Path, catalogue: Catalogue) -> None:
    text = f'{BASE}population = 3\n[mode.big.trainer]\ntype = "climb"\npopulation = 0\n'
    problems = refused(tmp_path, text, catalogue, mode="big").problems
    assert [(problem.path, problem.line) for problem in problems] == [
        ("trainer.mutation", 6),
        ("trainer.population", 8),
    ]
