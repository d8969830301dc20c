# SPDX-License-Identifier: MIT OR Apache-2.0
"""What this package offers. Parts are imported inside the hooks, so that `vynapse --help` need not wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import hookimpl

if TYPE_CHECKING:
    from vynapse_core.hooks import Components


@hookimpl
def vynapse_operators() -> Components:
    """A mutation with long tails."""
    from vynapse_cauchy.mutation import Cauchy

    return {"cauchy": Cauchy}


@hookimpl
def vynapse_tasks() -> Components:
    """A function with many local optima."""
    from vynapse_cauchy.task import Griewank

    return {"griewank": Griewank}
