# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kernel's own device, and the choice among all that are installed."""
