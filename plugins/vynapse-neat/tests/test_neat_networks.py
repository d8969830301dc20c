# SPDX-License-Identifier: MIT OR Apache-2.0
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from vynapse_core import Builder, GraphError, Streams
from vynapse_core.devices.reference import Reference
from vynapse_neat.activation_rows import activate
from vynapse_neat.activations import ACTIVATIONS, AGGREGATIONS
from vynapse_neat.genome import Neat
from vynapse_neat.kernels import sparse_network, sparse_network_step
from vynapse_neat.sparse_network import NETWORK_OPS, STRUCTURE
from vynapse_numba.device import Numba

ALL = tuple(ACTIVATIONS)
SMOOTH = ("identity", "sigmoid", "neat_sigmoid", "tanh", "sin", "gauss", "softplus")


@cache
def numba():
    return Numba(threads=2)


def grown(genome, n, hidden, links, seed=0):
    """Return random valid genes: hidden nodes with ids of their own, links of which some are disabled."""
    layout, rng = genome.layout, np.random.default_rng(seed)
    inputs, fixed = layout.inputs, layout.fixed
    genes = layout.empty(n, fixed + hidden, links)
    structure = genes.structure
    for i in range(n):
        own = int(rng.integers(0, hidden + 1))
        ids = [*range(fixed), *sorted(rng.choice(np.arange(fixed, fixed + 4 * hidden), own, replace=False).tolist())]
        rank = {node: rng.random() for node in ids}
        constant = [*range(inputs), *([fixed - 1] if layout.bias_node else [])]
        rank |= dict.fromkeys(constant, -1.0)
        pairs = [(a, b) for a in ids for b in ids if b not in constant and (layout.recurrent or rank[a] < rank[b])]
        chosen = rng.permutation(len(pairs))[: rng.integers(0, links + 1)]
        structure["nodes"][i], structure["connections"][i] = len(ids), len(chosen)
        structure["node"][i, : len(ids)] = ids
        computed = [place for place, node in enumerate(ids) if node not in constant]
        structure["activation"][i, computed] = rng.integers(0, len(layout.activations), len(computed))
        structure["aggregation"][i, computed] = rng.integers(0, len(layout.aggregations), len(computed))
        if not layout.bias_node:
            layout.biases(genes)[i, computed] = rng.normal(size=len(computed))
        if layout.response:
            layout.responses(genes)[i, computed] = rng.normal(1, 0.5, len(computed))
        for place, pair in enumerate(chosen):
            structure["source"][i, place], structure["target"][i, place] = pairs[pair]
        structure["innovation"][i, : len(chosen)] = np.sort(rng.choice(10 * links + 1, len(chosen), replace=False))
        structure["enabled"][i, : len(chosen)] = rng.random(len(chosen)) < 0.8
        layout.weights(genes)[i, : len(chosen)] = rng.normal(size=len(chosen))
    assert layout.validate(genes) == []
    return genes


def outputs_of(genome, genes, x, device=None):
    networks = genome.on(device or Reference())(genes)
    program = (device or Reference()).compile(networks.graph, (), ops={**Builder().ops, **NETWORK_OPS})
    return program(networks.arrays, {"x": np.asarray(x, np.float32)})["y"]


def told(layout, genes, i):
    """Return the nodes {id: (bias, response, activation, aggregation)} and links {target: [(source, weight)]}."""
    place = {int(node): at for at, node in enumerate(genes.structure["node"][i, : genes.structure["nodes"][i]])}
    response = layout.responses(genes)
    nodes = {
        node: (
            float(layout.biases(genes)[i, at]),
            1.0 if response is None else float(response[i, at]),
            layout.activations[genes.structure["activation"][i, at]],
            layout.aggregations[genes.structure["aggregation"][i, at]],
        )
        for node, at in place.items()
    }
    links = {}
    for k in range(genes.structure["connections"][i]):
        if genes.structure["enabled"][i, k]:
            source, target = int(genes.structure["source"][i, k]), int(genes.structure["target"][i, k])
            links.setdefault(target, []).append((source, float(layout.weights(genes)[i, k])))
    return nodes, links


