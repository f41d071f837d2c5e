"""A tag of a vault object names target sites, slots, webspaces, plans or App Service Environments."""

import pytest

from shared.domain.errors import TargetInvalid
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.reason import Reason
from shared.domain.tag_targets import Target, parse_targets, words
from shared.domain.tags import IMPORT_TO, Tags
from shared.domain.targets import (
    found_targets,
    names_of_environment,
    names_of_plan,
    names_of_site,
    names_of_webspace,
    resolve,
)
from tests.build import ASE, OTHER_ASE, SUBSCRIPTION, WEST, farm, site_ref

TO = "certroll-import-to"


@pytest.mark.parametrize(
    ("tags", "targets"),
    [
        pytest.param((), [], id="no tag names nothing"),
        pytest.param(((TO, ""),), [], id="an empty tag names nothing"),
        pytest.param(((TO, " , ,"),), [], id="commas alone name nothing"),
        pytest.param(((TO, "shop"),), ["shop"], id="one name"),
        pytest.param(((TO, "shop, rg-web/api ,"),), ["shop", "rg-web/api"], id="several, with blanks and a last comma"),
        pytest.param(((TO, "Shop,RG-Web/API"),), ["shop", "rg-web/api"], id="names have no case"),
        pytest.param(((TO, "shop/staging,rg-web/shop/staging"),), ["shop/staging", "rg-web/shop/staging"], id="slots"),
        pytest.param(((TO, "rg / shop"),), ["rg/shop"], id="blanks around the slash"),
        pytest.param(((TO, "büro,rg.1/(x)_"),), ["büro", "rg.1/(x)_"], id="all that a resource group may be called"),
        pytest.param(((" CertRoll-Import-To ", "a"),), ["a"], id="the tag's name has no case"),
        pytest.param(((TO, "a,b,a"), (f"{TO}-2", "b,c")), ["a", "b", "c"], id="what is named twice counts once"),
        pytest.param(((f"{TO}-3", "c"), (f"{TO}-2", "b"), (TO, "a")), ["a", "b", "c"], id="continued, in any order"),
        pytest.param(((TO, "a"), (f"{TO}-name", "?!")), ["a"], id="another tag that begins alike"),
        pytest.param((("certroll-public-to", "?!"),), [], id="another list's errors do not matter"),
        pytest.param(tuple((f"{TO}-{n}" if n > 1 else TO, f"s{n}") for n in range(1, 16)), None, id="all 15 tags"),
    ],
)
def test_tag_names_targets(tags: Tags, targets: list[str] | None) -> None:
    """Certroll reads a list of targets (such as sites or webspaces) from one tag or from several numbered tags."""
    expected = targets if targets is not None else [f"s{n}" for n in range(1, 16)]
    assert [str(target) for target in parse_targets(tags, IMPORT_TO)] == expected


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        pytest.param(((TO, "a/b/c/d"),), f"{TO}: 'a/b/c/d' is neither `name` nor `group/name`", id="too many parts"),
        pytest.param(((TO, "a,my site"),), f"{TO}: 'my site' is neither `name` nor `group/name`", id="a blank inside"),
        pytest.param(((TO, "rg/"),), f"{TO}: 'rg/' is neither `name` nor `group/name`", id="nothing after the slash"),
        pytest.param(((TO, "rg./a"),), f"{TO}: 'rg./a' is neither `name` nor `group/name`", id="a dot at the end"),
        pytest.param(((TO, "x" * 91),), f"{TO}: '{'x' * 91}' is neither `name` nor `group/name`", id="91 characters"),
        pytest.param(
            ((TO, "a"), (f"{TO}-3", "b")),
            f"{TO}-3 is there and {TO}-2 is not: renumber the tags",
            id="a number is missing",
        ),
        pytest.param(((f"{TO}-2", "b"),), f"{TO}-2 is there and {TO} is not: renumber the tags", id="no beginning"),
        pytest.param(
            ((TO, "a"), (f"{TO}-1", "b")),
            f"{TO}-1: the list begins with {TO} and goes on with {TO}-2",
            id="the first one numbered",
        ),
        pytest.param(
            ((TO, "a"), (f"{TO}-02", "b")),
            f"{TO}-02: the list begins with {TO} and goes on with {TO}-2",
            id="a number with a zero before it",
        ),
        pytest.param(
            ((TO, "a,?"), (f"{TO}-2", "!")),
            f"{TO}: '?' is neither `name` nor `group/name`; {TO}-2: '!' is neither `name` nor `group/name`",
            id="several problems, all of them named",
        ),
    ],
)
def test_bad_tag_is_refused_whole(tags: Tags, problem: str) -> None:
    """Certroll refuses a whole list of targets in a tag if an entry is malformed or a number is missing."""
    with pytest.raises(TargetInvalid) as caught:
        parse_targets(tags, IMPORT_TO)
    assert (caught.value.reason, str(caught.value)) == (Reason.TARGET_INVALID, problem)


SHOP, SLOT = site_ref(), site_ref(slot="staging")
TWIN = SiteRef(SUBSCRIPTION, "rg-two", "shop")
OTHER = SiteRef(SUBSCRIPTION, "shop", "staging")
SITES = {ref.resource_id: names_of_site(ref) for ref in (SHOP, SLOT)}
ENVIRONMENTS = {ref.resource_id: names_of_environment(ref) for ref in (ASE, OTHER_ASE)}


