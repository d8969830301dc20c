# SPDX-License-Identifier: MIT OR Apache-2.0
"""The run: the one loop of step, report, observe, checkpoint, stop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from threadpoolctl import threadpool_limits

from vynapse_core import checkpoint
from vynapse_core.best import networks_of, write_best
from vynapse_core.contracts import Solution
from vynapse_core.devices.auto import Auto
from vynapse_core.devices.choice import settled
from vynapse_core.errors import CheckpointError, Problem, RecipeError, RunError, VynapseError
from vynapse_core.experiment import Experiment
from vynapse_core.failure import explained
from vynapse_core.files import as_json, replace_file
from vynapse_core.folder import Folder, environment, revision
from vynapse_core.freed_memory import keep_freed_memory
from vynapse_core.interrupts import Interrupts, interrupts
from vynapse_core.lock import locked
from vynapse_core.plugins import HookRelay
from vynapse_core.recipe import to_toml
from vynapse_core.stop import GOALS, Criteria, Progress
from vynapse_core.watchers import beside, step_teller, tell_end, watchers

S = TypeVar("S")

BEST_EVERY = 30.0
"""Seconds at least between two times that the best so far is written, beside a checkpoint."""


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
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """`{split: {"loss": …, "accuracy": …}}` of the best solution, and what the task's `metrics` name."""


@dataclass(frozen=True)
class Saved(Generic[S]):
    """What a run's checkpoint holds."""

    state: S
    """The trainer's; None before it has started."""
    progress: Progress


@dataclass
class Session:
    """A run in hand. It is written to as the run goes on, so that whatever ends it finds what there is to save."""

    experiment: Experiment
    folder: Folder
    watchers: HookRelay
    writes: bool
    """Whether this process writes the folder's files: rank 0 alone does."""
    now: Saved[Any] = Saved(None, Progress())
    """State and progress after the last step that all observers have seen."""
    step: int = 1
    """The step in hand, for messages."""
    saved: int | None = None
    """The step of the folder's checkpoint, where it has one."""
    saved_at: float = -float("inf")
    best_at: float = -float("inf")

    @property
    def progress(self) -> Progress:
        """How far the run has come."""
        return self.now.progress


def run_experiment(
    experiment: Experiment, folder: Folder, *, resume: bool = False, changes: Mapping[str, Any] | None = None
) -> Result:
    """Run an experiment to its end, or go on from the folder's checkpoint to the same bits.

    `changes` are what a resumed run's recipe has that the folder's has not, for `run.json`; the recipe is then written
    anew. A device that is left open is settled first. Raises RecipeError where the checkpoint's state does not fit the
    recipe, CheckpointError where it cannot be read, ArgumentError where another process is running in the folder and
    RunError where no device is of use: nothing is then written. Raises RunError for a component that raises (with its
    recipe path and the step) and for a population without any finite fitness, CheckpointError where the state cannot
    be written. The folder's files say the same.
    """
    if resume and isinstance(experiment.recipe.device, Auto):
        text = "a run goes on with the device that it has, and 'auto' would pick anew"
        raise RecipeError([Problem("device", text, "name a device, or leave it as it is")], str(folder.recipe))
    experiment = settled(experiment)
    writes = experiment.recipe.distribution.rank == 0
    with locked(folder.path) if writes else nullcontext():
        session = Session(experiment, folder, watchers(experiment), writes)
        if resume and (folder.checkpoint / "state.json").exists():
            session.now = _loaded(experiment, folder)
            session.step = session.saved = session.progress.step
        return _run(session, resume, changes or {})


def _run(session: Session, resume: bool, changes: Mapping[str, Any]) -> Result:
    keep_freed_memory()
    try:
        _begin(session, resume, changes)
        # BLAS rounds otherwise on another number of threads; devices run threads of their own
        with interrupts() as asked, threadpool_limits(1, "blas"):
            reason, solution = _loop(session, asked)
            result = _finish(session, reason, solution)
    except BaseException as error:
        failure, result = _fail(session, error)
        failure = beside(failure, tell_end(session.watchers, result))
        raise failure from (None if isinstance(error, VynapseError) or failure is error else error)
    finally:
        session.experiment.recipe.distribution.stop()
    if failures := tell_end(session.watchers, result):
        raise RunError(
            "\n  ".join([f"the run ended well ({result.reason}), and then not all that watched it", *failures])
        )
    return result


