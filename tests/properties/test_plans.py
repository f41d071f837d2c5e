"""What holds of every plan, whatever the world looks like."""

from dataclasses import replace
from random import Random
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from shared import planner
from shared.actions.keep_superseded import KeepSuperseded
from shared.actions.restore_app_settings import RestoreAppSettings
from shared.actions.retire_thumbprint import RetireThumbprint
from shared.actions.roll_app_settings import RollAppSettings
from shared.actions.settings_change import SettingsChange
from shared.actions.sync_certificate import SyncCertificate
from shared.actions.update_binding import UpdateBinding
from shared.actions.upload_again import UploadAgain
from shared.dispatch import roll_records
from shared.domain.app_settings import LOAD_LIST, ReferenceKind, SiteSettings
from shared.domain.lineage import newest_first
from shared.domain.model import OWN_PREFIX, Binding
from shared.domain.names import SiteRef, Thumbprint, Webspace, covers
from shared.domain.plan import Intent, Plan, Step
from shared.domain.reason import Reason
from shared.domain.roll import HOLDING, RollRecord, RollState
from shared.domain.rollout import URGENT
from shared.domain.snapshot import Snapshot
from tests.build import AGAIN, APPLY, EARLY, NOW, OFF, REF
from tests.properties.fleets import (
    SECRET,
    all_settings,
    any_rolls,
    chained_worlds,
    closed,
    contested_worlds,
    failed,
    family,
    fresh,
    intents,
    lags,
    live,
    no_rolls,
    old,
    opened,
    opted_out,
    overlapping_settings,
    rolls_in,
    sources,
    stale_settings,
    started,
    superseded,
    with_slots,
    worlds,
)

Item = TypeVar("Item")


def shown(world: Snapshot, ref: SiteRef) -> set[tuple[object, Thumbprint | None]]:
    """Return every place of a site that names a thumbprint, with that."""
    bound = {(one.host_name, one.thumbprint) for one in world.fleet.bindings if one.site == ref}
    return bound | {(one.key, one.thumbprint) for s in world.fleet.settings if s.site == ref for one in s.references}


def kept(binding: Binding) -> tuple[object, ...]:
    """Return what no plan may change of a binding."""
    return binding.site, binding.host_name, binding.ssl_state, binding.virtual_ip, binding.thumbprint is None


def apps(plan: Plan) -> list[SiteRef | None]:
    """Return the apps that the steps of a plan restart, each as often as it is restarted."""
    return [step.action.site for step in plan.steps if step.action.restarts_site]


def rolls(plan: Plan) -> set[SiteRef | None]:
    """Return the apps that wait for their turn before anything of them is changed."""
    return {one.action.site for one in plan.steps if one.action.restarts_site and not protects(one)}


def protects(step: Step) -> bool:
    """Say whether a step keeps or brings back what worked."""
    return isinstance(step.action, KeepSuperseded | RestoreAppSettings)


def told_of(world: Snapshot, plan: Plan, intent: Intent) -> tuple[RollRecord, ...]:
    """Return the records by which apps are told to go, when somebody looks afresh."""
    return roll_records(world, plan, intent, fresh=True)


def carried_out(world: Snapshot, intent: Intent) -> tuple[Plan, Snapshot]:
    """Return the plan, and the world after it, in which each app that it changed has yet to answer."""
    plan = planner.plan(world, intent)
    told = {roll.site: roll for roll in told_of(world, plan, intent)}
    records = {roll.site: roll for roll in world.rollout.rolls} | told
    after = {roll.site: changed(roll) if roll.site in apps(plan) else roll for roll in records.values()}
    seen = planner.project(plan, world)
    return plan, replace(seen, rollout=replace(seen.rollout, rolls=tuple(after.values())))


def changed(roll: RollRecord) -> RollRecord:
    """Return the record after the write."""
    state = RollState.ROLLED_BACK if roll.state is RollState.FAILED else RollState.OVERLAPPING
    return replace(roll, state=state, at=NOW)


