# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pictures of NEAT's runs: where nodes stand, what is drawn, and what is said of folders that cannot be drawn."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, strategies as st
from safetensors.numpy import save_file
from sklearn.isotonic import IsotonicRegression

from vynapse_core import DataError, Folder, load_recipe, named_folder, run_experiment, wire
from vynapse_neat.commands import draw
from vynapse_neat.drawing.layers import _rising, arranged, layers
from vynapse_neat.drawing.network import described, draw_network, staged
from vynapse_neat.drawing.picture import colour_of
from vynapse_neat.drawing.run_files import best_genes, open_run, read_columns
from vynapse_neat.drawing.species import stacked
from vynapse_neat.layout import Layout

RECIPE = """\
[experiment]
name = "seven"
seed = 3

[task]
type = "xor"

[genome]
type = "neat"
inputs = 2
outputs = 1
bias = "node"
activations = ["tanh", "gauss"]

[trainer]
type = "neat"
"""
SEVEN = Layout(2, 1, bias_node=True, activations=("tanh", "gauss"))
MEMORY = Layout(1, 2, recurrent=True, response=True, activations=("tanh", "gauss"), aggregations=("max",))
LINKS = [(0, 2), (1, 2), (3, 2), (0, 4), (1, 4), (4, 2), (4, 7), (7, 2), (0, 7)]


def grown(layout, hidden, links, disabled=(), seed=0):
    """Return a genome with these ids of hidden nodes and links between ids."""
    rng, ids = np.random.default_rng(seed), [*range(layout.fixed), *hidden]
    genes = layout.empty(1, len(ids), len(links))
    structure = genes.structure
    structure["nodes"][:], structure["connections"][:] = len(ids), len(links)
    structure["node"][0], structure["innovation"][0] = ids, np.arange(len(links))
    for column, name in enumerate(("source", "target")):
        structure[name][0] = [link[column] for link in links]
    structure["enabled"][0] = [link not in disabled for link in links]
    computing = np.array([layout.inputs <= i and not (layout.bias_node and i == layout.fixed - 1) for i in ids])
    structure["activation"][0, computing] = np.arange(computing.sum()) % len(layout.activations)
    layout.weights(genes)[0] = rng.normal(size=len(links))
    assert layout.validate(genes) == []
    return genes


def random_network(hidden, links, seed):
    """Return the layout and a feed-forward genome of so many hidden nodes and links."""
    rng, layout = np.random.default_rng(seed), Layout(6, 3)
    ids = np.concatenate([np.arange(6), rng.permutation(np.arange(9, 9 + hidden)), np.arange(6, 9)])
    pairs = set()
    while len(pairs) < links:
        one, other = sorted(rng.integers(0, len(ids), 2))
        if one != other and other >= 6 and one < 6 + hidden:
            pairs.add((int(ids[one]), int(ids[other])))
    return layout, grown(layout, range(9, 9 + hidden), sorted(pairs))


@pytest.fixture
def run(tmp_path):
    """A run's folder, as a finished run of NEAT leaves it."""
    genes = grown(SEVEN, [4, 7], LINKS, disabled=[(0, 2)])
    folder = tmp_path / "run"
    (folder / "best").mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "result.json").write_text(json.dumps({"best_fitness": 15.5, "steps": 3}))
    structure = {f"structure.{name}": array for name, array in genes.structure.items()}
    save_file({"values": genes.values, **structure}, folder / "best" / "genes.safetensors")
    (folder / "species.csv").write_text("step,id,size\n1,0,10\n2,0,6\n2,1,4\n3,1,7\n3,4,3\n")
    head = "step,best,hidden,best_hidden,connections,best_connections,species,threshold"
    (folder / "metrics.csv").write_text(f"{head}\n1,1,0,0,3,3,1,3.0\n2,2,0.5,1,3.5,5,2,2.9\n3,4,1,2,4,8,2,2.8\n")
    return folder


