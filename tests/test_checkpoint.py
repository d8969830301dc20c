# SPDX-License-Identifier: MIT OR Apache-2.0
"""Checkpoints: exact round trips, replacement through kills and full disks, refusal of damaged files."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import math
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import orjson
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from vynapse_core import checkpoint
from vynapse_core.checkpoint import load, load_arrays, save, save_arrays
from vynapse_core.errors import CheckpointError
from vynapse_core.files import as_json, replace_file, replace_files

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

T = TypeVar("T")
Floats = NDArray[np.float32]
Anything = NDArray[Any]
Real = NDArray[np.float32 | np.float64]
Named = Mapping[str, Floats]
HALF = np.float32(0.5)


@dataclass(frozen=True)
class Species:
    name: str
    members: NDArray[np.int64]
    champion: Floats | None = None


@dataclass(frozen=True)
class State:
    genes: Floats
    fitness: Real
    best: float
    step: int
    done: bool = False
    label: str | None = None
    bound: int | float | None = None
    species: tuple[Species, ...] = ()
    pair: tuple[int, Floats] = (0, np.zeros(0, np.float32))
    moments: Named = field(default_factory=dict)
    nested: Mapping[str, Mapping[str, Anything]] = field(default_factory=dict)
    scalar: np.float32 = HALF
    history: list[float] = field(default_factory=list)
    parent: State | None = None
    size: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.genes.ndim != 2:
            raise ValueError(f"genes have two axes, found {self.genes.ndim}")
        object.__setattr__(self, "size", len(self.genes))


@dataclass(frozen=True)
class Outer(Generic[T]):
    inner: T
    others: tuple[T, ...]
    spare: T | None
    rate: float


@dataclass
class Holder:
    value: Anything


@dataclass
class Plain:
    value: int | float | str | bool | None


def example(step: int = 7, size: int = 3) -> State:
    rng = np.random.Generator(np.random.PCG64(step))
    return State(
        genes=rng.random((size, 4), np.float32),
        fitness=rng.random(size),
        best=-0.1,
        step=step,
        label='naïve \n "quoted" ☃',
        bound=2**80,
        species=(Species("a", np.arange(3)), Species("b", np.arange(0), rng.random(2, np.float32))),
        pair=(-(2**70), rng.random(5, np.float32)),
        moments={
            "w.1": rng.random((2, 2), np.float32),
            "$odd": np.ones(1, np.float32),
            "": np.ones(2, np.float32),
        },
        nested={"b.c": {"d": np.arange(3)}, "b": {"c.d": np.array([True, False])}},
        history=[1.0, math.inf, -math.inf, -0.0, 1e-320],
    )


def same(a: Any, b: Any) -> bool:
    """Whether two values agree in type and in every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, float):
        return struct.pack(">d", a) == struct.pack(">d", b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return same(vars(a), vars(b)) if hasattr(a, "__dict__") else a == b


def arrays_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "state.json")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Alter the body of a checkpoint and make its digest true again, as one with intent would."""
    body = json.loads((folder / "state.json").read_bytes())["body"]
    changed = change(body)
    write_body(folder, orjson.dumps(body if changed is None else changed))


def write_body(folder: Path, body: bytes) -> None:
    digest = hashlib.sha256(body).hexdigest().encode()
    (folder / "state.json").write_bytes(b'{"digest":"' + digest + b'","body":' + body + b"}\n")


def put_arrays(folder: Path, data: bytes) -> None:
    """Replace the arrays of a checkpoint and make all digests true again."""
    for path in folder.glob("arrays-*"):
        path.unlink()
    checksum = hashlib.sha256(data).hexdigest()
    (folder / f"arrays-{checksum[:12]}.safetensors").write_bytes(data)
    rewrite(folder, lambda body: body.update(arrays=checksum))


def test_a_state_comes_back_to_the_same_bits(tmp_path: Path) -> None:
    state = replace(example(), parent=example(2, 1))
    save(
        tmp_path / "run" / "checkpoint",
        state,
        step=7,
        best=-math.inf,
        notes={"a": [1, 2.5, None, True, 2**90]},
    )
    loaded, extra = load(tmp_path / "run" / "checkpoint", State)
    assert same(loaded, state)
    assert same(extra, {"step": 7, "best": -math.inf, "notes": {"a": [1, 2.5, None, True, 2**90]}})


def test_the_state_file_is_json_that_others_can_read(tmp_path: Path) -> None:
    save(tmp_path, example(), step=7)
    body = json.loads((tmp_path / "state.json").read_bytes())["body"]
    assert body["extra"] == {"step": 7}
    assert body["state"]["genes"] == {"$array": "state.genes"}


def test_saving_twice_leaves_two_files_and_the_later_state(tmp_path: Path) -> None:
    for step in (1, 2, 2, 3):
        save(tmp_path, example(step))
        assert len(list(tmp_path.iterdir())) == 2
        assert load(tmp_path, State)[0].step == step


def test_the_same_state_gives_the_same_files(tmp_path: Path) -> None:
    save(tmp_path / "a", example(), step=1)
    save(tmp_path / "b", example(), step=1)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("dtype", sorted(checkpoint._DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (4, 5)])
def test_arrays_of_every_type_and_shape_come_back(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    state = Holder(np.arange(math.prod(shape)).reshape(shape).astype(dtype))
    save(tmp_path, state)
    loaded = load(tmp_path, Holder)[0]
    assert same(loaded.value, state.value)
    assert loaded.value.flags.writeable
    assert loaded.value.flags.owndata or loaded.value.base is None


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12.0)[::-2],
        np.arange(12.0).reshape(3, 4)[:, 1],
        np.broadcast_to(np.float32(3), (2, 2)),
        np.arange(4, dtype=">i4"),
        np.arange(4, dtype=">f8").reshape(2, 2).T,
    ],
)
def test_arrays_that_do_not_lie_in_c_order_are_not_corrupted(tmp_path: Path, array: Anything) -> None:
    save(tmp_path, Holder(array))
    loaded = load(tmp_path, Holder)[0].value
    assert loaded.tolist() == array.tolist()
    assert loaded.dtype == array.dtype.newbyteorder("=")
    save_arrays(tmp_path / "best", {"model.safetensors": {"w": array}})
    assert load_arrays(tmp_path / "best" / "model.safetensors")["w"].tolist() == array.tolist()


@settings(deadline=None)
@given(st.one_of(st.integers(), st.floats(allow_nan=True), st.text(), st.booleans(), st.none()))
def test_plain_values_of_every_kind_come_back_exactly(tmp_path_factory: Any, value: Any) -> None:
    folder = tmp_path_factory.mktemp("plain")
    if isinstance(value, str) and any(0xD800 <= ord(c) < 0xE000 for c in value):
        with pytest.raises(CheckpointError):
            save(folder, Plain(value))
        return
    save(folder, Plain(value), value=value)
    loaded, extra = load(folder, Plain)
    assert same(loaded.value, value)
    assert same(extra["value"], value)


@pytest.mark.parametrize(
    "value",
    [2**63, -(2**63) - 1, 16**5000, struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]],
    ids=["word", "minus", "huge", "nan"],
)
def test_huge_integers_and_odd_nans_come_back_exactly(tmp_path: Path, value: Any) -> None:
    save(tmp_path, Plain(value))
    assert same(load(tmp_path, Plain)[0].value, value)


def test_a_state_nested_by_a_type_parameter_is_loaded_by_naming_the_type(tmp_path: Path) -> None:
    state = Outer(example(1), (example(2),), None, 0.5)
    save(tmp_path, state)
    assert same(load(tmp_path, Outer[State])[0], state)
    with pytest.raises(CheckpointError, match=r"state\.inner: its type T is open"):
        load(tmp_path, Outer)
    deeper = Outer(state, (), state, 1.0)
    save(tmp_path, deeper)
    assert same(load(tmp_path, Outer[Outer[State]])[0], deeper)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"best": np.float64(1)}, "state.best: expected float, found float64"),
        ({"step": 1.0}, "state.step: expected int, found 1.0"),
        ({"step": True}, "state.step: expected int, found True"),
        ({"label": 3}, "state.label: expected"),
        ({"genes": [[1.0]]}, None),
        ({"genes": np.zeros((2, 2))}, "state.genes: expected .*float32.*found ndarray of float64"),
        ({"genes": np.ma.zeros((2, 2), np.float32)}, "state.genes: expected a NumPy array"),
        ({"species": [Species("a", np.arange(2))]}, "state.species: expected"),
        ({"species": (State,)}, r"state.species\[0\]: expected Species"),
        ({"pair": (1,)}, "state.pair: expected"),
        ({"moments": {1: np.zeros(1, np.float32)}}, "state.moments: expected"),
        ({"moments": {"\ud800": np.zeros(1, np.float32)}}, "cannot be saved"),
        ({"scalar": 0.5}, "state.scalar: expected float32"),
        ({"nested": {"a": {"b": np.array(["text"])}}}, r"state.nested.a.b: expected a NumPy array of bool"),
        ({"nested": {"a": {"b": np.array([None])}}}, r"state.nested.a.b: expected a NumPy array of bool"),
    ],
)
def test_a_value_that_would_not_come_back_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, Any], message: str | None
) -> None:
    save(tmp_path, example(1))
    state = example(2)
    for name, value in change.items():
        object.__setattr__(state, name, value)
    with pytest.raises(CheckpointError, match=message):
        save(tmp_path, state)
    assert load(tmp_path, State)[0].step == 1


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, {"$int": "0x1"}, np.zeros(2), object(), {1}, [b"x"]])
def test_an_extra_that_would_not_come_back_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(CheckpointError, match=r"extra\.thing.*expected int, float"):
        save(tmp_path, example(), thing=value)
    assert not list(tmp_path.iterdir())


def test_numpy_scalars_in_extra_become_plain(tmp_path: Path) -> None:
    save(tmp_path, example(), best=np.float64(0.1), step=np.int64(3), solved=np.bool_(True))
    assert same(load(tmp_path, State)[1], {"best": 0.1, "step": 3, "solved": True})


def test_a_state_that_is_no_dataclass_or_nests_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a type that a checkpoint can hold"):
        save(tmp_path, {"a": 1})
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(CheckpointError, match="cannot be saved"):
        save(tmp_path, example(), deep=deep)


def test_type_hints_that_do_not_exist_at_run_time_are_explained(tmp_path: Path) -> None:
    @dataclass
    class Hidden:
        value: Decimal

    with pytest.raises(CheckpointError, match=r"Hidden: its type hints cannot be resolved.*TYPE_CHECKING"):
        save(tmp_path, Hidden(1))  # type: ignore[arg-type]


class Killed(BaseException):
    """Stands for the end of the process."""


CALLS = ("mkdir", "open", "write", "fsync", "close", "replace", "unlink")


def die_at(patch: pytest.MonkeyPatch, call: int, error: BaseException | None = None, once: bool = False) -> list[str]:
    """Let the `call`th file operation raise `error`, and all later ones unless `once`; return their log."""
    log: list[str] = []

    def wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*args: Any, **kwargs: Any) -> Any:
            log.append(name)
            if len(log) == call or (len(log) > call and not once):
                if name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                raise error or Killed
            return real(*args, **kwargs)

        return operation

    for name in CALLS:
        patch.setattr(os, name, wrapped(name, getattr(os, name)))
    return log


@pytest.mark.parametrize("first", [True, False])
def test_a_process_that_dies_at_any_file_operation_leaves_a_loadable_checkpoint(tmp_path: Path, first: bool) -> None:
    before, after = example(1), example(2)
    outcomes = []
    for call in range(1, 60):
        folder = tmp_path / str(call)
        if not first:
            save(folder, before)
        with pytest.MonkeyPatch.context() as patch:
            log = die_at(patch, call)
            try:
                save(folder, after)
            except Killed:
                done = False
            else:
                done = len(log) < call
        if first and not (folder / "state.json").exists():
            outcomes.append(0)
        else:
            loaded = load(folder, State)[0]
            assert same(loaded, before if loaded.step == 1 else after)
            outcomes.append(loaded.step)
        save(folder, example(3))
        assert load(folder, State)[0].step == 3
        assert len(list(folder.iterdir())) == 2
        if done:
            break
    assert done
    assert len(outcomes) > 10
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {0 if first else 1, 2}


def fill_up_at(patch: pytest.MonkeyPatch, call: int, error: OSError) -> None:
    """Let writes be cut in half, and the `call`th raise `error`."""
    real, calls = os.write, itertools.count(1)

    def write(descriptor: int, data: bytes) -> int:
        if next(calls) == call:
            raise error
        return real(descriptor, bytes(data[: len(data) // 2 + 1]))

    patch.setattr(os, "write", write)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_reported_with_the_folder_and_spares_the_previous_checkpoint(tmp_path: Path, code: int) -> None:
    save(tmp_path, example(1))
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for call in (1, 2, 3, 4):
        with pytest.MonkeyPatch.context() as patch:
            fill_up_at(patch, call, OSError(code, os.strerror(code)))
            with pytest.raises(CheckpointError, match="disk full") as caught:
                save(tmp_path, example(2))
        assert str(tmp_path) in str(caught.value)
        left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert {name: left[name] for name in kept} == kept
        assert not [name for name in left if name.endswith(".tmp")]
        assert load(tmp_path, State)[0].step == 1


def test_a_full_disk_at_the_synchronisation_of_the_state_file_spares_the_previous_checkpoint(
    tmp_path: Path,
) -> None:
    save(tmp_path, example(1))
    with pytest.MonkeyPatch.context() as patch:
        die_at(patch, 9, OSError(errno.ENOSPC, "full"), once=True)
        with pytest.raises(CheckpointError, match="disk full"):
            save(tmp_path, example(2))
    assert load(tmp_path, State)[0].step == 1


@pytest.mark.skipif(os.name != "posix", reason="folders are synchronised on POSIX systems only")
def test_data_is_on_the_disk_before_it_takes_its_place_and_the_folder_after(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        log = die_at(patch, 100)
        replace_file(tmp_path / "file", b"data")
    assert log == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:100])))
    replace_file(tmp_path / "file", bytes(range(256)) * 5)
    assert (tmp_path / "file").read_bytes() == bytes(range(256)) * 5


def left_by(folder: Path, process: int, age: float, name: str = "file") -> Path:
    """Make what a process that was killed `age` seconds ago left half-written."""
    path = folder / f".{name}.{process}.tmp"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.skipif(os.name != "posix", reason="whether a process is gone is asked the POSIX way")
def test_what_a_killed_process_left_of_a_file_goes_when_that_file_is_written_again(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    left_by(tmp_path, ended.pid, age=3600)
    kept = [
        left_by(tmp_path, os.getppid(), age=3600),
        left_by(tmp_path, ended.pid, age=3600, name="other"),
        left_by(tmp_path, ended.pid, age=0, name="fresh"),
    ]
    replace_file(tmp_path / "file", b"data")
    replace_file(tmp_path / "fresh", b"data")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "file", tmp_path / "fresh", *kept])


def test_a_file_that_another_program_has_open_is_replaced_as_soon_as_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, "in use")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr("vynapse_core.files.PAUSE", 0.0)
    monkeypatch.setattr("vynapse_core.files.TRIES", 2)
    with pytest.raises(PermissionError):
        replace_file(tmp_path / "file", b"data")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("vynapse_core.files.TRIES", 20)
    replace_file(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"data"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(tmp_path / "file", example())
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_arrays(tmp_path / "file", {"a.safetensors": {"a": np.zeros(1)}})


SAVER = """
    import sys
    from dataclasses import dataclass
    from pathlib import Path
    import numpy as np
    from numpy.typing import NDArray
    from vynapse_core.checkpoint import save

    @dataclass
    class Saved:
        step: int
        values: NDArray[np.float64]

    step = int(sys.argv[2])
    while True:
        step += 1
        save(Path(sys.argv[1]), Saved(step, np.full(20_000, float(step))), step=step)
        print(step, flush=True)