def nothing_again(world: Snapshot, intent: Intent) -> None:
    """Check that a second plan leaves alone what the first one did, and has nothing else to do either.

    Without a soak what comes next need not wait for the answers of those before, and goes in the second plan. What an
    app names since it was told to go comes in a plan of its own, too, and so does what waited for an app that is fought
    over: from there no answer will come. What apps name only now may have to be kept, as the newest version is refused.
    """
    first, after = carried_out(world, intent)
    second = planner.plan(after, intent)
    behind = {one.site for one in world.fleet.settings if told_less(world, one)}
    again = set(apps(second)) - behind
    kept = behind or world.lineage.refusal is not None
    assert not set(apps(first)) & again
    fought = {r.site for r in after.rollout.rolls if r.state is RollState.FOUGHT_OVER} - set(apps(first))
    if intent.stage_soak and not fought:
        assert not again
        assert all(step.action.restarts_site for step in second.steps if not (kept and protects(step)))


def told_less(world: Snapshot, settings: SiteSettings) -> bool:
    """Say whether an app that was told to go names more that is superseded than it was told of."""
    roll = world.rollout.roll_of(settings.site)
    return roll is not None and roll.state is RollState.STALE and not superseded(world, settings) <= {*roll.replaces}


@given(worlds(opened), intents)
def test_second_plan_is_empty(world: Snapshot, intent: Intent) -> None:
    """What a plan leaves behind needs no second plan, until the apps that it changed have answered."""
    nothing_again(world, intent)


@given(worlds(started), intents)
def test_second_plan_is_empty_while_stages_are_open_or_not(world: Snapshot, intent: Intent) -> None:
    """Once the first place is chosen, one plan holds the whole way that is open, however far it is open."""
    nothing_again(world, intent)


@given(worlds(opened, st.just(frozenset()), no_rolls))
def test_everything_stale_is_renewed_where_nothing_is_in_the_way(world: Snapshot) -> None:
    """Where nothing is in the way, every copy and every stale binding has the current version afterwards."""
    current = world.lineage.versions[0].thumbprint
    after = planner.project(planner.plan(world, APPLY), world).fleet
    assert {copy.thumbprint for copy in after.certificates if copy.source == REF} == {current}
    for was, now in zip(world.fleet.bindings, after.bindings, strict=True):
        assert now == (replace(was, thumbprint=current) if old(world, was) else was)


@given(worlds(), intents)
def test_no_plan_unbinds_or_moves_a_host_name(world: Snapshot, intent: Intent) -> None:
    """After any plan every host name is bound as before: same site, same ssl_state, same address."""
    after = planner.project(planner.plan(world, intent), world)
    assert list(map(kept, after.fleet.bindings)) == list(map(kept, world.fleet.bindings))


@given(worlds(), intents)
def test_only_stale_bindings_are_overwritten(world: Snapshot, intent: Intent) -> None:
    """A binding is overwritten only where it shows an older version, and only with the current one."""
    current = world.lineage.current
    after = planner.project(planner.plan(world, intent), world)
    for was, now in zip(world.fleet.bindings, after.fleet.bindings, strict=True):
        if was != now:
            assert old(world, was)
            assert current is not None
            assert now.thumbprint == current.thumbprint


@given(contested_worlds(), intents)
def test_no_binding_is_taken_from_another_vault_certificate(world: Snapshot, intent: Intent) -> None:
    """A binding whose certificate is also in a copy of another vault certificate is never overwritten."""
    for step in planner.plan(world, intent).steps:
        if isinstance(step.action, UpdateBinding):
            assert sources(world, step.action.binding) <= {REF, None}


@given(worlds(), intents)
def test_no_step_writes_what_is_not_live(world: Snapshot, intent: Intent) -> None:
    """When its turn comes, each thumbprint that a binding or a setting gets is a certificate of that very webspace."""
    seen = world
    for step in planner.plan(world, intent).steps:
        after = step.action.project(seen)
        if step.action.site is not None:
            for _, thumbprint in shown(after, step.action.site) - shown(seen, step.action.site):
                assert live(seen, thumbprint, step.action.site)
        seen = after