def texts(path):
    """Return what is written in an SVG: matplotlib notes each text beside its outline."""
    return [line.strip()[5:-4] for line in path.read_text().splitlines() if line.strip().startswith("<!-- ")]


edges = st.sets(st.tuples(st.integers(0, 11), st.integers(2, 13)).filter(lambda e: e[0] < e[1]), max_size=40)


@given(edges)
def test_a_layer_is_the_longest_path_from_the_inputs(links):
    first, last = np.array([0, 1]), np.array([12, 13])
    source, target = [a for a, _ in links], [b for _, b in links]
    found = layers(14, source, target, first, last)
    longest = {0: 0, 1: 0}
    for node in range(2, 12):
        longest[node] = 1 + max((longest[a] for a, b in links if b == node), default=0)
    assert found[:12].tolist() == [longest[node] for node in range(12)]
    assert set(found[12:]) == {max(longest.values()) + 1}


@given(edges, st.sets(st.tuples(st.integers(2, 13), st.integers(2, 13)), max_size=20))
def test_no_two_nodes_of_a_layer_touch_and_no_link_passes_over_one(forward, other):
    links = sorted(forward | other)
    first, last = np.array([0, 1]), np.array([12, 13])
    plan = arranged(14, [a for a, _ in links], [b for _, b in links], first, last)
    for layer in range(int(plan.layer.max()) + 1):
        heights = np.sort(plan.height[plan.layer == layer])
        assert (np.diff(heights) >= 1 - 1e-9).all()
        passing = plan.waypoint_height[14:][plan.waypoint_layer[14:] == layer]
        apart = np.abs(passing[:, None] - plan.height[plan.layer == layer])
        assert apart.size == 0 or apart.min() > 0.5
    assert plan.height[0] > plan.height[1]
    assert plan.height[12] > plan.height[13]


def test_a_ring_of_nodes_is_cut_once_and_where_it_is_entered():
    ring = [(2, 3), (3, 4), (4, 5), (5, 2), (0, 3), (5, 6)]
    plan = arranged(7, [a for a, _ in ring], [b for _, b in ring], np.array([0, 1]), np.array([6]))
    assert [link for link, way in zip(ring, plan.ways, strict=True) if not way] == [(2, 3)]


def test_links_out_of_outputs_and_to_themselves_bend_back():
    layout = Layout(1, 1, recurrent=True)
    scene = staged(layout, grown(layout, [5], [(0, 1), (1, 1), (1, 5), (5, 1)]), disabled=False)
    assert sorted(scene.links.heads) == [1, 2]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20))
def test_heights_that_never_fall_are_the_nearest_to_those_wanted(wanted):
    nearest = IsotonicRegression().fit_transform(np.arange(len(wanted)), wanted)
    np.testing.assert_allclose(_rising(np.array(wanted)), nearest, atol=1e-6)


def test_a_strong_link_is_wide_and_signs_have_colours_of_their_own():
    layout = Layout(3, 1)
    genes = grown(layout, [], [(0, 3), (1, 3), (2, 3)])
    layout.weights(genes)[0] = [0.1, 2.0, -2.0]
    links = staged(layout, genes, disabled=False).links
    assert links.widths[1] == links.widths[2] > 3 * links.widths[0]
    (_, positive, negative) = links.colours()
    assert positive[2] > positive[0]
    assert negative[0] > negative[2]


