# SPDX-License-Identifier: MIT OR Apache-2.0
"""Streams: known answers, independence, and the distribution of every kind of draw."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from vynapse_core.streams import BLOCK, Stream, Streams

MASK = 2**64 - 1
MANY = 200_000
PINNED_KEY = (8803929450238559323, 9847086690386039538)
PINNED_WORDS = [7752645575930007364, 6594210967176802258]
PINNED_UNIFORM = [0.842842698097229, 0.8002888560295105, 0.43290144205093384]
PINNED_DOUBLE = [0.2439841331194853, 0.21422188293149358]
PINNED_INTEGERS = [335, 322, 195, 401]
PINNED_CHOICE = [0, 3, 3, 0, 2, 2]
PINNED_PERMUTATION = [2, 5, 4, 0, 3, 1]
PINNED_MASK = [False, False, True, False]
PINNED_NORMAL = [0.6362171, 1.813351, -0.05453727]
PINNED_NORMAL_DOUBLE = [-0.345717577506251, 1.103719193013023, 0.06326597261390865]
PINNED_GENERATOR = [970165, 286487, 704265]
parts = st.one_of(st.integers(-(2**70), 2**70), st.text(max_size=5))


def philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> list[int]:
    """Philox 4x64-10 written out from the paper, in Python's integers."""
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(10):
        p0, p1 = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (p1 >> 64) ^ c1 ^ k0, p1 & MASK, (p0 >> 64) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return [c0, c1, c2, c3]