@given(worlds(rolls=any_rolls), intents, st.randoms(use_true_random=True))
def test_plan_does_not_depend_on_input_order(world: Snapshot, intent: Intent, shuffle: Random) -> None:
    """However Azure and Key Vault list things, the plan is the same, its order included."""
    fleet, lineage = world.fleet, world.lineage

    def mixed(items: tuple[Item, ...]) -> tuple[Item, ...]:
        return tuple(shuffle.sample(items, len(items)))

    other = Snapshot(
        replace(lineage, versions=newest_first(mixed(lineage.versions), "v0")),
        replace(
            fleet,
            sites=mixed(fleet.sites),
            bindings=mixed(fleet.bindings),
            certificates=mixed(fleet.certificates),
            blind_spots=mixed(fleet.blind_spots),
            settings=mixed(fleet.settings),
        ),
        replace(world.rollout, records=mixed(world.rollout.records), rolls=mixed(world.rollout.rolls)),
    )
    plan = planner.plan(world, intent)
    assert planner.plan(other, intent) == plan
    assert told_of(other, plan, intent) == told_of(world, plan, intent)


@given(worlds(), intents)
def test_what_is_opted_out_or_uncovered_is_not_touched(world: Snapshot, intent: Intent) -> None:
    """No step is on a site that opted out, nor on a host name that the new version does not cover."""
    current = world.lineage.current
    for step in planner.plan(world, intent).steps:
        assert not opted_out(world, step.action.site)
        if isinstance(step.action, UpdateBinding) and current is not None and current.facts is not None:
            assert covers(current.facts.host_names, step.action.binding.host_name)


@given(worlds(), intents)
def test_opted_out_vault_certificate_is_left_alone(world: Snapshot, intent: Intent) -> None:
    """With certroll: off on the vault certificate there is no step at all."""
    off = replace(world, lineage=replace(world.lineage, tags=OFF))
    assert planner.plan(off, intent).steps == ()


@given(worlds())
def test_observing_writes_nothing(world: Snapshot) -> None:
    """In the mode observe there is no step, and each step that there would be is named as one."""
    observed = planner.plan(world, Intent())
    assert observed.steps == ()
    would_be = {skip.subject for skip in observed.skips if skip.reason is Reason.OBSERVE_ONLY}
    assert {step.subject for step in planner.plan(world, APPLY).steps} <= would_be


@given(worlds(failed), intents)
def test_failure_holds_the_version(world: Snapshot, intent: Intent) -> None:
    """While a site was seen to serve another certificate, what works is kept and brought back, and nothing else."""
    assert all(protects(step) for step in planner.plan(world, intent).steps)


@given(worlds(rolls=rolls_in(*HOLDING)), intents)
def test_failure_of_an_app_holds_the_version(world: Snapshot, intent: Intent) -> None:
    """While a roll is recorded as failed or taken back, what works is kept and brought back, and nothing else."""
    held = [roll for roll in world.rollout.rolls if not roll.retiring]
    assert not held or all(protects(step) for step in planner.plan(world, intent).steps)


def carriers(plan: Plan) -> set[object]:
    """Return the webspaces to which a plan brings the version, or on whose bindings it shows it."""
    staged = (step.action for step in plan.steps if isinstance(step.action, SyncCertificate | UpdateBinding))
    return {action.webspace for action in staged}


@given(worlds(fresh), intents)
def test_new_version_goes_to_one_webspace(world: Snapshot, intent: Intent) -> None:
    """Before the first place is recorded, a plan syncs and binds in one webspace at most."""
    assert len(carriers(planner.plan(world, intent))) <= 1


@given(worlds(closed))
def test_nothing_leaves_the_first_webspace_early(world: Snapshot) -> None:
    """While the first webspace's result is outstanding, a plan syncs and binds in that webspace alone."""
    assert carriers(planner.plan(world, APPLY)) <= {world.rollout.first}


