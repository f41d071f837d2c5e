"""A snapshot of Azure says which certificates apps name, and which of these certificates are stale."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.certificates.urgency import URGENT
from shared.domain.certificates.version import KeyFound
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, SiteRef, Thumbprint
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.snapshot import staleness
from shared.domain.snapshot.expiry import ends_soon, is_urgent, settings_expire_at
from shared.domain.snapshot.liveness import live_in
from shared.domain.snapshot.roots import wants_root
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import named_stale, rollable, stale_in
from tests.build import (
    DAY,
    FOREIGN,
    HOUR,
    NEW,
    NEWER,
    NORTH,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    WEST,
    binding,
    bundled,
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
ENDS = NOW + 9 * HOUR
VERSIONS = version("v3", NEWER), version(), old_version(), old_version("v0", OLDER)
THEIRS = copy("theirs", OLD, source=OTHER_REF)


def world(*settings: SiteSettings, rolls: tuple[RollRecord, ...] = (), past: tuple[RollRecord, ...] = ()) -> Snapshot:
    """Return a snapshot of Azure in which the second of four versions is the current version."""
    return snapshot(lineage=lineage(*VERSIONS, current=1), settings=settings, rollout=rollout(rolls=rolls, past=past))


@pytest.mark.parametrize(
    ("settings", "seen", "stale"),
    [
        pytest.param(named(), world(), (), id="nothing"),
        pytest.param(named(NEW, NEWER, FOREIGN), world(), (), id="nothing that is older"),
        pytest.param(named(OLDER, OLD), world(), (OLD, OLDER), id="the newest first"),
        pytest.param(named(pins={"A": OLDER, "B": OLD}), world(), (OLD, OLDER), id="pins as well"),
        pytest.param(named(OLD, OLD, pins={"B": OLD}), world(), (OLD,), id="each once"),
        pytest.param(
            named(OLDER, OLD),
            world(past=(roll(RollState.VALIDATED, proven=(OLDER,)),)),
            (OLDER, OLD),
            id="proven first",
        ),
        pytest.param(
            named(OLDER, OLD),
            world(rolls=(roll(RollState.VALIDATED, proven=(OLDER, OLD)),)),
            (OLD, OLDER),
            id="the newest of what is proven first",
        ),
        pytest.param(
            named(OLDER, OLD),
            world(past=(roll(RollState.VALIDATED, site="other", proven=(OLDER,)),)),
            (OLD, OLDER),
            id="what another app proved does not count",
        ),
        pytest.param(
            named(FOREIGN, OLDER),
            snapshot(lineage=lineage(*VERSIONS, current=1), copies=(copy(thumbprint=FOREIGN),)),
            (OLDER, FOREIGN),
            id="what only a copy held comes last",
        ),
        pytest.param(
            named(FOREIGN),
            snapshot(copies=(copy(thumbprint=FOREIGN, webspace=NORTH),)),
            (),
            id="not of another webspace",
        ),
        pytest.param(
            named(FOREIGN, site="gone"), snapshot(copies=(copy(thumbprint=FOREIGN),)), (), id="not of an unseen site"
        ),
        pytest.param(named(OLD, site="gone"), world(), (OLD,), id="a version, wherever the site is"),
        pytest.param(
            named(OLDER, OLD),
            snapshot(
                lineage=lineage(version(), old_version("v1", OLDER), old_version("v0", OLD), old_version("v", OLDER))
            ),
            (OLDER, OLD),
            id="of two versions of one thumbprint the newer one counts",
        ),
    ],
)
def test_stale_thumbprints_are_known(settings: SiteSettings, seen: Snapshot, stale: tuple[Thumbprint, ...]) -> None:
    """A snapshot lists an app's stale thumbprints, and puts those first that the app was proven to use."""
    assert named_stale(seen, settings) == stale


MANY = tuple(Thumbprint(f"{number:040}") for number in range(8))


