"""Check promises about every plan of changes to app settings: the values, the order and the restoring."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from shared.domain.certificates.urgency import URGENT
from shared.domain.fleet.app_settings import LOAD_LIST, ReferenceKind, SiteSettings, is_list
from shared.domain.names import SiteRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import SiteState
from shared.domain.snapshot.liveness import live_at
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.plan import Plan
from tests.build import NOW, REF
from tests.properties.fleets import SECRET, family, lags, live, opted_out, superseded
from tests.properties.plan_promises import protects, told_less
from tests.properties.promises import Case, Promise, restarted


def turns(plan: Plan) -> set[SiteRef | None]:
    """Return the apps that the plan restarts, without restarts that restore an app's old settings."""
    return {step.action.site for step in plan.steps if step.action.restarts_site and not protects(step)}


def rolls(case: Case) -> Iterator[tuple[Snapshot, RollAppSettings, SiteSettings]]:
    """Yield each settings update of the plan, with the snapshot before it and the app's settings after it."""
    for number, step in enumerate(case.plan.steps):
        if isinstance(step.action, RollAppSettings):
            after = case.on_the_way[number + 1].settings_of(step.action.settings.site)
            assert after is not None
            yield case.on_the_way[number], step.action, after


def pairs(case: Case) -> Iterable[tuple[SiteSettings, SiteSettings]]:
    """Return the app settings of each app before and after Certroll performs the plan."""
    return zip(case.world.fleet.settings, case.after.fleet.settings, strict=True)


def no_app_is_forgotten(case: Case) -> None:
    """Certroll's plan has a step or a reason for every app whose settings name an old version without the new one.

    The check excludes an app that Certroll may update already and that names more old thumbprints than the journal's
    record of the app. The check also excludes a failed app, because Certroll reports the failed app in another run.
    """
    told = {step.action.site for step in case.plan.steps} | {skip.site for skip in case.plan.skips}
    told |= {roll.site for roll in case.world.rollout.rolls if roll.state in {RollState.FAILED, RollState.RESTORED}}
    for settings in case.world.fleet.settings:
        assert not lags(case.world, settings) or settings.site in told or told_less(case.world, settings)


def no_app_is_restarted_twice(case: Case) -> None:
    """Certroll's plan restarts an app at most once, even if several of the app's settings need a change."""
    assert len(restarted(case.plan)) == len(set(restarted(case.plan)))


def strangers(world: Snapshot, settings: SiteSettings) -> list[tuple[str, ReferenceKind, Thumbprint]]:
    """Return the certificates in an app's settings that are no versions of the vault certificate, in order."""
    ours = family(world, settings.site)
    return [(found.key, found.kind, found.thumbprint) for found in settings.references if found.thumbprint not in ours]


def put_back(case: Case, site: SiteRef) -> set[tuple[str, Thumbprint | None]]:
    """Return the thumbprints, known from the journal, that a plan may restore in each setting of a failed app."""
    actions = [step.action for step in case.plan.steps if step.action.site == site]
    edits = [edit for action in actions if isinstance(action, RestoreAppSettings) for edit in action.edits]
    roll = case.world.rollout.roll_of(site)
    if roll is None or not edits:
        return set()
    loaded = {(LOAD_LIST, edit.add) for edit in edits if not is_list(edit.key)}
    return loaded | {
        (edit.key, gone) for edit in roll.edits for gone in (edit.remove if edit.add is None else (edit.next_to,))
    }


def what_belongs_to_others_stays_in_its_place(case: Case) -> None:
    """Certroll's plan keeps thumbprints of other certificates in app settings, in an unchanged order.

    When Certroll restores an app's old settings, any thumbprint that the failed update removed may return, even if the
    vault no longer knows it.
    """
    for was, now in pairs(case):
        theirs, ours = strangers(case.world, was), put_back(case, was.site)
        assert theirs == [
            entry for entry in strangers(case.world, now) if entry in theirs or (entry[0], entry[2]) not in ours
        ]
        assert was.loads_everything == now.loads_everything


def only_superseded_thumbprints_leave(case: Case) -> None:
    """A settings update removes only superseded thumbprints, and adds only the current thumbprint."""
    current = case.world.lineage.current
    for _, roll, after in rolls(case):
        assert current is not None
        assert roll.settings.named - after.named <= superseded(case.world, roll.settings)
        assert after.named - roll.settings.named <= {current.thumbprint}
        assert current.thumbprint in after.named


def staying(world: Snapshot, ref: SiteRef) -> set[Thumbprint | None]:
    """Return the thumbprints of the uploads in a site's webspace, which no sync by App Service replaces."""
    where = {site.webspace for site in world.fleet.sites if site.ref == ref}
    return {copy.thumbprint for copy in world.fleet.certificates if copy.source is None and copy.webspace in where}


