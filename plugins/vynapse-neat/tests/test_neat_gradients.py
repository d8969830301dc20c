# SPDX-License-Identifier: MIT OR Apache-2.0
import numpy as np
import pytest

from vynapse_core import Builder, GraphError
from vynapse_core.devices.reference import Reference
from vynapse_neat.activations import ACTIVATIONS, AGGREGATIONS
from vynapse_neat.genome import Neat
from vynapse_neat.gradient_kernels import sparse_network_step_vjp, sparse_network_vjp
from vynapse_neat.meanings import backward, forward
from vynapse_neat.slope_rows import slope
from vynapse_neat.sparse_network import NETWORK_GRADIENTS, NETWORK_OPS, STRUCTURE

SMOOTH = ("identity", "sigmoid", "steep_sigmoid", "tanh", "sin", "gauss", "softplus", "square")
OPS = {**Builder().ops, **NETWORK_OPS}


def chained(genome, n, seed=0):
    """Return genes in which each hidden node reads some nodes before it, and outputs read hidden nodes."""
    layout, rng = genome.layout, np.random.default_rng(seed)
    genes = genome.initial(n, _Drawn(rng))
    hidden = range(layout.fixed, layout.fixed + genome.hidden)
    extra = [(a, b) for a in hidden for b in hidden if a < b or layout.recurrent]
    count = int(genes.structure["connections"][0])
    genes = layout.resized(genes, genes.structure["node"].shape[1], count + len(extra))
    layout.weights(genes)[:, count:] = rng.normal(size=(n, len(extra)))
    for name, values in (
        ("source", [a for a, _ in extra]),
        ("target", [b for _, b in extra]),
        ("innovation", 1000 + np.arange(len(extra))),
        ("enabled", 1),
    ):
        genes.structure[name][:, count:] = values
    genes.structure["connections"][:] += len(extra)
    assert layout.validate(genes) == []
    return genes


class _Drawn:
    def __init__(self, rng):
        self.rng = rng

    def normal(self, shape, mean=0.0, sigma=1.0):
        return self.rng.normal(mean, sigma, shape).astype(np.float32)

    def integers(self, low, high, shape):
        return self.rng.integers(low, high, shape)


def operands_of(genome, genes, op):
    networks = genome.networks(genes)
    attributes = next(node for node in networks.graph.nodes if node.op == op).attributes
    return [networks.arrays[name] for name in ("values", *STRUCTURE)], attributes


