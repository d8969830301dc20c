# SPDX-License-Identifier: MIT OR Apache-2.0
"""Every code block of the documentation is run, and every generated page is compared.

A page is one story: its blocks are run in order, in one folder.

- `toml` and `json`: a recipe, or a part of one, which is completed from the example below, wired and run for two steps.
  Where the block has a title it is also written to the file of that name, and what is no recipe is only parsed.
  The components of a reference page, which stand out of their context, are only built.
- `python`: run as a program; where it has a title, only written to that file, for what follows to use.
- `console`: each line that begins with `$ ` is run; what stands below is what it prints, `...` standing for anything.
  `pip install -e FOLDER` puts a wheel built of that folder on the path, no network needed.
- `text` is not code.

A comment right before a block says what is special: `<!-- not run: why -->`, or `<!-- exit code 2 -->` where that is
what should come out.
"""

from __future__ import annotations

import ast
import doctest
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tomli

from vynapse_core.catalogue import KINDS, installed
from vynapse_core.errors import RecipeError
from vynapse_core.experiment import wire
from vynapse_core.folder import Folder
from vynapse_core.recipe import Recipe, build
from vynapse_core.reference import CONTRACTS
from vynapse_core.run import run_experiment
from vynapse_core.source import Source

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "plugins/*/README.md", "examples/plugins/*/README.md")
    for page in ROOT.glob(pattern)
)
FENCE = re.compile(r"^(?P<fence>```+)(?P<language>[\w-]*)(?: title=\"(?P<title>[^\"]+)\")?\s*$")
MARKER = re.compile(r"^<!-- (?:not run: (?P<reason>.{10,})|exit code (?P<code>\d+)) -->$")
EXAMPLE: dict[str, Any] = {"task": {"type": "xor"}, "trainer": {"type": "evolution", "population": 10}}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    line: int
    language: str
    title: str | None
    text: str
    reason: str | None = None
    code: int = 0


