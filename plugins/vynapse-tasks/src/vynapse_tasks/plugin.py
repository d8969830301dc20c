# SPDX-License-Identifier: MIT OR Apache-2.0
"""What this plugin offers: tasks and losses. They are imported when a hook asks, so that loading is fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core import Component


@hookimpl
def vynapse_tasks() -> Mapping[str, type[Component]]:
    """Contribute functions of bits and of reals, sequences, and systems to be controlled."""
    from vynapse_tasks.bitstrings import OneMax, Trap
    from vynapse_tasks.control.acrobot import Acrobot
    from vynapse_tasks.control.cartpole import CartPole
    from vynapse_tasks.control.mountain_car import MountainCar, MountainCarContinuous
    from vynapse_tasks.control.pendulum import Pendulum
    from vynapse_tasks.control.pole_balancing import PoleBalancing
    from vynapse_tasks.functions import Ackley, Rastrigin, Rosenbrock, Sphere
    from vynapse_tasks.logic import Parity, Xor
    from vynapse_tasks.powers_of_two import PowersOfTwo
    from vynapse_tasks.retina import Retina
    from vynapse_tasks.sequence_recall import SequenceRecall
    from vynapse_tasks.two_spirals import TwoSpirals

    return {
        "xor": Xor,
        "parity": Parity,
        "powers_of_two": PowersOfTwo,
        "retina": Retina,
        "two_spirals": TwoSpirals,
        "sequence_recall": SequenceRecall,
        "onemax": OneMax,
        "trap": Trap,
        "sphere": Sphere,
        "rastrigin": Rastrigin,
        "rosenbrock": Rosenbrock,
        "ackley": Ackley,
        "cartpole": CartPole,
        "pole_balancing": PoleBalancing,
        "mountain_car": MountainCar,
        "mountain_car_continuous": MountainCarContinuous,
        "acrobot": Acrobot,
        "pendulum": Pendulum,
    }


@hookimpl
def vynapse_losses() -> Mapping[str, type[Component]]:
    """Contribute losses for numbers and for classes."""
    from vynapse_tasks.losses import (
        BinaryCrossEntropy,
        CrossEntropy,
        Huber,
        MeanAbsoluteError,
        MeanSquaredError,
    )

    return {
        "mse": MeanSquaredError,
        "mae": MeanAbsoluteError,
        "huber": Huber,
        "cross_entropy": CrossEntropy,
        "binary_cross_entropy": BinaryCrossEntropy,
    }
