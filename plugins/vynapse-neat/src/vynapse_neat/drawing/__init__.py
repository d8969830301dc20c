# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pictures of a run of NEAT: its best network, its species and its complexity over time."""
