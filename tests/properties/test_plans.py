"""What holds of every plan, whatever the world looks like."""

from dataclasses import replace
from random import Random
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from shared import planner
from shared.actions.sync_certificate import SyncCertificate
from shared.actions.update_binding import UpdateBinding
from shared.domain.lineage import newest_first
from shared.domain.model import Binding
from shared.domain.names import covers
from shared.domain.plan import Intent
from shared.domain.reason import Reason
from shared.domain.rollout import URGENT
from shared.domain.snapshot import Snapshot
from tests.build import APPLY, NOW, OFF, REF
from tests.properties.fleets import (
    closed,
    contested_worlds,
    failed,
    fresh,
    intents,
    live,
    old,
    opened,
    opted_out,
    sources,
    started,
    worlds,
)

Item = TypeVar("Item")


def kept(binding: Binding) -> tuple[object, ...]:
    """Return what no plan may change of a binding."""
    return binding.site, binding.host_name, binding.ssl_state, binding.virtual_ip, binding.thumbprint is None


@given(worlds(opened), intents)
def test_second_plan_is_empty(world: Snapshot, intent: Intent) -> None:
    """What a plan leaves behind needs no second plan."""
    after = planner.project(planner.plan(world, intent), world)
    assert planner.plan(after, intent).steps == ()


@given(worlds(started), intents)
def test_second_plan_is_empty_while_stages_are_open_or_not(world: Snapshot, intent: Intent) -> None:
    """Once the first place is chosen, one plan holds the whole way that is open, however far it is open."""
    after = planner.project(planner.plan(world, intent), world)
    assert planner.plan(after, intent).steps == ()


@given(worlds(opened, st.just(frozenset())))
def test_everything_stale_is_renewed_where_nothing_is_in_the_way(world: Snapshot) -> None:
    """Where nothing is in the way, every copy and every stale binding has the current version afterwards."""
    current = world.lineage.versions[0].thumbprint
    after = planner.project(planner.plan(world, APPLY), world).fleet
    assert {copy.thumbprint for copy in after.certificates} == {current}
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
    """When its turn comes, each thumbprint that is written is a certificate of that very webspace."""
    seen = world
    for step in planner.plan(world, intent).steps:
        if isinstance(step.action, UpdateBinding):
            assert live(seen, step.action.thumbprint, step.action.binding.site)
        seen = step.action.project(seen)


@given(worlds(), intents, st.randoms(use_true_random=True))
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
        ),
        replace(world.rollout, records=mixed(world.rollout.records)),
    )
    assert planner.plan(other, intent) == planner.plan(world, intent)


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
    """While a failure of the version is recorded, there is no step anywhere."""
    assert planner.plan(world, intent).steps == ()


@given(worlds(fresh), intents)
def test_new_version_goes_to_one_webspace(world: Snapshot, intent: Intent) -> None:
    """Before the first place is recorded, a plan touches one webspace at most."""
    assert len({step.action.webspace for step in planner.plan(world, intent).steps}) <= 1


@given(worlds(closed))
def test_nothing_leaves_the_first_webspace_early(world: Snapshot) -> None:
    """While the first webspace's result is outstanding, a plan touches that webspace alone."""
    assert {step.action.webspace for step in planner.plan(world, APPLY).steps} <= {world.rollout.first}


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
    hidden = {spot.webspace for spot in world.fleet.blind_spots}
    for step in planner.plan(world, intent).steps:
        if isinstance(step.action, SyncCertificate):
            ending = step.action.copy.not_after
            urgent = ending is not None and ending - NOW < URGENT
            assert urgent or not hidden & {None, step.action.webspace}


@given(worlds(), intents)
def test_nothing_is_skipped_silently(world: Snapshot, intent: Intent) -> None:
    """Every stale binding and every copy that lacks the current version is in the plan once, with a reason."""
    lineage = world.lineage
    if lineage.current is None:
        return
    plan = planner.plan(world, intent)
    told = [step.subject for step in plan.steps] + [skip.subject for skip in plan.skips]
    expected = {f"binding {b.host_name} of {b.site}" for b in world.fleet.bindings if old(world, b)} | {
        f"certificate {c.ref} in {c.webspace}"
        for c in world.fleet.certificates
        if c.source == REF and (lineage.refusal is not None or c.thumbprint != lineage.current.thumbprint)
    }
    assert set(told) == expected
    assert len(told) == len(expected)
