# SPDX-License-Identifier: MIT OR Apache-2.0
"""What this plugin offers: tasks on data, and the command `data`. They are imported when a hook asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from vynapse_core import Component


@hookimpl
def vynapse_tasks() -> Mapping[str, type[Component]]:
    """Contribute data sets, and tasks on a user's own files."""
    from vynapse_data.cifar10 import Cifar10
    from vynapse_data.digits import Digits
    from vynapse_data.files import Idx, Npz
    from vynapse_data.image_folder import ImageFolder
    from vynapse_data.mnist import FashionMnist, Mnist
    from vynapse_data.table_task import Csv, Parquet

    return {
        "digits": Digits,
        "mnist": Mnist,
        "fashion_mnist": FashionMnist,
        "cifar10": Cifar10,
        "idx": Idx,
        "npz": Npz,
        "csv": Csv,
        "parquet": Parquet,
        "image_folder": ImageFolder,
    }


@hookimpl
def vynapse_commands() -> Mapping[str, click.Command]:
    """Contribute what looks at data without a run."""
    from vynapse_data.commands import data

    return {"data": data}
