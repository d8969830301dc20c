# SPDX-License-Identifier: MIT OR Apache-2.0
"""Static graphs: planned memory, schedules, execution by level, profiles."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st

from vynapse_autodiff.gradient import gradient
from vynapse_autodiff.optimisers import Adam, Momentum
from vynapse_autodiff.passes.fusion import Region, fuse, singles
from vynapse_autodiff.passes.optimize import optimize
from vynapse_autodiff.passes.rematerialise import rematerialise
from vynapse_autodiff.static import memory, schedule
from vynapse_autodiff.static.command import command
from vynapse_autodiff.static.compiler import Compiler
from vynapse_autodiff.static.memory import MemoryPlan, plan_memory
from vynapse_autodiff.static.profile import profile, table, trace_events
from vynapse_autodiff.static.program import PlannedProgram
from vynapse_autodiff.training_step import TrainingStep, training_step
from vynapse_core import Array, Builder, Device, Graph, GraphError, Program, Streams, Value
from vynapse_core.catalogue import installed
from vynapse_core.devices.reference import Reference
from vynapse_core.ops import OPS
from vynapse_core.testing.graphs import Case, cases

Arrays = dict[str, Array]


def squares(prediction: Value, target: Value) -> dict[str, Value]:
    return {"loss": ((prediction - target) ** 2).mean()}


def mlp_step(layers: Sequence[int], optimiser: Any = None) -> tuple[TrainingStep, Arrays]:
    """Return the training step of a network of tanh, and its arrays."""
    builder = Builder()
    value = builder.input("x", ("B", layers[0]))
    rng = np.random.default_rng(0)
    arrays: Arrays = {}
    for n, (into, out) in enumerate(pairwise(layers)):
        weights, bias = builder.parameter(f"w{n}", (out, into)), builder.parameter(f"b{n}", (out,))
        value = value @ weights.T + bias
        value = builder.apply("tanh", value) if n < len(layers) - 2 else value
        arrays |= {f"w{n}": rng.normal(size=(1, out, into)), f"b{n}": np.zeros((1, out))}
    arrays = {name: array.astype(np.float32) * 0.3 for name, array in arrays.items()}
    target: tuple[tuple[int | str, ...], str] = (("B", layers[-1]), "float32")
    step = training_step(builder.graph({"y": value}), squares, optimiser or Momentum(), target, OPS)
    return step, {**arrays, **step.memory(arrays)}


def batch(layers: Sequence[int], samples: int) -> Arrays:
    rng = np.random.default_rng(1)
    x, target = rng.normal(size=(samples, layers[0])), rng.normal(size=(samples, layers[-1]))
    return {"x": x.astype(np.float32), "target": target.astype(np.float32), "rate": np.asarray(0.01, np.float32)}


def programs(graph: Graph, per_network: tuple[str, ...] = ()) -> dict[str, Program]:
    """Return a graph's planned programs, by level and number of threads."""
    live = graph.live(leaves=True)
    return {
        f"level {level}, {threads} threads": PlannedProgram(found.graph, found.regions, per_network, threads=threads)
        for level in (0, 1, 2)
        for threads in (1, 2)
        for found in [optimize(live, level)]
    }


