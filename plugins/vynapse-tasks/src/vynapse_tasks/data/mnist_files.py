# SPDX-License-Identifier: MIT OR Apache-2.0
"""The four files of MNIST: found where a user keeps them, else downloaded once and verified.

A file is verified by its uncompressed content, since copies in circulation differ in how they were gzipped;
digests and sizes are those of the original distribution (Y. LeCun, C. Cortes, C. Burges, 1998).
"""

from __future__ import annotations

import os
import sys
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vynapse_core import DataError
from vynapse_tasks.data.idx import gunzipped, read_idx

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from numpy.typing import NDArray


class Content(NamedTuple):
    """What a file holds once inflated."""

    size: int
    """Bytes."""
    sha256: str


FILES = {
    "train-images-idx3-ubyte": Content(47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": Content(60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": Content(7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": Content(10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
_SPLITS = {"train": ("train", 60000), "test": ("t10k", 10000)}
_BLOCK = 1 << 18


def mnist_folder(
    path: str | os.PathLike[str] | None = None,
    *,
    mirrors: Sequence[str] = MIRRORS,
    files: Mapping[str, Content] = FILES,
) -> Path:
    """Return a folder that holds the four files, each with or without `.gz`.

    Looks at `path` alone where one is given; else at `$VYNAPSE_DATA/mnist`, then at the cache folder, into
    which the files are downloaded where they are in neither. Raises DataError that says what is missing and
    where to put it.
    """
    if path is not None:
        folder = Path(path).expanduser()
        if absent := missing(folder, files):
            raise DataError(f"{folder}: no {', '.join(absent)} (with or without .gz) in this folder")
        return folder
    data = os.environ.get("VYNAPSE_DATA")
    given = Path(data).expanduser() / "mnist" if data else None
    if given is not None and not missing(given, files):
        return given
    cache = cache_folder()
    if not missing(cache, files):
        return cache
    try:
        download(cache, mirrors, files)
    except DataError as error:
        named = given or "$VYNAPSE_DATA/mnist (not set now)"
        raise DataError(
            f"MNIST is not on this machine and could not be downloaded.\n{error}\n"
            f"Put {', '.join(files)} (with or without .gz) into one of: the folder that `path` "
            f"of the task names; {named}; {cache}"
        ) from error
    return cache


def missing(folder: Path, files: Mapping[str, Content] = FILES) -> list[str]:
    """Return the names of the files that `folder` lacks in either form."""
    return [name for name in files if _found(folder, name) is None]


def cache_folder() -> Path:
    """Return where downloads are kept: below `$XDG_CACHE_HOME`, or the platform's own place for caches."""
    return _caches(sys.platform) / "vynapse" / "mnist"


def _caches(platform: str) -> Path:
    named = os.environ.get("XDG_CACHE_HOME", "")
    local = os.environ.get("LOCALAPPDATA", "")
    # The XDG specification asks to ignore a relative path.
    if Path(named).is_absolute():
        return Path(named)
    if platform == "win32" and local:
        return Path(local)
    try:
        home = Path.home()
    except RuntimeError as error:
        raise DataError("no home folder to keep downloads in: set XDG_CACHE_HOME to a folder") from error
    if platform == "win32":
        return home / "AppData" / "Local"
    return home / "Library" / "Caches" if platform == "darwin" else home / ".cache"


def download(
    folder: Path,
    mirrors: Sequence[str] = MIRRORS,
    files: Mapping[str, Content] = FILES,
    *,
    timeout: float = 30.0,
) -> None:
    """Fetch what `folder` lacks, each file from the first mirror that has it, and keep it uncompressed.

    A file gets its name only once its content is verified, in one atomic step; several processes may do
    this at the same time. `timeout` is in seconds without an answer. Raises DataError with each mirror's
    reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made: {error}") from error
    for name in missing(folder, files):
        reasons = []
        for mirror in mirrors:
            url = f"{mirror.rstrip('/')}/{name}.gz"
            reason = _fetch(url, folder / name, files[name], timeout)
            if reason is None:
                break
            reasons.append(f"{url}: {reason}")
        else:
            raise DataError("\n".join(reasons) or f"{name}: no mirror to download from")


def read_mnist(folder: Path) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Read `{"train": (images, labels), "test": (images, labels)}`.

    Images are uint8 [n, 28, 28], 0 for paper and 255 for ink; labels are uint8 [n], 0 to 9; n is 60000 and
    10000. Raises DataError where a file is missing or does not hold this.
    """
    return {split: _read_split(folder, *_SPLITS[split]) for split in _SPLITS}


def _read_split(folder: Path, prefix: str, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    arrays = []
    for name, shape in (
        (f"{prefix}-images-idx3-ubyte", (n, 28, 28)),
        (f"{prefix}-labels-idx1-ubyte", (n,)),
    ):
        file = _found(folder, name)
        if file is None:
            raise DataError(f"{folder}: no {name} (with or without .gz) in this folder")
        array = read_idx(file)
        if array.dtype != "uint8" or array.shape != shape:
            raise DataError(f"{file}: expected uint8 of shape {shape}, found {array.dtype} of shape {array.shape}")
        arrays.append(array)
    images, labels = arrays
    if labels.max() > 9:
        raise DataError(f"{file}: expected labels from 0 to 9, found {labels.max()}")
    return images, labels


def _found(folder: Path, name: str) -> Path | None:
    try:
        return next((file for file in (folder / name, folder / f"{name}.gz") if file.is_file()), None)
    except PermissionError:
        return None


def _fetch(url: str, file: Path, content: Content, timeout: float) -> str | None:
    """Download one file and verify it; return None, or why it was not kept."""
    import http.client
    import tempfile
    import zlib
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    part = None
    try:
        request = Request(url, headers={"User-Agent": "vynapse"})
        with (
            urlopen(request, timeout=timeout) as response,
            tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as out,
        ):
            part = Path(out.name)
            reason = _copy(gunzipped(BufferedReader(response)), out, content)
        if reason is None:
            part.chmod(0o644)
            part.replace(file)
        return reason
    except HTTPError as error:
        error.close()
        return f"HTTP {error.code} {error.reason}"
    except EOFError:
        return "the connection ended before the file did"
    except (OSError, http.client.HTTPException, zlib.error, ValueError) as error:
        return str(getattr(error, "reason", None) or error) or type(error).__name__
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _copy(source: BinaryIO, out: Any, content: Content) -> str | None:
    """Write what `source` inflates to, at most a block past the expected size; return what is wrong."""
    import hashlib

    digest, size = hashlib.sha256(), 0
    while size <= content.size and (block := source.read(_BLOCK)):
        digest.update(block)
        out.write(block)
        size += len(block)
    if size != content.size:
        return f"expected {content.size} bytes of content, found {'more' if size > content.size else size}"
    if digest.hexdigest() != content.sha256:
        return f"wrong content: expected SHA-256 {content.sha256}, found {digest.hexdigest()}"
    return None
