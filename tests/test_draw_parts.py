# SPDX-License-Identifier: MIT OR Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Stream, fill_words, half_of, integer_below, normals_of, routine, uniform_of
from vynapse_core.devices.reference import Reference


@routine("uint64, uint64, int64, uint64[:]")
def _words(first, last, key0, key1, start, out):
    fill_words(key0, key1, start, out)


@routine("uint64[:], int64, int64[:], float32[:]")
def _numbers(first, last, words, span, integers, uniforms):
    for i in range(first, last):
        integers[i] = integer_below(words[i], span)
        uniforms[2 * i] = uniform_of(half_of(words, 2 * i))
        uniforms[2 * i + 1] = uniform_of(half_of(words, 2 * i + 1))


@routine("uint64[:], float32[:]")
def _normals(first, last, words, out):
    normals_of(words, out)


def _devices():
    numba = pytest.importorskip("vynapse_numba.device").Numba
    return [Reference(), numba()]


def _stream(seed):
    return Stream(seed.to_bytes(16, "little"))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**128 - 1), st.integers(0, 9), st.integers(0, 11))
def test_a_routine_makes_the_words_of_a_stream(seed, skipped, count):
    stream, twin = _stream(seed), _stream(seed)
    stream.words(skipped)
    twin.words(skipped)
    expected = twin.words(count)
    key0, key1, first = stream.reserve(count)
    for device in _devices():
        found = np.zeros(count, np.uint64)
        device.routine(_words)(1, np.uint64(key0), np.uint64(key1), first, found)
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("span", [1, 7, 2**32 - 1])
def test_integers_and_uniforms_have_the_bits_of_a_streams_draws(span):
    words = _stream(5).words(50)
    for device in _devices():
        integers, uniforms = np.zeros(50, np.int64), np.zeros(100, np.float32)
        device.routine(_numbers)(50, words, span, integers, uniforms)
        assert integers.tolist() == _stream(5).integers(0, span, 50).tolist()
        assert uniforms.tobytes() == _stream(5).uniform(100).tobytes()


def test_normal_numbers_are_those_of_a_stream_to_rounding_and_the_same_on_all_devices():
    words = np.concatenate([_stream(5).words(3000), np.array([0, 2**64 - 1, 2**32 - 1, 2**32], np.uint64)])
    expected = np.empty(2 * len(words), np.float32)
    from vynapse_core import draws

    draws.normal(words.copy(), expected)
    found = [np.zeros(2 * len(words), np.float32) for _ in _devices()]
    for device, each in zip(_devices(), found, strict=True):
        device.routine(_normals)(1, words, each)
        np.testing.assert_allclose(each, expected, rtol=0, atol=1e-6)
    assert found[0].tobytes() == found[1].tobytes()
