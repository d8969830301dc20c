# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parts of routines that are a single instruction of the processor. Importing this imports Numba."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WIDE = ir.IntType(128)
_WORD = ir.IntType(64)


def _high_product(typing: Any, a: Any, b: Any) -> Any:
    """Multiply two words and keep the upper one: multiplied as 128 bits, which LLVM makes one instruction of."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        product = builder.mul(*(builder.zext(each, _WIDE) for each in given))
        return builder.trunc(builder.lshr(product, ir.Constant(_WIDE, 64)), _WORD)

    return types.uint64(types.uint64, types.uint64), code


high_product: Any = intrinsic(_high_product)