def ended(world: Snapshot) -> set[Thumbprint]:
    """Return the thumbprints of the vault certificate's versions that have expired."""
    return {version.thumbprint for version in world.lineage.versions if version.not_after <= NOW}


def a_live_old_version_stays_listed(case: Case) -> None:
    """A settings update keeps an old upload in WEBSITE_LOAD_CERTIFICATES, by preference a proven version.

    An update may remove every expired upload from WEBSITE_LOAD_CERTIFICATES if another old version that has not expired
    stays listed. An expired certificate would be useless to an app that returns to its old settings.
    """
    for before, roll, after in rolls(case):
        was = roll.settings
        good = superseded(case.world, was) & {*was.load_list} & staying(before, was.site)
        proven = good & case.world.rollout.proven_at(was.site)
        others = superseded(case.world, after) & {*after.load_list} & live_at(before, was.site)
        replaced = good <= ended(case.world) and others
        assert not good or replaced or (proven or good) & {*after.load_list}


def what_a_roll_replaces_is_there_to_go_back_to(case: Case) -> None:
    """Certroll updates settings for an imported certificate only if the old versions to go back to are live."""
    world = case.world
    imported = {copy.webspace for copy in world.fleet.certificates if copy.source == REF}
    possible = imported & {plan.webspace for plan in world.fleet.plans}
    able = {version.thumbprint for version in world.lineage.versions} - ended(world)
    for before, roll, _ in rolls(case):
        if roll.webspace in possible:
            was = roll.settings
            proven, named = world.rollout.proven_at(was.site), superseded(world, was)
            best = min(world.lineage.versions, key=lambda v: (v.thumbprint not in named, v.thumbprint not in proven))
            pinned = {pin.thumbprint for pin in was.pins} & named
            replaced = {thumbprint for edit in roll.edits for thumbprint in (*edit.remove, edit.next_to)}
            for thumbprint in replaced & able & {best.thumbprint, *pinned}:
                assert live(before, thumbprint, was.site)


def an_app_that_opted_out_keeps_its_settings(case: Case) -> None:
    """Certroll's plan neither changes nor restarts an opted-out app, and neither Certroll's own site nor its slots."""
    for was, now in pairs(case):
        if opted_out(case.world, was.site) or (was.site.name == case.intent.own_site):
            assert was == now
            assert was.site not in restarted(case.plan)


def own_additions(case: Case, site: SiteRef) -> set[tuple[str, Thumbprint | None]]:
    """Return the thumbprints that Certroll added to each setting of a failed app, and that a plan may remove again."""
    restored = {step.action.site for step in case.plan.steps if isinstance(step.action, RestoreAppSettings)}
    roll = case.world.rollout.roll_of(site)
    return {(edit.key, edit.add) for edit in roll.edits} if roll is not None and site in restored else set()


def no_setting_is_taken_from_another(case: Case) -> None:
    """Certroll removes no thumbprint from app settings if the thumbprint also belongs to another vault certificate.

    When Certroll restores an app's old settings, Certroll may remove a thumbprint that the failed update itself added.
    """
    for was, now in pairs(case):
        places = {site.webspace for site in case.world.fleet.sites if site.ref == was.site}
        copies = [copy for copy in case.world.fleet.certificates if copy.webspace in places]
        theirs = {copy.thumbprint for copy in copies if copy.source not in {REF, None}}
        ours = own_additions(case, was.site)
        stays = [r for r in was.references if r.thumbprint in theirs and (r.key, r.thumbprint) not in ours]
        assert stays == [found for found in now.references if found in stays]


def nothing_is_retired_unproven_or_unseen(case: Case) -> None:
    """Certroll removes an old version from a list only if the webspace is readable and the app uses the new version."""
    world, current = case.world, case.world.lineage.current
    hidden = {spot.webspace for spot in world.fleet.blind_spots}
    for action in (step.action for step in case.plan.steps):
        if isinstance(action, RetireThumbprint):
            record = world.rollout.roll_of(action.settings.site)
            assert record is not None
            assert record.state is RollState.VALIDATED or (record.state is RollState.STALE and record.retiring)
            assert not hidden & {None, action.webspace}
            after = action.project(world).settings_of(record.site)
            assert after is not None
            assert not superseded(world, after) - superseded(world, action.settings)
            assert current is not None
            assert current.thumbprint in after.load_list


def one_app_goes_first(case: Case) -> None:
    """Certroll's plan changes the settings of at most one app before the journal has a record of any app."""
    assert case.world.rollout.rolls or len(turns(case.plan)) <= 1


