"""Random worlds that lean to boundaries.

Few names, few thumbprints and few moments, so that they meet: versions that share a thumbprint, sites beside their
slots, two copies in one webspace, stale, newer, unknown and hidden thumbprints, blind spots, opt-outs, refused
versions, certificates at the very edge of their last 72 hours.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations, product

from hypothesis import strategies as st

from shared.domain.lineage import Lineage, Refusal, newest_first
from shared.domain.model import (
    Binding,
    BlindSpot,
    CertificateVersion,
    KeyType,
    ServerFarm,
    Site,
    SslState,
    Tags,
    WebspaceCertificate,
)
from shared.domain.names import HostName, SiteRef, Thumbprint, VaultCertificateRef
from shared.domain.plan import Intent, Mode
from shared.domain.reason import Reason
from shared.domain.rollout import URGENT, Rollout, SiteState
from shared.domain.snapshot import Snapshot
from tests.build import (
    APPLY,
    DAY,
    EAST,
    FOREIGN,
    FRESH,
    HOST,
    HOUR,
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
    SUBSCRIPTION,
    WEST,
    blind_spot,
    copy,
    facts,
    farm,
    record,
    rollout,
    site,
    site_ref,
    snapshot,
    version,
)

NAMES: tuple[str, ...] = (HOST, "*.contoso.com", "deep.shop.contoso.com", "other.fabrikam.com")
PLACES = (WEST, NORTH, EAST)
REFS = (("shop", None), ("shop", "staging"), ("api", None), ("api", "staging"), ("web", None))
ENDS = (NOW + URGENT - timedelta(seconds=1), NOW + URGENT, NOW + 30 * DAY, NOW - HOUR)
REFUSED = Refusal(Reason.NEWLY_SELF_SIGNED, "it is self-signed and the version before it was not")
TROUBLES = ("version", "tags", "places", "copies", "plans", "view")
TAGS: tuple[Tags, ...] = ((), (), OFF, (("Certroll", " on "),), (("team", "web"),))

SHOWN = (OLDER, OLD, OLD, OLD, OLD, NEW, NEWER, FOREIGN, None)
COVERED = ((HOST,), ("*.contoso.com",), NAMES[:2], NAMES)
FACTS = (
    facts(*NAMES),
    facts(*NAMES[:2]),
    facts("*.contoso.com", key_size=4096),
    facts("*.contoso.com"),
    facts(),
    facts("shop.contoso.com", "deep.shop.contoso.com"),
    facts(*NAMES, key_size=1024),
    facts(*NAMES, key_type=KeyType.EC, key_size=256),
    None,
)
BARE = site_ref("bare")

# Each list holds every combination: one draw is much cheaper than one for each part.
made_versions = st.sampled_from(
    [
        version("", created=NOW - days * DAY, not_after=end, facts=said)
        for days, end, said in product((1, 2), ENDS, FACTS)
    ]
)
successions = st.sampled_from(
    (
        (NEW, OLD),
        (NEW, OLD, OLDER),
        (NEW, OLD, OLD),
        (NEW, NEW, OLD),
        (NEW, OLD, NEW, OLDER),
        (NEWER, NEW, OLD),
        (OLD, NEW, OLD, OLDER),
        (NEW,),
    )
)
made_bindings = {
    name: st.sampled_from(
        [
            Binding(BARE, HostName(name), state, thumbprint, "203.0.113.7" if state is SslState.IP_BASED else None)
            for thumbprint, state in product(SHOWN, (*SslState, SslState.SNI))
        ]
    )
    for name in NAMES
}
made_copies = st.sampled_from(
    [
        copy("", thumbprint, webspace=place, host_names=covered, not_after=end, source=source)
        for thumbprint, place, covered, end, source in product(
            SHOWN, (WEST, *PLACES), COVERED, (*ENDS, None), (REF, REF, OTHER_REF, None)
        )
    ]
)
places = st.sampled_from((WEST, WEST, NORTH, EAST))
odd_places = st.sampled_from((WEST, WEST, NORTH, EAST, None))
odd_tags = st.sampled_from(TAGS)
some_troubles = st.sampled_from(
    [frozenset(some) for count in (0, 0, 0, 0, 0, 0, 1, 1, 2) for some in combinations(TROUBLES, count)]
    + [frozenset(TROUBLES)] * 3
)
some_sites = st.sampled_from([some for count in (1, 2, 2, 3, 3) for some in combinations(REFS, count)])
some_names = st.sampled_from([some for count in (1, 2) for some in (*combinations(NAMES, count), ())])


@st.composite
def versions(draw: st.DrawFn) -> tuple[CertificateVersion, ...]:
    """Return one to four versions, newest first, some of one second and some of one thumbprint."""
    made = tuple(
        replace(draw(made_versions), version=f"v{number}", thumbprint=thumbprint)
        for number, thumbprint in enumerate(draw(successions))
    )
    return newest_first(made, "v0")


@st.composite
def good_lineages(draw: st.DrawFn) -> Lineage:
    """Return a lineage whose newest version is good for everything."""
    newest, *others = draw(versions())
    current = replace(newest, facts=facts(*NAMES))
    return Lineage(REF, (current, *others), current)


@st.composite
def odd_lineages(draw: st.DrawFn) -> Lineage:
    """Return a lineage whose newest version may be refused, or good for few things only."""
    found = draw(versions())
    position = draw(st.sampled_from((0, 0, 0, 0, 1, 2, None)))
    if position is None or position >= len(found):
        return Lineage(REF, found, None, REFUSED)
    return Lineage(REF, found, found[position], REFUSED if position else None)


@st.composite
def bindings(draw: st.DrawFn, seen: tuple[Site, ...]) -> tuple[Binding, ...]:
    """Return up to two bindings of each site."""
    return tuple(replace(draw(made_bindings[name]), site=one.ref) for one in seen for name in draw(some_names))


@st.composite
def good_copies(draw: st.DrawFn) -> tuple[WebspaceCertificate, ...]:
    """Return one imported copy in each webspace."""
    return tuple(replace(draw(made_copies), ref=copy(str(place)).ref, webspace=place, source=REF) for place in PLACES)


@st.composite
def odd_copies(draw: st.DrawFn) -> tuple[WebspaceCertificate, ...]:
    """Return copies of any source anywhere, several in one webspace and none in another."""
    made = draw(st.lists(made_copies, max_size=3))
    odd = tuple(replace(one, ref=replace(one.ref, name=f"copy-{number}")) for number, one in enumerate(made))
    return (*draw(good_copies()), *odd) if draw(st.booleans()) else odd


odd_farms: st.SearchStrategy[tuple[ServerFarm, ...]] = st.sampled_from(((farm(WEST),), ()))
odd_views: st.SearchStrategy[tuple[BlindSpot, ...]] = st.sampled_from(
    ((blind_spot(WEST),), (blind_spot(NORTH), blind_spot(EAST)), (blind_spot(None),))
)
known = st.sampled_from(
    [
        record(state, webspace=place, at=NOW - age)
        for state, place, age in product(
            SiteState, PLACES, (timedelta(0), timedelta(minutes=15), HOUR - timedelta(seconds=1), HOUR, DAY)
        )
    ]
)
fresh = st.just(FRESH)
opened = st.sampled_from(PLACES).map(lambda place: rollout(record(SiteState.PROVEN, webspace=place), first=place))
closed = st.sampled_from(PLACES).map(
    lambda place: rollout(record(SiteState.PENDING, webspace=place, at=NOW), first=place)
)
started = st.builds(
    lambda place, records: rollout(*records, first=place), st.sampled_from(PLACES), st.lists(known, max_size=3)
)
failed = started.map(
    lambda seen: replace(seen, records=(*seen.records, record(SiteState.FAILED, site="bad", detail="seen")))
)
rollouts = st.one_of(fresh, opened, opened, closed, started)
intents: st.SearchStrategy[Intent] = st.sampled_from(
    (
        APPLY,
        Intent(mode=Mode.APPLY, own_site="shop", own_subscription=SUBSCRIPTION),
        Intent(mode=Mode.APPLY, stage_soak=timedelta(0)),
    )
)


@st.composite
def worlds(
    draw: st.DrawFn,
    rollouts: st.SearchStrategy[Rollout] = rollouts,
    troubles: st.SearchStrategy[frozenset[str]] = some_troubles,
) -> Snapshot:
    """Return a world in which few things are the matter, or all at once: so that plans have steps, and refusals."""
    trouble = draw(troubles)
    seen = tuple(
        site(
            name,
            slot,
            webspace=draw(odd_places if "places" in trouble else places),
            tags=draw(odd_tags) if "tags" in trouble else (),
        )
        for name, slot in draw(some_sites)
    )
    return snapshot(
        lineage=draw(odd_lineages() if "version" in trouble else good_lineages()),
        sites=seen,
        bindings=draw(bindings(seen)),
        copies=draw(odd_copies() if "copies" in trouble else good_copies()),
        plans=draw(odd_farms) if "plans" in trouble else PLANS,
        blind_spots=draw(odd_views) if "view" in trouble else (),
        rollout=draw(rollouts),
    )


@st.composite
def contested_worlds(draw: st.DrawFn) -> Snapshot:
    """Return a world in which another vault certificate's copy holds an old version, too."""
    world = draw(worlds(opened, st.just(frozenset())))
    theirs = copy("theirs", draw(st.sampled_from((OLD, OLDER))), webspace=draw(places), source=OTHER_REF)
    return replace(world, fleet=replace(world.fleet, certificates=(*world.fleet.certificates, theirs)))


