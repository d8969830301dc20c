# SPDX-License-Identifier: MIT OR Apache-2.0
"""Memory that arrays leave behind."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from vynapse_core.freed_memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        arrays = [np.ones(1 << 20, np.uint8) for _ in range(3)]
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if {keep}:
    keep_freed_memory()
print(faults())
"""


def faults(keep: bool) -> int:
    """Return how many pages a new process was handed out while it made and freed arrays."""
    done = subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory as it likes")
def test_pages_that_were_freed_are_not_asked_for_again() -> None:
    assert faults(keep=True) < faults(keep=False) / 2
