# SPDX-License-Identifier: MIT OR Apache-2.0
"""Gradients of Vynapse graphs, as graphs."""
