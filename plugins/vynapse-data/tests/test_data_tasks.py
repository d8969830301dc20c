# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tasks on data: files in small, splits, scaling, and what is refused."""

from __future__ import annotations

import gzip
import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from vynapse_core import DataError, SupervisedTask
from vynapse_data import digits as digits_module, published_task
from vynapse_data.digits import Digits
from vynapse_data.files import Idx, Npz
from vynapse_data.mnist import Mnist
from vynapse_data.table_task import Csv
from vynapse_tasks.losses import CrossEntropy, MeanSquaredError

NO_EXPERIMENT: Any = None


def write_idx(file: Path, array: Any) -> Path:
    header = bytes([0, 0, {"uint8": 8, "float32": 13}[array.dtype.name], array.ndim])
    sizes = np.array(array.shape, ">u4").tobytes()
    file.write_bytes(header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes())
    return file


def classes_npz(folder: Path, n: int = 100, **arrays: Any) -> str:
    rng = np.random.default_rng(0)
    x = rng.normal(5, 3, (n, 4))
    y = np.repeat([3, 7], [n // 4, n - n // 4])
    np.savez(folder / "data.npz", **{"x": x, "y": y, **arrays})
    return str(folder / "data.npz")


def numbered(task: SupervisedTask) -> dict[str, set[float]]:
    return {split: set(task.data(split).x[:, 0].tolist()) for split in task.splits}


def problems(task: SupervisedTask) -> str:
    return "\n".join(f"{field}: {message}" for field, message in task.problems(NO_EXPERIMENT))


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write the four files with 60 and 20 images in place of 60,000 and 10,000."""
    rng = np.random.default_rng(0)
    for prefix, n in (("train", 60), ("t10k", 20)):
        images = rng.integers(0, 256, (n, 28, 28), np.uint8)
        images[:, 0, 0] = np.arange(n)
        images[0, 27, 27] = 255
        labels = (np.arange(n) % 10).astype(np.uint8)
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte", images)
        packed = write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte", labels)
        packed.with_name(packed.name + ".gz").write_bytes(gzip.compress(packed.read_bytes()))
        packed.unlink()
    monkeypatch.setattr("vynapse_data.idx_images.SPLITS", {"train": ("train", 60), "test": ("t10k", 20)})
    return str(tmp_path)


def test_mnist_images_are_rows_of_784_pixels_from_0_to_1(small_mnist: str) -> None:
    task = Mnist(path=small_mnist)
    train, test = task.data("train"), task.data("test")
    assert task.splits == ("train", "test")
    assert (train.x.shape, test.x.shape) == ((60, 784), (20, 784))
    assert train.x.dtype == np.float32
    assert train.x[0, 783] == 1.0
    assert train.x[59, 0] == np.float32(59 / 255)
    assert train.y.tolist() == [i % 10 for i in range(60)]
    assert train.y.dtype == np.int64
    assert (task.inputs, task.outputs, task.classification) == ((784,), 10, True)


def test_mnist_holds_out_validation_images_by_classes(small_mnist: str) -> None:
    task = Mnist(path=small_mnist, validation=20)
    assert task.splits == ("train", "validation", "test")
    found = numbered(task)
    assert (len(found["train"]), len(found["validation"])) == (40, 20)
    assert not found["train"] & found["validation"]
    assert np.bincount(task.data("validation").y).tolist() == [2] * 10


def test_mnist_learns_from_a_few_images_with_the_same_validation_split(small_mnist: str) -> None:
    few, all_ = (Mnist(path=small_mnist, validation=20, train=n) for n in (10, None))
    assert len(few.data("train")) == 10
    assert np.bincount(few.data("train").y).tolist() == [1] * 10
    assert numbered(few)["validation"] == numbered(all_)["validation"]
    other = Mnist(path=small_mnist, validation=20, split_seed=1)
    assert numbered(other)["validation"] != numbered(all_)["validation"]


def test_a_folder_that_lacks_mnist_files_is_a_problem_and_an_error(tmp_path: Path) -> None:
    task = Mnist(path=str(tmp_path))
    assert "path: no train-images-idx3-ubyte" in problems(task)
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        task.data("train")


def test_mnist_without_a_path_is_neither_read_nor_downloaded_while_checking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_task, "collection_folder", lambda *given: pytest.fail("looked for files"))
    task = Mnist()
    assert (task.inputs, task.outputs, task.splits, problems(task)) == ((784,), 10, ("train", "test"), "")


def test_mnist_cannot_give_more_training_images_than_there_are() -> None:
    with pytest.raises(ValidationError, match="60000 training images"):
        Mnist(train=59_000, validation=1_001)


def real_mnist() -> bool:
    data = os.environ.get("VYNAPSE_DATA")
    return bool(data) and (Path(data or "") / "mnist").is_dir()


@pytest.mark.skipif(not real_mnist(), reason="VYNAPSE_DATA is not set, or holds no mnist")
def test_the_real_mnist_has_its_published_mean_and_deviation() -> None:
    task = Mnist()
    x = task.data("train").x
    assert x.shape == (60_000, 784)
    assert x.mean(dtype=np.float64) == pytest.approx(0.1307, abs=1e-4)
    assert x.std(dtype=np.float64) == pytest.approx(0.3081, abs=1e-4)
    assert len(task.data("test")) == 10_000


def test_digits_are_those_of_scikit_learn_scaled_to_1() -> None:
    from sklearn.datasets import load_digits

    x, y = Digits().read()
    expected = load_digits()
    assert np.array_equal(x, expected.data.astype(np.float32) / 16)
    assert np.array_equal(y, expected.target)
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (0.0, 1.0)


def test_digits_are_parted_four_to_one_by_classes() -> None:
    task = Digits()
    train, test = task.data("train"), task.data("test")
    assert (len(train), len(test)) == (1438, 359)
    shares = np.bincount(train.y) / (np.bincount(train.y) + np.bincount(test.y))
    assert np.abs(shares - 0.8).max() < 0.01
    assert (task.inputs, task.outputs, task.classification) == ((64,), 10, True)


def test_digits_do_not_import_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert Digits().read()[0].shape == (1797, 64)


def test_digits_without_scikit_learn_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits_module, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r'pip install "vynapse-data\[digits\]"'):
        Digits().data("train")


def test_digits_are_found_through_scikit_learn_where_the_file_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = importlib.util.spec_from_loader("sklearn", loader=None)
    monkeypatch.setattr(digits_module, "find_spec", lambda name: moved)
    assert Digits().read()[0].shape == (1797, 64)


def test_splits_share_no_sample_and_use_all(tmp_path: Path) -> None:
    task = Npz(path=classes_npz(tmp_path, x=np.arange(100.0)), validation=0.1, test=0.25)
    found = numbered(task)
    assert list(found) == ["train", "validation", "test"]
    assert [len(found[name]) for name in found] == [65, 10, 25]
    assert set().union(*found.values()) == set(range(100))


def test_the_test_split_stays_when_validation_changes(tmp_path: Path) -> None:
    path = classes_npz(tmp_path, x=np.arange(100.0))
    assert numbered(Npz(path=path))["test"] == numbered(Npz(path=path, validation=0.3))["test"]


def test_the_cut_depends_on_the_split_seed_alone(tmp_path: Path) -> None:
    path = classes_npz(tmp_path, x=np.arange(100.0))
    assert np.array_equal(Npz(path=path).data("train").x, Npz(path=path).data("train").x)
    assert numbered(Npz(path=path)) != numbered(Npz(path=path, split_seed=1))


def test_a_stratified_cut_keeps_the_shares_of_classes(tmp_path: Path) -> None:
    path = classes_npz(tmp_path)
    seeds = range(5)
    kept = [int((Npz(path=path, split_seed=s).data("test").y == 0).sum()) for s in seeds]
    drawn = [int((Npz(path=path, split_seed=s, stratified=False).data("test").y == 0).sum()) for s in seeds]
    assert set(kept) == {5}
    assert len(set(drawn)) > 1


def test_a_task_without_test_share_has_no_test_split(tmp_path: Path) -> None:
    assert Npz(path=classes_npz(tmp_path), test=0.0).splits == ("train",)


def test_shares_that_leave_no_training_data_are_refused() -> None:
    with pytest.raises(ValidationError, match="leaves nothing to train on"):
        Npz(path="data.npz", validation=0.5, test=0.5)


def test_too_few_samples_for_the_splits_name_the_file(tmp_path: Path) -> None:
    task = Npz(path=classes_npz(tmp_path, x=np.zeros(2), y=np.array([0, 1])), test=0.1)
    with pytest.raises(DataError, match=r"data\.npz: split of 2 samples"):
        task.data("train")


def test_standardising_uses_the_statistics_of_the_train_split_only(tmp_path: Path) -> None:
    path = classes_npz(tmp_path)
    task, plain = Npz(path=path, standardise=True), Npz(path=path)
    train, test = task.data("train").x, task.data("test").x
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-5)
    raw = plain.data("train").x.astype(np.float64)
    expected = (plain.data("test").x - raw.mean(axis=0)) / raw.std(axis=0)
    np.testing.assert_allclose(test, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(test.mean(axis=0)).max() > 1e-3


def test_one_hot_targets_have_a_column_per_class_and_stay_classes(tmp_path: Path) -> None:
    path = classes_npz(tmp_path)
    ids, rows = Npz(path=path).data("train").y, Npz(path=path, one_hot=True)
    assert np.array_equal(rows.data("train").y, np.eye(2, dtype=np.float32)[ids])
    assert rows.data("train").y.dtype == np.float32
    assert (rows.outputs, rows.classification) == (2, True)


def test_one_hot_of_numbers_is_refused(tmp_path: Path) -> None:
    path = classes_npz(tmp_path, y=np.linspace(0, 1, 100))
    with pytest.raises(DataError, match=r"data\.npz: one_hot needs targets that are classes"):
        Npz(path=path, one_hot=True).data("train")


def test_whole_numbers_are_classes_in_sorted_order_and_others_numbers(tmp_path: Path) -> None:
    classes = Npz(path=classes_npz(tmp_path))
    assert (classes.inputs, classes.outputs, classes.classification) == ((4,), 2, True)
    assert np.bincount(classes.data("train").y).tolist() == [20, 60]
    numbers = Npz(path=classes_npz(tmp_path), targets="numbers", loss=MeanSquaredError())
    assert (numbers.outputs, numbers.classification) == (1, False)
    assert set(numbers.data("train").y[:, 0].tolist()) == {3.0, 7.0}
    floats = Npz(path=classes_npz(tmp_path, y=np.repeat([0.5, 1.5], 50)), targets="classes")
    assert np.bincount(floats.data("train").y).tolist() == [40, 40]


def test_images_in_an_npz_keep_their_shape(tmp_path: Path) -> None:
    task = Npz(path=classes_npz(tmp_path, x=np.zeros((100, 5, 6))))
    assert task.inputs == (5, 6)
    assert task.data("train").x.dtype == np.float32
    assert task.default_genome()["layers"] == (30, 16, 2)


def test_rows_with_a_single_one_are_classes(tmp_path: Path) -> None:
    path = classes_npz(tmp_path, y=np.eye(4)[np.arange(100) % 4])
    assert Npz(path=path).classification
    assert problems(Npz(path=path)) == ""


def test_cross_entropy_of_numbers_is_a_problem(tmp_path: Path) -> None:
    several = Npz(path=classes_npz(tmp_path, y=np.random.default_rng(0).normal(0, 1, (100, 3))))
    assert "loss: cross_entropy compares with classes" in problems(several)
    assert not problems(several.model_copy(update={"loss": MeanSquaredError()}))


def test_accuracy_of_numbers_is_a_problem(tmp_path: Path) -> None:
    path = classes_npz(tmp_path, y=np.linspace(0, 1, 100))
    assert "fitness: accuracy" in problems(Npz(path=path, fitness="accuracy", loss=MeanSquaredError()))


def test_cross_entropy_of_a_single_output_is_a_problem(tmp_path: Path) -> None:
    path = classes_npz(tmp_path, y=np.linspace(0, 1, 100))
    one: Any = SimpleNamespace(task=Npz(path=path))
    assert "binary_cross_entropy" in next(iter(CrossEntropy().problems(one)))[1]
    two: Any = SimpleNamespace(task=Npz(path=path, targets="classes"))
    assert not list(CrossEntropy().problems(two))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": np.zeros((100, 2, 2))}, r"expected targets of shape \[n\] or \[n, k\]"),
        ({"y": np.zeros(100, int)}, "one class"),
        ({"x": np.full((100, 2), 1e300)}, "too large for float32"),
        ({"y": np.zeros((99, 1))}, "one row a sample"),
    ],
)
def test_unfit_arrays_are_refused_with_the_files_name(tmp_path: Path, arrays: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Npz(path=classes_npz(tmp_path, **arrays)).data("train")
    assert "data.npz" in str(caught.value)


def test_idx_files_are_scaled_images_and_class_ids(tmp_path: Path) -> None:
    images = np.full((20, 3, 4), 255, np.uint8)
    labels = np.tile(np.array([2, 9], np.uint8), 10)
    task = Idx(images=str(write_idx(tmp_path / "images", images)), labels=str(write_idx(tmp_path / "labels", labels)))
    assert (task.inputs, task.outputs) == ((3, 4), 2)
    assert set(task.data("train").x.ravel().tolist()) == {1.0}
    assert np.bincount(task.data("test").y).tolist() == [2, 2]


def test_idx_files_of_floats_are_taken_as_they_are(tmp_path: Path) -> None:
    images = write_idx(tmp_path / "images", np.full((20, 3), 7.5, np.float32))
    labels = write_idx(tmp_path / "labels", (np.arange(20) % 2).astype(np.uint8))
    assert set(Idx(images=str(images), labels=str(labels)).data("train").x.ravel().tolist()) == {7.5}


def test_idx_files_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    images = str(write_idx(tmp_path / "images", np.zeros((20, 3), np.uint8)))
    labels = str(write_idx(tmp_path / "labels", np.zeros(19, np.uint8)))
    with pytest.raises(DataError, match="as many images as labels"):
        Idx(images=images, labels=labels).data("train")
    with pytest.raises(DataError, match=r"images: expected whole numbers \[n\]"):
        Idx(images=images, labels=images).data("train")


FLOWERS = "length,width,species\n" + "".join(f"{i},{i % 3},{'rose' if i % 2 else 'aster'}\n" for i in range(20))


def csv(folder: Path, text: str = FLOWERS) -> str:
    (folder / "table.csv").write_text(text)
    return str(folder / "table.csv")


def test_a_csv_with_names_in_its_last_column_is_a_classification(tmp_path: Path) -> None:
    task = Csv(path=csv(tmp_path))
    assert (task.inputs, task.outputs, task.classification) == ((2,), 2, True)
    data = task.data("train")
    assert np.array_equal(data.y, data.x[:, 0].astype(int) % 2)


def test_csv_columns_are_named_or_numbered_one_or_several(tmp_path: Path) -> None:
    table = csv(tmp_path, "a;b;c\n" + "1;2;3\n" * 10)
    loss = MeanSquaredError()
    one = Csv.model_validate({"path": table, "delimiter": ";", "target_columns": "b", "loss": loss})
    assert one.target_columns == ("b",)
    assert one.data("train").y.tolist() == [[2.0]] * 8
    two = Csv(path=table, delimiter=";", target_columns=("c", 0), loss=loss)
    assert two.data("train").y.tolist() == [[3.0, 1.0]] * 8
    assert two.data("train").x.tolist() == [[2.0]] * 8


def test_csv_numbers_can_be_classes(tmp_path: Path) -> None:
    table = csv(tmp_path, "".join(f"{i}.5,{i % 2 + 1}\n" for i in range(10)))
    assert Csv(path=table, targets="classes").data("train").y.tolist().count(0) == 4
    assert not Csv(path=table).classification


@pytest.mark.parametrize("wrong", [1.5, True, [["a"]], [{}]])
def test_a_target_column_is_a_name_or_a_number(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="expected a column's name or number") as caught:
        Csv(path="table.csv", target_columns=wrong)
    assert caught.value.error_count() == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("a,b\n1,x\n2\n", "line 3"),
        ("a,b\n1,x\noops,y\n", "line 3"),
        (FLOWERS.replace("species", "kind").replace("rose", ""), "line 3.*missing"),
    ],
)
def test_a_malformed_csv_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Csv(path=csv(tmp_path, text)).data("train")
    assert "table.csv" in str(caught.value)


@pytest.mark.parametrize(
    "task", [Csv(path="none.csv"), Npz(path="none.npz"), Idx(images="none.idx", labels="none.idx")]
)
def test_a_missing_file_is_named(task: SupervisedTask) -> None:
    with pytest.raises(DataError, match=r"none\."):
        task.data("train")


def test_a_relative_path_becomes_absolute_so_that_the_task_means_the_same_file_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv(tmp_path)
    monkeypatch.chdir(tmp_path)
    task = Csv(path="table.csv")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert task.path == str(tmp_path / "table.csv")
    assert len(task.data("train")) == 16
    assert Csv(path=task.path) == task


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Npz(path="~/data.npz").path == str(Path.home() / "data.npz")
    with pytest.raises(ValidationError, match="no such home folder"):
        Npz(path="~nobody-of-this-name/data.npz")


@pytest.mark.skipif(os.name != "posix", reason="only POSIX lets the working directory go")
def test_a_relative_path_is_refused_where_the_working_directory_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ValidationError, match="the working directory, which is gone"):
        Npz(path="data.npz")


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_that_no_file_can_have_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="string"):
        Npz(path=path)
