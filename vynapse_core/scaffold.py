# SPDX-License-Identifier: MIT OR Apache-2.0
"""`vynapse new`: a plugin package or a recipe to start from, written from the templates beside this module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

from vynapse_core import __version__
from vynapse_core.catalogue import offers
from vynapse_core.errors import ArgumentError

PREFIX = "vynapse-"
LONGEST = 60
"""Characters of the longest name of a plugin: file systems allow 255, and the name stands in several."""

PLUGIN: Mapping[str, str] = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "hill.toml": "hill.toml",
    "src/$module/__init__.py": "init.py",
    "src/$module/py.typed": "py.typed",
    "src/$module/plugin.py": "plugin.py",
    "src/$module/mutation.py": "mutation.py",
    "src/$module/task.py": "task.py",
    "tests/test_$module.py": "test.py",
}
"""Files of a plugin and the templates that they are made of."""


def new_plugin(name: str, folder: Path) -> list[Path]:
    """Write the package of a plugin into a new folder below `folder`; return its files.

    `my-operators` and `vynapse-my-operators` both give the distribution `vynapse-my-operators` with the module
    `vynapse_my_operators`. Raises ArgumentError for a name that is not valid, and for a folder that exists: nothing is
    overwritten.
    """
    short = _plugin_name(name)
    package = PREFIX + short
    names = {"name": short, "package": package, "module": package.replace("-", "_"), "versions": _versions()}
    texts = {_filled(path, names): _text(f"plugin/{template}", names) for path, template in PLUGIN.items()}
    root = folder / package
    try:
        root.mkdir(parents=True)
        return [_written(root / path, text) for path, text in texts.items()]
    except FileExistsError:
        raise ArgumentError(f"{root} exists, and nothing is overwritten; choose another name or folder") from None
    except OSError as error:
        raise ArgumentError(f"{root} cannot be written: {error.strerror or error}") from None


def new_recipe(path: Path) -> Path:
    """Write a commented recipe, which runs as it is, to `path`; return it, `.toml` added where it had no suffix.

    Raises ArgumentError for a name that is not valid, and for a file that exists: nothing is overwritten.
    """
    path = path if path.suffix else path.with_name(f"{path.name}.toml")
    if path.suffix != ".toml" or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path.stem):
        raise ArgumentError(
            f"recipe name {path.name!r}: expected letters, digits, '.', '_' and '-', beginning with a letter or digit, "
            "and the suffix .toml, such as xor.toml"
        )
    try:
        return _written(path, _text("recipe.toml", {"name": path.stem, "file": path.name}))
    except FileExistsError:
        raise ArgumentError(f"{path} exists, and nothing is overwritten; choose another name") from None
    except OSError as error:
        raise ArgumentError(f"{path} cannot be written: {error.strerror or error}") from None


def _plugin_name(name: str) -> str:
    short = name.removeprefix(PREFIX)
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", short) or len(short) > LONGEST:
        raise ArgumentError(
            f"plugin name {name!r}: expected lower-case letters, digits and single '-', beginning with a letter, "
            f"at most {LONGEST} characters, such as my-operators"
        )
    own = {package for names in offers().values() for package in names.values()}
    if short in ("core", "vynapse") or PREFIX + short in own:
        raise ArgumentError(f"plugin name {name!r}: {PREFIX}{short} is a part of Vynapse itself; choose another name")
    return short


def _versions() -> str:
    """Return the versions of the kernel that a plugin written today fits: up to the next that may break it."""
    major, minor = map(int, __version__.split(".")[:2])
    return f">={major}.{minor},<{major}.{minor + 1}" if major == 0 else f">={major}.{minor},<{major + 1}"


def _text(template: str, names: Mapping[str, str]) -> str:
    source = resources.files("vynapse_core") / "templates" / f"{template}.txt"
    return _filled(source.read_text(encoding="utf-8"), names)


def _filled(text: str, names: Mapping[str, str]) -> str:
    return Template(text).substitute(names)


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return path
