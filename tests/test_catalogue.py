# SPDX-License-Identifier: MIT OR Apache-2.0
"""The catalogue: what plugins offer, names that clash, and plugins that offer nonsense."""

from types import ModuleType
from typing import Any, ClassVar

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from vynapse_core import Catalogue, Component, Genes, Mutation, Observer, Schedule, hookimpl
from vynapse_core.catalogue import KINDS, KINDS_OF_HOOK, collect, installed, offers
from vynapse_core.errors import PluginError
from vynapse_core.plugins import Plugin


class Still(Mutation):
    """A mutation that changes nothing."""

    rate: float = 1.0
    """Probability."""

    def mutate(self, genes: Genes, rng: Any, clock: Any) -> Genes:
        """Return the same."""
        return genes


class Calm(Still):
    """Another one."""


class Quiet(Observer):
    """An observer."""


class Half(Mutation):
    """A mutation without `mutate`."""


class Kindless(Component):
    """A component of no kind."""


class Claims(Still):
    """A component that sets what its contract sets."""

    kind: ClassVar[str] = "mutation"


def plugin(package: str = "toy", name: str = "main", **offered: Any) -> Plugin:
    """Return a plugin whose hooks return, or raise, what is given."""

    def hook(value: Any) -> Any:
        @hookimpl
        def function() -> Any:
            if isinstance(value, BaseException):
                raise value
            return value

        return function

    module = ModuleType(package)
    vars(module).update({f"vynapse_{part}": hook(value) for part, value in offered.items()})
    return Plugin(name, package, "1.0", module)


def refusal(catalogue: Catalogue, kind: str, name: Any) -> tuple[str, str]:
    with pytest.raises(PydanticCustomError) as caught:
        catalogue.find(kind, name)
    assert caught.value.context is not None
    return caught.value.context["text"], caught.value.context["hint"]


def test_a_component_is_found_by_name_and_by_package_and_name() -> None:
    catalogue = collect([plugin(operators={"still": Still})])
    assert catalogue.find("mutation", "still") is catalogue.find("mutation", "toy:still") is Still
    assert catalogue.name_of(Still) == "still"
    assert [(entry.package, entry.version) for entry in catalogue.of_kind("mutation")] == [("toy", "1.0")]


def test_a_name_that_two_packages_offer_names_both_and_a_prefix_picks_one() -> None:
    catalogue = collect([plugin("b", operators={"still": Calm}), plugin("a", operators={"still": Still})])
    text, hint = refusal(catalogue, "mutation", "still")
    assert text == "2 packages offer the mutation 'still'"
    assert hint == "write 'a:still' or 'b:still'"
    assert catalogue.find("mutation", "b:still") is Calm
    assert (catalogue.name_of(Still), catalogue.name_of(Calm)) == ("a:still", "b:still")


def test_one_name_may_serve_two_kinds() -> None:
    catalogue = collect([plugin(operators={"same": Still}, observers={"same": Quiet})])
    assert (catalogue.find("mutation", "same"), catalogue.find("observer", "same")) == (Still, Quiet)
    assert catalogue.name_of(Quiet) == "same"


def test_a_tuple_offers_classes_of_two_kinds_under_one_name() -> None:
    linear = installed().find("schedule", "linear")
    catalogue = collect([plugin(operators={"still": (Still,)}, schedules={"still": linear})])
    assert {entry.kind for entry in catalogue.entries} == {"mutation", "schedule"}


def test_an_unknown_name_gets_the_nearest_the_kind_it_has_or_all_there_are() -> None:
    catalogue = collect([plugin(operators={"still": Still, "calm": Calm})])
    assert refusal(catalogue, "mutation", "stil") == ("unknown mutation 'stil'", "did you mean 'still'?")
    assert refusal(catalogue, "observer", "still") == ("unknown observer 'still'", "'still' is a mutation")
    assert refusal(catalogue, "mutation", "zz") == ("unknown mutation 'zz'", "known: calm, still")
    assert refusal(catalogue, "task", "zz") == ("unknown task 'zz'", "known: none")


def test_an_unknown_name_says_which_plugins_failed_to_load() -> None:
    catalogue = collect([Plugin("x", "x-plugin", "1", failure="ImportError: no GPU")])
    assert refusal(catalogue, "mutation", "zz")[1] == "known: none; x-plugin failed to load: ImportError: no GPU"


def test_a_name_of_a_plugin_that_is_not_installed_says_what_to_install() -> None:
    text, hint = refusal(collect([]), "trainer", "evolution")
    assert text == "trainer 'evolution' comes with vynapse-evolution, which is not installed"
    assert hint == "pip install vynapse-evolution"
    assert refusal(collect([]), "trainer", "vynapse-evolution:evolution")[1] == hint


def test_a_name_of_a_plugin_that_failed_gives_the_cause() -> None:
    catalogue = collect([Plugin("evolution", "vynapse-evolution", "1", failure="ImportError: no numpy")])
    text, _ = refusal(catalogue, "trainer", "evolution")
    assert text == "trainer 'evolution' comes with vynapse-evolution, which failed to load: ImportError: no numpy"


def test_a_name_that_an_older_installed_plugin_lacks_is_just_unknown() -> None:
    catalogue = collect([plugin("vynapse-evolution", operators={"still": Still})])
    assert refusal(catalogue, "trainer", "evolution") == ("unknown trainer 'evolution'", "known: none")


@given(name=st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()), st.floats(), st.booleans()))
def test_whatever_stands_for_a_name_is_refused_with_a_text(name: object) -> None:
    text, _ = refusal(collect([plugin(operators={"still": Still})]), "observer", name)
    assert text


