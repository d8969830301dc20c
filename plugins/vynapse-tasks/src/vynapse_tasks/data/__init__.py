# SPDX-License-Identifier: MIT OR Apache-2.0
"""Readers of data sets and what prepares them: pure functions from files to arrays."""