def raw(stream: Stream, count: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The first words of `stream`, from NumPy's own Philox."""
    key0, key1 = stream.key
    return np.random.Philox(key=key0 + (key1 << 64)).random_raw(count)


def fresh(name: str = "draws") -> Stream:
    return Streams(2024)(name)


def draws(stream: Stream) -> list[Any]:
    """Something of each kind."""
    return [
        stream.uniform(7).tolist(),
        stream.normal((3, 5), dtype=np.float64).tolist(),
        stream.integers(-4, 9, 6).tolist(),
        stream.choice(5, 6, weights=[1, 0, 2, 3, 4]).tolist(),
        stream.permutation(9).tolist(),
        stream.bernoulli(0.5, 11).tolist(),
    ]


def test_philox_as_written_in_the_paper_gives_the_published_vector() -> None:
    published = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert philox((0, 0), (0, 0, 0, 0)) == published


def test_words_are_philox_of_the_key_and_the_index() -> None:
    stream = fresh()
    words = [word for block in range(1, 6) for word in philox(stream.key, (block, 0, 0, 0))]
    assert stream.words(20).tolist() == words
    assert raw(stream, 20).tolist() == words


def test_draws_of_a_named_stream_are_pinned() -> None:
    streams = Streams(42)
    assert streams("mutation", 7).key == PINNED_KEY
    stream = streams("mutation", 7)
    assert stream.words(2).tolist() == PINNED_WORDS
    assert stream.uniform(3).tolist() == PINNED_UNIFORM
    assert stream.uniform(2, dtype=np.float64).tolist() == PINNED_DOUBLE
    assert stream.integers(0, 1000, 4).tolist() == PINNED_INTEGERS
    assert stream.choice(4, 6, weights=[1, 0, 2, 1]).tolist() == PINNED_CHOICE
    assert stream.permutation(6).tolist() == PINNED_PERMUTATION
    assert stream.bernoulli(0.5, 4).tolist() == PINNED_MASK
    np.testing.assert_allclose(stream.normal(3), PINNED_NORMAL, rtol=1e-5)
    np.testing.assert_allclose(stream.normal(3, dtype=np.float64), PINNED_NORMAL_DOUBLE, rtol=1e-13)
    assert stream.generator.integers(0, 10**6, 3).tolist() == PINNED_GENERATOR


@given(st.lists(parts, min_size=1, max_size=4), st.lists(parts, min_size=1, max_size=4))
def test_two_paths_share_a_key_only_if_they_are_equal(a: list[int | str], b: list[int | str]) -> None:
    assert (Streams(1)(*a).key == Streams(1)(*b).key) == (a == b)


@pytest.mark.parametrize(
    ("a", "b"),
    [(("a", "b"), ("ab",)), ((1,), ("1",)), ((12, 3), (1, 23)), (("a", 1), (1, "a")), ((0,), (256,))],
)
def test_paths_that_read_alike_are_different_streams(a: tuple[int | str, ...], b: tuple[int | str, ...]) -> None:
    assert Streams(1)(*a).key != Streams(1)(*b).key


def test_the_seed_and_the_first_part_do_not_mix() -> None:
    assert Streams(1)(2, "a").key != Streams(2)(1, "a").key
    assert Streams(-1)("a").key != Streams(2**64 - 1)("a").key


def test_within_prefixes_the_path() -> None:
    assert Streams(3).within("island", 2)("cross").key == Streams(3)("island", 2, "cross").key
    assert Streams(3).within("island").within(2) == Streams(3).within("island", 2)


def test_a_numpy_integer_names_the_stream_of_its_value() -> None:
    assert Streams(3)("step", np.int64(5)).key == Streams(3)("step", 5).key


@pytest.mark.parametrize("part", [True, 1.0, None, b"a", np.bool_(True), np.float32(1)])
def test_a_part_that_is_not_str_or_int_is_refused(part: Any) -> None:
    with pytest.raises(TypeError, match="made of str and int"):
        Streams(1)(part)
    with pytest.raises(TypeError):
        Streams(part)


def test_a_stream_without_a_name_and_a_seed_of_text_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a name"):
        Streams(1)()
    with pytest.raises(TypeError, match="seed"):
        Streams("42")  # type: ignore[arg-type]


def test_a_stream_does_not_depend_on_other_streams_or_their_order() -> None:
    alone = draws(Streams(5)("b"))
    streams = Streams(5)
    before, stream, after = streams("a"), streams("b"), streams("c", 3)
    draws(after)
    draws(before)
    assert draws(stream) == alone


def test_a_draw_more_in_one_stream_moves_no_other() -> None:
    def run(extra: int) -> list[Any]:
        streams = Streams(5)
        found = []
        for step in range(3):
            streams("selection", step).uniform(1 + extra)
            found.append(draws(streams("mutation", step)))
        return found

    assert run(0) == run(3)


def test_a_stream_knows_whether_anything_was_taken_from_it() -> None:
    assert not fresh().used
    takes: list[Callable[[Stream], Any]] = [lambda s: s.uniform(1), lambda s: s.reserve(1), lambda s: s.generator]
    for take in takes:
        stream = fresh()
        take(stream)
        assert stream.used


def test_the_generator_moves_no_draw_and_no_draw_moves_the_generator() -> None:
    quiet, busy = fresh(), fresh()
    busy.generator.normal(size=5)
    assert draws(quiet) == draws(busy)
    again = fresh()
    again.generator.normal(size=5)
    assert again.generator.random() == busy.generator.random()
    assert fresh().generator.bit_generator.random_raw() != fresh().words(1)[0]


def test_float32_uniforms_are_the_halves_of_words_low_half_first() -> None:
    stream = fresh()
    words = raw(stream, 3).tolist()
    expected = [((word >> shift) & 0xFFFFFFFF) >> 8 for word in words for shift in (0, 32)]
    assert (stream.uniform(6) * 2**24).tolist() == expected


def test_float64_uniforms_agree_with_numpy() -> None:
    stream = fresh()
    key0, key1 = stream.key
    generator = np.random.Generator(np.random.Philox(key=key0 + (key1 << 64)))
    assert stream.uniform(50, dtype=np.float64).tolist() == generator.random(50).tolist()


def test_integers_are_the_upper_word_of_the_product_with_the_span() -> None:
    stream = fresh()
    for low, span in ((-7, 10), (0, 1), (5, 2**32 - 1), (-(2**63), 2**31 + 1), (2**63 - 3, 3)):
        first = stream.position
        words = raw(stream, first + 200)[first:].tolist()
        assert stream.integers(low, low + span, 200).tolist() == [low + (word * span >> 64) for word in words]


def test_normals_are_the_documented_transform() -> None:
    stream = fresh()
    word, first, second = raw(stream, 3).tolist()
    radius = math.sqrt(-2 * math.log(((word & 0xFFFFFFFF) + 0.5) / 2**32))
    angle = 2 * math.pi * (word >> 32) / 2**32
    np.testing.assert_allclose(stream.normal(2), [radius * math.cos(angle), radius * math.sin(angle)], rtol=3e-6)
    radius = math.sqrt(-2 * math.log(((first >> 11) + 0.5) / 2**53))
    angle = 2 * math.pi * (second >> 11) / 2**53
    expected = [radius * math.cos(angle), radius * math.sin(angle)]
    np.testing.assert_allclose(stream.normal(2, dtype=np.float64), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.uniform(5), 3),
        (lambda s: s.uniform(5, dtype=np.float64), 5),
        (lambda s: s.normal(5), 3),
        (lambda s: s.normal(5, dtype=np.float64), 6),
        (lambda s: s.normal((2, 2), dtype=np.float64), 4),
        (lambda s: s.integers(0, 9, 5), 5),
        (lambda s: s.choice(9, 5), 5),
        (lambda s: s.choice(2, 5, weights=[1, 2]), 5),
        (lambda s: s.permutation(5), 5),
        (lambda s: s.bernoulli(0.0, 5), 3),
        (lambda s: s.reserve(5), 5),
        (lambda s: s.uniform(2 * BLOCK + 3), BLOCK + 2),
        (lambda s: s.normal(0), 0),
    ],
)
def test_each_call_starts_at_the_next_unused_word(call: Any, words: int) -> None:
    stream = fresh()
    call(stream)
    assert stream.position == words
    assert stream.words(2).tolist() == raw(stream, words + 2)[words:].tolist()


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=8))
def test_reserved_words_are_skipped_exactly(moves: list[tuple[bool, int]]) -> None:
    stream = fresh()
    for reserve, count in moves:
        start = stream.position
        if reserve:
            assert stream.reserve(count) == (*stream.key, start)
        else:
            assert stream.words(count).tolist() == raw(stream, start + count)[start:].tolist()
    assert stream.words(1)[0] == raw(stream, stream.position)[-1]


