# SPDX-License-Identifier: MIT OR Apache-2.0
"""Folders of images, a folder a class, decoded through Pillow.

A folder may come from a stranger: nothing outside of it is read, and no image is decoded that claims to be huge.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vynapse_core import DataError
from vynapse_data.prefetch import prefetched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.Image import Image

    from vynapse_core import Array

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".webp": "WEBP", ".ppm": "PPM", ".pgm": "PPM"}
"""Formats that are decoded, by the ending of a file's name."""
MODES = {1: "L", 3: "RGB"}
"""Pillow's names for grey and colour, by the number of channels."""
MOST_PIXELS = 1 << 26
"""Pixels of an image beyond which it is not decoded."""


class Listed(NamedTuple):
    """The images of a folder."""

    files: tuple[Path, ...]
    """By class, then by name."""
    classes: tuple[str, ...]
    """Names of the folders, sorted."""
    ids: Array
    """The class of each image, int64 [n]."""


def list_images(path: str | Path) -> Listed:
    """Return the images of a folder that holds a folder for each class; hidden files and other formats are skipped.

    Raises DataError for a missing or empty folder, fewer than two classes, a class without images, and a link that
    leads out of the folder.
    """
    root = Path(path)
    try:
        inside = root.resolve(strict=True)
        classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        if len(classes) < 2:
            raise DataError(f"{root}: expected a folder for each of two classes or more, found {len(classes)}")
        files: list[Path] = []
        ids: list[int] = []
        for number, name in enumerate(classes):
            found = sorted(file for file in (root / name).iterdir() if _is_image(file))
            if not found:
                raise DataError(f"{root / name}: no images of this class; known are {', '.join(FORMATS)}")
            outside = next((file for file in found if not file.resolve().is_relative_to(inside)), None)
            if outside is not None:
                raise DataError(f"{outside}: a link that leads out of {root}, to {outside.resolve()}; copy the image")
            files += found
            ids += [number] * len(found)
    except OSError as error:
        raise DataError(f"{root}: cannot be read: {error}") from error
    return Listed(tuple(files), tuple(classes), np.array(ids, np.int64))


def image_shape(file: Path, channels: int, size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Return the shape [C, H, W] that images get: `size`, or that of this file. Raises DataError."""
    if size is None:
        with _without_warnings(), _opened(file) as image:
            size = image.height, image.width
    return channels, *size


def decode(files: Sequence[Path], shape: tuple[int, int, int], size: tuple[int, int] | None, out: Array) -> None:
    """Decode images into `out` float32 [n, C, H, W], in [0, 1]; scaled to `size`, bilinear, where one is given.

    Raises DataError for a file that is no image of its format, and without `size` for one of another size.
    """

    def decoded(number: int) -> Array:
        return _decoded(files[number], shape, size)

    with _without_warnings():
        for number, image in enumerate(prefetched(decoded, len(files))):
            out[number] = image


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep Pillow from warning of images beyond a limit of its own; MOST_PIXELS says so in words.

    Not around each image, as filters of warnings are common to all threads.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Image size .* exceeds limit")
        yield


def _decoded(file: Path, shape: tuple[int, int, int], size: tuple[int, int] | None) -> Array:
    channels, height, width = shape
    with _opened(file) as image:
        if size is None and (image.height, image.width) != (height, width):
            raise DataError(
                f"{file}: expected {height} x {width} pixels as in the first image, found {image.height} x "
                f"{image.width}; give `size = [rows, columns]` to scale all of them"
            )
        try:
            pixels = image.convert(MODES[channels])
            if (image.height, image.width) != (height, width):
                from PIL.Image import Resampling

                pixels = pixels.resize((width, height), Resampling.BILINEAR)
        except (OSError, ValueError, SyntaxError) as error:
            raise DataError(f"{file}: cannot be decoded: {error}") from error
        values = np.asarray(pixels, np.float32).reshape(height, width, channels)
    return np.ascontiguousarray(values.transpose(2, 0, 1)) / np.float32(255)


def _opened(file: Path) -> Image:
    """Open an image without decoding it; its header tells its size."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise DataError('image folders need Pillow: pip install "vynapse-data[images]"') from error
    known = FORMATS[file.suffix.lower()]
    try:
        image: Image.Image = Image.open(file, formats=(known,))
    except UnidentifiedImageError as error:
        raise DataError(f"{file}: not a {known} image") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    if image.width * image.height > MOST_PIXELS:
        found = f"{image.height} x {image.width}"
        image.close()
        raise DataError(f"{file}: expected at most {MOST_PIXELS} pixels, and its header says {found}")
    return image


def _is_image(file: Path) -> bool:
    return not file.name.startswith(".") and file.suffix.lower() in FORMATS and file.is_file()
