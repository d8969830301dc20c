# SPDX-License-Identifier: MIT OR Apache-2.0
"""Scratch space: kept for the next of the same sizes, never for two at once."""

from __future__ import annotations

import numpy as np

from vynapse_neat.scratch import Scratch


def test_what_is_given_back_is_taken_again() -> None:
    scratch = Scratch(lambda *sizes: np.empty(sizes))
    first = scratch.take(2, 3)
    scratch.give(first, 2, 3)
    assert scratch.take(2, 3) is first


def test_two_who_take_at_once_have_arrays_of_their_own() -> None:
    scratch = Scratch(lambda *sizes: np.empty(sizes))
    assert scratch.take(2) is not scratch.take(2)


def test_other_sizes_are_made_anew() -> None:
    scratch = Scratch(lambda *sizes: np.empty(sizes))
    scratch.give(scratch.take(2, 3), 2, 3)
    assert scratch.take(4, 3).shape == (4, 3)
