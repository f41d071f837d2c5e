"""Test which superseded uploads Certroll deletes, what prevents a deletion, and the last check before a deletion."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.certificates.version import KeyFound
from shared.domain.errors import Conflict, NotFound
from shared.domain.fleet.bindings import SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.intent import Intent
from shared.domain.names import CopyRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import SiteState
from shared.domain.snapshot.liveness import live_in
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import looks_stale, uploaded_to
from shared.planning import planner
from shared.planning.actions import delete_certificate
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.guards import still_needed
from shared.planning.plan import Plan, Skip, Step
from tests.build import (
    APPLY,
    ASE,
    DAY,
    FOREIGN,
    HOUR,
    NEW,
    NORTH,
    NOW,
    OFF,
    OLD,
    OLDER,
    OTHER_REF,
    WEST,
    ManualClock,
    RecordingAppService,
    app_settings,
    binding,
    blind_spot,
    bundled,
    copy,
    lineage,
    mentions,
    named,
    old_version,
    ports,
    record,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
    version,
)

TAG = (("certroll-lineage", "kv-shop/shop"),)
OURS = replace(copy("certroll-shop-b", OLD, source=None), tags=TAG)
THEIRS = copy("by-hand", OLD, source=None)
SYNCED = copy(thumbprint=NEW)
LONG_AGO = NOW - 40 * DAY
RENEWED = lineage(version(created=LONG_AGO), old_version())
PROVEN = rollout(record(SiteState.PROVEN, at=LONG_AGO))
MOVED = (binding(thumbprint=NEW),)
QUIET = (named(),)
EVERYTHING = replace(APPLY, delete_superseded=True)


def over(*copies: WebspaceCertificate, **differences: object) -> Snapshot:
    """Return a snapshot in which apps and bindings left the old version for the new version 40 days ago."""
    ordinary: dict[str, object] = {
        "lineage": RENEWED,
        "bindings": MOVED,
        "copies": (SYNCED, *(copies or (OURS,))),
        "settings": QUIET,
        "rollout": PROVEN,
    }
    return snapshot(**{**ordinary, **differences})  # type: ignore[arg-type]


def judged(seen: Snapshot, intent: Intent = EVERYTHING) -> list[Step | Skip]:
    """Return the proposed deletions and refusals, in the order of the certificates."""
    steps = tuple(item for item in delete_certificate.propose(seen, intent) if isinstance(item, Step))
    plan = still_needed.guard(Plan(steps), seen, intent)
    return sorted((*plan.steps, *plan.skips), key=lambda item: [step.subject for step in steps].index(item.subject))


def reasons(seen: Snapshot) -> list[Reason]:
    """Return the reason of each proposal and refusal, as if the operator allowed Certroll to delete every upload."""
    return [item.reason for item in judged(seen)]


@pytest.mark.parametrize("state", [RollState.VALIDATED, RollState.RETIRED])
def test_app_that_uses_the_new_version_has_proven_it(state: RollState) -> None:
    """Certroll deletes the old uploaded certificate if it saw the app work with the new version."""
    proven = replace(PROVEN, rolls=(roll(state, at=LONG_AGO, replaces=()),))
    assert reasons(over(settings=(named(NEW),), rollout=proven)) == [Reason.SUPERSEDED]


def mentioning(*thumbprints: Thumbprint) -> object:
    """Return settings that mention the thumbprints inside a value that Certroll does not edit."""
    return (replace(named(), mentions=mentions(*thumbprints)),)


@pytest.mark.parametrize("kept", [OURS, THEIRS], ids=["one of our own", "one that people uploaded"])
def test_what_nothing_needs_any_more_is_deleted(kept: WebspaceCertificate) -> None:
    """If the operator allows it, Certroll deletes a superseded upload thirty days after its last user moved away."""
    (step,) = judged(over(kept))
    assert step == Step(DeleteCertificate(kept, (site_ref(),)), Reason.SUPERSEDED)


@pytest.mark.parametrize(
    ("seen", "reason", "detail"),
    [
        pytest.param(
            over(bindings=(binding(), *MOVED)),
            Reason.STILL_USED,
            "bound to shop.contoso.com",
            id="a host name is bound",
        ),
        pytest.param(
            over(bindings=(*MOVED, binding("old.contoso.com", ssl_state=SslState.DISABLED))),
            Reason.STILL_USED,
            "bound to old.contoso.com",
            id="a binding that is switched off still shows it",
        ),
        pytest.param(
            over(settings=mentioning(OLD)),
            Reason.STILL_USED,
            "named by app settings of shop",
            id="a setting mentions it",
        ),
        pytest.param(
            over(settings=(named(everything=True),)),
            Reason.STILL_USED,
            "shop loads every certificate, and may use it until it expires",
            id="an app loads everything",
        ),
        pytest.param(
            over(blind_spots=(blind_spot(),)),
            Reason.NOT_SEEN,
            "Certroll cannot read site hidden (its plan names it, the listing does not)",
            id="a site is hidden",
        ),
        pytest.param(
            over(blind_spots=(replace(blind_spot(NORTH), other_regions=True),)),
            Reason.NOT_SEEN,
            "Certroll cannot read site hidden (its plan names it, the listing does not)",
            id="another region of a site of another webspace is hidden",
        ),
        pytest.param(
            over(blind_spots=(replace(blind_spot(None), of_itself=True),)),
            Reason.NOT_SEEN,
            "Certroll cannot read site hidden (its plan names it, the listing does not)",
            id="a plan of no known webspace, whose sites may use it",
        ),
        pytest.param(
            over(blind_spots=(replace(blind_spot(), settings_only=True),)),
            Reason.NOT_SEEN,
            "it deletes nothing in that webspace",
            id="settings are hidden",
        ),
        pytest.param(
            over(settings=()),
            Reason.NOT_SEEN,
            "Certroll cannot read the settings of shop",
            id="settings were not read",
        ),
        pytest.param(
            over(sites=(site(), site("lost", webspace=None))),
            Reason.NOT_SEEN,
            "Certroll cannot read the settings of lost",
            id="a site is nowhere",
        ),
        pytest.param(
            over(copies=(OURS,)),
            Reason.NOT_PROVEN,
            "the current version is not in its webspace",
            id="the new one is not",
        ),
        pytest.param(
            over(rollout=rollout(record(SiteState.UNPROVEN, at=LONG_AGO))),
            Reason.NOT_PROVEN,
            "Certroll did not see shop use the current version",
            id="nobody saw it served",
        ),
        pytest.param(
            over(rollout=rollout(record(SiteState.FAILED, at=LONG_AGO))),
            Reason.NOT_PROVEN,
            "use the current version",
            id="another one is served",
        ),
        pytest.param(over(rollout=rollout()), Reason.NOT_PROVEN, "use the current version", id="the journal was lost"),
        pytest.param(
            over(settings=(named(NEW),), rollout=replace(PROVEN, rolls=(roll(RollState.UNPROVEN, at=LONG_AGO),))),
            Reason.NOT_PROVEN,
            "use the current version",
            id="an app proved nothing",
        ),
        pytest.param(over(lineage=lineage(current=None)), None, "", id="no version is good"),
        pytest.param(
            over(lineage=lineage(version(created=NOW - 20 * DAY), old_version())),
            Reason.IN_GRACE,
            "CERTROLL_DELETE_GRACE keeps it until 2026-12-01 12:00 UTC",
            id="the new version is younger than the grace",
        ),
        pytest.param(
            over(rollout=rollout(replace(record(SiteState.PROVEN, at=NOW - HOUR), last_good=(binding(),)))),
            Reason.IN_GRACE,
            "keeps it until 2026-12-21 11:00 UTC",
            id="what showed it last has only just moved",
        ),
        pytest.param(
            over(settings=(named(NEW),), rollout=replace(PROVEN, rolls=(roll(RollState.VALIDATED, at=NOW - HOUR),))),
            Reason.IN_GRACE,
            "keeps it until 2026-12-21 11:00 UTC",
            id="an app that named it has only just moved",
        ),
        pytest.param(
            over(OURS, copy("kv", OLD, source=OTHER_REF)),
            Reason.STILL_USED,
            "it may belong to another vault certificate",
            id="it may be another vault certificate's",
        ),
    ],
)
def test_doubt_keeps_it(seen: Snapshot, reason: Reason | None, detail: str) -> None:
    """Certroll keeps an old uploaded certificate in each listed doubtful case, and gives the reason."""
    items = [item for item in judged(seen) if OURS.ref.name in item.subject]
    if reason is None:
        assert items == []
        return
    (skip,) = items
    assert isinstance(skip, Skip)
    assert skip.reason is reason
    assert detail in skip.detail


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(over(copy("imported", OLD)), id="an import, which a sync renews"),
        pytest.param(over(replace(OURS, thumbprint=NEW)), id="the current version"),
        pytest.param(over(replace(OURS, thumbprint=OLDER)), id="what is no version of the lineage"),
        pytest.param(over(replace(OURS, thumbprint=None)), id="a managed certificate"),
    ],
)
def test_other_certificates_are_no_matter_of_this(seen: Snapshot) -> None:
    """Certroll considers only uploaded certificates of superseded versions for deletion."""
    assert reasons(seen) == []


PUBLIC = replace(OURS, ref=CopyRef.of_site(site_ref(), f"certroll-kv-shop-shop-{OLD.lower()}", public=True), tags=())
NEW_PUBLIC = replace(PUBLIC, ref=CopyRef.of_site(site_ref(), "certroll-new", public=True), thumbprint=NEW)
OF_ONE_SITE = CopyRef.of_site(site_ref(), OURS.ref.name, public=False)


def test_public_certificate_of_a_site_goes_as_well() -> None:
    """Certroll deletes an old public certificate of a site although another site names its thumbprint.

    Certroll deletes a site's old public certificate only if the site has the new version as a public certificate, too.
    """
    others = (named(), replace(named(site="api"), mentions=mentions(OLD)))
    seen = over(PUBLIC, NEW_PUBLIC, sites=(site(), site("api")), settings=others)
    assert reasons(seen) == [Reason.SUPERSEDED]
    assert reasons(over(PUBLIC)) == [Reason.NOT_PROVEN]
    assert reasons(over(PUBLIC, NEW_PUBLIC, settings=mentioning(OLD))) == [Reason.STILL_USED]
    assert reasons(over(PUBLIC, NEW_PUBLIC, settings=())) == [Reason.NOT_SEEN]


def test_public_certificate_that_people_uploaded_stays_by_default() -> None:
    """Certroll by default keeps a public certificate whose name does not have the form of Certroll's names."""
    theirs = replace(PUBLIC, ref=CopyRef.of_site(site_ref(), "certroll-like", public=True))
    used = replace(PROVEN, rolls=(roll(RollState.VALIDATED, at=LONG_AGO, replaces=()),))
    found = judged(over(theirs, NEW_PUBLIC, PUBLIC, settings=(named(NEW),), rollout=used), APPLY)
    assert {item.subject.split(" ")[1]: item.reason for item in found} == {
        "shop/certroll-like": Reason.NOT_OURS,
        f"shop/certroll-kv-shop-shop-{OLD.lower()}": Reason.SUPERSEDED,
    }