@pytest.mark.parametrize("block", [memory.BLOCK, 24], ids=["one block", "blocks of a few rows"])
@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_planned_memory_gives_what_the_reference_device_gives(
    case: Case, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "BLOCK", block)
    monkeypatch.setattr(memory, "PRODUCT_ROWS", 2)
    monkeypatch.setattr(schedule, "LONG", 0.0)
    arrays, inputs = case.drawn(3, 7, Streams(1)("static"))
    wanted = Reference().compile(case.graph, case.per_network)(arrays, inputs)
    for name, program in programs(case.graph, case.per_network).items():
        for _ in range(2):
            found = program(arrays, inputs)
            for output, value in wanted.items():
                assert found[output].dtype == value.dtype
                np.testing.assert_allclose(found[output], value, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("case", [case for case in cases() if case.empty], ids=lambda case: case.name)
@pytest.mark.parametrize(("networks", "samples"), [(0, 4), (2, 0)])
def test_no_networks_and_no_samples_have_results_too(case: Case, networks: int, samples: int) -> None:
    arrays, inputs = case.drawn(networks, samples, Streams(1)("static"))
    wanted = Reference().compile(case.graph, case.per_network)(arrays, inputs)
    for program in programs(case.graph, case.per_network).values():
        found = program(arrays, inputs)
        for output, value in wanted.items():
            np.testing.assert_allclose(found[output], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("block", [memory.BLOCK, 64], ids=["one block", "blocks of a few rows"])
def test_a_training_step_in_planned_memory_is_that_of_the_reference_device(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "BLOCK", block)
    monkeypatch.setattr(memory, "PRODUCT_ROWS", 2)
    layers = (3, 5, 4, 2)
    step, arrays = mlp_step(layers, Adam(clip_norm=1.0, l2=0.1))
    two = {name: np.concatenate([array, array * 0.5 + 0.1]) for name, array in arrays.items()}
    inputs = batch(layers, 9)
    wanted = Reference().compile(step.graph)(two, inputs)
    for name, program in programs(step.graph).items():
        found = program(two, inputs)
        for output, value in wanted.items():
            np.testing.assert_allclose(found[output], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_program_serves_every_size_of_batch_and_leaves_arguments_alone() -> None:
    layers = (3, 4, 2)
    step, arrays = mlp_step(layers)
    program = PlannedProgram(step.graph, singles(step.graph))
    before = {name: array.copy() for name, array in arrays.items()}
    for samples in (4, 1, 9, 4):
        inputs = batch(layers, samples)
        wanted = Reference().compile(step.graph)(arrays, inputs)
        found = program(arrays, inputs)
        np.testing.assert_allclose(found["next.w0"], wanted["next.w0"], rtol=1e-5, atol=1e-6)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])


def test_outputs_of_two_calls_do_not_share_memory() -> None:
    builder = Builder()
    x = builder.input("x", ("B", 3)) * builder.parameter("s", ())
    graph = builder.graph({"y": x.T, "z": x, "again": x})
    program = PlannedProgram(graph, singles(graph))
    arrays, inputs = {"s": np.array([2.0], np.float32)}, {"x": np.ones((2, 3), np.float32)}
    first, second = program(arrays, inputs), program(arrays, {"x": np.zeros((2, 3), np.float32)})
    for name in graph.outputs:
        assert (first[name] == 2.0).all()
        assert (second[name] == 0.0).all()


def test_arrays_that_are_not_straight_are_taken() -> None:
    builder = Builder()
    x, w = builder.input("x", ("B", 4)), builder.parameter("w", (4, 2))
    graph = builder.graph({"y": x.reshape((-1, 2, 2)).sum(2), "z": x @ w})
    program = PlannedProgram(graph, singles(graph))
    arrays: Arrays = {"w": np.arange(16, dtype=np.float32).reshape(2, 4, 2).transpose(0, 1, 2)[::-1]}
    inputs = {"x": np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4))}
    wanted, found = Reference().compile(graph)(arrays, inputs), program(arrays, inputs)
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value)


def test_an_op_that_fails_is_named() -> None:
    builder = Builder()
    x = builder.parameter("x", (3,))
    graph = builder.graph({"y": builder.apply("gather", x, builder.input("ids", ("B",), "int64"))})
    program = PlannedProgram(graph, singles(graph))
    with pytest.raises(GraphError, match=r"gather float32 .* failed: index 5 is outside"):
        program({"x": np.zeros((1, 3), np.float32)}, {"ids": np.array([5])})


DEEP = (64,) * 21


def plans(samples: int, reorder: bool = True) -> tuple[Graph, MemoryPlan]:
    """Return the graph of a step of a network of 20 layers, and its plan."""
    step, _ = mlp_step(DEEP)
    graph = optimize(step.graph, 1).graph
    return graph, PlannedProgram(graph, singles(graph), reorder=reorder).bind({"B": samples}).plan


def test_planning_at_least_halves_the_peak_of_a_deep_network() -> None:
    _, plan = plans(256)
    assert plan.arena < 0.5 * plan.apart
    assert plan.least <= plan.arena <= 1.1 * plan.least
    assert f"{plan.apart:,} bytes apart, {plan.arena:,} planned" in str(plan)


def peak(program: Program, arrays: Arrays, inputs: Arrays) -> int:
    """Return how many bytes were allocated at most since before a program's first call, for its second."""
    tracemalloc.start()
    try:
        program(arrays, inputs)
        program(arrays, inputs)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_executor_really_needs_no_more_than_planned() -> None:
    step, arrays = mlp_step(DEEP)
    inputs = batch(DEEP, 256)
    graph = optimize(step.graph, 1).graph
    program = PlannedProgram(graph, singles(graph))
    measured, apart = peak(program, arrays, inputs), peak(Reference().compile(graph), arrays, inputs)
    plan = program.bind({"B": 256}).plan
    outputs = sum(array.nbytes for array in program(arrays, inputs).values())
    assert plan.arena < measured < plan.arena + 2 * outputs + 600_000
    assert measured < 0.5 * apart


