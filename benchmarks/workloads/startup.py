# SPDX-License-Identifier: MIT OR Apache-2.0
"""Start-up: from the command to the result, in a process of its own, with and without what earlier runs left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sides import OURS, Contest, Options, Side

RECIPE = Path(__file__).parents[2] / "examples" / "xor.toml"
FIRST, SECOND = f"{OURS}, first time ever, to the result", f"{OURS}, second time, to the first generation"


def contests(name: str, options: Options) -> Iterator[Contest]:
    """Yield the one contest."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        commands = {
            FIRST: _run(root, cold=True),
            f"{OURS}, second time, to the result": _run(root),
            SECOND: _run(root, "--set", "stop.steps=1"),
            "Python alone": _python("pass"),
            "Python and NumPy": _python("import numpy"),
        }
        yield Contest(
            f"Start-up of examples/{RECIPE.name}",
            [Side(name, command) for name, command in commands.items()],
            unit="ms",
            limits={FIRST: 8.0, SECOND: 1.5},
            notes=(
                "whole processes; the first time, neither compiled kernels nor Python's bytecode are in the caches",
                "the device is the one that a recipe gets which names none",
            ),
        )


def _run(root: Path, *more: str, cold: bool = False) -> Callable[[], None]:
    numbers = iter(range(10**9))

    def call() -> None:
        number = next(numbers)
        with TemporaryDirectory(dir=root) as fresh:
            command = [sys.executable, "-m", "vynapse_core.cli", "run", str(RECIPE), "--quiet"]
            cache = Path(fresh) if cold else root / "kept"
            _finish([*command, "--out", str(Path(fresh) / f"run-{number}"), *more], cache)

    return call


def _python(code: str) -> Callable[[], None]:
    return lambda: _finish([sys.executable, "-c", code], None)


def _finish(command: list[str], cache: Path | None) -> None:
    # a user's Python keeps the bytecode that it compiles
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if cache is not None:
        kernels, bytecode = str(cache / "kernels"), str(cache / "bytecode")
        environment |= {"VYNAPSE_CACHE": kernels, "NUMBA_CACHE_DIR": kernels, "PYTHONPYCACHEPREFIX": bytecode}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
