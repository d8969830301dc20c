# SPDX-License-Identifier: MIT OR Apache-2.0
"""How the threshold of compatibility is steered towards a wanted number of species.

A greater threshold means fewer species, but how many depends on the genomes, and these change. Each controller looks at
the number of species and moves the threshold; it says why. What it remembers is a state of plain numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from pydantic import Field

from vynapse_core import Settings

ARMS = ("step", "pid", "hill climbing")
"""What the bandit chooses from."""


@dataclass(frozen=True)
class Memory:
    """What controllers remember; each uses what it needs, and the bandit's arms share it."""

    error: float = 0.0
    """PID: the error of the step before."""
    error_before: float = 0.0
    """PID: the error of the step before that one."""
    climb: float = 0.0
    """Hill climbing: its last move, as a difference of the threshold's logarithm; 0 before the first."""
    miss: int = -1
    """By how many species the number missed the wanted one in the step before; −1 before the first."""
    arm: int = -1
    """Bandit: which arm moved the threshold last; −1 before the first."""
    success: tuple[float, ...] = (1.0,) * len(ARMS)
    """Bandit: moving average of each arm's success, 0 to 1. All begin at 1, so that all are tried."""


@dataclass(frozen=True)
class Aim:
    """What all controllers are told."""

    wanted: int = 10
    """Wanted number of species, at least 1."""
    lowest: float = 0.3
    """The threshold never falls below this, which is above 0. NEAT C++: 0.3."""

    def __post_init__(self) -> None:
        if self.wanted < 1 or not 0 < self.lowest < math.inf:
            raise ValueError(f"expected wanted >= 1 and a finite lowest > 0, found {self.wanted} and {self.lowest}")


class Controller(Protocol):
    """Moves a threshold."""

    def update(
        self, threshold: float, memory: Memory, species: int, aim: Aim, draw: float
    ) -> tuple[float, Memory, str]:
        """Return the next threshold, the memory, and why, after a step that found so many `species`.

        `draw` is uniform in [0, 1); all but the bandit leave it.
        """
        ...


class Fixed(Settings):
    """Leave the threshold as it is. Stanley & Miikkulainen 2002."""

    rule: Literal["fixed"] = "fixed"
    """Which way of control this is."""

    def update(
        self, threshold: float, memory: Memory, species: int, aim: Aim, draw: float
    ) -> tuple[float, Memory, str]:
        """Return the threshold as it was."""
        return threshold, memory, f"fixed: {species} species"


class Step(Settings):
    """Move by a fixed step. Stanley & Miikkulainen 2004 (JAIR 21), appendix A: ten species wanted, steps of 0.3."""

    rule: Literal["step"] = "step"
    """Which way of control this is."""
    size: float = Field(0.3, gt=0)
    """By how much, above 0."""

    def update(
        self, threshold: float, memory: Memory, species: int, aim: Aim, draw: float
    ) -> tuple[float, Memory, str]:
        """Return the threshold a step up for too many species, a step down for too few."""
        move = math.copysign(self.size, species - aim.wanted) if species != aim.wanted else 0.0
        return _moved("step", threshold, threshold + move, _seen(memory, species, aim), species, aim)


class Pid(Settings):
    """Proportional, integral and derivative control of the threshold's logarithm, in velocity form.

    The error is the logarithm of the number of species over the wanted one. In velocity form (Åström & Hägglund 1995)
    the integral is in the threshold itself, so that it cannot wind up where the threshold is at its bound.
    """

    rule: Literal["pid"] = "pid"
    """Which way of control this is."""
    proportional: float = Field(0.04, ge=0)
    """Gain of the error's change, at least 0."""
    integral: float = Field(0.12, gt=0)
    """Gain of the error, above 0."""
    derivative: float = Field(0.01, ge=0)
    """Gain of the change of the error's change, at least 0."""
    most: float = Field(0.3, gt=0)
    """The threshold's logarithm moves by this at most, above 0."""

    def update(
        self, threshold: float, memory: Memory, species: int, aim: Aim, draw: float
    ) -> tuple[float, Memory, str]:
        """Return the threshold moved by the error, its change, and the change of that."""
        error = _error(species, aim)
        move = self.integral * error
        if memory.miss >= 0:
            move += self.proportional * (error - memory.error)
            move += self.derivative * (error - 2 * memory.error + memory.error_before)
        move = min(max(move, -self.most), self.most)
        # nothing is gained by moving off the number that is wanted
        following = threshold * math.exp(move) if species != aim.wanted else threshold
        return _moved("pid", threshold, following, _seen(memory, species, aim), species, aim)


