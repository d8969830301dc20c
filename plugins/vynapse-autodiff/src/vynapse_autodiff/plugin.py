# SPDX-License-Identifier: MIT OR Apache-2.0
"""What this plugin offers: gradients of ops, networks of layers, trainers by gradients. Parts come when a hook asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from vynapse_core import Component, Gradient


@hookimpl
def vynapse_gradients() -> Mapping[str, Gradient]:
    """Contribute the vector-Jacobian products of the kernel's ops."""
    from vynapse_autodiff.vjps import VJPS

    return VJPS


@hookimpl
def vynapse_genomes() -> Mapping[str, type[Component]]:
    """Contribute the genome of layers."""
    from vynapse_autodiff.genome import Network

    return {"network": Network}


@hookimpl
def vynapse_trainers() -> Mapping[str, type[Component]]:
    """Contribute the trainer."""
    from vynapse_autodiff.eager.trainer import Autodiff
    from vynapse_autodiff.sgd import Sgd
    from vynapse_autodiff.static.trainer import StaticGraph

    return {"autodiff": Autodiff, "sgd": Sgd, "static_graph": StaticGraph}


@hookimpl
def vynapse_commands() -> Mapping[str, click.Command]:
    """Contribute `vynapse profile`."""
    from vynapse_autodiff.static.command import command

    return {"profile": command}
