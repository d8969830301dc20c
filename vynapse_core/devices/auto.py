# SPDX-License-Identifier: MIT OR Apache-2.0
"""The device `auto`: the fastest of those installed, for the recipe at hand, on the machine at hand.

A run settles it once, before it starts (`devices/choice.py`), and the run's own recipe names the device that was
picked: another device gives other last bits, so a run that goes on, or is run again, must not pick anew.
"""

from pydantic import Field, field_validator

from vynapse_core.contracts.device import Device, Program
from vynapse_core.graph import Graph
from vynapse_core.settings import mistake


class Auto(Device):
    """Measure the installed devices on the recipe when a run starts, and take the fastest.

    Each computes shares of the first step's evaluation, from which its time for all of it is estimated; the time for
    compiling, or for reading what is kept, is spread over the steps of `[stop]`. Which was picked, and why, is printed
    and noted in `run.json`, and the run's own `recipe.toml` names it.
    """

    among: tuple[Device, ...] = ()
    """Devices to choose from, the first where they tie; by default all that are installed."""
    seconds: float = Field(0.2, gt=0)
    """Time for measuring each device, in seconds; compiling and a first evaluation may add to it."""

    @field_validator("among")
    @classmethod
    def _refuse_itself(cls, among: tuple[Device, ...]) -> tuple[Device, ...]:
        if any(isinstance(device, Auto) for device in among):
            raise mistake("'auto' chooses among devices and is none itself", "leave it out of 'among'")
        return among

    def compile(self, graph: Graph, per_network: tuple[str, ...] = ()) -> Program:
        """Return the program of `graph` on the first device there is: outside a run there is nothing to measure."""
        from vynapse_core.catalogue import installed
        from vynapse_core.devices.choice import candidates

        device = next(each.device for each in candidates(self, installed()) if each.device is not None)
        return device.compile(graph, per_network)
