"""Check promises about every plan: for TLS bindings, certificates in App Service, and chains in environments."""

from dataclasses import replace
from typing import TypeVar

from shared.controllers.certificate.admission import roll_records
from shared.domain.certificates.lineage import newest_first
from shared.domain.certificates.urgency import URGENT
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import OWN_PREFIX
from shared.domain.intent import Mode, Scope
from shared.domain.names import SiteRef, Thumbprint, Webspace, covers
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import HOLDING, RollState
from shared.domain.rollout.site_record import Rebind, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions.keep_superseded import KeepSuperseded
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.actions.upload_again import UploadAgain
from shared.planning.guards.frozen import finishes
from shared.planning.plan import Plan, Step
from tests.build import AGAIN, EARLY, NOW, OFF, REF
from tests.properties.fleets import live, old, opted_out, sources, superseded
from tests.properties.promises import Case, Promise, restarted

Item = TypeVar("Item")


def shown(world: Snapshot, ref: SiteRef) -> set[tuple[object, Thumbprint | None]]:
    """Return the host names and settings of a site that name a thumbprint, each with the thumbprint."""
    bound = {(found.host_name, found.thumbprint) for found in world.fleet.bindings if found.site == ref}
    named = {(r.key, r.thumbprint) for s in world.fleet.settings if s.site == ref for r in s.references}
    return bound | named


def kept(binding: Binding) -> tuple[object, ...]:
    """Return the parts of a TLS binding that Certroll must keep."""
    return binding.site, binding.host_name, binding.ssl_state, binding.virtual_ip, binding.thumbprint is None


def protects(step: Step) -> bool:
    """Return True if a step uploads an old version or restores the last good settings of an app."""
    return isinstance(step.action, KeepSuperseded | RestoreAppSettings)


def told_less(world: Snapshot, settings: SiteSettings) -> bool:
    """Return True if an app that Certroll may update now names more superseded thumbprints than its record."""
    roll = world.rollout.roll_of(settings.site)
    return roll is not None and roll.state is RollState.STALE and not superseded(world, settings) <= {*roll.replaces}


def is_under_way(world: Snapshot) -> bool:
    """Return True if a first webspace has the new version, and no app's update is pending or stops other updates."""
    return world.rollout.first is not None and not any(roll.state in HOLDING for roll in world.rollout.rolls)


def second_plan_is_empty(case: Case) -> None:
    """If Certroll plans again after a plan, the second plan restarts no app that the first plan changed.

    If Certroll's settings demand a waiting time between apps, the second plan in a row restarts no other app either.
    The check excludes an app whose settings name more old thumbprints than the journal's record of the app. The check
    also excludes an app whose update waited because another writer reversed another app's update. The second plan in a
    row may restart other apps if the waiting time between apps is zero. The second plan in a row may also upload old
    versions if Certroll refuses the newest version.
    """
    world = case.world
    if not is_under_way(world) or not (case.plan.steps or case.told):
        return  # If Certroll plans twice for an unchanged snapshot, both plans are equal.
    second = case.planned(case.carried_out)
    behind = {settings.site for settings in world.fleet.settings if told_less(world, settings)}
    rebind, changed = set(restarted(second)) - behind, set(restarted(case.plan))
    keeps = behind or world.lineage.refusal is not None
    assert not changed & rebind
    contested = {r.site for r in case.carried_out.rollout.rolls if r.state is RollState.CONTESTED} - changed
    if case.intent.stage_soak and not contested:
        assert not rebind
        assert all(step.action.restarts_site for step in second.steps if not (keeps and protects(step)))


def everything_stale_is_renewed(case: Case) -> None:
    """Certroll's plan without obstacles gives every stale binding and imported certificate the current version."""
    current = case.world.lineage.versions[0].thumbprint
    assert {copy.thumbprint for copy in case.after.fleet.certificates if copy.source == REF} == {current}
    for was, now in zip(case.world.fleet.bindings, case.after.fleet.bindings, strict=True):
        assert now == (replace(was, thumbprint=current) if old(case.world, was) else was)


def no_host_name_is_unbound_or_moved(case: Case) -> None:
    """Certroll's plan keeps the site, the `ssl_state` and the IP address of every host name that has a TLS binding."""
    assert list(map(kept, case.after.fleet.bindings)) == list(map(kept, case.world.fleet.bindings))


