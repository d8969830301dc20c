# SPDX-License-Identifier: MIT OR Apache-2.0
"""A published data set: its files are found where a user keeps them, else downloaded once and verified.

What is downloaded is verified by its content, since copies in circulation differ in how they were packed; a collection
that is known by the digests of its packed files says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vynapse_core import DataError
from vynapse_data.folders import cache_folder, data_folder
from vynapse_data.idx import gunzipped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

BLOCK = 1 << 18
TIMEOUT = 30.0
"""Seconds without an answer after which a mirror counts as silent."""


class Content(NamedTuple):
    """What a file holds once inflated; of a collection that is `packed`, the file with `.gz` as it is."""

    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class Collection:
    """The files of a data set, and where they can be had."""

    name: str
    """Of its folder below `$VYNAPSE_DATA` and in the cache."""
    title: str
    """For messages."""
    files: Mapping[str, Content]
    """By name, without `.gz`."""
    mirrors: tuple[str, ...]
    """Addresses of folders that serve each file as `<name>.gz`, or the archive."""
    packed: bool = False
    """Whether digests are those of the files with `.gz`, which are then kept as they are."""
    archive: str = ""
    """Name of a `.tar.gz` that holds all the files, where they are not served one by one."""


def collection_folder(collection: Collection, path: str | os.PathLike[str] | None = None) -> Path:
    """Return a folder that holds a collection's files, each with or without `.gz`.

    Looks at `path` alone where one is given; else at `$VYNAPSE_DATA/<name>`, then at the cache folder, into which the
    files are downloaded where they are in neither. Raises DataError that says what is missing and where to put it.
    """
    files = collection.files
    if path is not None:
        folder = Path(path).expanduser()
        if absent := missing(folder, files):
            raise DataError(f"{folder}: no {', '.join(absent)} (with or without .gz) in this folder")
        return folder
    given = data_folder(collection.name)
    if given is not None and not missing(given, files):
        return given
    cache = cache_folder(collection.name)
    if not missing(cache, files):
        return cache
    try:
        download(collection, cache)
    except DataError as error:
        named = given or f"$VYNAPSE_DATA/{collection.name} (not set now)"
        raise DataError(
            f"{collection.title} is not on this machine and could not be downloaded.\n{error}\n"
            f"Put {', '.join(files)} (with or without .gz) into one of: the folder that `path` "
            f"of the task names; {named}; {cache}"
        ) from error
    return cache


def missing(folder: Path, files: Mapping[str, Content]) -> list[str]:
    """Return the names of the files that `folder` lacks in either form."""
    return [name for name in files if _found(folder, name) is None]


def file_in(folder: Path, name: str) -> Path:
    """Return the file of that name, with or without `.gz`. Raises DataError where there is neither."""
    file = _found(folder, name)
    if file is None:
        raise DataError(f"{folder}: no {name} (with or without .gz) in this folder")
    return file


def download(collection: Collection, folder: Path, *, timeout: float = TIMEOUT) -> None:
    """Fetch what `folder` lacks, each file from the first mirror that has it.

    A file gets its name only once its content is verified, in one atomic step; several processes may do this at the
    same time. Raises DataError with each mirror's reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made: {error}") from error
    if collection.archive:
        _download_archive(collection, folder, timeout)
        return
    for name in missing(folder, collection.files):
        reasons = []
        for mirror in collection.mirrors:
            url = f"{mirror.rstrip('/')}/{name}.gz"
            reason = _fetch(url, folder, name, collection, timeout)
            if reason is None:
                break
            reasons.append(f"{url}: {reason}")
        else:
            raise DataError("\n".join(reasons) or f"{name}: no mirror to download from")


def _found(folder: Path, name: str) -> Path | None:
    try:
        return next((file for file in (folder / name, folder / f"{name}.gz") if file.is_file()), None)
    except PermissionError:
        return None


def _fetch(url: str, folder: Path, name: str, collection: Collection, timeout: float) -> str | None:
    """Download one file and verify it; return None, or why it was not kept."""

    def keep(response: BufferedReader) -> str | None:
        source: BinaryIO = response if collection.packed else gunzipped(response)
        file = folder / (f"{name}.gz" if collection.packed else name)
        return _kept(source, file, collection.files[name])

    return _opened(url, timeout, keep)


def _download_archive(collection: Collection, folder: Path, timeout: float) -> None:
    """Fetch the archive of the first mirror that has it, and keep the members that belong to the collection."""
    import tarfile

    def keep(response: BufferedReader) -> str | None:
        wanted = set(missing(folder, collection.files))
        try:
            with tarfile.open(fileobj=response, mode="r|gz") as archive:
                for member in archive:
                    # only the last part of a member's name counts, so that none can leave the folder
                    name = member.name.rpartition("/")[2]
                    source = archive.extractfile(member) if name in wanted and member.isreg() else None
                    if source is not None:
                        if reason := _kept(source, folder / name, collection.files[name]):
                            return f"{name}: {reason}"
                        wanted.discard(name)
        except tarfile.TarError as error:
            return f"no sound archive: {error}"
        return f"the archive lacks {', '.join(sorted(wanted))}" if wanted else None

    reasons = []
    for mirror in collection.mirrors:
        url = f"{mirror.rstrip('/')}/{collection.archive}"
        reason = _opened(url, timeout, keep)
        if reason is None:
            return
        reasons.append(f"{url}: {reason}")
    raise DataError("\n".join(reasons) or f"{collection.archive}: no mirror to download from")


def _opened(url: str, timeout: float, keep: Any) -> str | None:
    """Call `keep` with what an address serves; return what it returns, or why it could not be read."""
    import http.client
    import zlib
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        request = Request(url, headers={"User-Agent": "vynapse"})
        with urlopen(request, timeout=timeout) as response:
            reason: str | None = keep(BufferedReader(response))
            return reason
    except HTTPError as error:
        error.close()
        return f"HTTP {error.code} {error.reason}"
    except EOFError:
        return "the connection ended before the file did"
    except (OSError, http.client.HTTPException, zlib.error, ValueError) as error:
        return str(getattr(error, "reason", None) or error) or type(error).__name__


def _kept(source: Any, file: Path, content: Content) -> str | None:
    """Write what `source` gives to `file` where it is the wanted content; return what is wrong."""
    import tempfile

    part = None
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as out:
            part = Path(out.name)
            reason = _copy(source, out, content)
        if reason is None:
            part.chmod(0o644)
            part.replace(file)
        return reason
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _copy(source: Any, out: Any, content: Content) -> str | None:
    """Write what `source` gives, at most a block past the expected size; return what is wrong."""
    import hashlib

    digest, size = hashlib.sha256(), 0
    while size <= content.size and (block := source.read(BLOCK)):
        digest.update(block)
        out.write(block)
        size += len(block)
    if size != content.size:
        return f"expected {content.size} bytes of content, found {'more' if size > content.size else size}"
    if digest.hexdigest() != content.sha256:
        return f"wrong content: expected SHA-256 {content.sha256}, found {digest.hexdigest()}"
    return None
