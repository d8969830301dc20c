# SPDX-License-Identifier: MIT OR Apache-2.0
"""What this plugin offers: the device `numba`. It is imported when the hook asks, so that loading is fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Component


@hookimpl
def vynapse_devices() -> Mapping[str, type[Component]]:
    """Contribute the CPU device."""
    from vynapse_numba.device import Numba

    return {"numba": Numba}
