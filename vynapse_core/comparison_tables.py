# SPDX-License-Identifier: MIT OR Apache-2.0
"""A comparison as tables: Markdown for files and pipes, rich for a terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType

    from vynapse_core.compare import Comparison, Pair

KEYS = ("quantity", "group", "A", "B")
"""Columns that say what a row is about."""
NUMBERS = ("runs", "n", "mean", "deviation", "p", "p (Holm)", "A12")
"""Columns of single numbers, which are never broken."""
LONGEST_LABEL = 24
NOTHING = "–"


def comparison_markdown(comparison: Comparison) -> str:
    """Return the tables and notes as Markdown, for files and pipes."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    parts = []
    for table in _tables(comparison):
        rule = line(["---" for _ in table.header])
        parts.append("\n".join([f"## {table.title}", "", line(table.header), rule, *map(line, table.rows)]))
    if comparison.notes:
        parts.append("\n".join(["## Notes", "", *(f"- {note}" for note in comparison.notes)]))
    return "\n\n".join(parts) + "\n"


def comparison_renderable(comparison: Comparison) -> ConsoleRenderable:
    """Return the tables and notes for a rich console; one that is too narrow for tables gets a block a row."""
    return _Drawn(comparison)


@dataclass(frozen=True)
class _Drawn:
    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield what rich draws within the columns that `options` leaves."""
        from rich.text import Text

        tables = _tables(self.comparison)
        wide = all(_least_width(table) <= options.max_width for table in tables)
        for table in tables:
            yield from (_as_table(table),) if wide else _as_blocks(table)
        for note in self.comparison.notes:
            yield Text(f"note: {note}")


def _as_table(table: _Table) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=Text(table.title), title_justify="left", title_style="bold")
    for column in table.header:
        right = column in NUMBERS
        drawn.add_column(column, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for index, row in enumerate(table.rows):
        drawn.add_row(*map(Text, row), end_section=index in table.sections)
    return drawn


def _as_blocks(table: _Table) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    yield Text(f"\n{table.title}", style="bold")
    for row in table.rows:
        cells = list(zip(table.header, row, strict=True))
        yield Text(" · ".join(cell for name, cell in cells if name in KEYS))
        yield from (Padding(Text(f"{name}: {cell}"), (0, 0, 0, 2)) for name, cell in cells if name not in KEYS)


def _least_width(table: _Table) -> int:
    """Return the columns that a table takes at least: no word is broken but a long label's, and no number."""
    width = 1
    for name, *cells in zip(table.header, *table.rows, strict=True):
        words = [name, *cells] if name in NUMBERS else [word for cell in (name, *cells) for word in cell.split()]
        width += 3 + min(LONGEST_LABEL, max(map(len, words)))
    return width


@dataclass(frozen=True)
class _Table:
    """A table as text, for terminal and Markdown alike; a line is drawn under the rows in `sections`."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    sections: frozenset[int] = frozenset()


def number(value: float | None) -> str:
    """Return a number to read: four significant digits, whole numbers in full up to nine, – for None."""
    if value is None:
        return NOTHING
    whole = abs(value) < 1e9 and (abs(value) >= 9999.5 or value.is_integer())
    return f"{value + 0.0:,.0f}" if whole else f"{value:.4g}"


def _tables(comparison: Comparison) -> list[_Table]:
    groups = comparison.groups
    # Long labels are written once, in the first table, and stand as numbers in the others.
    long = any(len(group.label) > LONGEST_LABEL for group in groups)
    short = {group.label: f"#{i}" if long else group.label for i, group in enumerate(groups, 1)}
    rows: list[tuple[str, ...]] = []
    for group in groups:
        reasons = ", ".join(f"{reason} {n}" for reason, n in Counter(run.reason for run in group.runs).items())
        share = f"{group.successes}/{len(group.runs)} ({group.successes / len(group.runs):.0%})"
        label = f"{short[group.label]} {group.label}" if long else group.label
        rows.append((label, str(len(group.runs)), share, reasons))
    tables = [_Table("Groups", ("group", "runs", "success", "stopped by"), rows)]
    rows, ends = [], set()
    for name in dict.fromkeys(name for group in groups for name in group.summaries):
        for group in groups:
            if (of := group.summaries.get(name)) is not None:
                interval = " … ".join(map(number, of.interval)) if of.interval else NOTHING
                place = (name.replace("_", " "), short[group.label], str(of.n))
                rows.append((*place, number(of.mean), number(of.deviation), interval))
        ends.add(len(rows) - 1)
    header = ("quantity", "group", "n", "mean", "deviation", "95% interval of the mean")
    tables.append(_Table("Over seeds", header, rows, frozenset(ends)))
    if comparison.pairs:
        rows = [
            (*names, *map(number, (pair.p, pair.corrected, pair.effect)), _verdict(pair, *names))
            for pair in comparison.pairs
            for names in [(short[pair.first], short[pair.second])]
        ]
        header = ("A", "B", "p", "p (Holm)", "A12", "verdict")
        tables.append(_Table("Best fitness, A against B (Mann–Whitney U, two-sided)", header, rows))
    return tables


def _verdict(pair: Pair, first: str, second: str) -> str:
    """Say what a tested pair shows at the 5% level; sizes of effect as in Vargha and Delaney 2000."""
    if pair.corrected is None or pair.effect is None:
        return pair.why
    distance = abs(pair.effect - 0.5)
    sizes = ((0.21, "large"), (0.14, "medium"), (0.06, "small"), (0.0, "negligible"))
    size = next(word for least, word in sizes if distance >= least - 1e-12)
    if pair.corrected >= 0.05:
        return f"no significant difference ({size} effect)"
    return f"{first if pair.effect > 0.5 else second} is better ({size} effect)"
