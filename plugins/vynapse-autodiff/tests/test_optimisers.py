# SPDX-License-Identifier: MIT OR Apache-2.0
"""The optimisers: their trajectories against the published recurrences, and against PyTorch's where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from vynapse_autodiff.lbfgs import Lbfgs
from vynapse_autodiff.optimiser import Optimiser
from vynapse_autodiff.optimisers import Adagrad, Adam, AdamW, AnyOptimiser, Lion, Momentum, Nesterov, RmsProp, Sgd
from vynapse_core import Array, Builder, Settings
from vynapse_core.devices.reference import Reference

STEPS = 30
SHAPES = {"w": (3, 4), "b": (4,)}
RATES = 0.05 * 0.95 ** np.arange(STEPS)
RNG = np.random.default_rng(5)
FIRST = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
CENTRE = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
CURVATURE = {name: RNG.uniform(0.1, 4.0, size=shape) for name, shape in SHAPES.items()}
"""Of the loss Σ curvature · (x − centre)⁴ / 4."""

EVERY = [Sgd(), Momentum(), Nesterov(), Adam(), AdamW(), RmsProp(), Adagrad(), Lion()]


def name_of(optimiser: Settings) -> str:
    return type(optimiser).__name__


def slope(name: str, x: Any) -> Any:
    return CURVATURE[name] * (x - CENTRE[name]) ** 3


def trajectory(
    optimiser: Optimiser, dtype: str = "float64", networks: int = 1, repeats: int = 1, memory_too: bool = False
) -> dict[str, Array]:
    """Return the parameters [STEPS · repeats, P, ...] after each batch, by a graph repeated on the reference device.

    Each rate serves `repeats` batches.
    """
    builder = Builder()
    parameters = {name: builder.parameter(name, shape) for name, shape in SHAPES.items()}
    gradients = {}
    for name, value in parameters.items():
        away = value - CENTRE[name]
        gradients[name] = away * away * away * CURVATURE[name]
    told = optimiser.memory_of(SHAPES)
    memory = {name: builder.parameter(name, shape) for name, (shape, _) in told.items()}
    rate = builder.input("rate", ("one",)).sum()
    moved, remembered = optimiser.update(parameters, gradients, memory, rate)
    assert remembered.keys() == told.keys()
    watched = moved | remembered if memory_too else moved
    seen = {f"seen.{name}": value * 1.0 for name, value in watched.items()}
    outputs = {f"next.{name}": value for name, value in (moved | remembered).items()}
    program = Reference().compile(builder.graph(outputs | seen).astype(dtype))
    arrays = {
        name: np.stack([array * (1 - 0.3 * p) for p in range(networks)]).astype(dtype) for name, array in FIRST.items()
    }
    arrays |= {name: np.full((networks, *shape), first, dtype) for name, (shape, first) in told.items()}
    carry = {f"next.{name}": name for name in moved | remembered}
    rows = np.arange(STEPS).repeat(repeats)[:, None]
    _, found = program.scan(arrays, {"rate": RATES.astype(dtype)}, {"rate": rows}, carry)
    return {name: found[f"seen.{name}"] for name in watched}


def sgd(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
    return x - rate * g


def momentum(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
    s["v"] = 0.9 * s.get("v", 0) + g
    return x - rate * s["v"]


def nesterov(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
    s["v"] = 0.9 * s.get("v", 0) + g
    return x - rate * (g + 0.9 * s["v"])


def adam(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g**2
    return x - rate * (s["m"] / (1 - 0.9**t)) / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-8)


def adamw(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
    return adam(x, g, rate, t, s) - rate * 0.01 * x


def rmsprop(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g**2
    return x - rate * g / (np.sqrt(s["v"]) + 1e-8)


def adagrad(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
    s["v"] = s.get("v", 0) + g**2
    return x - rate * g / (np.sqrt(s["v"]) + 1e-10)


def lion(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
    direction = np.sign(0.9 * s.get("m", 0) + 0.1 * g)
    s["m"] = 0.99 * s.get("m", 0) + 0.01 * g
    return x - rate * direction


def followed(rule: Callable[..., Array], first: float = 1.0) -> dict[str, Array]:
    found = {}
    for name in SHAPES:
        x, state, seen = FIRST[name] * first, {}, []
        for t, rate in enumerate(RATES, start=1):
            x = rule(x, slope(name, x), rate, t, state)
            seen.append(x)
        found[name] = np.stack(seen)
    return found


RULES = (sgd, momentum, nesterov, adam, adamw, rmsprop, adagrad, lion)
PAIRS = [*zip(EVERY, RULES, strict=True)]


@pytest.mark.parametrize(("optimiser", "rule"), PAIRS, ids=[rule.__name__ for rule in RULES])
def test_an_optimiser_follows_its_published_recurrence(optimiser: Optimiser, rule: Callable[..., Array]) -> None:
    found, wanted = trajectory(optimiser), followed(rule)
    for name in SHAPES:
        np.testing.assert_allclose(found[name][:, 0], wanted[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("optimiser", EVERY, ids=name_of)
def test_networks_move_each_by_its_own_gradient(optimiser: Optimiser) -> None:
    found = trajectory(optimiser, networks=3)
    rule = RULES[EVERY.index(optimiser)]
    for p in range(3):
        for name, wanted in followed(rule, 1 - 0.3 * p).items():
            np.testing.assert_allclose(found[name][:, p], wanted, rtol=1e-10, atol=1e-12)


def test_the_first_steps_of_adam_are_exact_in_float32() -> None:
    found, wanted = trajectory(Adam(), "float32"), followed(adam)
    for name in SHAPES:
        np.testing.assert_allclose(found[name][:3, 0], wanted[name][:3], rtol=2e-6, atol=2e-7)


def pytorch(
    optimiser: str, clip: Callable[[Any, list[Any]], object] | None = None, **options: float
) -> dict[str, Array]:
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in FIRST.items()}
    made = getattr(torch.optim, optimiser)(list(tensors.values()), lr=1.0, **options)
    seen: dict[str, list[Array]] = {name: [] for name in SHAPES}
    for rate in RATES:
        made.param_groups[0]["lr"] = float(rate)
        made.zero_grad()
        losses = [
            (torch.tensor(CURVATURE[name]) * (x - torch.tensor(CENTRE[name])) ** 4).sum() / 4
            for name, x in tensors.items()
        ]
        sum(losses).backward()
        if clip is not None:
            clip(torch.nn.utils, list(tensors.values()))
        made.step()
        for name, x in tensors.items():
            seen[name].append(x.detach().numpy().copy())
    return {name: np.stack(arrays) for name, arrays in seen.items()}


@pytest.mark.parametrize(
    ("optimiser", "theirs", "options"),
    [
        (Sgd(), "SGD", {}),
        (Sgd(l2=0.1), "SGD", {"weight_decay": 0.1}),
        (Momentum(momentum=0.8), "SGD", {"momentum": 0.8}),
        (Nesterov(l2=0.1), "SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        (Adam(), "Adam", {}),
        (Adam(l2=0.2, beta2=0.9), "Adam", {"weight_decay": 0.2, "betas": (0.9, 0.9)}),
        (AdamW(decay=0.3), "AdamW", {"weight_decay": 0.3}),
        (RmsProp(beta=0.9), "RMSprop", {"alpha": 0.9}),
        (Adagrad(start=0.5), "Adagrad", {"initial_accumulator_value": 0.5}),
    ],
    ids=str,
)
def test_an_optimiser_follows_pytorch(optimiser: Optimiser, theirs: str, options: dict[str, Any]) -> None:
    wanted, found = pytorch(theirs, **options), trajectory(optimiser)
    for name in SHAPES:
        np.testing.assert_allclose(found[name][:, 0], wanted[name], rtol=1e-8, atol=1e-10)


def test_clipping_by_value_follows_pytorch() -> None:
    wanted = pytorch("Adam", lambda utils, parameters: utils.clip_grad_value_(parameters, 0.3))
    found = trajectory(Adam(clip_value=0.3))
    for name in SHAPES:
        np.testing.assert_allclose(found[name][:, 0], wanted[name], rtol=1e-8, atol=1e-10)


def test_clipping_by_norm_follows_pytorch() -> None:
    wanted = pytorch("SGD", lambda utils, parameters: utils.clip_grad_norm_(parameters, 0.7), momentum=0.9)
    found = trajectory(Momentum(clip_norm=0.7))
    for name in SHAPES:
        np.testing.assert_allclose(found[name][:, 0], wanted[name], rtol=1e-8, atol=1e-10)


def test_clipping_by_value_holds_each_number_of_the_gradient() -> None:
    def clipped(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
        return x - rate * np.clip(g, -0.3, 0.3)

    found, wanted = trajectory(Sgd(clip_value=0.3)), followed(clipped)
    np.testing.assert_allclose(found["w"][:, 0], wanted["w"], rtol=1e-10)


def test_clipping_by_norm_shortens_the_gradient_of_all_parameters_together() -> None:
    moved = {name: found[0, 0] - FIRST[name] for name, found in trajectory(Sgd(clip_norm=0.7)).items()}
    assert np.sqrt(sum((step**2).sum() for step in moved.values())) == pytest.approx(0.7 * RATES[0], rel=1e-5)
    slopes = {name: slope(name, FIRST[name]) for name in SHAPES}
    np.testing.assert_allclose(moved["w"] / moved["w"].sum(), slopes["w"] / slopes["w"].sum(), rtol=1e-9)
    assert moved["w"].sum() / moved["b"].sum() == pytest.approx(slopes["w"].sum() / slopes["b"].sum())


def test_a_gradient_shorter_than_the_limit_is_left_alone() -> None:
    for name, found in trajectory(Sgd(clip_norm=1e6)).items():
        np.testing.assert_allclose(found, trajectory(Sgd())[name], rtol=1e-12)


def test_l1_pulls_by_the_sign_of_the_weight() -> None:
    def pulled(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
        return x - rate * (g + 0.4 * np.sign(x))

    np.testing.assert_allclose(trajectory(Sgd(l1=0.4))["w"][:, 0], followed(pulled)["w"], rtol=1e-10)


def test_lion_shrinks_weights_apart_from_the_sign() -> None:
    def shrunk(x: Array, g: Array, rate: float, t: int, s: dict[str, Any]) -> Array:
        return lion(x, g, rate, t, s) - rate * 0.5 * x

    np.testing.assert_allclose(trajectory(Lion(decay=0.5))["w"][:, 0], followed(shrunk)["w"], rtol=1e-10)


@pytest.mark.parametrize("optimiser", EVERY, ids=name_of)
def test_gradients_are_accumulated_until_there_are_enough(optimiser: Optimiser) -> None:
    # all batches are the same, and so is their mean: three of them count as one
    found = trajectory(optimiser.model_copy(update={"accumulate": 3}), repeats=3)
    for name, wanted in trajectory(optimiser).items():
        np.testing.assert_allclose(found[name][2::3], wanted, rtol=1e-9, atol=1e-11)
        np.testing.assert_array_equal(found[name][3::3], found[name][2:-1:3])


def test_what_is_clipped_is_the_accumulated_gradient() -> None:
    found = trajectory(Momentum(accumulate=2, clip_norm=0.7), repeats=2)
    for name, wanted in trajectory(Momentum(clip_norm=0.7)).items():
        np.testing.assert_allclose(found[name][1::2], wanted, rtol=1e-9, atol=1e-11)


def test_the_average_weighs_what_parameters_have_been() -> None:
    found = trajectory(Adam(average=0.8), memory_too=True)
    for name in SHAPES:
        weights = 0.8 ** np.arange(STEPS)[::-1]
        wanted = np.tensordot(weights / weights.sum(), found[name], 1)
        memory = {key: values[-1] for key, values in found.items() if key not in SHAPES}
        judged = Adam(average=0.8).judged({name: found[name][-1]}, memory)[name]
        np.testing.assert_allclose(judged, wanted, rtol=1e-12)


def test_the_average_does_not_change_the_way_that_parameters_go() -> None:
    for name, found in trajectory(Adam(average=0.8)).items():
        np.testing.assert_array_equal(found, trajectory(Adam())[name])


def test_the_average_counts_updates_and_not_batches() -> None:
    once, thrice = (trajectory(Adam(average=0.8, accumulate=n), repeats=n, memory_too=True) for n in (1, 3))
    np.testing.assert_allclose(thrice["average.w"][2::3], once["average.w"], rtol=1e-9)
    np.testing.assert_allclose(thrice["average_weight"][2::3], once["average_weight"], rtol=1e-12)


def test_the_average_follows_optax() -> None:
    optax = pytest.importorskip("optax")
    found = trajectory(Adam(average=0.9), "float32", memory_too=True)
    ema = optax.ema(0.9, debias=True)
    state = ema.init({"w": found["w"][0]})
    for step in range(STEPS):
        wanted, state = ema.update({"w": found["w"][step]}, state)
    memory = {key: values[-1] for key, values in found.items() if key not in SHAPES}
    judged = Adam(average=0.9).judged({"w": found["w"][-1]}, memory)["w"]
    np.testing.assert_allclose(judged, np.asarray(wanted["w"]), rtol=1e-4)


def test_before_the_first_update_networks_are_judged_as_they_are() -> None:
    arrays = {"w": np.ones((2, 3), np.float32)}
    memory = {"average.w": np.zeros((2, 3), np.float32), "average_weight": np.zeros(2, np.float32)}
    np.testing.assert_array_equal(Adam(average=0.9).judged(arrays, memory)["w"], arrays["w"])


def test_a_table_names_its_optimiser_by_rule() -> None:
    adapter: TypeAdapter[Optimiser] = TypeAdapter(AnyOptimiser)
    for optimiser in EVERY:
        assert adapter.validate_python({"rule": getattr(optimiser, "rule")}) == optimiser  # noqa: B009
    assert isinstance(adapter.validate_python({"rule": "lbfgs"}), Lbfgs)
    with pytest.raises(ValidationError):
        adapter.validate_python({"rule": "adam", "momentum": 0.5})
    with pytest.raises(ValidationError):
        adapter.validate_python({"rule": "sgd", "rate": 0})
