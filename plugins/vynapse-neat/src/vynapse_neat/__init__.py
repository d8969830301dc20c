# SPDX-License-Identifier: MIT OR Apache-2.0
"""Topology evolution for Vynapse."""
