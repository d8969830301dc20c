# SPDX-License-Identifier: MIT OR Apache-2.0
"""Published collections: where files are looked for, and downloads from a real server that may fail in every way."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import sys
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from vynapse_core.errors import DataError
from vynapse_data.collection import Collection, Content, collection_folder, download, missing
from vynapse_data.folders import cache_folder
from vynapse_data.idx_images import MNIST, read_idx_images

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = bytes(range(256)) * 40
NAMES = ("images", "labels")
SMALL = {name: Content(len(BODY), hashlib.sha256(BODY).hexdigest()) for name in NAMES}


def small(*mirrors: str) -> Collection:
    """Return a collection of two small files."""
    return Collection("mnist", "MNIST", SMALL, mirrors)


def archive(fault: str) -> bytes:
    """Return a packed archive of the two files, one of them under a name that leads elsewhere."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, place in (("images", "../../../images"), ("labels", "a/labels"), ("other", "other")):
            body = b"!" + BODY[1:] if fault == "wrong" and name == "labels" else BODY
            member = tarfile.TarInfo(place)
            member.size = len(body)
            if fault != "lacking" or name != "labels":
                tar.addfile(member, io.BytesIO(body))
        if fault == "link":
            member = tarfile.TarInfo("labels")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return b"no archive" if fault == "plain" else packed.getvalue()


class Server(BaseHTTPRequestHandler):
    """Serve what the first folder of the path asks for: a sound file, or one fault."""

    def do_GET(self) -> None:
        fault = self.path.split("/")[1]
        body = gzip.compress(b"!" + BODY[1:] if fault == "wrong" else BODY, mtime=0)
        if fault == "longer":
            body = gzip.compress(BODY + bytes(10_000_000))
        if fault == "plain":
            body = BODY
        if self.path.endswith(".tar.gz"):
            body = archive(fault)
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
    assert collection_folder(small(), mine) == mine


def test_a_path_that_lacks_a_file_says_so_and_downloads_nothing(tmp_path: Path, server: str) -> None:
    mine = filled(tmp_path / "mine", "", "")
    (mine / "labels").unlink()
    with pytest.raises(DataError, match=r"mine: no labels \(with or without"):
        collection_folder(small(f"{server}sound"), mine)
    assert names(mine) == ["images"]


def test_the_data_folder_comes_before_the_cache(tmp_path: Path) -> None:
    cache = filled(tmp_path / "cache" / "vynapse" / "mnist", "", "")
    assert collection_folder(small()) == cache
    data = filled(tmp_path / "data" / "mnist", ".gz", ".gz")
    assert collection_folder(small()) == data


@pytest.mark.parametrize("kind", ["sound", "plain"])
def test_a_download_is_verified_and_kept_in_the_cache(tmp_path: Path, server: str, kind: str) -> None:
    folder = collection_folder(small(server + kind))
    assert folder == tmp_path / "cache" / "vynapse" / "mnist"
    assert names(folder) == ["images", "labels"]
    assert (folder / "images").read_bytes() == BODY
    assert collection_folder(small()) == folder


def test_a_packed_collection_is_verified_and_kept_as_it_was_packed(tmp_path: Path, server: str) -> None:
    packed = gzip.compress(BODY, mtime=0)
    files = {"images": Content(len(packed), hashlib.sha256(packed).hexdigest())}
    kept = Collection("fashion", "Fashion", files, (f"{server}still",), packed=True)
    folder = collection_folder(kept)
    assert names(folder) == ["images.gz"]
    assert (folder / "images.gz").read_bytes() == packed
    with pytest.raises(DataError, match=r"images\.gz: expected .* bytes of content"):
        download(replace(kept, mirrors=(f"{server}plain",)), tmp_path / "new")