def aggregated(name, terms):
    if not terms:
        return 1.0 if name == "product" else 0.0
    return {
        "sum": sum,
        "product": np.prod,
        "min": min,
        "max": max,
        "mean": np.mean,
        "median": np.median,
        "maxabs": lambda terms: max(terms, key=abs),
    }[name](terms)


def by_recursion(layout, genes, i, sample):
    """Return the outputs of a feed-forward genome, by recursion over dictionaries."""
    nodes, links = told(layout, genes, i)
    known = dict(enumerate(map(float, sample)))
    if layout.bias_node:
        known[layout.fixed - 1] = 1.0

    def value(node):
        if node not in known:
            bias, response, activation, aggregation = nodes[node]
            total = aggregated(aggregation, [weight * value(source) for source, weight in links.get(node, [])])
            known[node] = float(ACTIVATIONS[activation].value(np.float64(bias + response * total)))
        return known[node]

    return [value(node) for node in range(layout.inputs, layout.inputs + layout.outputs)]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    bias=st.sampled_from(("gene", "node")),
    response=st.booleans(),
    aggregations=st.sampled_from((("sum",), tuple(AGGREGATIONS))),
)
def test_networks_give_what_recursion_gives(seed, bias, response, aggregations):
    genome = Neat(inputs=2, outputs=2, bias=bias, response=response, activations=SMOOTH, aggregations=aggregations)
    genes = grown(genome, 3, 5, 14, seed)
    x = np.random.default_rng(seed).normal(size=(3, 2)).astype(np.float32)
    expected = [[by_recursion(genome.layout, genes, i, sample) for sample in x] for i in range(3)]
    np.testing.assert_allclose(outputs_of(genome, genes, x), expected, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(outputs_of(genome, genes, x, numba()), expected, rtol=2e-4, atol=2e-5)


def config_of(layout, tables):
    return SimpleNamespace(
        genome_config=SimpleNamespace(
            input_keys=list(range(layout.inputs)),
            output_keys=list(range(layout.inputs, layout.inputs + layout.outputs)),
            activation_defs=tables[0],
            aggregation_function_defs=tables[1],
        )
    )


def genome_of(layout, genes, i):
    nodes, links = told(layout, genes, i)
    named = {
        name: SimpleNamespace(bias=n[0], response=n[1], activation=n[2], aggregation=n[3]) for name, n in nodes.items()
    }
    connections = {
        (source, target): SimpleNamespace(key=(source, target), enabled=True, weight=weight)
        for target, row in links.items()
        for source, weight in row
    }
    return SimpleNamespace(nodes=named, connections=connections)


def their_tables():
    activations = pytest.importorskip("neat.activations")
    aggregations = pytest.importorskip("neat.aggregations")
    same = {name: getattr(activations, f"{name}_activation") for name in ("identity", "relu", "clamped", "hat")}
    same |= {f"neat_{name}": getattr(activations, f"{name}_activation") for name in ("sigmoid", "tanh", "sin", "gauss")}
    return same, {
        "sum": aggregations.sum_aggregation,
        "product": aggregations.product_aggregation,
        "max": aggregations.max_aggregation,
        "mean": aggregations.mean_aggregation,
    }


def test_feed_forward_networks_give_what_neat_python_gives():
    tables = their_tables()
    nn = pytest.importorskip("neat.nn")
    genome = Neat(
        inputs=3, outputs=2, response=True, activations=tuple(tables[0]), aggregations=("sum", "product", "mean")
    )
    genes = grown(genome, 40, 6, 20, 5)
    x = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    found = outputs_of(genome, genes, x, numba())
    for i in range(40):
        theirs = genome_of(genome.layout, genes, i)
        network = nn.FeedForwardNetwork.create(theirs, config_of(genome.layout, tables))
        if any(not evaluation[5] for evaluation in network.node_evals):
            continue
        expected = [network.activate(sample) for sample in x.tolist()]
        np.testing.assert_allclose(found[i], expected, rtol=2e-4, atol=2e-5)


def recurrent_outputs(genome, genes, xs, device):
    """Return the outputs [T, P, B, O] over time steps xs [T, B, I]."""
    networks = genome.on(device)(genes)
    program = device.compile(networks.graph, ("memory",), ops={**Builder().ops, **NETWORK_OPS})
    memory, found = networks.blank_memory(xs.shape[1]), []
    for x in xs:
        outputs = program(networks.arrays, {"x": x, **memory})
        memory = {"memory": outputs["memory"]}
        found.append(outputs["y"])
    return np.stack(found)


@pytest.mark.parametrize("bias", ["gene", "node"])
def test_recurrent_networks_update_all_nodes_at_once(bias):
    genome = Neat(inputs=2, outputs=2, bias=bias, recurrent=True, activations=("tanh", "sin"), response=True)
    genes = grown(genome, 10, 4, 20, 3)
    xs = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
    for device in (Reference(), numba()):
        found = recurrent_outputs(genome, genes, xs, device)
        for i in range(10):
            nodes, links = told(genome.layout, genes, i)
            for b in range(3):
                state = dict.fromkeys(nodes, 0.0)
                for t, sample in enumerate(xs[:, b]):
                    state |= dict(enumerate(map(float, sample))) | ({4: 1.0} if bias == "node" else {})
                    constant = 2 + (bias == "node")
                    state = {
                        node: ACTIVATIONS[n[2]].value(
                            np.float64(n[0] + n[1] * sum(w * state[s] for s, w in links.get(node, [])))
                        )
                        for node, n in nodes.items()
                        if node in (2, 3) or node >= 2 + constant
                    }
                    np.testing.assert_allclose(found[t, i, b], [state[2], state[3]], rtol=1e-3, atol=1e-4)


def test_recurrent_networks_give_what_neat_python_gives():
    tables = their_tables()
    nn = pytest.importorskip("neat.nn")
    genome = Neat(inputs=2, outputs=1, recurrent=True, activations=("neat_tanh", "neat_sigmoid"))
    genes = grown(genome, 40, 3, 20, 9)
    xs = np.random.default_rng(2).normal(size=(6, 1, 2)).astype(np.float32)
    found = recurrent_outputs(genome, genes, xs, numba())
    compared = 0
    for i in range(40):
        theirs = genome_of(genome.layout, genes, i)
        if {target for _, target in theirs.connections} != set(theirs.nodes) - {0, 1}:
            continue
        network = nn.RecurrentNetwork.create(theirs, config_of(genome.layout, tables))
        expected = [network.activate(x[0].tolist()) for x in xs]
        np.testing.assert_allclose(found[:, i, 0], expected, rtol=1e-3, atol=1e-4)
        compared += 1
    assert compared > 5


def test_activation_steps_repeat_the_update():
    one = Neat(inputs=2, outputs=1, recurrent=True, hidden=2)
    three = one.model_copy(update={"activation_steps": 3})
    genes = grown(one, 5, 4, 12, 1)
    x = np.ones((1, 2, 2), np.float32)
    slow = recurrent_outputs(one, genes, np.repeat(x, 3, axis=0), numba())
    np.testing.assert_array_equal(recurrent_outputs(three, genes, x, numba())[0], slow[-1])


@pytest.mark.parametrize("recurrent", [False, True])
def test_decoding_has_the_same_bits_in_python_and_in_machine_code(recurrent):
    genome = Neat(inputs=3, outputs=2, recurrent=recurrent, activations=ALL)
    genes = grown(genome, 70, 6, 20)
    slow, fast = genome.networks(genes).arrays, genome.on(numba())(genes).arrays
    for name in slow:
        np.testing.assert_array_equal(slow[name], fast[name])


def test_decoding_leaves_out_what_no_output_needs():
    genome = Neat(inputs=1, outputs=1)
    layout = genome.layout
    genes = layout.empty(1, 8, 8)
    structure = genes.structure
    structure["nodes"][0], structure["connections"][0] = 5, 4
    structure["node"][0, :5] = [0, 1, 2, 7, 9]
    # 0 -> 7 -> 1 is used; 9 hangs on the input and leads nowhere; 2's link is disabled
    structure["source"][0, :4], structure["target"][0, :4] = [0, 7, 0, 2], [7, 1, 9, 1]
    structure["innovation"][0, :4], structure["enabled"][0, :4] = [0, 1, 2, 3], [1, 1, 1, 0]
    arrays = genome.networks(genes).arrays
    assert arrays["evaluated"][0] == 2
    assert arrays["order"][0, :2].tolist() == [3, 1]
    assert arrays["ends"][0, :2].tolist() == [1, 2]
    assert arrays["link"][0, :2].tolist() == [0, 1]
    assert arrays["source"][0, :2].tolist() == [0, 3]


def test_nodes_come_after_all_their_sources():
    genome = Neat(inputs=2, outputs=3)
    genes = grown(genome, 30, 10, 40, 4)
    arrays = genome.networks(genes).arrays
    for i in range(30):
        known = {0, 1}
        starts = [0, *arrays["ends"][i].tolist()]
        for row in range(arrays["evaluated"][i]):
            assert set(arrays["source"][i, starts[row] : starts[row + 1]].tolist()) <= known
            known.add(int(arrays["order"][i, row]))
        assert {2, 3, 4} <= known


def test_a_population_of_nobody_is_decoded():
    genome = Neat(inputs=2, outputs=1)
    genes = genome.initial(0, Streams(1)("x"))
    assert outputs_of(genome, genes, np.zeros((4, 2))).shape == (0, 4, 1)
    assert outputs_of(genome, genes, np.zeros((4, 2)), numba()).shape == (0, 4, 1)


def test_a_genome_with_a_hundred_thousand_connections_works():
    genome = Neat(inputs=50, outputs=10, hidden=1666, activations=("tanh",), weight_spread=0.05)
    genes = genome.initial(1, Streams(1)("x"))
    assert genes.structure["connections"][0] == 99_960
    x = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    found = outputs_of(genome, genes, x, numba())
    weights = genome.layout.weights(genes)[0]
    first, second = weights[: 50 * 1666].reshape(1666, 50), weights[50 * 1666 : 99_960].reshape(10, 1666)
    biases = genome.layout.biases(genes)[0]
    hidden = np.tanh(x @ first.T + biases[60:1726])
    np.testing.assert_allclose(found[0], np.tanh(hidden @ second.T + biases[50:60]), atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_activations_in_routines_match_numpy(name):
    x = np.concatenate([np.linspace(-9, 9, 181), [0.0, -0.0, 3.4, 60.0, -80.0]]).astype(np.float32)
    expected = ACTIVATIONS[name].value(x.astype(np.float64))
    row = x.copy()
    activate(ACTIVATIONS[name].code, row, len(row))
    # a gained argument of 45 is rounded by 2e-6
    np.testing.assert_allclose(row, expected, rtol=3e-6, atol=2e-6 if "sin" in name else 3e-7)
    np.testing.assert_allclose(ACTIVATIONS[name].value(x), expected, rtol=3e-5, atol=1e-6)
    assert ACTIVATIONS[name].value(x).dtype == np.float32


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("neat_")] + ["lelu", "elu", "selu", "cube"])
def test_activations_named_as_in_neat_python_are_theirs(name):
    module = pytest.importorskip("neat.activations")
    theirs = getattr(module, f"{name.removeprefix('neat_')}_activation")
    x = np.linspace(-20, 5, 101)
    np.testing.assert_allclose(ACTIVATIONS[name].value(x), [theirs(each) for each in x], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in ALL if name != "step"])
