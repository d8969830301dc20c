# SPDX-License-Identifier: MIT OR Apache-2.0
"""The check of devices: the same outputs as the reference device, for every op and every sort of shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vynapse_core.contracts import Device, Program
from vynapse_core.testing.contract import Contract, difference, shaped, stream
from vynapse_core.testing.graphs import Case, cases, training_step
from vynapse_core.testing.parts import check_component

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vynapse_core.population import Array

NETWORKS = (0, 1, 7)
SAMPLES = (0, 1, 5)


def check_device(device: Device, *, rtol: float = 1e-4, atol: float = 1e-5, double: bool = True) -> None:
    """Compare a device with the reference over graphs that use every op, for none, one and an odd number of everything.

    Floats agree within `atol + rtol * |value|` (for float64, a ten-thousandth of both); integers, truth values and
    random uniforms agree exactly. `double` False leaves float64 out, for hardware that has none.
    """
    contract = Contract.of(device, Device)
    check_component(device)
    for case in cases():
        _check_case(contract, device, case, rtol, atol)
        if double and case.name in ("network with loss", "matrix products"):
            exact = Case(f"{case.name}, float64", case.graph.astype("float64"), case.per_network, case.empty)
            _check_case(contract, device, exact, rtol * 1e-4, atol * 1e-4)
    _check_refusals(contract, device)
    _check_scan(contract, device, rtol, atol)


def _check_case(contract: Contract, device: Device, case: Case, rtol: float, atol: float) -> None:
    from vynapse_core.devices.reference import Reference

    program = contract.call(device.compile, case.graph, case.per_network, given=f"the graph {case.name!r}")
    contract.require(isinstance(program, Program), "compile returns a Program", type(program).__name__)
    reference = Reference().compile(case.graph, case.per_network)
    for networks in NETWORKS:
        for samples in SAMPLES if case.empty else SAMPLES[1:]:
            given = f"{case.name}: {networks} networks, {samples} samples"
            arrays, inputs = case.drawn(networks, samples, stream(30 + networks + samples))
            outputs = contract.call(program, arrays, inputs, given=given)
            _compare(
                contract,
                given,
                outputs,
                reference(arrays, inputs),
                0.0 if case.exact else rtol,
                0.0 if case.exact else atol,
            )
            differs = difference(outputs, contract.call(program, arrays, inputs, given=given), "outputs")
            contract.require(not differs, f"a program gives the same bits each time ({given})", differs)
            if networks > 4:
                share = {name: array[2:5] for name, array in arrays.items()}
                own = {k: array[2:5] if k in case.per_network else array for k, array in inputs.items()}
                alone = contract.call(program, share, own, given=f"{given}, a share of them")
                differs = difference({name: array[2:5] for name, array in outputs.items()}, alone, "outputs")
                contract.require(
                    not differs, f"a network's bits do not depend on the networks computed beside it ({given})", differs
                )


def _compare(
    contract: Contract, given: str, found: Mapping[str, Array], expected: Mapping[str, Array], rtol: float, atol: float
) -> None:
    contract.require(
        found.keys() == expected.keys(),
        "a program returns the graph's outputs by name",
        f"{sorted(found)} of {sorted(expected)}",
    )
    for name, array in expected.items():
        other = found[name]
        right = isinstance(other, np.ndarray) and (other.dtype, other.shape) == (array.dtype, array.shape)
        contract.require(right, f"the output {name!r} is {shaped(array)} ({given})", shaped(other))
        floats = array.dtype.kind == "f"
        close = np.isclose(other, array, rtol=rtol, atol=atol, equal_nan=True) if floats else other == array
        if not close.all():
            place = tuple(int(i) for i in np.argwhere(~close)[0])
            contract.require(
                False,
                f"the output {name!r} agrees with the reference device within {atol} + {rtol} |value| ({given})",
                f"{other[place]} at {place}, the reference has {array[place]}; {(~close).sum()} of {close.size} differ",
            )


def _check_refusals(contract: Contract, device: Device) -> None:
    case = next(case for case in cases() if case.name == "network with loss")
    program = device.compile(case.graph)
    arrays, inputs = case.drawn(3, 2, stream(40))
    missing = {name: array for name, array in arrays.items() if name != "b0"}
    wrong = {
        "a missing parameter": (missing, inputs),
        "an unknown parameter": ({**arrays, "b9": arrays["b0"]}, inputs),
        "a parameter of another shape": ({**arrays, "b0": arrays["b0"][:, :3].copy()}, inputs),
        "a parameter of another dtype": ({**arrays, "b0": arrays["b0"].astype(np.float64)}, inputs),
        "parameters of different numbers of networks": ({**arrays, "b0": arrays["b0"][:2].copy()}, inputs),
        "a missing input": (arrays, {"x": inputs["x"]}),
        "inputs of different numbers of samples": (arrays, {**inputs, "ids": inputs["ids"][:1].copy()}),
    }
    for name, given in wrong.items():
        _check_refused(contract, f"a program refuses {name}", program, *given)


def _check_refused(contract: Contract, says: str, function: Callable[..., Any], *given: Any) -> None:
    found = "it was accepted"
    try:
        function(*given)
    except ValueError:
        return
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    contract.require(False, f"{says} with ValueError", found)


def _check_scan(contract: Contract, device: Device, rtol: float, atol: float) -> None:
    from vynapse_core.devices.reference import Reference

    graph, rng = training_step(), stream(41)
    arrays = {"w": rng.normal((3, 3, 1))}
    inputs = {"x": rng.normal((8, 3)), "target": rng.normal((8, 1))}
    rows = rng.integers(0, 8, (5, 4))
    batches, carry = {"x": rows, "target": rows}, {"next": "w"}
    program, reference = device.compile(graph), Reference().compile(graph)
    sorts: tuple[tuple[str, Mapping[str, Array], int | None], ...] = (
        ("five batches", batches, None),
        ("five batches and steps=5", batches, 5),
        ("no batches and steps=5", {}, 5),
        ("no batches and steps=1", {}, 1),
    )
    for name, rows_of, steps in sorts:
        arguments = (arrays, inputs, rows_of, carry, steps)
        state, seen = contract.call(program.scan, *arguments, given=f"training with {name}")
        expected, losses = reference.scan(*arguments)
        _compare(contract, f"parameters after a scan of {name}", state, expected, rtol, atol)
        _compare(contract, f"outputs of a scan of {name}", seen, losses, rtol, atol)
    unsettled: dict[str, tuple[Mapping[str, Array], int | None]] = {
        "neither batches nor steps": ({}, None),
        "batches of five steps and steps=4": (batches, 4),
        "batches of different numbers of steps": ({"x": rows, "target": rows[:4]}, None),
        "a negative number of steps": ({}, -1),
    }
    for name, (rows_of, steps) in unsettled.items():
        _check_refused(contract, f"scan refuses {name}", program.scan, arrays, inputs, rows_of, carry, steps)
