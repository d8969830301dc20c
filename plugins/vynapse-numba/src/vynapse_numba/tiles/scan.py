# SPDX-License-Identifier: MIT OR Apache-2.0
"""A program repeated: each tile of networks goes through all steps by itself.

The first three steps are computed call by call and written down. Those after them are repeated from there, by machine
code where all of a step is calls of kernels. A parameter lies in one place where the step that writes it is the last
one to read it, else in two in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vynapse_core import Arguments, Array, Given
from vynapse_numba.threads import Workers
from vynapse_numba.tiles.bind import concrete
from vynapse_numba.tiles.call import Call, Sized, taken
from vynapse_numba.tiles.memory import Arena, rewritable
from vynapse_numba.tiles.moves import copying, gathering
from vynapse_numba.tiles.plans import Plan
from vynapse_numba.tiles.product import aligned
from vynapse_numba.tiles.repeat import Half, play
from vynapse_numba.tiles.tape import NOW, Native, Tape

Samples = Mapping[str, tuple[Array, Array]]
"""{input: (all its samples, which of them each step takes [steps, b])}."""
LED = 3
"""Steps that are computed call by call: the first reads what the caller gave, two more write down what they do."""

WORTH = 32
"""Steps after them from which laying them out for machine code takes less time than it saves."""


def carried(arguments: Arguments, carry: Mapping[str, str]) -> bool:
    """Whether each output that is carried has the shape and dtype of its parameter, and each parameter comes once."""
    nodes, outputs, parameters = arguments.live.nodes, arguments.live.outputs, arguments.live.parameters
    return len(set(carry.values())) == len(carry) and all(
        name in outputs
        and to in parameters
        and nodes[outputs[name]].type == nodes[parameters[to]].type
        and arguments.varying[outputs[name]]
        for name, to in carry.items()
    )


def repeated(
    plan: Plan,
    given: Given,
    samples: Samples,
    carry: Mapping[str, str],
    steps: int,
    sized: Sized,
    bounds: Sequence[int],
    workers: Workers,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the parameters after the last step, {name: [P, ...]}, and the other outputs, {name: [steps, P, ...]}.

    Tiles lie between `bounds`. Raises IndexError for a batch outside the samples.
    """
    live = plan.arguments.live

    def empty(i: int, *lead: int) -> Array:
        return np.empty((*lead, given.networks, *concrete(live.nodes[i].shape, given.sizes)), live.nodes[i].dtype)

    samples = {name: (_whole(source), _within(rows, source)) for name, (source, rows) in samples.items()}
    first = {live.parameters[to]: empty(live.outputs[name]) for name, to in carry.items()}
    alone = rewritable(plan, carry)
    second = {i: array if i in alone else np.empty_like(array) for i, array in first.items()}
    places = [first, second]
    seen = {name: empty(i, steps) for name, i in live.outputs.items() if name not in carry}
    threads = workers.threads if len(bounds) == 2 else 1

    def part(tile: int) -> None:
        arena = taken(sized.arenas) or Arena(plan, sized.layout)
        start, stop = bounds[tile], bounds[tile + 1]
        halves = [{i: array[start:stop] for i, array in place.items()} for place in places]
        mine = replace(given, own=[(i, array[start:stop]) for i, array in given.own], networks=stop - start)
        steps_of = {name: array[:, start:stop] for name, array in seen.items()}
        turns = _turns(plan, mine, samples, carry, halves, steps_of, sized, workers)
        with np.errstate(all="ignore"):
            for step in range(min(steps, LED)):
                turns[step].lead(arena, step)
            if steps > LED:
                _follow(turns[1:], steps, workers, threads)
        for turn in turns[:2]:
            turn.call.finish()
        sized.arenas.append(arena)

    workers.run(part, len(bounds) - 1)
    last = dict(given.own) | places[(steps - 1) % 2]
    return {name: last[i] for name, i in live.parameters.items()}, seen


