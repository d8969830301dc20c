# SPDX-License-Identifier: MIT OR Apache-2.0
"""Draw `docs/images/run.svg`, the README's picture of a run, from real runs and with commands that any user has."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "run.svg"
RUN = ("run", str(ROOT / "examples" / "xor.toml"), "--seeds", "10", "--quiet")
WITHOUT = ("--set", 'trainer.crossover="none"', "--set", 'experiment.name="xor-without-crossover"')


def draw(picture: Path) -> None:
    """Run the example for ten seeds, with and without crossover, and plot both."""
    picture.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            RUN,
            (*RUN, *WITHOUT),
            ("compare", "runs", "--plot", str(picture), "--x", "evaluations", "--log"),
        ):
            subprocess.run(["vynapse", *command], cwd=folder, check=True)


if __name__ == "__main__":
    draw(PICTURE)
