"""Test how Certroll lets an app load the new version next to the old one, and use the new version in settings."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.app_settings import (
    LOAD_LIST,
    ROOT_LIST,
    ReferenceKind,
    SettingEdit,
    SettingReference,
    SiteSettings,
)
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import CONTEST_WINDOW, RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.roll_edits import roll_edits
from shared.planning.actions import roll_app_settings
from shared.planning.actions.roll_app_settings import RollAppSettings, is_contested
from shared.planning.plan import Skip, Step
from tests.build import (
    APPLY,
    DAY,
    FOREIGN,
    HOUR,
    LINEAGE,
    NEW,
    NEWER,
    NORTH,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    WEST,
    copy,
    lineage,
    named,
    old_version,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
    version,
)

SECOND = timedelta(seconds=1)
SUBJECT = "app settings of shop"
SYNCED, KEPT = copy(thumbprint=NEW), copy("kept", OLD, source=None)
LIVE = SYNCED, KEPT, copy("older", OLDER, source=None)
THREE = lineage(version(), old_version(), old_version("v0", OLDER))
NEXT_TO = SettingEdit(LOAD_LIST, NEW, (), OLD)


def world(
    *settings: SiteSettings,
    copies: tuple[WebspaceCertificate, ...] = LIVE,
    rolls: tuple[RollRecord, ...] = (),
    past: tuple[RollRecord, ...] = (),
    versions: Lineage = THREE,
) -> Snapshot:
    """Return a snapshot of Azure whose App Service webspace has three versions, with these app settings."""
    return snapshot(lineage=versions, copies=copies, settings=settings, rollout=rollout(rolls=rolls, past=past))


def edits(seen: Snapshot) -> tuple[SettingEdit, ...]:
    """Return the edits of the only proposed step, after a check of the step's other fields."""
    (step,) = roll_app_settings.propose(seen, APPLY)
    assert isinstance(step, Step)
    assert isinstance(step.action, RollAppSettings)
    assert step == Step(RollAppSettings(seen.fleet.settings[0], step.action.edits, WEST), Reason.STALE_THUMBPRINT)
    return step.action.edits


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(named(OLD), (NEXT_TO,), id="a list: the new one next to the old one"),
        pytest.param(named(FOREIGN, OLD), (NEXT_TO,), id="a list that names another's, too"),
        pytest.param(named(OLDER), (SettingEdit(LOAD_LIST, NEW, (), OLDER),), id="a list that is two versions behind"),
        pytest.param(named(OLDER, OLD), (NEXT_TO,), id="a list of two old ones: next to the last good one, both stay"),
        pytest.param(named(pins={"PIN": OLD}), (SettingEdit("PIN", NEW, (OLD,), OLD),), id="a pin without a list"),
        pytest.param(
            named(OLD, pins={"A": OLD, "B": FOREIGN, "C": OLDER, "D": NEW}),
            (NEXT_TO, SettingEdit("A", NEW, (OLD,), OLD), SettingEdit("C", NEW, (OLDER,), OLD)),
            id="a list and pins: each stale one, after the list; the last good one is what comes back",
        ),
        pytest.param(
            named(OLD, NEW, pins={"PIN": OLD}),
            (SettingEdit("PIN", NEW, (OLD,), OLD),),
            id="a list with both: only the pin is left",
        ),
        pytest.param(
            named(OLD, everything=True, pins={"PIN": OLD}),
            (SettingEdit("PIN", NEW, (OLD,), OLD),),
            id="a list with a star: only the pin is left",
        ),
        pytest.param(
            named(FOREIGN, pins={"PIN": OLD}),
            (SettingEdit("PIN", NEW, (OLD,), OLD),),
            id="a list of another's: it is not ours to write",
        ),
    ],
)
def test_stale_app_is_rolled(settings: SiteSettings, expected: tuple[SettingEdit, ...]) -> None:
    """Certroll adds the new thumbprint to WEBSITE_LOAD_CERTIFICATES and replaces the old one in other settings.

    A settings update of one vault certificate changes no thumbprint of another vault certificate.
    """
    assert edits(world(settings)) == expected