def test_upload_of_one_site_goes_by_what_that_site_does() -> None:
    """Only the site itself can prevent the deletion of a certificate that serves only one Flex Consumption site."""
    own = replace(OURS, ref=OF_ONE_SITE)
    new = replace(own, ref=CopyRef.of_site(site_ref(), "new", public=False), thumbprint=NEW)
    flex = replace(site(), flex=True)
    neighbour = binding("old.contoso.com", site="api")
    assert reasons(over(own, new, sites=(flex, site("api")), bindings=(*MOVED, neighbour))) == [Reason.SUPERSEDED]
    assert reasons(over(own, new, sites=(flex,), bindings=(*MOVED, binding("a.contoso.com")))) == [Reason.STILL_USED]


def test_elsewhere_it_may_be_used() -> None:
    """The use of a thumbprint in one webspace prevents no deletion of the certificate in another webspace."""
    north = site("north", webspace=NORTH)
    seen = over(
        sites=(site(), north),
        bindings=(*MOVED, binding(site="north")),
        settings=(named(), replace(named(site="north"), mentions=mentions(OLD))),
    )
    assert reasons(seen) == [Reason.SUPERSEDED]


def test_expired_one_is_not_kept_for_apps_that_load_everything() -> None:
    """Certroll deletes an expired uploaded certificate even if an app of its webspace loads all certificates."""
    expired = replace(OURS, not_after=NOW - HOUR)
    assert reasons(over(expired, settings=(named(everything=True),))) == [Reason.SUPERSEDED]


