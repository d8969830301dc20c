# SPDX-License-Identifier: MIT OR Apache-2.0
"""Broken plugins, and what the kit says of each."""

from importlib import import_module

import pytest

from vynapse_core.testing import ContractError, check_plugin, offered

PARTS = '''
from typing import ClassVar

import numpy as np

from vynapse_core import Genes, Genome, Mutation


class Noise(Mutation):
    """Add normal noise."""

    def mutate(self, genes, rng, clock):
        return genes.with_values(genes.values + rng.normal(genes.values.shape))


class Sized(Noise):
    """Add noise of a size."""

    size: float
    """Size."""


class Forgetful(Noise):
    """Lose everyone."""

    def mutate(self, genes, rng, clock):
        return genes.take(slice(0, 0))


class Pairs(Genome):
    """An encoding that has structure."""

    encoding: ClassVar[str] = "pairs"

    def initial(self, n, rng):
        return Genes(rng.normal((n, 4)), {"links": rng.integers(0, 4, (n, 2))})


class PairNoise(Noise):
    """Add noise to pairs."""

    encodings: ClassVar[frozenset[str]] = frozenset({"pairs"})
'''
GOOD = """
from vynapse_core import hookimpl


@hookimpl
def vynapse_operators():
    from {parts} import Noise

    return {{"noise": Noise}}
"""

GENOME = """

@hookimpl
def vynapse_genomes():
    from {parts} import Pairs

    return {{"pairs": Pairs}}
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Return a function that makes a plugin of a source and imports its entry module."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"made_by_{tmp_path.name}"

    def make(source=GOOD):
        (tmp_path / f"{name}_parts.py").write_text(PARTS)
        (tmp_path / f"{name}.py").write_text(source.format(parts=f"{name}_parts"))
        return import_module(name)

    return make


def test_a_sound_plugin_passes(plugin):
    module = plugin()
    check_plugin(module)
    check_plugin(module.__name__)


def test_what_a_plugin_offers_is_listed_to_parametrise_tests(plugin):
    listed = [(kind, name, component.__name__) for kind, name, component in offered(plugin())]
    assert listed == [("mutation", "noise", "Noise")]


def test_the_kernel_itself_lists_its_parts():
    assert ("device", "reference") in [(kind, name) for kind, name, _ in offered("vynapse")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "import numpy\n" + text, "entry-point module is light.*\n.*imports numpy"),
        (lambda text: "import {parts}\n" + text, "entry-point module is light.*\n.*numpy, pydantic"),
        (lambda text: text.replace("vynapse_operators", "vynapse_operator"), "did you mean 'vynapse_operators'"),
        (lambda text: text.replace("operators()", "operators(genes)"), "genes"),
        (lambda text: text.replace("@hookimpl", ""), "write @hookimpl above it"),
        (lambda text: "from vynapse_core import hookimpl\n", "marks functions with `@hookimpl`.*\n.*no hook"),
        (lambda text: text.replace('{{"noise": Noise}}', "[Noise]"), "returned list, not a mapping"),
        (lambda text: text.replace("vynapse_operators", "vynapse_tasks"), "'noise' is a mutation, not a task"),
        (lambda text: text.replace("Noise", "Nothing"), "ImportError: cannot import name 'Nothing'"),
        (lambda text: text.replace("Noise", "Forgetful"), "mutation 'noise': Forgetful.*\n.*as many individuals"),
        (lambda text: text.replace("Noise", "Sized"), "mutation 'noise': Sized .* size: missing"),
    ],
)
def test_a_broken_plugin_is_caught(plugin, change, words):
    with pytest.raises(ContractError, match=words):
        check_plugin(plugin(change(GOOD)))


def test_a_part_that_needs_settings_is_left_to_a_test_of_its_own(plugin):
    module = plugin(GOOD.replace("Noise", "Sized"))
    check_plugin(module, without=["mutation noise"])
    with pytest.raises(ContractError, match="names task noise, which the plugin does not offer"):
        check_plugin(module, without=["task noise"])


def test_a_mutation_of_genes_with_structure_is_checked_with_a_genome_of_its_encoding(plugin):
    check_plugin(plugin(GOOD.replace("Noise", "PairNoise") + GENOME))


def test_a_mutation_of_genes_with_structure_cannot_be_checked_without_a_genome(plugin):
    with pytest.raises(ContractError, match="pass `genome=`"):
        check_plugin(plugin(GOOD.replace("Noise", "PairNoise")))


def test_a_plugin_that_is_not_installed_is_named_with_what_is():
    with pytest.raises(ContractError, match=r"no plugin 'vynapse-nothing' is installed.*installed are: .*vynapse"):
        check_plugin("vynapse-nothing")


def test_a_plugin_without_components_has_nothing_to_list(plugin):
    source = GOOD.replace('from {parts} import Noise\n\n    return {{"noise": Noise}}', "return {{}}")
    with pytest.raises(ContractError, match="offers no components"):
        offered(plugin(source))
