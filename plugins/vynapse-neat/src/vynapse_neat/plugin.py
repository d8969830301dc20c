# SPDX-License-Identifier: MIT OR Apache-2.0
"""What this plugin offers: the genome and the trainer `neat`. Parts are imported when a hook asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from vynapse_core import Component, Gradient, Kernel, Op


@hookimpl
def vynapse_ops() -> Mapping[str, Op]:
    """Contribute the ops of evolved networks."""
    from vynapse_neat.sparse_network import NETWORK_OPS

    return NETWORK_OPS


@hookimpl
def vynapse_gradients() -> Mapping[str, Gradient]:
    """Contribute their vector-Jacobian products."""
    from vynapse_neat.sparse_network import NETWORK_GRADIENTS

    return NETWORK_GRADIENTS


@hookimpl
def vynapse_kernels() -> Mapping[tuple[str, str], Kernel]:
    """Contribute their forms for the device `numba`."""
    from vynapse_neat.gradient_kernels import GRADIENT_KERNELS
    from vynapse_neat.kernels import KERNELS
    from vynapse_neat.sample_kernels import SAMPLE_KERNELS

    return {**KERNELS, **GRADIENT_KERNELS, **SAMPLE_KERNELS}


@hookimpl
def vynapse_genomes() -> Mapping[str, type[Component]]:
    """Contribute the genome."""
    from vynapse_neat.genome import Neat

    return {"neat": Neat}


@hookimpl
def vynapse_trainers() -> Mapping[str, type[Component]]:
    """Contribute the trainer."""
    from vynapse_neat.trainer import NeatTrainer

    return {"neat": NeatTrainer}


@hookimpl
def vynapse_commands() -> Mapping[str, click.Command]:
    """Contribute what draws a run, and what reads other programs' configurations."""
    from vynapse_neat.commands import draw
    from vynapse_neat.interchange.command import neat

    return {"draw": draw, "neat": neat}