@pytest.mark.parametrize(
    ("settings", "copies", "comes_back"),
    [
        pytest.param(named(OLD, pins={"PIN": OLDER}), LIVE, OLD, id="the list loads the last good one"),
        pytest.param(named(OLD, pins={"PIN": OLDER}), (SYNCED,), OLDER, id="the last good one is not in the webspace"),
        pytest.param(named(pins={"Q": OLD, "PIN": OLDER}), LIVE, OLDER, id="no list loads the last good one"),
        pytest.param(named(OLDER, pins={"Q": OLD, "PIN": OLDER}), LIVE, OLDER, id="the list loads another"),
        pytest.param(named(everything=True, pins={"Q": OLD, "PIN": OLDER}), LIVE, OLDER, id="everything is loaded"),
        pytest.param(
            named(everything=True, pins={"Q": OLD, "PIN": OLDER}),
            (SYNCED, KEPT),
            OLD,
            id="everything is loaded, and its own is not there",
        ),
        pytest.param(named(OLD, OLDER, pins={"PIN": OLDER}), LIVE, OLDER, id="the list loads its own"),
        pytest.param(
            named(everything=True, pins={"Q": OLD, "PIN": OLDER}),
            (SYNCED,),
            OLDER,
            id="everything is loaded, and the last good one is not there",
        ),
    ],
)
def test_pin_comes_back_to_what_can_be_loaded(
    settings: SiteSettings, copies: tuple[WebspaceCertificate, ...], comes_back: Thumbprint
) -> None:
    """For an app setting that is a thumbprint, Certroll records the value that it would restore after a failure.

    After a failure the setting gets its own old thumbprint, unless the app loads only the last good one.
    """
    (edit,) = (edit for edit in edits(world(settings, copies=copies)) if edit.key == "PIN")
    assert edit == SettingEdit("PIN", NEW, (OLDER,), comes_back)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(named(), id="it names nothing"),
        pytest.param(named(FOREIGN, pins={"PIN": FOREIGN}), id="it names another's"),
        pytest.param(named(NEW, pins={"PIN": NEW}), id="it names the current version"),
        pytest.param(named(OLD, NEW), id="it names both in its list"),
        pytest.param(named(OLD, everything=True), id="it loads everything"),
        pytest.param(named(OLD, site="gone"), id="its site was not seen"),
    ],
)
def test_other_app_is_left_alone(settings: SiteSettings) -> None:
    """Certroll updates only apps whose settings name a stale version in place of the current version."""
    assert list(roll_app_settings.propose(world(settings), APPLY)) == []


def test_nothing_is_rolled_without_a_current_version() -> None:
    """Certroll updates no app settings while no version of the vault certificate is good."""
    nothing = lineage(version(), old_version(), current=None)
    assert list(roll_app_settings.propose(world(named(OLD), versions=nothing), APPLY)) == []


def test_nothing_is_edited_without_a_current_version() -> None:
    """Certroll makes no edits of app settings if the vault certificate has no current version."""
    seen = world(named(OLD), versions=lineage(version(), old_version(), current=None))
    assert roll_edits(seen, site(), named(OLD), (OLD,)) == ()


def test_lists_of_two_spellings_are_both_rolled() -> None:
    """Certroll edits each spelling of the setting WEBSITE_LOAD_CERTIFICATES that lists a stale version."""
    other, foreign = "website_load_certificates", "Website_Load_Certificates"
    lists = ((LOAD_LIST, OLD), (other, OLDER), (foreign, FOREIGN))
    references = tuple(SettingReference(key, ReferenceKind.LOAD_LIST, thumbprint) for key, thumbprint in lists)
    assert edits(world(replace(named(), references=references))) == (NEXT_TO, SettingEdit(other, NEW, (), OLDER))


@pytest.mark.parametrize(
    "first",
    [
        pytest.param((named(OLD, site="a"),), id="was not seen"),
        pytest.param((named(NEW, site="b"),), id="names nothing stale"),
        pytest.param((named(OLD, site="c"),), id="is nowhere"),
    ],
)
def test_app_that_is_not_rolled_holds_up_no_other(first: tuple[SiteSettings, ...]) -> None:
    """Certroll updates the settings of an app even if it cannot update another app."""
    sites = site("b"), site("c", webspace=None), site("z")
    items = roll_app_settings.propose(snapshot(sites=sites, settings=(*first, named(OLD, site="z"))), APPLY)
    assert [str(item.action.site) for item in items if isinstance(item, Step)] == ["z"]


def test_apps_are_rolled_in_a_stable_order() -> None:
    """Certroll updates apps in the same order, whatever the order in which their settings were read."""
    sites = tuple(site(name) for name in ("b", "a", "c"))
    settings = tuple(named(OLD, site=name) for name in ("b", "a", "c"))
    seen = snapshot(sites=sites, copies=LIVE, settings=settings)
    assert [item.subject[-1] for item in roll_app_settings.propose(seen, APPLY)] == ["a", "b", "c"]


