# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reading other programs' configurations into recipes."""