def _loop(session: Session, asked: Interrupts) -> tuple[str | None, Solution | None]:
    """Step until a criterion holds or a stop is asked for, and return the criterion and the best, where it is known."""
    experiment, trainer = session.experiment, session.experiment.trainer
    criteria, checkpoint_due = experiment.recipe.stop.criteria(experiment.task.target), experiment.recipe.checkpoint.due
    tell = step_teller(session.watchers)
    session.saved_at = time.monotonic()
    if session.now.state is None:
        began = time.perf_counter()
        state = trainer.start(experiment)
        known = trainer.champion(experiment, state).fitness
        session.now = Saved(state, Progress.started(time.perf_counter() - began, known))
    while not asked.requested:
        reason, solution = _ending(session, criteria)
        if reason is not None:
            return reason, solution
        now = session.now
        began, session.step = time.perf_counter(), now.progress.step + 1
        state, report = trainer.step(experiment, now.state)
        progress = now.progress.after(report, time.perf_counter() - began)
        tell(report, progress)
        session.now = Saved(state, progress)
        if checkpoint_due(progress.step, time.monotonic() - session.saved_at):
            _save(session)
            if time.monotonic() - session.best_at >= BEST_EVERY:
                _save_best(session, trainer.champion(experiment, state))
    return None, None


def _ending(session: Session, criteria: Criteria) -> tuple[str | None, Solution | None]:
    """Return the criterion that ends the run now, or None; and the best, where it had to be found for that.

    Where fitness changes from step to step a goal may be reached by luck, so that it is looked at on all the data.
    """
    experiment = session.experiment
    if experiment.recipe.stop.solved and experiment.evaluation.examined:
        passed = _passed(session)
        if passed is not None:
            return "solved", passed
    now = session.now
    holding = criteria.holding(now.progress)
    # a run takes a step at least, so that it has something to report
    if not holding or not now.progress.step:
        return None, None
    if holding[0] not in GOALS or not experiment.task.stochastic:
        return holding[0], None
    limit = next((name for name in holding if name not in GOALS), None)
    if not now.progress.may_confirm:
        return limit, None
    began = time.perf_counter()
    solution = experiment.trainer.best(experiment, now.state)
    truly = [name for name in criteria.holding(now.progress.judged_by(solution.fitness)) if name in GOALS]
    if not truly:
        seconds = now.progress.seconds + time.perf_counter() - began
        session.now = Saved(now.state, replace(now.progress, seconds=seconds, refuted=now.progress.step))
    return (truly[0] if truly else limit), solution


def _passed(session: Session) -> Solution | None:
    """Return the trainer's candidate where it passes the task's examinations."""
    experiment, now = session.experiment, session.now
    if not now.progress.step:
        return None
    began = time.perf_counter()
    improved = now.progress.improved == now.progress.step
    solution = experiment.trainer.candidate(experiment, now.state, improved)
    networks = None if solution is None else networks_of(experiment, solution)
    passed = networks is not None and experiment.evaluation.passes(networks)
    seconds = now.progress.seconds + time.perf_counter() - began
    session.now = Saved(now.state, replace(now.progress, seconds=seconds))
    return solution if passed else None


def _finish(session: Session, reason: str | None, solution: Solution | None) -> Result:
    """Save what there is at the end, and return the result. Whoever interrupts does not want to wait for a choice."""
    experiment, trainer = session.experiment, session.experiment.trainer
    _save(session)
    if solution is None:
        choose = trainer.best if reason else trainer.champion
        solution = choose(experiment, session.now.state)
    networks = networks_of(experiment, solution)
    result = replace(
        _result(session.progress, "finished" if reason else "interrupted", reason or "interrupted"),
        best_fitness=solution.fitness,
        metrics=experiment.evaluation.metrics(networks) if networks else {},
    )
    _save_best(session, solution)
    if session.writes:
        try:
            _note_end(session.folder, result)
        except OSError as error:
            raise RunError(f"cannot write to {session.folder.path}: {error.strerror or error}") from None
    return result


