# SPDX-License-Identifier: MIT OR Apache-2.0
"""The innermost block of a matrix product, held in vector registers, as LLVM vector code.

Compilers do not keep a block of sums in registers by themselves; written as vectors they do, and the block then runs
at the rate of the fused multiply-adds. Nothing has to be packed: the left operand is read one number at a time, in
any strides, and the right one in rows. Each sum is one chain of multiply-adds in the order of k, so its bits depend
neither on the block's size nor on its place.  Layout of the block: Goto & van de Geijn 2008.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from llvmlite import binding, ir

INT = ir.IntType(64)
HALF = ir.IntType(32)
BYTE = ir.IntType(8)


class Registers(NamedTuple):
    """How the sums of a block lie in the processor's registers."""

    bytes: int
    """Width of a vector."""
    rows: int
    """Most rows of sums."""
    vectors: int
    """Most vectors in a row of sums."""
    fused: bool
    """Whether the processor multiplies and adds in one instruction."""


@cache
def registers() -> Registers:
    """Return what suits this processor: sums, a row of the right operand and one number must fit its registers."""
    machine = binding.get_process_triple().split("-")[0]
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:
        features = {}
    if features.get("avx512f"):
        return Registers(64, 8, 3, True)
    if features.get("avx2") and features.get("fma"):
        return Registers(32, 4, 3, True)
    if machine in ("aarch64", "arm64"):
        return Registers(16, 8, 3, True)
    return Registers(16, 4, 2, False)


class Sums(NamedTuple):
    """What a block is given, all int64; addresses, and strides in bytes."""

    a: Any
    am: Any
    """Stride of a's rows."""
    ak: Any
    b: Any
    bk: Any
    c: Any
    cm: Any
    k: Any
    """Number of terms."""
    last: Any
    """Lanes of the last vector that count."""
    start: Any
    """Where the sums start: 0 for 0, 1 for what c holds, else the address of one number a row."""
    step: Any
    """Stride of those."""
    soon: Any
    """Where lies what is read next; its cache lines are asked for meanwhile, since it comes from far away."""
    pace: Any
    """How much further that address is at each term."""


