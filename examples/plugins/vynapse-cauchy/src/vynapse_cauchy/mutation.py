# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cauchy mutation: mostly small steps, and now and then one so long that it leaves a local optimum."""

import numpy as np
from pydantic import Field

from vynapse_core import Clock, Genes, Mutation, Scheduled, Stream, value_at


class Cauchy(Mutation):
    """Add Cauchy noise to genes.

    Half of the steps are shorter than `scale`; a sixteenth are longer than ten times that.
    Reference: Yao, Liu & Lin, Evolutionary programming made faster, 1999.
    """

    scale: Scheduled = Field(1.0, gt=0)
    """Half of the distribution's width at half its height, in gene units."""
    rate: Scheduled = Field(1.0, ge=0, le=1)
    """Probability that a gene is changed."""

    def mutate(self, genes: Genes, rng: Stream, clock: Clock) -> Genes:
        """Return changed copies of `genes` [n], by the inverse of the distribution function."""
        shape = genes.values.shape
        steps = np.tan(np.float32(np.pi) * (rng.uniform(shape) - np.float32(0.5)))
        steps *= np.float32(value_at(self.scale, clock))
        return genes.with_values(genes.values + steps * rng.bernoulli(value_at(self.rate, clock), shape))
