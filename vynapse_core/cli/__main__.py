# SPDX-License-Identifier: MIT OR Apache-2.0
"""`python -m vynapse_core.cli`: the command line of this very interpreter."""

from vynapse_core.cli import main

main(prog_name="vynapse")
