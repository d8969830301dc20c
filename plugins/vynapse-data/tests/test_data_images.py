# SPDX-License-Identifier: MIT OR Apache-2.0
"""Images: folders of them, CIFAR-10's records, and what hostile files are answered."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vynapse_core import DataError
from vynapse_core.testing import check_task
from vynapse_data import cifar10
from vynapse_data.augmented_task import Crop
from vynapse_data.cifar10 import RECORD, Cifar10, read_cifar10
from vynapse_data.image_folder import ImageFolder
from vynapse_data.mnist import FashionMnist


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vynapse" / "data"


def pixels(number: int, rows: int = 6, columns: int = 5) -> Any:
    return np.random.default_rng(number).integers(0, 256, (rows, columns, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write ten images of cats, which are PNG files, and ten of dogs."""
    image = pytest.importorskip("PIL.Image")
    for name, first in (("cat", 0), ("dog", 10)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            image.fromarray(pixels(first + number)).save(tmp_path / "pets" / name / f"{number}.png")
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("skipped")
    (tmp_path / "pets" / ".hidden").mkdir()
    return tmp_path / "pets"


@pytest.mark.parametrize("memory", [0, 16])
def test_images_come_as_channels_rows_columns_with_ids_in_the_order_of_names(folder: Path, memory: float) -> None:
    task = ImageFolder(path=str(folder), test=0, memory=memory)
    data = task.data("train")
    assert (task.inputs, task.outputs, task.classification) == ((3, 6, 5), 2, True)
    expected = {(pixels(n).transpose(2, 0, 1) / np.float32(255)).tobytes(): n // 10 for n in range(20)}
    assert {x.tobytes(): int(y) for x, y in zip(data.x, data.y, strict=True)} == expected
    check_task(task)


def test_images_are_decoded_once(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ImageFolder(path=str(folder)).data("test").x
    monkeypatch.setattr("vynapse_data.image_folder.decode", lambda *given: pytest.fail("decoded again"))
    assert np.array_equal(ImageFolder(path=str(folder), augment=(Crop(),)).data("test").x, first)
    assert len(list(cache.iterdir())) == 1


def test_images_can_be_grey_and_scaled(folder: Path) -> None:
    task = ImageFolder(path=str(folder), channels=1, size=(4, 3), standardise=True)
    assert task.inputs == (1, 4, 3)
    assert task.data("train").x.mean() == pytest.approx(0, abs=1e-6)


def test_an_image_of_another_size_is_named(folder: Path) -> None:
    from PIL import Image

    Image.fromarray(pixels(1, 7, 5)).save(folder / "dog" / "odd.png")
    with pytest.raises(DataError, match=r"odd\.png: expected 6 x 5 pixels as in the first image, found 7 x 5; give"):
        ImageFolder(path=str(folder)).data("train")


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a PNG file whose header says this size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a PNG image"),
        (b"GIF89a" + bytes(50), "not a PNG image"),
        (png(100_000, 100_000), "cannot be read|at most 67108864 pixels"),
        (png(10_000, 10_000), r"expected at most 67108864 pixels, and its header says 10000 x 10000"),
        (png(9000, 9000), r"expected at most 67108864 pixels, and its header says 9000 x 9000"),
        (png(5, 6), "cannot be decoded"),
    ],
)
def test_a_hostile_image_is_refused_with_its_name(folder: Path, content: bytes, message: str) -> None:
    (folder / "dog" / "bad.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"bad\.png: .*({message})"):
        ImageFolder(path=str(folder)).data("train")


def test_a_truncated_image_is_refused_with_its_name(folder: Path) -> None:
    file = folder / "dog" / "0.png"
    file.write_bytes(file.read_bytes()[:90])
    with pytest.raises(DataError, match=r"0\.png: cannot be"):
        ImageFolder(path=str(folder)).data("train")


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_a_link_out_of_the_folder_is_refused_and_one_within_is_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "dog" / "same.png").symlink_to(folder / "dog" / "0.png")
    assert len(ImageFolder(path=str(folder), test=0).data("train")) == 21
    (tmp_path / "secret.png").write_bytes((folder / "dog" / "0.png").read_bytes())
    (folder / "dog" / "z.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match=r"z\.png: a link that leads out of"):
        ImageFolder(path=str(folder), test=0).data("train")


def test_folders_that_are_no_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        ImageFolder(path=str(tmp_path / "none")).data("train")
    (tmp_path / "one" / "only").mkdir(parents=True)
    with pytest.raises(DataError, match="two classes or more, found 1"):
        ImageFolder(path=str(tmp_path / "one")).data("train")
    (tmp_path / "one" / "other").mkdir()
    with pytest.raises(DataError, match=r"only: no images of this class; known are \.png"):
        ImageFolder(path=str(tmp_path / "one")).data("train")


def test_without_pillow_the_user_learns_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(DataError, match=r'pip install "vynapse-data\[images\]"'):
        ImageFolder(path=str(folder)).data("train")


def test_many_files_have_one_digest_that_depends_on_names_and_contents(folder: Path, tmp_path: Path) -> None:
    def record() -> dict[str, Any]:
        (found,) = ImageFolder(path=str(folder), test=0.5).provenance()["files"]
        return dict(found)

    (folder / "dog" / "more.png").write_bytes((folder / "dog" / "0.png").read_bytes())
    first = record()
    assert (first["count"], first["path"]) == (21, str(folder))
    (folder / "dog" / "more.png").rename(folder / "cat" / "more.png")
    assert record()["sha256"] != first["sha256"]


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the six files with 20 records in place of 10,000; one of them is packed."""
    monkeypatch.setattr(cifar10, "PER_FILE", 20)
    monkeypatch.setattr(Cifar10, "training_images", 100)
    for number, name in enumerate(cifar10.CIFAR10.files):
        records = np.full((20, RECORD), number, np.uint8)
        records[:, 0] = np.arange(20) % 10
        records[:, 1 : 1 + 1024] = 255
        (tmp_path / name).write_bytes(records.tobytes())
    packed = tmp_path / "data_batch_3.bin"
    (tmp_path / "data_batch_3.bin.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    return tmp_path


def test_cifar10_images_are_three_planes_and_files_come_in_order(cifar: Path) -> None:
    task = Cifar10(path=str(cifar), validation=10)
    train, test = task.data("train"), task.data("test")
    assert (task.inputs, task.outputs, len(train), len(test)) == ((3, 32, 32), 10, 90, 20)
    assert (train.x[:, 0] == 1).all()
    assert (test.x[:, 1:] == np.float32(5 / 255)).all()
    assert read_cifar10(cifar)["train"][0][:, 2, 0, 0].tolist() == sorted([0, 1, 2, 3, 4] * 20)
    check_task(task)
    assert len(task.provenance()["files"]) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "expected 61460 bytes, 20 records of a label and 3x32x32 pixels; found 61459"),
        (lambda data: data + b"!", "found 61461"),
        (lambda data: data[:RECORD] + b"\x0a" + data[RECORD + 1 :], "labels from 0 to 9, found 10 in record 1"),
    ],
)
def test_a_malformed_cifar10_file_is_refused(cifar: Path, change: Any, message: str) -> None:
    file = cifar / "data_batch_2.bin"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DataError, match=rf"data_batch_2\.bin: expected.*{message}|{message}"):
        Cifar10(path=str(cifar)).data("train")


def test_a_packed_cifar10_file_inflates_no_further_than_it_should(cifar: Path) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as stream:
        stream.write(bytes(50_000_000))
    (cifar / "data_batch_3.bin.gz").write_bytes(packed.getvalue())
    with pytest.raises(DataError, match=r"data_batch_3\.bin\.gz: expected 61460 bytes.*found more"):
        Cifar10(path=str(cifar)).data("train")


def test_fashion_mnist_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vynapse_data.idx_images.SPLITS", {"train": ("train", 30), "test": ("t10k", 20)})
    monkeypatch.setenv("VYNAPSE_DATA", str(tmp_path))
    (tmp_path / "fashion_mnist").mkdir()
    for name, n in (("train", 30), ("t10k", 20)):
        for kind, shape in (("images-idx3", (n, 28, 28)), ("labels-idx1", (n,))):
            header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
            values = np.arange(int(np.prod(shape))) % 10
            file = tmp_path / "fashion_mnist" / f"{name}-{kind}-ubyte.gz"
            file.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))
    task = FashionMnist(augment=(Crop(),))
    assert [len(task.data(split)) for split in task.splits] == [30, 20]
    check_task(task)
