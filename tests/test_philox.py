# SPDX-License-Identifier: MIT OR Apache-2.0
"""Words of Philox: the same from every place, whatever was drawn before and by whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from numpy.random import Philox

from vynapse_core import philox

KEYS = (bytes(range(16)), bytes(range(240, 256)))


def told(key: bytes, position: int, count: int) -> list[int]:
    """The words of a key, from a generator that starts at the first."""
    words: list[int] = Philox(key=int.from_bytes(key, "little")).random_raw(position + count)[position:].tolist()
    return words


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 40), st.integers(0, 20)), max_size=8))
def test_words_depend_on_the_key_and_the_place_alone(calls: list[tuple[bytes, int, int]]) -> None:
    for key, position, count in calls:
        assert philox.words(key, position, count).tolist() == told(key, position, count)


def test_threads_draw_side_by_side() -> None:
    def draw(start: int) -> list[Any]:
        return [philox.words(KEYS[n % 2], start + n, 3).tolist() for n in range(50)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, range(40))) == [draw(start) for start in range(40)]


def test_an_interruption_after_a_draw_leaves_no_wrong_place(monkeypatch: pytest.MonkeyPatch) -> None:
    source, raw = philox._THREAD.source, philox._THREAD.source.raw
    philox.words(KEYS[0], 0, 4)

    def interrupted(count: int) -> None:
        raw(count)
        raise KeyboardInterrupt

    monkeypatch.setattr(source, "raw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        philox.words(KEYS[0], 4, 5)
    monkeypatch.undo()
    assert philox.words(KEYS[0], 4, 3).tolist() == told(KEYS[0], 4, 3)
    assert philox.words(KEYS[0], 9, 3).tolist() == told(KEYS[0], 9, 3)


def test_a_generator_of_its_own_starts_at_the_first_word() -> None:
    assert philox.keyed(KEYS[1]).random_raw(3).tolist() == told(KEYS[1], 0, 3)
