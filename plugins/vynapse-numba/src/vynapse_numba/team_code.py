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

import re

from vynapse_numba.waiting import with_pauses

LINE = 64
"""Bytes of a cache line: threads that write to one line slow each other down."""
_JOB = 20
"""Bits of the gate below the job's number: one that says whether it is open, and those that count who is inside."""
FINENESS = 4
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

_CODE = """
define i64 @run(ptr %board, ptr %function, ptr %table, i64 %rows, i64 %grain) {
entry:
  %members.at = getelementptr i8, ptr %board, i64 MEMBERS
  %members = load i64, ptr %members.at
  %grains = udiv i64 %rows, %grain
  %most = mul i64 %members, FINENESS
  %fine = icmp ult i64 %grains, %most
  %at.most = select i1 %fine, i64 %grains, i64 %most
  %odd = urem i64 %at.most, %members
  %even = sub i64 %at.most, %odd
  %few = icmp ult i64 %at.most, %members
  %parts = select i1 %few, i64 %at.most, i64 %even
  %shares = select i1 %few, i64 %at.most, i64 %members
  %worth = udiv i64 %grains, WAKING
  %less = icmp ult i64 %worth, %shares
  %woken = select i1 %less, i64 %worth, i64 %shares
  %several = icmp ugt i64 %shares, 1
  br i1 %several, label %company, label %alone
company:
  %waking = icmp ugt i64 %woken, 1
  br i1 %waking, label %try, label %anybody
anybody:
  %m = phi i64 [1, %company], [%m1, %sleeper]
  %left = icmp ult i64 %m, %members
  br i1 %left, label %nod, label %alone
nod:
  %m.place = mul i64 %m, MEMBER
  %m.member = getelementptr i8, ptr %board, i64 %m.place
  %m.asleep.at = getelementptr i8, ptr %m.member, i64 ASLEEP
  %m.asleep = load atomic i64, ptr %m.asleep.at monotonic, align 8
  %m.sleeps = icmp eq i64 %m.asleep, 1
  br i1 %m.sleeps, label %sleeper, label %try
sleeper:
  %m1 = add i64 %m, 1
  br label %anybody
try:
  %busy = getelementptr i8, ptr %board, i64 BUSY
  %taken = cmpxchg ptr %busy, i64 0, i64 1 acquire monotonic
  %free = extractvalue {i64, i1} %taken, 1
  br i1 %free, label %open, label %alone
alone:
  %own = call i64 %function(ptr %table, i64 0, i64 %rows)
  ret i64 %own
open:
  %where.at = getelementptr i8, ptr %board, i64 WHERE
  %where = load ptr, ptr %where.at
  %unknown = icmp eq ptr %where, null
  br i1 %unknown, label %set, label %ask
ask:
  %processor = call i32 %where()
  %processor.at = getelementptr i8, ptr %board, i64 PROCESSOR
  store atomic i32 %processor, ptr %processor.at monotonic, align 4
  br label %set
set:
  %function.at = getelementptr i8, ptr %board, i64 FUNCTION
  store ptr %function, ptr %function.at
  %table.at = getelementptr i8, ptr %board, i64 TABLE
  store ptr %table, ptr %table.at
  %rows.at = getelementptr i8, ptr %board, i64 ROWS
  store i64 %rows, ptr %rows.at
  %parts.at = getelementptr i8, ptr %board, i64 PARTS
  store i64 %parts, ptr %parts.at
  %shares.at = getelementptr i8, ptr %board, i64 SHARES
  store i64 %shares, ptr %shares.at
  br label %share
share:
  %s = phi i64 [0, %set], [%s1, %cut]
  %others = icmp slt i64 %s, %shares
  br i1 %others, label %cut, label %call
cut:
  %s1 = add i64 %s, 1
  %before.parts = mul i64 %parts, %s
  %low = udiv i64 %before.parts, %shares
  %until.parts = mul i64 %parts, %s1
  %high = udiv i64 %until.parts, %shares
  %upper = shl i64 %high, 32
  %both = or i64 %upper, %low
  %place = mul i64 %s, MEMBER
  %member = getelementptr i8, ptr %board, i64 %place
  %share.at = getelementptr i8, ptr %member, i64 SHARE
  store atomic i64 %both, ptr %share.at monotonic, align 8
  br label %share
call:
  %wrong.at = getelementptr i8, ptr %board, i64 WRONG
  store atomic i64 0, ptr %wrong.at monotonic, align 8
  %gate = getelementptr i8, ptr %board, i64 GATE
  %before = load atomic i64, ptr %gate monotonic, align 8
  %opened = add i64 %before, NEW
  store atomic i64 %opened, ptr %gate release, align 8
  br label %wake
wake:
  %w = phi i64 [1, %call], [%w1, %awake]
  %some = icmp slt i64 %w, %woken
  br i1 %some, label %look, label %part
look:
  %line = mul i64 %w, MEMBER
  %worker = getelementptr i8, ptr %board, i64 %line
  %asleep.at = getelementptr i8, ptr %worker, i64 ASLEEP
  %asleep = load atomic i64, ptr %asleep.at monotonic, align 8
  %sleeps = icmp eq i64 %asleep, 1
  br i1 %sleeps, label %ring, label %awake
ring:
  store atomic i64 0, ptr %asleep.at monotonic, align 8
  %lock.at = getelementptr i8, ptr %worker, i64 LOCK
  %lock = load ptr, ptr %lock.at
  %wake.at = getelementptr i8, ptr %board, i64 WAKE
  %release = load ptr, ptr %wake.at
  call void %release(ptr %lock)
  br label %awake
awake:
  %w1 = add i64 %w, 1
  br label %wake
part:
  call void @work(ptr %board, i64 0)
  %was = atomicrmw sub ptr %gate, i64 OPEN acq_rel
  br label %wait
wait:
  %spins = phi i64 [1, %part], [%spins1, %again]
  %now = load atomic i64, ptr %gate acquire, align 8
  %inside = and i64 %now, INSIDE
  %done = icmp eq i64 %inside, 0
  br i1 %done, label %end, label %pause
pause:
  PAUSE
  %spins1 = add i64 %spins, 1
  %tired = icmp sgt i64 %spins, 300
  br i1 %tired, label %give, label %again
give:
  call void @give_way(ptr %board)
  br label %again
again:
  br label %wait
end:
  %wrong = load atomic i64, ptr %wrong.at monotonic, align 8
  store atomic i64 0, ptr %busy release, align 8
  ret i64 %wrong
}

define internal void @work(ptr %board, i64 %me) {
entry:
  %function.at = getelementptr i8, ptr %board, i64 FUNCTION
  %function = load ptr, ptr %function.at
  %table.at = getelementptr i8, ptr %board, i64 TABLE
  %table = load ptr, ptr %table.at
  %rows.at = getelementptr i8, ptr %board, i64 ROWS
  %rows = load i64, ptr %rows.at
  %parts.at = getelementptr i8, ptr %board, i64 PARTS
  %parts = load i64, ptr %parts.at
  %shares.at = getelementptr i8, ptr %board, i64 SHARES
  %shares = load i64, ptr %shares.at
  br label %next
next:
  %k = phi i64 [0, %entry], [%k1, %empty]
  %more = icmp slt i64 %k, %shares
  br i1 %more, label %share, label %leave
share:
  %own = icmp eq i64 %k, 0
  %after.me = add i64 %me, %k
  %s = urem i64 %after.me, %shares
  %place = mul i64 %s, MEMBER
  %member = getelementptr i8, ptr %board, i64 %place
  %share.at = getelementptr i8, ptr %member, i64 SHARE
  br label %look
look:
  %both = load atomic i64, ptr %share.at monotonic, align 8
  %low = and i64 %both, 4294967295
  %high = lshr i64 %both, 32
  %some = icmp ult i64 %low, %high
  br i1 %some, label %take, label %empty
take:
  %end = sub i64 %high, 1
  %part = select i1 %own, i64 %low, i64 %end
  %less = select i1 %own, i64 1, i64 -4294967296
  %rest = add i64 %both, %less
  %result = cmpxchg ptr %share.at, i64 %both, i64 %rest monotonic monotonic
  %won = extractvalue {i64, i1} %result, 1
  br i1 %won, label %do, label %look
do:
  %before = mul i64 %rows, %part
  %first = udiv i64 %before, %parts
  %part1 = add i64 %part, 1
  %until = mul i64 %rows, %part1
  %last = udiv i64 %until, %parts
  %wrong = call i64 %function(ptr %table, i64 %first, i64 %last)
  %right = icmp eq i64 %wrong, 0
  br i1 %right, label %look, label %tell
tell:
  %wrong.at = getelementptr i8, ptr %board, i64 WRONG
  %was = atomicrmw max ptr %wrong.at, i64 %wrong monotonic
  br label %look
empty:
  %k1 = add i64 %k, 1
  br label %next
leave:
  ret void
}

define internal void @give_way(ptr %board) {
entry:
  %at = getelementptr i8, ptr %board, i64 YIELD
  %yield = load ptr, ptr %at
  %none = icmp eq ptr %yield, null
  br i1 %none, label %leave, label %give
give:
  %ignored = call i32 %yield()
  br label %leave
leave:
  ret void
}

define internal void @stand_aside(ptr %board) noinline {
entry:
  %allowed = alloca [16 x i64], align 8
  %where.at = getelementptr i8, ptr %board, i64 WHERE
  %where = load ptr, ptr %where.at
  %unknown = icmp eq ptr %where, null
  br i1 %unknown, label %give, label %ask
ask:
  %here = call i32 %where()
  %processor.at = getelementptr i8, ptr %board, i64 PROCESSOR
  %processor = load atomic i32, ptr %processor.at monotonic, align 4
  %same = icmp eq i32 %here, %processor
  %within = icmp ult i32 %here, 1024
  %both = and i1 %same, %within
  br i1 %both, label %find, label %give
find:
  store [16 x i64] zeroinitializer, ptr %allowed
  %allowed.at = getelementptr i8, ptr %board, i64 ALLOWED
  %get = load ptr, ptr %allowed.at
  %failed = call i32 %get(i32 0, i64 128, ptr %allowed)
  %found = icmp eq i32 %failed, 0
  br i1 %found, label %leave, label %give
leave:
  %wide = zext i32 %here to i64
  %at = lshr i64 %wide, 6
  %word.at = getelementptr i64, ptr %allowed, i64 %at
  %word = load i64, ptr %word.at
  %place = and i64 %wide, 63
  %bit = shl i64 1, %place
  %others = xor i64 %bit, -1
  %without = and i64 %word, %others
  store i64 %without, ptr %word.at
  %allow.at = getelementptr i8, ptr %board, i64 ALLOW
  %set = load ptr, ptr %allow.at
  %ignored = call i32 %set(i32 0, i64 128, ptr %allowed)
  store i64 %word, ptr %word.at
  %ignored1 = call i32 %set(i32 0, i64 128, ptr %allowed)
  br label %end
give:
  call void @give_way(ptr %board)
  br label %end
end:
  ret void
}

define i64 @watch(ptr %board, i64 %seen, i64 %looks) {
entry:
  %gate = getelementptr i8, ptr %board, i64 GATE
  br label %look
look:
  %n = phi i64 [1, %entry], [%n1, %again]
  %now = load atomic i64, ptr %gate acquire, align 8
  %bit = and i64 %now, OPEN
  %open = icmp ne i64 %bit, 0
  %job = lshr i64 %now, JOB
  %other = icmp ne i64 %job, %seen
  %new = and i1 %open, %other
  br i1 %new, label %found, label %more
more:
  %left = icmp slt i64 %n, %looks
  br i1 %left, label %pause, label %none
pause:
  PAUSE
  %n1 = add i64 %n, 1
  %few = and i64 %n, 255
  %often = icmp eq i64 %few, 0
  br i1 %often, label %give, label %again
give:
  call void @stand_aside(ptr %board)
  br label %again
again:
  br label %look
found:
  ret i64 %now
none:
  ret i64 0
}

define void @serve(ptr %board, i64 %me) {
entry:
  %gate = getelementptr i8, ptr %board, i64 GATE
  %looks.at = getelementptr i8, ptr %board, i64 LOOKS
  %looks = load i64, ptr %looks.at
  %sleep.at = getelementptr i8, ptr %board, i64 SLEEP
  %sleep = load ptr, ptr %sleep.at
  %line = mul i64 %me, MEMBER
  %worker = getelementptr i8, ptr %board, i64 %line
  %asleep.at = getelementptr i8, ptr %worker, i64 ASLEEP
  %lock.at = getelementptr i8, ptr %worker, i64 LOCK
  %lock = load ptr, ptr %lock.at
  br label %watch
watch:
  %seen = phi i64 [0, %entry], [%seen, %rest], [%seen, %join], [%job, %inside]
  %found = call i64 @watch(ptr %board, i64 %seen, i64 %looks)
  %none = icmp eq i64 %found, 0
  br i1 %none, label %rest, label %join
rest:
  store atomic i64 1, ptr %asleep.at release, align 8
  %ignored = call i32 %sleep(ptr %lock, i32 1)
  br label %watch
join:
  %job = lshr i64 %found, JOB
  %found1 = add i64 %found, 1
  %result = cmpxchg ptr %gate, i64 %found, i64 %found1 acq_rel monotonic
  %won = extractvalue {i64, i1} %result, 1
  br i1 %won, label %inside, label %watch
inside:
  call void @work(ptr %board, i64 %me)
  %was = atomicrmw sub ptr %gate, i64 1 acq_rel
  br label %watch
}
"""


def team_code(machine: str) -> str:
    """Return the module of `run`, `serve` and `watch`; `machine` is the first part of LLVM's name of the platform.

    `run(board, function, table, rows, grain)` calls `function(table, first, last)` for parts of the rows, of which a
    `grain` is worth a thread's while, and returns the greatest of its results. It calls it for all rows at once where
    they are too few, where the team has another caller, and where all workers sleep and the rows are not worth waking.
    `serve(board, me)` is what a worker does: it never returns.
    `watch(board, seen, looks)` returns the gate once a job is open that is not the one seen, 0 after so many looks.
    """
    opened = 1 << (_JOB - 1)
    words = {**PLACES, "MEMBER": MEMBER, "FINENESS": FINENESS, "WAKING": WAKING}
    words |= {"JOB": _JOB, "NEW": (1 << _JOB) + opened, "OPEN": opened, "INSIDE": opened - 1}
    return with_pauses(re.sub("|".join(rf"\b{word}\b" for word in words), lambda it: str(words[it[0]]), _CODE), machine)
