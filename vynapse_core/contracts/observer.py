# SPDX-License-Identifier: MIT OR Apache-2.0
"""Observer: a component that implements the hooks on a run's life and is registered for that run alone."""

from typing import ClassVar

from vynapse_core.component import Component


class Observer(Component):
    """What watches a run.

    It implements any of the hooks on a run's life, marked with `@hookimpl`, and keeps what it has open in private
    attributes. It must not change what it is given.
    """

    kind: ClassVar[str] = "observer"
