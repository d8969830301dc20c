# SPDX-License-Identifier: MIT OR Apache-2.0
"""The run: the one loop of step, report, observe, checkpoint, stop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from threadpoolctl import threadpool_limits

from vynapse_core import checkpoint
from vynapse_core.checkpoint import save_arrays
from vynapse_core.contracts import Solution
from vynapse_core.errors import RunError, VynapseError
from vynapse_core.experiment import Experiment
from vynapse_core.failure import explained
from vynapse_core.files import replace_file, synchronise, write_json
from vynapse_core.folder import Folder, environment
from vynapse_core.interrupts import interrupts
from vynapse_core.lock import locked
from vynapse_core.networks import Networks
from vynapse_core.plugins import HookRelay, relay
from vynapse_core.recipe import to_toml
from vynapse_core.stop import Progress

S = TypeVar("S")


@dataclass(frozen=True)
class Result:
    """How a run ended: what `result.json` holds."""

    status: str
    """`finished`, `interrupted` or `failed`."""
    reason: str
    """The stop criterion that held, `interrupted`, or what failed."""
    steps: int
    evaluations: int
    seconds: float
    """Time inside the loop."""
    best_fitness: float | None
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """`{split: {"loss": …, "accuracy": …}}` of the best solution."""


@dataclass(frozen=True)
class Saved(Generic[S]):
    """What a run's checkpoint holds."""

    state: S
    """The trainer's."""
    progress: Progress


def run_experiment(experiment: Experiment, folder: Folder, *, resume: bool = False) -> Result:
    """Run an experiment to its end, or go on from the folder's checkpoint to the same bits.

    Raises RunError for a component that raises (with its recipe path and the step) and for a population without any
    finite fitness, CheckpointError where the state cannot be written or read. The folder's files say the same. Raises
    ArgumentError where another process is running in the folder.
    """
    with locked(folder.path):
        return _run(experiment, folder, resume=resume)


def _run(experiment: Experiment, folder: Folder, *, resume: bool) -> Result:
    recipe, trainer, every = experiment.recipe, experiment.trainer, experiment.recipe.checkpoint
    observers, progress, state = _observers(experiment), Progress(), None
    try:
        if resume and (folder.checkpoint / "state.json").exists():
            state, progress = _load(folder, trainer.state_type())
        resumed_at = progress.step if resume else None
        _note_start(experiment, folder, resumed_at)
        recipe.distribution.start(experiment)
        observers.hook.vynapse_run_started(experiment=experiment, folder=folder.path, resumed_at=resumed_at)
        # BLAS rounds otherwise on another number of threads; devices run threads of their own
        with interrupts() as asked, threadpool_limits(1, "blas"):
            state = trainer.start(experiment) if state is None else state
            written, written_at = None, time.monotonic()
            while (reason := recipe.stop.reached(progress, experiment.task.target)) is None and not asked.requested:
                began = time.perf_counter()
                state, report = trainer.step(experiment, state)
                progress = progress.after(report, time.perf_counter() - began)
                observers.hook.vynapse_step_finished(report=report, progress=progress)
                if every.due(progress.step, time.monotonic() - written_at):
                    _save(folder, Saved(state, progress))
                    written, written_at = progress.step, time.monotonic()
            if written != progress.step:
                _save(folder, Saved(state, progress))
            result = _finish(experiment, folder, state, progress, reason)
    except BaseException as error:
        failure = explained(error, experiment, progress.step)
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        result = Result(status, str(failure) or status, progress.step, progress.evaluations, progress.seconds, None)
        _note_end(folder, result)
        observers.hook.vynapse_run_finished(result=result)
        raise failure from (None if isinstance(error, VynapseError) else error)
    finally:
        recipe.distribution.stop()
    observers.hook.vynapse_run_finished(result=result)
    return result


def _save(folder: Folder, saved: Saved[Any]) -> None:
    # a resumed run needs the table up to its checkpoint, after a power cut too
    if folder.metrics.exists():
        synchronise(folder.metrics)
    checkpoint.save(folder.checkpoint, saved)


def _load(folder: Folder, state_type: Any) -> tuple[Any, Progress]:
    of: Any = Saved
    saved, _ = checkpoint.load(folder.checkpoint, of[state_type])
    return saved.state, saved.progress


def _finish(experiment: Experiment, folder: Folder, state: Any, progress: Progress, reason: str | None) -> Result:
    solution = experiment.trainer.best(experiment, state)
    networks = _networks(experiment, solution)
    _write_best(folder.best, solution, networks)
    result = Result(
        status="finished" if reason else "interrupted",
        reason=reason or "interrupted",
        steps=progress.step,
        evaluations=progress.evaluations,
        seconds=progress.seconds,
        best_fitness=solution.fitness,
        metrics=experiment.evaluation.metrics(networks) if networks else {},
    )
    _note_end(folder, result)
    return result


def _networks(experiment: Experiment, solution: Solution) -> Networks | None:
    genome = experiment.recipe.genome
    if solution.networks is not None or solution.genes is None or genome is None:
        return solution.networks
    try:
        return genome.networks(solution.genes)
    except TypeError:
        return None


def _write_best(folder: Path, solution: Solution, networks: Networks | None) -> None:
    folder.mkdir(exist_ok=True)
    if solution.genes is not None:
        structure = {f"structure.{name}": array for name, array in solution.genes.structure.items()}
        save_arrays(folder / "genes.safetensors", {"values": solution.genes.values, **structure})
    if networks is not None:
        replace_file(folder / "model.json", networks.graph.to_json().encode())
        save_arrays(folder / "model.safetensors", {name: array[0] for name, array in networks.arrays.items()})


def _observers(experiment: Experiment) -> HookRelay:
    observers = relay(experiment.catalogue.plugins)
    if experiment.recipe.distribution.rank == 0:
        for index, observer in enumerate(experiment.recipe.observers):
            observers.register(observer, name=f"observers.{index}")
    return observers


def _note_start(experiment: Experiment, folder: Folder, resumed_at: int | None) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if resumed_at is not None:
        folder.note(status="running", resumed=[*folder.noted().get("resumed", []), {"time": now, "step": resumed_at}])
        return
    replace_file(folder.recipe, to_toml(experiment.recipe, experiment.catalogue).encode())
    packages = {plugin.package: plugin.version for plugin in experiment.catalogue.plugins if not plugin.failure}
    description = experiment.recipe.experiment
    folder.note(
        name=description.name,
        seed=description.seed,
        status="running",
        started=now,
        finished=None,
        **environment(packages),
    )


def _note_end(folder: Folder, result: Result) -> None:
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        write_json(folder.result, asdict(result))
        folder.note(status=result.status, finished=finished)
    except OSError as error:
        if result.status != "failed":
            raise RunError(f"cannot write to {folder.path}: {error.strerror or error}") from None
