# SPDX-License-Identifier: MIT OR Apache-2.0
"""The kernel's own observers: a screen, a table and a log."""
