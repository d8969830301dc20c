# SPDX-License-Identifier: MIT OR Apache-2.0
"""Our side: experiments on given samples, one for each installed device, wired as a recipe would wire them."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from pydantic import PrivateAttr
from sides import OURS, Side

from vynapse_core import (
    Array,
    Catalogue,
    Dataset,
    Experiment,
    Genes,
    Observer,
    Streams,
    SupervisedTask,
    Task,
    hookimpl,
    wire,
)
from vynapse_core.catalogue import Entry, installed
from vynapse_core.recipe import build
from vynapse_core.source import Source

Given = Mapping[str, Any]


class Samples(SupervisedTask):
    """A task whose samples are given as arrays."""

    _outputs: int = PrivateAttr()
    _given: Dataset = PrivateAttr()

    @classmethod
    def of(cls, x: Array, y: Array, outputs: int, loss: str) -> "Samples":
        """Return the task of inputs float32 [n, k] and targets, class ids int64 [n] or numbers float32 [n, m]."""
        task = cls.model_validate({"loss": loss}, context={"catalogue": installed()})
        task._outputs, task._given = outputs, Dataset(x, y)
        return task

    @property
    def inputs(self) -> tuple[int, ...]:
        """Shape of a sample."""
        return tuple(self._given.x.shape[1:])

    @property
    def outputs(self) -> int:
        """Number of classes or targets."""
        return self._outputs

    def data(self, split: str) -> Dataset:
        """Return the samples."""
        return self._given


class Stopwatch(Observer):
    """Times a run's loop: from the first population to the end of the last step, its files included."""

    _began: float = PrivateAttr(0.0)
    _ended: float = PrivateAttr(0.0)

    @property
    def seconds(self) -> float:
        """Time that the loop took, in seconds."""
        return self._ended - self._began

    @hookimpl
    def vynapse_run_started(self) -> None:
        """Start."""
        self._began = time.perf_counter()

    # last, so that what the other observers take is counted too
    @hookimpl(trylast=True)
    def vynapse_step_finished(self) -> None:
        """Note the time."""
        self._ended = time.perf_counter()


@cache
def catalogue() -> Catalogue:
    """Return what is installed, and the stopwatch."""
    watch = Entry("observer", "stopwatch", Stopwatch, "benchmarks", "0")
    return replace(installed(), entries=(*installed().entries, watch))


def devices() -> Iterator[str]:
    """Yield the names of the installed devices that compute; `auto` picks one of them."""
    for entry in installed().of_kind("device"):
        if entry.name != "auto":
            yield entry.name


def experiment(task: Task | Given, genome: Given, device: Given, trainer: Given | None = None) -> Experiment:
    """Return the experiment of a task, wired."""
    tree = {"task": task, "genome": genome, "device": device, "trainer": trainer or {"type": "evolution"}}
    return wire(build(Source(tree, "benchmark"), installed()))


def first_genes(made: Experiment, networks: int) -> Array:
    """Return the genes float32 [P, w] of a first population, biases drawn too so that no number is special."""
    genes = made.genome.initial(networks, Streams(0)("initial")).values
    noise = np.random.default_rng(0).standard_normal(genes.shape).astype(np.float32)
    drawn: Array = genes + np.float32(0.1) * noise
    return drawn


def evaluations(task: Samples, genome: Given, genes: Array) -> dict[str, Callable[[], Side]]:
    """Return makers of sides, {name: maker}, that evaluate `genes` [P, w] to losses [P] as a trainer's step does."""

    def maker(device: str) -> Callable[..., Side]:
        def make(*_: Any) -> Side:
            made, rows = experiment(task, genome, {"type": device}), Genes(genes)
            # in a run BLAS has one thread, and what a device uses beyond that is its own
            return Side(device, lambda: -made.evaluate(rows, 0), blas_threads=1)

        return make

    return {f"{OURS}, {name} device": maker(name) for name in devices()}