def only_stale_bindings_are_overwritten(case: Case) -> None:
    """Certroll overwrites a TLS binding only if it shows an old version, and only with the current version."""
    current = case.world.lineage.current
    for was, now in zip(case.world.fleet.bindings, case.after.fleet.bindings, strict=True):
        if was != now:
            assert old(case.world, was)
            assert current is not None
            assert now.thumbprint == current.thumbprint


def no_binding_is_taken_from_another(case: Case) -> None:
    """Certroll's plan never overwrites a TLS binding whose certificate also belongs to another vault certificate."""
    for step in case.plan.steps:
        if isinstance(step.action, UpdateBinding):
            assert sources(case.world, step.action.binding) <= {REF, None}


def nothing_is_written_that_is_not_live(case: Case) -> None:
    """Certroll writes a thumbprint to a site only while the site's webspace has the certificate."""
    for number, step in enumerate(case.plan.steps):
        before, after = case.on_the_way[number : number + 2]
        if step.action.site is not None:
            for _, thumbprint in shown(after, step.action.site) - shown(before, step.action.site):
                assert live(before, thumbprint, step.action.site)


def input_order_means_nothing(case: Case) -> None:
    """The plan and its order do not depend on the order in which Azure lists resources and Key Vault lists versions."""
    fleet, lineage, shuffle = case.world.fleet, case.world.lineage, case.dice

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
        replace(case.world.rollout, records=mixed(case.world.rollout.records), rolls=mixed(case.world.rollout.rolls)),
    )
    assert case.planned(other) == case.plan
    assert roll_records(other, case.plan, case.intent, fresh=True) == case.told


def nothing_opted_out_or_uncovered_is_touched(case: Case) -> None:
    """Certroll changes no opted-out site, and no binding of a host name that the new version does not cover."""
    current = case.world.lineage.current
    for step in case.plan.steps:
        assert not opted_out(case.world, step.action.site)
        if isinstance(step.action, UpdateBinding) and current is not None and current.facts is not None:
            assert covers(current.facts.host_names, step.action.binding.host_name)


def site_with_silos_is_left_alone(case: Case) -> None:
    """Certroll's plan has no step on a site with silos in other regions, nor on its slots or its own certificates."""
    fleet = case.world.fleet
    production = tuple(replace(site, silos=site.ref.slot is None) for site in fleet.sites)
    for step in case.planned(replace(case.world, fleet=replace(fleet, sites=production))).steps:
        touched = step.action.site or step.action.owner
        assert touched is None or not any(site.ref == touched.production for site in production)


def opted_out_vault_certificate_is_left_alone(case: Case) -> None:
    """Certroll begins nothing for a vault certificate with `certroll: off`, and only finishes what it has begun."""
    off = replace(case.world, lineage=replace(case.world.lineage, tags=OFF))
    assert only_finishes(case.planned(off), off)


def only_finishes(plan: Plan, world: Snapshot) -> bool:
    """Return True if each step of the plan finishes or takes back what the journal records as begun."""
    begun = {record.site for record in (*world.rollout.records, *world.rollout.rolls, *world.rollout.past_rolls)}
    return all(
        finishes(step.action, world) and (step.action.site in begun or bool(step.action.protects and begun))
        for step in plan.steps
    )


def observing_writes_nothing(case: Case) -> None:
    """In observe mode Certroll performs no step, and tells exactly the steps and refusals of apply mode.

    The steps that apply mode would perform later, for example after other sites, come after the steps at once.
    """
    observed = case.planned(case.world, mode=Mode.OBSERVE)
    later = [skip for skip in case.plan.skips if skip.step and skip.reason.passes]
    assert observed.steps == ()
    assert [would.step for would in observed.would] == [*case.plan.steps, *(skip.step for skip in later)]
    assert [would.waits for would in observed.would if would.waits] == later
    assert observed.skips == tuple(skip for skip in case.plan.skips if skip not in later)


def pilot_writes_only_what_is_tagged(case: Case) -> None:
    """In a pilot, Certroll only finishes for a vault object without `certroll: on`, and else does the same steps."""
    pilot = case.planned(case.world, scope=Scope.TAGGED)
    observed = case.planned(case.world, mode=Mode.OBSERVE)
    assert only_finishes(pilot, case.world)
    told = [would.step for would in pilot.would]
    assert [step for step in pilot.steps if step in told] == []
    left = [would.step for would in observed.would]
    for step in (*pilot.steps, *told):
        left.remove(step)
    assert left == []
    assert pilot.skips == observed.skips
    tags = (*(tag for tag in case.world.lineage.tags if tag[0] != "certroll"), ("certroll", "on"))
    tagged = replace(case.world, lineage=replace(case.world.lineage, tags=tags))
    assert case.planned(tagged, scope=Scope.TAGGED) == case.planned(tagged)