class HillClimbing(Settings):
    """Go on while it gets better, turn back with half the stride where it gets worse or the summit has been passed.

    What shall fall is the number of species missing or too many. Where a move changed nothing, that says nothing of the
    way, and the climber goes where a threshold has to go: up for fewer species, down for more.
    """

    rule: Literal["hill_climbing"] = "hill_climbing"
    """Which way of control this is."""
    stride: float = Field(0.1, gt=0)
    """First move of the threshold's logarithm, above 0."""
    growth: float = Field(1.3, ge=1)
    """Factor of the stride after a success, at least 1."""
    least: float = Field(0.01, gt=0)
    """Least stride, above 0."""
    most: float = Field(0.5, gt=0)
    """Greatest stride."""

    def update(
        self, threshold: float, memory: Memory, species: int, aim: Aim, draw: float
    ) -> tuple[float, Memory, str]:
        """Return the threshold a stride further, or back."""
        miss = abs(species - aim.wanted)
        needed = math.copysign(1.0, species - aim.wanted)
        if miss == 0:
            climb = 0.0
        elif memory.climb == 0.0 or memory.miss < 0:
            climb = needed * self.stride
        elif miss > memory.miss or memory.error * needed < 0:
            climb = -memory.climb / 2
        elif miss < memory.miss:
            climb = memory.climb * self.growth
        else:
            climb = needed * abs(memory.climb) * self.growth
        climb = math.copysign(min(max(abs(climb), self.least), self.most), climb) if climb else 0.0
        seen = replace(_seen(memory, species, aim), climb=climb)
        return _moved("hill climbing", threshold, threshold * math.exp(climb), seen, species, aim)


class Bandit(Settings):
    """Let the controller that served best move the threshold: ε-greedy on a moving average of each one's success.

    A move succeeds as far as it brings the number of species to the wanted one: 1 where that is reached, 1/2 where
    it is as far off as before. Sutton & Barto 2018, sections 2.4 and 2.5.
    """

    rule: Literal["bandit"] = "bandit"
    """Which way of control this is."""
    exploration: float = Field(0.1, ge=0, le=1)
    """ε: probability of taking any arm, within [0, 1]."""
    rate: float = Field(0.2, gt=0, le=1)
    """Weight of the last success in the average, within (0, 1]."""
    step: Step = Step()
    pid: Pid = Pid()
    hill: HillClimbing = HillClimbing()

    def update(
        self, threshold: float, memory: Memory, species: int, aim: Aim, draw: float
    ) -> tuple[float, Memory, str]:
        """Return what the arm chosen now returns, after the last one's success is known."""
        averages = list(memory.success)
        if memory.arm >= 0:
            miss = abs(species - aim.wanted)
            success = memory.miss / (memory.miss + miss) if miss else 1.0
            averages[memory.arm] += self.rate * (success - averages[memory.arm])
        explores = draw < self.exploration
        # what is left of the draw is uniform again
        arm = int(draw / self.exploration * len(ARMS)) if explores else averages.index(max(averages))
        chosen: tuple[Controller, ...] = (self.step, self.pid, self.hill)
        following, memory, why = chosen[arm].update(threshold, memory, species, aim, draw)
        reason = "at random" if explores else f"success {averages[arm]:.2f}"
        return following, replace(memory, arm=arm, success=tuple(averages)), f"bandit ({reason}): {why}"


def _error(species: int, aim: Aim) -> float:
    return math.log(max(species, 1) / aim.wanted)


def _seen(memory: Memory, species: int, aim: Aim) -> Memory:
    """Return the memory after this number of species."""
    error = _error(species, aim)
    before = memory.error if memory.miss >= 0 else error
    return replace(memory, error=error, error_before=before, miss=abs(species - aim.wanted))


def _moved(
    name: str, threshold: float, following: float, memory: Memory, species: int, aim: Aim
) -> tuple[float, Memory, str]:
    """Return the next threshold within its bounds, and the words for the log."""
    following = min(max(following, aim.lowest), _HIGHEST)
    why = f"{name}: {species} species, {aim.wanted} wanted, {following - threshold:+.2f}"
    return following, memory, why


_HIGHEST = 1e9
