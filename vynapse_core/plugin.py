# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the kernel itself offers, by the same door as any plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core.hooks import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vynapse_core.hooks import Components
    from vynapse_core.ops import Op


@hookimpl
def vynapse_ops() -> Mapping[str, Op]:
    """The graph ops of `ops.py`."""
    from vynapse_core.ops import OPS

    return OPS


@hookimpl
def vynapse_genomes() -> Components:
    """First weights, for genomes and for the layers of gradient training alike."""
    from vynapse_core.initialisers import He, Lecun, Normal, Orthogonal, Uniform, Xavier, Zeros

    return {
        "he": He,
        "lecun": Lecun,
        "normal": Normal,
        "orthogonal": Orthogonal,
        "uniform": Uniform,
        "xavier": Xavier,
        "zeros": Zeros,
    }


@hookimpl
def vynapse_losses() -> Components:
    """Activations, for genomes and for the layers of gradient training alike."""
    from vynapse_core import activations

    return {
        "identity": activations.Identity,
        "tanh": activations.Tanh,
        "sigmoid": activations.Sigmoid,
        "relu": activations.Relu,
        "leaky_relu": activations.LeakyRelu,
        "elu": activations.Elu,
        "gelu": activations.Gelu,
        "silu": activations.Silu,
        "softplus": activations.Softplus,
        "softmax": activations.Softmax,
        "sin": activations.Sin,
        "gauss": activations.Gauss,
    }


@hookimpl
def vynapse_schedules() -> Components:
    """Numbers that change as a run goes on."""
    from vynapse_core.schedules import Constant, Cosine, Exponential, Linear, OneCycle, Piecewise, Step, WarmUp

    return {
        "constant": Constant,
        "linear": Linear,
        "exponential": Exponential,
        "cosine": Cosine,
        "step": Step,
        "piecewise": Piecewise,
        "one_cycle": OneCycle,
        "warm_up": WarmUp,
    }


@hookimpl
def vynapse_devices() -> Components:
    """The device that all others are compared with, and the choice among all."""
    from vynapse_core.devices.auto import Auto
    from vynapse_core.devices.reference import Reference

    return {"auto": Auto, "reference": Reference}


@hookimpl
def vynapse_distributions() -> Components:
    """The process itself, alone."""
    from vynapse_core.distributions.local import Local

    return {"local": Local}


@hookimpl
def vynapse_observers() -> Components:
    """What every run has: a screen, a table, a log."""
    from vynapse_core.observers.console import Console
    from vynapse_core.observers.csv import Csv
    from vynapse_core.observers.jsonl import Jsonl

    return {"console": Console, "csv": Csv, "jsonl": Jsonl}
