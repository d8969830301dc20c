# SPDX-License-Identifier: MIT OR Apache-2.0
"""What this plugin offers: gradients of the kernel's ops and the trainer `sgd`. Parts are imported when a hook asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Component, Gradient


@hookimpl
def vynapse_gradients() -> Mapping[str, Gradient]:
    """Contribute the vector-Jacobian products of the kernel's ops."""
    from vynapse_autodiff.vjps import VJPS

    return VJPS


@hookimpl
def vynapse_trainers() -> Mapping[str, type[Component]]:
    """Contribute the trainer."""
    from vynapse_autodiff.sgd import Sgd

    return {"sgd": Sgd}