@given(worlds(), intents)
def test_refused_newest_version_is_synced_nowhere(world: Snapshot, intent: Intent) -> None:
    """Where the newest version is refused no copy is synced, and each copy of it says why."""
    if world.lineage.refusal is None:
        return
    plan = planner.plan(world, intent)
    assert not [step for step in plan.steps if isinstance(step.action, SyncCertificate)]
    told = [skip for skip in plan.skips if skip.reason in {Reason.NEWEST_REFUSED, Reason.OPTED_OUT} and not skip.site]
    assert len(told) == len([copy for copy in world.fleet.certificates if copy.source == REF])


@given(worlds(), intents)
def test_no_sync_beside_a_blind_spot(world: Snapshot, intent: Intent) -> None:
    """Nothing is synced in a webspace that is not wholly seen, unless the old certificate is about to end."""
    hidden = {spot.webspace for spot in world.fleet.blind_spots if not spot.settings_only}
    for step in planner.plan(world, intent).steps:
        if isinstance(step.action, SyncCertificate):
            ending = step.action.copy.not_after
            urgent = ending is not None and ending - NOW < URGENT
            assert urgent or not hidden & {None, step.action.webspace}


@given(worlds(), intents)
def test_nothing_is_skipped_silently(world: Snapshot, intent: Intent) -> None:
    """Every stale binding, and every copy or upload of an older version, is in the plan once, with a reason."""
    lineage = world.lineage
    if lineage.current is None:
        return
    plan = planner.plan(world, intent)
    told = [step.subject for step in plan.steps] + [skip.subject for skip in plan.skips]
    expected = {f"binding {b.host_name} of {b.site}" for b in world.fleet.bindings if old(world, b)} | {
        f"certificate {c.ref} in {c.webspace}"
        for c in world.fleet.certificates
        if (c.source == REF and (lineage.refusal is not None or c.thumbprint != lineage.current.thumbprint))
        or (c.source is None and lineage.is_stale(c.thumbprint) and not c.ref.name.startswith(OWN_PREFIX))
    }
    found = [one for one in told if one.startswith(("binding", "certificate")) and OWN_PREFIX not in one]
    assert set(found) == expected
    assert len(found) == len(expected)


# ------------------------------------------------------------------------------------------- chains in environments


def unchained(world: Snapshot) -> set[Webspace]:
    """Return the webspaces of environments in which every upload of the current version is early, or may be."""
    current = world.lineage.current
    if current is None or current.facts is None:
        return set()
    inside = {one.webspace for one in world.fleet.sites if one.environment is not None}
    uploads = [c for c in world.fleet.certificates if c.source is None and c.thumbprint == current.thumbprint]
    late = {c.webspace for c in uploads if c.ref.name.startswith(OWN_PREFIX) or (c.created and c.created > EARLY)}
    return ({c.webspace for c in uploads} & inside) - late


@given(chained_worlds(opened) | chained_worlds(started), intents)
def test_second_plan_is_empty_after_what_was_uploaded_again(world: Snapshot, intent: Intent) -> None:
    """What was uploaded and bound again is so once: the second plan has nothing left of it."""
    nothing_again(world, intent)


@given(chained_worlds(), intents)
def test_binding_again_changes_nothing_that_is_shown(world: Snapshot, intent: Intent) -> None:
    """Whatever is bound again, each host name shows what it would show without, as it is bound; and is written once."""
    plan = planner.plan(world, intent)
    unasked = replace(world, lineage=replace(world.lineage, tags=()))
    if world.lineage.tags == AGAIN:
        expected = planner.project(planner.plan(unasked, intent), unasked)
        assert planner.project(plan, world).fleet.bindings == expected.fleet.bindings
    written = [step.subject for step in plan.steps if isinstance(step.action, UpdateBinding)]
    assert len(written) == len(set(written))


