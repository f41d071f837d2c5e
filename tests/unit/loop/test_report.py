"""Certroll logs each plan of steps and reports problems about each plan."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.certificates.version import CertificateFacts
from shared.domain.findings import Finding
from shared.domain.fleet.app_settings import SettingEdit
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.intent import Intent, Mode
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.report import MOST_ROWS, log_plan, report_lineage, report_moved, report_plan, report_skips
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.notices import unread_versions
from shared.planning.plan import Plan, Skip, Step
from shared.planning.planner import plan
from shared.telemetry import MOST_CHARACTERS
from tests.build import (
    APPLY,
    HOST,
    NEW,
    NORTH,
    NOW,
    OLD,
    OTHER_REF,
    REF,
    WEST,
    RecordingJournal,
    binding,
    blind_spot,
    copy,
    facts,
    lineage,
    named,
    old_version,
    ports,
    site,
    site_ref,
    snapshot,
    two_webspaces,
    version,
)

SCOPE = "kv-shop/shop"


def told(journal: RecordingJournal) -> list[tuple[str, Reason, str]]:
    """Return the reported problems, after a check that each problem has the expected scope and time."""
    assert {(finding.at, finding.scope) for finding in journal.findings} <= {(NOW, SCOPE)}
    return [(finding.subject, finding.reason, finding.detail) for finding in journal.findings]


def report(seen: Snapshot, made: Plan) -> list[tuple[str, Reason, str]]:
    """Return the problems that Certroll reports about a plan of steps."""
    journal = RecordingJournal()
    report_plan(ports(findings=journal).findings, made, seen)
    return told(journal)


def test_plan_without_refusals_is_no_finding() -> None:
    """Certroll reports no problem about a plan in which no step is refused."""
    assert report(snapshot(), plan(snapshot(), APPLY)) == []


def logged(caplog: pytest.LogCaptureFixture, seen: Snapshot, made: Plan) -> list[dict[str, Any]]:
    """Return the lines that Certroll logs about a plan, after a check that Application Insights cuts no line."""
    caplog.set_level(logging.INFO, logger="certroll")
    log_plan(made, seen)
    assert max(map(len, caplog.messages)) <= MOST_CHARACTERS
    return [json.loads(line) for line in caplog.messages]


REFUSED = Skip("x", Reason.NOT_LIVE, "y")
OLD_ENDS = str(old_version().not_after)


def test_plan_is_logged_with_what_a_reader_needs(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the number of steps and refusals, and of each what it changes, until when, and if an app restarts."""
    counts, steps, skips = logged(caplog, snapshot(), Plan(plan(snapshot(), APPLY).steps, (REFUSED,)))
    about = {"old": [OLD], "old_ends": OLD_ENDS, "new": [NEW], "restarts": False}
    copy_name = "certificate rg-web/shop-copy in rg-westeuropewebspace"
    sync = {"subject": copy_name, "reason": "StaleCopy", "action": "sync certificate", **about}
    bind = {"subject": f"binding {HOST} of shop", "reason": "StaleThumbprint", "action": "update binding", **about}
    assert counts == {
        "event": "plan.computed",
        "certificate": SCOPE,
        "version": "v2",
        "steps": 2,
        "would": 0,
        "skips": 1,
    }
    assert steps == {"event": "plan.listed", "certificate": SCOPE, "list": "steps", "rows": [sync, bind]}
    assert skips["rows"] == [{"subject": "x", "reason": "NotLive", "detail": "y"}]


def test_refused_step_says_what_it_would_change(caplog: pytest.LogCaptureFixture) -> None:
    """A step that Certroll would perform in apply mode names the thumbprints and the restart."""
    seen = snapshot(settings=(named(OLD),))
    made = plan(seen, replace(APPLY, mode=Mode.OBSERVE))
    assert made.steps == ()
    _, would = logged(caplog, seen, made)
    assert (would["list"], {row["why"] for row in would["rows"]}) == ("would", {"ObserveOnly"})
    rows = {row["action"]: (row["old"], row["old_ends"], row["new"], row["restarts"]) for row in would["rows"]}
    assert rows["update binding"] == ([OLD], OLD_ENDS, [NEW], False)
    assert rows["roll app settings"] == ([OLD], OLD_ENDS, [NEW], True)


