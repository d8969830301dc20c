# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mutations of single genes: normal noise, fresh values, flipped bits.

They share who is changed: each individual with a probability, in it each gene with a rate. Where a recipe lists several
mutations, all of them apply, one after the other, each to those that its own probability chooses.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from vynapse_core import Array, Clock, Device, Genes, Mutation, RunError, Scheduled, Stream, mistake, value_at
from vynapse_evolution.probe import first_genes
from vynapse_evolution.sites import SPARSE, sites

if TYPE_CHECKING:
    from vynapse_core import Experiment


MOST = 0.5
"""Probability from which all individuals are changed, and those put back that should not be: it is quicker."""


class GeneWise(Mutation):
    """A change of single genes, each chosen on its own."""

    encodings: ClassVar[frozenset[str]] = frozenset({"real", "topology"})

    probability: Scheduled = Field(1.0, ge=0, le=1)
    """Probability that an individual is changed at all."""
    only: tuple[tuple[Annotated[int, Field(ge=0)], int], ...] | None = None
    """Ranges of genes that may change, such as [[0, 16]] for the first 16; by default all."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        if self.only == ():
            raise mistake("'only' names no range of genes", "leave it out for all of them")
        for first, end in self.only or ():
            if end <= first:
                raise mistake(f"'only' has the empty range [{first}, {end}]", "write [first, one after the last]")
        return self

    @abstractmethod
    def rate_at(self, clock: Clock, length: int) -> float:
        """Return the probability that a gene is changed, of the `length` genes that may be."""

    @abstractmethod
    def changed(self, values: Array, genes: Genes, rng: Stream, clock: Clock) -> Array:
        """Return what `values`, some or all of those of `genes`, become: a new array of their shape and dtype."""

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where a range goes beyond the genome."""
        genes = first_genes(experiment) if self.only else None
        length = None if genes is None else genes.values.shape[1]
        for first, end in self.only or ():
            if length is not None and end > length:
                yield "only", f"the range [{first}, {end}] ends beyond the genome's {length} genes"

    def mutate(self, genes: Genes, rng: Stream, clock: Clock) -> Genes:
        """Return changed copies of `genes` [n, w]."""
        n, w = genes.values.shape
        probability = value_at(self.probability, clock)
        rows = None if probability >= 1 else sites(probability, n, rng)
        columns = None if self.only is None else self._columns(self.only, w)
        rate = self.rate_at(clock, w if columns is None else len(columns))
        if columns is None and rate >= 1 and probability >= MOST:
            values = self.changed(genes.values, genes, rng, clock)
            if rows is not None:
                others = np.delete(np.arange(n), rows)
                values[others] = genes.values[others]
            return genes.with_values(values)
        values = genes.values.copy()
        if rows is None and columns is None:
            self._change(values, rate, genes, rng, clock)
            return genes.with_values(values)
        chosen = (np.arange(n) if rows is None else rows)[:, None], np.arange(w) if columns is None else columns
        block = values[chosen]
        self._change(block, rate, genes, rng, clock)
        values[chosen] = block
        return genes.with_values(values)

    @staticmethod
    def _columns(only: tuple[tuple[int, int], ...], w: int) -> Array:
        """Return the genes of all ranges, each once, as far as there are any."""
        return np.unique(np.concatenate([np.arange(first, min(end, w)) for first, end in only]))

    def _change(self, values: Array, rate: float, genes: Genes, rng: Stream, clock: Clock) -> None:
        """Change the contiguous `values` in place, each with probability `rate`."""
        flat = values.reshape(-1)
        places = slice(None) if rate >= 1 else sites(rate, flat.size, rng)
        flat[places] = self.changed(flat[places], genes, rng, clock)


