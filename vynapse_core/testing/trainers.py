# SPDX-License-Identifier: MIT OR Apache-2.0
"""The check of trainers: steps that are functions of their state, so that a resumed run goes on to the same bits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_origin

from vynapse_core import catalogue as catalogues, checkpoint
from vynapse_core.contracts import Report, Solution, Trainer
from vynapse_core.errors import VynapseError
from vynapse_core.experiment import Experiment, wire, with_seed
from vynapse_core.recipe import Recipe
from vynapse_core.testing.contract import OTHERS, Contract, difference
from vynapse_core.testing.parts import check_component
from vynapse_core.testing.samples import Linear, Plane

if TYPE_CHECKING:
    from vynapse_core.catalogue import Catalogue


def check_trainer(
    trainer: Trainer,
    *,
    experiment: Mapping[str, Any] | None = None,
    steps: int = 6,
    deterministic: bool = False,
    catalogue: Catalogue | None = None,
) -> None:
    """Check a trainer on a small experiment: two runs, and one that goes on from a checkpoint, give the same bits.

    `experiment` is the rest of the recipe, such as `{"task": "onemax"}`, of names, tables or components; without it, a
    linear network learns a plane over twelve points. `deterministic` is for a trainer that draws nothing.
    """
    contract = Contract.of(trainer, Trainer)
    check_component(trainer, catalogue)
    catalogue = catalogue or catalogues.installed()

    def wired(seed: int = 1) -> Experiment:
        return _wired(contract, trainer, experiment, steps, seed, catalogue)

    contract.require(
        isinstance(get_origin(trainer.state_type()) or trainer.state_type(), type),
        "state_type returns the dataclass of the state",
        f"{trainer.state_type()!r}",
    )
    states, reports = _run(contract, trainer, wired(), steps)
    _check_reports(contract, reports)
    again, same = _run(contract, trainer, wired(), steps)
    differs = difference(reports, same, "reports") or difference(states, again, "states")
    contract.require(not differs, "the same seed gives the same bits: nothing is kept outside the state", differs)
    for state in states:
        _check_fits(contract, trainer, wired(), state)
    _check_resumed(contract, trainer, wired(), states, reports)
    best = contract.call(trainer.best, wired(), states[-1], given="the last state")
    _check_solution(contract, "best", best)
    for state, given in ((states[0], "the first state"), (states[-1], "the last state")):
        _check_champion(contract, trainer, wired(), state, given)
    if not deterministic:
        others = (_run(contract, trainer, wired(seed), steps)[0] for seed in range(2, OTHERS))
        contract.require(
            any(difference(states, other) for other in others),
            "another seed gives another run (if it is meant not to, say `deterministic=True`)",
            "the same states for every seed",
        )


def _wired(
    contract: Contract, trainer: Trainer, rest: Mapping[str, Any] | None, steps: int, seed: int, catalogue: Catalogue
) -> Experiment:
    tables = {"task": Plane(), "genome": Linear()} if rest is None else dict(rest)
    tables = {"device": "reference", "stop": {"steps": steps}, **tables, "trainer": trainer}
    try:
        recipe = Recipe.model_validate(tables, context={"catalogue": catalogue})
        return with_seed(wire(recipe, catalogue=catalogue), seed)
    except (VynapseError, ValueError) as error:
        contract.require(
            False, "the experiment it is checked on fits it: pass another one as `experiment=`", f"{error}"
        )
        raise


def _run(contract: Contract, trainer: Trainer, experiment: Experiment, steps: int) -> tuple[list[Any], list[Report]]:
    """Return the states, the first one too, and the reports of a run."""
    states = [contract.call(trainer.start, experiment, given="a small experiment")]
    wanted = get_origin(trainer.state_type()) or trainer.state_type()
    contract.require(
        isinstance(states[0], wanted), f"the state is a {wanted.__name__}, as state_type says", f"{type(states[0])}"
    )
    reports: list[Report] = []
    for step in range(1, steps + 1):
        returned = contract.call(trainer.step, experiment, states[-1], given=f"step {step}")
        contract.require(
            isinstance(returned, tuple) and len(returned) == 2, "step returns state and report", f"{type(returned)}"
        )
        state, report = returned
        contract.require(
            isinstance(state, wanted), f"the state stays a {wanted.__name__}", f"{type(state)} after step {step}"
        )
        contract.require(isinstance(report, Report), "step returns a Report", f"{type(report)}")
        states.append(state)
        reports.append(report)
    return states, reports


def _check_reports(contract: Contract, reports: list[Report]) -> None:
    for place, report in enumerate(reports, start=1):
        before = reports[max(place - 2, 0)]
        contract.require(
            report.step == place,
            "report.step counts the steps finished, this one included",
            f"{report.step} for {place}",
        )
        contract.require(
            type(report.evaluations) is int and report.evaluations >= before.evaluations >= 0,
            "report.evaluations counts from the run's start and never falls",
            f"{report.evaluations!r} after {before.evaluations!r} at step {place}",
        )
        ordered = report.best >= report.mean >= report.worst or any(
            map(math.isnan, (report.best, report.mean, report.worst))
        )
        contract.require(
            ordered,
            "best is at least mean, and mean at least worst",
            f"{report.best}, {report.mean}, {report.worst} at step {place}",
        )
        contract.require(
            report.columns.keys() == before.columns.keys(),
            "a report has the same columns at every step",
            f"{sorted(report.columns)} at step {place}, {sorted(before.columns)} before",
        )
        odd = [name for name, value in report.columns.items() if not isinstance(value, int | float)]
        contract.require(not odd, "columns are numbers", f"{ {name: report.columns[name] for name in odd} }")


def _check_resumed(
    contract: Contract, trainer: Trainer, experiment: Experiment, states: list[Any], reports: list[Report]
) -> None:
    half = len(reports) // 2
    with TemporaryDirectory() as folder:
        try:
            checkpoint.save(Path(folder), states[half])
            state, _ = checkpoint.load(Path(folder), trainer.state_type())
        except VynapseError as error:
            contract.require(
                False, "a checkpoint holds the state whole: arrays, plain values, containers, dataclasses", f"{error}"
            )
            raise
    differs = difference(states[half], state, "state")
    contract.require(not differs, "a state comes back from a checkpoint as it was", differs)
    _check_fits(contract, trainer, experiment, state)
    for step in range(half, len(reports)):
        state, report = trainer.step(experiment, state)
        differs = difference(reports[step], report, "report") or difference(states[step + 1], state, "state")
        contract.require(
            not differs,
            f"a run resumed after step {half} goes on to the same bits",
            f"at step {step + 1} it differs in {differs}",
        )


def _check_fits(contract: Contract, trainer: Trainer, experiment: Experiment, state: Any) -> None:
    def fits(experiment: Experiment, state: Any) -> list[tuple[str, str]]:
        return list(trainer.fits(experiment, state))

    problems = contract.call(fits, experiment, state, given="the states of a run with the same recipe")
    contract.require(
        not problems,
        "fits yields nothing for a state that the trainer made itself, before and after steps",
        f"{problems}",
    )


def _check_champion(contract: Contract, trainer: Trainer, experiment: Experiment, state: Any, given: str) -> None:
    solution = contract.call(trainer.champion, experiment, state, given=given)
    _check_solution(contract, "champion", solution)
    # the experiment is a fresh one: it makes its evaluation when it is first asked for it
    contract.require(
        "evaluation" not in vars(experiment),
        "champion evaluates nothing: it is asked for where there is no time to (a `best` that evaluates is not one)",
        f"it used the experiment's evaluation, given {given}",
    )


def _check_solution(contract: Contract, name: str, solution: Any) -> None:
    contract.require(isinstance(solution, Solution), f"{name} returns a Solution", type(solution).__name__)
    contract.require(
        solution.genes is not None or solution.networks is not None,
        f"the solution that {name} returns has genes, networks, or both",
        "neither",
    )
    genes, networks = solution.genes, solution.networks
    count = len(genes) if genes is not None else len(next(iter(networks.arrays.values())))
    contract.require(
        count == 1, f"the solution that {name} returns is one individual: genes [1], networks [1]", f"{count}"
    )
    contract.require(
        solution.fitness is None or isinstance(solution.fitness, float),
        f"the fitness of the solution that {name} returns is a float or None",
        f"{solution.fitness!r}",
    )
