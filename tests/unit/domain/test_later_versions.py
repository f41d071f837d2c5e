"""A certificate's own dates, and not the vault's order of versions, decide which certificate is the later one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.certificates.lineage import Lineage
from shared.domain.names import Thumbprint
from shared.domain.orders.action import was_reissued
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.opposed import opposed
from shared.planning import notices, planner
from shared.planning.actions import roll_app_settings
from shared.planning.actions.upload_certificate import UploadCertificate
from tests.build import (
    APPLY,
    DAY,
    FOREIGN,
    NEW,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    binding,
    copy,
    lineage,
    named,
    snapshot,
    version,
)
from tests.unit.domain.test_order import GOOD

SECOND = timedelta(seconds=1)
EARLY = version("v1", OLD, created=NOW, not_before=NOW - 60 * DAY, not_after=NOW + 30 * DAY)
LATE = version("v2", NEW, created=NOW - DAY, not_before=NOW - 10 * DAY, not_after=NOW + 80 * DAY, facts=None)
RESTORED = lineage(EARLY, LATE)
"""A vault certificate after a restore: the earlier certificate is on top, and its version was created last."""


@pytest.mark.parametrize(
    ("seen", "thumbprint", "later"),
    [
        pytest.param(RESTORED, NEW, True, id="it begins and ends later"),
        pytest.param(lineage(LATE, EARLY), OLD, False, id="it begins and ends earlier"),
        pytest.param(lineage(EARLY, replace(LATE, not_before=EARLY.not_before)), NEW, False, id="it ends later only"),
        pytest.param(lineage(EARLY, replace(LATE, not_after=EARLY.not_after)), NEW, False, id="it begins later only"),
        pytest.param(
            lineage(
                EARLY,
                replace(LATE, not_before=EARLY.not_before + SECOND, not_after=EARLY.not_after + SECOND),
            ),
            NEW,
            True,
            id="it begins and ends a second later",
        ),
        pytest.param(lineage(EARLY, replace(LATE, enabled=False)), NEW, False, id="an operator disabled it"),
        pytest.param(
            lineage(EARLY, replace(LATE, enabled=False), replace(LATE, version="v0")),
            NEW,
            True,
            id="an operator disabled one of its two versions",
        ),
        pytest.param(lineage(EARLY, replace(LATE, thumbprint=OLD)), OLD, False, id="it is the current certificate"),
        pytest.param(lineage(LATE, EARLY, current=1), NEW, False, id="it is newer also by the vault, and refused"),
        pytest.param(replace(RESTORED, reissued=True), NEW, False, id="an operator asked for the current one"),
        pytest.param(lineage(EARLY, LATE, current=None), NEW, False, id="there is no current one"),
        pytest.param(RESTORED, FOREIGN, False, id="it is no version"),
        pytest.param(RESTORED, None, False, id="it is hidden"),
    ],
)
def test_later_is_what_begins_and_ends_later(seen: Lineage, thumbprint: Thumbprint | None, *, later: bool) -> None:
    """A version below the current one is later if it begins and ends later, unless an operator decided otherwise."""
    assert (seen.later(thumbprint) is not None) is later
    if later:
        assert not seen.is_stale(thumbprint)


def test_nothing_replaces_the_later_certificate_and_each_place_is_told() -> None:
    """The plan neither syncs the later import, nor moves a binding, nor edits settings, nor uploads the earlier one."""
    seen = snapshot(
        lineage=RESTORED,
        bindings=(binding(thumbprint=NEW),),
        copies=(copy("up", NEW, source=None),),
        settings=(named(NEW, pins={"PIN": NEW}),),
    )
    plan = planner.plan(seen, APPLY)
    assert plan.steps == ()
    assert {(skip.subject, skip.reason) for skip in plan.skips} == {
        ("binding shop.contoso.com of shop", Reason.LATER_IN_USE),
        ("app settings of shop", Reason.LATER_IN_USE),
    }
    (detail,) = {skip.detail for skip in plan.skips}
    assert detail == (
        f"{NEW} is in use, and begins and ends later than version v1, which the vault of kv-shop/shop calls its newest "
        "(a restore reverses the order of versions): import the later certificate again, or issue a new version; if "
        "the earlier one is meant, disable version v2"
    )


def test_import_is_told_once_and_with_what_azure_does() -> None:
    """For an import, one refusal says that Azure itself will sync; its bindings and apps get no refusal."""
    seen = snapshot(
        lineage=RESTORED, bindings=(binding(thumbprint=NEW),), copies=(copy("in", NEW),), settings=(named(NEW),)
    )
    plan = planner.plan(seen, APPLY)
    later = [skip for skip in plan.skips if skip.reason is Reason.LATER_IN_USE]
    assert [skip.subject for skip in later] == ["certificate rg-web/in in rg-westeuropewebspace"]
    assert later[0].detail.endswith(". Azure itself will import the earlier one within 24 h")
    assert not any(step.action.replaces for step in plan.steps)


def test_app_that_names_an_import_is_told_of_its_later_upload() -> None:
    """An app that names a later import and a later upload gets the refusal about the upload, in any order of both."""
    for imported, uploaded in ((NEW, OLDER), (OLDER, NEW)):
        latest = lineage(EARLY, LATE, replace(LATE, version="v3", thumbprint=OLDER))
        seen = snapshot(
            lineage=latest,
            bindings=(),
            copies=(copy("in", imported), copy("up", uploaded, source=None)),
            settings=(named(imported, uploaded),),
        )
        (skip,) = roll_app_settings.propose(seen, APPLY)
        assert (skip.subject, skip.reason) == ("app settings of shop", Reason.LATER_IN_USE)


def test_place_with_an_older_certificate_still_gets_the_current_one() -> None:
    """Next to a site with the later certificate, a site with the oldest certificate still gets the vault's newest."""
    oldest = version("v0", OLDER, not_before=NOW - 90 * DAY, not_after=NOW + DAY, facts=None)
    seen = snapshot(
        lineage=lineage(EARLY, LATE, oldest),
        bindings=(binding(thumbprint=NEW), binding("shop.contoso.com", OLDER, site="b")),
        copies=(copy("up", NEW, source=None), copy("old", OLDER, source=None)),
    )
    assert any(isinstance(step.action, UploadCertificate) for step in planner.plan(seen, APPLY).steps)


