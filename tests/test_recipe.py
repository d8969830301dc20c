# SPDX-License-Identifier: MIT OR Apache-2.0
"""Recipes that are right: defaults, modes, overrides, and the way from a file to objects and back."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import tomli
from hypothesis import given, strategies as st
from pydantic import Field, ValidationError

from vynapse_core import Array, DirectTask, Genes, Mutation, Recipe, Schedule, Scheduled, Solution, Trainer, hookimpl
from vynapse_core.catalogue import Catalogue, collect
from vynapse_core.plugins import Plugin, installed as installed_plugins
from vynapse_core.recipe import Checkpointing, Description, build, components, load_recipe, to_toml, tree
from vynapse_core.schedules import Constant, Cosine, Exponential, Linear, Piecewise, Step
from vynapse_core.source import Source, modes_of, read_source
from vynapse_core.stop import Stop


class Bowl(DirectTask):
    """A task."""

    encoding: ClassVar[str] = "real"
    size: int = Field(2, ge=1)
    """Number of genes."""

    @property
    def length(self) -> int:
        """Return the number of genes."""
        return self.size

    def evaluate(self, genes: Genes) -> Array:
        """Return the first gene."""
        result: Array = genes.values[:, 0]
        return result


class Noise(Mutation):
    """A mutation."""

    sigma: Scheduled = Field(0.1, gt=0)
    """Deviation."""
    mask: tuple[tuple[int, float], ...] | None = None
    """Pairs, or nothing."""

    def mutate(self, genes: Genes, rng: Any, clock: Any) -> Genes:
        """Change nothing."""
        return genes


class Chain(Noise):
    """A mutation made of mutations."""

    links: tuple[Mutation, ...] = (Noise(),)
    """The mutations."""
    last: Mutation | None = None
    """One more."""
    table: dict[str, Mutation] = Field(default_factory=dict)
    """Named ones."""


class Climb(Trainer):
    """A trainer."""

    mutation: Mutation = Noise(sigma=0.5)
    """How to change."""
    population: int = Field(10, ge=1)
    """Individuals."""
    label: str = ""
    """Words."""
    push: float = 0.0
    """Any number."""
    elite: bool = False
    """Whether."""

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


def plugin(package: str, **offered: Any) -> Plugin:
    module = ModuleType(package)
    for hook, named in offered.items():
        setattr(module, f"vynapse_{hook}", hookimpl(lambda named=named: named))
    return Plugin(package, package, "1.0", module)


KERNEL = tuple(found for found in installed_plugins() if found.package == "vynapse")
TOY = plugin("toy", tasks={"bowl": Bowl}, operators={"noise": Noise, "chain": Chain}, trainers={"climb": Climb})
CATALOGUE = collect((*KERNEL, TOY))
SHORTEST = 'task = "bowl"\ntrainer = "climb"\n'


def loaded(tmp_path: Path, text: str, suffix: str = ".toml", **options: Any) -> Recipe:
    path = tmp_path / f"recipe{suffix}"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, catalogue=CATALOGUE, **options)


def built(**tables: Any) -> Recipe:
    return build(Source({"task": "bowl", "trainer": "climb"} | tables), CATALOGUE)


def test_the_shortest_recipe_gets_every_default(tmp_path: Path) -> None:
    recipe = loaded(tmp_path, SHORTEST)
    assert (recipe.task, recipe.trainer, recipe.genome) == (Bowl(), Climb(), None)
    assert (recipe.experiment, recipe.stop, recipe.checkpoint) == (Description(), Stop(steps=1000), Checkpointing())
    assert CATALOGUE.name_of(type(recipe.device)) == "reference"
    assert CATALOGUE.name_of(type(recipe.distribution)) == "local"
    assert [CATALOGUE.name_of(type(observer)) for observer in recipe.observers] == ["console", "csv", "jsonl"]


def test_the_fastest_installed_device_is_the_default() -> None:
    device = CATALOGUE.find("device", "reference")
    faster = collect((*KERNEL, TOY, plugin("vynapse-numba", devices={"numba": type("Numba", (device,), {})})))
    assert faster.name_of(type(build(Source({"task": "bowl", "trainer": "climb"}), faster).device)) == "numba"


def test_a_plugin_that_offers_the_name_of_a_default_changes_no_recipe_that_did_not_write_it() -> None:
    kinds = {"devices": ("device", "reference"), "distributions": ("distribution", "local")}
    rivals: dict[str, Any] = {
        hook: {name: type("Rival", (CATALOGUE.find(kind, name),), {"__doc__": "A rival."})}
        for hook, (kind, name) in kinds.items()
    }
    rivals["devices"]["numba"] = rivals["devices"]["reference"]
    observers = {name: CATALOGUE.find("observer", name) for name in ("csv", "console", "jsonl")}
    rivals["observers"] = {name: type("Rival", (cls,), {"__doc__": "A rival."}) for name, cls in observers.items()}
    crowded = collect((*KERNEL, TOY, plugin("rival", **rivals)))
    assert not crowded.failures
    recipe = build(Source({"task": "bowl", "trainer": "climb"}), crowded)
    assert recipe == built()
    assert tree(recipe, crowded)["device"]["type"] == "vynapse:reference"
    assert build(Source(tomli.loads(to_toml(recipe, crowded))), crowded) == recipe
    listed = build(Source({"task": "bowl", "trainer": "climb", "observers": ["rival:csv"]}), crowded).observers
    assert [type(observer) for observer in listed] == [rivals["observers"]["csv"], *map(type, recipe.observers)]


def test_a_name_and_a_table_with_that_type_are_the_same() -> None:
    assert built(trainer={"type": "climb"}) == built() == built(trainer="toy:climb")


@pytest.mark.parametrize("listed", ["csv", {"type": "csv"}, "vynapse:csv", {"type": "vynapse:csv"}])
def test_a_standard_observer_that_is_listed_does_not_come_twice(listed: object) -> None:
    names = [CATALOGUE.name_of(type(observer)) for observer in built(observers=[listed]).observers]
    assert names == ["csv", "console", "jsonl"]


def test_a_recipe_is_built_in_python_from_components() -> None:
    recipe = built()
    again = Recipe.model_validate(
        {name: getattr(recipe, name) for name in Recipe.model_fields}, context={"catalogue": CATALOGUE}
    )
    assert again == recipe


def test_a_recipe_and_its_components_are_frozen() -> None:
    with pytest.raises(ValidationError):
        built().trainer.population = 3  # type: ignore[attr-defined]
    with pytest.raises(ValidationError):
        built().stop.steps = 3  # type: ignore[misc]


def test_a_json_recipe_equals_the_toml_recipe_of_the_same_tree(tmp_path: Path) -> None:
    text = f'{SHORTEST}[experiment]\ndescription = "ä"\nseed = 3\n[stop]\nfitness = 1e-3\n[mode.a.stop]\nsteps = 2\n'
    table = tomli.loads(text) | {"$schema": "recipe.schema.json"}
    assert loaded(tmp_path, json.dumps(table), ".json") == loaded(tmp_path, text)
    assert loaded(tmp_path, json.dumps(table), ".JSON", mode="a") == loaded(tmp_path, text, mode="a")


def test_a_mode_replaces_a_table_that_has_a_type_and_merges_one_that_has_none(tmp_path: Path) -> None:
    text = """\
