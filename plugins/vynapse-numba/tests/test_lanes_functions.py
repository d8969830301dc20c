# SPDX-License-Identifier: MIT OR Apache-2.0
"""The functions written out for lanes, against NumPy and SciPy in higher precision, over all magnitudes of float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.special

from vynapse_core import Arguments, Builder
from vynapse_numba import lanes

Array = npt.NDArray[Any]
WIDTH = 8
LEAST = 2.0**-126
"""The least normal float32: below it, sigmoid is not exact."""

ORACLES: dict[str, tuple[Callable[[Array], Array], float]] = {
    "tanh": (np.tanh, 5),
    "sigmoid": (scipy.special.expit, 3),
    "exp": (np.exp, 2),
    "log": (np.log, 2),
    "log1p": (np.log1p, 3),
    "erf": (scipy.special.erf, 6),
    "sin": (np.sin, 3),
    "cos": (np.cos, 3),
}
"""Op -> (what it means, largest error in ulp)."""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VYNAPSE_CACHE", str(tmp_path))


def applied(op: str, x: Array) -> Array:
    """Return the op of x, computed in lanes."""
    builder = Builder()
    value = builder.apply(op, builder.parameter("x", (WIDTH,)))
    program = lanes.plan(Arguments(builder.graph({"y": value})), {}, 1)
    assert program is not None
    padded = np.concatenate([x, np.ones(-len(x) % WIDTH, np.float32)]).reshape(-1, WIDTH)
    return program({"x": padded}, {})["y"].reshape(-1)[: len(x)]


def magnitudes() -> Array:
    """Return numbers of every exponent and sign, and many of those that networks see."""
    bits = np.arange(0, 0x7F800000, 9973, dtype=np.uint32).view(np.float32)
    rng = np.random.default_rng(5)
    usual = [rng.uniform(-size, size, 100_000).astype(np.float32) for size in (0.1, 1, 10, 100)]
    return np.concatenate([bits, -bits, *usual])


@pytest.mark.parametrize("op", ORACLES)
def test_a_function_is_within_its_stated_error_at_every_magnitude(op: str) -> None:
    oracle, most = ORACLES[op]
    x = magnitudes()
    found = applied(op, x)
    with np.errstate(all="ignore"):
        wide = x.astype(np.longdouble if op in ("sin", "cos", "log1p") else np.float64)
        exact = oracle(wide)
        rounded = exact.astype(np.float32)
    same = (rounded == found) | (np.isnan(rounded) & np.isnan(found))
    ulp = np.spacing(np.maximum(np.abs(rounded), np.float32(LEAST)))
    with np.errstate(all="ignore"):
        error = np.where(same, 0, np.abs(found - exact) / ulp)
    if op == "sigmoid":
        error[x < -87] = 0
        assert (found[x < -87] <= 2 * LEAST).all()
    assert error.max() <= most, x[error.argmax()]


@pytest.mark.parametrize("op", ["tanh", "sigmoid"])
def test_the_absolute_error_of_an_activation_is_below_three_ten_millionths(op: str) -> None:
    x = magnitudes()
    assert np.abs(applied(op, x) - ORACLES[op][0](x.astype(np.float64))).max() < 3e-7


@pytest.mark.parametrize("op", ["tanh", "erf"])
def test_a_bounded_function_never_leaves_its_bounds_and_reaches_them(op: str) -> None:
    x = np.concatenate([np.linspace(3, 12, 100_000, dtype=np.float32), [np.float32(3e38), np.float32(np.inf)]])
    found = applied(op, x)
    assert found.max() == 1
    assert (found[x > 9.1] == 1).all()
    assert (applied(op, -x) == -found).all()


@pytest.mark.parametrize("op", ORACLES)
def test_what_numpy_says_of_zeros_infinities_and_nan_holds(op: str) -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, -2.0, 1e-45, -1e-45], np.float32)
    with np.errstate(all="ignore"):
        expected = ORACLES[op][0](x.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(applied(op, x), expected, rtol=1e-6, atol=1.2e-38)


@pytest.mark.parametrize("op", ["tanh", "erf", "sin", "log1p"])
def test_a_function_that_passes_through_zero_keeps_the_digits_of_small_numbers(op: str) -> None:
    x = np.float32(10.0) ** -np.arange(3, 30, dtype=np.float32)
    np.testing.assert_allclose(applied(op, x), ORACLES[op][0](x.astype(np.float64)), rtol=3e-7)


@pytest.mark.parametrize("op", ["sin", "cos"])
def test_angles_near_whole_quarters_of_a_turn_keep_their_digits(op: str) -> None:
    near = (np.arange(100) * np.pi / 2).astype(np.float32).view(np.int32)
    x = (near[:, None] + np.arange(-500, 500, dtype=np.int32)).clip(0).view(np.float32).reshape(-1)
    exact = ORACLES[op][0](x.astype(np.longdouble))
    ulp = np.spacing(np.maximum(np.abs(exact.astype(np.float32)), np.float32(LEAST)))
    assert (np.abs(applied(op, x) - exact) / ulp).max() <= ORACLES[op][1]


@pytest.mark.parametrize("op", ["sin", "cos"])
def test_a_huge_angle_leaves_the_bits_of_its_neighbours_as_they_are(op: str) -> None:
    x = np.random.default_rng(0).uniform(-100, 100, 64 * WIDTH).astype(np.float32)
    usual, beside = applied(op, x), x.copy()
    beside[::7] = 1e30
    found = applied(op, beside)
    kept = beside == x
    assert found[kept].tobytes() == usual[kept].tobytes()