def test_rematerialisation_lowers_the_planned_peak_further() -> None:
    graph, plan = plans(256, reorder=False)
    found = rematerialise(graph, {"B": 256})
    less = PlannedProgram(found.graph, singles(found.graph), reorder=False).bind({"B": 256}).plan
    assert less.arena < 0.6 * plan.arena
    assert found.flops_after < 1.4 * found.flops_before


def test_an_update_is_scheduled_as_soon_as_its_gradient_is_known() -> None:
    _, early = plans(8)
    _, late = plans(8, reorder=False)
    assert early.arena < 0.7 * late.arena


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_values_that_are_alive_together_do_not_overlap(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from([case for case in cases() if "loss" in case.graph.outputs]))
    graph = optimize(gradient(case.graph), 1).graph
    sizes = {"B": data.draw(st.integers(1, 40))}
    regions = fuse(graph)[0] if data.draw(st.booleans()) else singles(graph)
    plan = plan_memory(graph, schedule.sequential(regions), sizes, OPS)
    spans = list(zip(plan.lives, plan.offsets, strict=True))
    for number, (one, at) in enumerate(spans):
        assert at % memory.ALIGNMENT == 0
        assert at + one.bytes <= plan.arena
        for other, there in spans[:number]:
            together = one.first <= other.last and other.first <= one.last
            assert not together or at + one.bytes <= there or there + other.bytes <= at


def diamond() -> tuple[Graph, tuple[Region, ...]]:
    """Return a graph of two long products that do not wait for each other, and their sum."""
    builder = Builder()
    x, u, v = builder.input("x", ("B", 8)), builder.parameter("u", (8, 8)), builder.parameter("v", (8, 8))
    graph = builder.graph({"y": builder.apply("tanh", x @ u) + x @ v})
    return graph, singles(graph)


def test_regions_that_do_not_wait_for_each_other_share_a_stage() -> None:
    graph, regions = diamond()
    stages = schedule.parallel(graph, regions, {"B": 100}, OPS, threads=2, least=1000.0).stages
    ops = [[graph.nodes[region.nodes[0]].op for region in stage] for stage in stages]
    assert ops == [["matmul", "matmul"], ["tanh"], ["add"]]
    alone = schedule.parallel(graph, regions, {"B": 100}, OPS, threads=2, least=1e9).stages
    assert [len(stage) for stage in alone] == [1, 1, 1, 1]


def test_the_critical_path_is_the_longest_chain_of_work() -> None:
    graph, regions = diamond()
    assert schedule.levels(graph, regions) == [0, 1, 0, 2]
    longest, total, chain = schedule.critical_path(graph, regions, {"B": 100}, OPS)
    assert [graph.nodes[regions[number].nodes[0]].op for number in chain] == ["matmul", "tanh", "add"]
    assert 0.5 * total < longest < total


def test_two_threads_compute_the_same_bits_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "LONG", 0.0)
    layers = (6, 8, 8, 2)
    step, arrays = mlp_step(layers)
    inputs = batch(layers, 16)
    one = PlannedProgram(step.graph, singles(step.graph))
    two = PlannedProgram(step.graph, singles(step.graph), threads=2)
    assert max(len(stage) for stage in two.schedule({"B": 16}).stages) == 2
    wanted, found = one(arrays, inputs), two(arrays, inputs)
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value)


def test_graphs_that_passes_make_equal_share_a_program() -> None:
    compiler = Compiler(Reference(), 1)

    def graph(build: Any) -> Graph:
        builder = Builder()
        return builder.graph({"y": build(builder.input("x", ("B", 3)), builder.parameter("s", ()))})

    plain = compiler.compile(graph(lambda x, s: x * s))
    assert compiler.compile(graph(lambda x, s: (x * 1.0) * s)) is plain
    assert compiler.compile(graph(lambda x, s: x + s)) is not plain
    assert compiler.compile(graph(lambda x, s: x * s), ("x",)) is not plain


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_each_level_has_its_engine(level: int) -> None:
    step, _ = mlp_step((2, 3, 1))
    program = Compiler(Reference(), level).compile(step.graph)
    assert isinstance(program, PlannedProgram) == (level > 0)
    numba = installed().build(Device, {"type": "numba"})
    assert isinstance(Compiler(numba, level).compile(step.graph), PlannedProgram) == (level == 1)