# ------------------------------------------------------------------------------------------------------ what leaves

EXPIRED = lineage(version(), old_version(), old_version("v0", OLDER, not_after=NOW))
LASTS = lineage(version(), old_version(), old_version("v0", OLDER, not_after=NOW + SECOND))


@pytest.mark.parametrize(
    ("seen", "leaving", "last_good"),
    [
        pytest.param(world(named(OLD), copies=(SYNCED,)), (OLD,), OLD, id="the last good one is not in the webspace"),
        pytest.param(
            world(named(OLD), copies=(SYNCED, copy("kept", OLD, source=None, webspace=NORTH))),
            (OLD,),
            OLD,
            id="it is in another webspace only",
        ),
        pytest.param(world(named(OLD)), (), OLD, id="the last good one is there"),
        pytest.param(
            world(named(OLD, OLDER), copies=(SYNCED, KEPT)), (OLDER,), OLD, id="the one before is not in the webspace"
        ),
        pytest.param(
            world(named(OLD, OLDER), copies=(SYNCED, LIVE[2])), (OLD,), OLDER, id="only the one before is there"
        ),
        pytest.param(world(named(OLD, OLDER), copies=(SYNCED,)), (OLD, OLDER), OLD, id="neither is in the webspace"),
        pytest.param(world(named(OLD, OLDER)), (), OLD, id="both are there, and nothing is proven"),
        pytest.param(world(named(OLD, OLDER), versions=EXPIRED), (OLDER,), OLD, id="the one before ends this moment"),
        pytest.param(world(named(OLD, OLDER), versions=LASTS), (), OLD, id="the one before lasts a second longer"),
        pytest.param(
            world(named(OLD, OLDER, pins={"PIN": OLDER}), versions=EXPIRED), (), OLD, id="the one before is pinned"
        ),
        pytest.param(
            world(named(OLD, OLDER, pins={"PIN": OLDER}), versions=EXPIRED, copies=(SYNCED, KEPT)),
            (OLDER,),
            OLD,
            id="the one before is pinned, and not in the webspace",
        ),
        pytest.param(
            world(named(OLD), versions=lineage(version(), old_version(not_after=NOW - DAY))),
            (),
            OLD,
            id="the last good one has expired: it stays until the next roll",
        ),
        pytest.param(
            world(named(OLD, OLDER), past=(roll(RollState.VALIDATED, proven=(OLD,)),)),
            (OLDER,),
            OLD,
            id="the last good one was proven by an earlier roll",
        ),
        pytest.param(
            world(named(OLD, OLDER), rolls=(roll(RollState.REFUSED, proven=(OLD,)),)),
            (OLDER,),
            OLD,
            id="the last good one was proven, as this roll's record says",
        ),
        pytest.param(
            world(named(OLD, OLDER), past=(roll(RollState.VALIDATED, proven=(OLDER,)),)),
            (OLD,),
            OLDER,
            id="only the one before was proven: that is the last good one",
        ),
        pytest.param(
            world(named(OLD, OLDER), past=(roll(RollState.VALIDATED, proven=(OLDER, OLD)),)),
            (OLDER,),
            OLD,
            id="both were proven: the newer one is the last good one",
        ),
        pytest.param(
            world(named(OLD, OLDER), past=(roll(RollState.VALIDATED, site="other", proven=(OLDER,)),)),
            (),
            OLD,
            id="one was proven by another app",
        ),
        pytest.param(
            world(
                named(OLD, OLDER),
                copies=(copy("import", OLD), copy("new", NEW, source=None), LIVE[2]),
                past=(roll(RollState.VALIDATED, proven=(OLD,)),),
            ),
            (),
            OLD,
            id="the proven one is an imported certificate, which App Service replaces",
        ),
    ],
)
def test_old_thumbprints_leave_with_the_next_roll(
    seen: Snapshot, leaving: tuple[Thumbprint, ...], last_good: Thumbprint
) -> None:
    """A settings update removes old thumbprints that the App Service webspace lacks from WEBSITE_LOAD_CERTIFICATES.

    Once the last good version is proven or an older version expired, a settings update also removes older thumbprints
    that no other setting needs.
    """
    edit = edits(seen)[0]
    assert edit == SettingEdit(LOAD_LIST, NEW, leaving, last_good)


