# SPDX-License-Identifier: MIT OR Apache-2.0
"""A program repeated: each tile of networks goes through all steps by itself, its parameters in two places in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vynapse_core import Arguments, Array, Given
from vynapse_numba.threads import Workers
from vynapse_numba.tiles.bind import concrete
from vynapse_numba.tiles.call import Call, Sized, borders, taken
from vynapse_numba.tiles.memory import Arena
from vynapse_numba.tiles.steps import Plan
from vynapse_numba.tiles.tape import NOW, Tape

Samples = Mapping[str, tuple[Array, Array]]
"""{input: (all its samples, which of them each step takes [steps, b])}."""


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
    workers: Workers,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the parameters after the last step, {name: [P, ...]}, and the other outputs, {name: [steps, P, ...]}."""
    live = plan.arguments.live

    def empty(i: int, *lead: int) -> Array:
        return np.empty((*lead, given.networks, *concrete(live.nodes[i].shape, given.sizes)), live.nodes[i].dtype)

    places = [{live.parameters[to]: empty(live.outputs[name]) for name, to in carry.items()} for _ in range(2)]
    seen = {name: empty(i, steps) for name, i in live.outputs.items() if name not in carry}
    bounds = borders(given.networks, sized.layout, workers.threads)

    def part(tile: int) -> None:
        arena = taken(sized.arenas) or Arena(plan, sized.layout)
        start, stop = bounds[tile], bounds[tile + 1]
        halves = [{i: array[start:stop] for i, array in place.items()} for place in places]
        mine = replace(given, own=[(i, array[start:stop]) for i, array in given.own], networks=stop - start)
        steps_of = {name: array[:, start:stop] for name, array in seen.items()}
        batches, calls = _calls(plan, mine, samples, carry, halves, sized, workers)
        found = {name: np.empty(array.shape[1:], array.dtype) for name, array in steps_of.items()}
        tapes = [Tape(), Tape()]
        with np.errstate(all="ignore"):
            for step in range(steps):
                for batch, source, rows in batches:
                    np.take(source, rows[step], axis=0, out=batch)
                if step < 3:
                    tape = tapes[step % 2] if step else NOW
                    calls[step].outputs |= found
                    calls[step].share(tape)
                    calls[step].tile(arena, 0, stop - start, tape)
                else:
                    tapes[step % 2].again()
                for name, array in steps_of.items():
                    array[step] = found[name]
        calls[0].finish()
        sized.arenas.append(arena)

    workers.run(part, len(bounds) - 1)
    last = dict(given.own) | places[(steps - 1) % 2]
    return {name: last[i] for name, i in live.parameters.items()}, seen


def _calls(
    plan: Plan,
    given: Given,
    samples: Samples,
    carry: Mapping[str, str],
    halves: list[dict[int, Array]],
    sized: Sized,
    workers: Workers,
) -> tuple[list[tuple[Array, Array, Array]], list[Call]]:
    """Return a tile's batches, (array, all samples, which of them), and its calls: the first, then two in turn."""
    live, shared = plan.arguments.live, dict(given.shared)
    room = {live.inputs[name]: np.empty_like(shared[live.inputs[name]], order="C") for name in samples}
    given = replace(given, shared=list((shared | room).items()))
    calls: list[Call] = []
    for source, target in (({}, halves[0]), (halves[0], halves[1]), (halves[1], halves[0])):
        mine = replace(given, own=[(i, source.get(i, array)) for i, array in given.own])
        outputs = {name: target[live.parameters[to]] for name, to in carry.items()}
        calls.append(Call(plan, mine, outputs, sized, workers))
        calls[-1].packs = calls[0].packs
    return [(room[live.inputs[name]], *samples[name]) for name in samples], calls