def _fail(session: Session, error: BaseException) -> tuple[BaseException, Result]:
    """Save what there is, as far as that works, and return the error to show and the result."""
    interrupted = isinstance(error, KeyboardInterrupt)
    best = None
    if session.now.state is not None and not interrupted:
        with suppress(Exception):
            _save(session)
        with suppress(Exception):
            solution = session.experiment.trainer.champion(session.experiment, session.now.state)
            best = solution.fitness
            _save_best(session, solution)
    checkpointed = (session.folder.checkpoint / "state.json").exists()
    failure = explained(error, session.experiment, session.step, checkpoint=checkpointed)
    status = "interrupted" if interrupted else "failed"
    result = replace(_result(session.progress, status, str(failure) or status), best_fitness=best)
    if session.writes:
        with suppress(OSError, VynapseError):
            _note_end(session.folder, result)
    return failure, result


def _result(progress: Progress, status: str, reason: str) -> Result:
    return Result(status, reason, progress.step, progress.evaluations, progress.seconds, None)


def _loaded(experiment: Experiment, folder: Folder) -> Saved[Any]:
    """Return what the folder's checkpoint holds. Raises CheckpointError, RecipeError for a recipe it does not fit."""
    of: Any = Saved
    saved: Saved[Any]
    saved, _ = checkpoint.load(folder.checkpoint, of[experiment.trainer.state_type()])
    step = getattr(saved.state, "step", saved.progress.step)
    flaw = saved.progress.flaw
    if step != saved.progress.step:
        flaw = f"the trainer's state is of step {step}, and the run's progress of step {saved.progress.step}"
    if flaw:
        raise CheckpointError(f"{folder.checkpoint}: {flaw}; restore the folder from a copy, or start the run again")
    hint = "a run goes on with what it began with; for another, start anew"
    problems = [Problem(path, text, hint) for path, text in experiment.trainer.fits(experiment, saved.state)]
    if problems:
        raise RecipeError(problems, str(folder.recipe))
    return saved


def _save(session: Session) -> None:
    if session.saved == session.progress.step:
        return
    session.watchers.hook.vynapse_checkpoint_started(progress=session.progress)
    if session.writes:
        checkpoint.save(session.folder.checkpoint, session.now)
    session.saved, session.saved_at = session.progress.step, time.monotonic()


def _save_best(session: Session, solution: Solution) -> None:
    if session.writes:
        write_best(session.folder.best, solution, networks_of(session.experiment, solution))
    session.best_at = time.monotonic()


def _begin(session: Session, resume: bool, changes: Mapping[str, Any]) -> None:
    """Say in the folder that the run goes on, and tell all that takes part in it."""
    experiment, folder = session.experiment, session.folder
    resumed_at = session.progress.step if resume else None
    if session.writes:
        if resumed_at is None:
            _note_start(experiment, folder)
        else:
            _note_resumption(experiment, folder, resumed_at, changes)
    experiment.recipe.distribution.start(experiment)
    session.watchers.hook.vynapse_run_started(experiment=experiment, folder=folder.path, resumed_at=resumed_at)


def _note_start(experiment: Experiment, folder: Folder) -> None:
    packages = {plugin.package: plugin.version for plugin in experiment.catalogue.plugins if not plugin.failure}
    description, data = experiment.recipe.experiment, dict(experiment.task.provenance())
    with revision() as git:
        replace_file(folder.recipe, _recipe(experiment))
        folder.note(
            name=description.name,
            seed=description.seed,
            status="running",
            started=_now(),
            finished=None,
            **({"device": experiment.choice.record()} if experiment.choice else {}),
            **({"data": data} if data else {}),
            **environment(packages),
            git=git(),
        )


def _note_resumption(experiment: Experiment, folder: Folder, step: int, changes: Mapping[str, Any]) -> None:
    if changes:
        folder.note(changes=[*folder.noted().get("changes", []), dict(changes)])
        replace_file(folder.recipe, _recipe(experiment))
    folder.note(status="running", resumed=[*folder.noted().get("resumed", []), {"time": _now(), "step": step}])


def _note_end(folder: Folder, result: Result) -> None:
    folder.note({folder.result.name: as_json(asdict(result))}, status=result.status, finished=_now())


def _recipe(experiment: Experiment) -> bytes:
    return to_toml(experiment.recipe, experiment.catalogue).encode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
