# SPDX-License-Identifier: MIT OR Apache-2.0
"""A run's folder: its name, and what is refused."""

from __future__ import annotations

import os
import re

import pytest

from vynapse_core.errors import ArgumentError
from vynapse_core.folder import Folder, environment, existing_folder, named_folder, new_folder, revision, unused


def test_a_folder_is_named_by_utc_time_and_seed(tmp_path):
    path = new_folder(tmp_path / "runs", "xor", 42).path
    assert path.parent == tmp_path / "runs" / "xor"
    assert re.fullmatch(r"\d{8}T\d{6}Z-s42", path.name)


def test_no_two_runs_get_the_same_folder(tmp_path):
    made = [new_folder(tmp_path, "xor", 1).path for _ in range(5)]
    assert len(set(made)) == 5
    assert all(path.is_dir() for path in made)


def test_a_place_where_no_folder_can_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match="cannot make a folder in"):
        new_folder(tmp_path / "file", "xor", 1)
    with pytest.raises(ArgumentError, match="cannot use"):
        named_folder(tmp_path / "file" / "run")


def test_a_named_folder_may_be_there_if_it_is_empty(tmp_path):
    (tmp_path / "empty").mkdir()
    assert named_folder(tmp_path / "empty").path.is_dir()
    assert named_folder(tmp_path / "new" / "one").path.is_dir()


def test_a_folder_that_holds_anything_is_refused_by_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ArgumentError, match=r"is not empty, it holds notes\.txt"):
        unused(tmp_path)
    (tmp_path / "run.json").touch()
    with pytest.raises(ArgumentError, match="holds a run already; go on with it by 'vynapse resume "):
        unused(tmp_path)


def test_a_name_that_is_free_is_unused_and_not_made(tmp_path):
    assert unused(tmp_path / "free") == tmp_path / "free"
    assert not (tmp_path / "free").exists()


def test_a_folder_without_a_recipe_or_description_is_no_run(tmp_path):
    with pytest.raises(ArgumentError, match="there is no folder"):
        existing_folder(tmp_path / "nowhere")
    with pytest.raises(ArgumentError, match=r"no recipe\.toml"):
        existing_folder(tmp_path)
    (tmp_path / "recipe.toml").touch()
    with pytest.raises(ArgumentError, match=r"no run\.json"):
        existing_folder(tmp_path)


def test_notes_are_added_to_those_there_are(tmp_path):
    folder = Folder(tmp_path)
    assert folder.noted() == {}
    folder.note(seed=1, status="running")
    folder.note(status="finished")
    assert folder.noted() == {"seed": 1, "status": "finished"}


@pytest.mark.parametrize("text", ["{", "[1]", '"run"', "\xff", "[" * 100_000])
def test_a_damaged_description_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text, encoding="latin-1")
    with pytest.raises(ArgumentError, match=r"run\.json"):
        Folder(tmp_path).noted()


@pytest.mark.skipif(os.name != "posix", reason="shells quote differently")
def test_the_command_that_resumes_can_be_pasted(tmp_path):
    assert Folder(tmp_path / "it's here").resume_command.endswith("/it'\"'\"'s here'")


def test_the_environment_names_what_numbers_may_depend_on():
    noted = environment({"vynapse": "1.2"})
    assert noted["versions"]["vynapse"] == "1.2"
    assert noted["versions"].keys() == {"python", "numpy", "vynapse"}
    assert noted["host"].keys() == {"name", "system", "machine"}


def test_a_folder_outside_of_any_repository_has_no_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with revision() as answer:
        assert answer() is None


def test_a_machine_without_git_is_no_problem(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with revision() as answer:
        assert answer() is None


@pytest.mark.skipif(os.name != "posix", reason="a stand-in for git is a script")
def test_git_is_asked_for_the_revision_and_ended_where_nobody_waits_for_it(tmp_path, monkeypatch):
    (tmp_path / "git").write_text('#!/bin/sh\n[ "$*" = "rev-parse HEAD" ] && echo abc123 && exec sleep $DELAY\n')
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DELAY", "0")
    with revision() as answer:
        assert answer() == "abc123"
    monkeypatch.setenv("DELAY", "600")
    with pytest.raises(RuntimeError, match="the recipe"), revision():
        raise RuntimeError("the recipe cannot be written")
