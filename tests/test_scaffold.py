# SPDX-License-Identifier: MIT OR Apache-2.0
"""What `vynapse new` writes works as it stands: packages build, their tests pass, recipes run."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vynapse_core import load_recipe, wire
from vynapse_core.errors import ArgumentError
from vynapse_core.scaffold import LONGEST, new_plugin, new_recipe

EXAMPLE = Path(__file__).parent.parent / "examples" / "plugins" / "vynapse-cauchy"


def python(arguments, folder, site):
    """Run Python in `folder` with the packages in `site`; return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed(package, site):
    """Build the wheel of a package and unpack it into `site`, which is all that installing it would do."""
    build = f"from hatchling.build import build_wheel; print(build_wheel({str(site.parent)!r}))"
    wheel = python(["-c", build], package, site).split()[-1]
    with zipfile.ZipFile(site.parent / wheel) as archive:
        archive.extractall(site)
    return site


def generated(folder):
    new_plugin("my-operators", folder)
    return folder / "vynapse-my-operators"


def example(folder):
    return Path(shutil.copytree(EXAMPLE, folder / EXAMPLE.name))


@pytest.mark.parametrize(("make", "recipe"), [(generated, "hill.toml"), (example, "griewank.toml")])
def test_a_plugin_package_builds_passes_its_tests_and_runs_its_recipe(tmp_path, make, recipe):
    package = make(tmp_path)
    site = installed(package, tmp_path / "site")
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "--import-mode=importlib"]
    assert " passed" in python(["-m", "pytest", *options, "tests"], package, site)
    run = "import sys; from vynapse_core.cli import main; sys.exit(main())"
    python(
        ["-c", run, "run", recipe, "--set", "stop.steps=3", "--out", str(tmp_path / "run"), "--quiet"], package, site
    )
    assert (tmp_path / "run" / "result.json").exists()


def test_a_prefix_in_the_name_is_not_doubled(tmp_path):
    with_prefix, without = (new_plugin(name, tmp_path / name) for name in ("vynapse-some-parts", "some-parts"))
    assert [path.relative_to(tmp_path / "vynapse-some-parts") for path in with_prefix] == [
        path.relative_to(tmp_path / "some-parts") for path in without
    ]
    assert (tmp_path / "some-parts" / "vynapse-some-parts" / "src" / "vynapse_some_parts" / "plugin.py") in without


def test_every_file_of_a_plugin_is_returned(tmp_path):
    files = new_plugin("parts", tmp_path)
    assert sorted(files) == sorted(path for path in tmp_path.rglob("*") if path.is_file())


def test_no_placeholder_is_left_in_a_plugin(tmp_path):
    assert [path for path in new_plugin("parts", tmp_path) if "$" in path.read_text() + str(path)] == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "vynapse-",
        "My-Operators",
        "my_operators",
        "my operators",
        "-x",
        "x-",
        "a--b",
        "1st",
        "ä",
        "../up",
        "a/b",
        "a.b",
    ],
)
def test_a_name_that_no_package_can_have_is_refused(tmp_path, name):
    with pytest.raises(ArgumentError, match=r"expected lower-case letters.*such as my-operators"):
        new_plugin(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_too_long_for_a_file_system_is_refused(tmp_path):
    new_plugin("a" * LONGEST, tmp_path)
    with pytest.raises(ArgumentError, match="at most 60 characters"):
        new_plugin("a" * (LONGEST + 1), tmp_path)


@pytest.mark.parametrize("name", ["core", "vynapse-core", "evolution", "tasks"])
def test_the_name_of_a_part_of_vynapse_is_refused(tmp_path, name):
    with pytest.raises(ArgumentError, match="a part of Vynapse itself"):
        new_plugin(name, tmp_path)


def test_a_folder_that_exists_is_left_as_it_is(tmp_path):
    (tmp_path / "vynapse-parts").mkdir()
    (tmp_path / "vynapse-parts" / "README.md").write_text("mine")
    with pytest.raises(ArgumentError, match="vynapse-parts exists, and nothing is overwritten"):
        new_plugin("parts", tmp_path)
    assert [path.read_text() for path in tmp_path.rglob("*.md")] == ["mine"]


def test_a_folder_that_cannot_be_made_is_an_error_with_its_cause(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentError, match="cannot be written: Not a directory"):
        new_plugin("parts", tmp_path / "file")


def test_a_new_recipe_runs(tmp_path):
    path = new_recipe(tmp_path / "first.try.toml")
    recipe = load_recipe(path)
    assert (path.name, recipe.experiment.name) == ("first.try.toml", "first.try")
    experiment = wire(recipe)
    state = experiment.trainer.start(experiment)
    _, report = experiment.trainer.step(experiment, state)
    assert report.step == 1


def test_a_recipe_gets_its_suffix_and_its_folder(tmp_path):
    assert new_recipe(tmp_path / "recipes" / "xor") == tmp_path / "recipes" / "xor.toml"


@pytest.mark.parametrize("name", ["xor.json", "a b", ".hidden.toml", "-x.toml", "ä.toml"])
def test_a_recipe_with_a_name_that_no_experiment_can_have_is_refused(tmp_path, name):
    with pytest.raises(ArgumentError, match="expected letters, digits"):
        new_recipe(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_exists_is_left_as_it_is(tmp_path):
    path = tmp_path / "xor.toml"
    path.write_text("mine")
    with pytest.raises(ArgumentError, match="exists, and nothing is overwritten"):
        new_recipe(path)
    assert path.read_text() == "mine"
