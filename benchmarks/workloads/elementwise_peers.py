# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workload `elementwise`. NumPy goes through memory once, in blocks, into an array that is kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from sides import AbsentError

Call = Callable[[], Any]
BLOCK = 1 << 14
"""Elements of a block: two of them stay in the first cache."""


def _numpy_tanh(x: Any, out: Any) -> None:
    np.tanh(x, out=out)


def _numpy_exp(x: Any, out: Any) -> None:
    np.exp(x, out=out)


def _numpy_sigmoid(x: Any, out: Any) -> None:
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.reciprocal(out, out=out)


def _numpy_gelu(x: Any, out: Any) -> None:
    from scipy.special import erf

    np.multiply(x, np.float32(0.5**0.5), out=out)
    erf(out, out=out)
    np.add(out, 1, out=out)
    np.multiply(out, x, out=out)
    np.multiply(out, np.float32(0.5), out=out)


def _blocks(function: Callable[[Any, Any], None], block: int = BLOCK) -> Callable[[Any, int], Call]:
    def make(x: Any, threads: int) -> Call:
        flat, out = x.reshape(-1), np.empty_like(x)
        target = out.reshape(-1)
        pool = ThreadPoolExecutor(threads)
        borders = np.linspace(0, flat.size, threads + 1).astype(int).tolist()

        def share(number: int) -> None:
            for start in range(borders[number], borders[number + 1], block):
                end = min(start + block, borders[number + 1])
                function(flat[start:end], target[start:end])

        def call() -> Any:
            list(pool.map(share, range(threads)))
            return out

        function(flat[:1], target[:1])
        return call

    return make


def _numpy_new(function: Callable[[Any], Any]) -> Callable[[Any, int], Call]:
    def make(x: Any, threads: int) -> Call:
        return lambda: function(x)

    return make


def _torch(name: str) -> Callable[[Any, int], Call]:
    def make(x: Any, threads: int) -> Call:
        import torch

        tensor = torch.from_numpy(x)
        function = torch.nn.functional.gelu if name == "gelu" else getattr(torch, name)

        def call() -> Any:
            before = torch.get_num_threads()
            torch.set_num_threads(threads)
            with torch.inference_mode():
                found = function(tensor).numpy()
            torch.set_num_threads(before)
            return found

        return call

    return make


def _jax(name: str) -> Callable[[Any, int], Call]:
    def make(x: Any, threads: int) -> Call:
        import jax
        from jax import numpy as jnp

        if threads == 1:
            raise AbsentError("the number of its threads can be set only for the whole process")
        functions = {"gelu": lambda x: jax.nn.gelu(x, approximate=False), "sigmoid": jax.nn.sigmoid}
        compiled, array = jax.jit(functions.get(name) or getattr(jnp, name)), jnp.asarray(x)
        return lambda: np.asarray(compiled(array))

    return make


_IN_BLOCKS = {"tanh": _numpy_tanh, "exp": _numpy_exp, "sigmoid": _numpy_sigmoid, "gelu": _numpy_gelu}
PEERS: dict[str, dict[str, Callable[[Any, int], Call]]] = {
    "NumPy": {name: _blocks(function) for name, function in _IN_BLOCKS.items()},
    "NumPy, new results each call": {"tanh": _numpy_new(np.tanh), "exp": _numpy_new(np.exp)},
    "PyTorch": {name: _torch(name) for name in _IN_BLOCKS},
    "JAX": {name: _jax(name) for name in _IN_BLOCKS},
    "memory": {"copy": _blocks(lambda x, out: np.copyto(out, x), block=1 << 24)},
}
"""Makers by peer and function."""