@given(chained_worlds(), intents)
def test_nothing_is_uploaded_again_unasked(world: Snapshot, intent: Intent) -> None:
    """A key is sent once more only where the tag asks, and only into environments that lack the chain."""
    for step in planner.plan(world, intent).steps:
        if isinstance(step.action, UploadAgain):
            assert world.lineage.tags == AGAIN
            assert step.action.webspace in unchained(world)
        if isinstance(step.action, UpdateBinding) and step.action.again:
            assert world.lineage.tags == AGAIN


@given(chained_worlds(), intents)
def test_no_early_upload_is_passed_over(world: Snapshot, intent: Intent) -> None:
    """Every webspace whose servers may lack the chain is in the plan, as a step or with a reason."""
    plan = planner.plan(world, intent)
    subjects = [step.subject for step in plan.steps] + [skip.subject for skip in plan.skips]
    for webspace in unchained(world):
        assert [one for one in subjects if one.startswith("certificate") and one.endswith(f" in {webspace}")]


# -------------------------------------------------------------------------------------------------- app settings


@given(worlds(), intents)
def test_no_app_is_forgotten(world: Snapshot, intent: Intent) -> None:
    """Every app that lags behind is in the plan, as a step or with a reason, unless it was told to go before it did."""
    plan = planner.plan(world, intent)
    told = {step.action.site for step in plan.steps} | {skip.site for skip in plan.skips}
    for settings in world.fleet.settings:
        assert not lags(world, settings) or settings.site in told or told_less(world, settings)


@given(worlds(rolls=any_rolls) | worlds(opened, settings=all_settings), intents)
def test_no_app_is_restarted_twice(world: Snapshot, intent: Intent) -> None:
    """However many reasons there are to change an app, a plan restarts it once."""
    restarted = apps(planner.plan(world, intent))
    assert len(restarted) == len(set(restarted))


def strangers(world: Snapshot, settings: SiteSettings) -> list[tuple[str, ReferenceKind, Thumbprint]]:
    """Return what an app names that is no version of the vault certificate, in its order."""
    ours = family(world, settings.site)
    return [(one.key, one.kind, one.thumbprint) for one in settings.references if one.thumbprint not in ours]


@given(worlds(rolls=any_rolls), intents)
def test_what_belongs_to_others_stays_in_its_place(world: Snapshot, intent: Intent) -> None:
    """What an app names beside the vault certificate is never added, removed or put in another order."""
    after = planner.project(planner.plan(world, intent), world)
    for was, now in zip(world.fleet.settings, after.fleet.settings, strict=True):
        assert strangers(world, was) == strangers(world, now)
        assert was.loads_everything == now.loads_everything


@given(worlds(rolls=any_rolls), intents)
def test_only_superseded_thumbprints_leave_settings(world: Snapshot, intent: Intent) -> None:
    """A roll takes out only what is superseded and puts in only the current version."""
    current = world.lineage.current
    for step in planner.plan(world, intent).steps:
        if isinstance(step.action, RollAppSettings):
            was = step.action.settings
            after = step.action.project(world).settings_of(was.site)
            assert after is not None
            assert current is not None
            assert was.named - after.named <= superseded(world, was)
            assert after.named - was.named <= {current.thumbprint}
            assert current.thumbprint in after.named


def staying(world: Snapshot, ref: SiteRef) -> set[Thumbprint | None]:
    """Return what copies hold that no sync replaces, in the webspace of a site."""
    where = {one.webspace for one in world.fleet.sites if one.ref == ref}
    return {one.thumbprint for one in world.fleet.certificates if one.source is None and one.webspace in where}


@given(worlds(), intents)
def test_an_app_goes_on_naming_a_version_that_is_live_beside_the_new_one(world: Snapshot, intent: Intent) -> None:
    """A superseded version that no sync replaces stays listed; a proven one, where there is one."""
    seen = world
    for step in planner.plan(world, intent).steps:
        if isinstance(step.action, RollAppSettings):
            was = step.action.settings
            after = step.action.project(seen).settings_of(was.site)
            assert after is not None
            good = superseded(world, was) & {*was.load_list} & staying(seen, was.site)
            proven = good & world.rollout.proven_at(was.site)
            assert not good or (proven or good) & {*after.load_list}
        seen = step.action.project(seen)


