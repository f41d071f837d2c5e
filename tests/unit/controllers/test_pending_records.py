"""Certroll records a site before it writes to the site, and corrects this record if Azure refuses a sync."""

from dataclasses import replace

from shared.controllers.certificate.records import after_refusal, begin_sites, pending_records, shown_bindings
from shared.controllers.site.bindings import _plan_of_site
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, HostName
from shared.domain.reason import Reason
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.planning.acting.subjects import copy_subject
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.plan import Skip, Step
from tests.build import (
    APPLY,
    HOUR,
    NEW,
    NOW,
    OLD,
    OTHER_REF,
    REF,
    WEST,
    ManualClock,
    binding,
    copy,
    facts,
    farm,
    lineage,
    old_version,
    record,
    rollout,
    site,
    site_ref,
    snapshot,
    version,
)
from tests.small_storage import SmallStorage, ports_on

HOST = HostName("shop.contoso.com")
MORE = "www.contoso.com"
SYNC = Step(SyncCertificate(copy(), farm(), version()), Reason.STALE_COPY)


def moving(*bindings: Binding) -> tuple[Step, ...]:
    """Return the steps that sync the imported certificate and move the given bindings to the new version."""
    return SYNC, *(Step(UpdateBinding(bound, NEW, WEST), Reason.STALE_THUMBPRINT) for bound in bindings)


def recorded(seen: Snapshot, *bindings: Binding) -> tuple[SiteRecord, ...]:
    """Return the sites' records for a plan that moves the given bindings, by default only one, to the new version."""
    steps = moving(*(bindings or (binding(),)))
    return pending_records(seen, version(), WEST, steps, shown_bindings(seen))


def test_site_is_recorded_with_what_it_showed() -> None:
    """Certroll records a site's bindings that show the certificate, and the imported certificate that is synced."""
    both = (binding(), binding(MORE))
    (found,) = recorded(snapshot(bindings=both), *both)
    assert found == SiteRecord(site_ref(), "v2", WEST, SiteState.PENDING, NOW, (copy().ref,), both)


def test_host_name_that_another_certificate_may_show_is_not_recorded() -> None:
    """Certroll does not record a host name whose certificate also belongs to another vault certificate."""
    contested, twin = binding(MORE, NEW), copy("twin", NEW, source=OTHER_REF)
    seen = snapshot(bindings=(binding(), contested), copies=(copy(), twin))
    (found,) = recorded(seen)
    assert found.last_good == (binding(),)


def test_host_name_that_showed_nothing_is_recorded() -> None:
    """Certroll records a host name that gets its first certificate.

    Certroll's run for a site moves only the host names in the site's record to the new certificate.
    """
    first = binding(MORE, None, ssl_state=SslState.DISABLED)
    (found,) = recorded(snapshot(bindings=(binding(), first)), binding(), first)
    assert found.last_good == (binding(), first)


def test_site_performs_what_is_recorded_alone() -> None:
    """Certroll's run for a site writes only the bindings that its run for the certificate recorded."""
    covering = lineage(version(facts=facts("*.contoso.com")), old_version())
    seen = snapshot(bindings=(binding(), binding(MORE)), copies=(copy(thumbprint=NEW),), lineage=covering)
    (found,) = recorded(snapshot())
    with Pool(1, "reader") as pool:
        plan = _plan_of_site(Run.start(ports_on(SmallStorage(), ManualClock()), APPLY, pool), seen, found)
    assert [step.action.binds for step in plan.steps] == [binding()]


def test_looking_again_keeps_what_was_shown_before_the_first_write() -> None:
    """A later run of Certroll keeps the recorded bindings from before the first write, and adds new host names."""
    before = replace(record(SiteState.PENDING), last_good=(binding(),))
    seen = snapshot(bindings=(binding(thumbprint=NEW), binding(MORE)), rollout=rollout(before))
    (found,) = recorded(seen, binding(MORE))
    assert found.last_good == (binding(), binding(MORE))


def test_looking_again_does_not_start_the_soak_anew() -> None:
    """A later run does not restart the waiting time of a site that Certroll cannot write or prove.

    The other webspaces wait for an unproven site of the first webspace, but no longer than the set waiting time.
    """
    for state in (SiteState.PENDING, SiteState.UNPROVEN, SiteState.FAILED):
        (found,) = recorded(snapshot(rollout=rollout(record(state, at=NOW - HOUR))))
        assert (found.state, found.at) == (SiteState.PENDING, NOW - HOUR), state


def test_host_name_that_comes_to_a_proven_site_is_proven_for_itself() -> None:
    """The waiting time of a proven site starts again if another host name has to move to the new certificate."""
    (found,) = recorded(snapshot(rollout=rollout(record(SiteState.PROVEN, at=NOW - HOUR))))
    assert found.at == NOW