def test_unknown_thumbprints_are_in_a_stable_order() -> None:
    """A snapshot sorts stale thumbprints that belong to no known version by the thumbprints themselves."""
    seen = snapshot(copies=tuple(copy(thumbprint[-1], thumbprint) for thumbprint in MANY))
    assert named_stale(seen, named(*MANY[::-1])) == MANY


def test_what_copies_held_before_is_remembered() -> None:
    """A thumbprint that an imported certificate had earlier is stale, even if the vault has no version with it."""
    remembered = replace(rollout(), held={(WEST, FOREIGN)})
    assert named_stale(snapshot(rollout=remembered), named(FOREIGN)) == (FOREIGN,)
    assert named_stale(snapshot(rollout=remembered), named(FOREIGN, site="gone")) == ()


def test_what_only_copies_tell_of_is_known() -> None:
    """A snapshot lists thumbprints that only imported certificates have, so that the journal can remember them."""
    remembered = replace(rollout(), held={(NORTH, NEWER)})
    copies = copy(thumbprint=FOREIGN), copy("b", OLD), copy("c", None), copy("up", OLDER, source=None)
    assert snapshot(copies=copies, rollout=remembered).held_unknown == frozenset({(WEST, FOREIGN), (NORTH, NEWER)})
    assert snapshot().held_unknown == frozenset()


def test_nothing_is_stale_without_a_current_version() -> None:
    """No thumbprint is stale if no version of the vault certificate is good."""
    seen = snapshot(lineage=lineage(current=None), copies=(copy(thumbprint=FOREIGN),))
    assert named_stale(seen, named(FOREIGN, OLD)) == ()


def test_site_that_is_not_seen_is_asked_for_nothing() -> None:
    """If Azure did not list a site, Certroll assumes that the site wants no root certificate."""
    assert not wants_root(snapshot(), site_ref("gone"))


def test_hidden_thumbprint_is_neither_stale_nor_live() -> None:
    """A certificate whose thumbprint Azure does not return makes no thumbprint count as stale or as live."""
    seen = snapshot(copies=(copy(thumbprint=None),))
    assert not stale_in(seen, WEST, None)
    assert live_in(seen, WEST) == frozenset()


def test_binding_of_an_unseen_site_is_nowhere() -> None:
    """The App Service webspace of a binding is unknown if Certroll did not see the site of the binding."""
    assert snapshot(sites=()).webspace_of(binding()) is None
    assert snapshot().webspace_of(binding()) == WEST


@pytest.mark.parametrize(
    ("seen", "rollable"),
    [
        pytest.param(world(), (OLD, OLDER), id="nothing is recorded"),
        pytest.param(world(rolls=(roll(RollState.STALE, replaces=(OLDER,)),)), (OLDER,), id="what it was told to"),
        pytest.param(world(rolls=(roll(RollState.STALE, replaces=(FOREIGN,)),)), (), id="nothing that it was told to"),
        pytest.param(world(rolls=(roll(RollState.OVERLAPPING, replaces=(OLDER,)),)), (OLD, OLDER), id="it is written"),
        pytest.param(world(rolls=(roll(RollState.STALE, site="b", replaces=()),)), (OLD, OLDER), id="another was told"),
        pytest.param(replace(world(), fleet=snapshot(copies=(THEIRS,)).fleet), (OLDER,), id="another claims one"),
        pytest.param(
            replace(world(), fleet=snapshot(copies=(replace(THEIRS, webspace=NORTH),)).fleet),
            (OLD, OLDER),
            id="another claims one elsewhere",
        ),
        pytest.param(
            replace(world(), fleet=snapshot(copies=(replace(THEIRS, source=None),)).fleet),
            (OLD, OLDER),
            id="people uploaded one",
        ),
    ],
)
def test_what_may_be_replaced_is_known(seen: Snapshot, rollable: tuple[Thumbprint, ...]) -> None:
    """Certroll replaces a stale thumbprint in an app's settings unless another vault certificate also has it.

    Once an app has a record for the update, Certroll replaces only the thumbprints in that record.
    """
    assert staleness.rollable(seen, named(OLDER, OLD)) == rollable