@pytest.mark.parametrize("kind", ["sound", "link"])
def test_an_archive_gives_the_files_of_the_collection_and_no_other(tmp_path: Path, server: str, kind: str) -> None:
    packed = Collection("cifar", "CIFAR", SMALL, (f"{server}none", server + kind), archive="all.tar.gz")
    folder = collection_folder(packed)
    assert folder == tmp_path / "cache" / "vynapse" / "cifar"
    assert names(folder) == ["images", "labels"]
    assert not (folder / "labels").is_symlink()
    assert (folder / "labels").read_bytes() == BODY
    assert names(tmp_path) == ["cache"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong", "labels: wrong content: expected SHA-256"),
        ("lacking", "the archive lacks labels"),
        ("plain", "no sound archive: "),
        ("cut", "no sound archive: |the connection ended"),
        ("none", "HTTP 404"),
    ],
)
def test_a_faulty_archive_is_reported(tmp_path: Path, server: str, fault: str, reason: str) -> None:
    packed = Collection("cifar", "CIFAR", SMALL, (server + fault,), archive="all.tar.gz")
    with pytest.raises(DataError, match=rf"/{fault}/all\.tar\.gz: ({reason})"):
        download(packed, tmp_path / "new")
    assert all((tmp_path / "new" / name).read_bytes() == BODY for name in names(tmp_path / "new"))


def test_only_missing_files_are_downloaded(tmp_path: Path, server: str) -> None:
    folder = filled(tmp_path / "some", "", "")
    (folder / "labels").unlink()
    download(small(f"{server}sound"), folder)
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
        download(small(server + fault), tmp_path / "new")
    assert names(tmp_path / "new") == []
    download(small(server + fault, f"{server}sound/"), tmp_path / "new")
    assert names(tmp_path / "new") == ["images", "labels"]


def test_without_network_the_user_learns_where_to_put_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        closed = f"http://127.0.0.1:{http.server_port}/"
    with pytest.raises(DataError) as caught:
        collection_folder(replace(MNIST, mirrors=(closed,)))
    told = str(caught.value)
    for word in (
        *MNIST.files,
        closed,
        "refused",
        "`path`",
        str(tmp_path / "data" / "mnist"),
        str(tmp_path / "cache"),
    ):
        assert word in told
    monkeypatch.delenv("VYNAPSE_DATA")
    with pytest.raises(DataError, match=r"\$VYNAPSE_DATA/mnist \(not set now\)"):
        collection_folder(replace(MNIST, mirrors=(closed,)))


def test_a_cache_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(DataError, match="cannot be made"):
        collection_folder(small())


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
    assert cache_folder("mnist") == Path.home() / expected / "vynapse" / "mnist"


def write_idx(file: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    file.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


def test_files_of_the_right_shape_are_read_and_others_refused(tmp_path: Path) -> None:
    for prefix, n in (("train", 60000), ("t10k", 10000)):
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte", np.zeros((n, 28, 28), np.uint8))
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte", (np.arange(n) % 10).astype(np.uint8))
    data = read_idx_images(tmp_path)
    assert [array.shape for array in data["train"]] == [(60000, 28, 28), (60000,)]
    assert [array.shape for array in data["test"]] == [(10000, 28, 28), (10000,)]
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    write_idx(labels, np.full(10000, 10, np.uint8))
    with pytest.raises(DataError, match="labels from 0 to 9, found 10"):
        read_idx_images(tmp_path)
    write_idx(labels, np.zeros(9999, np.uint8))
    with pytest.raises(DataError, match=r"expected uint8 of shape \(10000,\), found uint8 of shape \(9999,\)"):
        read_idx_images(tmp_path)
    labels.unlink()
    with pytest.raises(DataError, match="no t10k-labels"):
        read_idx_images(tmp_path)


REAL = Path(os.environ.get("VYNAPSE_DATA", "")) / "mnist"


@pytest.mark.skipif(bool(missing(REAL, MNIST.files)), reason="$VYNAPSE_DATA is not set or holds no mnist")
def test_the_real_files_have_the_published_digests_and_read_as_mnist() -> None:
    for name, content in MNIST.files.items():
        file = REAL / name
        data = file.read_bytes() if file.is_file() else gzip.decompress((REAL / f"{name}.gz").read_bytes())
        assert Content(len(data), hashlib.sha256(data).hexdigest()) == content
    images, labels = read_idx_images(REAL)["train"]
    assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert images.mean() == pytest.approx(33.318, abs=1e-3)
