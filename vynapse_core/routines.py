# SPDX-License-Identifier: MIT OR Apache-2.0
"""Routines: loops over rows of arrays, which a device may compile.

Some of what a trainer does to a population is neither a graph nor a few whole-array calls of NumPy: comparing genomes
of different sizes, say, or choosing the survivors. A routine says it once, as a plain loop over numbers. Called as it
is, Python runs it, slowly; a device that compiles gives back a form that does the same: arithmetic to the bit, the sine
and its like to rounding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import numpy as np

Run: TypeAlias = Callable[..., None]
"""A routine in some form: `run(rows, *arguments)`."""

_ARGUMENT = re.compile(r"(\{\w+\}|\w+)(?:\[(:(?:, ?:)*)\])?")
_SCALARS = ("int64", "uint64", "float64")


@dataclass(frozen=True)
class Argument:
    """What a routine takes at one place."""

    dtype: str
    """Name of a NumPy dtype; a number is int64, uint64 or float64."""
    ndim: int
    """Number of axes; 0 for a number."""


@dataclass(frozen=True, eq=False)
class Routine:
    """A loop over rows: `function(first, last, *arguments)` does the rows `first` <= row < `last`.

    It writes its results to arrays among its arguments. What it does to a row must not depend on what it does to
    another one, so that rows may be shared among threads; work that cannot be parted is a single row. It may use
    numbers, arrays, NumPy's and math's functions of numbers, and other routines that have no arguments declared, which
    are parts of it. It makes no arrays and raises no errors, and no
    index and no bound of a slice is negative.
    """

    function: Callable[..., Any]
    arguments: tuple[Argument, ...] | None
    """What it takes after `first` and `last`; None for a part of other routines."""
    grain: int = 1
    """Rows that are worth a thread's while: some 10 us of work."""
    distinct: bool = False
    """Whether no array that it or a part of it writes shares memory with another one that it is given at the same time:
    what was read of one then need not be read again after the other was written."""

    def __call__(self, *arguments: Any) -> Any:
        """Call the function; integers wrap around, as they do where it is compiled."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return self.function(*arguments)

    def run(self, rows: int, *arguments: Any) -> None:
        """Do all `rows` of them, in Python; no rows are worth another thread."""
        self(0, rows, *arguments)

    def of(self, **dtypes: str) -> Routine:
        """Return this routine for the dtypes that stand in braces in its declaration: `of(genes="float32")`."""
        return _settled(self, tuple(dtypes.items()))

    def worth(self, rows: int) -> Routine:
        """Return this routine with another grain: so many rows, 1 at least, are worth a thread's while."""
        return _grained(self, rows)


@cache
def _grained(routine: Routine, grain: int) -> Routine:
    return replace(routine, grain=grain)


@cache
def _settled(routine: Routine, dtypes: tuple[tuple[str, str], ...]) -> Routine:
    names = {f"{{{name}}}": dtype for name, dtype in dtypes}
    arguments = tuple(replace(each, dtype=names.get(each.dtype, each.dtype)) for each in routine.arguments or ())
    return replace(routine, arguments=arguments)


def routine(declaration: str, grain: int = 1, distinct: bool = False) -> Callable[[Callable[..., None]], Routine]:
    """Make a routine of a function `(first, last, ...)` that takes after those two what is declared.

    `@routine("float64[:], {genes}[:, :], uint64")` takes an array, a matrix of a dtype that `Routine.of` settles, and a
    number. Arrays are C-contiguous; they are `distinct` only where that is promised, for the calls of parts too. Raises
    ValueError for a declaration that it cannot read.
    """
    return lambda function: Routine(function, _arguments(declaration), grain, distinct)


def routine_part(function: Callable[..., Any]) -> Routine:
    """Make a function that routines may call."""
    return Routine(function, None)


def _arguments(declaration: str) -> tuple[Argument, ...]:
    found = []
    for text in re.split(r",\s*(?![^\[]*\])", declaration):
        match = _ARGUMENT.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"a routine takes arguments such as 'float64[:, :]' or 'int64', found {text!r}")
        dtype, axes = match.groups()
        if not axes and dtype not in _SCALARS:
            raise ValueError(f"a number that a routine takes is {', '.join(_SCALARS)}, found {dtype!r}")
        if "{" not in dtype:
            np.dtype(dtype)
        found.append(Argument(dtype, axes.count(":") if axes else 0))
    return tuple(found)
