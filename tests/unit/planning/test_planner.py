"""Test which steps and refusals Certroll plans for the sites and certificates that it observed."""

from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import pytest

from shared.domain.certificates.lineage import Refusal
from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit, SiteSettings, VaultReference
from shared.domain.fleet.bindings import SslState
from shared.domain.intent import Intent, Mode
from shared.domain.reason import Reason
from shared.domain.restart_window import RestartWindow
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import SiteState
from shared.domain.snapshot.expiry import is_urgent
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import shown_bindings
from shared.domain.tags import Tags
from shared.planning import actions, guards, planner
from shared.planning.plan import Plan
from tests.build import (
    APPLY,
    NEW,
    NEWER,
    NORTH,
    NOW,
    OFF,
    OLD,
    OLDER,
    OTHER_REF,
    REF,
    SUBSCRIPTION,
    binding,
    blind_spot,
    copy,
    facts,
    lineage,
    named,
    old_version,
    record,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
    two_webspaces,
    version,
)

PROVEN = rollout(record(SiteState.PROVEN))
OURS = Intent(mode=Mode.APPLY, own_site="shop", own_subscription=SUBSCRIPTION)
CLOSED = RestartWindow.parse("Sun 01:00-02:00")
WAITING = rollout(record(SiteState.PENDING, webspace=NORTH), first=NORTH)


def told(plan: Plan) -> list[tuple[str, str]]:
    """Return the reason and the first two words of the subject of each planned step."""
    return [(step.reason, " ".join(step.subject.split()[:2])) for step in plan.steps]


def reasons(plan: Plan) -> dict[str, Reason]:
    """Return the reason of each refusal by the last word of the refusal's subject."""
    return {skip.subject.split()[-1]: skip.reason for skip in plan.skips}


def test_copies_come_before_bindings() -> None:
    """Certroll brings a version into an App Service webspace before a binding there shows the version."""
    assert told(planner.plan(two_webspaces(PROVEN), APPLY)) == [
        (Reason.STALE_COPY, "certificate rg-web/north-copy"),
        (Reason.STALE_COPY, "certificate rg-web/shop-copy"),
        (Reason.STALE_THUMBPRINT, "binding shop.contoso.com"),
        (Reason.STALE_THUMBPRINT, "binding shop.contoso.com"),
        (Reason.STALE_THUMBPRINT, "binding shop.contoso.com"),
    ]


def test_bindings_that_lag_behind_a_synced_copy_are_moved() -> None:
    """If App Service synced an imported certificate but left bindings on the old one, Certroll moves the bindings."""
    seen = snapshot(copies=(copy(thumbprint=NEW),))
    assert told(planner.plan(seen, APPLY)) == [(Reason.STALE_THUMBPRINT, "binding shop.contoso.com")]


def test_projected_world_is_the_wished_one() -> None:
    """The plan gives imported certificates and stale bindings the new version, and keeps types and addresses."""
    ip_based = binding("ip.contoso.com", ssl_state=SslState.IP_BASED, virtual_ip="203.0.113.7")
    names = facts("*.contoso.com")
    seen = snapshot(lineage=lineage(version(facts=names), old_version()), bindings=(binding(), ip_based))
    after = planner.project(planner.plan(seen, APPLY), seen)
    assert after.fleet.bindings == (binding(thumbprint=NEW), replace(ip_based, thumbprint=NEW))
    assert [c.thumbprint for c in after.fleet.certificates] == [NEW]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(snapshot(), id="one webspace"),
        pytest.param(two_webspaces(PROVEN), id="two webspaces"),
        pytest.param(snapshot(sites=(site(tags=OFF),)), id="a site that opted out"),
        pytest.param(snapshot(blind_spots=(blind_spot(),)), id="a blind spot"),
        pytest.param(
            snapshot(
                lineage=lineage(version(), old_version(), old_version("v0", OLDER)),
                bindings=(binding(), binding("x.contoso.com", OLDER)),
            ),
            id="two old versions and an uncovered host name",
        ),
    ],
)
def test_second_plan_is_empty(seen: Snapshot) -> None:
    """Certroll plans no step for the snapshot that its own plan leaves behind.

    A run of Certroll verifies its result by a second plan, which must have no step.
    """
    after = planner.project(planner.plan(seen, APPLY), seen)
    assert planner.plan(after, APPLY).steps == ()


