# SPDX-License-Identifier: MIT OR Apache-2.0
"""Passes over graphs: each takes a graph and gives one that computes the same, and says what it did."""
