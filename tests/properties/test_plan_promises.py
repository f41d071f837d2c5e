"""Test that each promise about plans can fail, by a planner that breaks the promise."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.fleet.bindings import Binding
from shared.domain.intent import Intent, Mode
from shared.domain.names import Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import Rebind, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.actions.upload_again import UploadAgain
from shared.planning.plan import Action, Plan, Skip, Step
from tests.build import (
    AGAIN,
    APPLY,
    ASE,
    EARLY,
    FOREIGN,
    NEW,
    NEWER,
    NORTH,
    NOW,
    OFF,
    OLD,
    OLDER,
    OTHER_REF,
    PLANS,
    REF,
    WEST,
    binding,
    blind_spot,
    copy,
    lineage,
    named,
    old_version,
    record,
    roll,
    rollout,
    site,
    snapshot,
    two_webspaces,
    version,
)
from tests.properties import plan_promises as plans
from tests.properties import setting_promises as settings
from tests.properties.fleets import REFUSED, SECRET
from tests.properties.promises import Broken, Case, Planner, Promise
from tests.properties.test_plans import ALL

OPEN = rollout(record(SiteState.PROVEN))
ORDINARY = snapshot(rollout=OPEN)
RENEWED = copy("shop-copy", NEW)
THEIRS = copy("theirs", NEW, source=OTHER_REF)


@dataclass(frozen=True, slots=True)
class Unbind(UpdateBinding):
    """An action that removes a host name from a site, which Certroll itself never does."""

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot without the binding."""
        left = tuple(found for found in snapshot.fleet.bindings if found != self.binding)
        return replace(snapshot, fleet=replace(snapshot.fleet, bindings=left))


def always(*actions: Action, skips: tuple[Skip, ...] = ()) -> Planner:
    """Return a planner with the same plan for every snapshot."""
    plan = Plan(tuple(Step(action, Reason.STALE_THUMBPRINT) for action in actions), skips)
    return lambda _world, _intent: plan


def bound(
    thumbprint: Thumbprint = NEW, was: Binding | None = None, webspace: Webspace = WEST, *, rebind: bool = False
) -> UpdateBinding:
    """Return the action that binds a thumbprint to a host name, by default the new one to the host name of `shop`."""
    return UpdateBinding(was or binding(), thumbprint, webspace, rebind)


def rolled(*edits: SettingEdit, app: str = "shop", slot: str | None = None) -> RollAppSettings:
    """Return the action that adds the new version to the settings of an app that lists the old version."""
    added = SettingEdit(LOAD_LIST, NEW, (), OLD)
    return RollAppSettings(named(OLD, FOREIGN, site=app, slot=slot), edits or (added,), WEST)


def retired(*edits: SettingEdit) -> RetireThumbprint:
    """Return the action that removes the old version from WEBSITE_LOAD_CERTIFICATES, which lists both versions."""
    edit = SettingEdit(LOAD_LIST, None, (OLD,), NEW)
    return RetireThumbprint(named(OLD, NEW), edits or (edit,), WEST)


def restored(*edits: SettingEdit) -> Planner:
    """Return a planner that makes the given edits in the settings of an app that failed its probe."""
    return always(RestoreAppSettings(FAILED_APP.fleet.settings[0], edits, WEST))


def skip(detail: str) -> Skip:
    """Return a `Skip` (a change that Certroll refuses to make) with the given explanation."""
    return Skip("app settings of rg-web/shop", Reason.NOT_LIVE, detail)