def test_part_of_a_site_has_only_the_changes_of_that_site() -> None:
    """The run of a site gets the steps, refusals and withheld steps of this site, and of no other."""
    for intent in (APPLY, Intent(mode=Mode.OBSERVE)):
        whole = planner.plan(two_webspaces(WAITING), intent)
        part = whole.of(site_ref("north-1"))
        actions = (*part.steps, *(would.step for would in part.would))
        assert {step.action.site for step in actions} <= {site_ref("north-1")}
        assert {skip.site for skip in part.not_done} <= {site_ref("north-1")}
        assert len(actions) + len(part.skips) == 1


def test_blind_spot_stops_a_sync_and_what_needs_it() -> None:
    """In a webspace with an unreadable resource, Certroll usually syncs nothing and binds no missing certificate."""
    assert reasons(planner.plan(snapshot(blind_spots=(blind_spot(),)), APPLY)) == {
        "rg-westeuropewebspace": Reason.INCOMPLETE_VIEW,
        "shop": Reason.NOT_LIVE,
    }


def test_fleet_that_is_current_needs_nothing() -> None:
    """Certroll plans neither a step nor a refusal if all sites and certificates are current."""
    seen = snapshot(bindings=(binding(thumbprint=NEW),), copies=(copy(thumbprint=NEW),))
    assert planner.plan(seen, APPLY) == Plan()


def test_observing_shows_the_whole_plan() -> None:
    """Certroll by default writes nothing, and reports every step of every App Service webspace that it would make."""
    plan, applied = planner.plan(two_webspaces(), Intent()), planner.plan(two_webspaces(), APPLY)
    assert (plan.steps, plan.skips) == ((), ())
    assert [would.step for would in plan.would] == [*applied.steps, *(skip.step for skip in applied.skips)]
    assert [would.waits for would in plan.would] == [None, None, *applied.skips]


def test_plan_is_silent_about_the_end_of_what_is_not_there_yet() -> None:
    """The plan that uploads an old version for an app says nothing about the later deletion of that upload."""
    seen = snapshot(settings=(named(OLD, pins={"CLIENT_CERT": OLD}),))
    for intent in (Intent(), APPLY):
        plan = planner.plan(seen, intent)
        steps = (*plan.steps, *(would.step for would in plan.would))
        assert [step.reason for step in steps][:2] == [Reason.SUPERSEDED_IN_USE, Reason.STALE_COPY]
        assert [skip.subject for skip in plan.skips] == []


def test_stages_hold_back_copies_and_bindings() -> None:
    """Certroll changes other webspaces only after the first webspace is proven or its waiting time is over."""
    plan = planner.plan(two_webspaces(), APPLY)
    assert {step.action.webspace for step in plan.steps} == {site().webspace}
    assert [skip.reason for skip in plan.skips] == [Reason.AWAITING_FIRST_STAGE] * 3


def test_refused_newest_version_stops_syncs_and_what_needs_them() -> None:
    """Certroll syncs nothing while the newest version is refused, and binds no certificate that the webspace lacks."""
    refused = lineage(
        version("v3", NEWER), version(), old_version(), current=1, refusal=Refusal(Reason.EXPIRED, "it expired")
    )
    assert reasons(planner.plan(snapshot(lineage=refused), APPLY)) == {
        "rg-westeuropewebspace": Reason.NEWEST_REFUSED,
        "shop": Reason.NOT_LIVE,
    }


