# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kernel of Vynapse: contracts, wiring and the run. It holds no algorithm.

The names below are all that a plugin needs. Each is imported where it is first used, so that a plugin's
entry-point module, which needs only `hookimpl`, stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vynapse_core.builder import (
        Builder as Builder,
        Value as Value,
        log_softmax as log_softmax,
        one_hot as one_hot,
        softmax as softmax,
        where as where,
    )
    from vynapse_core.catalogue import Catalogue as Catalogue, installed as installed
    from vynapse_core.clock import Clock as Clock
    from vynapse_core.component import Component as Component
    from vynapse_core.contracts import (
        Activation as Activation,
        Crossover as Crossover,
        Dataset as Dataset,
        Device as Device,
        DirectTask as DirectTask,
        Distribution as Distribution,
        ElementwiseTask as ElementwiseTask,
        EpisodicTask as EpisodicTask,
        Genome as Genome,
        Gradient as Gradient,
        Initialiser as Initialiser,
        Kernel as Kernel,
        Loss as Loss,
        Mutation as Mutation,
        Observer as Observer,
        Program as Program,
        Replacement as Replacement,
        Report as Report,
        SampledTask as SampledTask,
        SampleKernel as SampleKernel,
        Selector as Selector,
        Solution as Solution,
        SupervisedTask as SupervisedTask,
        Task as Task,
        Trainer as Trainer,
    )
    from vynapse_core.contracts.loss import target_like as target_like
    from vynapse_core.devices.arguments import (
        Arguments as Arguments,
        Given as Given,
        concrete as concrete,
        kernels_for as kernels_for,
    )
    from vynapse_core.draw_parts import (
        fill_words as fill_words,
        half_of as half_of,
        high_product as high_product,
        integer_below as integer_below,
        normals_of as normals_of,
        uniform_of as uniform_of,
        word_block as word_block,
    )
    from vynapse_core.errors import (
        DataError as DataError,
        GraphError as GraphError,
        Problem as Problem,
        RecipeError as RecipeError,
        RunError as RunError,
        VynapseError as VynapseError,
        nearest as nearest,
    )
    from vynapse_core.experiment import Experiment as Experiment, wire as wire
    from vynapse_core.folder import Folder as Folder, named_folder as named_folder, new_folder as new_folder
    from vynapse_core.graph import Graph as Graph, Node as Node, constant_array as constant_array
    from vynapse_core.hooks import hookimpl as hookimpl
    from vynapse_core.networks import Networks as Networks
    from vynapse_core.ops import Op as Op
    from vynapse_core.population import (
        Array as Array,
        Genes as Genes,
        Population as Population,
        best_first as best_first,
    )
    from vynapse_core.recipe import Recipe as Recipe, load_recipe as load_recipe
    from vynapse_core.routines import (
        Argument as Argument,
        Routine as Routine,
        Run as Run,
        routine as routine,
        routine_part as routine_part,
    )
    from vynapse_core.run import Result as Result, run_experiment as run_experiment
    from vynapse_core.schedules import Schedule as Schedule, Scheduled as Scheduled, value_at as value_at
    from vynapse_core.settings import DataPath as DataPath, Settings as Settings, mistake as mistake
    from vynapse_core.stop import Progress as Progress
    from vynapse_core.streams import Stream as Stream, Streams as Streams

__version__ = "0.1.0"

_NAMES_OF = {
    "builder": "Builder Value log_softmax one_hot softmax where",
    "catalogue": "Catalogue installed",
    "clock": "Clock",
    "component": "Component",
    "contracts": "Activation Crossover Dataset Device DirectTask Distribution ElementwiseTask EpisodicTask Genome "
    "Gradient Initialiser Kernel Loss Mutation Observer Program Replacement Report SampleKernel "
    "SampledTask Selector Solution SupervisedTask Task Trainer",
    "contracts.loss": "target_like",
    "devices.arguments": "Arguments Given concrete kernels_for",
    "draw_parts": "fill_words half_of high_product integer_below normals_of uniform_of word_block",
    "errors": "DataError GraphError Problem RecipeError RunError VynapseError nearest",
    "experiment": "Experiment wire",
    "folder": "Folder named_folder new_folder",
    "graph": "Graph Node constant_array",
    "hooks": "hookimpl",
    "networks": "Networks",
    "ops": "Op",
    "population": "Array Genes Population best_first",
    "recipe": "Recipe load_recipe",
    "routines": "Argument Routine Run routine routine_part",
    "run": "Result run_experiment",
    "schedules": "Schedule Scheduled value_at",
    "settings": "DataPath Settings mistake",
    "stop": "Progress",
    "streams": "Stream Streams",
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vynapse_core' has no attribute {name!r}")
    value = getattr(import_module(f"vynapse_core.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*_MODULE_OF, "__version__"]
