# SPDX-License-Identifier: MIT OR Apache-2.0
"""The house around the code: licences, what each distribution holds, and lists that must name every plugin."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))
SPDX = "# SPDX-License-Identifier: MIT OR Apache-2.0\n"


def kept_files() -> list[Path]:
    """Return the repository's files, those not yet added included, without what git ignores."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in sorted(set(listed)) if (ROOT / name).is_file()]


def built(folder: Path, project: Path, kind: str) -> Path:
    """Build a distribution of a project and return its file."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(folder), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.iterdir()
    return found


def test_every_python_file_names_its_licence_first() -> None:
    files = [path for path in kept_files() if path.suffix == ".py"]
    assert len(files) > 50
    lacking = [path.relative_to(ROOT).as_posix() for path in files if path.stat().st_size]
    lacking = [name for name in lacking if not (ROOT / name).read_text(encoding="utf-8").startswith(SPDX)]
    assert lacking == []


def test_the_licence_texts_are_the_official_ones() -> None:
    apache = (ROOT / "LICENSE-APACHE").read_bytes().replace(b"\r\n", b"\n")
    assert hashlib.sha256(apache).hexdigest() == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    mit = (ROOT / "LICENSE-MIT").read_text(encoding="utf-8")
    assert "the Vynapse authors" in mit
    assert "The above copyright notice and this permission notice shall be included in all" in mit


def test_no_lock_file_is_kept() -> None:
    assert {"uv.lock", "pylock.toml"}.isdisjoint(path.name for path in kept_files())


def test_nothing_is_unpickled_or_evaluated() -> None:
    found = []
    for path in kept_files():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if {"pickle", "marshal", "shelve", "dill"} & {name.split(".")[0] for name in modules}:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: imports {modules}")
            if called in ("eval", "exec"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: calls {called}")
    assert found == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_stands_in_every_list(plugin: str) -> None:
    module, tool = plugin.replace("-", "_"), PROJECT["tool"]
    extras = PROJECT["project"]["optional-dependencies"]
    short = plugin.removeprefix("vynapse-")
    contracts = {contract["name"]: contract for contract in tool["importlinter"]["contracts"]}
    places = {
        "an extra of its own": any(Requirement(need).name == plugin for need in extras.get(short, [])),
        "the extra 'all'": short in Requirement(extras["all"][0]).extras,
        "[tool.uv.sources]": plugin in tool["uv"]["sources"],
        "[tool.mypy] packages": module in tool["mypy"]["packages"],
        "[tool.mypy] mypy_path": f"plugins/{plugin}/src" in tool["mypy"]["mypy_path"],
        "[tool.importlinter] root_packages": module in tool["importlinter"]["root_packages"],
        "contract: no plugin in the kernel": module in contracts["The kernel imports no plugin"]["forbidden_modules"],
        "contract: plugins apart": module in contracts["Plugins meet in recipes, not in imports"]["modules"],
        "contract: public names": module
        in contracts["A plugin uses the kernel's public names, not its modules"]["source_modules"],
    }
    assert [place for place, holds in places.items() if not holds] == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_is_laid_out_like_the_others(plugin: str) -> None:
    folder, module = ROOT / "plugins" / plugin, plugin.replace("-", "_")
    project = tomli.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == plugin
    assert project["version"] == PROJECT["project"]["version"]
    assert project["license"] == PROJECT["project"]["license"]
    assert list(project["entry-points"]["vynapse"].values()) == [f"{module}.plugin"]
    assert len((folder / "README.md").read_text(encoding="utf-8")) > 200
    assert (folder / "src" / module / "py.typed").exists()


def test_the_version_is_the_same_everywhere() -> None:
    from vynapse_core import __version__

    version = PROJECT["project"]["version"]
    assert __version__ == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def needed(need: Requirement, seen: set[str]) -> set[str]:
    """Return the names of what a requirement installs here, itself included; `seen` is what has been followed."""
    if str(need) in seen:
        return set()
    seen.add(str(need))
    names = {canonicalize_name(need.name)}
    for line in metadata.requires(need.name) or ():
        inner = Requirement(line)
        if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in ("", *need.extras)):
            names |= needed(inner, seen)
    return names


def test_every_dependency_is_pinned() -> None:
    pinned = {canonicalize_name(Requirement(pin).name) for pin in PROJECT["tool"]["uv"]["constraint-dependencies"]}
    groups = PROJECT["dependency-groups"].values()
    seen: set[str] = set()
    names = {
        name for group in groups for need in group if isinstance(need, str) for name in needed(Requirement(need), seen)
    }
    assert len(names) > 40
    own = {name for name in names if name.startswith("vynapse")}
    assert sorted(names - own - pinned) == [], "`uv run nox -s pins` pins them"


def test_the_kernel_is_whole_in_its_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(built(tmp_path, ROOT, "wheel")) as wheel:
        held = set(wheel.namelist())
    kept = {path.relative_to(ROOT).as_posix() for path in kept_files()}
    assert {name for name in kept if name.startswith("vynapse_core/")} == {n for n in held if ".dist-info/" not in n}
    assert {name.rpartition("/")[2] for name in held} >= {"LICENSE-MIT", "LICENSE-APACHE", "entry_points.txt"}


def test_a_wheel_can_be_built_of_the_source_distribution(tmp_path: Path) -> None:
    archive = built(tmp_path / "sdist", ROOT, "sdist")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    (project,) = (path for path in tmp_path.iterdir() if path.name != "sdist")
    assert built(tmp_path / "wheel", project, "wheel").suffix == ".whl"


def test_continuous_integration_runs_what_the_readme_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ pip install uv && uv run (nox .*)$", readme, re.MULTILINE)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.rstrip().endswith(f"run {command}")


def test_workflows_name_sessions_that_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    texts.append((ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    named = {name for text in texts for line in re.findall(r"nox -s ([\w ]+)", text) for name in line.split()}
    assert len(named) > 3
    command = [sys.executable, "-m", "nox", "--list", "-s", *sorted(named)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