def nothing_is_told_of_what_is_not_there(case: Case) -> None:
    """Certroll speaks of deleting a certificate only if Azure has it, not if only a step of the plan would bring it."""
    there = {copy.ref for copy in case.world.fleet.certificates}
    refused = (skip.step for skip in case.plan.skips if skip.step is not None)
    deleted = (step.action.deletes_copy for step in (*case.plan.steps, *refused))
    assert {copy.ref for copy in deleted if copy is not None} <= there


def failure_of_a_site_holds_the_version(case: Case) -> None:
    """After a site served another certificate, Certroll only uploads old versions and restores last good settings."""
    failed = any(record.state is SiteState.FAILED for record in case.world.rollout.records)
    assert not failed or all(map(protects, case.plan.steps))


def failure_of_an_app_holds_the_version(case: Case) -> None:
    """After an app failed with a new version, Certroll only uploads old versions and restores last good settings."""
    held = any(roll.state in HOLDING and not roll.retiring for roll in case.world.rollout.rolls)
    assert not held or all(map(protects, case.plan.steps))


def carriers(plan: Plan) -> set[object]:
    """Return the webspaces in which a plan syncs an imported certificate or changes a TLS binding."""
    staged = (step.action for step in plan.steps if isinstance(step.action, SyncCertificate | UpdateBinding))
    return {action.webspace for action in staged}


def new_version_goes_to_one_webspace(case: Case) -> None:
    """Certroll changes certificates or bindings in at most one webspace before it records the first webspace."""
    assert case.world.rollout.first is not None or len(carriers(case.plan)) <= 1


def nothing_leaves_the_first_webspace_early(case: Case) -> None:
    """Certroll's plan syncs and binds only in the first webspace while the result of the first webspace is pending."""
    first, records = case.world.rollout.first, case.world.rollout.records
    fresh = any(r.webspace == first and r.state is SiteState.PENDING and r.at == NOW for r in records)
    if fresh and case.intent.stage_soak:
        assert carriers(case.plan) <= {first}


def refused_newest_version_is_synced_nowhere(case: Case) -> None:
    """Certroll syncs no imported certificate while it refuses the newest version, and reports the reason for each."""
    if case.world.lineage.refusal is None:
        return
    assert not [step for step in case.plan.steps if isinstance(step.action, SyncCertificate)]
    copies = {f"certificate {c.ref} in {c.webspace}" for c in case.world.fleet.certificates if c.source == REF}
    reasons = {Reason.NEWEST_REFUSED, Reason.OPTED_OUT}
    told = [skip.subject for skip in case.plan.skips if skip.reason in reasons and not skip.site]
    assert sorted(subject for subject in told if subject in copies) == sorted(copies)


def nothing_is_synced_beside_a_blind_spot(case: Case) -> None:
    """Certroll syncs nothing in a webspace with an unreadable resource, unless the old certificate is about to end."""
    hidden = {spot.webspace for spot in case.world.fleet.blind_spots if not spot.settings_only}
    for step in case.plan.steps:
        if isinstance(step.action, SyncCertificate):
            ending = step.action.copy.not_after
            urgent = ending is not None and ending - NOW < URGENT
            assert urgent or not hidden & {None, step.action.webspace}


def asked_again(world: Snapshot, binding: Binding) -> bool:
    """Return True if a binding shows the current version, and the journal asks for a rebind that Certroll may make.

    Certroll makes no rebind if Azure does not name the site's webspace, which is a blind spot of its own. Certroll also
    makes no rebind if the certificate may belong to another vault certificate.
    """
    record, current = world.rollout.record_of(binding.site), world.lineage.current
    asked = record is not None and record.rebind is Rebind.ASKED and world.lineage.tags == AGAIN
    bound = binding.ssl_state is not SslState.DISABLED and current is not None
    placed = any(site.ref == binding.site and site.webspace is not None for site in world.fleet.sites)
    ours = placed and sources(world, binding) <= {REF, None}
    return asked and bound and ours and binding.thumbprint == current.thumbprint