def no_app_goes_while_the_first_has_not_answered(case: Case) -> None:
    """Certroll's plan changes no other app while the first app's answer is pending and its waiting time runs.

    The check excludes snapshots in which a version is near its end.
    """
    world, soak = case.world, case.intent.stage_soak
    young = [r for r in world.rollout.rolls if r.state is RollState.OVERLAPPING and NOW - r.at < soak]
    others = [r for r in world.rollout.rolls if r not in young and r.state is not RollState.DEFERRED]
    ending = min((v.not_after for v in world.lineage.versions if v.not_after > NOW - URGENT), default=NOW + 2 * URGENT)
    if young and not others and ending - NOW >= URGENT:
        assert not turns(case.plan)


def slots_go_before_their_production_site(case: Case) -> None:
    """Certroll does not update a production site together with its outdated running slot, or while the slot waits.

    The test checks that slots are updated first only if every recorded app works with the new version. An app whose
    update has already been allowed need not wait for its slot. No site waits for the update of a broken slot.
    """
    world, going = case.world, turns(case.plan)
    if not case.intent.slots_first or any(roll.state is not RollState.VALIDATED for roll in world.rollout.rolls):
        return
    waiting = {skip.site for skip in case.plan.skips if skip.reason is Reason.AWAITING_FIRST_SITE}
    behind = {settings.site for settings in world.fleet.settings if lags(world, settings)}
    slots = behind & {site.ref for site in world.fleet.sites if site.running and site.ref.slot is not None}
    assert not {slot.production for slot in slots & {*going, *waiting}} & going


def a_roll_that_is_taken_back_leaves_no_trace(case: Case) -> None:
    """A failed app gets its last good version back in every setting, and names no new thumbprint."""
    first, records = case.world.rollout.first, case.world.rollout.records
    proven = any(record.webspace == first and record.state is SiteState.PROVEN for record in records)
    if case.world.rollout.rolls or not proven:
        return
    after = case.carried_out
    for _, roll, _ in rolls(case):
        if all(live(after, edit.next_to, roll.settings.site) for edit in roll.edits):
            is_as_it_was(case, roll, taken_back(case, roll))


def taken_back(case: Case, roll: RollAppSettings) -> SiteSettings:
    """Return the app's settings after the new version failed and Certroll restored the old settings."""
    after = case.carried_out
    version = case.world.rollout.version
    record = RollRecord(roll.settings.site, version, roll.webspace, RollState.FAILED, NOW, edits=roll.edits)
    failed = replace(after, rollout=replace(after.rollout, rolls=(record,)))
    back = replace(case, world=failed).after.settings_of(roll.settings.site)
    assert back is not None
    return back


def is_as_it_was(case: Case, roll: RollAppSettings, back: SiteSettings) -> None:
    """Raise AssertionError if restored settings name a new thumbprint or lost a thumbprint that works."""
    was, good = roll.settings, {edit.next_to for edit in roll.edits}
    assert back.named <= was.named
    for (key, before), (same_key, now) in zip(named_by_key(was), named_by_key(back), strict=True):
        assert key == same_key
        assert before - now <= superseded(case.world, was) - good
        assert now - before <= (good if key != LOAD_LIST else was.named)
    assert not loads_its_pins(was) or loads_its_pins(back)


def named_by_key(settings: SiteSettings) -> list[tuple[str, set[Thumbprint]]]:
    """Return the thumbprints that each setting of an app names."""
    keys = sorted({found.key for found in settings.references})
    return [(key, {found.thumbprint for found in settings.references if found.key == key}) for key in keys]


def loads_its_pins(settings: SiteSettings) -> bool:
    """Return True if the app loads each certificate that another setting of the app names by its thumbprint."""
    pinned = {pin.thumbprint for pin in settings.pins} - {SECRET}
    return settings.loads_everything or pinned <= set(settings.load_list)


def no_value_that_is_no_thumbprint_is_told(case: Case) -> None:
    """No text of a plan or record shows a setting's value that is no thumbprint, because it may be a password."""
    texts = (repr(case.plan), *map(str, case.plan.steps), *map(str, case.plan.skips), repr(case.told))
    assert not [text for text in texts if SECRET in text.upper()]
    changes = [step.action for step in case.plan.steps if isinstance(step.action, SettingsChange)]
    assert not [edit for change in changes for edit in change.edits if SECRET in {edit.add, *edit.remove, edit.next_to}]


SETTING_PROMISES: tuple[Promise[Case], ...] = (
    no_app_is_forgotten,
    no_app_is_restarted_twice,
    what_belongs_to_others_stays_in_its_place,
    only_superseded_thumbprints_leave,
    a_live_old_version_stays_listed,
    what_a_roll_replaces_is_there_to_go_back_to,
    an_app_that_opted_out_keeps_its_settings,
    no_setting_is_taken_from_another,
    nothing_is_retired_unproven_or_unseen,
    one_app_goes_first,
    no_app_goes_while_the_first_has_not_answered,
    slots_go_before_their_production_site,
    a_roll_that_is_taken_back_leaves_no_trace,
    no_value_that_is_no_thumbprint_is_told,
)