@pytest.mark.parametrize(
    ("seen", "intent", "given"),
    [
        pytest.param(
            snapshot(
                lineage=lineage(version(facts=facts("other.contoso.com")), old_version(), tags=OFF),
                sites=(site(tags=OFF),),
            ),
            APPLY,
            Reason.OPTED_OUT,
            id="what operators took out before what is wrong with the certificate",
        ),
        pytest.param(
            snapshot(lineage=lineage(tags=OFF), sites=(site(webspace=None),)),
            APPLY,
            Reason.OPTED_OUT,
            id="what operators took out before what Azure does not say",
        ),
        pytest.param(
            snapshot(lineage=lineage(version(facts=facts("other.contoso.com")), old_version()), plans=()),
            APPLY,
            Reason.NOT_COVERED,
            id="what is wrong with the certificate before what is missing",
        ),
        pytest.param(
            snapshot(lineage=lineage(tags=OFF), blind_spots=(blind_spot(),)),
            APPLY,
            Reason.OPTED_OUT,
            id="what operators took out before what cannot be seen",
        ),
        pytest.param(
            snapshot(copies=(copy(), copy("b", NEW)), blind_spots=(blind_spot(),), rollout=WAITING),
            APPLY,
            Reason.AWAITING_FIRST_STAGE,
            id="a blind spot stops no binding, only its turn does",
        ),
        pytest.param(
            snapshot(sites=(site(tags=OFF),), plans=()),
            APPLY,
            Reason.OPTED_OUT,
            id="what operators took out before what is missing",
        ),
        pytest.param(
            snapshot(plans=(), rollout=WAITING),
            APPLY,
            Reason.NOT_LIVE,
            id="what is missing before whose turn it is",
        ),
        pytest.param(snapshot(plans=()), Intent(), Reason.NOT_LIVE, id="what is missing before the mode"),
        pytest.param(
            snapshot(rollout=rollout(record(SiteState.FAILED))),
            Intent(),
            Reason.VERSION_HELD,
            id="a failed version before the mode",
        ),
    ],
)
def test_most_telling_reason_is_given(seen: Snapshot, intent: Intent, given: Reason) -> None:
    """If several reasons stop a binding's move, Certroll gives the reason that will last longest.

    Certroll gives the reason against a binding's move that would remain even if all other reasons were gone.
    """
    plan = planner.plan(seen, intent)
    assert plan.steps == ()
    assert [skip.reason for skip in plan.skips if skip.site] == [given]


ON: Tags = (("certroll-restart", "on"),)


def apps(*settings: SiteSettings, tags: Tags = (), rolls: tuple[RollRecord, ...] = (), synced: bool = True) -> Snapshot:
    """Return a snapshot without bindings, in which an app has these settings.

    If `synced` is True, the imported certificate in the webspace already has the new version.
    """
    copies = (copy(thumbprint=NEW), copy("kept", source=None)) if synced else (copy(),)
    seen = rollout(record(SiteState.PROVEN), rolls=rolls)
    return snapshot(sites=(site(tags=tags),), bindings=(), copies=copies, settings=settings, rollout=seen)


def test_old_version_is_kept_before_its_copy_is_synced() -> None:
    """If an app names the old version, Certroll uploads the old version before a sync replaces it in the webspace.

    Certroll edits the app's settings after the sync of the imported certificate.
    """
    assert told(planner.plan(apps(named(OLD), synced=False), APPLY)) == [
        (Reason.SUPERSEDED_IN_USE, f"certificate rg/certroll-shop-{OLD.lower()}"),
        (Reason.STALE_COPY, "certificate rg-web/shop-copy"),
        (Reason.STALE_THUMBPRINT, "app settings"),
    ]


def test_app_that_is_rolled_has_both_versions() -> None:
    """After the planned steps, app settings and webspace have both versions, and a second plan has no step."""
    seen = apps(named(OLD, pins={"PIN": OLD}), synced=False)
    after = planner.project(planner.plan(seen, APPLY), seen)
    assert after.settings_of(site_ref()) == named(OLD, NEW, pins={"PIN": NEW})
    assert {c.thumbprint for c in after.fleet.certificates} == {OLD, NEW}
    assert planner.plan(after, APPLY).steps == ()


@pytest.mark.parametrize(
    ("seen", "reasons"),
    [
        pytest.param(
            apps(named(OLD, led=(VaultReference("K", REF, None, "v1"),))),
            [Reason.STALE_THUMBPRINT],
            id="a roll, which also fetches what references lead to",
        ),
        pytest.param(
            apps(named(everything=True, led=(VaultReference("K", REF, None, "v1"),)), tags=ON),
            [Reason.LOADED_AT_START],
            id="a restart, which also fetches what references lead to",
        ),
        pytest.param(
            apps(named(everything=True, pins={"PIN": OLD}), tags=ON),
            [Reason.STALE_THUMBPRINT],
            id="the edit of a pin, which also loads everything again",
        ),
        pytest.param(
            apps(named(led=(VaultReference("K", REF, None, "v1"),))), [Reason.STALE_REFERENCE], id="a refresh alone"
        ),
        pytest.param(
            apps(
                named(OLD, NEW),
                rolls=(roll(RollState.FAILED, edits=(SettingEdit(LOAD_LIST, NEW, (), OLD),)),),
            ),
            [Reason.PROBE_FAILED],
            id="a restore alone, and no roll of the same version after it",
        ),
    ],
)
def test_app_is_restarted_once(seen: Snapshot, reasons: list[Reason]) -> None:
    """Certroll restarts an app only once in a plan, whatever the app needs."""
    plan = planner.plan(seen, APPLY)
    assert [step.reason for step in plan.steps if step.action.restarts_site] == reasons
    assert all(step.action.restarts_site for step in plan.steps)