def old(world: Snapshot, binding: Binding) -> bool:
    """Say whether a binding shows only versions older than the current one, or what a copy of a recreated one held."""
    current = world.lineage.current
    if current is None or binding.ssl_state is SslState.DISABLED:
        return False
    ages = [age for age, v in enumerate(world.lineage.versions) if v.thumbprint == binding.thumbprint]
    if ages:
        return min(ages) > world.lineage.versions.index(current)
    return binding.thumbprint is not None and REF in sources(world, binding)


def sources(world: Snapshot, binding: Binding) -> set[VaultCertificateRef | None]:
    """Return where the copies come from that hold a binding's thumbprint in its webspace."""
    places = {one.webspace for one in world.fleet.sites if one.ref == binding.site}
    return {c.source for c in world.fleet.certificates if c.thumbprint == binding.thumbprint and c.webspace in places}


def opted_out(world: Snapshot, ref: SiteRef | None) -> bool:
    """Say whether operators took a site out, by the rule as people know it: its own tag, else its site's."""
    for candidate in (ref, ref.production if ref else None):
        found = next((one for one in world.fleet.sites if one.ref == candidate), None)
        said = (
            [value.strip().lower() for key, value in found.tags if key.strip().lower() == "certroll"] if found else []
        )
        if said:
            return said[0] == "off"
    return False


def live(world: Snapshot, thumbprint: Thumbprint | None, ref: SiteRef) -> bool:
    """Say whether a certificate is in the webspace of a site."""
    places = {one.webspace for one in world.fleet.sites if one.ref == ref}
    return any(one.thumbprint == thumbprint and one.webspace in places for one in world.fleet.certificates)