@pytest.mark.parametrize("suffix", ["svg", "png"])
@pytest.mark.parametrize(
    ("layout", "genes"),
    [
        (Layout(2, 1), grown(Layout(2, 1), [], [])),
        (Layout(2, 1), grown(Layout(2, 1), [], [(0, 2), (1, 2)])),
        (SEVEN, grown(SEVEN, [4, 7], LINKS, disabled=LINKS)),
        (MEMORY, grown(MEMORY, [3, 4], [(0, 3), (3, 4), (4, 3), (3, 3), (4, 1), (1, 1), (2, 4), (1, 2), (2, 1)])),
        random_network(180, 1000, 1),
    ],
    ids=["no links", "three nodes", "nothing enabled", "cycles", "two hundred nodes"],
)
def test_networks_of_any_size_are_drawn_to_the_same_bytes_each_time(tmp_path, layout, genes, suffix):
    one, other = tmp_path / f"one.{suffix}", tmp_path / "deeper" / f"other.{suffix}"
    for path in (one, other):
        draw_network(layout, genes, path, "a title", described(layout, genes), disabled=True)
    assert one.read_bytes() == other.read_bytes()
    if suffix == "svg":
        assert float(ET.parse(one).getroot().get("width").removesuffix("pt")) < 25 * 72


def test_a_picture_names_inputs_outputs_ids_and_what_nodes_compute(run):
    assert CliRunner().invoke(draw, [str(run), "--what", "network"]).exit_code == 0
    written = texts(run / "network.svg")
    for text in ("x0", "x1", "bias", "y0", "4", "7", "tanh", "gauss", "weight", "seven, seed 3: best network"):
        assert text in written
    assert "fitness 15.5 · 2 hidden nodes, 8 of 9 connections enabled · best of 3 steps" in written


def test_a_name_that_looks_like_a_formula_is_drawn_as_text(run):
    (run / "recipe.toml").write_text(RECIPE.replace('"seven"', '"$\\\\frac"'))
    assert CliRunner().invoke(draw, [str(run), "--what", "complexity"]).exit_code == 0
    assert any("$\\frac" in text for text in texts(run / "complexity.svg"))


def test_disabled_links_are_drawn_where_they_are_asked_for(run):
    CliRunner().invoke(draw, [str(run), "--what", "network"])
    assert "disabled" not in texts(run / "network.svg")
    CliRunner().invoke(draw, [str(run), "--what", "network", "--disabled"])
    assert "disabled" in texts(run / "network.svg")


def test_a_run_just_finished_can_be_drawn(tmp_path):
    end = "population = 12\n[stop]\nsteps = 3\n[device]\ntype = 'reference'\n"
    (recipe := tmp_path / "recipe.toml").write_text(RECIPE + end)
    experiment = wire(load_recipe(recipe))
    run_experiment(experiment, named_folder(tmp_path / "finished"))
    result = CliRunner().invoke(draw, [str(tmp_path / "finished")])
    assert (result.exit_code, result.stderr) == (0, "")
    assert {path.stem for path in (tmp_path / "finished").glob("*.svg")} == {"network", "species", "complexity"}


def test_all_pictures_take_the_name_that_is_given(run, tmp_path):
    result = CliRunner().invoke(draw, [str(run), "--out", str(tmp_path / "a.png")])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "a-complexity.png",
        "a-network.png",
        "a-species.png",
    ]


def test_bands_are_as_high_as_species_are_large():
    rng = np.random.default_rng(0)
    rows = [(step, i, int(rng.integers(1, 9))) for step in range(1, 40) for i in range(9) if rng.random() < 0.5]
    bands = stacked(*np.array(rows, float).T)
    for step, identity, size in rows:
        column = np.flatnonzero(bands.steps == step)[0]
        assert bands.sizes[np.flatnonzero(bands.ids == identity)[0], column] == size
    assert bands.edges[-1].sum() == sum(size for *_, size in rows)


def test_a_long_run_is_drawn_by_some_of_its_steps_the_first_and_last_among_them():
    steps = np.repeat(np.arange(1.0, 5001), 2)
    bands = stacked(steps, np.tile([3.0, 8.0], 5000), np.ones(10000))
    assert len(bands.steps) <= 700
    assert (bands.steps[0], bands.steps[-1]) == (1, 5000)
    assert (bands.edges[-1] == 2).all()