@dataclass
class _Turn:
    """Every second step: what it reads and writes lies in the same places."""

    call: Call
    networks: int
    batches: list[tuple[Array, Array, Array]]
    """(the batch, all samples, which of them each step takes)."""
    found: dict[str, tuple[Array, Array]]
    """{output: (where a step writes it, all steps' [steps, n, ...])}."""
    shared: Tape
    own: Tape

    def lead(self, arena: Arena, step: int) -> None:
        """Compute a step call by call."""
        self.take(step)
        self.call.share(self.shared)
        self.call.tile(arena, 0, self.networks, self.own)
        self.keep(step)

    def take(self, step: int) -> None:
        """Bring together the batches of a step."""
        for batch, source, rows in self.batches:
            np.take(source, rows[step], axis=0, out=batch)

    def keep(self, step: int) -> None:
        """Keep the outputs of a step."""
        for array, steps in self.found.values():
            steps[step] = array

    def takes(self, step: int) -> list[Native]:
        """Return the calls that bring together the batches of a step, and then of every second one after it."""
        return [gathering(source, rows, step, 2, batch) for batch, source, rows in self.batches]

    def keeps(self, step: int) -> list[Native | None]:
        """Return the calls that keep the outputs of a step, and then of every second one after it."""
        return [copying(steps[step], array, 2 * steps.strides[0]) for array, steps in self.found.values()]


def _whole(source: Array) -> Array:
    """Return samples whose bytes can be copied: each whole in memory, in this machine's byte order."""
    return np.ascontiguousarray(source, source.dtype.newbyteorder("="))


def _room(like: Array) -> Array:
    """Return an array of the shape and dtype of another, from the start of a cache line."""
    room: Array = aligned(like.nbytes).view(like.dtype).reshape(like.shape)
    return room


def _within(rows: Array, source: Array) -> Array:
    """Return rows as int64, counted from the start. Raises IndexError for one outside the samples."""
    count = len(source)
    if rows.size and not -count <= rows.min() <= rows.max() < count:
        wrong = rows.min() if rows.min() < -count else rows.max()
        raise IndexError(f"batches: sample {wrong} is outside an input of {count}; expected 0 to {count - 1}")
    if rows.size and rows.min() < 0:
        rows = np.where(rows < 0, rows + count, rows)
    return np.ascontiguousarray(rows, np.int64)


def _turns(
    plan: Plan,
    given: Given,
    samples: Samples,
    carry: Mapping[str, str],
    halves: list[dict[int, Array]],
    steps_of: Mapping[str, Array],
    sized: Sized,
    workers: Workers,
) -> list[_Turn]:
    """Return a tile's turns: the first step, then two in turn."""
    live, shared = plan.arguments.live, dict(given.shared)
    moving = plan.moving(samples)
    rooms, founds = [], []
    for _ in range(2):
        rooms.append({live.inputs[name]: _room(shared[live.inputs[name]]) for name in samples})
        founds.append({name: (np.empty(array.shape[1:], array.dtype), array) for name, array in steps_of.items()})
    turns: list[_Turn] = []
    for at, (source, target) in enumerate((({}, halves[0]), (halves[0], halves[1]), (halves[1], halves[0]))):
        room, found = rooms[at % 2], founds[at % 2]
        own = [(i, source.get(i, array)) for i, array in given.own]
        mine = replace(given, own=own, shared=list((shared | room).items()))
        outputs = {name: target[live.parameters[to]] for name, to in carry.items()}
        outputs |= {name: array for name, (array, _) in found.items()}
        call = Call(plan, mine, outputs, sized, workers, moving)
        if at == 2:
            call.packs = turns[0].call.packs
        batches = [(room[live.inputs[name]], *samples[name]) for name in samples]
        tapes = (Tape(), Tape()) if at else (NOW, NOW)
        turns.append(_Turn(call, given.networks, batches, found, *tapes))
    return turns


def _follow(turns: list[_Turn], steps: int, workers: Workers, threads: int) -> None:
    """Repeat what two turns have written down, from step LED on."""
    halves = _halves(turns, steps) if steps - LED >= WORTH else None
    if halves is not None:
        first = turns[0]
        first.take(LED)
        first.shared.again()
        play(halves, steps - LED, workers, threads)
        return
    for step in range(LED, steps):
        turn = turns[(step - LED) % 2]
        turn.take(step)
        turn.shared.again()
        turn.own.again()
        turn.keep(step)


def _halves(turns: list[_Turn], steps: int) -> list[Half] | None:
    """Return two turns as calls of kernels, the first from step LED on; None where some of them need Python."""
    found = []
    for at, (turn, other) in enumerate(zip(turns, turns[::-1], strict=True)):
        keeps = turn.keeps(LED + at) if LED + at < steps else []
        own, shared = turn.own.natives(), other.shared.natives()
        if own is None or shared is None:
            return None
        kept = [native for native in keeps if native is not None]
        if len(kept) < len(keeps):
            return None
        found.append(Half([*own, *kept], [*other.takes(LED + at + 1), *shared]))
    return found