@pytest.mark.parametrize(
    ("seen", "intent", "given"),
    [
        pytest.param(
            apps(named(OLD), tags=OFF), Intent(own_site="shop"), Reason.OPTED_OUT, id="what operators took out, first"
        ),
        pytest.param(
            apps(named(OLD), synced=False),
            OURS,
            Reason.OWN_SITE,
            id="our own before whose turn it is",
        ),
        pytest.param(
            replace(apps(named(OLD)), lineage=lineage(version(facts=facts(key_size=1024)), old_version())),
            OURS,
            Reason.KEY_TOO_SMALL,
            id="what is wrong with the certificate before our own",
        ),
        pytest.param(
            replace(
                apps(named(OLD, NEW), rolls=(roll(RollState.VALIDATED),), tags=(("certroll-retire", "on"),)),
                fleet=replace(
                    apps(named(OLD, NEW), tags=(("certroll-retire", "on"),)).fleet, blind_spots=(blind_spot(),)
                ),
            ),
            OURS,
            Reason.OWN_SITE,
            id="our own before what cannot be seen",
        ),
        pytest.param(
            replace(
                apps(named(OLD), rolls=(roll(RollState.STALE, settings=40),)),
                fleet=replace(apps(named(OLD)).fleet, certificates=()),
            ),
            APPLY,
            Reason.NOT_LIVE,
            id="what is missing before a read that shrank",
        ),
        pytest.param(
            apps(named(OLD), rolls=(roll(RollState.STALE, settings=40),)),
            Intent(),
            Reason.SETTINGS_SHRUNKEN,
            id="a read that shrank before the mode",
        ),
        pytest.param(
            apps(named(OLD), rolls=(roll(RollState.ROLLED_BACK, site="b"),)),
            Intent(restart_window=CLOSED),
            Reason.VERSION_HELD,
            id="a hold before the mode",
        ),
        pytest.param(
            apps(named(OLD), rolls=(roll(RollState.ROLLED_BACK, site="b"),)),
            Intent(mode=Mode.APPLY, restart_window=CLOSED),
            Reason.VERSION_HELD,
            id="a hold before the window",
        ),
        pytest.param(
            apps(named(OLD), rolls=(roll(RollState.UNPROVEN, site="b"),)),
            Intent(mode=Mode.APPLY, restart_window=CLOSED),
            Reason.OUTSIDE_WINDOW,
            id="the window before whose turn it is",
        ),
    ],
)
def test_most_telling_reason_is_given_for_an_app(seen: Snapshot, intent: Intent, given: Reason) -> None:
    """If several reasons stop an app's settings update, Certroll gives the reason that will last longest.

    Certroll gives the reason against an app's update that would remain even if all other reasons were gone.
    """
    plan = planner.plan(seen, intent)
    assert [skip.reason for skip in plan.skips if skip.site] == [given]


def test_slot_that_was_set_aside_and_its_site_do_not_wait_for_each_other() -> None:
    """Certroll updates the settings of a production site although its slot was broken before the update."""
    seen = snapshot(
        sites=(site(), site(slot="staging")),
        bindings=(),
        copies=(copy(thumbprint=NEW), copy("kept", source=None)),
        settings=(named(OLD), named(OLD, slot="staging")),
        rollout=rollout(rolls=(roll(RollState.DEFERRED, slot="staging", broken_before=True),)),
    )
    assert [str(step.action.site) for step in planner.plan(seen, APPLY).steps] == ["shop"]


def test_every_guard_is_in_the_table() -> None:
    """Each module of `shared.planning.guards` with a guard has a place in the table of guards."""
    assert {module.guard for module in _modules(guards) if hasattr(module, "guard")} == set(guards.GUARDS)


