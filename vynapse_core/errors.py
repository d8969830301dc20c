# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every error that Vynapse raises on purpose: written for the user who reads it, with the exit code of the command."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class VynapseError(Exception):
    """Base of all errors meant for users. The command line prints it, no traceback, and leaves with `exit_code`."""

    exit_code = 1


MOST_SAID = 50
"""Problems of a recipe that its error spells out: what nobody reads to its end hides the beginning."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a recipe: where it stands, what it is, and what would be right."""

    path: str
    """Key path, such as `trainer.mutation.0.sigma`; empty for the file as a whole."""
    message: str
    """What was found and what was expected, in one sentence."""
    hint: str = ""
    """What to do: the nearest known name, or the distribution to install."""
    line: int | None = None
    """Line in the recipe's file, counted from 1."""

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        where = f"{self.path}: " if self.path else ""
        return f"{place}{where}{self.message}" + (f" ({self.hint})" if self.hint else "")


class RecipeError(VynapseError):
    """A recipe that cannot be run; holds all its problems, not only the first, and says up to MOST_SAID."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem], source: str = "recipe") -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line or 0, p.path)))
        self.source = source
        count = f"{len(self.problems)} problems" if len(self.problems) > 1 else "1 problem"
        said = [f"  {problem}" for problem in self.problems[:MOST_SAID]]
        more = [f"  and {len(self.problems) - MOST_SAID} more"] if len(self.problems) > MOST_SAID else []
        super().__init__("\n".join([f"{source}: {count}", *said, *more]))


class ArgumentError(VynapseError):
    """A command was called with something it cannot use."""

    exit_code = 2


class PluginError(VynapseError):
    """A plugin that cannot be loaded, or two that contradict each other."""


class GraphError(VynapseError):
    """A graph that is not well-formed: unknown op, operands or shapes that do not fit, a malformed file."""

    def __init__(self, message: str = "", key: str = "") -> None:
        super().__init__(message)
        self.key = key
        """Which field of a component the graph was built from, such as `layers.3`; empty where it is none."""


class DataError(VynapseError):
    """Data that is missing, malformed, or not of the shape a task needs."""


class CheckpointError(VynapseError):
    """A checkpoint that is missing, truncated, altered, or written by another version."""


class RunError(VynapseError):
    """A run that cannot go on: a component raised, or no individual has a finite fitness."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the known name nearest to `name`, or an empty string where none is near."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {matches[0]!r}?" if matches else ""