def test_what_people_uploaded_stays_unless_they_say_so() -> None:
    """Certroll by default deletes only uploads with its own tag; an upload with only a similar name stays."""
    lookalike = replace(OURS, tags=())
    for kept in (THEIRS, lookalike):
        (skip,) = judged(over(kept), APPLY)
        assert skip.reason is Reason.NOT_OURS
    assert [item.reason for item in judged(over(), APPLY)] == [Reason.SUPERSEDED]


def test_certificate_whose_key_a_secret_never_had_is_not_its_to_delete() -> None:
    """Certroll deletes no uploaded private key for a vault secret that never held that key.

    Anybody can put another owner's public certificate into a vault secret, and later an own certificate.
    """
    claimed = replace(old_version(), bundle=bundled(KeyFound.NONE, (), None, ordered=True))
    seen = over(OURS, THEIRS, lineage=lineage(version(created=LONG_AGO), claimed))
    assert reasons(seen) == []
    assert not uploaded_to(seen)
    assert not uploaded_to(snapshot(lineage=lineage(version(), claimed), copies=(OURS, THEIRS)))
    assert uploaded_to(snapshot(copies=(OURS, THEIRS))) == {(WEST, None)}
    assert not looks_stale(seen, binding())
    assert reasons(over(PUBLIC, NEW_PUBLIC, lineage=lineage(version(created=LONG_AGO), claimed))) == [Reason.SUPERSEDED]


