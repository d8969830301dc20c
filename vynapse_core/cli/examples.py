# SPDX-License-Identifier: MIT OR Apache-2.0
"""Examples at the end of a command's help."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """Return an epilog of example commands, a line each; the mark on top keeps click from joining them."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