def test_every_action_is_in_the_table() -> None:
    """Each module of `shared.planning.actions` that proposes steps has a place in the table of proposals."""
    assert {module.propose for module in _modules(actions) if hasattr(module, "propose")} == set(actions.PROPOSALS)


def test_reasons_go_from_what_people_took_out_to_whose_turn_it_is() -> None:
    """Certroll asks the guards (checks of a plan) in a fixed order.

    The guard of opted-out resources comes first. The guard of the mode comes last, so that a plan in observe mode
    refuses the same steps as a plan in apply mode.
    """
    assert [guard.__module__.rpartition(".")[2] for guard in guards.GUARDS] == [
        "opted_out",
        "site_with_silos",
        "record_unreadable",
        "version_disabled",
        "version_unfit",
        "own_site",
        "incomplete_view",
        "thumbprint_not_live",
        "settings_shrunken",
        "setting_not_text",
        "still_needed",
        "frozen",
        "awaiting_root",
        "not_its_stage",
        "outside_restart_window",
        "not_its_turn",
        "observe_only",
    ]


def test_work_goes_from_what_is_kept_to_what_is_deleted() -> None:
    """Certroll uploads old versions first, then brings new versions, changes bindings and apps, and deletes last."""
    assert [propose.__module__.rpartition(".")[2] for propose in actions.PROPOSALS] == [
        "keep_superseded",
        "upload_certificate",
        "upload_again",
        "upload_public_certificate",
        "import_certificate",
        "add_root_certificate",
        "sync_certificate",
        "update_binding",
        "restore_app_settings",
        "roll_app_settings",
        "retire_thumbprint",
        "restart_site",
        "refresh_references",
        "delete_certificate",
        "delete_root_certificate",
    ]


def _modules(package: ModuleType) -> list[Any]:
    return [import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__)]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(snapshot(bindings=(binding(thumbprint=NEW),)), id="it shows the new version"),
        pytest.param(snapshot(bindings=(binding(ssl_state=SslState.DISABLED),)), id="it is not bound"),
        pytest.param(snapshot(bindings=(binding("never.contoso.com"),)), id="the new version does not cover it"),
        pytest.param(snapshot(sites=(site(tags=OFF),)), id="its site opted out"),
        pytest.param(snapshot(copies=(copy(webspace=NORTH),)), id="its webspace has no copy"),
        pytest.param(snapshot(copies=(copy(), copy("b", source=OTHER_REF))), id="another vault certificate claims it"),
    ],
)
def test_what_will_not_move_makes_nothing_urgent(seen: Snapshot) -> None:
    """A binding that no plan will move does not make the rollout of a version urgent."""
    near = lineage(version(), old_version(not_after=NOW + timedelta(hours=1)))
    assert not is_urgent(replace(seen, lineage=near))
    assert is_urgent(snapshot(lineage=near))


def test_what_will_move_makes_urgent_though_its_names_are_unknown() -> None:
    """A binding whose certificate is about to end makes a rollout urgent even if the new version is unreadable."""
    seen = snapshot(lineage=lineage(version(facts=None), old_version(not_after=NOW + timedelta(hours=1))))
    assert is_urgent(seen)


def test_each_stale_certificate_that_is_shown_can_make_urgent() -> None:
    """A rollout is urgent if any stale certificate that a host name shows ends soon, but not if it ended long ago.

    A certificate that ended three days ago has waited so long that the next hours do not matter.
    """

    def shown(older_ends: datetime) -> Snapshot:
        newest = version(facts=facts("*.contoso.com"))
        versions = newest, old_version(), old_version("v0", OLDER, not_after=older_ends)
        return snapshot(lineage=lineage(*versions), bindings=(binding(), binding("b.contoso.com", OLDER)))

    assert is_urgent(shown(NOW + timedelta(hours=1)))
    assert is_urgent(shown(NOW - timedelta(hours=71)))
    assert not is_urgent(shown(NOW - timedelta(hours=72)))
    assert not is_urgent(snapshot(bindings=(binding(thumbprint=NEW),)))
    shown_now = shown(NOW + timedelta(hours=1))
    assert OLD in {b.thumbprint for b in shown_bindings(shown_now)}