def test_log_has_no_value_that_is_no_known_certificate(caplog: pytest.LogCaptureFixture) -> None:
    """The log of a plan has no text of an app setting that only looks like a thumbprint."""
    secret = Thumbprint("5E" * 20)
    edit = SettingEdit("PIN", None, (secret,), NEW)
    _, steps = logged(
        caplog, snapshot(), Plan((Step(RetireThumbprint(named(secret), (edit,), WEST), Reason.SUPERSEDED),))
    )
    assert (steps["rows"][0]["old"], steps["rows"][0]["old_ends"]) == ([], None)
    assert secret not in caplog.text


@pytest.mark.parametrize("many", [49, 50, 51, 5_000])
def test_plan_of_a_large_fleet_is_logged_whole(caplog: pytest.LogCaptureFixture, many: int) -> None:
    """The log of a plan for a large fleet loses no step and no refusal: each line has at most fifty of them."""
    steps = tuple(
        Step(UpdateBinding(binding(f"{number}.example.com"), NEW, WEST), Reason.STALE_THUMBPRINT)
        for number in range(many)
    )
    skips = tuple(Skip(f"site {number}", Reason.OBSERVE_ONLY, "d" * 200) for number in range(many))
    counts, *lists = logged(caplog, snapshot(), Plan(steps, skips))
    assert (counts["steps"], counts["skips"]) == (many, many)
    assert max(len(line["rows"]) for line in lists) == min(many, MOST_ROWS)
    told = {
        name: [row["subject"] for line in lists if line["list"] == name for row in line["rows"]]
        for name in ("steps", "skips")
    }
    assert told == {"steps": [step.subject for step in steps], "skips": [skip.subject for skip in skips]}


