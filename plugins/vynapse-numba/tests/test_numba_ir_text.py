# SPDX-License-Identifier: MIT OR Apache-2.0
import ctypes
import operator
from functools import cache
from math import gcd

import numpy as np
import pytest
from hypothesis import given, strategies as st
from llvmlite import binding

from vynapse_numba.ir_text import Function, Value
from vynapse_numba.llvm import loaded, object_code
from vynapse_numba.waiting import giving_way, pause, waiting

HOST = binding.get_process_triple().split("-")[0]
WORDS = st.integers(0, 2**64 - 1) | st.integers(0, 70)
CALLED = ctypes.CFUNCTYPE(ctypes.c_int64)


def signed(word: int) -> int:
    """Return what a word of 64 bits is as a signed number."""
    return word - 2**64 if word >= 2**63 else word


def made(text: str, name: str = "f"):
    """Return the function of a text, of whole numbers that are signed ones for Python."""
    engine = loaded(object_code(text, speed=2, vectorise=False))
    address = engine.get_function_address(name)

    def call(*numbers: int) -> int:
        words = [ctypes.c_uint64(number) for number in numbers]
        return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_uint64] * len(words))(address)(*words)

    call.engine = engine
    return call


@cache
def operation(name: str):
    """Return, in machine code, an operator or a method of values of two numbers."""
    code = Function("define i64 @f(i64 %a, i64 %b)")
    a, b = code.arguments
    method = getattr(operator, name, None)
    found = method(a, b) if method else getattr(a, name)(b)
    code.give(found.choose(1, 0) if found.kind == "i1" else found)
    return made(code.text())


@pytest.mark.parametrize("name", ["add", "sub", "mul", "and_", "or_", "xor"])
@given(WORDS, WORDS)
def test_an_operator_means_what_it_means_in_python_but_for_what_64_bits_cannot_hold(name, a, b):
    assert operation(name)(a, b) == signed(getattr(operator, name)(a, b) % 2**64)


@pytest.mark.parametrize("name", ["floordiv", "mod"])
@given(WORDS, WORDS.filter(bool))
def test_quotients_and_remainders_are_of_numbers_without_signs(name, a, b):
    assert operation(name)(a, b) == signed(getattr(operator, name)(a, b))


@pytest.mark.parametrize("name", ["lshift", "rshift"])
@given(WORDS, st.integers(0, 63))
def test_shifts_bring_in_zeros(name, a, b):
    assert operation(name)(a, b) == signed(getattr(operator, name)(a, b) % 2**64)


@given(WORDS, WORDS)
def test_less_and_greater_are_of_signed_numbers_and_below_of_those_without(a, b):
    for other in (a, b):
        assert operation("lt")(a, other) == (signed(a) < signed(other))
        assert operation("gt")(a, other) == (signed(a) > signed(other))
        assert operation("below")(a, other) == (a < other)
        assert operation("equals")(a, other) == (a == other)
        assert operation("differs")(a, other) == (a != other)


def test_a_number_of_32_bits_is_widened_without_a_sign():
    code = Function("define i64 @f(ptr %at)")
    code.give(code.arguments[0].load("i32").wide())
    found = np.array([-1, -1], np.int32)
    assert made(code.text())(found.ctypes.data) == 2**32 - 1


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_a_counted_loop_goes_from_the_first_to_before_the_end(first, end):
    assert _pairs()(first, end) == sum(100 * i + j for i in range(first, end) for j in range(i, end))


@cache
def _pairs():
    code = Function("define i64 @f(i64 %first, i64 %end)")
    first, end = code.arguments
    total = code.variable(0)
    with code.counted(first, end) as i, code.counted(i, end) as j:
        total.store(total.load() + i * 100 + j)
    code.give(total.load())
    return made(code.text())


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_loop_is_repeated_until_it_is_left_and_its_end_may_come_early(a, b):
    assert _divisor()(a, b) == gcd(a, b)


@cache
def _divisor():
    code = Function("define i64 @f(i64 %a, i64 %b)")
    a, b = (code.variable(each) for each in code.arguments)
    with code.repeated() as loop:
        rest = b.load()
        code.go(loop.behind, unless=rest.differs(0))
        b.store(a.load() % rest)
        a.store(rest)
        code.go(loop.again, where=rest > 1)
        code.give(1)
    code.give(a.load())
    return made(code.text())


def test_what_is_conditional_is_done_only_where_the_condition_holds():
    code = Function("define i64 @f(i64 %a)")
    (a,) = code.arguments
    found = code.variable(0)
    with code.when(a > 1):
        found.store(1)
        with code.when(a > 2):
            code.give(2)
    code.give(found.load())
    assert list(map(made(code.text()), range(1, 5))) == [0, 1, 2, 2]