def test_what_was_to_be_bound_again_stays_so() -> None:
    """A later run of Certroll keeps the record that it has to bind host names again after an upload."""
    before = replace(record(SiteState.PENDING), rebind=Rebind.ASKED)
    (found,) = recorded(snapshot(rollout=rollout(before)))
    assert found.rebind is Rebind.ASKED
    other = rollout(replace(record(SiteState.PENDING, site="other"), rebind=Rebind.ASKED))
    (found,) = recorded(snapshot(rollout=other))
    assert found.rebind is Rebind.NO


def test_looking_again_keeps_what_was_bound_again() -> None:
    """A later run of Certroll keeps the host names that an earlier run bound again, so that none is written twice."""
    before = replace(record(SiteState.PENDING), rebind=Rebind.ASKED, rebound=frozenset({HOST}))
    (found,) = recorded(snapshot(rollout=rollout(before)))
    assert found.rebound == {HOST}
    (found,) = recorded(snapshot())
    assert found.rebound == frozenset()


def test_rebind_that_is_done_is_not_asked_again() -> None:
    """If a run of the site ends the rebind while the certificate's run plans it, the site stays done."""
    clock, storage = ManualClock(), SmallStorage()
    there = ports_on(storage, clock).rollouts
    (read,) = there.begin(REF, rollout(replace(record(SiteState.PENDING), rebind=Rebind.ASKED)))
    planned = replace(read, detail="planned")
    there.record_site(REF, replace(read, state=SiteState.PROVEN, rebind=Rebind.DONE, rebound=frozenset()))
    with Pool(1, "reader") as pool:
        run = Run.start(ports_on(storage, clock), APPLY, pool)
        (left,) = begin_sites(run, REF, rollout(), (planned,))
    assert left == there.site(REF, "v2", site_ref()) == replace(planned, rebind=Rebind.DONE)


def test_late_record_of_the_certificate_keeps_the_progress_of_the_site() -> None:
    """If a run of the site binds host names again during the certificate's plan, the journal keeps these host names."""
    clock, storage = ManualClock(), SmallStorage()
    there = ports_on(storage, clock).rollouts
    (read,) = there.begin(REF, rollout(replace(record(SiteState.PENDING), rebind=Rebind.ASKED)))
    there.record_site(REF, replace(read, rebound=frozenset({HOST}), last_good=(binding(),)))
    with Pool(1, "reader") as pool:
        begin_sites(Run.start(ports_on(storage, clock), APPLY, pool), REF, rollout(), (read,))
    found = there.site(REF, "v2", site_ref())
    assert found is not None
    assert (found.rebound, found.last_good) == ({HOST}, (binding(),))


def public() -> WebspaceCertificate:
    """Return the new version as a public certificate of the site."""
    return replace(copy("trusted", NEW, source=None), ref=CopyRef.of_site(site_ref(), "trusted", public=True))


def test_certificate_without_its_key_serves_no_host_name() -> None:
    """Certroll expects no host name to show a public certificate, because such a certificate has no private key."""
    (found,) = recorded(snapshot(copies=(copy(), public()), sites=(site(),)))
    assert found.copies == (copy().ref,)


def refused(*copies: WebspaceCertificate, of: tuple[SiteRecord, ...]) -> tuple[SiteRecord, ...]:
    """Return the records of the sites of a plan after Azure refused to sync these imported certificates.

    This function also checks that the journal has the same records of sites.
    """
    clock, storage = ManualClock(), SmallStorage()
    of = ports_on(storage, clock).rollouts.begin(REF, rollout(*of))
    skips = tuple(Skip(copy_subject(held.ref, WEST), Reason.DENIED_BY_AZURE, "no") for held in copies)
    with Pool(1, "reader") as pool:
        left = after_refusal(Run.start(ports_on(storage, clock), APPLY, pool), REF, of, skips)
    assert ports_on(storage, clock).rollouts.rollout(REF, "v2").records == left
    return left


def test_site_whose_copy_was_not_synced_is_not_waited_for() -> None:
    """A site becomes unproven with a reason if Azure refused to sync the only imported certificate of its webspace."""
    shop = replace(record(SiteState.PENDING), copies=(copy().ref,))
    second = replace(record(SiteState.PENDING, site="shop-2"), copies=(copy("second").ref,))
    left = refused(copy(), of=(shop, second))
    assert left == (replace(shop, copies=(), state=SiteState.UNPROVEN, detail="no"), second)


def test_site_goes_on_with_the_copy_that_was_synced() -> None:
    """A site continues with a second imported certificate of its webspace if Azure refused to sync only the first."""
    both = replace(record(SiteState.PENDING), copies=(copy().ref, copy("second").ref))
    (left,) = refused(copy(), of=(both,))
    assert (left.state, left.copies) == (SiteState.PENDING, (copy("second").ref,))


def test_version_that_is_there_is_what_the_old_one_was() -> None:
    """Certroll records only imported certificates that will have the new version after the sync."""
    (found,) = recorded(snapshot(copies=(copy(), copy("kept", OLD, source=None))))
    assert found.copies == (copy().ref,)