def test_hidden_things_are_named_in_their_order() -> None:
    """Certroll names the same unreadable resource in each run, whatever the order in which Azure lists resources."""
    spots = tuple(blind_spot(subject=f"site {letter}") for letter in "zmak")
    (skip,) = judged(over(blind_spots=spots))
    assert isinstance(skip, Skip)
    assert skip.detail.startswith("Certroll cannot read site a (")


def test_doubtful_sites_are_named_in_their_order() -> None:
    """Certroll lists the sites without proof of the new version in the same order in each run."""
    names = [f"s{number}" for number in range(20)]
    seen = over(
        sites=tuple(map(site, names)),
        bindings=tuple(binding(f"{name}.contoso.com", NEW, site=name) for name in names),
        settings=tuple(named(site=name) for name in names),
    )
    (skip,) = judged(seen)
    assert isinstance(skip, Skip)
    assert skip.detail.startswith(f"Certroll did not see {', '.join(sorted(names))} use ")


def test_neighbour_that_shows_another_version_keeps_nothing() -> None:
    """A site that shows neither the old nor the current version does not prevent the deletion of the old version."""
    seen = over(
        lineage=lineage(version(created=LONG_AGO), old_version(), old_version("v0", OLDER)),
        sites=(site(), site("other")),
        bindings=(*MOVED, binding("other.contoso.com", OLDER, site="other")),
        settings=(*QUIET, named(site="other")),
    )
    assert reasons(seen) == [Reason.SUPERSEDED]


def test_first_site_whose_settings_were_not_read_is_named() -> None:
    """If Certroll could not read the settings of several sites, it names the first of these sites in sorted order."""
    (skip,) = judged(over(sites=(site("z"), site("b"), site("m")), settings=(), bindings=()))
    assert isinstance(skip, Skip)
    assert skip.detail.startswith("Certroll cannot read the settings of b")


def test_site_that_has_its_own_has_to_prove_it() -> None:
    """Certroll deletes a certificate of one Flex Consumption site only once the site serves the new version."""
    own, new = (replace(seen, ref=CopyRef.of_site(site_ref(), seen.ref.name, public=False)) for seen in (OURS, SYNCED))
    world = over(sites=(replace(site(), flex=True),), copies=(new, own), rollout=rollout())
    (skip,) = judged(world)
    assert isinstance(skip, Skip)
    assert skip.reason is Reason.NOT_PROVEN


def test_neighbour_has_nothing_to_prove_for_what_one_site_has_to_itself() -> None:
    """Certroll deletes a certificate of one Flex Consumption site without proof from other sites.

    Certroll deletes a public certificate without proof from any binding.
    """
    own, new = (replace(seen, ref=CopyRef.of_site(site_ref(), seen.ref.name, public=False)) for seen in (OURS, SYNCED))
    sites = replace(site(), flex=True), site("other")
    shown = *MOVED, binding("other.contoso.com", NEW, site="other")
    assert reasons(over(sites=sites, bindings=shown, copies=(new, own))) == [Reason.SUPERSEDED]
    assert reasons(over(copies=(NEW_PUBLIC, PUBLIC), rollout=rollout())) == [Reason.SUPERSEDED]


