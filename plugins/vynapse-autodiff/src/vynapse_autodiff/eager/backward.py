# SPDX-License-Identifier: MIT OR Apache-2.0
"""Backward passes: gradients added to the leaves, or returned, as numbers or as tensors that have gradients again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from vynapse_autodiff.eager.blame import at_line, described
from vynapse_autodiff.eager.calls import FREED, call_of
from vynapse_autodiff.eager.derive import Pullback, pullback
from vynapse_autodiff.eager.modes import MODE
from vynapse_autodiff.eager.record import computed
from vynapse_autodiff.eager.structure import Structure, located
from vynapse_autodiff.eager.tensor import Tensor
from vynapse_core import GraphError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vynapse_core import Array


def backward(root: Tensor, gradient: Any = None, retain_graph: bool = False) -> None:
    """Add the gradient of `root` to the `grad` of each leaf that requires one; see `Tensor.backward`."""
    _need_gradient(root)
    if MODE.get().everything:
        raise GraphError(at_line("backward changes leaves, which no graph can express; trace what grad returns"))
    seeds = _no_seed((root,)) if gradient is None else [_cotangent(root, gradient)]
    structure, found = located((root,))
    retained = tuple([i for i, *_ in structure.calls if (note := found[i]._note) is not None and note.retain])
    key = (retained, gradient is None)
    back = structure.programs.get(key)
    if back is None:
        wanted = [leaf[0] for leaf in structure.leaves if leaf[4]] + list(retained)
        back = structure.programs[key] = pullback(structure, found, 1, wanted, gradient is not None)
    targets = [found[i] for i in back.wanted]
    slopes = _pulled(structure, found, back, seeds, retain_graph)
    for tensor, slope in zip(targets, slopes, strict=True):
        tensor.grad = slope if tensor.grad is None else np.asarray(tensor.grad + slope)


@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor,
    cotangents: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Tensor: ...


@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> list[Tensor]: ...


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    cotangents: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Tensor | list[Tensor]:
    """Return the gradient of a scalar, or the sum of several, by each input: tensors of its shape and dtype.

    An input is any tensor that requires a gradient, one that an op made too; the result is 0 where the outputs do not
    depend on it. `cotangents`, one an output, stand in for 1 where outputs are no scalars. With `create_graph` the
    results have gradients again; else what was recorded is let go of, unless `retain_graph`. No `grad` is touched.
    Raises GraphError as `Tensor.backward` does.
    """
    roots = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    asked = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    for tensor in (*roots, *asked):
        _need_gradient(tensor)
    if len({id(root) for root in roots}) < len(roots):
        raise GraphError(at_line("grad: an output is named twice"))
    given = () if cotangents is None else (cotangents,) if isinstance(outputs, Tensor) else tuple(cotangents)
    if cotangents is None:
        seeds = _no_seed(roots)
    elif len(given) != len(roots):
        raise GraphError(at_line(f"grad: {len(roots)} outputs and {len(given)} cotangents; expected one for each"))
    else:
        seeds = [_cotangent(root, g) for root, g in zip(roots, given, strict=True)]
    structure, found = located(roots, apart=True)
    places = {id(tensor): number for number, tensor in enumerate(found)}
    numbers = tuple(sorted({places[id(tensor)] for tensor in asked if id(tensor) in places}))
    key = ("grad", numbers, cotangents is None)
    back = structure.programs.get(key)
    if back is None:
        back = structure.programs[key] = pullback(structure, found, len(roots), numbers, cotangents is not None)
    if create_graph or MODE.get().everything:
        tensors = [g if isinstance(g, Tensor) else Tensor(seed) for g, seed in zip(given, seeds, strict=True)]
        slopes = _replayed(found, back, tensors)
    else:
        slopes = [Tensor(slope) for slope in _pulled(structure, found, back, seeds, bool(retain_graph))]
    by_number = dict(zip(numbers, slopes, strict=True))
    results = [
        by_number[places[id(tensor)]] if id(tensor) in places else Tensor(np.zeros(tensor.shape, tensor.dtype))
        for tensor in asked
    ]
    return results[0] if isinstance(inputs, Tensor) else results


def _pulled(
    structure: Structure, found: list[Tensor], back: Pullback, seeds: list[Array], retain_graph: bool
) -> list[Array]:
    """Return the gradients as arrays of their own; `found` is emptied, so that what nobody holds is let go of."""
    program = back.program
    slots = program.template.copy()
    for slot, number in back.loads:
        slots[slot] = found[number]._data
    for slot, seed in zip(back.seeds, seeds, strict=True):
        slots[slot] = seed
    watched = _makers(structure, found) if MODE.get().anomaly else None
    if not retain_graph:
        for number, *_ in structure.calls:
            tensor = found[number]
            tensor._call = FREED
            tensor._operands = ()
    found.clear()
    with np.errstate(all="ignore"):
        if watched is None:
            program.steps.run(slots)
        else:
            _run_watched(back, slots, watched)
    slopes = []
    for slot, shared, scalar in back.results:
        slope = slots[slot]
        slopes.append(np.array(slope) if shared or scalar else slope)
    return slopes


def _replayed(found: Sequence[Tensor], back: Pullback, seeds: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients as tensors made by ops on what was recorded."""
    program = back.program
    nodes, alias = program.nodes, program.alias
    made: dict[int, Any] = {place: found[number] for place, number in back.places.items()}
    made |= dict(zip(back.seeds, seeds, strict=True))
    for place, value in enumerate(program.template[: len(nodes)]):
        if value is not None:
            made[place] = Tensor(value)
    for place in program.order:
        node = nodes[place]
        operands = [
            made[at] if (at := alias[operand]) in made else Tensor(program.blank(operand)) for operand in node.operands
        ]
        made[place] = _computed(node.op, operands, node.attributes)
    return [made[slot] for slot in program.results]


