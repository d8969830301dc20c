# SPDX-License-Identifier: MIT OR Apache-2.0
"""The checks of mutations and crossovers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vynapse_core.clock import Clock
from vynapse_core.contracts import Crossover, Mutation
from vynapse_core.population import Genes
from vynapse_core.testing.contract import Contract, difference, shaped, stream
from vynapse_core.testing.forms import check_forms, own
from vynapse_core.testing.parts import check_component
from vynapse_core.testing.samples import PLAIN, plain_genes

if TYPE_CHECKING:
    from vynapse_core.contracts import Device, Genome
    from vynapse_core.streams import Stream

CLOCKS = (Clock(0, 100), Clock(42, 100), Clock(99, 100))
SIZES = ((0, 5), (1, 5), (7, 1), (7, 5))
"""Individuals and genes: none, one, odd."""


def check_mutation(mutation: Mutation, *, genome: Genome | None = None, deterministic: bool = False) -> None:
    """Check a mutation on genes of every encoding that it serves.

    `genome` gives the genes where the encoding is not real, binary or permutation. `deterministic` is for one that
    is not random at these settings.
    """
    contract = Contract.of(mutation, Mutation)
    check_component(mutation)

    def mutate(genes: Genes, rng: Stream, clock: Clock) -> Genes:
        given = f"{len(genes)} individuals of {genes.values.shape[1]} genes at {clock}"
        mutated: Genes = contract.call(mutation.mutate, genes, rng, clock, given=given)
        return mutated

    def check_form(genes: Genes) -> None:
        def form(device: Device) -> Callable[[Stream], Genes]:
            change = mutation.on(device)
            return lambda rng: change(own(genes), rng, CLOCKS[1])

        check_forms(contract, "mutate", lambda rng: mutate(genes, rng, CLOCKS[1]), form)

    _check(contract, mutation.encodings, genome, mutate, check_form, "mutate", deterministic)


def check_crossover(crossover: Crossover, *, genome: Genome | None = None, deterministic: bool | None = None) -> None:
    """Check a crossover on parents of every encoding that it serves.

    `genome` gives the parents where the encoding is not real, binary or permutation. One that takes nothing from its
    stream counts as deterministic, unless `deterministic` is False.
    """
    contract = Contract.of(crossover, Crossover)
    check_component(crossover)

    def cross(mothers: Genes, rng: Stream, clock: Clock) -> Genes:
        fathers = mothers.take(np.roll(np.arange(len(mothers)), 1))
        given = f"{len(mothers)} pairs of {mothers.values.shape[1]} genes at {clock}"
        children: Genes = contract.call(crossover.cross, mothers, fathers, rng, clock, given=given)
        return children

    def check_form(genes: Genes) -> None:
        mothers, fathers = np.arange(len(genes)), np.roll(np.arange(len(genes)), 1)

        def form(device: Device) -> Callable[[Stream], Genes]:
            mix = crossover.on(device)
            return lambda rng: mix(own(genes), mothers, fathers, rng, CLOCKS[1])

        check_forms(contract, "cross", lambda rng: cross(genes, rng, CLOCKS[1]), form)

    _check(contract, crossover.encodings, genome, cross, check_form, "cross", deterministic)


def _check(
    contract: Contract,
    encodings: frozenset[str],
    genome: Genome | None,
    operate: Callable[..., Genes],
    check_form: Callable[[Genes], None],
    name: str,
    deterministic: bool | None,
) -> None:
    contract.require(
        isinstance(encodings, frozenset) and encodings and all(isinstance(item, str) for item in encodings),
        "`encodings` is a frozenset of the encodings that it serves",
        f"{encodings!r}",
    )
    sources: dict[str, Genome | None] = dict.fromkeys(sorted(encodings & set(PLAIN)))
    if genome is not None:
        contract.require(genome.encoding in encodings, f"it serves {genome.encoding} genes", f"{sorted(encodings)}")
        sources[genome.encoding] = genome
    contract.require(
        sources,
        "genes come from a genome where they are more than real numbers, bits or permutations: pass `genome=`",
        f"the encodings {sorted(encodings)} and no genome",
    )
    for encoding, source in sources.items():
        for genes in _genes(encoding, source):
            for clock in CLOCKS:
                _check_genes(contract, genes, operate(genes, stream(1), clock), encoding, name, source is None)
        many = source.initial(64, stream(9)) if source else plain_genes(encoding, 64, 16)
        contract.draws(name, partial(operate, many, clock=CLOCKS[0]), deterministic=deterministic)
        for genes in (*_genes(encoding, source), many):
            check_form(genes)


def _genes(encoding: str, genome: Genome | None) -> Iterator[Genes]:
    if genome is not None:
        yield from (genome.initial(n, stream(8)) for n in (0, 1, 7))
        return
    for n, w in SIZES:
        yield plain_genes(encoding, n, w)
        if encoding == "real":
            yield plain_genes(encoding, n, w, bounds=(-0.5, 0.5))


def _check_genes(contract: Contract, given: Genes, made: Genes, encoding: str, name: str, plain: bool) -> None:
    contract.require(isinstance(made, Genes), f"{name} returns Genes", f"{type(made).__name__}")
    contract.require(
        len(made) == len(given), f"{name} returns as many individuals as it is given", f"{len(made)} of {len(given)}"
    )
    same = made.values.dtype == given.values.dtype and (made.values.shape == given.values.shape or not plain)
    contract.require(
        same,
        f"{name} keeps the values' shape [n, w] and dtype",
        f"{shaped(made.values)} from {shaped(given.values)}; float64 creeps in by arithmetic with float64 arrays",
    )
    contract.require(
        made.structure.keys() == given.structure.keys() and made.bounds == given.bounds,
        f"{name} keeps structure and bounds: return `genes.with_values(...)`",
        f"structure {sorted(made.structure)}, bounds {made.bounds}; given {sorted(given.structure)}, {given.bounds}",
    )
    values = made.values
    if values.dtype.kind == "f":
        contract.require(np.isfinite(values).all(), f"{name} returns finite values", "NaN or infinity")
    if made.bounds is not None and values.size:
        low, high = np.asarray(made.bounds, values.dtype)
        contract.require(
            low <= values.min() and values.max() <= high,
            f"{name} keeps values within the bounds: return `genes.with_values(...)`, which clips",
            f"values from {values.min()} to {values.max()}, bounds {made.bounds}",
        )
    if encoding == "binary":
        contract.require((values <= 1).all(), f"{name} keeps bits 0 or 1", f"values up to {values.max(initial=0)}")
    if encoding == "permutation":
        differs = difference(np.sort(given.values, axis=1), np.sort(values, axis=1), "sorted values")
        contract.require(
            not differs, f"{name} keeps permutations: each row has the same numbers in another order", differs
        )
