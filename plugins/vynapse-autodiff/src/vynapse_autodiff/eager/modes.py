# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is done beside computing: recording or not, looking for what is not finite, tracing all there is.

The mode belongs to the context, so that one thread's `no_grad` is not another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vynapse_autodiff.eager.tensor import Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Mode:
    """What each op does beside computing."""

    recording: bool = True
    """Whether what depends on a tensor with a gradient is recorded."""
    anomaly: bool = False
    """Whether a result that is not finite is an error."""
    everything: bool = False
    """Whether all ops are recorded, those without a gradient too: what tracing needs."""
    watched: list[Tensor] | None = None
    """Where to note the leaves with a gradient that are used, if anywhere."""


RECORDING = Mode()
"""What holds unless said otherwise."""
PLAIN = Mode(recording=False)
"""Values only."""
MODE: ContextVar[Mode] = ContextVar("mode", default=RECORDING)


@contextmanager
def mode(chosen: Mode) -> Iterator[Mode]:
    """Compute in a mode."""
    token = MODE.set(chosen)
    try:
        yield chosen
    finally:
        MODE.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: results have no gradient. Also a decorator: `@no_grad()`."""
    now = MODE.get()
    with mode(PLAIN if now is RECORDING else replace(now, recording=False)):
        yield


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise GraphError at the op, forward or backward, that makes a NaN or an infinity, with your line that called it.

    It makes every op slower; take it to find a mistake. What was recorded outside is known without its line.
    """
    with mode(replace(MODE.get(), anomaly=True)):
        yield
