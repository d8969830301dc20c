# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is told of an exception that ended a run: component, step, file and line."""

from __future__ import annotations

import errno
import inspect
from typing import ClassVar

import pytest

from vynapse_core import Builder, DirectTask, RunError, wire
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


def told(experiment, call, step=5, **given):
    """Return what is told of the exception that `call` raises in a step."""
    try:
        call()
    except BaseException as error:
        return explained(error, experiment, step, **given)
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
    assert str(explained(ValueError("x"), experiment, 1)) == "step 1: the kernel raised ValueError: x (no place known)"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_how_to_go_on(experiment, number):
    failure = told(experiment, lambda: broken(OSError(number, "full")))
    assert str(failure) == "disk full at step 5; make room, and 'vynapse resume' goes on from the last checkpoint"


def test_a_full_disk_before_the_first_checkpoint_says_that_there_is_none(experiment):
    def save():
        try:
            broken(OSError(errno.ENOSPC, "full"))
        except OSError as error:
            raise CheckpointError("disk full: what was saved there before is intact") from error

    for call in (save, lambda: broken(OSError(errno.ENOSPC, "full"))):
        failure = told(experiment, call, checkpoint=False)
        assert str(failure) == "disk full at step 5; there is no checkpoint yet; make room, and run it again"
    assert "is intact" in str(told(experiment, save))


def test_what_fails_between_the_parts_is_not_laid_to_the_distribution(experiment):
    def evaluate(genes, step):
        return experiment.evaluation.fitness_of_networks(genes, step)

    failure = told(experiment, lambda: experiment.recipe.distribution.evaluate(evaluate, None, 0))
    assert str(failure).startswith("step 5: the evaluation of task Sensor at task raised TypeError: ")


def test_a_program_is_its_devices(experiment):
    builder = Builder()
    program = experiment.recipe.device.compile(builder.graph({"y": builder.input("x", ("B", 1))}))
    device = type(experiment.recipe.device).__name__
    failure = told(experiment, lambda: program({}, {}))
    assert str(failure).startswith(f"step 5: device {device} at device raised ValueError")


def test_the_distribution_is_named_where_nothing_deeper_is(experiment):
    failure = told(experiment, lambda: experiment.recipe.distribution.evaluate(lambda genes, step: genes[0], (), 0))
    assert str(failure).startswith("step 5: distribution Local at distribution raised IndexError")


def test_too_little_memory_says_what_needs_less(experiment):
    assert "out of memory at step 5: a smaller population" in str(told(experiment, lambda: broken(MemoryError())))


@pytest.mark.parametrize("error", [CheckpointError("torn"), KeyboardInterrupt(), SystemExit(3)])
def test_errors_for_users_and_interruptions_stay_as_they_are(experiment, error):
    assert explained(error, experiment, 4) is error