def _computed(op: str, operands: list[Any], attributes: Any) -> Any:
    from vynapse_autodiff.eager.custom import ON_TENSORS

    if op in ON_TENSORS:
        return ON_TENSORS[op](operands, attributes)
    return computed(call_of(op, len(operands), tuple(attributes.items())), tuple(operands))


def _makers(structure: Structure, found: Sequence[Tensor]) -> dict[int, str]:
    """Return what made each recorded tensor, in words."""
    words = {}
    for number, call, *_ in structure.calls:
        note = found[number]._note
        line = f" at {note.line}" if note is not None and note.line else ""
        given = ", ".join(described(found[operand]) for operand in structure.operands[number])
        words[number] = f"{call.op.name}({given}){line}"
    return words


def _run_watched(back: Pullback, slots: list[Any], makers: dict[int, str]) -> None:
    """Run a program and raise GraphError at the first result that is not finite."""
    for function, result, first, second, more in back.program.steps.steps:
        operands = [slots[slot] for slot in (more or ((first, second) if second >= 0 else (first,)))]
        slots[result] = value = function(*operands)
        if getattr(getattr(value, "dtype", None), "kind", "") == "f" and not np.isfinite(value).all():
            what = "a NaN" if np.isnan(value).any() else "an infinity"
            origin = makers.get(back.origins.get(result, -1), "a sum of cotangents")
            op = back.program.nodes[result].op
            raise GraphError(at_line(f"the gradient of {origin} makes {what} in its {op}"))


def _need_gradient(tensor: Tensor) -> None:
    if tensor._key == 0:
        raise GraphError(
            at_line(
                f"{described(tensor)} has no gradient: no tensor that requires one led to it, it is no float, "
                "or it was computed under no_grad"
            )
        )


def _no_seed(roots: Sequence[Tensor]) -> list[Array]:
    for root in roots:
        if root._data.ndim:
            raise GraphError(
                at_line(
                    f"the gradient of {described(root)}, which is no scalar, wants a cotangent of its shape; or sum"
                )
            )
    return []


def _cotangent(root: Tensor, given: Any) -> Array:
    array = given.data if isinstance(given, Tensor) else np.asarray(given, root.dtype)
    if array.shape != root.shape or array.dtype != root._data.dtype:
        found = f"{array.dtype} {list(array.shape)}"
        raise GraphError(at_line(f"the cotangent of {described(root)} is {found}; expected its shape and dtype"))
    return array