def test_reserving_very_many_words_costs_no_more_than_few() -> None:
    stream = fresh()
    stream.words(1)
    assert stream.reserve(2**62 + 1) == (*stream.key, 1)
    position = 2**62 + 2
    assert stream.words(1)[0] == philox(stream.key, (position // 4 + 1, 0, 0, 0))[position % 4]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("few", [2, 62, BLOCK, 2 * BLOCK, 2 * BLOCK + 6])
def test_the_first_draws_of_many_are_the_draws_of_few(kind: str, dtype: type[Any], few: int) -> None:
    many = getattr(fresh(), kind)(4 * BLOCK + 5, dtype=dtype)
    assert getattr(fresh(), kind)(few, dtype=dtype).tolist() == many[:few].tolist()


@pytest.mark.parametrize("shape", [(), 0, 1, 7, (3, 5), (4, 0, 2), (np.int64(2), 3)])
def test_draws_have_the_shape_and_type_asked_for(shape: Any) -> None:
    stream = fresh()
    sizes = shape if isinstance(shape, tuple) else (shape,)
    found: dict[Any, list[Any]] = {
        np.float32: [stream.uniform(shape), stream.normal(shape), stream.normal(shape, 1.0, 2.0)],
        np.float64: [stream.uniform(shape, -1, 1, np.float64), stream.normal(shape, dtype=np.float64)],
        np.int64: [stream.integers(0, 3, shape), stream.choice(3, shape), stream.choice(2, shape, [1, 1])],
        np.bool_: [stream.bernoulli(0.5, shape)],
        np.uint64: [stream.words(shape)],
    }
    for dtype, arrays in found.items():
        for array in arrays:
            assert (array.shape, array.dtype, array.flags.c_contiguous) == (sizes, dtype, True)
            assert array.flags.writeable
    assert stream.permutation(4, shape).shape == (*sizes, 4)


class Constant(Stream):
    """A stream whose words are all the same."""

    def __init__(self, word: int) -> None:
        super().__init__(bytes(16))
        self.word = word

    def _next(self, count: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        return np.full(count, self.word, np.uint64)


def extreme(word: int) -> Stream:
    return Constant(word)


def test_the_least_word_gives_the_least_draws() -> None:
    assert extreme(0).uniform(2).tolist() == [0, 0]
    assert extreme(0).integers(-5, 5, 1).tolist() == [-5]
    assert extreme(0).choice(4, 1, weights=[0, 0, 1, 1]).tolist() == [2]
    assert extreme(0).bernoulli(2.0**-20, 1).all()
    assert not extreme(0).bernoulli(0.0, 1).any()
    assert extreme(0).permutation(3).tolist() == [0, 1, 2]
    np.testing.assert_allclose(extreme(0).normal(2), [math.sqrt(66 * math.log(2)), 0], rtol=1e-6)
    doubles = extreme(0).normal(2, dtype=np.float64)
    np.testing.assert_allclose(doubles, [math.sqrt(108 * math.log(2)), 0], rtol=1e-14)


def test_the_greatest_word_gives_the_greatest_draws() -> None:
    assert extreme(MASK).uniform(2).tolist() == [1 - 2**-24] * 2
    assert extreme(MASK).uniform(1, dtype=np.float64).tolist() == [1 - 2**-53]
    assert extreme(MASK).integers(-5, 5, 1).tolist() == [4]
    assert extreme(MASK).integers(0, 2**32 - 1, 1).tolist() == [2**32 - 2]
    assert extreme(MASK).choice(4, 1, weights=[1, 1e-9, 0, 0]).tolist() == [1]
    assert extreme(MASK).bernoulli(1.0, 1).all()
    assert np.abs(extreme(MASK).normal(2)).max() < 1e-3
    assert np.abs(extreme(MASK).normal(2, dtype=np.float64)).max() < 1e-7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniforms_pass_a_kolmogorov_smirnov_test(dtype: type[Any]) -> None:
    sample = fresh().uniform(MANY, -2.0, 3.0, dtype)
    assert stats.kstest(sample, stats.uniform(-2, 5).cdf).pvalue > 1e-3
    assert sample.min() >= -2
    assert sample.max() < 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normals_pass_a_kolmogorov_smirnov_test_and_have_their_moments(dtype: type[Any]) -> None:
    sample = fresh().normal(MANY, 1.0, 2.0, dtype).astype(np.float64)
    assert stats.kstest(sample, stats.norm(1, 2).cdf).pvalue > 1e-3
    z = (sample - 1) / 2
    error = 4 / math.sqrt(MANY)
    for power, moment, deviation in (
        (1, 0, 1),
        (2, 1, math.sqrt(2)),
        (3, 0, math.sqrt(15)),
        (4, 3, math.sqrt(96)),
    ):
        assert abs(np.mean(z**power) - moment) < error * deviation


def test_the_two_normals_of_a_word_are_independent() -> None:
    pairs = fresh().normal((MANY // 2, 2)).astype(np.float64)
    error = 4 / math.sqrt(MANY // 2)
    assert abs(stats.pearsonr(*pairs.T).statistic) < error
    assert abs(stats.pearsonr(*(pairs**2).T).statistic) < error
    assert stats.kstest(np.sum(pairs**2, axis=1), stats.chi2(2).cdf).pvalue > 1e-3


def test_streams_of_neighbouring_steps_are_uncorrelated() -> None:
    streams = Streams(1)
    rows = np.stack([streams("mutation", step).uniform(2000, dtype=np.float64) for step in range(40)])
    off_diagonal = np.asarray(np.corrcoef(rows))[np.triu_indices(40, 1)]
    assert abs(off_diagonal).max() < 5 / math.sqrt(2000)
    first = [streams("mutation", step).uniform(1, dtype=np.float64)[0] for step in range(5000)]
    assert stats.kstest(first, "uniform").pvalue > 1e-3


def test_integers_and_unweighted_choice_pass_a_chi_square_test() -> None:
    for sample in (fresh().integers(-3, 10, MANY) + 3, fresh().choice(13, MANY)):
        assert (sample.min(), sample.max()) == (0, 12)
        assert stats.chisquare(np.bincount(sample)).pvalue > 1e-3


def test_weighted_choice_passes_a_chi_square_test_and_never_draws_a_zero_weight() -> None:
    weights = np.array([0, 3, 0, 0, 1, 6, 0.5, 0])
    counts = np.bincount(fresh().choice(8, MANY, weights), minlength=8)
    assert not counts[weights == 0].any()
    positive = weights > 0
    expected = weights[positive] / weights.sum() * MANY
    assert stats.chisquare(counts[positive], expected).pvalue > 1e-3


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=12).filter(lambda w: 0 < sum(w) < math.inf))
def test_no_weights_lead_out_of_range_or_to_a_zero_weight(weights: list[float]) -> None:
    drawn = fresh().choice(len(weights), 300, weights)
    assert np.all(np.asarray(weights)[drawn] > 0)


def test_permutations_are_uniform_over_all_orders() -> None:
    orders = fresh().permutation(4, 24 * 2000)
    assert np.array_equal(np.sort(orders, axis=1), np.broadcast_to(np.arange(4), orders.shape))
    counts = np.bincount(orders @ np.array([64, 16, 4, 1]), minlength=256)
    assert np.count_nonzero(counts) == 24
    assert stats.chisquare(counts[counts > 0]).pvalue > 1e-3


def test_a_permutation_of_nothing_and_of_one_are_trivial() -> None:
    assert fresh().permutation(0).tolist() == []
    assert fresh().permutation(1).tolist() == [0]
    assert sorted(fresh().permutation(1000).tolist()) == list(range(1000))


def test_bernoulli_keeps_its_rate_and_its_two_ends_are_certain() -> None:
    assert not fresh().bernoulli(0.0, MANY).any()
    assert fresh().bernoulli(1.0, MANY).all()
    for rate in (0.01, 0.5, 0.9):
        error = 4 * math.sqrt(rate * (1 - rate) / MANY)
        assert abs(fresh().bernoulli(rate, MANY).mean() - rate) < error


def test_parameters_broadcast_against_the_shape() -> None:
    low, high = np.array([0.0, 10.0, -5.0]), np.array([1.0, 10.0, 5.0])
    sample = fresh().uniform((1000, 3), low, high)
    assert np.all((sample >= low) & ((sample < high) | (low == high)))
    assert np.all(sample[:, 1] == 10)
    scaled = fresh().normal((4, 3), np.array([0, 1, 2]), np.array([[1.0], [0], [2], [3]]))
    plain = fresh().normal((4, 3))
    np.testing.assert_allclose(scaled, plain * np.array([[1.0], [0], [2], [3]]) + np.arange(3), rtol=1e-6)
    assert not fresh().bernoulli(np.array([0, 1]), (50, 2))[:, 0].any()


@given(
    st.floats(-(2.0**99), 2.0**99, width=32),
    st.floats(0, 2.0**99, width=32),
    st.sampled_from([np.float32, np.float64]),
)
@settings(deadline=None)
def test_uniform_never_reaches_high(low: float, span: float, dtype: type[Any]) -> None:
    high = float(np.float32(low) + np.float32(span))
    sample = fresh().uniform(500, low, high, dtype)
    assert np.all(sample >= low)
    assert np.all(sample < high) if low < high else np.all(sample == low)


def test_uniform_stays_below_high_where_rounding_would_reach_it() -> None:
    sample = fresh().uniform(10_000, 1.0, np.nextafter(np.float32(1), np.float32(2)))
    assert set(sample.tolist()) == {1.0}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.uniform(3, 2.0, 1.0), "low <= high"),
        (lambda s: s.uniform(3, math.nan, 1.0), "finite"),
        (lambda s: s.uniform(3, 0.0, math.inf), "finite"),
        (lambda s: s.uniform(3, 0.0, 1e39), "finite"),
        (lambda s: s.uniform(3, dtype=np.int32), "float32 or float64"),
        (lambda s: s.uniform(-1), "at least 0"),
        (lambda s: s.normal(3, sigma=-1.0), "sigma"),
        (lambda s: s.normal(3, sigma=math.nan), "sigma"),
        (lambda s: s.normal(3, mean=math.inf), "mean"),
        (lambda s: s.normal(3, dtype=np.float16), "float32 or float64"),
        (lambda s: s.integers(5, 5, 1), "high - low"),
        (lambda s: s.integers(0, 2**32, 1), r"2\*\*32"),
        (lambda s: s.integers(2**63, 2**63 + 2, 1), "int64"),
        (lambda s: s.choice(0, 1), "nothing to choose"),
        (lambda s: s.choice(2, 1, weights=[1, -1]), "-1.0 at index 1"),
        (lambda s: s.choice(2, 1, weights=[math.nan, 1]), "nan at index 0"),
        (lambda s: s.choice(2, 1, weights=[math.inf, 1]), "finite"),
        (lambda s: s.choice(2, 1, weights=[0, 0]), "sum above 0"),
        (lambda s: s.choice(2, 1, weights=[1e308, 1e308]), "finite sum"),
        (lambda s: s.choice(2, 1, weights=[1, 1, 1]), "shape"),
        (lambda s: s.bernoulli(1.5, 1), "within"),
        (lambda s: s.bernoulli(math.nan, 1), "within"),
        (lambda s: s.reserve(-1), "at least 0"),
        (lambda s: Stream(b"short"), "16 bytes"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(fresh())


def test_a_copy_of_streams_draws_what_they_draw() -> None:
    streams = Streams(3).within("island", 1)
    again = copy.deepcopy(streams)
    assert again == streams
    assert again("mutation", 2).words(5).tolist() == streams("mutation", 2).words(5).tolist()