"""


@dataclass
class Saved:
    step: int
    values: NDArray[np.float64]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills a process the POSIX way")
def test_a_saver_killed_again_and_again_always_leaves_its_last_finished_checkpoint(tmp_path: Path) -> None:
    step = 0
    for attempt in range(5):
        command = [sys.executable, "-c", textwrap.dedent(SAVER), str(tmp_path / "checkpoint"), str(step)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(0.02 + 0.0137 * attempt)
            process.kill()
            said = [step + 1, *(int(line) for line in process.stdout.read().split())]
        state, extra = load(tmp_path / "checkpoint", Saved)
        assert state.step == extra["step"] in (said[-1], said[-1] + 1)
        assert np.all(state.values == state.step)
        step = state.step
    assert step >= 5


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (
        "arrays-0123456789ab.safetensors",
        ".arrays-0123456789ab.safetensors.17.tmp",
        ".state.json.17.tmp",
    ):
        (tmp_path / name).write_bytes(b"left")
    (tmp_path / "notes.txt").write_text("mine")
    save(tmp_path, example())
    assert len(list(tmp_path.iterdir())) == 3
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint in"):
        load(tmp_path / "nowhere", State)
    save(tmp_path, example())
    (tmp_path / arrays_files(tmp_path)[0]).unlink()
    with pytest.raises(CheckpointError, match=r"arrays-.*is missing"):
        load(tmp_path, State)
    (tmp_path / "state.json").unlink()
    (tmp_path / "state.json").mkdir()
    with pytest.raises(CheckpointError, match="expected a file"):
        load(tmp_path, State)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_truncated_or_altered_file_is_refused(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("altered")
    save(folder, example())
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    text = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del text[data.draw(st.integers(0, len(text) - 1)) :]
    else:
        text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(text)
    with pytest.raises(CheckpointError, match=path.name):
        load(folder, State)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.update(format=2), "expected format version 1, found 2"),
        (lambda b: b.update(format="1"), "format version"),
        (lambda b: b.update(arrays="../../etc/passwd"), "expected a SHA-256 digest"),
        (lambda b: b.update(arrays="../" * 21 + "x"), "expected a SHA-256 digest"),
        (lambda b: b.update(arrays="0" * 64), "arrays-000000000000.safetensors.*missing"),
        (lambda b: b.update(arrays=None), "expected a SHA-256 digest"),
        (lambda b: b.update(extra=[]), "expected the keys"),
        (lambda b: b.update(more=1), "expected the keys"),
        (lambda b: b.pop("state"), "expected the keys"),
        (lambda b: [], "format version"),
        (lambda b: b.update(state=[]), "state: expected State"),
        (lambda b: b["state"].pop("step"), "step is missing"),
        (lambda b: b["state"].update(evil=1), "'evil' is unknown"),
        (lambda b: b["state"].update(size=1), "'size' is unknown"),
        (lambda b: b["state"].update(step="7"), "state.step: expected int, found '7'"),
        (lambda b: b["state"].update(step=7.0), "state.step: expected int, found 7.0"),
        (lambda b: b["state"].update(step=None), "state.step: expected int, found None"),
        (lambda b: b["state"].update(step={"$int": "9" * 5000 + "z"}), "state.step: expected a plain value"),
        (
            lambda b: b["state"].update(best="x", label={"$int": "0x" + "f" * 9999}),
            "state.best: expected float",
        ),
        (lambda b: b["state"].update(label={"$int": "0x" + "f" * 9999}), "found an int of 39996 bits"),
        (lambda b: b["state"].update(step={"$int": "0x1", "x": 1}), "state.step: expected a plain value"),
        (lambda b: b["state"].update(best={"$float": "inf"}), "state.best: expected a plain value"),
        (lambda b: b["state"].update(best=[1]), "state.best: expected a plain value"),
        (lambda b: b["state"].update(genes={"$array": "state.pair[1]"}), "state.genes|not a State"),
        (lambda b: b["state"].update(genes={"$array": "elsewhere"}), "there is no array 'elsewhere'"),
        (lambda b: b["state"].update(genes={"$array": ["x"]}), "there is no array"),
        (lambda b: b["state"].update(genes={"$array": "state.fitness"}), "expected .*float32"),
        (lambda b: b["state"].update(genes=[1.0]), "state.genes: expected"),
        (lambda b: b["state"].update(scalar={"$array": "state.genes"}), "state.scalar: expected float32"),
        (lambda b: b["state"].update(species={}), "state.species: expected"),
        (lambda b: b["state"].update(pair=[1]), "state.pair: expected"),
        (lambda b: b["state"].update(moments=[]), "state.moments: expected"),
        (lambda b: b["state"].update(moments={}), "unknown arrays state.moments"),
        (lambda b: b["state"].update(history=3), "state.history: expected"),
        (lambda b: b["extra"].update(evil={"$type": "os.system"}), "extra.evil: expected a plain value"),
    ],
)
def test_a_state_file_made_with_intent_is_refused_by_name(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    save(tmp_path, example())
    rewrite(tmp_path, lambda body: changed if isinstance(changed := change(body), list) else None)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(tmp_path, State)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        '{"a":' * 900 + "1" + "}" * 900,
        "1e999",
        "9" * 10_000,
        "NaN",
        '"\\ud800"',
    ],
)
def test_deep_nesting_and_giant_numbers_are_refused(tmp_path: Path, value: str) -> None:
    save(tmp_path, example())
    body = orjson.dumps(json.loads((tmp_path / "state.json").read_bytes())["body"])
    for key in (b'"step":7', b'"history":[1.0'):
        assert key in body
        write_body(tmp_path, body.replace(key, key.rpartition(b":")[0] + b":" + value.encode(), 1))
        with pytest.raises(CheckpointError, match=r"state\.json"):
            load(tmp_path, State)


def test_a_chain_of_nested_states_too_deep_to_build_is_refused(tmp_path: Path) -> None:
    save(tmp_path, replace(example(), species=()))
    body = json.loads((tmp_path / "state.json").read_bytes())["body"]
    text = orjson.dumps({**body["state"], "parent": "HERE"})
    chain = text
    for _ in range(900):
        chain = chain.replace(b'"HERE"', text)
    outer = orjson.dumps({**body, "state": "HERE"})
    write_body(tmp_path, outer.replace(b'"HERE"', chain).replace(b'"HERE"', b"null"))
    with pytest.raises(CheckpointError, match=r"state\.json"):
        load(tmp_path, State)


def header(text: bytes, length: int | None = None, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text + data


HOSTILE = [
    b"",
    b"\x00" * 7,
    header(b"{}", 2**63),
    header(b"{}", 2**64 - 1),
    header(b"{}", 90_000_000),
    header(b"not json"),
    header(b"[" * 100_000),
    header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', data=b"\x00" * 4),
    header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', data=b"\x00" * 8),
    header(b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
    header(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', data=b"\x00" * 4),
    header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', data=b"\x00" * 9),
    header(b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', data=b"\x00" * 2),
    header(b'{"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}', data=b"\x00" * 8),
    header(b'{"a":{"dtype":"os","shape":[1],"data_offsets":[0,8]}}', data=b"\x00" * 8),
    header(b'{"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}'),
]


@pytest.mark.parametrize("data", HOSTILE)
def test_a_malformed_arrays_file_is_refused(tmp_path: Path, data: bytes) -> None:
    save(tmp_path / "checkpoint", example())
    put_arrays(tmp_path / "checkpoint", data)
    with pytest.raises(CheckpointError, match=r"arrays-.*\.safetensors"):
        load(tmp_path / "checkpoint", State)
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_arrays(tmp_path / "model.safetensors")


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_bytes_that_are_no_arrays_file_never_raise_anything_else(
    tmp_path_factory: Any, noise: bytes, place: int
) -> None:
    path = tmp_path_factory.mktemp("noise") / "model.safetensors"
    save_arrays(path.parent, {path.name: {"w": np.ones((3, 2), np.float32), "n": np.array(3)}})
    data = path.read_bytes()
    path.write_bytes(data[:place] + noise + data[place + len(noise) :])
    try:
        arrays = load_arrays(path)
    except CheckpointError:
        return
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_arrays_with_names_or_types_that_cannot_be_stored_are_refused(tmp_path: Path) -> None:
    for arrays in ({"__metadata__": np.zeros(1)}, {1: np.zeros(1)}, {"a": [1.0]}, {"\ud800": np.zeros(1)}):
        with pytest.raises(CheckpointError, match="cannot be saved"):
            save_arrays(tmp_path, {"a.safetensors": arrays})  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_arrays(tmp_path / "a.safetensors")


def test_no_arrays_at_all_is_a_file_too(tmp_path: Path) -> None:
    save_arrays(tmp_path, {"a.safetensors": {}})
    assert load_arrays(tmp_path / "a.safetensors") == {}
    save(tmp_path / "checkpoint", Plain(1))
    assert load(tmp_path / "checkpoint", Plain)[0] == Plain(1)


def test_inputs_are_not_written(tmp_path: Path) -> None:
    state, copy = example(), example()
    save(tmp_path, state)
    assert same(state, copy)


def test_json_keeps_the_order_and_ends_with_a_newline() -> None:
    text = as_json({"b": 1, "a": [math.nan, 2.5, (math.inf,)], "ü": {"x": 2**200}}).decode()
    assert text.endswith("}\n")
    assert text.startswith('{\n  "b": 1,\n  "a": [\n    null,')
    assert json.loads(text) == {"b": 1, "a": [None, 2.5, [None]], "ü": {"x": 2**200}}


def test_a_value_that_is_not_json_is_refused() -> None:
    with pytest.raises(TypeError):
        as_json({"a": object()})


def test_of_several_files_none_takes_its_place_before_all_are_on_the_disk(tmp_path: Path) -> None:
    files = {"a": b"new", "b": b"new"}
    replace_files(tmp_path, dict.fromkeys(files, b"old"))
    with pytest.MonkeyPatch.context() as patch:
        log = die_at(patch, 100)
        replace_files(tmp_path, files)
    assert [name for name in log if name in ("fsync", "replace")] == ["fsync", "fsync", "replace", "replace", "fsync"]
    replace_files(tmp_path, dict.fromkeys(files, b"old"))
    with pytest.MonkeyPatch.context() as patch:
        fill_up_at(patch, 3, OSError(errno.ENOSPC, "full"))
        with pytest.raises(OSError, match="full"):
            replace_files(tmp_path, files)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old", "b": b"old"}


def test_a_replaced_file_has_the_permissions_of_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    replace_file(tmp_path / "made", b"data")
    assert (tmp_path / "made").stat().st_mode == (tmp_path / "plain").stat().st_mode
