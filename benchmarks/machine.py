# SPDX-License-Identifier: MIT OR Apache-2.0
"""The machine: processor, libraries, settings and load, without which a figure means nothing."""

from __future__ import annotations

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

PACKAGES = (
    *("vynapse", "vynapse-evolution", "vynapse-tasks", "vynapse-numba", "numpy", "numba", "scipy", "jax", "torch"),
    *("evosax", "evotorch", "deap", "pygad", "pymoo", "neat-python", "gymnasium"),
)
SETTINGS = (
    *("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER", "XLA_FLAGS"),
)
PRODUCT = 2048
"""Rows and columns of the product that measures the peak."""


def described() -> dict[str, Any]:
    """Return processor, cores, versions, settings, and what BLAS has loaded."""
    return {
        "processor": processor(),
        "system": _system(),
        "cores": cores(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "settings": {name: os.environ.get(name) for name in SETTINGS},
        "blas": [
            {key: pool.get(key) for key in ("prefix", "version", "architecture", "num_threads", "threading_layer")}
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        ],
    }


def _system() -> str:
    """Return the system's name and version; a build's own name says nothing that a figure depends on."""
    release = ".".join(platform.release().split(".")[:2])
    library = " ".join(platform.libc_ver()).strip()
    return f"{platform.system()} {release}" + (f", {library}" if library else "")


def load() -> float | None:
    """Return the load average of the last minute, where the system tells."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def peak(seconds: float) -> dict[str, float]:
    """Return the GFLOP/s of the fastest large float32 product, on one thread and on all: what can be had at most.

    The libraries take turns and the best call counts, since a ceiling is not a typical value.
    """
    products = (("NumPy", "numpy", _numpy), ("PyTorch", "torch", _torch), ("JAX", "jax", _jax))
    found: dict[str, float] = {}
    for name, _, product in (one for one in products if util.find_spec(one[1])):
        for threads in sorted({1, cores()}):
            if (call := product(threads)) is not None:
                with threadpool_limits(1, "blas"):
                    found[f"{name}, {threads} thread{'s' * (threads > 1)}"] = _best(call, max(seconds, 0.5)) / 1e9
    return found


def _best(call: Any, seconds: float) -> float:
    call()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        operations = call()
        best = min(best, (time.perf_counter() - began) / operations)
    return 1 / best


def _square() -> Any:
    return np.random.default_rng(0).standard_normal((PRODUCT, PRODUCT)).astype(np.float32)


def _numpy(threads: int) -> Any:
    # a product a thread, each of one BLAS thread, waits for nobody
    a, results = _square(), [np.empty((PRODUCT, PRODUCT), np.float32) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def call() -> float:
        list(pool.map(lambda out: np.matmul(a, a, out=out), results))
        return 2.0 * PRODUCT**3 * threads

    return call


def _torch(threads: int) -> Any:
    import torch

    a = torch.from_numpy(_square())
    out = torch.empty_like(a)

    def call() -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        torch.mm(a, a, out=out)
        torch.set_num_threads(before)
        return 2.0 * PRODUCT**3

    return call


def _jax(threads: int) -> Any:
    # JAX has no setting for its threads but that of the process
    if threads != cores():
        return None
    import jax

    a = jax.numpy.asarray(_square())
    product = jax.jit(lambda a: a @ a)

    def call() -> float:
        product(a).block_until_ready()
        return 2.0 * PRODUCT**3

    return call


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
