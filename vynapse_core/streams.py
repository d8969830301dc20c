# SPDX-License-Identifier: MIT OR Apache-2.0
"""Named random streams: every draw is a pure function of the seed, the stream's path and the draw's index.

Streams are keyed, not shared: a draw added in one place moves no other, and any process or device can redo a
stream from its key alone. The rules are exact, because devices in other languages must draw the same numbers.

**Words.** Word i (64 bits) of a stream with the key (k0, k1) is output i mod 4 of Philox 4x64-10 (Salmon et
al., SC 2011) for that key and the counter (i div 4 + 1, 0, 0, 0). Each call of a stream starts at its next
unused word; what is left of a call's last word is dropped. A word's 32-bit halves are taken low half first.

**Draws.** What words become is said in `draws`.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from vynapse_core import draws, philox
from vynapse_core.draws import Number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, DTypeLike

Part: TypeAlias = str | SupportsIndex
Shape: TypeAlias = int | tuple[int, ...]

BLOCK = 8192
"""Words made at a time: 64 KiB, so that the passes over a block stay in a core's cache."""
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True, slots=True)
class Streams:
    """All streams of a seed, or those below a path: `streams("mutation", step)` is one of them.

    The seed is any int. The parts of a path are str or int (else TypeError), and 1 is not "1".
    """

    seed: int
    path: tuple[Part, ...] = ()
    _root: blake2b = field(init=False, repr=False, compare=False)
    """The hash of seed and path, which those of the streams below go on from."""

    def __post_init__(self) -> None:
        if isinstance(self.seed, str):
            raise TypeError(f"a seed is an int, found {self.seed!r}")
        encoding = b"".join(map(_encoded, (self.seed, *self.path)))
        object.__setattr__(self, "_root", blake2b(encoding, digest_size=16, person=b"vynapse stream"))

    def __reduce__(self) -> tuple[type[Streams], tuple[int, tuple[Part, ...]]]:
        # a hash in the making cannot be pickled
        return Streams, (self.seed, self.path)

    def __call__(self, *path: Part) -> Stream:
        """Return the stream at `path`, at its first word. Calling again returns the same draws again."""
        if not path:
            raise ValueError('a stream needs a name, such as streams("mutation", step)')
        named = self._root.copy()
        for part in path:
            named.update(_encoded(part))
        return Stream(named.digest())

    def within(self, *path: Part) -> Streams:
        """Return the streams below `path`: `within("island", 3)("cross")` is `("island", 3, "cross")`."""
        return Streams(self.seed, (*self.path, *path))


