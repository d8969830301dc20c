# SPDX-License-Identifier: MIT OR Apache-2.0
"""The checks of losses and activations: the graphs that they build, computed on the reference device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from vynapse_core import catalogue as catalogues
from vynapse_core.builder import Builder, Value
from vynapse_core.contracts import Activation, Loss
from vynapse_core.errors import GraphError
from vynapse_core.population import Array
from vynapse_core.testing.contract import Contract, shaped, stream
from vynapse_core.testing.parts import check_component

LARGE = 100.0
"""A prediction that is large but happens: exp(100) is infinite in float32, which a loss must survive."""


@dataclass(frozen=True)
class _Form:
    """One form of target that a task can have."""

    name: str
    k: int
    target: Array
    """[B, k], or class ids [B]."""
    wanted: Array
    """[B, k]: 1 for the class that is right, else 0."""

    def twice(self) -> _Form:
        """Return the same samples, each twice."""
        target, wanted = (np.concatenate([array, array]) for array in (self.target, self.wanted))
        return _Form(self.name, self.k, target, wanted)


def check_loss(loss: Loss) -> None:
    """Check a loss: a finite scalar, the mean over samples, smaller for the better prediction; and what is correct.

    It must serve at least one of: one number per sample, class ids, and one-hot rows. A form that it refuses with
    GraphError is not checked.
    """
    contract = Contract.of(loss, Loss)
    check_component(loss)
    served = [form for form in _forms() if _serves(loss, form)]
    names = ", ".join(form.name for form in _forms())
    contract.require(served, f"build serves at least one of {names}", "GraphError for each of them")
    for form in served:
        _check_form(contract, loss, form)
    # one number a sample says nothing to a loss over classes, whatever is predicted
    telling = [form for form in served if form.k > 1] or served
    for form in telling:
        better, worse = (_loss(contract, loss, form, 0.1 + 0.8 * right) for right in (form.wanted, 1 - form.wanted))
        contract.require(
            better < worse,
            f"the loss is smaller where the prediction is better ({form.name})",
            f"{better} for predictions of 0.9 where 1 is right, {worse} for 0.9 where 0 is right",
        )


def check_activation(activation: Activation) -> None:
    """Check an activation: the shape kept, finite near 0 and no NaN far out."""
    contract = Contract.of(activation, Activation)
    check_component(activation)

    for width in (1, 3):
        x = np.linspace(-3, 3, 5 * width, dtype=np.float32).reshape(5, width)
        far = x * np.float32(LARGE / 3)
        small, large = (_computed(contract, activation.build, {"x": sums}, f"{width} sums") for sums in (x, far))
        right = small.shape == x.shape and small.dtype == x.dtype
        contract.require(right, "build keeps shape and dtype", f"{shaped(small)} from {shaped(x)}")
        contract.require(np.isfinite(small).all(), "the activation is finite for sums from -3 to 3", f"{small.ravel()}")
        contract.require(not np.isnan(large).any(), f"no sum from -{LARGE} to {LARGE} gives NaN", f"{large.ravel()}")


def _forms() -> tuple[_Form, ...]:
    bits = np.array([[0], [1], [1], [0], [1]], np.float32)
    ids = np.array([0, 2, 1, 2, 0], np.int64)
    rows = np.eye(3, dtype=np.float32)[ids]
    return (
        _Form("one number per sample", 1, bits, bits),
        _Form("class ids", 3, ids, rows),
        _Form("one-hot rows", 3, rows, rows),
    )


def _serves(loss: Loss, form: _Form) -> bool:
    builder = Builder(catalogues.installed().ops)
    prediction = builder.input("prediction", ("B", form.k))
    try:
        loss.build(prediction, builder.input("target", ("B", *form.target.shape[1:]), str(form.target.dtype)))
    except GraphError:
        return False
    return True


def _check_form(contract: Contract, loss: Loss, form: _Form) -> None:
    noisy = stream(6).normal(form.wanted.shape)
    for prediction in (np.zeros_like(noisy), noisy, np.float32(LARGE) * np.sign(noisy)):
        value = _loss(contract, loss, form, prediction)
        reach = np.abs(prediction).max()
        contract.require(
            np.isfinite(value), f"the loss is finite ({form.name})", f"{value} for predictions up to {reach}"
        )
    once, again = _loss(contract, loss, form, noisy), _loss(contract, loss, form.twice(), np.tile(noisy, (2, 1)))
    contract.require(
        np.isclose(once, again, rtol=1e-4),
        f"the loss is a mean over samples: the same samples twice have the same loss ({form.name})",
        f"{once} and {again}",
    )
    for right, named in ((1, form.wanted), (0, 1 - form.wanted)):
        prediction = named - np.float32(0.5) + np.float32(loss.threshold)
        correct = _correct(contract, loss, form, prediction)
        contract.require(
            correct.shape == (len(prediction),) and (correct == right).all(),
            f"correct is [B], 1 for each sample whose class is named and else 0 ({form.name})",
            f"{shaped(correct)} {correct} where every prediction names {'the right' if right else 'a wrong'} class",
        )


def _loss(contract: Contract, loss: Loss, form: _Form, prediction: Array) -> float:
    value = _computed(
        contract, loss.build, {"prediction": prediction.astype(np.float32), "target": form.target}, form.name
    )
    right = value.shape == () and value.dtype == np.float32
    contract.require(right, "build returns a scalar of the prediction's dtype", f"{shaped(value)} for {form.name}")
    return float(value)


def _correct(contract: Contract, loss: Loss, form: _Form, prediction: Array) -> Array:
    inputs = {"prediction": prediction.astype(np.float32), "target": form.target}
    return _computed(contract, loss.correct, inputs, form.name)


def _computed(contract: Contract, build: Callable[..., Value], inputs: Mapping[str, Array], given: str) -> Array:
    """Return what `build` makes of the inputs, computed for one network."""
    from vynapse_core.devices.reference import Reference

    builder = Builder(catalogues.installed().ops)
    values = [builder.input(name, ("B", *array.shape[1:]), str(array.dtype)) for name, array in inputs.items()]
    built = contract.call(build, *values, given=given)
    contract.require(
        isinstance(built, Value), f"{build.__name__} returns a value of the graph", f"{type(built).__name__}"
    )
    program = Reference().compile(builder.graph({"result": built}), per_network=tuple(inputs))
    computed: Array = program({}, {name: array[None] for name, array in inputs.items()})["result"][0]
    return computed
