# SPDX-License-Identifier: MIT OR Apache-2.0
"""From a kernel's text to machine code of this processor, through the cache on disk."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

Kernel = Callable[[int, int, int], None]
"""`kernel(table, first, last)`: compute networks first to last; `table` is an address. Frees the interpreter's lock."""

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


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


@cache
def lanes() -> int:
    """Return how many float32 one register of this processor holds."""
    features = processor()[1].split(",")
    return 16 if "+avx512f" in features and "+avx512dq" in features else 8 if "+avx" in features else 4


def _target() -> Any:
    """Return a target machine; an engine takes it for its own, so each use needs another."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    name, features = processor()
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=name, features=features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


def compiled(text: str) -> bytes:
    """Return the object code of a kernel's text."""
    from llvmlite import binding

    target = _target()
    module = binding.parse_assembly(text)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=1)
    options.slp_vectorization = False
    options.loop_vectorization = False
    options.loop_unrolling = False
    passes = binding.create_pass_builder(target, options)
    passes.getModulePassManager().run(module, passes)
    return bytes(target.emit_object(module))


class Machine:
    """Object code in memory, to be called as long as this object lives."""

    def __init__(self, code: bytes) -> None:
        from llvmlite import binding

        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target())
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.kernel: Kernel = _ENTRY(self._engine.get_function_address("kernel"))
