# SPDX-License-Identifier: MIT OR Apache-2.0
"""Static graphs: planned memory, schedules, execution by level, and profiles."""
