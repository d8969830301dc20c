# SPDX-License-Identifier: MIT OR Apache-2.0
"""Augmentation: what each change does to an image, and that chance is keyed by the update alone."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from vynapse_core import DataError, Streams
from vynapse_data import augmentation
from vynapse_data.augmented_task import Crop, Cutout, Flip, Noise, Rotate
from vynapse_data.files import Npz
from vynapse_data.prefetch import prefetched

EVERY = (Crop(padding=2), Flip(), Rotate(degrees=30), Noise(), Cutout(size=3))


def images(n: int = 40, channels: int = 2, height: int = 9, width: int = 7) -> Any:
    return Streams(1)("images").uniform((n, channels, height, width), 0.5, 1.0)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    np.savez(tmp_path / "data.npz", x=images(60), y=np.arange(60) % 3)
    return str(tmp_path / "data.npz")


@pytest.mark.parametrize("change", EVERY, ids=lambda change: change.type)
def test_a_change_leaves_its_input_alone_keeps_the_form_and_draws_the_same_again(change: Any) -> None:
    given = images()
    before = given.copy()
    changed = change.change(given, Streams(3)("augment"))
    assert np.array_equal(given, before)
    assert (changed.shape, changed.dtype) == (given.shape, np.float32)
    assert not np.array_equal(changed, given)
    assert np.array_equal(changed, change.change(given, Streams(3)("augment")))
    assert not np.array_equal(changed, change.change(given, Streams(4)("augment")))


def test_a_crop_is_the_image_moved_by_at_most_its_padding_with_zeros_behind_it() -> None:
    given = images(200)
    cropped = augmentation.crop(given, Streams(0)("crop"), 2)
    padded = np.pad(given, ((0, 0), (0, 0), (2, 2), (2, 2)))
    found = set()
    for before, after in zip(padded, cropped, strict=True):
        places = [(y, x) for y in range(5) for x in range(5) if np.array_equal(before[:, y : y + 9, x : x + 7], after)]
        assert len(places) == 1
        found.add(places[0])
    assert len(found) == 25


def test_a_flip_mirrors_whole_images_at_its_rate() -> None:
    given = images(1000)
    flipped = augmentation.flip(given, Streams(0)("flip"), 0.3)
    mirrored = (flipped == given[..., ::-1]).all(axis=(1, 2, 3))
    assert ((flipped == given).all(axis=(1, 2, 3)) ^ mirrored).all()
    assert mirrored.mean() == pytest.approx(0.3, abs=0.05)


def test_a_rotation_is_scipys_by_the_same_angle() -> None:
    given = images(20, 2, 11, 11)
    turned = augmentation.rotate(given, Streams(5)("turn"), 40)
    angles = Streams(5)("turn").uniform((20, 1, 1), -np.deg2rad(40), np.deg2rad(40)).ravel()
    assert angles.min() < 0 < angles.max()
    for image, angle, after in zip(given, angles, turned, strict=True):
        matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        middle = np.array([5.0, 5.0])
        for channel in range(2):
            wanted = ndimage.affine_transform(
                np.pad(image[channel].astype(np.float64), 3),
                matrix,
                (middle + 3) - matrix @ (middle + 3),
                order=1,
                output_shape=(17, 17),
            )[3:-3, 3:-3]
            assert np.allclose(after[channel], wanted, atol=1e-4)


def test_noise_has_its_deviation() -> None:
    added = augmentation.noise(images(500), Streams(0)("noise"), 0.2) - images(500)
    assert added.mean() == pytest.approx(0, abs=0.005)
    assert added.std() == pytest.approx(0.2, rel=0.02)


def test_cutout_sets_one_square_to_zero_in_all_channels() -> None:
    cut = augmentation.cutout(images(300), Streams(0)("cut"), 3)
    holes = cut == 0
    assert np.array_equal(holes[:, 0], holes[:, 1])
    assert np.array_equal(cut[~holes], images(300)[~holes])
    sizes = set()
    for hole in holes[:, 0]:
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        assert hole[np.ix_(rows, columns)].all()
        sizes.add((len(rows), len(columns)))
    assert max(sizes) == (3, 3)


def batches(task: Npz, rows: Any, first: int = 0) -> Any:
    return np.stack([batch.x for batch in task.batches(rows, first, Streams(7))])


def test_a_batch_depends_on_its_update_and_not_on_those_made_with_it(archive: str) -> None:
    task = Npz(path=archive, augment=EVERY)
    rows = np.arange(40).reshape(8, 5)
    whole = batches(task, rows)
    assert np.array_equal(whole[3:6], batches(task, rows[3:6], 3))
    assert np.array_equal(whole[7:], batches(task, rows[7:], 7))
    assert not np.array_equal(whole[:1], batches(task, rows[:1], 1))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_batches_have_the_same_bits_on_any_number_of_threads(
    archive: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, rows = Npz(path=archive, augment=EVERY), np.arange(40).reshape(8, 5)
    expected = batches(task, rows)
    monkeypatch.setattr(prefetched, "__kwdefaults__", {"threads": threads, "ahead": 3})
    assert np.array_equal(batches(task, rows), expected)


def test_a_change_added_to_the_end_moves_no_draw_of_those_before_it(archive: str) -> None:
    rows = np.arange(40).reshape(8, 5)
    cropped = batches(Npz(path=archive, augment=(Crop(),)), rows)
    both = batches(Npz(path=archive, augment=(Crop(), Cutout(size=1))), rows)
    kept = both != 0
    assert np.array_equal(both[kept], cropped[kept])


def test_splits_stay_as_they_are_and_a_task_without_changes_gives_them(archive: str) -> None:
    plain, task = Npz(path=archive), Npz(path=archive, augment=EVERY)
    for split in plain.splits:
        assert np.array_equal(plain.data(split).x, task.data(split).x)
    rows = np.arange(10).reshape(2, 5)
    assert np.array_equal(batches(plain, rows), plain.data("train").x[rows])
    assert (plain.augments, plain.stochastic, task.augments, task.stochastic) == (False, False, True, True)


def test_changes_of_what_is_no_image_are_a_problem(tmp_path: Path, archive: str) -> None:
    np.savez(tmp_path / "rows.npz", x=np.ones((20, 5)), y=np.arange(20) % 2)
    experiment: Any = None
    ((field, message),) = Npz(path=str(tmp_path / "rows.npz"), augment=(Flip(),)).problems(experiment)
    assert (field, message) == ("augment", "changes images [C, H, W] or [H, W], and a sample here has the shape [5]")
    ((field, message),) = Npz(path=archive, augment=(Flip(), Cutout(size=7))).problems(experiment)
    assert field == "augment.1.size"
    assert "7 pixels leave nothing of images of 7" in message


def test_results_come_in_order_and_only_some_are_made_ahead() -> None:
    started: list[int] = []
    results = prefetched(lambda number: started.append(number) or number, 100, threads=3, ahead=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(started) <= 3 + 4
    results.close()
    assert len(started) <= 3 + 4


def test_an_interrupt_while_results_are_awaited_ends_the_threads() -> None:
    def make(number: int) -> int:
        if number == 3:
            raise KeyboardInterrupt
        return number

    results = prefetched(make, 1000)
    with pytest.raises(KeyboardInterrupt):
        list(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_an_error_in_the_background_is_raised_where_its_result_is_due() -> None:
    def make(number: int) -> int:
        if number == 2:
            raise DataError("row 2 is broken")
        return number

    results = prefetched(make, 10)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(DataError, match="row 2 is broken"):
        next(results)
