# SPDX-License-Identifier: MIT OR Apache-2.0
"""Evolution for Vynapse: genomes, mutation, crossover, selection, replacement, and the trainer `evolution`."""

from __future__ import annotations