@pytest.mark.parametrize(
    ("offered", "failure"),
    [
        ({"operators": RuntimeError("no licence")}, "RuntimeError: no licence"),
        ({"operators": SystemExit(3)}, "SystemExit: 3"),
        ({"operators": None}, "vynapse_operators returned NoneType, not a mapping of names"),
        ({"operators": [Still]}, "vynapse_operators returned list, not a mapping of names"),
        ({"operators": {"still": Still()}}, "'still' is Still(rate=1.0), not a component class"),
        ({"operators": {"still": dict}}, "'still' is <class 'dict'>, not a component class"),
        ({"operators": {"still": None}}, "'still' is None, not a component class"),
        ({"operators": {3: Still}}, "3 is no name; use letters, digits, '_' and '-'"),
        ({"operators": {"": Still}}, "'' is no name"),
        ({"operators": {"a:b": Still}}, "'a:b' is no name"),
        ({"operators": {"a b": Still}}, "'a b' is no name"),
        ({"operators": {"quiet": Quiet}}, "'quiet' is an observer, not a mutation or crossover"),
        ({"operators": {"kindless": Kindless}}, "'kindless' is a component without kind"),
        ({"operators": {"half": Half}}, "'half' lacks mutate, which a mutation must have"),
        ({"operators": {"mutation": Mutation}}, "sets 'kind', which only a contract does"),
        ({"operators": {"claims": Claims}}, "'claims' sets 'kind', which only a contract does; remove it"),
        ({"operators": {"still": (Still, Calm)}}, "toy offers the mutation 'still' twice"),
        ({"ops": 3}, "vynapse_ops returned int, not a mapping of names"),
        ({"gradients": ValueError("no")}, "ValueError: no"),
    ],
)
def test_a_plugin_that_offers_nonsense_fails_whole_and_takes_nothing_else_down(offered: Any, failure: str) -> None:
    bad = plugin("toy", **({"observers": {"fine": Quiet}} | offered))
    catalogue = collect([plugin("one", operators={"still": Still}), bad, plugin("two", operators={"calm": Calm})])
    assert [entry.name for entry in catalogue.entries] == ["still", "calm"]
    assert [(found.package, found.module) for found in catalogue.failures] == [("toy", None)]
    assert failure in catalogue.failures[0].failure


def test_a_package_that_offers_a_name_from_two_plugins_fails_with_the_second() -> None:
    catalogue = collect([plugin(operators={"still": Still}), plugin(name="more", operators={"still": Calm})])
    assert [(found.name, found.failure) for found in catalogue.failures] == [
        ("more", "PluginError: toy offers the mutation 'still' twice")
    ]
    assert catalogue.find("mutation", "still") is Still


def test_an_op_that_two_plugins_offer_fails_the_second_with_the_name_of_the_first() -> None:
    catalogue = collect([plugin("one", ops={"fold": 1}), plugin("two", ops={"fold": 2}, operators={"still": Still})])
    assert dict[str, Any](catalogue.ops) == {"fold": 1}
    assert catalogue.entries == ()
    assert catalogue.failures[0].failure == "PluginError: vynapse_ops: 'fold' is offered by one already"


def test_kernels_and_gradients_are_gathered_from_all_plugins() -> None:
    one = plugin("one", kernels={("numba", "add"): 1}, gradients={"add": 2})
    two = plugin("two", kernels={("opencl", "add"): 3})
    catalogue = collect([one, two])
    assert dict[Any, Any](catalogue.kernels) == {("numba", "add"): 1, ("opencl", "add"): 3}
    assert dict[str, Any](catalogue.gradients) == {"add": 2}


def test_a_hook_that_is_not_marked_is_not_asked() -> None:
    module = ModuleType("toy")
    vars(module)["vynapse_operators"] = lambda: {"still": Still}
    assert collect([Plugin("main", "toy", "1", module)]).entries == ()


def test_a_class_that_no_plugin_offers_has_no_name() -> None:
    with pytest.raises(PluginError, match=r"no plugin offers .*Still"):
        collect([]).name_of(Still)


def test_build_makes_a_component_from_a_table() -> None:
    catalogue = collect([plugin(operators={"still": Still})])
    assert catalogue.build(Mutation, {"type": "still", "rate": 0.5}) == Still(rate=0.5)
    with pytest.raises(ValidationError):
        catalogue.build(Mutation, {"type": "still", "rate": "x"})
    with pytest.raises(TypeError, match="is no Calm"):
        catalogue.build(Calm, {"type": "still"})


def test_every_kind_has_one_hook_and_every_hook_exists() -> None:
    from vynapse_core import hooks

    assert len(set(KINDS)) == len(KINDS) == sum(map(len, KINDS_OF_HOOK.values()))
    assert all(hasattr(hooks, hook) for hook in KINDS_OF_HOOK)


def test_everything_installed_here_loads_and_is_found_under_its_name() -> None:
    catalogue = installed()
    assert catalogue.failures == ()
    assert issubclass(catalogue.find("schedule", "linear"), Schedule)
    assert all(catalogue.find(e.kind, catalogue.name_of(e.component)) is e.component for e in catalogue.entries)


def test_the_file_of_offers_names_what_this_projects_plugins_offer() -> None:
    from vynapse_core.reference import offered_names

    assert offers() == offered_names(installed()), (
        "vynapse_core/offers.json is out of date; write json.dumps(offered_names(installed()), indent=2) into it"
    )