@dataclass
class Story:
    """The folder in which the blocks of a page are run, and what programs find there."""

    folder: Path
    reference: bool = False
    packages: list[Path] = field(default_factory=list)

    def program(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder, with the packages installed so far on its path."""
        scripts = Path(sys.executable).parent
        search = os.pathsep.join([str(scripts), os.environ.get("PATH", "")])
        known = {"python": sys.executable, "pytest": shutil.which("pytest", path=search)}
        found = known.get(command[0]) or shutil.which(command[0], path=search)
        assert found, f"no program {command[0]!r}"
        environment = os.environ | {
            "PATH": search,
            "PYTHONPATH": os.pathsep.join(map(str, self.packages)),
            "COLUMNS": "100",
            "PYTHONUTF8": "1",
        }
        return subprocess.run(
            [found, *command[1:]],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    def install(self, folder: str) -> None:
        """Put a wheel of the project in `folder` on the path."""
        site = self.folder / f".site-{len(self.packages)}"
        built = self.program("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(site), folder)
        assert built.returncode == 0, built.stdout
        for wheel in site.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
        self.packages.append(site)


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page; one that is indented or never closed is an error."""
    found: list[Block] = []
    marker: re.Match[str] | None = None
    opened: re.Match[str] | None = None
    start, text = 0, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if opened is not None:
            if line == opened["fence"]:
                reason, code = (marker["reason"], int(marker["code"] or 0)) if marker else (None, 0)
                found.append(Block(start, opened["language"], opened["title"], "\n".join(text) + "\n", reason, code))
                opened, marker = None, None
            else:
                text.append(line)
            continue
        opened = FENCE.match(line)
        assert opened or not line.lstrip().startswith("```"), f"{page}:{number}: a fence that is not understood: {line}"
        start, text = number, []
        if opened is None and line:
            marker = MARKER.match(line)
    assert opened is None, f"{page}:{start}: the block is never closed"
    return found


def run_block(block: Block, story: Story) -> None:
    """Run one block by its language's rule."""
    assert block.language in ("python", "toml", "json", "console", "text"), f"no rule for {block.language!r}"
    if block.reason is not None or block.language == "text":
        return
    if block.title is not None:
        path = story.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    if block.language == "console":
        for command, expected in commands_of(block.text):
            run_command(command, expected, block.code, story)
    elif block.language == "python":
        ast.parse(block.text)
        if block.title is None:
            program = story.folder / f"block_{block.line}.py"
            program.write_text(block.text, encoding="utf-8")
            done = story.program("python", program.name)
            assert done.returncode == block.code, done.stdout
    else:
        tree = tomli.loads(block.text) if block.language == "toml" else json.loads(block.text)
        if story.reference:
            build_parts(tree)
        elif not tree.keys() <= {*Recipe.model_fields, "mode"}:
            assert block.title, f"no recipe: {', '.join(tree)}"
        elif block.code:
            with pytest.raises(RecipeError):
                build(Source(completed(tree)))
        else:
            run_recipe(tree, story, block.line)


def build_parts(tree: dict[str, Any]) -> None:
    """Build the components of a reference page, which stand out of their context: `kind = { type = ... }`."""
    for key, value in tree.items():
        kind, tables = ("observer", value) if key == "observers" else (key, [value])
        for table in tables:
            installed().build(CONTRACTS[kind], {"type": table} if isinstance(table, str) else table)


def run_recipe(tree: dict[str, Any], story: Story, line: int) -> None:
    """Run a recipe, or a part of one, for two steps; each of its modes as well.

    What a page's own packages offer is known in new processes only, not in this one.
    """
    modes = tree.pop("mode", {})
    for name, mode in [("", {}), *modes.items()]:
        whole = completed(tree | mode)
        whole["stop"] = whole.get("stop", {}) | {"steps": 2}
        folder = story.folder / f".recipe-{line}{name}"
        if story.packages:
            recipe = folder.with_suffix(".json")
            recipe.write_text(json.dumps(whole), encoding="utf-8")
            done = story.program("vynapse", "run", str(recipe), "--out", str(folder))
            assert done.returncode == 0, done.stdout
        else:
            folder.mkdir()
            source = Source(whole)
            experiment = wire(build(source), source=source)
            assert run_experiment(experiment, Folder(folder)).status == "finished"


def completed(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a recipe with what it lacks taken from the example."""
    trainer = EXAMPLE["trainer"] | tree.get("trainer", {})
    return EXAMPLE | tree | {"trainer": tree["trainer"] if "type" in tree.get("trainer", {}) else trainer}


def commands_of(text: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with what it should print."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not parts[0], "a console block begins with a command: '$ ...'"
    return [(command, expected) for command, _, expected in (part.partition("\n") for part in parts[1:])]


def run_command(line: str, expected: str, code: int, story: Story) -> None:
    """Run a line of a console block and compare what it prints, where the page shows it."""
    words = shlex.split(line, comments=True)
    if words[:3] == ["pip", "install", "-e"]:
        story.install(words[3])
        return
    done = story.program(*words)
    assert done.returncode == code, f"$ {line}\n{done.stdout}"
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if expected.strip() and not doctest.OutputChecker().check_output(expected.strip(), done.stdout.strip(), options):
        pytest.fail(f"$ {line}\nexpected:\n{expected}\nprinted:\n{done.stdout}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_code_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    story = Story(tmp_path, reference=page.parent.name == "components")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    for block in blocks_of(page):
        try:
            run_block(block, story)
        except Exception as error:
            raise AssertionError(f"{page.relative_to(ROOT)}:{block.line}: {error}") from error


def test_generated_pages_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_site_has_a_page_for_every_kind() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"components/{kind}.md" not in navigation] == []


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "decisions" / "index.md").read_text(encoding="utf-8")
    pages = [page.name for page in (ROOT / "docs" / "decisions").glob("0*.md")]
    assert [name for name in pages if f"({name})" not in listed] == []


def test_a_block_that_cannot_run_says_why(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: it would never end -->\n```console\n$ yes\n```\n", encoding="utf-8")
    assert blocks_of(page)[0].reason == "it would never end"


def test_a_block_in_a_list_is_refused_as_it_would_be_skipped(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("- item\n\n  ```console\n  $ false\n  ```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="not understood"):
        blocks_of(page)


def test_a_command_that_prints_something_else_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="expected"):
        run_command("python -c \"print('sour')\"", "sweet\n", 0, Story(tmp_path))