def test_plan_in_observe_mode_tells_apart_what_would_be_done_and_what_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In observe mode, Certroll logs what it would do, and until when, apart from what apply mode refuses."""
    seen = two_webspaces()
    uncovered = replace(seen.fleet, bindings=(*seen.fleet.bindings, binding("bare.example.com", site="shop")))
    made = plan(replace(seen, fleet=uncovered), Intent())
    findings = report(replace(seen, fleet=uncovered), made)
    counts, would_line, skips_line = logged(caplog, replace(seen, fleet=uncovered), made)
    would = [(row["subject"], row["why"], (row["waits"] or {}).get("reason")) for row in would_line["rows"]]
    waits = "AwaitingFirstStage"
    assert (counts["steps"], counts["would"], counts["skips"]) == (0, 5, 1)
    assert would == [
        ("certificate rg-web/shop-copy in rg-westeuropewebspace", "ObserveOnly", None),
        (f"binding {HOST} of shop", "ObserveOnly", None),
        ("certificate rg-web/north-copy in rg-northeuropewebspace", "ObserveOnly", waits),
        (f"binding {HOST} of north-1", "ObserveOnly", waits),
        (f"binding {HOST} of north-2", "ObserveOnly", waits),
    ]
    assert [(row["subject"], row["reason"]) for row in skips_line["rows"]] == [
        ("binding bare.example.com of shop", "NotCovered")
    ]
    assert [reason for _, reason, _ in findings] == [Reason.NOT_COVERED, *[Reason.OBSERVE_ONLY] * 5]
    assert findings[-1][2].startswith(
        "Certroll would do this (StaleThumbprint): set CERTROLL_MODE=apply to let it; afterwards the step waits: "
    )


def test_refusals_are_findings() -> None:
    """Certroll reports a problem for each refused step, with reason and detail.

    The plan of a vault certificate reports no unreadable resource, which would be told once for each certificate.
    """
    made = Plan((), (Skip("binding x", Reason.NOT_COVERED, "issue one"),))
    assert report(snapshot(blind_spots=(blind_spot(),)), made) == [("binding x", Reason.NOT_COVERED, "issue one")]


OLD_FASHIONED = facts(signature_hash="sha1", server_auth=False, client_auth=False, serial_octets=20)
SHA1 = "Signature: it is signed with sha1, which clients no longer trust"
NO_SERVER = (
    "ServerAuth: its extended key usage does not allow server authentication, and the version in use does not either"
)
NO_CLIENT = (
    "ClientAuth: its extended key usage does not allow client authentication, and the version in use does not either"
)
SERIAL = "SerialNumber: its serial number has 20 octets; App Service documents 10 for uploads"
UPLOADED = snapshot(lineage=lineage(), copies=(copy(source=None),), bindings=())


def like_before(seen: Snapshot, before: CertificateFacts = OLD_FASHIONED) -> Snapshot:
    """Return the snapshot with an outdated newest version and an earlier version with these facts."""
    return replace(seen, lineage=lineage(version(facts=OLD_FASHIONED), replace(old_version(), facts=before)))


@pytest.mark.parametrize(
    ("seen", "details"),
    [
        pytest.param(like_before(snapshot(bindings=())), [SHA1], id="only imported"),
        pytest.param(like_before(snapshot()), [SHA1, NO_SERVER], id="bound"),
        pytest.param(
            like_before(snapshot(bindings=(), settings=(named(OLD),))), [SHA1, NO_CLIENT], id="named by an app"
        ),
        pytest.param(
            like_before(UPLOADED, replace(OLD_FASHIONED, serial_octets=8)),
            [SERIAL, SHA1],
            id="uploaded, and newly long",
        ),
        pytest.param(like_before(UPLOADED), [SHA1], id="uploaded, and as long as before"),
        pytest.param(like_before(snapshot(bindings=(), copies=())), [], id="not used at all"),
        pytest.param(snapshot(lineage=lineage(current=None)), [], id="no version that is good"),
    ],
)
def test_what_a_version_is_warned_of_is_one_finding(seen: Snapshot, details: list[str]) -> None:
    """Certroll reports all warnings about a version that concern the version's use as a single problem."""
    found = [("version v2 of kv-shop/shop", Reason.REQUIREMENT_WARNING, "; ".join(details))] if details else []
    assert [told for told in report(seen, Plan()) if told[1] is Reason.REQUIREMENT_WARNING] == found


def test_waiting_for_ones_turn_is_no_finding() -> None:
    """Certroll reports no problem about a resource that only waits for other resources."""
    journal = RecordingJournal()
    skips = Skip("a", Reason.AWAITING_FIRST_STAGE, ""), Skip("b", Reason.VERSION_HELD, "failed")
    report_skips(ports(findings=journal).findings, REF, skips, NOW)
    assert told(journal) == [("b", Reason.VERSION_HELD, "failed")]


@pytest.mark.parametrize(
    ("copies", "found"),
    [
        pytest.param(
            (copy("b"), copy("a")),
            [
                (
                    "webspace rg-westeuropewebspace",
                    Reason.DUPLICATE_IMPORT,
                    "the same vault certificate is imported as rg-web/a, rg-web/b: delete all but one",
                )
            ],
            id="two in one webspace",
        ),
        pytest.param((copy("a"), copy("b", webspace=NORTH)), [], id="one in each of two webspaces"),
        pytest.param((copy("a"), copy("b", source=OTHER_REF)), [], id="two of different sources"),
    ],
)
def test_double_import_is_a_finding(copies: tuple[object, ...], found: list[tuple[str, Reason, str]]) -> None:
    """Certroll reports a vault certificate that was imported twice into one App Service webspace, with both names."""
    assert report(snapshot(copies=copies), Plan()) == found  # type: ignore[arg-type]  # All values are certificates.


