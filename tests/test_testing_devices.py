# SPDX-License-Identifier: MIT OR Apache-2.0
"""The reference device passes its own comparison, broken ones do not, and the graphs miss no op."""

import numpy as np
import pytest

from vynapse_core import Device, Program
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS
from vynapse_core.testing import ContractError, check, check_device
from vynapse_core.testing.graphs import cases


class Wrapped(Device):
    """The reference device with a fault."""

    def compile(self, graph, per_network=()):
        return WrappedProgram(self, Reference().compile(graph, per_network))

    def change(self, outputs, arrays):
        return outputs


class WrappedProgram(Program):
    def __init__(self, device, program):
        self.device, self.program = device, program
        self.graph, self.per_network = program.graph, program.per_network

    def __call__(self, arrays, inputs):
        return self.device.change(self.program(arrays, inputs), arrays)


class Rough(Wrapped):
    """Loses digits."""

    def change(self, outputs, arrays):
        return {name: a.astype(np.float16).astype(a.dtype) if a.dtype.kind == "f" else a for name, a in outputs.items()}


class Widening(Wrapped):
    """Computes in float64."""

    def change(self, outputs, arrays):
        return {name: a.astype(np.float64) if a.dtype == np.float32 else a for name, a in outputs.items()}


class Forgetting(Wrapped):
    """Forgets an output."""

    def change(self, outputs, arrays):
        return dict(list(outputs.items())[1:])


class Writing(Wrapped):
    """Writes into the arrays."""

    def change(self, outputs, arrays):
        for array in arrays.values():
            array[...] = 0
        return outputs


class Leaking(Wrapped):
    """Lets the number of networks show in the last bits."""

    def change(self, outputs, arrays):
        last = np.float32(1e-7 * len(next(iter(outputs.values()))))
        return {name: a + last if a.dtype == np.float32 else a for name, a in outputs.items()}


class Trusting(Wrapped):
    """Takes what it is given."""

    def compile(self, graph, per_network=()):
        program = super().compile(graph, per_network)
        run = program.program
        program.program = lambda arrays, inputs: run(
            {name: arrays[name] for name in graph.parameters}, {name: inputs[name] for name in graph.inputs}
        )
        return program


class Repeating(Wrapped):
    """Has a scan of its own."""

    def compile(self, graph, per_network=()):
        program = super().compile(graph, per_network)

        def scan(arrays, inputs, batches, carry, steps=None):
            return Program.scan(program, arrays, inputs, batches, carry, self.steps(batches, steps))

        program.scan = scan
        return program


class Counting(Repeating):
    """Takes the number of steps from the batches alone."""

    def steps(self, batches, steps):
        return len(next(iter(batches.values()), ()))


class Preferring(Repeating):
    """Takes batches at their word, whatever the number of steps."""

    def steps(self, batches, steps):
        return None if batches else steps


class Guessing(Repeating):
    """Does one step where nothing says how many."""

    def steps(self, batches, steps):
        return steps if batches or steps is not None else 1


def test_the_reference_device_passes():
    check_device(Reference())


def test_the_graphs_use_every_op_of_the_kernel():
    used = {node.op for case in cases() for node in case.graph.nodes}
    assert set(OPS) <= used


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (Rough(), r"agrees with the reference device within 1e-05 \+ 0.0001"),
        (Widening(), "is float32 .*\n.*float64"),
        (Forgetting(), "returns the graph's outputs by name"),
        (Writing(), "writes nothing"),
        (Leaking(), "a network's bits do not depend on the networks"),
        (Trusting(), "refuses a missing parameter with ValueError.*\n.*KeyError"),
        (Counting(), "a scan of no batches and steps=5"),
        (Preferring(), "scan refuses batches of five steps and steps=4 with ValueError.*\n.*accepted"),
        (Guessing(), "scan refuses neither batches nor steps with ValueError.*\n.*accepted"),
    ],
)
def test_a_broken_device_is_caught(device, words):
    with pytest.raises(ContractError, match=words):
        check(device)
