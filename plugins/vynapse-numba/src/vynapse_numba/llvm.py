# SPDX-License-Identifier: MIT OR Apache-2.0
"""LLVM for the processor at hand: from text to object code, and object code in memory. Both engines go through here."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

FIRST_USE = threading.RLock()
"""Held where something is made once in a process. What is made under it may make something else under it."""


@cache
def processor() -> tuple[str, str]:
    """Return the processor's name and features, as LLVM spells them."""
    from llvmlite import binding

    try:
        features = binding.get_host_cpu_features().flatten()
    except RuntimeError:
        # LLVM does not know them on every platform: what the name implies must do
        features = ""
    return binding.get_host_cpu_name(), features


def object_code(text: str, *, speed: int, vectorise: bool, widest: bool = False, linked: Sequence[str] = ()) -> bytes:
    """Return the object code of a text; `speed` is LLVM's level, `vectorise` whether it may make vectors of loops.

    For some processors it makes vectors of half the size that they have, unless the `widest` are asked for.
    `linked` are the texts of modules that define functions which the text declares and calls.
    """
    from llvmlite import binding

    target = _target(widest)
    module = binding.parse_assembly(text)
    for other in linked:
        found = binding.parse_assembly(other)
        names = [function.name for function in found.functions if not function.is_declaration]
        module.link_in(found)
        for name in names:
            # what nobody else can call is put in its place, however long it is
            module.get_function(name).linkage = "internal"
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=speed)
    options.slp_vectorization = False
    options.loop_vectorization = vectorise
    options.loop_unrolling = False
    passes = binding.create_pass_builder(target, options)
    passes.getModulePassManager().run(module, passes)
    return bytes(target.emit_object(module))


def loaded(code: bytes) -> Any:
    """Return an engine with object code in memory; the addresses it gives are good as long as it lives."""
    from llvmlite import binding

    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _target(widest: bool = False) -> Any:
    """Return a target machine; an engine takes it for its own, so each use needs another."""
    from llvmlite import binding

    with FIRST_USE:
        _initialised()
    name, features = processor()
    if widest and "+avx512f" in features:
        features += ",-prefer-256-bit"
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=name, features=features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


@cache
def _initialised() -> None:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
