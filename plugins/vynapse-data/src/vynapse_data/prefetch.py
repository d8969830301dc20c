# SPDX-License-Identifier: MIT OR Apache-2.0
"""Prefetch: what is needed next is made in the background while what came before is used."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

THREADS = 2
AHEAD = 8
"""Results at most that are made before they are asked for."""


def prefetched(make: Callable[[int], T], count: int, *, threads: int = THREADS, ahead: int = AHEAD) -> Iterator[T]:
    """Yield `make(0)` to `make(count - 1)` in this order, at most `ahead` of them made before they are asked for.

    `make` is a function of the number alone, so that results depend neither on the threads nor on their timing. What it
    raises is raised where its result is due. Closing the iterator, or an interrupt while it waits, ends the threads.
    """
    if count <= 1:
        yield from map(make, range(count))
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    waiting: deque[Future[T]] = deque()
    try:
        for number in range(count):
            waiting.append(pool.submit(make, number))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
