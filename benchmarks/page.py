# SPDX-License-Identifier: MIT OR Apache-2.0
"""A page, into which programs put what they have measured: between `<!-- name -->` and `<!-- /name -->`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def missing(page: Path, name: str) -> str:
    """Say what the page lacks to take tables of that name, or nothing: better before half an hour of measuring."""
    if _place(name).search(page.read_text(encoding="utf-8")):
        return ""
    return f"{page} has no lines '<!-- {name} -->' and '<!-- /{name} -->'"


def put(page: Path, name: str, lines: Sequence[str]) -> None:
    """Write `lines` into the place of that name, over what stood there."""
    text = "\n".join(lines) + "\n"
    page.write_text(_place(name).sub(lambda _: text, page.read_text(encoding="utf-8")), encoding="utf-8")


def _place(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n).*(?=<!-- /{name} -->)", re.DOTALL)
