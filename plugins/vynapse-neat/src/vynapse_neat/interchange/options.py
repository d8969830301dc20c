# SPDX-License-Identifier: MIT OR Apache-2.0
"""Options of a configuration, read one by one: what is wrong with them is gathered, and so is what nobody asked for.

A configuration comes from a stranger. Its values are texts or plain numbers, never code, and every complaint names the
line.
"""

from __future__ import annotations

import math
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vynapse_core import Problem, RecipeError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LARGEST = 2**20
"""Most bytes of a configuration that is read."""
LONGEST = 60
"""Most characters of a value that a message repeats."""
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class Option:
    """A value, and the line where it stands, where that is known."""

    value: Any
    line: int | None = None


@dataclass(frozen=True)
class Note:
    """What is not as it was in the configuration."""

    where: str
    text: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.where}: {self.text}"


@dataclass
class Options:
    """The options of a file by section, and what was found about them so far."""

    source: str
    """The file's name, for messages."""
    sections: Mapping[str, Mapping[str, Option]]
    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    asked: set[tuple[str, str]] = field(default_factory=set)

    def option(self, section: str, name: str) -> Option | None:
        """Return an option, None where it is missing; from now on it counts as known."""
        self.asked.add((section, name))
        return self.sections.get(section, {}).get(name)

    def number(self, section: str, name: str, default: float, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a finite number within bounds; what is none is a problem, and the default stands in."""
        option = self.option(section, name)
        if option is None:
            return default
        found = _number(option.value)
        if found is None or not math.isfinite(found):
            self.problem(section, name, f"expected a number, found {shown(option.value)}{_comment(option.value)}")
            return default
        if not low <= found <= high:
            bound = f"at least {low:g}" if found < low else f"at most {high:g}"
            self.problem(section, name, f"expected {bound}, found {shown(option.value)}")
            return default
        return found

    def probability(self, section: str, name: str, default: float) -> float:
        """Return a probability; more than 1 happens as surely as 1."""
        found = self.number(section, name, default, low=0.0)
        if found > 1.0:
            self.note(section, name, f"{found:g} is no probability; 1 means the same")
        return min(found, 1.0)

    def integer(self, section: str, name: str, default: int, low: int = 0, high: int = 2**31 - 1) -> int:
        """Return an integer within bounds."""
        found = self.number(section, name, default, low, high)
        if found != int(found):
            option = self.option(section, name)
            self.problem(section, name, f"expected an integer, found {shown(option.value if option else found)}")
            return default
        return int(found)

    def flag(self, section: str, name: str, default: bool) -> bool:
        """Return whether an option is on."""
        option = self.option(section, name)
        if option is None:
            return default
        text = str(option.value).strip().lower()
        if text not in TRUE + FALSE:
            wanted = f"expected true or false, found {shown(option.value)}{_comment(option.value)}"
            self.problem(section, name, wanted)
            return default
        return text in TRUE

    def word(self, section: str, name: str, default: str) -> str:
        """Return an option's text."""
        option = self.option(section, name)
        return default if option is None else str(option.value).strip()

    def known(self, section: str, name: str, names: Iterable[str], table: Mapping[str, str], what: str) -> list[str]:
        """Return what `names` are called here; those that the table does not have are noted and left out."""
        found: list[str] = []
        for each in names:
            if each not in table:
                hint = nearest(each[:LONGEST], table)
                text = f"there is no {what} {shown(each)} here, so that it is left out"
                self.note(section, name, text + (f"; {hint}" if hint else ""))
            elif table[each] not in found:
                found.append(table[each])
        return found

    def problem(self, section: str, name: str, message: str) -> None:
        """Say that an option cannot be used."""
        self.problems.append(Problem(_where(section, name), message, line=self.line(section, name)))

    def note(self, section: str, name: str, text: str) -> None:
        """Say that an option is not as it was."""
        self.notes.append(Note(_where(section, name), text, self.line(section, name)))

    def line(self, section: str, name: str) -> int | None:
        """Return the line of an option."""
        option = self.sections.get(section, {}).get(name)
        return option.line if option else None

    def note_unknown(self) -> None:
        """Note every option that nobody asked for."""
        names = {name for _, name in self.asked}
        for section, options in self.sections.items():
            for name, option in options.items():
                if (section, name) not in self.asked:
                    hint = nearest(name[:LONGEST], names)
                    text = f"unknown, not imported: {shown(option.value)}" + (f"; {hint}" if hint else "")
                    self.note(section, shown(name, ""), text)

    def check(self) -> None:
        """Raise RecipeError for the problems, if there are any."""
        if self.problems:
            raise RecipeError(self.problems, self.source)


def read_text(path: Path) -> str:
    """Return a file's text. Raises RecipeError where it is no file of text, or too large."""
    name = printable(str(path))
    try:
        # looked at before it is opened, as opening a pipe that nobody writes to would never end
        if not (stat.S_ISREG(mode := path.stat().st_mode) or stat.S_ISDIR(mode)):
            raise RecipeError([Problem("", "is no file")], name)
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise RecipeError([Problem("", f"cannot be read: {error.strerror or error}")], name) from None
    if len(content) > LARGEST:
        raise RecipeError([Problem("", f"is larger than {LARGEST >> 20} MiB, which no configuration is")], name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem("", f"is not UTF-8 text (byte {error.start} is 0x{content[error.start]:02x})", line=line)
        raise RecipeError([problem], name) from None


def shown(value: Any, quote: str = "'") -> str:
    """Return a value as a message repeats it: short, on one line, all of it printable."""
    text = printable((value if isinstance(value, str) else repr(value))[: LONGEST + 1])
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return f"{quote}{text}{quote}"


def printable(text: str) -> str:
    """Return a text on one line, with `?` for what cannot be printed."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _where(section: str, name: str) -> str:
    return f"[{section}] {name}" if name else f"[{section}]"


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _comment(value: Any) -> str:
    marked = isinstance(value, str) and any(mark in value for mark in ("#", ";"))
    return " (a comment needs a line of its own)" if marked else ""