def test_plan_shares_roots_in_an_environment_alone() -> None:
    """Certroll checks a plan's other apps before a public certificate's deletion only in an App Service Environment.

    Outside of an environment, an app cannot use the public certificate of another app of its plan.
    """
    sites = site(plan="/p"), site("mate", plan="/p")
    assert reasons(over(sites=sites, copies=(NEW_PUBLIC, PUBLIC))) == [Reason.SUPERSEDED]
    inside = tuple(replace(app, environment=ASE) for app in sites)
    assert reasons(over(sites=inside, copies=(NEW_PUBLIC, PUBLIC))) == [Reason.NOT_SEEN]


@pytest.mark.parametrize(("ends", "expected"), [(NOW, Reason.SUPERSEDED), (NOW + HOUR, Reason.STILL_USED)])
def test_expired_one_goes_at_its_end(ends: datetime, expected: Reason) -> None:
    """Certroll keeps an uploaded certificate for an app that loads all certificates until the second of its expiry."""
    assert reasons(over(replace(OURS, not_after=ends), settings=(named(everything=True),))) == [expected]


def test_public_certificate_of_a_site_that_is_gone_is_judged() -> None:
    """Certroll deletes the public certificate of a site that the snapshot no longer contains."""
    assert reasons(over(sites=(), bindings=(), settings=(), copies=(NEW_PUBLIC, PUBLIC))) == [Reason.SUPERSEDED]


def test_grace_counts_from_the_last_version_with_the_certificate() -> None:
    """If two old versions hold one certificate, Certroll waits from the moment when another certificate came."""
    twice = replace(old_version(), created=NOW - 20 * DAY), old_version("v0")
    seen = over(lineage=lineage(version(created=LONG_AGO), *twice))
    assert reasons(seen) == [Reason.SUPERSEDED]


def test_grace_counts_from_the_last_user_in_the_same_webspace() -> None:
    """A site or app that has only just moved in another webspace keeps no upload in this webspace."""
    elsewhere = replace(record(SiteState.PROVEN, at=NOW - HOUR), webspace=NORTH, last_good=(binding(),))
    late = replace(roll(RollState.VALIDATED, at=NOW - HOUR), webspace=NORTH, site=site_ref("far"))
    seen = over(
        rollout=replace(PROVEN, records=(*PROVEN.records, replace(elsewhere, site=site_ref("far"))), rolls=(late,))
    )
    assert reasons(seen) == [Reason.SUPERSEDED]


def test_grace_counts_from_a_site_that_showed_another_certificate_as_well() -> None:
    """A site that has just left the certificate starts the grace, even if its other host name showed another one."""
    shown = (binding(), binding("api.contoso.com", FOREIGN))
    moved = replace(record(SiteState.PROVEN, at=NOW - HOUR), last_good=shown)
    assert reasons(over(rollout=rollout(moved))) == [Reason.IN_GRACE]


def test_app_that_was_seen_to_use_it_starts_the_grace() -> None:
    """The waiting time before a deletion starts when Certroll first sees that an app no longer uses the certificate.

    The waiting time before a deletion also counts for an app that Certroll has not edited.
    """
    proven = roll(RollState.VALIDATED, at=NOW - HOUR, replaces=(), proven=(OLD,))
    seen = over(settings=(named(NEW),), rollout=replace(PROVEN, rolls=(proven,)))
    assert reasons(seen) == [Reason.IN_GRACE]


@pytest.mark.parametrize(
    ("proven", "moved", "since"),
    [
        pytest.param((NEW, OLD, OLDER), NOW - HOUR, NOW - 9 * DAY, id="the current version came before the roll"),
        pytest.param((NEW, OLD, OLDER), NOW - 12 * DAY, NOW - 12 * DAY, id="the app moved before that version came"),
        pytest.param((OLDER,), NOW - HOUR, NOW - HOUR, id="the app proved nothing since"),
        pytest.param((NEW, OLDER), NOW - HOUR, NOW - HOUR, id="the app came from it to the current version"),
    ],
)
def test_next_renewal_restarts_no_grace(proven: tuple[Thumbprint, ...], moved: datetime, since: datetime) -> None:
    """An app that moved twice begins the grace of the version that it left last, and not of the version before that."""
    versions = version(created=NOW - 9 * DAY), replace(old_version(), created=NOW - 60 * DAY), old_version("v0", OLDER)
    moving = roll(RollState.VALIDATED, at=moved, replaces=(), proven=proven)
    seen = over(
        replace(OURS, thumbprint=OLDER),
        lineage=lineage(*versions),
        settings=(named(NEW),),
        rollout=replace(PROVEN, rolls=(moving,)),
    )
    ((item,), until) = judged(seen), since + 30 * DAY
    assert item.reason is Reason.IN_GRACE
    assert f"{until:%Y-%m-%d %H:%M} UTC" in str(item)