def test_site_that_is_not_seen_is_contested_by_nobody() -> None:
    """If a site's webspace is unknown, no thumbprint in its settings counts as another vault certificate's."""
    seen = snapshot(sites=(), copies=(THEIRS,))
    assert rollable(seen, named(OLD)) == (OLD,)


@pytest.mark.parametrize(
    ("settings", "sites", "ends"),
    [
        pytest.param((named(OLD),), (site_ref(),), ENDS, id="an app names it"),
        pytest.param((named(OLD),), (site_ref("other"),), None, id="another app is asked for"),
        pytest.param((named(NEW),), (site_ref(),), None, id="an app names the new one"),
        pytest.param((named(OLDER, OLD),), (site_ref(),), ENDS, id="the last good one counts, not one before"),
        pytest.param((named(OLDER),), (site_ref(),), NOW + HOUR, id="one before, where there is no other"),
        pytest.param(
            (named(OLD), named(OLDER, site="b")), (site_ref(), site_ref("b")), NOW + HOUR, id="of two apps the sooner"
        ),
        pytest.param((named(OLD),), (), None, id="no app is asked for"),
    ],
)
def test_end_of_what_apps_leave_is_known(
    settings: tuple[SiteSettings, ...], sites: tuple[SiteRef, ...], ends: datetime | None
) -> None:
    """The earliest end of a certificate that app settings still have to replace decides whether a rollout is urgent."""
    versions = version(), old_version(not_after=ENDS), old_version("v0", OLDER, not_after=NOW + HOUR)
    seen = snapshot(lineage=lineage(*versions), sites=(site(), site("b")), settings=settings)
    assert settings_expire_at(seen, sites) == ends


@pytest.mark.parametrize(("ago", "counts"), [(URGENT - SECOND, True), (URGENT, False)], ids=["lately", "long ago"])
def test_what_ended_long_ago_makes_nothing_urgent(ago: timedelta, *, counts: bool) -> None:
    """If a certificate ended long ago, it does not make the rollout of a later version urgent."""
    seen = snapshot(lineage=lineage(version(), old_version(not_after=NOW - ago)), settings=(named(OLD),))
    assert settings_expire_at(seen, (site_ref(),)) == (NOW - ago if counts else None)


def test_what_has_no_known_end_makes_nothing_urgent() -> None:
    """A thumbprint of no known version has no known end and makes no rollout urgent."""
    seen = snapshot(copies=(copy(thumbprint=FOREIGN),), settings=(named(FOREIGN),))
    assert settings_expire_at(seen, (site_ref(),)) is None


def test_tag_of_a_site_that_opted_out_has_no_case() -> None:
    """A site whose tag `certroll` is `OFF` in upper case makes no rollout urgent."""
    near = lineage(version(), old_version(not_after=NOW + HOUR))
    assert is_urgent(snapshot(lineage=near))
    assert not is_urgent(snapshot(lineage=near, sites=(site(tags=(("certroll", "OFF"),)),)))


def test_one_binding_is_changed() -> None:
    """A changed binding replaces only the binding of the same site and host name in a snapshot."""
    others = binding(site="b"), binding("b.contoso.com")
    seen = snapshot(bindings=(others[0], binding(), others[1]))
    after = seen.with_binding(binding(thumbprint=NEW))
    assert after.fleet.bindings == (others[0], binding(thumbprint=NEW), others[1])


def test_settings_of_a_webspace_are_found() -> None:
    """A snapshot lists the apps of an App Service webspace in a stable order."""
    here = named(site="b"), named(site="a", slot="x"), named(site="a")
    others = named(site="north"), named(site="gone"), named(site="nowhere")
    sites = site("a"), site("a", "x"), site("b"), site("north", webspace=NORTH), site("nowhere", webspace=None)
    for settings in ((*here, *others), (*others, *here)):
        seen = snapshot(sites=sites, settings=settings)
        assert seen.settings_in(WEST) == here[::-1]
    assert seen.settings_of(site_ref("a", "x")) == here[1]
    assert seen.settings_of(site_ref("c")) is None


