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
TAGS: tuple[Tags, ...] = ((), (), (), (), (), OFF, (("Certroll", " on "),), (("team", "web"),))

SHOWN = (OLDER, OLD, OLD, OLD, NEW, NEWER, FOREIGN, None)
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
        version("", thumbprint, created=NOW - days * DAY, not_after=end, facts=said)
        for thumbprint, days, end, said in product((OLDER, OLD, OLD, NEW, NEW, NEWER), (1, 2), ENDS, FACTS)
    ]
)
made_bindings = {
    name: st.sampled_from(
        [
            Binding(BARE, HostName(name), state, thumbprint, "203.0.113.7" if state is SslState.IP_BASED else None)
            for thumbprint, state in product(SHOWN, SslState)
        ]
    )
    for name in NAMES
}
made_copies = st.sampled_from(
    [
        copy("", thumbprint, webspace=place, host_names=covered, not_after=end, source=source)
        for thumbprint, place, covered, end, source in product(
            SHOWN, (WEST, WEST, *PLACES), COVERED, (*ENDS, None), (REF, REF, REF, REF, OTHER_REF, None)
        )
    ]
)
places_and_tags = st.sampled_from(list(product((WEST, WEST, WEST, NORTH, EAST, None), TAGS)))
some_sites = st.sampled_from([some for count in (0, 1, 2, 2, 3, 3) for some in combinations(REFS, count)])
some_names = st.sampled_from([some for count in range(3) for some in combinations(NAMES, count)])


@st.composite
def versions(draw: st.DrawFn) -> tuple[CertificateVersion, ...]:
    """Return two to four versions, newest first, some of one second and some of one thumbprint."""
    made = draw(st.lists(made_versions, min_size=2, max_size=4))
    return newest_first(tuple(replace(v, version=f"v{number}") for number, v in enumerate(made)), "v0")


@st.composite
def lineages(draw: st.DrawFn) -> Lineage:
    """Return a lineage whose newest version is mostly the current one, and else refused."""
    found = draw(versions())
    position = draw(st.sampled_from((0, 0, 0, 0, 0, 1, 2, None)))
    if position is None or position >= len(found):
        return Lineage(REF, found, None, REFUSED)
    return Lineage(
        REF, found, found[position], REFUSED if position else None, draw(st.sampled_from(((), (), (), (), (), OFF)))
    )


@st.composite
def sites(draw: st.DrawFn) -> tuple[Site, ...]:
    """Return sites and slots, some of whose webspace Azure does not say."""
    chosen = ((name, slot, draw(places_and_tags)) for name, slot in draw(some_sites))
    return tuple(site(name, slot, webspace=place, tags=tags) for name, slot, (place, tags) in chosen)


@st.composite
def bindings(draw: st.DrawFn, seen: tuple[Site, ...]) -> tuple[Binding, ...]:
    """Return up to two bindings of each site."""
    return tuple(replace(draw(made_bindings[name]), site=one.ref) for one in seen for name in draw(some_names))


@st.composite
def copies(draw: st.DrawFn) -> tuple[WebspaceCertificate, ...]:
    """Return one to four copies, some of another source, some in one webspace."""
    made = draw(st.lists(made_copies, min_size=1, max_size=4))
    return tuple(replace(one, ref=replace(one.ref, name=f"copy-{number}")) for number, one in enumerate(made))


farms: st.SearchStrategy[tuple[ServerFarm, ...]] = st.sampled_from((*[tuple(map(farm, PLACES))] * 4, (farm(WEST),), ()))
blind_spots: st.SearchStrategy[tuple[BlindSpot, ...]] = st.sampled_from(
    (*[()] * 6, (blind_spot(WEST),), (blind_spot(NORTH), blind_spot(EAST)), (blind_spot(None),))
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
def worlds(draw: st.DrawFn, rollouts: st.SearchStrategy[Rollout] = rollouts) -> Snapshot:
    """Return a world in which anything may be the matter."""
    seen = draw(sites())
    return snapshot(
        lineage=draw(lineages()),
        sites=seen,
        bindings=draw(bindings(seen)),
        copies=draw(copies()),
        plans=draw(farms),
        blind_spots=draw(blind_spots),
        rollout=draw(rollouts),
    )


@st.composite
def healthy_worlds(draw: st.DrawFn) -> Snapshot:
    """Return a world in which nothing is in the way: each site's webspace holds a copy, and all names are covered."""
    seen = tuple(site(name, slot, webspace=draw(st.sampled_from(PLACES))) for name, slot in draw(some_sites))
    found = draw(versions())
    current = replace(found[0], facts=facts(*NAMES))
    return snapshot(
        lineage=Lineage(REF, (current, *found[1:]), current),
        sites=seen,
        bindings=draw(bindings(seen)),
        copies=tuple(
            replace(draw(made_copies), ref=copy(str(place)).ref, webspace=place, source=REF) for place in PLACES
        ),
        rollout=draw(opened),
    )


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
