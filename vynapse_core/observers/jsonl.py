# SPDX-License-Identifier: MIT OR Apache-2.0
"""`events.jsonl`: a structured log, one JSON object a line."""

from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import PrivateAttr

from vynapse_core.contracts.observer import Observer
from vynapse_core.contracts.trainer import Report
from vynapse_core.hooks import hookimpl
from vynapse_core.stop import Progress

if TYPE_CHECKING:
    from vynapse_core.experiment import Experiment
    from vynapse_core.run import Result


class Jsonl(Observer):
    """Logs the start, every improvement, failed individuals and the end to `events.jsonl`."""

    every_step: bool = False
    """Whether every step is logged, not only those with a better fitness."""

    _file: TextIO | None = PrivateAttr(None)
    _log: Any = PrivateAttr(None)

    @hookimpl
    def vynapse_run_started(self, experiment: "Experiment", folder: Path, resumed_at: int | None) -> None:
        """Open the log; a resumed run goes on in the same file."""
        import orjson
        import structlog

        def as_json(event: Any, **_: Any) -> str:
            return orjson.dumps(event, option=orjson.OPT_SERIALIZE_NUMPY, default=str).decode()

        self._file = (folder / "events.jsonl").open("a", encoding="utf-8")
        self._log = structlog.wrap_logger(
            structlog.WriteLogger(self._file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=as_json),
            ],
        ).bind()
        recipe = experiment.recipe
        self._log.info(
            "run_started" if resumed_at is None else "run_resumed",
            experiment=recipe.experiment.name,
            seed=recipe.experiment.seed,
            step=resumed_at or 0,
            device=type(recipe.device).__name__,
        )
        if experiment.choice is not None:
            self._log.info("device_picked", **experiment.choice.record())
        for plugin in experiment.catalogue.failures:
            self._log.warning("plugin_failed", package=plugin.package, plugin=plugin.name, cause=plugin.failure)

    @hookimpl
    def vynapse_step_finished(self, report: Report, progress: Progress) -> None:
        """Log an improvement, individuals that failed, and what the trainer notes."""
        failed, improved = report.columns.get("failed"), progress.improved == report.step
        if not (failed or improved or report.note or self.every_step) or (log := self._log) is None:
            return
        if failed:
            log.warning("individuals_failed", step=report.step, failed=int(failed))
        if report.note:
            log.info("note", step=report.step, text=report.note)
        if improved or self.every_step:
            log.info("improved" if improved else "step", step=report.step, best=report.best)

    @hookimpl
    def vynapse_run_finished(self, result: "Result") -> None:
        """Log the end and close the file."""
        if self._log is None or self._file is None:
            return
        level = self._log.error if result.status == "failed" else self._log.info
        # where the run has failed already, a disk that is full is no more news
        with suppress(*(() if result.status == "finished" else (OSError,))), closing(self._file):
            level(
                "run_finished",
                status=result.status,
                reason=result.reason,
                steps=result.steps,
                best=result.best_fitness,
            )
