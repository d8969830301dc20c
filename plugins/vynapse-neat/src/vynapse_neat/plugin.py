# SPDX-License-Identifier: MIT OR Apache-2.0
"""What this plugin offers: the genome and the trainer `neat`. Parts are imported when a hook asks."""