@pytest.mark.parametrize("inherited", [True, False])
def test_inherited_tags_are_a_finding(*, inherited: bool) -> None:
    """Certroll reports a newest version that inherits its tags from an older version of the vault certificate."""
    journal = RecordingJournal()
    report_lineage(ports(findings=journal).findings, lineage(tags_inherited=inherited), NOW)
    detail = (
        "the newest version carries no certroll tag, so Certroll uses older tags: set the tags on the newest version"
    )
    assert journal.findings == ([Finding(NOW, SCOPE, SCOPE, Reason.TAGS_INHERITED, detail)] if inherited else [])


OTHER = Thumbprint("0C" * 20)
UNREAD = replace(lineage(), unread=2)
OTHER_NAMES = copy("other", OTHER, source=None, host_names=(HOST, "other.example.com"))


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        pytest.param(
            snapshot(lineage=UNREAD, copies=(copy("up", OTHER, source=None),)), True, id="it covers the same names"
        ),
        pytest.param(snapshot(copies=(copy("up", OTHER, source=None),)), False, id="all versions are read"),
        pytest.param(snapshot(lineage=UNREAD, copies=(copy("up", OLD, source=None),)), False, id="it is a version"),
        pytest.param(snapshot(lineage=UNREAD, copies=(copy("up", OTHER),)), False, id="it is imported"),
        pytest.param(snapshot(lineage=UNREAD, copies=(OTHER_NAMES,)), False, id="it covers a name more"),
        pytest.param(
            snapshot(lineage=UNREAD, copies=(copy("up", OTHER, source=None, host_names=()),)),
            False,
            id="it covers no name",
        ),
        pytest.param(
            snapshot(lineage=replace(UNREAD, current=None), copies=(copy("up", OTHER, source=None),)),
            False,
            id="none is good",
        ),
    ],
)
def test_upload_that_may_be_a_version_nobody_can_read_is_a_finding(seen: Snapshot, *, found: bool) -> None:
    """Certroll reports an uploaded certificate that may be one of the vault's unreadable versions.

    An uploaded certificate may be an unreadable vault version if it covers exactly the current version's names.
    """
    (*findings,) = unread_versions(seen)
    expected = [("certificate rg-web/up", Reason.VERSIONS_UNREAD, NOW, SCOPE)] if found else []
    assert [(each.subject, each.reason, each.at, each.scope) for each in findings] == expected
    assert all(each.detail.startswith("Certroll cannot read 2 older versions of kv-shop/shop.") for each in findings)


IP_BASED = binding(ssl_state=SslState.IP_BASED, virtual_ip="203.0.113.7")


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        pytest.param(binding(), (binding(thumbprint=NEW),), None, id="only its certificate changed"),
        pytest.param(
            IP_BASED,
            (binding(),),
            "the binding was IpBasedEnabled at 203.0.113.7 before this version, and is SniEnabled now",
            id="its address was taken away",
        ),
        pytest.param(
            IP_BASED,
            (binding(ssl_state=SslState.IP_BASED, virtual_ip="203.0.113.8"),),
            "the binding was IpBasedEnabled at 203.0.113.7 before this version, "
            "and is IpBasedEnabled at 203.0.113.8 now",
            id="its address changed",
        ),
        pytest.param(
            binding(),
            (),
            "the binding was SniEnabled before this version, and is gone now",
            id="its host name was removed",
        ),
        pytest.param(
            binding(),
            (binding(site="other"),),
            "the binding was SniEnabled before this version, and is gone now",
            id="its host name went to another site",
        ),
    ],
)
def test_binding_that_azure_or_a_person_moved_is_a_finding(
    was: Binding, now: tuple[Binding, ...], words: str | None
) -> None:
    """Certroll reports a binding whose kind or address changed.

    Certroll does not report a binding in which only the thumbprint changed.
    """
    journal = RecordingJournal()
    record = SiteRecord(site_ref(), "v2", WEST, SiteState.PENDING, NOW, last_good=(was,))
    report_moved(ports(findings=journal).findings, REF, record, snapshot(sites=(site(), site("other")), bindings=now))
    assert told(journal) == ([] if words is None else [(f"binding {HOST} of shop", Reason.BINDING_MOVED, words)])
