# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is done to the code besides writing it: `uv run nox` checks everything, `uv run nox -l` lists the sessions.

Sessions run in the environment that nox itself runs in, which `uv run` has brought up to date: building another for
each would only repeat it. `uv run --python 3.13 nox` takes another interpreter for all of them.
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests", "slow", "docs"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, and who imports whom."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, and measure how much of the kernel they reach; or run those given after `--`."""
    session.run("pytest", *(session.posargs or ["-n", "auto", "--cov", "--cov-report=term:skip-covered"]))


@nox.session
def slow(session: nox.Session) -> None:
    """Run the convergence trials over many seeds."""
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Write the generated pages anew and build the site; after `--`, `--check` compares them instead of writing."""
    session.run("python", "docs/generate.py", *session.posargs)
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def serve(session: nox.Session) -> None:
    """Serve the site on this machine, rebuilt as its pages change."""
    session.run("mkdocs", "serve", *session.posargs)


@nox.session
def picture(session: nox.Session) -> None:
    """Draw the README's picture of a run anew."""
    session.run("python", "docs/picture.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the devices and trainers on this machine."""
    session.run("vynapse", "bench", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the first example."""
    session.run("vynapse", "run", "examples/xor.toml", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the distributions, the kernel's and every plugin's, into dist/."""
    shutil.rmtree("dist", ignore_errors=True)
    for project in [Path(), *sorted(Path("plugins").iterdir())]:
        if (project / "pyproject.toml").exists():
            session.run("python", "-m", "build", "--no-isolation", "--outdir", "dist", str(project))


@nox.session
def pins(session: nox.Session) -> None:
    """Pin the newest versions that fit together, in pyproject.toml."""
    project = Path("pyproject.toml")
    before = project.read_text(encoding="utf-8")
    project.write_text(_pinned(before, []), encoding="utf-8")
    try:
        session.run(os.environ.get("UV", "uv"), "lock", "--upgrade", external=True)
        packages = tomllib.loads(Path("uv.lock").read_text(encoding="utf-8"))["package"]
        versions = [
            f"{package['name']}=={package['version']}" for package in packages if "registry" in package["source"]
        ]
        project.write_text(_pinned(before, versions), encoding="utf-8")
    except BaseException:
        project.write_text(before, encoding="utf-8")
        raise


def _pinned(text: str, versions: list[str]) -> str:
    block = "".join(f'    "{version}",\n' for version in sorted(versions, key=lambda pin: pin.split("==")))
    return re.sub(r"(?<=^constraint-dependencies = \[\n)[^\]]*", block, text, count=1, flags=re.MULTILINE)
