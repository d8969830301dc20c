# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compiled code on disk: made once, made again when damaged, done without where nothing can be kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vynapse_numba import cache


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VYNAPSE_CACHE", str(tmp_path))
    return tmp_path / "kernels"


def counted(content: bytes = b"code") -> tuple[Callable[[], bytes], list[bytes]]:
    made: list[bytes] = []

    def make() -> bytes:
        made.append(content)
        return content

    return make, made


def test_what_was_made_once_is_not_made_again(folder: Path) -> None:
    make, made = counted()
    assert [cache.kept("lanes", ("text",), make) for _ in range(3)] == [b"code"] * 3
    assert len(made) == 1
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("other", [("lanes", ("text", "cpu")), ("tiles", ("text",)), ("lanes", ("texts",))])
def test_another_source_processor_or_kind_is_made_for_itself(other: tuple[str, tuple[str, ...]]) -> None:
    make, made = counted()
    cache.kept("lanes", ("text",), make)
    cache.kept(*other, make)
    assert len(made) == 2


def test_another_version_of_the_compiler_makes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    make, made = counted()
    cache.kept("lanes", ("text",), make)
    monkeypatch.setattr(cache, "_versions", lambda: ("llvmlite 0",))
    cache.kept("lanes", ("text",), make)
    assert len(made) == 2


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:50] + b"x" + b[51:], lambda b: b + b"x"]
)
def test_a_damaged_file_is_ignored_and_written_again(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    make, made = counted(b"c" * 100)
    cache.kept("lanes", ("text",), make)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert cache.kept("lanes", ("text",), make) == b"c" * 100
    assert len(made) == 2
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VYNAPSE_CACHE", str(tmp_path / "file"))
    make, made = counted()
    assert cache.kept("lanes", ("text",), make) == b"code"
    assert cache.kept("lanes", ("text",), make) == b"code"
    assert len(made) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="files there have no such mode")
def test_a_file_that_others_may_write_is_not_trusted(folder: Path) -> None:
    make, made = counted()
    cache.kept("lanes", ("text",), make)
    (file,) = folder.iterdir()
    file.chmod(0o666)
    cache.kept("lanes", ("text",), make)
    assert len(made) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the XDG folders are Linux's")
def test_the_folder_is_the_users_cache_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VYNAPSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "vynapse" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder() == Path.home() / ".cache" / "vynapse" / "kernels"


def test_writers_leave_no_unfinished_files(folder: Path) -> None:
    make, _ = counted()
    cache.kept("lanes", ("text",), make)
    assert [file.name for file in folder.iterdir() if file.name.startswith(".")] == []


def test_what_is_kept_is_described_by_kind_size_and_folder(folder: Path) -> None:
    assert cache.described() == f"none yet in {folder}"
    for kind, source in (("lanes", "a"), ("tiles", "b"), ("tiles", "c")):
        cache.kept(kind, (source,), lambda: bytes(400_000))
    (folder / ".unfinished").write_bytes(bytes(10**6))
    assert cache.described() == f"lanes 1, tiles 2, 1.2 MB in {folder}"


def test_a_user_without_a_home_folder_is_told_that_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "folder", homeless)
    assert cache.described() == "none is kept, as there is no home folder"


def homeless() -> Path:
    raise RuntimeError("Could not determine home directory.")
