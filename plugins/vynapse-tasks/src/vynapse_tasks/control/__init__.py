# SPDX-License-Identifier: MIT OR Apache-2.0
"""Control tasks: small mechanical systems that a network steers, by the equations that the literature uses."""