class Stream:
    """One stream of draws. Its key never changes; its only state is `position`, the words used so far."""

    __slots__ = ("_generator", "_key", "position")

    def __init__(self, key: bytes) -> None:
        if len(key) != 16:
            raise ValueError(f"a stream's key has 16 bytes, found {len(key)}")
        self._key = key
        self._generator: Generator | None = None
        self.position = 0

    @property
    def key(self) -> tuple[int, int]:
        """The two 64-bit words of the Philox key."""
        return philox.key_words(self._key)

    @property
    def used(self) -> bool:
        """Whether a word has been taken, or the generator asked for."""
        return self.position > 0 or self._generator is not None

    @property
    def generator(self) -> Generator:
        """A NumPy Generator with a key of its own, for what a stream does not offer."""
        if self._generator is None:
            key = blake2b(self._key, digest_size=16, person=b"vynapse numpy").digest()
            self._generator = Generator(philox.keyed(key))
        return self._generator

    def uniform(
        self, shape: Shape, low: Number = 0.0, high: Number = 1.0, dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """Draw uniform numbers, low <= x < high; x = low where the two are equal.

        `dtype` is float32 or float64; `low` and `high` broadcast against `shape`. Raises ValueError where
        low > high, or where a bound or their difference is not finite.
        """
        kind = _float(dtype)
        count = _count(shape)
        out = np.empty(count, kind)
        each = _each(kind)
        for start, words in self._blocks(-(-count // each)):
            draws.uniform(words, out[each * start : each * (start + len(words))])
        values = out.reshape(shape)
        draws.stretch(values, low, high)
        return values

    def normal(
        self, shape: Shape, mean: Number = 0.0, sigma: Number = 1.0, dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """Draw normal numbers of this mean and standard deviation.

        `dtype` is float32 or float64; `mean` and `sigma` broadcast against `shape`. Raises ValueError for a
        negative sigma, and where either is not finite. float32 lies within 6.8 sigma, float64 within 8.7.
        """
        kind = _float(dtype)
        count = _count(shape)
        even = count + count % 2
        out = np.empty(even, kind)
        each = _each(kind)
        for start, words in self._blocks(even // each):
            draws.normal(words, out[each * start : each * (start + len(words))])
        values = out[:count].reshape(shape)
        draws.scale(values, mean, sigma)
        return values

    def integers(self, low: int, high: int, shape: Shape) -> NDArray[np.int64]:
        """Draw int64 integers, low <= x < high, each with the same probability to 2^-64.

        Raises ValueError unless 1 <= high - low < 2^32 and both lie within int64.
        """
        span = operator.index(high) - operator.index(low)
        if not (0 < span < 2**32 and -(2**63) <= low < high <= 2**63):
            raise ValueError(f"integers need 1 <= high - low < 2**32 within int64, found low={low}, high={high}")
        out = np.empty(_count(shape), np.int64)
        for start, words in self._blocks(len(out)):
            draws.integers(words, low, span, out[start : start + len(words)])
        return out.reshape(shape)

    def choice(self, n: int, shape: Shape, weights: ArrayLike | None = None) -> NDArray[np.int64]:
        """Draw int64 indices 0 <= i < n with replacement; a weight of 0 is never drawn.

        `weights` [n] need not sum to 1. Raises ValueError for n < 1, and for weights that are negative, not
        finite, all zero, or not n of them.
        """
        if n < 1:
            raise ValueError(f"there is nothing to choose from: n must be at least 1, found {n}")
        if weights is None:
            return self.integers(0, n, shape)
        shares = draws.cumulative(np.asarray(weights, np.float64), n)
        return draws.choice(self.uniform(shape, dtype=np.float64), shares)

    def permutation(self, n: int, shape: Shape = ()) -> NDArray[np.int64]:
        """Draw a random order of 0 .. n-1, int64 [n]; with a shape, independent orders [*shape, n]."""
        rows = shape if isinstance(shape, tuple) else (shape,)
        return draws.permutation(self.words((*rows, n)))

    def bernoulli(self, rate: Number, shape: Shape) -> NDArray[np.bool_]:
        """Draw a bool mask, true with probability `rate`, which broadcasts, in steps of 2^-24.

        A rate of 0 is never true, a rate of 1 always. Raises ValueError for a rate outside [0, 1].
        """
        if not draws.within(rate, 0.0, 1.0):
            raise ValueError(f"rate must be within [0, 1], found {rate}")
        return draws.bernoulli(self.uniform(shape), rate)

    def words(self, shape: Shape) -> NDArray[np.uint64]:
        """Return the next words of the stream, uint64."""
        return self._next(_count(shape)).reshape(shape)

    def reserve(self, words: int) -> tuple[int, int, int]:
        """Leave the next words to a device that makes them itself: (key0, key1, index of the first word)."""
        first = self.position
        self.position += _count(words)
        return (*philox.key_words(self._key), first)

    def _next(self, count: int) -> NDArray[np.uint64]:
        """Return the next words, a new array."""
        first = self.position
        self.position = first + count
        return philox.words(self._key, first, count)

    def _blocks(self, count: int) -> Iterable[tuple[int, NDArray[np.uint64]]]:
        """Return (offset, next words) until `count` words are used; each block is a new array."""
        return self._several(count) if count > BLOCK else ((0, self._next(count)),) if count else ()

    def _several(self, count: int) -> Iterator[tuple[int, NDArray[np.uint64]]]:
        for start in range(0, count, BLOCK):
            yield start, self._next(min(BLOCK, count - start))


def _encoded(part: Part) -> bytes:
    """Encode a part of a path as type, length and bytes, so that no two paths have one encoding."""
    if type(part) is str or type(part) is int:
        return _encoded_plain(part)
    if isinstance(part, str):
        return _encoded_plain(str(part))
    if isinstance(part, bool) or not hasattr(part, "__index__"):
        raise TypeError(f"a stream's path is made of str and int, found {part!r} ({type(part).__name__})")
    return _encoded_plain(operator.index(part))


# a step's streams have its number in common, and every step's their names
@lru_cache(1024)
def _encoded_plain(part: str | int) -> bytes:
    if isinstance(part, str):
        body, tag = part.encode(), b"s"
    else:
        body, tag = part.to_bytes(part.bit_length() // 8 + 1, "little", signed=True), b"i"
    return tag + len(body).to_bytes(4, "little") + body


def _count(shape: Shape) -> int:
    """Return the number of elements of `shape`."""
    if type(shape) is int and shape >= 0:
        return shape
    sizes = [operator.index(size) for size in (shape if isinstance(shape, tuple) else (shape,))]
    if any(size < 0 for size in sizes):
        raise ValueError(f"sizes must be at least 0, found {shape}")
    return math.prod(sizes)


def _float(dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind not in _FLOATS:
        raise ValueError(f"draws are float32 or float64, found {kind}")
    return kind


def _each(kind: np.dtype[Any]) -> int:
    """Return how many numbers of a type are made of one word."""
    return 8 // kind.itemsize
