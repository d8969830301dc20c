# SPDX-License-Identifier: MIT OR Apache-2.0
"""ElementwiseTask: an environment as functions of numbers, which step arrays and become graphs alike."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vynapse_core.contracts.task import EpisodicTask
from vynapse_core.population import Array
from vynapse_core.streams import Stream


class ElementwiseTask(EpisodicTask):
    """An episodic task whose state is a few numbers, and whose step is arithmetic on them.

    `advance` and `observe` are functions of arithmetic, comparisons and NumPy's element-wise functions: given arrays
    [n] they step n environments at once. A device that repeats programs by itself calls them once with stand-ins for
    numbers, and what they do becomes one graph with the policy (`vynapse_core.rollouts`); there is no second
    description of the task.

    So that they can be traced, they return new numbers and write into none (`x = x + y`, not `x += y`), call NumPy's
    functions of single numbers, `np.where` and `np.clip` only (`vynapse_core.tracing` lists them), and no branch and no
    number of turns of a loop depends on a value. Tuples have a length that the class and its fields settle. The state
    is float32; the arithmetic may be wider, and is rounded after each step. An environment may be stepped on after its
    end, and must stay quiet then.
    """

    @property
    @abstractmethod
    def components(self) -> tuple[str, ...]:
        """Names of the numbers that make up the state, in order."""

    @property
    def parameters(self) -> tuple[float, ...]:
        """What `advance` and `observe` need to know of this task's fields, as numbers."""
        return ()

    @abstractmethod
    def start(self, n: int, rng: Stream) -> tuple[Array, ...]:
        """Return the components, each float32 [n], of n start states."""

    @property
    @abstractmethod
    def advance(self) -> Callable[[Any, Any, Any], tuple[Any, Any, Any]]:
        """The function (parameters, state, outputs) -> (state, reward, ended); all but the last two are tuples."""

    @property
    @abstractmethod
    def observe(self) -> Callable[[Any, Any], Any]:
        """The function (parameters, state) -> what the network sees; all three are tuples of numbers."""

    def reset(self, n: int, rng: Stream) -> tuple[Mapping[str, Array], Array]:
        """Return the state and the observations float32 [n, k] of n environments at their start."""
        state = self.start(n, rng)
        return dict(zip(self.components, state, strict=True)), self._seen(state)

    def step(self, state: Mapping[str, Array], outputs: Array) -> tuple[Mapping[str, Array], Array, Array, Array]:
        """Return state, observations [n, k], rewards [n] and ends [n] after the networks' `outputs` [n, m]."""
        before = tuple(state[name] for name in self.components)
        found, reward, ended = self.advance(self.parameters, before, tuple(outputs.T))
        pairs = zip(found, before, strict=True)
        after = tuple(np.broadcast_to(new, old.shape).astype(old.dtype, copy=False) for new, old in pairs)
        n = len(outputs)
        rewards = np.broadcast_to(np.asarray(reward, np.float32), n)
        ends = np.broadcast_to(np.asarray(ended, bool), n)
        return dict(zip(self.components, after, strict=True)), self._seen(after), rewards, ends

    def _seen(self, state: tuple[Array, ...]) -> Array:
        return np.stack(self.observe(self.parameters, state), axis=1).astype(np.float32, copy=False)