def test_slopes_are_those_of_the_values(name):
    x = np.linspace(-2.93, 2.91, 37)
    h = 1e-6
    measured = (ACTIVATIONS[name].value(x + h) - ACTIVATIONS[name].value(x - h)) / (2 * h)
    np.testing.assert_allclose(ACTIVATIONS[name].slope(x), measured, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 4, 8, 9, 300])
def test_a_sample_has_the_same_bits_whatever_is_computed_beside_it(samples):
    genome = Neat(inputs=3, outputs=2, activations=ALL, aggregations=tuple(AGGREGATIONS), response=True)
    genes = grown(genome, 20, 6, 20, 2)
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    whole = outputs_of(genome, genes, x, numba())
    np.testing.assert_array_equal(outputs_of(genome, genes, x[:samples], numba()), whole[:, :samples])
    np.testing.assert_array_equal(outputs_of(genome, genes.take(slice(7, 9)), x, numba()), whole[7:9])


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_a_bit(threads):
    genome = Neat(inputs=3, outputs=2, activations=ALL)
    genes = grown(genome, 200, 3, 10, 2)
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    expected = outputs_of(genome, genes, x, numba())
    np.testing.assert_array_equal(outputs_of(genome, genes, x, Numba(threads=threads)), expected)


def test_learned_values_go_back_to_the_genes():
    genome = Neat(inputs=2, outputs=1, hidden=2)
    genes = genome.initial(3, Streams(1)("x"))
    arrays = dict(genome.networks(genes).arrays)
    learned = genome.absorb(genes, {**arrays, "values": arrays["values"] * 2})
    assert (learned.values == genes.values * 2).all()
    assert learned.structure is genes.structure