# --------------------------------------------------------------------------------------- what the vault does not show

HIDDEN = replace(lineage(EARLY), unread=1)


def import_of(known: Lineage, **differences: object) -> Snapshot:
    """Return an import of a later certificate that the vault no longer shows."""
    held = replace(copy("in", NEW), not_before=LATE.not_before, not_after=LATE.not_after)
    return snapshot(lineage=known, bindings=(), copies=(replace(held, **differences),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        pytest.param(import_of(HIDDEN), True, id="it begins and ends later"),
        pytest.param(import_of(HIDDEN, not_after=EARLY.not_after), False, id="it ends with the vault's"),
        pytest.param(import_of(HIDDEN, not_before=EARLY.not_before), False, id="it begins with the vault's"),
        pytest.param(import_of(HIDDEN, not_before=None), False, id="Azure does not show when it begins"),
        pytest.param(import_of(HIDDEN, not_after=None), False, id="Azure does not show when it ends"),
        pytest.param(import_of(replace(HIDDEN, unread_disabled=1)), False, id="an operator may have disabled it"),
        pytest.param(import_of(replace(HIDDEN, reissued=True)), False, id="an operator asked for the vault's"),
    ],
)
def test_import_of_a_version_that_the_vault_hides_is_judged_by_its_own_dates(seen: Snapshot, *, kept: bool) -> None:
    """If the vault does not show the version of an import, the dates that Azure shows for the import decide."""
    plan = planner.plan(seen, APPLY)
    reasons = [skip.reason for skip in plan.skips]
    assert (reasons == [Reason.LATER_IN_USE]) is kept
    assert any(step.action.replaces for step in plan.steps) is not kept
    if kept:
        assert "if the earlier one is meant" not in plan.skips[0].detail


# ------------------------------------------------------------------------------------------------------ Azure went back


@pytest.mark.parametrize(
    ("known", "held", "told"),
    [
        pytest.param(RESTORED, OLD, True, id="the import holds the earlier certificate"),
        pytest.param(RESTORED, NEW, False, id="the import still holds the later certificate"),
        pytest.param(lineage(LATE, EARLY), NEW, False, id="the vault's order is right"),
        pytest.param(lineage(EARLY, replace(LATE, enabled=False)), OLD, False, id="an operator disabled the later one"),
    ],
)
def test_import_that_went_back_is_told(known: Lineage, held: Thumbprint, *, told: bool) -> None:
    """If an import holds the earlier certificate, a finding says so and names the version that is later."""
    found = notices.went_back(snapshot(lineage=known, copies=(copy("in", held),)))
    assert [(finding.subject, finding.reason) for finding in found] == (
        [("certificate rg-web/in", Reason.WENT_BACK)] if told else []
    )


def test_dates_make_no_peace_between_vault_certificates_in_opposite_order() -> None:
    """If two vault certificates hold versions in opposite order, Certroll moves neither, whatever their dates."""
    other = replace(lineage(LATE, EARLY), ref=OTHER_REF)
    assert opposed([RESTORED, other]) == {RESTORED.ref: OTHER_REF, OTHER_REF: RESTORED.ref}


# ------------------------------------------------------------------------------------------------------------- reissues


@pytest.mark.parametrize(
    ("tag", "thumbprint", "asked"),
    [
        pytest.param("0A:FF", OLD, True, id="the tag names an earlier serial number"),
        pytest.param(GOOD.serial, OLD, False, id="the tag names the certificate of the order, so nothing came of it"),
        pytest.param("", OLD, False, id="there is no serial number in the tag"),
        pytest.param("0A:FF", NEW, False, id="another version is on top"),
        pytest.param("0A:FF", None, False, id="Azure does not show the certificate of the order"),
    ],
)
def test_reissue_is_known_by_the_orders_tag_and_certificate(
    tag: str, thumbprint: Thumbprint | None, *, asked: bool
) -> None:
    """A version came of a reissue if the order's tag names an earlier certificate and the order shows this version."""
    order = replace(GOOD, tags=(("certroll-reissue", tag),), thumbprint=thumbprint)
    assert GOOD.secret is not None
    assert (order.stores_in(GOOD.secret), order.stores_in(OTHER_REF)) == (True, False)
    assert was_reissued(order, EARLY) is asked
    assert not was_reissued(order, None)


def test_later_certificate_that_may_belong_to_another_vault_certificate_is_called_ambiguous() -> None:
    """A later certificate that an import of another vault certificate holds gets the refusal about both, as before."""
    theirs = copy("theirs", NEW, source=OTHER_REF)
    seen = snapshot(
        lineage=RESTORED,
        bindings=(binding(thumbprint=NEW),),
        copies=(theirs,),
        settings=(named(NEW, pins={"PIN": NEW}),),
    )
    plan = planner.plan(seen, APPLY)
    assert plan.steps == ()
    assert [skip.reason for skip in plan.skips] == [Reason.AMBIGUOUS_LINEAGE] * 2