class Gaussian(GeneWise):
    """Add normal noise to genes.  Reference: Bäck & Schwefel 1993."""

    sigma: Scheduled = Field(0.1, ge=0)
    """Standard deviation, in gene units."""
    rate: Scheduled = Field(1.0, ge=0, le=1)
    """Probability that a gene of a changed individual is changed."""

    def rate_at(self, clock: Clock, length: int) -> float:
        """Return `rate`."""
        return value_at(self.rate, clock)

    def changed(self, values: Array, genes: Genes, rng: Stream, clock: Clock) -> Array:
        """Return `values` plus noise."""
        noise = rng.normal(values.shape, sigma=value_at(self.sigma, clock), dtype=values.dtype)
        noise += values
        return noise

    def on(self, device: Device) -> Callable[[Genes, Stream, Clock], Genes]:
        """Return `mutate`, as a loop where the device compiles: for all genes of most individuals, or few of all."""
        if not device.compiles or self.only is not None:
            return self.mutate
        from vynapse_evolution.routines.mutation import noise_on_all
        from vynapse_evolution.routines.sites import noise_on_few

        # to compile takes time: only what is used
        on_all, on_few = cache(lambda: noise_on_all(device)), cache(lambda: noise_on_few(device))

        def mutate(genes: Genes, rng: Stream, clock: Clock) -> Genes:
            probability, rate = value_at(self.probability, clock), value_at(self.rate, clock)
            sigma = value_at(self.sigma, clock)
            plain = genes.values.dtype == np.float32 and genes.values.flags.carray
            if plain and rate >= 1 and probability >= MOST:
                on_all()(genes, probability, sigma, rng)
            elif plain and rate < SPARSE and probability >= 1:
                on_few()(genes, rate, sigma, rng)
            else:
                return self.mutate(genes, rng, clock)
            return genes

        return mutate


class UniformMutation(GeneWise):
    """Replace genes by fresh ones, uniform in an interval.  Reference: Michalewicz 1996, ch. 6 (uniform mutation)."""

    example: ClassVar[Mapping[str, Any]] = {"low": -1.0, "high": 1.0}

    rate: Scheduled = Field(0.1, ge=0, le=1)
    """Probability that a gene of a changed individual is replaced."""
    low: float | None = None
    """The least fresh value; by default the genome's bound."""
    high: float | None = None
    """The greatest fresh value; by default the genome's bound."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise mistake(f"'low' ({self.low}) must lie below 'high' ({self.high})")
        return self

    def problems(self, experiment: "Experiment") -> Iterator[tuple[str, str]]:
        """Yield a problem where this mutation and the genome together give no interval to draw from."""
        yield from super().problems(experiment)
        genes = first_genes(experiment)
        if genes is None:
            return
        low, high = self._interval(genes)
        if not np.isfinite(high - low):
            yield "", "set 'low' and 'high' here: the genome has no bounds that fresh values could be drawn from"
        elif low >= high:
            given, other, bound = ("high", "least", low) if self.low is None else ("low", "greatest", high)
            wanted = "above" if given == "high" else "below"
            yield given, f"must lie {wanted} {bound:g}, the {other} value that the genome allows"

    def rate_at(self, clock: Clock, length: int) -> float:
        """Return `rate`."""
        return value_at(self.rate, clock)

    def changed(self, values: Array, genes: Genes, rng: Stream, clock: Clock) -> Array:
        """Return fresh values. Raises RunError without an interval to draw them from."""
        low, high = self._interval(genes)
        if not np.isfinite(high - low):
            raise RunError("uniform mutation: neither the mutation nor the genome has bounds; set its 'low' and 'high'")
        if low >= high:
            raise RunError(
                f"uniform mutation: with the genome's bounds, {low:g} to {high:g} is no interval to draw from"
            )
        return rng.uniform(values.shape, low, high, dtype=values.dtype)

    def _interval(self, genes: Genes) -> tuple[float, float]:
        low, high = genes.bounds or (-np.inf, np.inf)
        return low if self.low is None else self.low, high if self.high is None else self.high


class BitFlip(GeneWise):
    """Flip bits.  Reference: Mühlenbein 1992, for the rate of 1 / length."""

    encodings: ClassVar[frozenset[str]] = frozenset({"binary"})

    rate: Scheduled | None = Field(None, ge=0, le=1)
    """Probability that a bit of a changed individual is flipped; by default one over the number of bits that may be."""

    def rate_at(self, clock: Clock, length: int) -> float:
        """Return `rate`, or 1 / length."""
        return 1 / max(1, length) if self.rate is None else value_at(self.rate, clock)

    def changed(self, values: Array, genes: Genes, rng: Stream, clock: Clock) -> Array:
        """Return the opposite bits."""
        return values ^ 1
