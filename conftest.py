# SPDX-License-Identifier: MIT OR Apache-2.0
"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# an example that waits for a busy machine is no failure
settings.register_profile("vynapse", deadline=None)
settings.load_profile("vynapse")