task = "bowl"
[trainer]
type = "climb"
population = 3
label = "base"
mutation = "noise"
[stop]
steps = 5
fitness = 1.0
[mode.merged.trainer]
population = 4
[mode.merged.stop]
steps = 6
[mode.replaced.trainer]
type = "climb"
population = 7
[mode.deep.trainer.mutation]
sigma = 2.0
[mode.named]
trainer = "climb"
"""
    assert loaded(tmp_path, text, mode="merged").trainer == Climb(population=4, label="base", mutation=Noise())
    assert loaded(tmp_path, text, mode="merged").stop == Stop(steps=6, fitness=1.0)
    assert loaded(tmp_path, text, mode="replaced").trainer == Climb(population=7)
    assert loaded(tmp_path, text, mode="deep").trainer == Climb(population=3, label="base", mutation=Noise(sigma=2.0))
    assert loaded(tmp_path, text, mode="named").trainer == Climb()
    assert loaded(tmp_path, text).trainer == Climb(population=3, label="base", mutation=Noise())


def test_the_modes_of_a_recipe_are_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f"{SHORTEST}[mode.a]\n[mode.b.stop]\nsteps = 3\n")
    assert modes_of(path) == ("a", "b")
    path.write_text(SHORTEST)
    assert modes_of(path) == ()


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("trainer.population=500", ("trainer", "population"), 500),
        ("trainer.population = 500", ("trainer", "population"), 500),
        ("trainer.push=-1e-3", ("trainer", "push"), -1e-3),
        ("trainer.elite=true", ("trainer", "elite"), True),
        ("trainer.label=plain-text_1.5", ("trainer", "label"), "plain-text_1.5"),
        ("trainer.label=../data/x.csv", ("trainer", "label"), "../data/x.csv"),
        ("trainer.label='a=b c'", ("trainer", "label"), "a=b c"),
        ('trainer.label="true"', ("trainer", "label"), "true"),
        ("trainer.mutation.sigma={type='constant', value=2}", ("trainer", "mutation", "sigma"), Constant(value=2)),
        ("trainer.mutation.links.0.sigma=3", ("trainer", "mutation", "links", 0, "sigma"), 3.0),
        ("trainer.mutation.links=['noise', 'noise']", ("trainer", "mutation", "links"), (Noise(), Noise())),
        ("trainer.mutation.table.one=noise", ("trainer", "mutation", "table", "one"), Noise()),
        ("trainer.mutation.table.0=noise", ("trainer", "mutation", "table", "0"), Noise()),
        ("task.size=7", ("task", "size"), 7),
        ("stop.steps=7", ("stop", "steps"), 7),
        ("experiment.seed=7", ("experiment", "seed"), 7),
        ("observers=['console']", ("observers", 0), None),
    ],
)
def test_an_override_sets_one_value(override: str, path: tuple[str | int, ...], value: Any, tmp_path: Path) -> None:
    text = 'task = "bowl"\n[trainer]\ntype = "climb"\nmutation = {type = "chain", links = [{type = "noise"}]}\n'
    found: Any = loaded(tmp_path, text, overrides=(override,))
    for key in path:
        found = getattr(found, key) if isinstance(key, str) and not isinstance(found, dict) else found[key]
    assert found == value or value is None


def test_later_overrides_win_and_overrides_win_over_a_mode(tmp_path: Path) -> None:
    text = f"{SHORTEST}[mode.a.stop]\nsteps = 2\n"
    recipe = loaded(tmp_path, text, mode="a", overrides=("stop.steps=3", "stop.steps=4"))
    assert recipe.stop.steps == 4


def test_reading_a_source_changes_no_file_and_keeps_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(SHORTEST)
    source = read_source(path, overrides=("trainer.population=3",))
    assert source.tree == {"task": "bowl", "trainer": {"type": "climb", "population": 3}}
    assert source.lines["task",] == 1
    assert source.lines["trainer", "population"] == 0
    assert path.read_text() == SHORTEST


def test_a_number_that_is_whole_may_be_written_without_point(tmp_path: Path) -> None:
    trainer: Any = loaded(tmp_path, 'task = "bowl"\ntrainer = {type = "climb", push = 1}\n').trainer
    assert (trainer.push, type(trainer.push)) == (1.0, float)


def test_the_resolved_recipe_writes_out_every_default_and_no_absent_value() -> None:
    table = tree(built(), CATALOGUE)
    assert table["trainer"] == {
        "type": "climb",
        "mutation": {"type": "noise", "sigma": 0.5},
        "population": 10,
        "label": "",
        "push": 0.0,
        "elite": False,
    }
    assert table["stop"] == {"steps": 1000, "solved": False}
    assert "genome" not in table


def test_components_are_found_with_their_key_paths() -> None:
    mutation = Chain(links=(Noise(), Chain(links=(), last=Noise())), table={"x": Noise()}, sigma=Constant(value=1))
    paths = [path for path, _ in components(built(trainer=Climb(mutation=mutation)).trainer)]
    assert paths == [
        (),
        ("mutation",),
        ("mutation", "sigma"),
        ("mutation", "links", 0),
        ("mutation", "links", 1),
        ("mutation", "links", 1, "last"),
        ("mutation", "table", "x"),
    ]


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-300, max_value=1e300)
COUNTS = st.integers(min_value=1, max_value=2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SCHEDULES: st.SearchStrategy[Schedule] = st.one_of(
    st.builds(Constant, value=POSITIVE),
    st.builds(Linear, start=POSITIVE, end=POSITIVE, steps=st.none() | COUNTS),
    st.builds(Exponential, start=POSITIVE, end=POSITIVE, steps=st.none() | COUNTS),
    st.builds(Cosine, start=POSITIVE, end=POSITIVE, steps=st.none() | COUNTS),
    st.builds(Step, start=POSITIVE, factor=st.just(1.0), every=COUNTS, end=st.none()),
    st.dictionaries(st.integers(0, 10**6), POSITIVE, min_size=1, max_size=4).map(
        lambda points: Piecewise(steps=tuple(sorted(points)), values=tuple(points[step] for step in sorted(points)))
    ),
)
NOISES = st.builds(
    Noise,
    sigma=POSITIVE | SCHEDULES,
    mask=st.none() | st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), NUMBERS), max_size=3).map(tuple),
)
MUTATIONS: st.SearchStrategy[Mutation] = st.recursive(
    NOISES,
    lambda inner: st.builds(
        Chain,
        links=st.lists(inner, max_size=3).map(tuple),
        last=st.none() | inner,
        table=st.dictionaries(TEXTS, inner, max_size=2),
    ),
    max_leaves=6,
)
RECIPES = st.fixed_dictionaries(
    {
        "experiment": st.builds(
            Description,
            name=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z"),
            seed=st.integers(0, 2**63 - 1),
            description=TEXTS,
            output=TEXTS.filter(bool),
        ),
        "task": st.builds(Bowl, size=COUNTS),
        "trainer": st.builds(
            Climb, mutation=MUTATIONS, population=COUNTS, label=TEXTS, push=NUMBERS, elite=st.booleans()
        ),
        "stop": st.builds(
            Stop,
            steps=st.none() | COUNTS,
            evaluations=st.none() | COUNTS,
            seconds=st.none() | POSITIVE,
            fitness=st.none() | NUMBERS,
            loss=st.none() | NUMBERS,
            patience=st.none() | COUNTS,
            solved=st.booleans(),
        ),
        "checkpoint": st.builds(Checkpointing, steps=st.none() | COUNTS, seconds=POSITIVE),
    }
)


@given(parts=RECIPES)
def test_any_recipe_written_as_toml_reads_back_equal(parts: dict[str, Any]) -> None:
    recipe = build(Source(parts), CATALOGUE)
    again = build(Source(tomli.loads(to_toml(recipe, CATALOGUE))), CATALOGUE)
    assert again == recipe
    assert to_toml(again, CATALOGUE) == to_toml(recipe, CATALOGUE)


@given(parts=RECIPES)
def test_any_recipe_written_as_json_reads_back_equal(parts: dict[str, Any]) -> None:
    recipe = build(Source(parts), CATALOGUE)
    assert build(Source(json.loads(json.dumps(tree(recipe, CATALOGUE)))), CATALOGUE) == recipe


def test_names_that_clash_are_written_with_their_package() -> None:
    clashing: Catalogue = collect((*KERNEL, TOY, plugin("other", operators={"noise": Chain})))
    recipe = build(Source({"task": "bowl", "trainer": {"type": "climb", "mutation": "toy:noise"}}), clashing)
    assert tree(recipe, clashing)["trainer"]["mutation"]["type"] == "toy:noise"
    assert build(Source(tomli.loads(to_toml(recipe, clashing))), clashing) == recipe