def test_what_an_imported_copy_held_is_rolled() -> None:
    """Certroll treats the thumbprint of an import of a recreated vault certificate as an older version."""
    seen = snapshot(copies=(copy(thumbprint=FOREIGN),), settings=(named(FOREIGN),))
    (step,) = roll_app_settings.propose(seen, APPLY)
    assert isinstance(step, Step)
    assert step.action.writes == {NEW}
    later = replace(seen, fleet=replace(seen.fleet, certificates=(SYNCED,)))
    assert edits(later) == (SettingEdit(LOAD_LIST, NEW, (FOREIGN,), FOREIGN),)


def test_version_of_the_lineage_is_better_than_an_unknown_one() -> None:
    """Certroll prefers a version of the vault as last good version to a thumbprint that the vault does not know."""
    held = copy("odd", FOREIGN)
    seen = world(named(FOREIGN, OLD), copies=(*LIVE, held))
    assert edits(seen) == (NEXT_TO,)


# --------------------------------------------------------------------------------------------------------- refusals


def test_site_of_unknown_webspace_is_not_written() -> None:
    """If Azure does not report an app's App Service webspace, Certroll writes no settings of the app."""
    seen = snapshot(sites=(site(webspace=None),), settings=(named(OLD),))
    assert list(roll_app_settings.propose(seen, APPLY)) == [
        Skip(
            SUBJECT,
            Reason.INCOMPLETE_VIEW,
            "Azure does not name the webspace of the site, so Certroll does not know its live certificates",
            site_ref(),
        )
    ]


def test_site_of_unknown_webspace_that_names_nothing_stale_is_not_reported() -> None:
    """Certroll does not report an unknown App Service webspace of an app whose settings need no update."""
    seen = snapshot(sites=(site(webspace=None),), settings=(named(NEW, FOREIGN),))
    assert list(roll_app_settings.propose(seen, APPLY)) == []


THEIRS = copy("theirs", OLD, source=OTHER_REF)
CONTESTED = Skip(
    SUBJECT,
    Reason.AMBIGUOUS_LINEAGE,
    f"{OLD} is an older version of kv-shop/shop, and a copy of another vault certificate holds it, too: "
    "write the right thumbprint by hand, or delete one of the two copies",
    site_ref(),
)


def test_what_another_vault_certificate_claims_is_not_rolled() -> None:
    """Certroll does not replace a thumbprint in app settings that may belong to either of two vault certificates."""
    seen = world(named(OLD, pins={"PIN": OLD}), copies=(*LIVE, THEIRS))
    assert list(roll_app_settings.propose(seen, APPLY)) == [CONTESTED]


def test_what_nobody_else_claims_is_rolled_beside_it() -> None:
    """Certroll updates an old thumbprint of a list next to a thumbprint that two vault certificates claim."""
    seen = world(named(OLD, OLDER, pins={"PIN": OLD}), copies=(*LIVE, THEIRS))
    skip, step = roll_app_settings.propose(seen, APPLY)
    assert skip == CONTESTED
    assert isinstance(step, Step)
    assert step.action == RollAppSettings(seen.fleet.settings[0], (SettingEdit(LOAD_LIST, NEW, (), OLDER),), WEST)


def test_every_contested_thumbprint_is_named() -> None:
    """Certroll names each thumbprint in app settings that may also belong to another vault certificate."""
    seen = world(named(OLD, OLDER), copies=(*LIVE, THEIRS, copy("too", OLDER, source=OTHER_REF)))
    (skip,) = roll_app_settings.propose(seen, APPLY)
    assert isinstance(skip, Skip)
    assert skip.detail.startswith(f"{OLD}, {OLDER} is an older version")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(
            roll(RollState.STALE, replaces=(OLDER,)), SettingEdit(LOAD_LIST, NEW, (), OLDER), id="told: only that"
        ),
        pytest.param(roll(RollState.REFUSED, replaces=(OLDER,)), NEXT_TO, id="not told: whatever is stale"),
        pytest.param(roll(RollState.STALE, site="other", replaces=(OLDER,)), NEXT_TO, id="another app was told"),
    ],
)
def test_app_that_was_told_replaces_what_it_was_told_to(record: RollRecord, expected: SettingEdit) -> None:
    """If an app has a record for the settings update, Certroll replaces exactly the thumbprints of that record.

    Certroll recorded the app's thumbprints when it read the whole webspace.
    """
    assert edits(world(named(OLD, OLDER), rolls=(record,))) == (expected,)


# ------------------------------------------------------------------------------------------------------------ contested