def differences(function, x, step=1e-6):
    """Return central differences of a scalar function of an array."""
    found = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[at] += step
        below[at] -= step
        found[at] = (function(above) - function(below)) / (2 * step)
    return found


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("bias", ["gene", "node"])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_cotangents_are_those_of_central_differences(recurrent, bias, aggregation):
    genome = Neat(
        inputs=2, outputs=2, hidden=3, recurrent=recurrent, bias=bias, response=True, response_spread=0.3,
        activations=SMOOTH, aggregations=(aggregation,),
    )  # fmt: skip
    rng = np.random.default_rng(1)
    arrays, attributes = operands_of(genome, chained(genome, 1), f"sparse_network{'_step' if recurrent else ''}")
    values, *rest = (array[0].astype(np.float64) if name == "values" else array[0]
                     for name, array in zip(("values", *STRUCTURE), arrays, strict=True))  # fmt: skip
    x, nodes = rng.normal(size=(3, 2)), len(rest[0])
    memory = rng.normal(size=(3, nodes)) if recurrent else None
    cotangent = np.zeros((nodes, 3))
    cotangent[2:4] = rng.normal(size=(2, 3))

    def weighed(x, values, memory):
        return float((forward(x, [values, *rest], attributes, memory) * cotangent).sum())

    found = backward(cotangent, x, [values, *rest], attributes, memory)
    np.testing.assert_allclose(found["x"], differences(lambda x: weighed(x, values, memory), x), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        found["values"], differences(lambda values: weighed(x, values, memory), values), rtol=1e-5, atol=1e-7
    )
    if memory is not None:
        np.testing.assert_allclose(
            found["memory"], differences(lambda memory: weighed(x, values, memory), memory), rtol=1e-5, atol=1e-7
        )


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("of", ["x", "values", "memory"])
@pytest.mark.parametrize(("bias", "response"), [("gene", True), ("node", False)])
def test_kernels_give_what_the_ops_mean(recurrent, of, bias, response):
    if of == "memory" and not recurrent:
        pytest.skip("a feed-forward network has none")
    op = f"sparse_network{'_step' if recurrent else ''}"
    genome = Neat(
        inputs=3, outputs=2, hidden=4, recurrent=recurrent, bias=bias, response=response, response_spread=0.3,
        activations=SMOOTH[:-1], weight_spread=0.5,
    )  # fmt: skip
    arrays, attributes = operands_of(genome, chained(genome, 5, 2), op)
    attributes = {**attributes, "of": of}
    rng = np.random.default_rng(3)
    nodes = arrays[1].shape[1]
    x = rng.normal(size=(1, 300, 3)).astype(np.float32)
    cotangent = rng.normal(size=(5, 300, nodes if recurrent else 2)).astype(np.float32)
    operands = [cotangent, x, *arrays]
    if recurrent:
        operands.append(rng.normal(size=(5, 300, nodes)).astype(np.float32))
    kernel = sparse_network_step_vjp if recurrent else sparse_network_vjp
    found = kernel(operands, attributes, {}, 1)
    wide = [each.astype(np.float64) if each.dtype == np.float32 else each for each in operands]
    exact = kernel(wide, attributes, {}, 1)
    assert found.dtype == np.float32
    assert exact.dtype == np.float64
    assert np.abs(found - exact).max() < 1e-4 * np.abs(exact).max()


def test_a_training_step_is_a_graph():
    genome = Neat(inputs=2, outputs=1, hidden=3, activations=("tanh",))
    genes = chained(genome, 4)
    networks = genome.networks(genes)
    builder = Builder(OPS)
    leaves = {name: builder.parameter(name, shape, dtype) for name, shape, dtype in (
        (name, networks.graph.nodes[at].shape, networks.graph.nodes[at].dtype)
        for name, at in networks.graph.parameters.items()
    )}  # fmt: skip
    x, target = builder.input("x", ("B", 2)), builder.input("target", ("B", 1))
    y = builder.extend(networks.graph, bind={**leaves, "x": x})["y"]
    attributes = builder.nodes[y.place].attributes
    operands = [x, leaves["values"], *[leaves[name] for name in STRUCTURE]]
    error = y - target
    cotangents = NETWORK_GRADIENTS["sparse_network"](operands, y, error * 2.0, attributes)
    assert [each is not None for each in cotangents] == [True, True, *[False] * 7]
    loss = (error * error).sum()
    learned = leaves["values"] - cotangents[1] * 0.05
    program = Reference().compile(builder.graph({"loss": loss, "values": learned}), ops=OPS)
    samples = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    wanted = np.array([[0.0], [1.0], [1.0], [0.0]], np.float32)
    arrays, losses = dict(networks.arrays), []
    for _ in range(600):
        outputs = program(arrays, {"x": samples, "target": wanted})
        arrays["values"] = outputs["values"]
        losses.append(outputs["loss"])
    assert (losses[-1] < 0.5 * losses[0]).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_in_routines_match_numpy(name):
    x = np.linspace(-4.97, 4.95, 64).astype(np.float32)
    found = np.empty_like(x)
    slope(ACTIVATIONS[name].code, x, found, len(x))
    np.testing.assert_allclose(found, ACTIVATIONS[name].slope(x.astype(np.float64)), rtol=2e-5, atol=2e-5)


def test_an_unknown_operand_has_no_cotangent():
    genome = Neat(inputs=2, outputs=1)
    builder = Builder(OPS)
    y = builder.extend(genome.graph)["y"]
    node = builder.nodes[y.place]
    with pytest.raises(GraphError, match="'of'"):
        builder.apply(
            "sparse_network_vjp", y, *[type(y)(builder, o) for o in node.operands], of="order", **node.attributes
        )