SYNC = SyncCertificate(copy(), PLANS[0], version())
REMOVED = SettingEdit(LOAD_LIST, None, (OLD,), FOREIGN)
STRANGER_OUT = SettingEdit(LOAD_LIST, NEW, (FOREIGN,), OLD)
REPLACED = SettingEdit(LOAD_LIST, NEW, (OLD,), OLD)
STALE_APP = snapshot(settings=(named(OLD, FOREIGN),), copies=(RENEWED, copy("kept", OLD, source=None)), rollout=OPEN)
PIN_BACK = SettingEdit("CLIENT_PIN", OLDER, (NEW,), NEW)
OUT_OF_PLACE = SettingEdit(LOAD_LIST, OLDER, (), OLD)
FAILED_APP = snapshot(
    settings=(named(OLD, FOREIGN, pins={"CLIENT_PIN": NEW}),),
    copies=(RENEWED, copy("kept", OLDER, source=None)),
    rollout=rollout(rolls=(roll(RollState.FAILED, edits=(SettingEdit("CLIENT_PIN", NEW, (OLDER,), OLDER),)),)),
)
"""An app whose setting names a version that the vault no longer knows, so that only the journal has the version."""
ENDED_BESIDE = snapshot(
    lineage=lineage(version(), old_version(), old_version("v0", OLDER, not_after=NOW)),
    settings=(named(OLDER, OLD),),
    copies=(copy(), copy("new", NEW, source=None), copy("ended", OLDER, source=None)),
    plans=(),
    rollout=OPEN,
)
"""An app that lists an expired upload and a version that exists only as a certificate without an App Service plan.

The upload may leave the list of the app.
"""
ADDED_THEIRS = snapshot(
    settings=(named(OLD, NEW),),
    copies=(copy("kept", OLD, source=None), THEIRS),
    rollout=rollout(rolls=(roll(RollState.FAILED, edits=(SettingEdit(LOAD_LIST, NEW, (), OLD),)),)),
)
"""A failed app to whose list Certroll added a version that another vault certificate has too."""
BOTH_LISTED = snapshot(settings=(named(OLD, NEW),), copies=(RENEWED,), rollout=OPEN)
TWO_APPS = replace(
    STALE_APP,
    fleet=replace(
        STALE_APP.fleet,
        sites=(site(), site("shop", "staging")),
        settings=(named(OLD, FOREIGN), named(OLD, FOREIGN, slot="staging")),
    ),
)
EARLY_UPLOAD = replace(copy("by-hand", NEW, source=None), created=EARLY)
CHAINED = snapshot(sites=(site(environment=ASE),), copies=(EARLY_UPLOAD,), rollout=OPEN)
AGAIN_ASKED = replace(CHAINED, lineage=lineage(tags=AGAIN))
REBIND_ASKED = snapshot(
    lineage=lineage(tags=AGAIN),
    bindings=(binding(thumbprint=NEW),),
    copies=(RENEWED,),
    rollout=rollout(replace(record(SiteState.PROVEN), rebind=Rebind.ASKED)),
)
"""A site without an environment. Its binding shows the current version, and the journal asks for a rebind."""
REBOUND = bound(was=binding(thumbprint=NEW), rebind=True)
UPLOADED_AGAIN = UploadAgain(REF, version(), copy("certroll-again", NEW, source=None), PLANS[0], whole_chain=True)


def with_sites(world: Snapshot, **differences: object) -> Snapshot:
    """Return the snapshot with the given fields changed in every site."""
    sites = tuple(replace(found, **differences) for found in world.fleet.sites)  # type: ignore[arg-type]
    return replace(world, fleet=replace(world.fleet, sites=sites))


def with_rolls(world: Snapshot, state: RollState, **differences: object) -> Snapshot:
    """Return the snapshot with a record of a settings update of the app `shop`."""
    return replace(world, rollout=rollout(record(SiteState.PROVEN), rolls=(roll(state, **differences),)))  # type: ignore[arg-type]


def with_copies(world: Snapshot, *others: object) -> Snapshot:
    """Return the snapshot with more certificates in App Service."""
    return replace(world, fleet=replace(world.fleet, certificates=(*world.fleet.certificates, *others)))  # type: ignore[arg-type]


def with_spot(world: Snapshot) -> Snapshot:
    """Return the snapshot with a blind spot (a resource that Certroll could not read)."""
    return replace(world, fleet=replace(world.fleet, blind_spots=(blind_spot(WEST),)))


def of_bindings(world: Snapshot, _: Intent) -> Plan:
    """Return a plan in the order in which Azure lists TLS bindings."""
    return Plan(tuple(Step(bound(was=found), Reason.STALE_THUMBPRINT) for found in world.fleet.bindings))


def silent(_: Snapshot, intent: Intent) -> Plan:
    """Return a plan without steps and without reasons in observe mode."""
    return Plan((Step(bound(), Reason.STALE_THUMBPRINT),)) if intent.mode is Mode.APPLY else Plan()


def more_when_asked(world: Snapshot, _: Intent) -> Plan:
    """Return a plan that binds another certificate if a tag asks for a rebind."""
    return Plan((Step(bound(NEWER, rebind=True), Reason.STALE_THUMBPRINT),)) if world.lineage.tags else Plan()


def breaks(promise: Promise[Case], world: Snapshot, doctored: Planner | Action, intent: Intent = APPLY) -> Broken[Case]:
    """Return the case with the product's plan, and the same case with the plan of a faulty planner or action."""
    bad: Planner = doctored if isinstance(doctored, Callable) else always(doctored)  # type: ignore[assignment,arg-type]
    good = Case(world, intent, seed=1)
    return Broken(promise, good, replace(good, plans=bad))


