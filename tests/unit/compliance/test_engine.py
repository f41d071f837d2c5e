"""The engine tells apart what passed, failed, was waived, could not be checked, and what a rule broke on."""

from dataclasses import replace

import pytest

from shared.compliance import changes
from shared.compliance.engine import ALL, Result, judge
from shared.compliance.facts import Facts
from shared.compliance.rule import Status, Verdict
from shared.compliance.rules import RULES
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Gap, Source
from tests.unit.compliance.worlds import facts_of

HTTPS = next(rule for rule in RULES if rule.id == "CRT204")
PLAIN = changes.site(httpsOnly=False)


def only(world: changes.World, *, unwaivable: frozenset[str] = frozenset()) -> Result:
    """Return what the rule about plain HTTP says of the only site."""
    (result,) = judge(facts_of(world), (HTTPS,), unwaivable)
    return result


def test_broken_rule_hurts_no_other() -> None:
    """A rule that raises is an error in the results, with the error, and the other rules go on."""

    def broken(_: SiteFacts, __: Facts) -> Verdict:
        raise ZeroDivisionError("by nobody")

    first, second = judge(facts_of(PLAIN), (replace(HTTPS, id="CRT000", check=broken), HTTPS))
    assert (first.status, first.verdict.detail) == (Status.ERROR, "ZeroDivisionError: by nobody")
    assert second.status is Status.FAIL


def test_rule_that_finds_no_subjects_is_an_error() -> None:
    """A rule that breaks before it names its subjects is an error, too."""

    def nobody(_: Facts) -> tuple[SiteFacts, ...]:
        raise KeyError("site")

    (result,) = judge(facts_of({}), (replace(HTTPS, about=nobody),))
    assert (result.status, result.subject) == (Status.ERROR, "")


def test_missing_fact_is_not_checked_with_its_reason() -> None:
    """A rule that lacks a fact is not checked, and the result names the source, the property and the reason."""
    (result,) = judge(facts_of(changes.site(httpsOnly="yes")), (HTTPS,))
    assert (result.status, result.gap, result.source) == (Status.NOT_CHECKED, Gap.ODD, Source.LIST)
    assert result.verdict.detail == "httpsOnly"


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ("CRT204 2027-03-31 Front Door redirects", Status.WAIVED),
        ("crt204  2026-11-04   until tonight", Status.WAIVED),
        ("CRT204 2026-11-03 it ended yesterday", Status.FAIL),
        ("CRT204 2027-11-06 more than a year", Status.FAIL),
        ("CRT204 2027-03-31", Status.FAIL),
        ("CRT204 soon because", Status.FAIL),
        ("CRT205 2027-03-31 another rule", Status.FAIL),
        ("", Status.FAIL),
    ],
)
def test_waiver_counts_only_if_it_is_whole(tag: str, status: Status) -> None:
    """A finding is waived by a tag with its rule, a day within 366 days, and a reason, and by nothing else."""
    result = only(changes.both(PLAIN, changes.tagged(certroll_waive=tag)))
    assert result.status is status
    assert (result.waiver is not None) == (status is Status.WAIVED)


def test_further_waivers_stand_in_numbered_tags() -> None:
    """The second waiver of a resource stands in `certroll-waive-2`."""
    tags = changes.tagged(certroll_waive="CRT301 2027-03-31 old phones", certroll_waive_2="CRT204 2027-03-31 a proxy")
    assert only(changes.both(PLAIN, tags)).status is Status.WAIVED


@pytest.mark.parametrize("unwaivable", [frozenset({"CRT204"}), frozenset({ALL})])
def test_operator_may_rule_waivers_out(unwaivable: frozenset[str]) -> None:
    """A waiver of a rule in CERTROLL_NO_WAIVE, or with `all` of any rule, does not count."""
    waived = changes.both(PLAIN, changes.tagged(certroll_waive="CRT204 2027-03-31 because"))
    assert only(waived, unwaivable=unwaivable).status is Status.FAIL


def test_finding_has_the_same_id_in_every_run() -> None:
    """The id of a finding depends on rule and subject alone."""
    first, later = only(PLAIN), only(changes.both(PLAIN, changes.tagged(team="web")))
    assert first.id == later.id
    assert first.id != replace(first, rule=replace(HTTPS, id="CRT205")).id