def test_samples_of_each_network_are_its_own():
    genome = Neat(inputs=2, outputs=1)
    genes = genome.initial(3, Streams(1)("x"))
    networks = genome.networks(genes)
    x = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    arrays = [networks.arrays[name] for name in ("values", *STRUCTURE)]
    attributes = next(node for node in networks.graph.nodes if node.op == "sparse_network").attributes
    found = sparse_network([x, *arrays], attributes, {}, 1)
    for i in range(3):
        np.testing.assert_array_equal(found[i], sparse_network([x[i : i + 1], *arrays], attributes, {}, 2)[i])


def test_a_graph_of_networks_survives_a_file():
    graph = Neat(inputs=2, outputs=1, recurrent=True).graph
    ops = {**Builder().ops, **NETWORK_OPS}
    assert type(graph).from_json(graph.to_json(), ops).digest() == graph.digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activations": ("sgmoid",)}, "did you mean 'sigmoid'"),
        ({"outputs": -1}, "number of outputs"),
        ({"order": ("M",)}, "like order"),
        ({"x": ("B", "I")}, "number of inputs"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused(changes, message):
    builder = Builder(NETWORK_OPS)
    shapes = {
        "order": ("N",),
        "ends": ("N",),
        "link": ("C",),
        "source": ("C",),
        "activation": ("N",),
        "aggregation": ("N",),
    }
    x = builder.input("x", changes.get("x", ("B", 2)))
    operands = [builder.parameter("values", ("W",))]
    operands += [builder.parameter(name, changes.get(name, shape), "int32") for name, shape in shapes.items()]
    operands.append(builder.parameter("evaluated", (), "int32"))
    attributes = {"outputs": changes.get("outputs", 1), "activations": changes.get("activations", ("tanh",))}
    with pytest.raises(GraphError, match=message):
        builder.apply("sparse_network", x, *operands, **attributes)


def test_double_precision_is_computed_too():
    genome = Neat(inputs=2, outputs=1, hidden=2, recurrent=True)
    genes = genome.initial(3, Streams(1)("x"))
    networks = genome.networks(genes)
    arrays = [networks.arrays[name] for name in STRUCTURE]
    attributes = next(node for node in networks.graph.nodes if node.op == "sparse_network_step").attributes
    x, memory = np.ones((1, 4, 2)), np.zeros((3, 4, 8))
    found = sparse_network_step([x, genes.values.astype(np.float64), *arrays, memory], attributes, {}, 1)
    single = sparse_network_step(
        [x.astype(np.float32), genes.values, *arrays, memory.astype(np.float32)], attributes, {}, 2
    )
    assert found.dtype == np.float64
    np.testing.assert_allclose(single, found, atol=1e-6)
