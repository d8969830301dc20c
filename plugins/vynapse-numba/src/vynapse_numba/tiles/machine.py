# SPDX-License-Identifier: MIT OR Apache-2.0
"""The engine's machine code: compiled once on a machine, kept on disk, called without the interpreter's lock."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from vynapse_numba.cache import kept

FLOATS = {"float32": 4, "float64": 8}

# erf(x) = x P(x²) / Q(x²) up to 3.92, from where float32 has 1: a fit to equal relative errors (2e-8)
ABOVE = (1.12837915, 0.190398325, 0.0527476476, 0.00376526717, 0.000284874847, 2.05015026e-06)
BELOW = (1.0, 0.502068865, 0.114105747, 0.0149685175, 0.00116245059, 3.80919544e-05)
END = 3.92


class Machine:
    """Functions in machine code, by name; they live as long as this object."""

    def __init__(self) -> None:
        from llvmlite import binding

        text = str(_written())
        code = kept("tiles", (text, *_processor()), lambda: _object_code(text))
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target())
        self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.product = {np.dtype(dtype).char: self._function(f"product_{dtype}", 1) for dtype in FLOATS}
        """{character of the dtype: function of the address of a table of `loops.ARGUMENTS`}."""
        self.erf = self._function("erf_float32", 3)

    def _function(self, name: str, arguments: int) -> Callable[..., None]:
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)
        made: Callable[..., None] = kind(self._engine.get_function_address(name))
        return made


_once = threading.Lock()


def machine() -> Machine:
    """Return this process's functions. Threads that ask at once get the same, or one would be freed in use."""
    return _made() if _made.cache_info().currsize else _guarded()


def _guarded() -> Machine:
    with _once:
        return _made()


@cache
def _made() -> Machine:
    return Machine()


def _written() -> Any:
    from llvmlite import ir

    from vynapse_numba.tiles.loops import fitted_erf, product
    from vynapse_numba.tiles.micro import registers

    module = ir.Module("tiles")
    for dtype, size in FLOATS.items():
        product(module, f"product_{dtype}", size, registers())
    fitted_erf(module, "erf_float32", ABOVE, BELOW, END)
    return module


@cache
def _processor() -> tuple[str, str]:
    from llvmlite import binding

    try:
        return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    except RuntimeError:
        return binding.get_host_cpu_name(), ""


def _target() -> Any:
    """Return a target machine; an engine takes it for its own, so each use needs another."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    name, features = _processor()
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=name, features=features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


def _object_code(text: str) -> bytes:
    from llvmlite import binding

    target = _target()
    module = binding.parse_assembly(text)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.slp_vectorization = False
    options.loop_unrolling = False
    passes = binding.create_pass_builder(target, options)
    passes.getModulePassManager().run(module, passes)
    return bytes(target.emit_object(module))