class Block:
    """Writes the code of a block of `rows` x `vectors` vectors of floats of `size` bytes.

    Where it is `listed`, terms lie anywhere: `soon` is the address of pairs of int64, what to add to the addresses of
    a and of b for each term.
    """

    def __init__(
        self, builder: Any, rows: int, vectors: int, size: int, chosen: Registers, listed: bool = False
    ) -> None:
        self.builder = builder
        self.listed = listed
        self.rows, self.vectors = range(rows), range(vectors)
        self.width = chosen.bytes
        self.lanes = chosen.bytes // size
        self.align = ir.Constant(HALF, size)
        self.size = size
        self.fused = chosen.fused
        self.number = ir.FloatType() if size == 4 else ir.DoubleType()
        self.vector = ir.VectorType(self.number, self.lanes)
        self.name = f"v{self.lanes}f{8 * size}"

    def emit(self, given: Sums) -> None:
        """Write the block; the builder is left behind it."""
        builder = self.builder
        self.mask = self._mask(given.last)
        steps = self._steps(given.am)
        c_rows = [builder.add(given.c, builder.mul(given.cm, self._int(row))) for row in self.rows]
        names = ("zeros", "given", "from_c", "from_bias", "loop", "body", "done")
        at_zeros, at_given, from_c, from_bias, loop, body, done = [builder.append_basic_block(name) for name in names]
        addresses = [self._pointer(address, BYTE) for address in (given.a, given.b, given.soon)]
        builder.cbranch(builder.icmp_signed("==", given.start, self._int(0)), at_zeros, at_given)
        builder.position_at_end(at_zeros)
        zeros = [[ir.Constant(self.vector, None) for _ in self.vectors] for _ in self.rows]
        builder.branch(loop)
        builder.position_at_end(at_given)
        builder.cbranch(builder.icmp_signed("==", given.start, self._int(1)), from_c, from_bias)
        builder.position_at_end(from_c)
        held = [[self._load(address, vector) for vector in self.vectors] for address in c_rows]
        builder.branch(loop)
        builder.position_at_end(from_bias)
        biases = [self._number(builder.add(given.start, builder.mul(given.step, self._int(row)))) for row in self.rows]
        builder.branch(loop)

        builder.position_at_end(loop)
        moving = [builder.phi(INT), *[builder.phi(BYTE.as_pointer()) for _ in range(3)]]
        sums = [[builder.phi(self.vector) for _ in self.vectors] for _ in self.rows]
        starts = ((at_zeros, zeros), (from_c, held), (from_bias, [[bias for _ in self.vectors] for bias in biases]))
        for origin, values in starts:
            for phi, value in zip(moving, (given.k, *addresses), strict=True):
                phi.add_incoming(value, origin)
            self._incoming(sums, values, origin)
        count, at_a, at_b, ahead = moving
        builder.cbranch(builder.icmp_signed(">", count, self._int(0)), body, done)

        builder.position_at_end(body)
        if self.listed:
            from_a, from_b = self._term(at_a, ahead, 0), self._term(at_b, ahead, 1)
        else:
            self._ask(ahead)
            from_a, from_b = at_a, at_b
        right = [self._load(from_b, vector) for vector in self.vectors]
        left = [self._number(builder.gep(from_a, [step])) for step in steps]
        added = [[self._add(left[row], right[v], sums[row][v]) for v in self.vectors] for row in self.rows]
        moves = (
            builder.sub(count, self._int(1)),
            builder.gep(at_a, [given.ak]),
            builder.gep(at_b, [given.bk]),
            builder.gep(ahead, [given.pace]),
        )
        for phi, value in zip(moving, moves, strict=True):
            phi.add_incoming(value, body)
        self._incoming(sums, added, body)
        builder.branch(loop)

        builder.position_at_end(done)
        for row in self.rows:
            for vector in self.vectors:
                self._store(sums[row][vector], c_rows[row], vector)

    def _steps(self, stride: Any) -> list[Any]:
        """Return the offset of each row: few numbers, from which the processor makes the others while it loads.

        The compiler is not to know how they hang together, or it makes each address of the one before.
        """
        odd = {n: self._opaque(self.builder.mul(stride, self._int(n)), "=r,0") for n in self.rows if n % 2}

        def step(n: int) -> Any:
            factor = n & -n if n else 1
            return self.builder.mul(odd[n // factor], self._int(factor)) if n else self._int(0)

        return [step(n) for n in self.rows]

    def _opaque(self, value: Any, constraint: str) -> Any:
        kind = ir.FunctionType(value.type, [value.type])
        return self.builder.call(ir.InlineAsm(kind, "", constraint), [value])

    def _int(self, value: int) -> Any:
        return ir.Constant(INT, value)

    def _incoming(self, phis: list[list[Any]], values: list[list[Any]], origin: Any) -> None:
        for row in self.rows:
            for vector in self.vectors:
                phis[row][vector].add_incoming(values[row][vector], origin)

    def _splat(self, value: Any, kind: Any) -> Any:
        unset = ir.Constant(ir.VectorType(kind, self.lanes), ir.Undefined)
        first = self.builder.insert_element(unset, value, ir.Constant(HALF, 0))
        return self.builder.shuffle_vector(first, unset, ir.Constant(ir.VectorType(HALF, self.lanes), [0] * self.lanes))

    def _mask(self, last: Any) -> Any:
        numbers = ir.Constant(ir.VectorType(HALF, self.lanes), list(range(self.lanes)))
        mask = self.builder.icmp_signed("<", numbers, self._splat(self.builder.trunc(last, HALF), HALF))
        if self.width < 64:
            return mask
        # held in a register of its own kind: the compiler would compare anew at each term
        bits = self._opaque(self.builder.bitcast(mask, ir.IntType(self.lanes)), "=r,0")
        return self.builder.bitcast(bits, mask.type)

    def _pointer(self, address: Any, kind: Any) -> Any:
        if isinstance(address.type, ir.PointerType):
            return self.builder.bitcast(address, kind.as_pointer())
        return self.builder.inttoptr(address, kind.as_pointer())

    def _number(self, address: Any) -> Any:
        return self._splat(self.builder.load(self._pointer(address, self.number), align=self.size), self.number)

    def _place(self, address: Any, vector: int) -> Any:
        offset = self._int(vector * self.width)
        held = isinstance(address.type, ir.PointerType)
        moved = self.builder.gep(address, [offset]) if held else self.builder.add(address, offset)
        return self._pointer(moved, self.vector)

    def _load(self, address: Any, vector: int) -> Any:
        place = self._place(address, vector)
        if vector < self.vectors[-1]:
            return self.builder.load(place, align=self.size)
        return self._call("llvm.masked.load", self.vector, place, self.align, self.mask, ir.Constant(self.vector, None))

    def _store(self, value: Any, address: Any, vector: int) -> None:
        place = self._place(address, vector)
        if vector < self.vectors[-1]:
            self.builder.store(value, place, align=self.size)
        else:
            self._call("llvm.masked.store", ir.VoidType(), value, place, self.align, self.mask)

    def _term(self, address: Any, pair: Any, at: int) -> Any:
        place = self.builder.gep(pair, [self._int(8 * at)])
        return self.builder.gep(address, [self.builder.load(self._pointer(place, INT), align=8)])

    def _ask(self, address: Any) -> None:
        # for reading, into the second-level cache, data
        hints = [ir.Constant(HALF, value) for value in (0, 2, 1)]
        self._call("llvm.prefetch", ir.VoidType(), self._pointer(address, BYTE), *hints, suffix="p0")

    def _add(self, x: Any, y: Any, z: Any) -> Any:
        if not self.fused:
            return self.builder.fadd(self.builder.fmul(x, y), z)
        return self._call("llvm.fma", self.vector, x, y, z, suffix=self.name)

    def _call(self, name: str, result: Any, *arguments: Any, suffix: str = "") -> Any:
        module, name = self.builder.module, f"{name}.{suffix or f'{self.name}.p0'}"
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(module.globals.get(name) or ir.Function(module, kind, name), arguments)
