# SPDX-License-Identifier: MIT OR Apache-2.0
"""The machine code of a team of threads: how a job is called out, joined and ended.

The gate is one number: which job it is, whether anybody may still join, and how many are inside. The caller opens it,
works too, closes it, and waits for those inside: whoever comes too late finds it closed, and delays nothing. What is
written before the gate opens is seen by whoever joins, and what is written inside by the caller: opening and joining,
leaving and waiting are pairs of release and acquire.

Each member has a share of the parts: the same rows in every job, so that they stay in its caches. It begins at the
front; whoever is done takes from the back of the others' shares. So two members seldom write to neighbouring rows at
a time, which would hand cache lines to and fro.

Who watches offers its processor to others now and then. A worker that finds itself on the caller's own processor leaves
it: Linux puts a thread that wakes where it ran last, lets it wait there behind the caller, and may leave it there for
long. To leave is to allow itself all processors but this one, and then this one again.
"""

from __future__ import annotations

from vynapse_numba.ir_text import Function, Value
from vynapse_numba.waiting import giving_way, pause, waiting

LINE = 64
"""Bytes of a cache line: threads that write to one line slow each other down."""
_JOB = 20
"""Bits of the gate below the job's number: one that says whether it is open, and those that count who is inside."""
_OPEN = 1 << (_JOB - 1)
_INSIDE = _OPEN - 1
_NEW = (1 << _JOB) + _OPEN
"""What is added to the gate to open it for another job."""
_PROCESSORS = 128
"""Bytes of the set of processors that a thread may use, of a bit each: as the C library has it."""
FINENESS = 8
"""Most parts of a job for each member, so that nobody waits long for the others."""
WAKING = 4
"""Grains for which one more member is woken where it sleeps: that takes its caller 20 us. Who is awake joins anyway."""
PLACES = {
    "GATE": 0,
    "FUNCTION": LINE,
    "TABLE": LINE + 8,
    "ROWS": LINE + 16,
    "PARTS": LINE + 24,
    "SHARES": LINE + 32,
    "WRONG": 2 * LINE,
    "BUSY": 3 * LINE,
    "PROCESSOR": 3 * LINE + 8,
    "MEMBERS": 4 * LINE,
    "LOOKS": 4 * LINE + 8,
    "YIELD": 4 * LINE + 16,
    "SLEEP": 4 * LINE + 24,
    "WAKE": 4 * LINE + 32,
    "WHERE": 4 * LINE + 40,
    "ALLOWED": 4 * LINE + 48,
    "ALLOW": 4 * LINE + 56,
    "SHARE": 5 * LINE,
    "ASLEEP": 6 * LINE,
    "LOCK": 6 * LINE + 8,
}
"""Where a team's board has what, in bytes: the gate, the job, the greatest result of a part, whether there is a caller
and on which processor, what never changes; and for each member, at a distance of `MEMBER`, its share (the first part
and the one after the last, 32 bits each), whether it sleeps, and the lock that it sleeps in. The first member is the
caller."""
MEMBER = 2 * LINE
"""Bytes from one member's place to the next one's."""


def team_code(machine: str) -> str:
    """Return the module of `run`, `serve` and `watch`; `machine` is the first part of LLVM's name of the platform."""
    return "".join([_run(), _work(), _stand_aside(), _watch(), _serve(), pause(machine)])


def _at(board: Value, word: str, member: Value | None = None) -> Value:
    """Write where a board has what a word of `PLACES` says, or where it has a member's."""
    return (board.at(member * MEMBER) if member else board).at(PLACES[word])