@pytest.mark.parametrize(
    ("state", "undone", "contested"),
    [
        pytest.param(RollState.VALIDATED, (NOW - HOUR,), True, id="validated, and undone for the second time"),
        pytest.param(RollState.UNPROVEN, (NOW - HOUR,), True, id="unproven, and undone for the second time"),
        pytest.param(RollState.OVERLAPPING, (NOW - HOUR,), True, id="under way, and undone for the second time"),
        pytest.param(RollState.RETIRED, (NOW - HOUR,), True, id="retired, and undone for the second time"),
        pytest.param(RollState.VALIDATED, (), False, id="undone for the first time"),
        pytest.param(
            RollState.VALIDATED, (NOW - CONTEST_WINDOW + SECOND,), True, id="the first time is just not a day ago"
        ),
        pytest.param(RollState.VALIDATED, (NOW - CONTEST_WINDOW,), False, id="the first time is a day ago"),
        pytest.param(RollState.VALIDATED, (NOW - 2 * DAY, NOW - HOUR), True, id="the first time is long ago"),
        pytest.param(RollState.STALE, (NOW - HOUR,), False, id="admitted: this time is not over"),
        pytest.param(RollState.REFUSED, (NOW - HOUR,), False, id="not written: nobody undid it"),
        pytest.param(RollState.DEFERRED, (NOW - HOUR,), False, id="deferred: nobody undid it"),
        pytest.param(RollState.ROLLED_BACK, (NOW - HOUR,), False, id="rolled back: we undid it"),
        pytest.param(RollState.CONTESTED, (NOW - 2 * HOUR, NOW - HOUR), True, id="contested since an hour"),
        pytest.param(RollState.CONTESTED, (NOW - DAY, NOW - HOUR), False, id="contested, the first time a day ago"),
        pytest.param(RollState.CONTESTED, (NOW - DAY - HOUR, NOW - DAY), False, id="contested until a day ago"),
    ],
)
def test_roll_that_others_take_back_is_left_to_them(
    state: RollState, undone: tuple[datetime, ...], *, contested: bool
) -> None:
    """Certroll writes nothing to an app for a day if another writer reversed the same update twice within 24 hours."""
    record = roll(state, undone=undone)
    seen = world(named(OLD), rolls=(record,))
    assert is_contested(record, seen) is contested
    (item,) = roll_app_settings.propose(seen, APPLY)
    assert item.reason is (Reason.CONTESTED if contested else Reason.STALE_THUMBPRINT)


def test_who_fights_is_told_what_to_do() -> None:
    """After another writer reversed Certroll's update twice, the refusal says which writer to look for and change."""
    seen = world(named(OLD), rolls=(roll(RollState.VALIDATED, undone=(NOW - HOUR,)),))
    assert list(roll_app_settings.propose(seen, APPLY)) == [
        Skip(
            SUBJECT,
            Reason.CONTESTED,
            "somebody undid this roll twice within 24 hours: find the template or pipeline that writes these "
            "settings, and let it name the new version or no version",
            site_ref(),
        )
    ]


def test_nobody_fights_over_what_needs_no_edit() -> None:
    """Certroll does not report a contest with another writer for settings that need no edit."""
    seen = world(named(NEW), rolls=(roll(RollState.CONTESTED, undone=(NOW - HOUR,)),))
    assert list(roll_app_settings.propose(seen, APPLY)) == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param(replace(named(pins={"PIN": OLD}), no_lists=frozenset({LOAD_LIST})), True, id="a pin is stale"),
        pytest.param(replace(named(pins={"PIN": NEW}), no_lists=frozenset({LOAD_LIST})), False, id="no pin is stale"),
        pytest.param(replace(named(), no_lists=frozenset({ROOT_LIST})), False, id="nobody asks for the root"),
    ],
)
def test_what_is_no_list_is_told_where_it_stands_in_the_way(settings: SiteSettings, *, told: bool) -> None:
    """Certroll reports a list setting whose value is no list only if the app needs the new version in it."""
    skips = roll_app_settings.propose(world(settings), APPLY)
    assert [skip.reason for skip in skips if isinstance(skip, Skip)] == ([Reason.NOT_A_LIST] if told else [])


def test_newer_version_than_the_current_one_is_left() -> None:
    """Certroll does not update the settings of an app that names a newer version than the current version."""
    ahead = lineage(version("v3", NEWER), version(), old_version(), current=1)
    assert list(roll_app_settings.propose(world(named(NEWER), versions=ahead), APPLY)) == []
    assert LINEAGE.is_stale(OLD)
