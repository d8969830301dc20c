# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tables: what was measured, as Markdown for people and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from rounds import Measured, fastest, ratio
from sides import OURS, Bar, Contest


def machine_lines(machine: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that say where the figures come from."""
    installed = [f"{name} {version}" for name, version in machine["versions"].items() if version]
    missing = [name for name, version in machine["versions"].items() if not version]
    yield f"- {machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    yield f"- {', '.join(installed)}" + (f"; not installed: {', '.join(missing)}" if missing else "")
    for pool in machine["blas"]:
        layer = f", {pool['threading_layer']}" if pool["threading_layer"] else ""
        yield (
            f"- BLAS: {pool['prefix']} {pool['version']}, kernels for {pool['architecture']}, "
            f"{pool['num_threads']} threads unless a side says otherwise{layer}"
        )
    yield "- " + ", ".join(f"{name} {value or 'unset'}" for name, value in machine["settings"].items())
    peaks = ", ".join(f"{value:,.0f} ({name})" for name, value in machine["peak"].items())
    if peaks:
        yield f"- large float32 products, GFLOP/s: {peaks}"
    yield f"- load average before: {machine['load_before']}"


def contest_lines(contest: Contest, found: Sequence[Measured], peak: float) -> Iterator[str]:
    """Yield a workload's table, what became of its bars, and its notes. `peak` is in GFLOP/s."""
    ours = fastest(found, OURS)
    yield f"### {contest.title}"
    yield ""
    head = ["", *_units(contest), "Vynapse is faster", "by rounds", *([contest.quality] if contest.quality else [])]
    yield "| " + " | ".join(head) + " |"
    yield "|---|" + "---:|" * (len(head) - 1)
    for one in sorted(found, key=lambda one: one.median):
        name = f"**{one.side.name}**" if one is ours else one.side.name
        cells = [name, *_figures(contest, one, peak), *_ratios(ours, one)]
        if contest.quality:
            cells.append(f"{median(one.reached):.3g}" if one.reached else "")
        yield "| " + " | ".join(cells) + " |"
    for name, cause in contest.absent.items():
        yield f"| {name} | " + " | ".join([cause.replace("|", "\\|"), *[""] * (len(head) - 2)]) + " |"
    yield ""
    yield from (f"- {verdict(bar, found)}" for bar in contest.bars)
    yield from (f"- {within(one, contest.limits[one.side.name])}" for one in found if one.side.name in contest.limits)
    yield from (f"- {one.side.name}: {one.side.note}" for one in found if one.side.note)
    yield from (f"- {note}" for note in contest.notes)
    if contest.flops:
        yield f"- the peak is the fastest large product of any library up to here: {peak:,.0f} GFLOP/s"


def verdict(bar: Bar, found: Sequence[Measured]) -> str:
    """Say whether a bar is reached."""
    ours, other = fastest(found, OURS), fastest(found, bar.peer)
    said = f"bar ≥ {bar.times:g} × {bar.peer.replace('|', ' or ')}"
    if ours is None or other is None:
        return f"{said}: not measured"
    times = ratio(ours, other)
    word = "reached" if times.median >= bar.times else "missed"
    return f"{said}: {word}, {times.median:.3g} ({times.least:.3g}–{times.most:.3g}), against {other.side.name}"


def within(one: Measured, limit: float) -> str:
    """Say whether a side keeps to its time."""
    word = "kept" if one.median <= limit else "missed"
    spread = f"{min(one.seconds):.3g}–{max(one.seconds):.3g}"
    return f"bar ≤ {limit:g} s for {one.side.name}: {word}, {one.median:.3g} ({spread})"


def as_values(contest: Contest, found: Sequence[Measured], peak: float) -> dict[str, Any]:
    """Return a workload's figures as plain values."""
    ours = fastest(found, OURS)
    return {
        "title": contest.title,
        "unit": contest.unit,
        "peak_gflops": peak if contest.flops else None,
        "fastest_of_ours": ours.side.name if ours else None,
        "sides": [
            {
                "name": one.side.name,
                "ours": one.side.ours,
                "seconds_by_round": one.seconds,
                "seconds": one.median,
                "rate": 1 / one.median,
                "gflops": contest.flops / one.median / 1e9 if contest.flops else None,
                "share_of_peak": contest.flops / one.median / 1e9 / peak if contest.flops else None,
                "gbytes": contest.traffic / one.median / 1e9 if contest.traffic else None,
                "ratio": vars(ratio(ours, one)) if ours else None,
                contest.quality or "reached": median(one.reached) if one.reached else None,
                "note": one.side.note,
            }
            for one in found
        ],
        "absent": dict(contest.absent),
        "bars": [
            *(verdict(bar, found) for bar in contest.bars),
            *(within(one, contest.limits[one.side.name]) for one in found if one.side.name in contest.limits),
        ],
        "notes": list(contest.notes),
    }


def _units(contest: Contest) -> list[str]:
    if contest.unit != "ms":
        return [f"{contest.unit}/s", "slowest–fastest round"]
    extra = ["GFLOP/s", "of peak"] if contest.flops else ["GB/s"] if contest.traffic else []
    return ["ms", "fastest–slowest round", *extra]


def _figures(contest: Contest, one: Measured, peak: float) -> list[str]:
    least, most = min(one.seconds), max(one.seconds)
    if contest.unit != "ms":
        return [_rounded(1 / one.median), f"{_rounded(1 / most)}–{_rounded(1 / least)}"]
    cells = [_rounded(one.median * 1e3), f"{_rounded(least * 1e3)}–{_rounded(most * 1e3)}"]
    if contest.flops:
        speed = contest.flops / one.median / 1e9
        cells += [_rounded(speed), f"{speed / peak:.0%}"]
    elif contest.traffic:
        cells.append(_rounded(contest.traffic / one.median / 1e9))
    return cells


def _ratios(ours: Measured | None, one: Measured) -> list[str]:
    if ours is None or one is ours:
        return ["", ""]
    times = ratio(ours, one)
    return [f"{_rounded(times.median)} ×", f"{_rounded(times.least)}–{_rounded(times.most)}"]


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