def test_last_look_is_at_every_app_of_the_site() -> None:
    """Certroll checks a site and its slots in a fixed order before a deletion, because slots may swap settings."""
    own = replace(OURS, ref=OF_ONE_SITE)
    settings = named(slot="staging"), named()
    (step,) = delete_certificate.propose(over(own, settings=settings), APPLY)
    assert isinstance(step, Step)
    assert step.action == DeleteCertificate(own, (site_ref(), site_ref(slot="staging")))


def test_unused_webspace_proves_nothing_for_what_people_uploaded() -> None:
    """If no site or app of a webspace uses the current version, Certroll deletes only its own uploads there."""
    assert reasons(over(THEIRS, bindings=(), rollout=rollout())) == [Reason.NOT_PROVEN]
    assert reasons(over(OURS, bindings=(), rollout=rollout())) == [Reason.SUPERSEDED]


def test_so_many_go_at_a_time() -> None:
    """Certroll deletes at most the configured number of uploads in a run, so that a mistake deletes only few."""
    many = tuple(replace(OURS, ref=replace(OURS.ref, name=f"certroll-{number}")) for number in range(4))
    found = judged(over(*many), replace(EVERYTHING, max_deletes=2))
    assert [item.reason for item in found] == [Reason.SUPERSEDED] * 2 + [Reason.ENOUGH_DELETED] * 2
    assert [item.reason for item in judged(over(), replace(EVERYTHING, max_deletes=0))] == [Reason.ENOUGH_DELETED]


def test_older_ones_do_not_wait_for_the_newest() -> None:
    """Certroll deletes an upload that was superseded long ago, although a newer version has just come.

    Certroll keeps the uploaded certificate of the last good version.
    """
    three = lineage(version(), old_version(), replace(old_version("v0", OLDER), created=NOW - 100 * DAY), current=0)
    older = replace(OURS, ref=replace(OURS.ref, name="certroll-older"), thumbprint=OLDER)
    moved = rollout(replace(record(SiteState.PROVEN, at=NOW - HOUR), last_good=(binding(),)))
    found = judged(over(older, OURS, lineage=three, rollout=moved))
    assert [(item.reason, item.subject.split("/")[1].split(" ")[0]) for item in found] == [
        (Reason.SUPERSEDED, "certroll-older"),
        (Reason.IN_GRACE, "certroll-shop-b"),
    ]


def test_nothing_goes_while_something_moves_there() -> None:
    """Certroll deletes no upload in an App Service webspace that another step of the plan changes.

    A plan's step that changes a binding may need the old certificate to undo the change.
    """
    moving = Step(UpdateBinding(binding(), NEW, WEST), Reason.STALE_THUMBPRINT)
    elsewhere = Step(UpdateBinding(binding(), NEW, NORTH), Reason.STALE_THUMBPRINT)
    step = Step(DeleteCertificate(OURS, ()), Reason.SUPERSEDED)
    assert still_needed.guard(Plan((elsewhere, step)), over(), EVERYTHING).steps == (elsewhere, step)
    (skip,) = still_needed.guard(Plan((moving, step)), over(), EVERYTHING).skips
    assert (skip.reason, skip.detail) == (
        Reason.NOT_PROVEN,
        "a step of this plan still brings something in that webspace to the current version",
    )


