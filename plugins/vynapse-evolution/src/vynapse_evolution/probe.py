# SPDX-License-Identifier: MIT OR Apache-2.0
"""A look at an experiment's genes before any are drawn, for operators that must fit their length and bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vynapse_core import Genes, VynapseError

if TYPE_CHECKING:
    from vynapse_core import Experiment


def first_genes(experiment: Experiment) -> Genes | None:
    """Return the genes [0, w] of no individual, or None where the genome, whose own problem it is, cannot give them."""
    try:
        return experiment.genome.initial(0, experiment.streams("probe"))
    except VynapseError:
        return None