NOTHING = always()
BROKEN = (
    breaks(plans.second_plan_is_empty, STALE_APP, rolled()),
    breaks(plans.second_plan_is_empty, ORDINARY, bound()),
    breaks(plans.everything_stale_is_renewed, ORDINARY, NOTHING),
    breaks(plans.everything_stale_is_renewed, ORDINARY, SYNC),
    breaks(plans.no_host_name_is_unbound_or_moved, ORDINARY, Unbind(binding(), NEW, WEST)),
    breaks(plans.only_stale_bindings_are_overwritten, ORDINARY, bound(NEWER)),
    breaks(
        plans.only_stale_bindings_are_overwritten,
        snapshot(bindings=(binding(thumbprint=FOREIGN),)),
        bound(was=binding(thumbprint=FOREIGN)),
    ),
    breaks(plans.no_binding_is_taken_from_another, with_copies(ORDINARY, copy("theirs", source=OTHER_REF)), bound()),
    breaks(plans.nothing_is_written_that_is_not_live, ORDINARY, bound()),
    breaks(plans.nothing_is_written_that_is_not_live, snapshot(settings=(named(OLD, FOREIGN),)), rolled()),
    breaks(plans.input_order_means_nothing, two_webspaces(OPEN), of_bindings),
    breaks(plans.nothing_opted_out_or_uncovered_is_touched, with_sites(ORDINARY, tags=OFF), bound()),
    breaks(
        plans.nothing_opted_out_or_uncovered_is_touched,
        snapshot(bindings=(binding("www.fabrikam.com"),)),
        bound(was=binding("www.fabrikam.com")),
    ),
    breaks(plans.opted_out_vault_certificate_is_left_alone, ORDINARY, bound()),
    breaks(plans.site_with_silos_is_left_alone, ORDINARY, bound()),
    breaks(plans.observing_writes_nothing, ORDINARY, bound()),
    breaks(plans.observing_writes_nothing, ORDINARY, silent),
    breaks(plans.pilot_writes_only_what_is_tagged, ORDINARY, bound()),
    breaks(plans.nothing_is_told_of_what_is_not_there, ORDINARY, DeleteCertificate(copy("coming", source=None), ())),
    breaks(plans.failure_of_a_site_holds_the_version, snapshot(rollout=rollout(record(SiteState.FAILED))), bound()),
    breaks(plans.failure_of_an_app_holds_the_version, with_rolls(ORDINARY, RollState.FAILED), bound()),
    breaks(
        plans.new_version_goes_to_one_webspace,
        two_webspaces(),
        always(bound(), bound(was=binding(site="north-1"), webspace=NORTH)),
    ),
    breaks(
        plans.nothing_leaves_the_first_webspace_early,
        two_webspaces(rollout(record(SiteState.PENDING, at=NOW))),
        bound(was=binding(site="north-1"), webspace=NORTH),
    ),
    breaks(
        plans.refused_newest_version_is_synced_nowhere,
        snapshot(lineage=lineage(current=1, refusal=REFUSED)),
        SYNC,
    ),
    breaks(
        plans.refused_newest_version_is_synced_nowhere,
        snapshot(lineage=lineage(current=1, refusal=REFUSED)),
        NOTHING,
    ),
    breaks(plans.nothing_is_synced_beside_a_blind_spot, with_spot(ORDINARY), SYNC),
    breaks(plans.nothing_is_skipped_silently, ORDINARY, SYNC),
    breaks(plans.nothing_is_skipped_silently, ORDINARY, always(SYNC, bound(), bound())),
    breaks(plans.nothing_is_skipped_silently, REBIND_ASKED, NOTHING),
    breaks(plans.nothing_is_skipped_silently, with_sites(REBIND_ASKED, webspace=None), REBOUND),
    breaks(plans.nothing_is_skipped_silently, with_copies(REBIND_ASKED, THEIRS), REBOUND),
    breaks(plans.binding_again_changes_nothing_that_is_shown, AGAIN_ASKED, more_when_asked),
    breaks(plans.binding_again_changes_nothing_that_is_shown, CHAINED, always(bound(), bound())),
    breaks(plans.nothing_is_uploaded_again_unasked, CHAINED, UPLOADED_AGAIN),
    breaks(plans.nothing_is_uploaded_again_unasked, with_sites(AGAIN_ASKED, environment=None), UPLOADED_AGAIN),
    breaks(plans.nothing_is_uploaded_again_unasked, CHAINED, bound(rebind=True)),
    breaks(plans.no_early_upload_is_passed_over, CHAINED, NOTHING),
    breaks(settings.no_app_is_forgotten, STALE_APP, NOTHING),
    breaks(settings.no_app_is_restarted_twice, STALE_APP, always(rolled(), rolled())),
    breaks(settings.what_belongs_to_others_stays_in_its_place, STALE_APP, rolled(STRANGER_OUT)),
    breaks(settings.what_belongs_to_others_stays_in_its_place, FAILED_APP, restored(PIN_BACK, STRANGER_OUT)),
    breaks(settings.what_belongs_to_others_stays_in_its_place, FAILED_APP, restored(replace(PIN_BACK, add=FOREIGN))),
    breaks(settings.what_belongs_to_others_stays_in_its_place, FAILED_APP, restored(replace(OUT_OF_PLACE, add=OLDER))),
    breaks(settings.what_belongs_to_others_stays_in_its_place, FAILED_APP, rolled(replace(OUT_OF_PLACE, add=OLDER))),
    breaks(settings.only_superseded_thumbprints_leave, STALE_APP, rolled(STRANGER_OUT)),
    breaks(settings.only_superseded_thumbprints_leave, STALE_APP, rolled(replace(REPLACED, add=NEWER))),
    breaks(settings.only_superseded_thumbprints_leave, STALE_APP, rolled(REMOVED)),
    breaks(settings.a_live_old_version_stays_listed, STALE_APP, rolled(REPLACED)),
    breaks(
        settings.a_live_old_version_stays_listed,
        ENDED_BESIDE,
        RollAppSettings(ENDED_BESIDE.fleet.settings[0], (SettingEdit(LOAD_LIST, NEW, (OLDER, OLD), OLD),), WEST),
    ),
    breaks(
        settings.what_a_roll_replaces_is_there_to_go_back_to,
        snapshot(settings=(named(OLD, FOREIGN),), copies=(RENEWED,), rollout=OPEN),
        rolled(REPLACED),
    ),
    breaks(settings.an_app_that_opted_out_keeps_its_settings, with_sites(STALE_APP, tags=OFF), rolled()),
    breaks(settings.an_app_that_opted_out_keeps_its_settings, STALE_APP, rolled(), replace(APPLY, own_site="shop")),
    breaks(
        settings.no_setting_is_taken_from_another,
        with_copies(STALE_APP, copy("theirs", source=OTHER_REF)),
        rolled(REPLACED),
    ),
    breaks(settings.no_setting_is_taken_from_another, ADDED_THEIRS, retired(SettingEdit(LOAD_LIST, None, (NEW,), OLD))),
    breaks(
        settings.no_setting_is_taken_from_another,
        with_copies(with_rolls(BOTH_LISTED, RollState.FAILED), THEIRS),
        RestoreAppSettings(BOTH_LISTED.fleet.settings[0], (SettingEdit(LOAD_LIST, OLD, (NEW,), NEW),), WEST),
    ),
    breaks(settings.nothing_is_retired_unproven_or_unseen, with_rolls(BOTH_LISTED, RollState.UNPROVEN), retired()),
    breaks(
        settings.nothing_is_retired_unproven_or_unseen,
        with_spot(with_rolls(BOTH_LISTED, RollState.VALIDATED)),
        retired(),
    ),
    breaks(
        settings.nothing_is_retired_unproven_or_unseen,
        with_rolls(BOTH_LISTED, RollState.VALIDATED),
        retired(SettingEdit(LOAD_LIST, None, (NEW,), OLD)),
    ),
    breaks(settings.one_app_goes_first, TWO_APPS, always(rolled(), rolled(slot="staging"))),
    breaks(
        settings.no_app_goes_while_the_first_has_not_answered,
        with_rolls(TWO_APPS, RollState.OVERLAPPING, slot="staging"),
        rolled(),
    ),
    breaks(
        settings.slots_go_before_their_production_site,
        TWO_APPS,
        always(rolled(), rolled(slot="staging")),
    ),
    breaks(settings.a_roll_that_is_taken_back_leaves_no_trace, STALE_APP, rolled()),
    breaks(settings.no_value_that_is_no_thumbprint_is_told, STALE_APP, always(skips=(skip(SECRET),))),
    breaks(settings.no_value_that_is_no_thumbprint_is_told, STALE_APP, rolled(SettingEdit("KEY", NEW, (SECRET,), OLD))),
)


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_each_promise_can_fail(broken: Broken[Case]) -> None:
    """The check of a promise fails for a planner that breaks the promise, and passes for Certroll's planner."""
    broken.is_noticed()


def test_no_promise_is_left_out() -> None:
    """For each promise about plans a test has a planner that breaks the promise."""
    assert {broken.promise for broken in BROKEN} == {*ALL, plans.everything_stale_is_renewed}
