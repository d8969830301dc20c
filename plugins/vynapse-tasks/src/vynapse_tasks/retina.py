# SPDX-License-Identifier: MIT OR Apache-2.0
"""Left and right retina: two halves of a picture, an answer to each, which only a modular network keeps apart.

Source: Kashtan & Alon, Spontaneous evolution of modularity and network motifs, PNAS 102 (2005), figure 5.
"""

from typing import Literal

import numpy as np

from vynapse_core import Array
from vynapse_tasks.logic import LogicTask, all_patterns

LEFT, RIGHT = (0, 1, 4, 5), (2, 3, 6, 7)
"""Pixels of each half; pixels are numbered row by row, two rows of four."""
LEFT_OUTER, RIGHT_OUTER = (0, 4), (3, 7)
"""Pixels of each half's outer column."""


class Retina(LogicTask):
    """Tell whether there is an object in the left and in the right half of 2 by 4 pixels, all 256 pictures.

    An object is three or more black pixels (1) in a half, or one or two in its outer column alone. Inputs are the
    pixels row by row. Solved at a mean loss of 0.01.  Reference: Kashtan & Alon 2005.
    """

    goal: Literal["both", "and", "or"] = "both"
    """What to answer: left and right by an output each, or by one output whether both, or any, have an object."""

    def patterns(self) -> Array:
        """Return all 256 pictures."""
        return all_patterns(8)

    def answers(self, bits: Array) -> Array:
        """Return the answers, [256, 2] for both halves or [256, 1]."""
        halves = np.stack([has_object(bits, LEFT, LEFT_OUTER), has_object(bits, RIGHT, RIGHT_OUTER)], axis=1)
        answers: Array = halves
        if self.goal != "both":
            answers = (np.logical_and if self.goal == "and" else np.logical_or).reduce(halves, axis=1, keepdims=True)
        return answers


def has_object(pixels: Array, half: tuple[int, ...], outer: tuple[int, ...]) -> Array:
    """Return bool [n]: whether pictures [n, 8] have an object in a half with this outer column."""
    black, outside = pixels[:, half].sum(axis=1), pixels[:, outer].sum(axis=1)
    found: Array = (black >= 3) | ((black == outside) & (black >= 1))
    return found
