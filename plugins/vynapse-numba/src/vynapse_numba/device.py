# SPDX-License-Identifier: MIT OR Apache-2.0
"""The device `numba`: one door to two engines.

`lanes` computes tiny networks with the population as the SIMD axis; `tiles` computes everything else, a few networks
at a time. Both give a network the same bits whatever is computed beside it and however many threads there are.
"""

from collections.abc import Mapping
from functools import cache
from typing import ClassVar, Literal

from pydantic import Field

from vynapse_core import Arguments, Device, Graph, GraphError, Op, Program, Routine, Run, kernels_for
from vynapse_numba.cache import described
from vynapse_numba.threads import processors


class Numba(Device):
    """Compute whole populations on the processor's cores."""

    fuses: ClassVar[bool] = True

    threads: int | None = Field(None, ge=1, le=1024)
    """Number of threads; by default one for each processor this process may use. The results do not depend on it."""
    engine: Literal["auto", "tiles", "lanes"] = "auto"
    """How to compute: `lanes` for tiny networks, `tiles` for all others; `auto` asks which fits the graph."""

    compiles: ClassVar[bool] = True

    def routine(self, routine: Routine) -> Run:
        """Return a routine in machine code. Raises GraphError for what Numba cannot compile."""
        return _compiled(routine, self.threads)

    def compile(self, graph: Graph, per_network: tuple[str, ...] = (), ops: Mapping[str, Op] | None = None) -> Program:
        """Return the program of `graph`; the inputs named `per_network` have a leading axis P.

        `ops` are the ops to know; without them the kernel's and those of installed plugins. Raises GraphError for
        a graph that is not well-formed, or that the engine asked for cannot compute.
        """
        arguments = Arguments(graph, per_network, ops)
        kernels = kernels_for("numba")
        threads = self.threads or processors()
        if self.engine != "tiles":
            from vynapse_numba import lanes

            if (program := lanes.plan(arguments, kernels, threads, kernels_for("numba:lanes"))) is not None:
                program.engine = "lanes"
                return program
            if self.engine == "lanes":
                raise GraphError("the engine 'lanes' does not compute this graph: it is for tiny networks; use 'tiles'")
        from vynapse_numba import tiles

        program = tiles.plan(arguments, kernels, threads)
        program.engine = "tiles"
        return program

    @classmethod
    def describe_here(cls) -> Mapping[str, str]:
        """Return the number of threads, and the machine code that is kept on disk."""
        return {"threads": str(processors()), "compiled code": described()}


@cache
def _compiled(routine: Routine, threads: int | None) -> Run:
    from vynapse_numba.routines import compiled

    return compiled(routine, threads or processors())