def test_species_near_in_age_have_colours_that_differ():
    colours = np.array([colour_of(number) for number in range(300)])
    assert ((colours >= 0) & (colours <= 1)).all()
    for apart in (1, 2, 3, 4):
        assert np.abs(colours[apart:] - colours[:-apart]).max(axis=1).min() > 0.1


def test_a_run_that_is_not_over_is_drawn_by_what_there_is(run):
    (run / "result.json").unlink()
    (run / "species.csv").unlink()
    with (run / "metrics.csv").open("a") as file:
        file.write("4,5")
    result = CliRunner().invoke(draw, [str(run)])
    assert result.exit_code == 0
    assert (run / "network.svg").exists()
    assert (run / "complexity.svg").exists()
    assert "no picture of the species" in result.stderr
    assert "2 hidden nodes, 8 of 9 connections enabled" in texts(run / "network.svg")


def test_a_run_of_one_step_has_pictures(run):
    for name in ("species.csv", "metrics.csv"):
        (run / name).write_text("\n".join((run / name).read_text().splitlines()[:2]) + "\n")
    assert CliRunner().invoke(draw, [str(run)]).exit_code == 0


def test_a_folder_that_is_no_run_is_refused_with_the_run_that_it_holds(run):
    with pytest.raises(DataError, match=r"has no recipe\.toml; did you mean .*run\?"):
        open_run(run.parent)


def test_a_run_of_another_genome_is_refused(run):
    (run / "recipe.toml").write_text('[task]\ntype = "xor"\n[genome]\ntype = "mlp"\nlayers = [2, 2, 1]\n')
    with pytest.raises(DataError, match="a run of the genome 'mlp'"):
        open_run(run)


@pytest.mark.parametrize(
    "text", ["\0", "[genome]\ntype = 'neat'", "[genome]\ntype = 'neat'\ninputs = 'x'", "genome = 3"]
)
def test_a_damaged_recipe_is_refused_in_words(run, text):
    (run / "recipe.toml").write_text(text)
    with pytest.raises(DataError):
        open_run(run)


def test_a_damaged_or_missing_genome_is_refused_in_words(run):
    path = run / "best" / "genes.safetensors"
    path.write_bytes(b"\x08")
    with pytest.raises(DataError, match="cannot be read"):
        best_genes(open_run(run))
    save_file({"values": np.zeros((1, 2), np.float32)}, path)
    with pytest.raises(DataError, match="holds no genome of NEAT"):
        best_genes(open_run(run))
    path.unlink()
    with pytest.raises(DataError, match="no best genome yet"):
        best_genes(open_run(run))


def test_a_genome_that_the_recipe_does_not_describe_is_refused(run):
    (run / "recipe.toml").write_text(RECIPE.replace("inputs = 2", "inputs = 3"))
    with pytest.raises(DataError, match="does not fit the run's recipe"):
        best_genes(open_run(run))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("step,id\n1,2\n", "no column size"),
        ("step,id,size\n", "no rows yet"),
        ("", "no column"),
        ("step,id,size\n1,2,x\n", "not numbers"),
        ("step,id,size\n1,2\n", "not numbers"),
    ],
)
def test_a_table_that_cannot_be_drawn_is_refused_in_words(tmp_path, text, words):
    (tmp_path / "species.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_columns(tmp_path / "species.csv", ("step", "id", "size"))


def test_another_suffix_is_refused_before_anything_is_read(tmp_path):
    result = CliRunner().invoke(draw, [str(tmp_path), "--out", "a.pdf"])
    assert result.exit_code == 2
    assert ".png or .svg" in result.output


def test_a_missing_matplotlib_names_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = CliRunner().invoke(draw, [str(run)])
    assert isinstance(result.exception, DataError)
    assert 'install "vynapse[compare]"' in str(result.exception)


def test_the_title_of_a_run_is_its_name_and_seed(run):
    opened = open_run(run)
    assert (opened.title, opened.layout, opened.folder) == ("seven, seed 3", SEVEN, Folder(run))