@pytest.mark.parametrize("holder", ["app", "site"])
def test_a_hold_is_named_where_nothing_moves(holder: str) -> None:
    """While a version is on hold, the refusal to delete an upload names the hold instead of a step of the plan.

    The upload stays, as without the hold.
    """
    moving = Step(UpdateBinding(binding(), NEW, WEST), Reason.STALE_THUMBPRINT)
    step = Step(DeleteCertificate(OURS, ()), Reason.SUPERSEDED)
    rolls = (roll(RollState.ROLLED_BACK, at=LONG_AGO),) if holder == "app" else ()
    records = (record(SiteState.FAILED, at=LONG_AGO),) if holder == "site" else ()
    held = over(rollout=replace(PROVEN, records=records, rolls=rolls))
    (skip,) = still_needed.guard(Plan((moving, step)), held, EVERYTHING).skips
    assert (skip.reason, skip.detail) == (
        Reason.NOT_PROVEN,
        "the current version is on hold, so something in that webspace still uses an older version",
    )


def test_binding_that_is_spared_keeps_what_it_shows() -> None:
    """Certroll keeps an old certificate that a host name of a site with the tag `certroll: off` still shows."""
    excluded = over(sites=(replace(site(), tags=OFF),), bindings=(binding(),))
    plan = planner.plan(excluded, EVERYTHING)
    assert plan.steps == ()
    assert Reason.STILL_USED in [skip.reason for skip in plan.skips if OURS.ref.name in skip.subject]


def test_deletion_is_projected() -> None:
    """The snapshot predicted for a deletion lacks the upload, and Certroll then proposes nothing."""
    after = DeleteCertificate(OURS, ()).project(over())
    assert OLD not in live_in(after, WEST)
    assert reasons(after) == []


def test_blind_spot_needs_no_person_for_what_is_superseded() -> None:
    """A superseded upload that stays because of an unreadable resource does not make the run's outcome `Stalled`."""
    plan = planner.plan(over(blind_spots=(blind_spot(),)), EVERYTHING)
    assert {skip.reason for skip in plan.skips} == {Reason.NOT_SEEN}
    assert not Reason.NOT_SEEN.stalls


# ---------------------------------------------------------------------------------------------------- the last step

GONE = NotFound("there is no such certificate")
DELETE = DeleteCertificate(OURS, (site_ref(),))


def test_deletion_is_made_once_and_waited_for() -> None:
    """Certroll reads the app settings once more, deletes the upload once, and waits until Azure no longer shows it."""
    azure = RecordingAppService(copies=[OURS, OURS, OURS, GONE], seen=[app_settings({"A": "1"})])
    assert DELETE.perform(ports(azure, ManualClock()))
    assert azure.writes == [("delete", OURS.ref)]
    assert azure.asked == ["settings"]
    assert azure.copies == [GONE]


def test_what_is_gone_is_not_deleted_again() -> None:
    """Certroll writes nothing if the upload is already gone."""
    azure = RecordingAppService(copies=[GONE])
    assert not DELETE.perform(ports(azure, ManualClock()))
    assert azure.writes == []


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(replace(OURS, thumbprint=NEW), id="somebody put another certificate there"),
        pytest.param(copy("certroll-shop-b", OLD), id="somebody imported it"),
        pytest.param(replace(OURS, webspace=NORTH), id="it is in another webspace"),
    ],
)
def test_what_has_changed_is_not_deleted(seen: WebspaceCertificate) -> None:
    """Certroll refuses to delete an upload that changed after Certroll planned the deletion."""
    azure = RecordingAppService(copies=[seen])
    with pytest.raises(Conflict, match="changed since Certroll observed it"):
        DELETE.perform(ports(azure, ManualClock()))
    assert azure.writes == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(OLD, id="whole"),
        pytest.param(f"/var/ssl/private/{OLD.lower()}.p12", id="a path"),
        pytest.param(f'{{"cert": "{OLD}"}}', id="inside JSON"),
        pytest.param(":".join(OLD[i : i + 2] for i in range(0, 40, 2)), id="with colons"),
        pytest.param(" ".join(OLD[i : i + 2] for i in range(0, 40, 2)).lower(), id="with blanks"),
    ],
)
def test_app_that_has_come_to_name_it_keeps_it(value: str) -> None:
    """Certroll refuses the deletion if an app setting now contains the thumbprint, in any tested spelling.

    Azure itself would delete a certificate even if an app setting names the certificate.
    """
    azure = RecordingAppService(copies=[OURS], seen=[app_settings({"SOMETHING": value})])
    with pytest.raises(Conflict, match="the settings of shop name the upload now"):
        DELETE.perform(ports(azure, ManualClock()))
    assert azure.writes == []


