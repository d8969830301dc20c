# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cauchy mutation and the Griewank function for Vynapse."""
