# SPDX-License-Identifier: MIT OR Apache-2.0
"""MNIST: where its files are looked for, and downloads from a real server that may fail in every way."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from vynapse_core.errors import DataError
from vynapse_tasks.data import mnist_files
from vynapse_tasks.data.mnist_files import FILES, Content, download, mnist_folder, read_mnist

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = bytes(range(256)) * 40
NAMES = ("images", "labels")
SMALL = {name: Content(len(BODY), hashlib.sha256(BODY).hexdigest()) for name in NAMES}


class Server(BaseHTTPRequestHandler):
    """Serve what the first folder of the path asks for: a sound file, or one fault."""

    def do_GET(self) -> None:
        fault = self.path.split("/")[1]
        body = gzip.compress(b"!" + BODY[1:] if fault == "wrong" else BODY)
        if fault == "longer":
            body = gzip.compress(BODY + bytes(10_000_000))
        if fault == "plain":
            body = BODY
        if fault == "none":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VYNAPSE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")


def filled(folder: Path, *suffixes: str) -> Path:
    folder.mkdir(parents=True)
    for name, suffix in zip(NAMES, suffixes, strict=True):
        (folder / f"{name}{suffix}").write_bytes(b"anything")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_path_of_the_recipe_comes_first(tmp_path: Path) -> None:
    filled(tmp_path / "data" / "mnist", "", "")
    mine = filled(tmp_path / "mine", ".gz", "")
    assert mnist_folder(mine, mirrors=(), files=SMALL) == mine


def test_a_path_that_lacks_a_file_says_so_and_downloads_nothing(tmp_path: Path, server: str) -> None:
    mine = filled(tmp_path / "mine", "", "")
    (mine / "labels").unlink()
    with pytest.raises(DataError, match=r"mine: no labels \(with or without"):
        mnist_folder(mine, mirrors=[f"{server}sound"], files=SMALL)
    assert names(mine) == ["images"]


def test_the_data_folder_comes_before_the_cache(tmp_path: Path) -> None:
    cache = filled(tmp_path / "cache" / "vynapse" / "mnist", "", "")
    assert mnist_folder(mirrors=(), files=SMALL) == cache
    data = filled(tmp_path / "data" / "mnist", ".gz", ".gz")
    assert mnist_folder(mirrors=(), files=SMALL) == data


@pytest.mark.parametrize("kind", ["sound", "plain"])
def test_a_download_is_verified_and_kept_in_the_cache(tmp_path: Path, server: str, kind: str) -> None:
    folder = mnist_folder(mirrors=[server + kind], files=SMALL)
    assert folder == tmp_path / "cache" / "vynapse" / "mnist"
    assert names(folder) == ["images", "labels"]
    assert (folder / "images").read_bytes() == BODY
    assert mnist_folder(mirrors=(), files=SMALL) == folder


def test_only_missing_files_are_downloaded(tmp_path: Path, server: str) -> None:
    folder = filled(tmp_path / "some", "", "")
    (folder / "labels").unlink()
    download(folder, [f"{server}sound"], SMALL)
    assert (folder / "images").read_bytes() == b"anything"
    assert (folder / "labels").read_bytes() == BODY


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong", "wrong content: expected SHA-256"),
        ("cut", "the connection ended before the file did"),
        ("longer", "expected 10240 bytes of content, found more"),
        ("none", "HTTP 404"),
    ],
)
def test_a_faulty_mirror_is_reported_leaves_nothing_and_the_next_one_serves(
    tmp_path: Path, server: str, fault: str, reason: str
) -> None:
    with pytest.raises(DataError, match=rf"/{fault}/images\.gz: {reason}"):
        download(tmp_path / "new", [server + fault], SMALL)
    assert names(tmp_path / "new") == []
    download(tmp_path / "new", [server + fault, f"{server}sound/"], SMALL)
    assert names(tmp_path / "new") == ["images", "labels"]


def test_without_network_the_user_learns_where_to_put_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        closed = f"http://127.0.0.1:{http.server_port}/"
    with pytest.raises(DataError) as caught:
        mnist_folder(mirrors=[closed])
    told = str(caught.value)
    for word in (
        *FILES,
        closed,
        "refused",
        "`path`",
        str(tmp_path / "data" / "mnist"),
        str(tmp_path / "cache"),
    ):
        assert word in told
    monkeypatch.delenv("VYNAPSE_DATA")
    with pytest.raises(DataError, match=r"\$VYNAPSE_DATA/mnist \(not set now\)"):
        mnist_folder(mirrors=[closed])


def test_a_cache_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(DataError, match="cannot be made"):
        mnist_folder(mirrors=(), files=SMALL)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")],
)
def test_the_cache_lies_where_the_platform_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, platform: str, expected: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    assert mnist_files.cache_folder() == Path.home() / expected / "vynapse" / "mnist"


def write_idx(file: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    file.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


def test_files_of_the_right_shape_are_read_and_others_refused(tmp_path: Path) -> None:
    for prefix, n in (("train", 60000), ("t10k", 10000)):
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte", np.zeros((n, 28, 28), np.uint8))
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte", (np.arange(n) % 10).astype(np.uint8))
    data = read_mnist(tmp_path)
    assert [array.shape for array in data["train"]] == [(60000, 28, 28), (60000,)]
    assert [array.shape for array in data["test"]] == [(10000, 28, 28), (10000,)]
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    write_idx(labels, np.full(10000, 10, np.uint8))
    with pytest.raises(DataError, match="labels from 0 to 9, found 10"):
        read_mnist(tmp_path)
    write_idx(labels, np.zeros(9999, np.uint8))
    with pytest.raises(DataError, match=r"expected uint8 of shape \(10000,\), found uint8 of shape \(9999,\)"):
        read_mnist(tmp_path)
    labels.unlink()
    with pytest.raises(DataError, match="no t10k-labels"):
        read_mnist(tmp_path)


REAL = Path(os.environ.get("VYNAPSE_DATA", "")) / "mnist"


@pytest.mark.skipif(bool(mnist_files.missing(REAL)), reason="$VYNAPSE_DATA is not set or holds no mnist")
def test_the_real_files_have_the_published_digests_and_read_as_mnist() -> None:
    for name, content in FILES.items():
        file = REAL / name
        data = file.read_bytes() if file.is_file() else gzip.decompress((REAL / f"{name}.gz").read_bytes())
        assert Content(len(data), hashlib.sha256(data).hexdigest()) == content
    images, labels = read_mnist(REAL)["train"]
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert images.mean() == pytest.approx(33.318, abs=1e-3)