def test_text_behind_a_jump_is_refused_until_a_label_begins():
    code = Function("define i64 @f()")
    code.give(1)
    with pytest.raises(AssertionError, match="begins with a label"):
        code.give(2)


def test_a_claim_stores_only_over_what_it_expects_and_changes_add_subtract_and_rise():
    code = Function("define i64 @f(ptr %at, i64 %old, i64 %new)")
    at, old, new = code.arguments
    won = at.claim(old, new, "acq_rel")
    for number, how in enumerate(("add", "sub", "max"), 1):
        at.at(8 * number).change(how, new, "monotonic")
    code.give(won.choose(1, 0))
    found, call = np.array([7, 5, 5, 5]), made(code.text())
    assert call(found.ctypes.data, 6, 9) == 0
    assert found.tolist() == [7, 14, -4, 9]
    assert call(found.ctypes.data, 7, 9) == 1
    assert found.tolist() == [9, 23, -13, 9]


@pytest.mark.parametrize(
    ("write", "line"),
    [
        (lambda at: at.load(), "load i64, ptr %at"),
        (lambda at: at.load("ptr"), "load ptr, ptr %at"),
        (lambda at: at.load(order="acquire"), "load atomic i64, ptr %at acquire, align 8"),
        (lambda at: at.load("i32", "monotonic"), "load atomic i32, ptr %at monotonic, align 4"),
        (lambda at: at.store(3), "store i64 3, ptr %at"),
        (lambda at: at.store(3, "release"), "store atomic i64 3, ptr %at release, align 8"),
        (lambda at: at.change("sub", 3, "acq_rel"), "atomicrmw sub ptr %at, i64 3 acq_rel"),
        (lambda at: at.claim(3, 4, "acquire"), "cmpxchg ptr %at, i64 3, i64 4 acquire monotonic"),
    ],
)
def test_what_reads_and_writes_memory_has_the_order_that_it_is_given(write, line):
    code = Function("define void @f(ptr %at)")
    write(code.arguments[0])
    assert code.text().splitlines()[3].split(" = ")[-1].strip() == line
    assert binding.parse_assembly(code.text()).get_function("f").name == "f"


def test_functions_are_called_by_their_address_and_by_their_name():
    inner = Function("define internal i64 @g(i64 %a, i64 %b)")
    a, b = inner.arguments
    inner.give(a * 10 + b)
    code = Function("define i64 @f(ptr %function)")
    (function,) = code.arguments
    with code.when(function.exists()):
        code.give(code.call("i64", "@g", code.call("i64", function), 2, how="noinline"))
    code.give(-1)
    callback = CALLED(lambda: 4)
    call = made(inner.text() + code.text())
    assert call(ctypes.cast(callback, ctypes.c_void_p).value) == 42
    assert call(0) == -1


@pytest.mark.parametrize("machine", [HOST, "unheard-of"])
@pytest.mark.parametrize("looks", [1, 2, 301, 302, 310])
def test_who_waits_offers_its_processor_to_others_after_300_looks(machine, looks):
    code = Function("define void @f(ptr %function, ptr %look)")
    function, look = code.arguments
    with waiting(code, function) as done:
        code.go(done, where=code.call("i64", look).equals(looks))
    done, given_way = [], []

    def looked() -> int:
        done.append(1)
        return len(done)

    look, give_way = CALLED(looked), CALLED(lambda: given_way.append(len(done)) or 0)
    place = ctypes.c_void_p(ctypes.cast(give_way, ctypes.c_void_p).value)
    made(code.text() + pause(machine))(ctypes.addressof(place), ctypes.cast(look, ctypes.c_void_p).value)
    assert len(done) == looks
    assert given_way == list(range(301, looks))


def test_nobody_gives_way_where_no_function_does_that():
    code = Function("define i64 @f(ptr %function)")
    giving_way(code, code.arguments[0])
    code.give(1)
    assert made(code.text())(ctypes.addressof(ctypes.c_void_p())) == 1


def test_values_have_the_kinds_of_what_they_come_from():
    code = Function("define double @f(ptr %at, i32 %word)")
    at, word = code.arguments
    kinds = [at.kind, word.kind, (word + 1).kind, (word > 1).kind, word.wide().kind, at.load("double").kind]
    assert kinds == ["ptr", "i32", "i32", "i1", "i64", "double"]
    assert isinstance((word > 1).choose(at, at), Value)
    assert (word > 1).choose(at, at).kind == "ptr"
