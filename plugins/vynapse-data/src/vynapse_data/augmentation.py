# SPDX-License-Identifier: MIT OR Apache-2.0
"""Augmentation: images changed by chance. Pure functions on float32 [B, C, H, W]; an image's draws are its own.

What comes in from outside an image is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from vynapse_core import Array, Stream


def crop(images: Array, rng: Stream, padding: int) -> Array:
    """Move each image by up to `padding` pixels in both directions: padded on all sides, then cut to its size."""
    n, _, height, width = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(padded, (height, width), axis=(2, 3))
    down, right = rng.integers(0, 2 * padding + 1, (2, n))
    moved: Array = windows[np.arange(n), :, down, right]
    return moved


def flip(images: Array, rng: Stream, rate: float) -> Array:
    """Mirror each image left to right, with probability `rate`."""
    mirrored = rng.bernoulli(rate, (len(images),))
    return np.where(mirrored[:, None, None, None], images[..., ::-1], images)


def rotate(images: Array, rng: Stream, degrees: float) -> Array:
    """Turn each image about its centre by an angle drawn from [-degrees, degrees), with bilinear interpolation."""
    n, _, height, width = images.shape
    angles = rng.uniform((n, 1, 1), -np.deg2rad(degrees), np.deg2rad(degrees))
    cos, sin = np.cos(angles), np.sin(angles)
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32((height - 1) / 2)
    x = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)
    # where each pixel comes from; one of zeros all round stands for what lies outside
    rows = np.clip(cos * y + sin * x + np.float32((height + 1) / 2), 0, height + 1)
    columns = np.clip(cos * x - sin * y + np.float32((width + 1) / 2), 0, width + 1)
    top = np.minimum(rows.astype(np.int64), height)
    left = np.minimum(columns.astype(np.int64), width)
    down, right = rows - top, columns - left
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1))).reshape(*images.shape[:2], -1)
    first = (top * (width + 2) + left).reshape(n, 1, -1)
    turned = np.zeros(images.shape, images.dtype)
    for step, share in (
        (0, (1 - down) * (1 - right)),
        (1, (1 - down) * right),
        (width + 2, down * (1 - right)),
        (width + 3, down * right),
    ):
        corner = np.take_along_axis(padded, first + step, axis=2).reshape(images.shape)
        turned += corner * share[:, None]
    return turned


def noise(images: Array, rng: Stream, sigma: float) -> Array:
    """Add to each pixel a normal number of mean 0 and standard deviation `sigma`."""
    noisy: Array = images + rng.normal(images.shape, 0.0, sigma)
    return noisy


def cutout(images: Array, rng: Stream, size: int) -> Array:
    """Set to 0 in each image a square of `size` pixels a side, its centre anywhere in the image.

    It may reach beyond the border.  Reference: DeVries & Taylor 2017.
    """
    n, _, height, width = images.shape
    top = rng.integers(0, height, (n,))[:, None] - size // 2
    left = rng.integers(0, width, (n,))[:, None] - size // 2
    down = (np.arange(height) >= top) & (np.arange(height) < top + size)
    across = (np.arange(width) >= left) & (np.arange(width) < left + size)
    return np.where(down[:, None, :, None] & across[:, None, None, :], images.dtype.type(0), images)
