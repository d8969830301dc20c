# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kernel of Vynapse: contracts, wiring and the run. It holds no algorithm.

The public names below are all that a plugin needs. They are imported where they are first used, so that a plugin's
entry-point module, which needs only `hookimpl`, stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = {
    "builder": "Builder Value log_softmax one_hot softmax where",
    "catalogue": "Catalogue",
    "clock": "Clock",
    "component": "Component",
    "contracts": "Activation Crossover Dataset Device DirectTask Distribution EpisodicTask Genome Gradient Initialiser Kernel "
    "Loss Mutation Observer Program Replacement Report Selector Solution SupervisedTask Task Trainer target_like",
    "errors": "DataError GraphError RecipeError RunError VynapseError",
    "experiment": "Experiment wire",
    "graph": "Graph Node",
    "hooks": "hookimpl",
    "networks": "Networks",
    "ops": "Op",
    "population": "Array Genes Population best_first",
    "recipe": "Recipe load_recipe",
    "run": "Result run",
    "schedules": "Schedule Scheduled value_at",
    "streams": "Stream Streams",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [*sorted(_HOME), "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vynapse_core' has no attribute {name!r}")
    value = getattr(import_module(f"vynapse_core.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