@given(worlds(), intents)
def test_what_a_roll_replaces_is_there_to_go_back_to(world: Snapshot, intent: Intent) -> None:
    """Where the certificate is imported, a roll begins only with its last good version live, and what pins name."""
    imported = {copy.webspace for copy in world.fleet.certificates if copy.source == REF}
    possible = imported & {plan.webspace for plan in world.fleet.plans}
    ended = {version.thumbprint for version in world.lineage.versions if version.not_after <= NOW}
    able = {version.thumbprint for version in world.lineage.versions} - ended
    seen = world
    for step in planner.plan(world, intent).steps:
        if isinstance(step.action, RollAppSettings) and step.action.webspace in possible:
            was = step.action.settings
            proven, named = world.rollout.proven_at(was.site), superseded(world, was)
            best = min(world.lineage.versions, key=lambda v: (v.thumbprint not in named, v.thumbprint not in proven))
            pinned = {pin.thumbprint for pin in was.pins} & named
            replaced = {one for edit in step.action.edits for one in (*edit.remove, edit.beside)}
            for one in replaced & able & {best.thumbprint, *pinned}:
                assert live(seen, one, was.site)
        seen = step.action.project(seen)


@given(worlds(opened, rolls=rolls_in(RollState.VALIDATED), settings=stale_settings, sites=with_slots), intents)
def test_an_app_that_opted_out_keeps_its_settings(world: Snapshot, intent: Intent) -> None:
    """No setting changes of an app that opted out, nor of Certroll's own site and its slots; they do not restart."""
    plan = planner.plan(world, intent)
    after = planner.project(plan, world)
    for was, now in zip(world.fleet.settings, after.fleet.settings, strict=True):
        if opted_out(world, was.site) or (was.site.name == intent.own_site):
            assert was == now
            assert was.site not in apps(plan)


@given(contested_worlds(), intents)
def test_no_setting_is_taken_from_another_vault_certificate(world: Snapshot, intent: Intent) -> None:
    """What a copy of another vault certificate holds, too, stays in the settings of that webspace."""
    after = planner.project(planner.plan(world, intent), world)
    for was, now in zip(world.fleet.settings, after.fleet.settings, strict=True):
        places = {one.webspace for one in world.fleet.sites if one.ref == was.site}
        theirs = {
            copy.thumbprint
            for copy in world.fleet.certificates
            if copy.webspace in places and copy.source not in {REF, None}
        }
        assert [one for one in was.references if one.thumbprint in theirs] == [
            one for one in now.references if one.thumbprint in theirs and one in was.references
        ]


validated = worlds(opened, rolls=rolls_in(RollState.VALIDATED, RollState.UNPROVEN), settings=overlapping_settings)


@given(validated, intents)
def test_nothing_is_retired_unproven_or_unseen(world: Snapshot, intent: Intent) -> None:
    """A version leaves a load list only where its app was seen to use the new one, and all of its webspace is seen."""
    hidden = {spot.webspace for spot in world.fleet.blind_spots}
    for step in planner.plan(world, intent).steps:
        if isinstance(step.action, RetireThumbprint):
            record = world.rollout.roll_of(step.action.settings.site)
            assert record is not None
            assert record.state is RollState.VALIDATED
            assert not hidden & {None, step.action.webspace}
            after = step.action.project(world).settings_of(record.site)
            assert after is not None
            assert not superseded(world, after) - superseded(world, step.action.settings)
            assert world.lineage.current is not None
            assert world.lineage.current.thumbprint in after.load_list


@given(worlds(opened, rolls=no_rolls, settings=stale_settings), intents)
def test_one_app_goes_first(world: Snapshot, intent: Intent) -> None:
    """As long as nothing is recorded of any app, one app at most is changed."""
    assert len(rolls(planner.plan(world, intent))) <= 1