def living(life: timedelta, *, born: datetime = NOW - 60 * DAY, left: timedelta = timedelta(0)) -> Snapshot:
    """Return a snapshot in which the old certificate lives as long as given, and went out of use some time ago."""
    old = replace(old_version(), not_before=born, not_after=born + life)
    return over(lineage=lineage(version(created=NOW - left), old))


@pytest.mark.parametrize(
    ("life", "grace", "what"),
    [
        pytest.param(45 * DAY, 15 * DAY, "a third of its life as CERTROLL_DELETE_GRACE keeps", id="45 days"),
        pytest.param(90 * DAY, 30 * DAY, "CERTROLL_DELETE_GRACE keeps", id="90 days"),
        pytest.param(397 * DAY, 30 * DAY, "CERTROLL_DELETE_GRACE keeps", id="a year"),
        pytest.param(HOUR / 60, timedelta(seconds=20), "a third of its life", id="a minute"),
        pytest.param(timedelta(0), 30 * DAY, "CERTROLL_DELETE_GRACE keeps", id="no time at all"),
        pytest.param(-900 * DAY, 30 * DAY, "CERTROLL_DELETE_GRACE keeps", id="it ends before it begins"),
    ],
)
def test_grace_is_at_most_a_third_of_the_life(life: timedelta, grace: timedelta, what: str) -> None:
    """Certroll deletes a short-lived upload a third of its life after its last use; without a known life, later."""
    (kept,), (gone,) = judged(living(life, left=grace - timedelta(seconds=1))), judged(living(life, left=grace))
    assert isinstance(kept, Skip)
    assert kept.reason is Reason.IN_GRACE
    assert kept.detail.startswith(what)
    assert f"until {NOW:%Y-%m-%d %H:%M} UTC" in kept.detail
    assert gone.reason is Reason.SUPERSEDED


def test_a_life_without_a_beginning_shortens_no_grace() -> None:
    """Certroll waits the whole grace where the vault does not show when the old certificate's life began or ended."""
    unknown = datetime(1970, 1, 1, tzinfo=UTC)
    for begins, ends in [(unknown, NOW), (NOW, unknown), (unknown, unknown)]:
        seen = living(ends - begins, born=begins, left=29 * DAY)
        assert reasons(seen) == [Reason.IN_GRACE]


def test_one_certificate_in_two_versions_has_the_longer_life() -> None:
    """If two versions of the vault hold the old certificate with other dates, the longer life gives the grace."""
    short = replace(old_version(), not_before=NOW - 60 * DAY, not_after=NOW - 59 * DAY)
    long = replace(short, version="v0", not_after=NOW - 15 * DAY)
    for versions in [(short, long), (long, short)]:
        assert reasons(over(lineage=lineage(version(created=NOW - 14 * DAY), *versions))) == [Reason.IN_GRACE]
        assert reasons(over(lineage=lineage(version(created=NOW - 15 * DAY), *versions))) == [Reason.SUPERSEDED]


@pytest.mark.parametrize(
    "needed",
    [
        pytest.param({"bindings": (binding(), *MOVED)}, id="a host name is bound"),
        pytest.param({"settings": mentioning(OLD)}, id="a setting mentions it"),
        pytest.param({"settings": ()}, id="settings were not read"),
        pytest.param({"blind_spots": (blind_spot(),)}, id="a site is hidden"),
        pytest.param({"rollout": rollout()}, id="the journal was lost"),
        pytest.param({"copies": (OURS,)}, id="the new version is not in its webspace"),
    ],
)
def test_life_of_a_minute_lets_nothing_go_that_is_needed(needed: dict[str, object]) -> None:
    """Certroll keeps an upload with an absurdly short life as long as anything may need it."""
    seen = living(HOUR / 60, left=HOUR)
    assert reasons(seen) == [Reason.SUPERSEDED]
    kept = over(**{"lineage": seen.lineage, **needed})
    assert not {Reason.SUPERSEDED, Reason.IN_GRACE} & set(reasons(kept))


def test_grace_is_the_operators() -> None:
    """Certroll deletes a superseded upload sooner if the operator sets a shorter waiting time."""
    seen = over(lineage=lineage(version(created=NOW - 2 * DAY), old_version()), rollout=PROVEN)
    intent = replace(EVERYTHING, delete_grace=timedelta(days=1))
    assert [item.reason for item in judged(seen, intent)] == [Reason.SUPERSEDED]