def target(text: str) -> Target:
    """Return the target (a resource that a tag names) with that text."""
    (found,) = parse_targets(((TO, text),), IMPORT_TO)
    return found


@pytest.mark.parametrize(
    ("text", "candidates", "found"),
    [
        pytest.param("shop", SITES, SHOP.resource_id, id="a site by its name"),
        pytest.param("RG-web/Shop", SITES, SHOP.resource_id, id="a site by group and name"),
        pytest.param("shop/staging", SITES, SLOT.resource_id, id="a slot by site and slot"),
        pytest.param("rg-web/shop/staging", SITES, SLOT.resource_id, id="a slot by group, site and slot"),
        pytest.param("rg-westeuropewebspace", {"w": names_of_webspace(WEST)}, "w", id="a webspace"),
        pytest.param(str(WEST), {"p": names_of_plan(farm().resource_id)}, "p", id="a plan by its name"),
        pytest.param(f"rg/{WEST}", {"p": names_of_plan(farm().resource_id)}, "p", id="a plan by group and name"),
        pytest.param("rg-two/shop", SITES | {"twin": names_of_site(TWIN)}, "twin", id="a twin by its group"),
        pytest.param("ASE", ENVIRONMENTS, ASE.resource_id, id="an environment by its name"),
        pytest.param("rg-network/other-ase", ENVIRONMENTS, OTHER_ASE.resource_id, id="one by group and name"),
    ],
)
def test_target_is_found_by_its_short_name(text: str, candidates: dict[str, frozenset[str]], found: str) -> None:
    """Certroll finds a resource that a tag names by its short name or by its resource group and name."""
    assert resolve(target(text), candidates) == found


def test_unknown_target_is_refused() -> None:
    """If a tag names a target that matches no resource, Certroll refuses the target with its own reason."""
    with pytest.raises(TargetInvalid) as caught:
        resolve(target("rg/shop"), SITES)
    assert caught.value.reason is Reason.NO_SUCH_TARGET
    assert str(caught.value) == "nothing that Certroll sees is called 'rg/shop': correct the tag"


@pytest.mark.parametrize(
    ("text", "others"),
    [
        pytest.param("shop", (SHOP, TWIN), id="two sites of one name"),
        pytest.param("shop/staging", (OTHER, SLOT), id="a slot, or a site in a group of the site's name"),
    ],
)
def test_ambiguous_target_is_refused_with_all_it_may_be(text: str, others: tuple[SiteRef, ...]) -> None:
    """If a tag names a target that matches several resources, Certroll refuses it and names these resources."""
    ids = sorted(ref.resource_id for ref in others)
    with pytest.raises(TargetInvalid) as caught:
        resolve(target(text), {ref.resource_id: names_of_site(ref) for ref in others})
    assert caught.value.reason is Reason.AMBIGUOUS_TARGET
    assert str(caught.value) == (
        f"'{text}' may be {', '.join(ids)}: write what tells them apart before it, as in `group/name` "
        "or `subscription/group/name`"
    )


def test_ambiguous_target_names_ten_and_counts_the_rest() -> None:
    """The error about an ambiguous name in a tag lists ten matching resources and counts the other resources."""
    with pytest.raises(TargetInvalid, match=r"may be 00, 01, .*, 09 and 2 more: write"):
        resolve(target("shop"), {f"{n:02}": frozenset({"shop"}) for n in range(12)})
    with pytest.raises(TargetInvalid, match=r"may be 00, 01, .*, 09: write"):
        resolve(target("shop"), {f"{n:02}": frozenset({"shop"}) for n in range(10)})


def test_one_target_that_is_wrong_does_not_hold_up_the_others() -> None:
    """Certroll finds the good targets of a tag, and reports the problem of each bad target."""
    candidates = {"a": frozenset({"shop"}), "b": frozenset({"api", "twin"}), "c": frozenset({"twin"})}
    found, problems = found_targets(((TO, "shop, nowhere, twin"),), IMPORT_TO, candidates)
    assert {str(named): candidate for named, candidate in found.items()} == {"shop": "a"}
    assert [(str(target), problem.reason) for target, problem in problems] == [
        ("nowhere", Reason.NO_SUCH_TARGET),
        ("twin", Reason.AMBIGUOUS_TARGET),
    ]
    assert found_targets(((TO, "a//b"),), IMPORT_TO, candidates)[1][0][0] is None
    assert found_targets((), IMPORT_TO, candidates) == ({}, ())


def test_environment_answers_to_nothing_else() -> None:
    """An App Service Environment is found by its name, its group and name, or its subscription, group and name."""
    assert names_of_environment(EnvironmentRef("s", "RG", "Ase")) == {"ase", "rg/ase", "s/rg/ase"}


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        pytest.param((), set[str](), id="no tag"),
        pytest.param(((TO, "Ase, rg/other/slot"),), {"ase", "rg", "other", "slot"}, id="every part of every target"),
        pytest.param(((TO, "ase"), (f"{TO}-3", "other")), set[str](), id="a list that cannot be read"),
    ],
)
def test_words_are_those_of_targets_that_can_be_read(tags: Tags, found: set[str]) -> None:
    """Before it searches for a resource, Certroll knows which words of a tag's target may be the resource's name."""
    assert words(tags, IMPORT_TO) == found