def test_world_is_changed_by_value() -> None:
    """A changed snapshot is a new value with its own lookup tables, and leaves the original snapshot unchanged."""
    before = snapshot(settings=(named(OLD), named(OLD, site="b")))
    assert before.settings_of(site_ref()) == named(OLD)
    after = before.with_settings(named(NEW))
    assert after.settings_of(site_ref()) == named(NEW)
    assert after.settings_of(site_ref("b")) == named(OLD, site="b")
    assert before.settings_of(site_ref()) == named(OLD)
    more = before.with_certificate(copy("more", NEW))
    assert more.fleet.certificates == (copy(), copy("more", NEW))
    assert live_in(more, WEST) == frozenset({OLD, NEW})
    assert live_in(before, WEST) == frozenset({OLD})
    assert (live_in(before, NORTH), live_in(before, None)) == (frozenset(), frozenset())


def test_start_takes_the_place_of_the_record_before() -> None:
    """In a snapshot, the record of a new settings update of an app replaces the app's earlier record."""
    other = roll(RollState.VALIDATED, site="b")
    seen = world(rolls=(roll(RollState.REFUSED), other))
    after = seen.with_start_of(site_ref(), WEST, version())
    started = RollRecord(site_ref(), "v2", WEST, RollState.OVERLAPPING, NOW)
    assert after.rollout.rolls == (other, started)
    assert after.rollout.roll_of(site_ref()) == started


@pytest.mark.parametrize(
    ("key", "copies", "stale"),
    [
        pytest.param(KeyFound.MATCHING, (copy(source=None),), True, id="its key was there, and the copy has one"),
        pytest.param(KeyFound.NONE, (), True, id="its key was not there, nor is a copy"),
        pytest.param(KeyFound.NONE, (copy(source=None),), False, id="its key was not there, and the copy has one"),
        pytest.param(KeyFound.NONE, (copy(source=None, webspace=NORTH),), True, id="a copy elsewhere has one"),
        pytest.param(
            KeyFound.NONE,
            (replace(copy(source=None), ref=CopyRef.of_site(site_ref(), "public", public=True)),),
            True,
            id="the copy is public as well",
        ),
    ],
)
def test_certificate_with_a_key_is_no_secrets_that_never_had_it(
    key: KeyFound, copies: tuple[WebspaceCertificate, ...], *, stale: bool
) -> None:
    """A certificate with a private key does not belong to a vault secret that never had the key.

    Anybody can store somebody else's certificate, without its key, in a vault secret.
    """
    older = replace(old_version(), bundle=bundled(key, (), None, ordered=True))
    assert stale_in(snapshot(lineage=lineage(version(), older), copies=copies), WEST, OLD) is stale


def test_projection_tells_both_forms_of_one_name_apart() -> None:
    """If App Service holds a name in Unicode and in ASCII, the predicted snapshot changes only the written binding."""
    plain = replace(binding("xn--bcher-kva.example"), written="xn--bcher-kva.example")
    held = replace(plain, written="b\u00fccher.example")
    after = snapshot(bindings=(held, plain)).with_binding(replace(held, thumbprint=NEW))
    assert [(seen.address, seen.thumbprint) for seen in after.fleet.bindings] == [
        ("b\u00fccher.example", NEW),
        ("xn--bcher-kva.example", OLD),
    ]


def test_begin_of_a_copy_counts_as_azure_shows_it() -> None:
    """Whether an imported certificate ends soon depends on its own begin, and on the vault's only if Azure hides it."""
    ends = NOW + 60 * HOUR
    known = snapshot(lineage=lineage(version(), replace(old_version(), not_before=NOW - 400 * DAY)))
    short = replace(copy(not_after=ends), not_before=NOW - 4 * DAY)
    assert ends_soon(known, replace(short, not_before=None))
    assert not ends_soon(known, short)