def nothing_is_skipped_silently(case: Case) -> None:
    """Certroll plans a step or reports a reason for every binding and App Service certificate of an old version.

    Certroll also plans a step or reports a reason for each rebind that the journal asks for, even if no App Service
    Environment is visible.
    """
    world, lineage = case.world, case.world.lineage
    if lineage.current is None or environment_webspaces(world):
        return
    told = [step.subject for step in case.plan.steps] + [skip.subject for skip in case.plan.skips]
    expected = {
        f"binding {b.host_name} of {b.site}" for b in world.fleet.bindings if old(world, b) or asked_again(world, b)
    } | {
        f"certificate {c.ref} in {c.webspace}"
        for c in world.fleet.certificates
        if (c.source == REF and (lineage.refusal is not None or c.thumbprint != lineage.current.thumbprint))
        or (c.source is None and lineage.is_stale(c.thumbprint) and not c.ref.name.startswith(OWN_PREFIX))
    }
    found = [
        subject for subject in told if subject.startswith(("binding", "certificate")) and OWN_PREFIX not in subject
    ]
    assert set(found) == expected
    assert len(found) == len(expected)


# ------------------------------------------------------------------------------------------- chains in environments


def environment_webspaces(world: Snapshot) -> set[Webspace | None]:
    """Return the webspaces that a site or a certificate shows to be in an App Service Environment."""
    by_site = {site.webspace for site in world.fleet.sites if site.environment is not None}
    return by_site | {copy.webspace for copy in world.fleet.certificates if copy.in_environment}


def unchained(world: Snapshot) -> set[Webspace]:
    """Return the webspaces of environments in which every upload of the current version may be early.

    An early upload is older than the feature by which App Service Environments trust uploaded chains.
    """
    current = world.lineage.current
    if current is None or current.facts is None:
        return set()
    inside = environment_webspaces(world)
    uploads = [c for c in world.fleet.certificates if c.source is None and c.thumbprint == current.thumbprint]
    late = {c.webspace for c in uploads if c.ref.name.startswith(OWN_PREFIX) or (c.created and c.created > EARLY)}
    return ({c.webspace for c in uploads} & inside) - late


def binding_again_changes_nothing_that_is_shown(case: Case) -> None:
    """A rebind changes no thumbprint that a host name shows, and a plan writes each host name at most once."""
    if case.world.lineage.tags == AGAIN:
        unasked = replace(case.world, lineage=replace(case.world.lineage, tags=()))
        assert case.after.fleet.bindings == replace(case, world=unasked).after.fleet.bindings
    written = [step.subject for step in case.plan.steps if isinstance(step.action, UpdateBinding)]
    assert len(written) == len(set(written))


def nothing_is_uploaded_again_unasked(case: Case) -> None:
    """Certroll's plan uploads a key again only if the tag asks for it, and only into webspaces that lack the chain."""
    for action in (step.action for step in case.plan.steps):
        if isinstance(action, UploadAgain):
            assert case.world.lineage.tags == AGAIN
            assert action.webspace in unchained(case.world)
        if isinstance(action, UpdateBinding) and action.rebind:
            assert case.world.lineage.tags == AGAIN


def no_early_upload_is_passed_over(case: Case) -> None:
    """Certroll's plan has a step or a reason for every webspace whose servers may lack the certificate's chain."""
    subjects = [step.subject for step in case.plan.steps] + [skip.subject for skip in case.plan.skips]
    for webspace in unchained(case.world):
        assert [text for text in subjects if text.startswith("certificate") and text.endswith(f" in {webspace}")]


PLAN_PROMISES: tuple[Promise[Case], ...] = (
    second_plan_is_empty,
    no_host_name_is_unbound_or_moved,
    only_stale_bindings_are_overwritten,
    no_binding_is_taken_from_another,
    nothing_is_written_that_is_not_live,
    nothing_opted_out_or_uncovered_is_touched,
    failure_of_a_site_holds_the_version,
    failure_of_an_app_holds_the_version,
    new_version_goes_to_one_webspace,
    nothing_leaves_the_first_webspace_early,
    refused_newest_version_is_synced_nowhere,
    nothing_is_synced_beside_a_blind_spot,
    nothing_is_skipped_silently,
    nothing_is_told_of_what_is_not_there,
    binding_again_changes_nothing_that_is_shown,
    nothing_is_uploaded_again_unasked,
    no_early_upload_is_passed_over,
)
WRITES_NOTHING: tuple[Promise[Case], ...] = (
    opted_out_vault_certificate_is_left_alone,
    observing_writes_nothing,
    pilot_writes_only_what_is_tagged,
)
IN_ANY_ORDER: tuple[Promise[Case], ...] = (input_order_means_nothing, site_with_silos_is_left_alone)
"""Promises that make further plans of each snapshot, which takes as long as all other promises together."""