@given(worlds(opened, rolls=rolls_in(RollState.SET_ASIDE, RollState.OVERLAPPING), settings=stale_settings), intents)
def test_no_app_goes_while_the_first_has_not_answered(world: Snapshot, intent: Intent) -> None:
    """While the first app's answer is outstanding and its soak runs, no other app is changed."""
    young = [r for r in world.rollout.rolls if r.state is RollState.OVERLAPPING and NOW - r.at < intent.stage_soak]
    others = [r for r in world.rollout.rolls if r.state is RollState.OVERLAPPING and r not in young]
    ending = min((v.not_after for v in world.lineage.versions if v.not_after > NOW - URGENT), default=NOW + 2 * URGENT)
    if young and not others and ending - NOW >= URGENT:
        assert not rolls(planner.plan(world, intent))


@given(worlds(opened, rolls=rolls_in(RollState.VALIDATED), settings=stale_settings, sites=with_slots), intents)
def test_slots_go_before_their_production_site(world: Snapshot, intent: Intent) -> None:
    """A production site is not changed in one plan with its running slot that lags, nor while that waits its turn."""
    if not intent.slots_first:
        return
    plan = planner.plan(world, intent)
    waiting = {skip.site for skip in plan.skips if skip.reason is Reason.AWAITING_FIRST_SITE}
    behind = {one.site for one in world.fleet.settings if lags(world, one)}
    slots = behind & {site.ref for site in world.fleet.sites if site.running and site.ref.slot is not None}
    assert not {slot.production for slot in slots & {*rolls(plan), *waiting}} & rolls(plan)


@given(worlds(opened, rolls=no_rolls), intents)
def test_a_roll_that_is_taken_back_leaves_no_trace(world: Snapshot, intent: Intent) -> None:
    """Where the app fails, it names its last good version in every place again, and nothing that it did not name."""
    plan, after = carried_out(world, intent)
    for step in plan.steps:
        if not isinstance(step.action, RollAppSettings):
            continue
        was, edits = step.action.settings, step.action.edits
        if not all(live(after, edit.beside, was.site) for edit in edits):
            continue
        record = RollRecord(was.site, "v0", step.action.webspace, RollState.FAILED, NOW, edits=edits)
        failed = replace(after, rollout=replace(after.rollout, rolls=(record,)))
        back = planner.project(planner.plan(failed, intent), failed).settings_of(was.site)
        assert back is not None
        assert back.named <= was.named
        good = {edit.beside for edit in edits}
        for before, now in zip(places(was), places(back), strict=True):
            assert before[0] == now[0]
            assert before[1] - now[1] <= superseded(world, was) - good
            assert now[1] - before[1] <= (good if before[0] != LOAD_LIST else was.named)
        assert not loaded(was) or loaded(back)


def places(settings: SiteSettings) -> list[tuple[str, set[Thumbprint]]]:
    """Return what each setting names."""
    keys = sorted({one.key for one in settings.references})
    return [(key, {one.thumbprint for one in settings.references if one.key == key}) for key in keys]


def loaded(settings: SiteSettings) -> bool:
    """Say whether the app loads all that it pins."""
    pinned = {one.thumbprint for one in settings.pins} - {SECRET}
    return settings.loads_everything or pinned <= set(settings.load_list)


@given(worlds(rolls=any_rolls), intents)
def test_no_value_that_is_no_thumbprint_is_told(world: Snapshot, intent: Intent) -> None:
    """No text of a plan holds a value that may be anything, a password too; nor do the records."""
    plan = planner.plan(world, intent)
    texts = (repr(plan), *map(str, plan.steps), *map(str, plan.skips))
    records = repr(told_of(world, plan, intent))
    assert not [text for text in (*texts, records) if SECRET in text.upper()]
    changes = [step.action for step in plan.steps if isinstance(step.action, SettingsChange)]
    assert not [edit for change in changes for edit in change.edits if SECRET in {edit.add, *edit.remove, edit.beside}]
