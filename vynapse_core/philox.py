# SPDX-License-Identifier: MIT OR Apache-2.0
"""Words of Philox 4x64-10, from NumPy: any of them, of any key.

Many streams are named and few words are drawn from each. To make a generator takes ten times as long as to put one
elsewhere, so that each thread has one, put where it is wanted. What it gives depends on the key and the place alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from struct import Struct
from typing import Any, cast

import numpy as np
from numpy.random import Philox, SeedSequence
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

Words = NDArray[np.uint64]

key_words: Callable[[bytes], tuple[int, int]] = Struct("<2Q").unpack
"""Returns the two 64-bit words of a key of 16 bytes."""
_NOWHERE = -1


class _Key(ISeedSequence):
    """Hands a key to Philox as its seed: `Philox(key=...)` asks for entropy first, at thrice the time."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        return self.words


class _Source:
    """A generator, and where it stands."""

    __slots__ = ("key", "philox", "place", "position", "raw", "state")

    def __init__(self) -> None:
        self.philox = keyed(bytes(16))
        self.raw = self.philox.random_raw
        # NumPy reads lists thrice as fast as arrays
        self.place: dict[str, Any] = {"counter": [0, 0, 0, 0], "key": (0, 0)}
        self.state: Any = {
            "bit_generator": "Philox",
            "state": self.place,
            "buffer": [0, 0, 0, 0],
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }
        self.key = b""
        self.position = _NOWHERE


class _Thread(threading.local):
    """What a thread has."""

    def __init__(self) -> None:
        self.source = _Source()


def keyed(key: bytes) -> Philox:
    """Return a generator of its own for a key of 16 bytes, at its first word."""
    return Philox(cast("SeedSequence", _Key(np.array(key_words(key), np.uint64))))


def words(key: bytes, position: int, count: int) -> Words:
    """Return the words `position` to `position + count` of a key of 16 bytes, uint64 [count], a new array."""
    source = _THREAD.source
    if position != source.position or key != source.key:
        _put(source, key, position)
    # an interruption between a draw and its count must not leave a wrong place behind
    source.position = _NOWHERE
    drawn: Words = source.raw(count)
    source.position = position + count
    return drawn


def _put(source: _Source, key: bytes, position: int) -> None:
    block, rest = divmod(position, 4)
    source.position = _NOWHERE
    source.key = key
    # NumPy's generator counts before it makes a block of four words
    source.place["counter"][0] = block
    source.place["key"] = key_words(key)
    source.philox.state = source.state
    if rest:
        source.raw(rest)


_THREAD = _Thread()