def test_a_profile_counts_every_region_with_its_operations_and_bytes() -> None:
    builder = Builder()
    x, w = builder.input("x", ("B", 8)), builder.parameter("w", (8, 4))
    graph = builder.graph({"y": builder.apply("tanh", x @ w) * 2.0})
    arrays, inputs = {"w": np.ones((3, 8, 4), np.float32)}, {"x": np.ones((5, 8), np.float32)}
    found = profile(optimize(graph, 1), arrays, inputs, repeats=2)
    rows = {row.name: row for row in found.rows}
    assert set(rows) == {"matmul", "tanh", "mul"}
    assert all(row.calls == 3 for row in rows.values())
    assert rows["matmul"].flops == 3 * 2 * 5 * 4 * 8
    assert rows["matmul"].bytes == 3 * 4 * (5 * 8 + 8 * 4 + 5 * 4)
    assert rows["tanh"].bytes == 3 * 4 * (5 * 4 * 2)
    fused = profile(optimize(graph, 2), arrays, inputs, repeats=1)
    (row,) = fused.rows
    assert row.name == "matmul+tanh+mul"
    assert row.flops == sum(each.flops for each in rows.values())
    assert row.bytes < sum(each.bytes for each in rows.values())
    assert table(fused)[2].startswith("| matmul+tanh+mul | 3 | ")
    assert "| 100.0% |" in table(fused)[-1]


def test_trace_events_are_those_of_chrome() -> None:
    graph, _ = diamond()
    arrays = {name: np.ones((1, 8, 8), np.float32) for name in ("u", "v")}
    found = profile(optimize(graph, 0), arrays, {"x": np.ones((4, 8), np.float32)}, repeats=1)
    events: Any = json.loads(json.dumps(trace_events(found, "a test")))["traceEvents"]
    timed = [event for event in events if event["ph"] == "X"]
    assert [event["name"] for event in timed] == ["matmul", "tanh", "matmul", "add"]
    assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in timed)
    assert min(event["ts"] for event in timed) == 0


RECIPES = {
    "a training step of 1 network on 4 samples": """
[task]
type = "xor"
[genome]
type = "mlp"
layers = [2, 4, 1]
[trainer]
type = "sgd"
""",
    "the evaluation of 20 networks on 4 samples": """
[task]
type = "xor"
[trainer]
type = "evolution"
population = 20
""",
    "a time step of 12 networks on 1 observations": """
[task]
type = "cartpole"
[trainer]
type = "evolution"
population = 12
""",
    "the evaluation of 9 networks on 4 samples": """
[task]
type = "xor"
[genome]
type = "neat"
[trainer]
type = "neat"
population = 9
""",
}


@pytest.mark.parametrize("what", RECIPES)
@pytest.mark.parametrize("level", ["0", "2"])
def test_the_command_profiles_what_a_recipe_computes(what: str, level: str, tmp_path: Path) -> None:
    recipe, trace, dot = tmp_path / "recipe.toml", tmp_path / "trace.json", tmp_path / "graph.dot"
    recipe.write_text(RECIPES[what] + '[device]\ntype = "reference"\n')
    told = CliRunner().invoke(
        command,
        [
            str(recipe),
            "--level",
            level,
            "--repeats",
            "1",
            "--recompute",
            "0.5",
            "--trace",
            str(trace),
            "--dot",
            str(dot),
        ],
    )
    assert told.exit_code == 0, told.output
    assert told.output.startswith(f"{what}, node by node in NumPy at optimization level {level}\n\n| op | calls |")
    assert "compiled by the device reference: " in told.output
    assert "rematerialisation: " in told.output
    assert json.loads(trace.read_text())["traceEvents"]
    assert dot.read_text().startswith("digraph {")


def test_a_task_without_a_graph_cannot_be_profiled(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[task]\ntype = "onemax"\n[genome]\ntype = "bits"\n[trainer]\ntype = "evolution"\n')
    told = CliRunner().invoke(command, [str(recipe)])
    assert "there is no graph to profile" in str(told.exception)


def test_a_folder_that_is_not_there_is_told_before_the_work(tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["xor.toml", "--trace", str(tmp_path / "none" / "trace.json")])
    assert told.exit_code == 2
    assert "does not exist" in told.output
