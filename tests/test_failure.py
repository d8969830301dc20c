# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is told of an exception that ended a run: component, step, file and line."""

from __future__ import annotations

import errno
import inspect
from typing import ClassVar

import pytest

from vynapse_core import DirectTask, RunError, wire
from vynapse_core.catalogue import Catalogue, Entry, installed
from vynapse_core.errors import CheckpointError
from vynapse_core.failure import explained
from vynapse_core.recipe import build
from vynapse_core.source import Source


class Sensor(DirectTask):
    """Raises from a function that it calls."""

    encoding: ClassVar[str] = "real"

    @property
    def length(self):
        return 3

    def evaluate(self, genes):
        return broken(genes)


def broken(error):
    raise error


@pytest.fixture(scope="module")
def experiment():
    known = installed()
    entries = (*known.entries, Entry("task", "sensor", Sensor, "tests", "1"))
    catalogue = Catalogue(known.plugins, entries, known.ops, known.kernels, known.gradients)
    recipe = {"task": {"type": "sensor"}, "trainer": {"type": "evolution"}}
    return wire(build(Source(recipe), catalogue), catalogue=catalogue)


def told(experiment, call, step=4):
    """Return what is told of the exception that `call` raises after a step."""
    try:
        call()
    except BaseException as error:
        return explained(error, experiment, step)
    raise AssertionError("nothing was raised")


def test_the_component_is_named_by_its_path_and_the_line_in_its_own_code(experiment):
    failure = told(experiment, lambda: experiment.task.evaluate(ValueError("too hot")))
    lines, first = inspect.getsourcelines(Sensor.evaluate)
    assert isinstance(failure, RunError)
    said = f"step 5: task Sensor at task raised ValueError: too hot (test_failure.py, line {first + len(lines) - 1})"
    assert str(failure) == said


def test_an_exception_without_a_text_is_told_by_its_type(experiment):
    assert "raised StopIteration (" in str(told(experiment, lambda: experiment.task.evaluate(StopIteration())))


def test_a_failure_outside_all_components_is_the_kernels_at_its_innermost_line(experiment):
    _, first = inspect.getsourcelines(broken)
    said = f"step 5: the kernel raised KeyError: 'x' (test_failure.py, line {first + 1})"
    assert str(told(experiment, lambda: broken(KeyError("x")))) == said


def test_a_component_that_is_not_of_this_recipe_is_not_blamed(experiment):
    assert "the kernel raised" in str(told(experiment, lambda: Sensor().evaluate(ValueError("too hot"))))


def test_an_exception_that_was_never_raised_has_no_place(experiment):
    assert str(explained(ValueError("x"), experiment, 0)) == "step 1: the kernel raised ValueError: x (no place known)"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_how_to_go_on(experiment, number):
    failure = told(experiment, lambda: broken(OSError(number, "full")))
    assert str(failure) == "disk full after step 4; make room, and 'vynapse resume' goes on from the last checkpoint"


def test_too_little_memory_says_what_needs_less(experiment):
    assert "out of memory at step 5: a smaller population" in str(told(experiment, lambda: broken(MemoryError())))


@pytest.mark.parametrize("error", [CheckpointError("torn"), KeyboardInterrupt(), SystemExit(3)])
def test_errors_for_users_and_interruptions_stay_as_they_are(experiment, error):
    assert explained(error, experiment, 4) is error