def _run() -> str:
    """Return `run(board, function, table, rows, grain)`, which calls `function(table, first, last)` for parts of rows.

    A `grain` of rows is worth a thread's while. It returns the greatest of the function's results. It calls it for all
    rows at once where they are too few, where the team has another caller, and where all workers sleep and the rows are
    not worth waking.
    """
    code = Function("define i64 @run(ptr %board, ptr %function, ptr %table, i64 %rows, i64 %grain)")
    board, function, table, rows, grain = code.arguments
    awake, alone = code.label(), code.label()
    members = _at(board, "MEMBERS").load()
    grains = rows // grain
    parts = _least(grains, members * FINENESS)
    few = parts.below(members)
    parts, shares = few.choose(parts, parts - parts % members), few.choose(parts, members)
    woken = _least(grains // WAKING, shares)
    code.go(alone, where=shares.below(2))
    code.go(awake, unless=woken.below(2))
    # too few rows to wake anybody for: they are shared if a worker is awake anyway
    with code.counted(1, members) as m:
        code.go(awake, where=_at(board, "ASLEEP", m).load(order="monotonic").differs(1))
    code.go(alone)

    code.begin(awake)
    gate, busy, wrong = (_at(board, word) for word in ("GATE", "BUSY", "WRONG"))
    code.go(alone, unless=busy.claim(0, 1, "acquire"))
    where = _at(board, "WHERE").load("ptr")
    with code.when(where.exists()):
        _at(board, "PROCESSOR").store(code.call("i32", where), "monotonic")
    job = {"FUNCTION": function, "TABLE": table, "ROWS": rows, "PARTS": parts, "SHARES": shares}
    for word, value in job.items():
        _at(board, word).store(value)
    with code.counted(0, shares) as s:
        low, high = parts * s // shares, parts * (s + 1) // shares
        _at(board, "SHARE", s).store(high << 32 | low, "monotonic")
    wrong.store(0, "monotonic")
    gate.store(gate.load(order="monotonic") + _NEW, "release")
    with code.counted(1, woken) as w:
        asleep = _at(board, "ASLEEP", w)
        with code.when(asleep.load(order="monotonic").equals(1)):
            asleep.store(0, "monotonic")
            lock = _at(board, "LOCK", w).load("ptr")
            code.call("void", _at(board, "WAKE").load("ptr"), lock)
    code.call("void", "@work", board, 0)
    gate.change("sub", _OPEN, "acq_rel")
    with waiting(code, _at(board, "YIELD")) as done:
        code.go(done, where=(gate.load(order="acquire") & _INSIDE).equals(0))
    found = wrong.load(order="monotonic")
    busy.store(0, "release")
    code.give(found)

    code.begin(alone)
    code.give(code.call("i64", function, table, 0, rows))
    return code.text()


def _least(one: Value, other: Value) -> Value:
    """Write the lesser of two numbers without signs."""
    return one.below(other).choose(one, other)


def _work() -> str:
    """Return `work(board, me)`, which does parts of the job until there are none: of its own share first."""
    code = Function("define internal void @work(ptr %board, i64 %me)")
    board, me = code.arguments
    function, table = (_at(board, word).load("ptr") for word in ("FUNCTION", "TABLE"))
    rows, parts, shares = (_at(board, word).load() for word in ("ROWS", "PARTS", "SHARES"))
    with code.counted(0, shares) as k:
        own = k.equals(0)
        share = _at(board, "SHARE", (me + k) % shares)
        with code.repeated() as loop:
            both = share.load(order="monotonic")
            low, high = both & (1 << 32) - 1, both >> 32
            code.go(loop.behind, unless=low.below(high))
            part, rest = own.choose(low, high - 1), both + own.choose(1, -1 << 32)
            code.go(loop.again, unless=share.claim(both, rest, "monotonic"))
            first, last = rows * part // parts, rows * (part + 1) // parts
            wrong = code.call("i64", function, table, first, last)
            with code.when(wrong.differs(0)):
                _at(board, "WRONG").change("max", wrong, "monotonic")
    return code.text()


def _stand_aside() -> str:
    """Return `stand_aside(board)`, which offers the processor to others, and leaves it to the caller if it is there."""
    code = Function("define internal void @stand_aside(ptr %board) noinline")
    (board,) = code.arguments
    stay, end = code.label(), code.label()
    where = _at(board, "WHERE").load("ptr")
    code.go(stay, unless=where.exists())
    here = code.call("i32", where)
    same = here.equals(_at(board, "PROCESSOR").load("i32", "monotonic"))
    code.go(stay, unless=same & here.below(8 * _PROCESSORS))

    allowed = code.room(f"[{_PROCESSORS} x i8]")
    code.line(f"store [{_PROCESSORS} x i8] zeroinitializer, ptr {allowed}")
    given = code.constant("i32", 0), _PROCESSORS, allowed
    code.go(stay, unless=code.call("i32", _at(board, "ALLOWED").load("ptr"), *given).equals(0))
    processor = here.wide()
    word = allowed.at((processor >> 6) * 8)
    before = word.load()
    word.store(before & ((code.constant("i64", 1) << (processor & 63)) ^ -1))
    allow = _at(board, "ALLOW").load("ptr")
    code.call("i32", allow, *given)
    word.store(before)
    code.call("i32", allow, *given)
    code.go(end)

    code.begin(stay)
    giving_way(code, _at(board, "YIELD"))
    code.begin(end)
    return code.text()


def _watch() -> str:
    """Return `watch(board, seen, looks)`, which looks for a job that is not the one seen, and returns the open gate.

    It returns 0 after so many looks.
    """
    code = Function("define i64 @watch(ptr %board, i64 %seen, i64 %looks)")
    board, seen, looks = code.arguments
    gate, count = _at(board, "GATE"), code.variable(1)
    with code.repeated() as loop:
        found = gate.load(order="acquire")
        with code.when((found & _OPEN).differs(0) & (found >> _JOB).differs(seen)):
            code.give(found)
        looked = count.load()
        code.go(loop.behind, unless=looked < looks)
        code.call("void", "@pause")
        with code.when((looked & 255).equals(0)):
            code.call("void", "@stand_aside", board)
        count.store(looked + 1)
    code.give(0)
    return code.text()


def _serve() -> str:
    """Return `serve(board, me)`, which is what a worker does: it never returns."""
    code = Function("define void @serve(ptr %board, i64 %me)")
    board, me = code.arguments
    gate, asleep = _at(board, "GATE"), _at(board, "ASLEEP", me)
    looks = _at(board, "LOOKS").load()
    sleep, lock = _at(board, "SLEEP").load("ptr"), _at(board, "LOCK", me).load("ptr")
    seen = code.variable(0)
    with code.repeated() as loop:
        found = code.call("i64", "@watch", board, seen.load(), looks)
        with code.when(found.equals(0)):
            asleep.store(1, "release")
            code.call("i32", sleep, lock, code.constant("i32", 1))
            code.go(loop.again)
        with code.when(gate.claim(found, found + 1, "acq_rel")):
            code.call("void", "@work", board, me)
            gate.change("sub", 1, "acq_rel")
            seen.store(found >> _JOB)
    return code.text()
