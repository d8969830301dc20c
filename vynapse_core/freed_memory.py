# SPDX-License-Identifier: MIT OR Apache-2.0
"""Memory that arrays leave behind, kept for those that come next.

Each step makes a population's arrays anew, of much the same sizes. Linux's C library gives a large block back to the
system as soon as it is freed, and the next one is handed out page by page, empty: a tenth of the time that a NEAT
generation of a thousand takes. It keeps blocks as large as the largest one that it has seen freed (mallopt(3), the
dynamic threshold of M_MMAP_THRESHOLD).
"""

import numpy as np

LARGEST = 31 << 20
"""Bytes of a block; past 32 MiB none is kept."""


def keep_freed_memory() -> None:
    """Have this process keep what arrays leave behind; where the C library is another one, nothing happens."""
    # no page of it is touched
    np.empty(LARGEST, np.uint8)
