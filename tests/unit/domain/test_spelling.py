"""A typing mistake in a tag or in the name of a setting is told, with the nearest name that Certroll knows."""

import pytest

from shared.domain.reason import Reason
from shared.domain.spelling import tag_problems, unknown_settings
from shared.domain.tags import TAGS, Carrier, Kind, Tag, Tags

KNOWN = ("CERTROLL_MODE", "CERTROLL_FREEZE", "CERTROLL_VAULTS")


def told(tags: Tags, carrier: Carrier = Carrier.SITE) -> list[tuple[str, Reason]]:
    """Return each tag that Certroll reports, with the reason."""
    return [(problem.key, problem.reason) for problem in tag_problems(tags, carrier)]


@pytest.mark.parametrize("value", ["disabled", "skip", "'off'", "", "offf", "on!"])
def test_opt_out_that_is_not_understood_is_told(value: str) -> None:
    """A value of `certroll` that is neither on nor off is told, because Certroll counts the value as off."""
    (problem,) = tag_problems((("certroll", value),), Carrier.SITE)
    assert (problem.key, problem.reason) == ("certroll", Reason.TAG_NOT_UNDERSTOOD)
    assert repr(value) in problem.detail
    assert "counts it as off" in problem.detail


@pytest.mark.parametrize("value", ["on", "ON", " true ", "yes", "1", "off", "OFF", "Off ", "false", "no", "0"])
def test_opt_out_that_is_understood_is_not_told(value: str) -> None:
    """The words for on and off are no finding."""
    assert told((("certroll", value),)) == []


def test_long_value_is_not_shown_whole() -> None:
    """A value that somebody pasted by mistake is shown in part only."""
    (problem,) = tag_problems((("certroll", "x" * 256),), Carrier.SITE)
    assert len(problem.detail) < 160


@pytest.mark.parametrize("tag", [tag for tag in TAGS if tag.kind is Kind.ON_SWITCH], ids=str)
def test_switch_that_is_not_understood_is_told(tag: Tag) -> None:
    """A switch with another value than on or off does nothing, and the finding says so."""
    carrier = min(tag.carriers)
    assert told(((tag.name, "yes please"),), carrier) == [(tag.name, Reason.TAG_NOT_UNDERSTOOD)]
    assert told(((tag.name, " On "),), carrier) == []
    assert told(((tag.name, "off"),), carrier) == []
    assert told(((tag.name, " OFF "),), carrier) == []


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("certroll-prob", "certroll-probe"),
        ("Certroll-Restrat", "certroll-restart"),
        ("certroll_probe", "certroll-probe"),
        ("certroll-off", "certroll"),
        ("certroll-probe-2", "certroll-probe"),
        ("certroll:off", "certroll"),
        ("certrol-probe", None),
    ],
)
def test_unknown_tag_is_told_with_the_nearest_name(key: str, meant: str | None) -> None:
    """An unknown tag that begins with `certroll` is told with the nearest known tag; foreign tags are nobody's."""
    found = tag_problems(((key, "x"), ("team", "web")), Carrier.SITE)
    assert [(problem.key, problem.reason) for problem in found] == ([(key, Reason.UNKNOWN_TAG)] if meant else [])
    assert all(f"is {meant} meant?" in problem.detail for problem in found)


def test_unknown_tag_without_a_similar_name_leads_to_the_list() -> None:
    """An unknown tag that resembles no tag is told with the page that lists all tags."""
    (problem,) = tag_problems((("certroll-qqq", "x"),), Carrier.SITE)
    assert "docs/reference/tags.md" in problem.detail


def test_tag_on_the_wrong_resource_is_told() -> None:
    """A known tag on a resource where it does nothing is told, with the resources where it works."""
    (problem,) = tag_problems((("certroll-import-to", "shop"),), Carrier.SITE)
    assert problem.reason is Reason.UNKNOWN_TAG
    assert "vault certificate or secret" in problem.detail
    assert told((("certroll-import-to", "shop"), ("certroll-import-to-2", "api")), Carrier.VAULT_OBJECT) == []


def test_unknown_settings_have_their_nearest_name() -> None:
    """A mistyped setting is told with the setting that it resembles; upper and lower case make no difference."""
    names = ("CERTROLL_FREZE", "certroll_mode", "CERTROLL_QQQ", "CERTROLL_VAULTS")
    assert unknown_settings(names, KNOWN) == (("CERTROLL_FREZE", "CERTROLL_FREEZE"), ("CERTROLL_QQQ", None))
