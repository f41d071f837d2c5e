"""Draw random snapshots of vaults and App Service for the property tests, with many values at boundaries.

The strategies draw from few names, thumbprints and times, so that equal values meet. Two versions of a vault
certificate may share a thumbprint, and a webspace (App Service's place for certificates) may have two certificates.
Thumbprints are stale, newer, unknown or hidden. Some drawn certificates expire in exactly 72 hours, which is a limit of
Certroll's rules. App settings name thumbprints in every form that Certroll reads.
"""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import combinations, product

from hypothesis import strategies as st

from shared.domain.certificates.lineage import Lineage, Refusal, newest_first
from shared.domain.certificates.urgency import URGENT
from shared.domain.certificates.version import CertificateVersion, KeyType
from shared.domain.fleet.app_settings import LOAD_LIST, AppSettings, SettingEdit, SiteSettings
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import BlindSpot, Fleet
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.fleet.sites import ServerFarm, Site
from shared.domain.intent import Intent, Mode
from shared.domain.names import HostName, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.restart_window import RestartWindow
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import HOLDING, RollRecord, RollState
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from tests.build import (
    AGAIN,
    APPLY,
    ASE,
    DAY,
    EARLY,
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
    version,
)

NAMES: tuple[str, ...] = (HOST, "*.contoso.com", "deep.shop.contoso.com", "other.fabrikam.com")
PLACES = (WEST, NORTH, EAST)
REFS = (("shop", None), ("shop", "staging"), ("api", None), ("api", "staging"), ("web", None))
ENDS = (NOW + URGENT - timedelta(seconds=1), NOW + URGENT, NOW + 30 * DAY, NOW - HOUR)
REFUSED = Refusal(Reason.NEWLY_SELF_SIGNED, "it is self-signed and the version before it was not")
TROUBLES = ("version", "tags", "places", "copies", "plans", "view")
PROBES = ("/health 200 {thumbprint}", "/health", "no path")
ASKING = (("certroll-restart", "on"), ("certroll-retire", "On"))
TAGS: tuple[Tags, ...] = ((), (), OFF, (("Certroll", " on "),), (("team", "web"),), (*OFF, *ASKING))
APP_TAGS: tuple[Tags, ...] = (
    (),
    (),
    *(((("certroll-probe", probe)),) for probe in PROBES),
    ASKING,
    (("certroll-probe", PROBES[0]), *ASKING),
)
SECRET = Thumbprint("5EC2E7" * 6 + "5EC2")
"""A setting's value of 40 hex digits that is no certificate's thumbprint, and may be a password."""

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

# Each list of examples holds every combination of parts, because Hypothesis draws one finished example faster than its
# parts.
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
    name: [
        Binding(BARE, HostName(name), state, thumbprint, "203.0.113.7" if state is SslState.IP_BASED else None)
        for thumbprint, state in product(SHOWN, (*SslState, SslState.SNI))
    ]
    for name in NAMES
}
BOUND_ONCE = [[(made,) for made in made_bindings[name]] for name in NAMES]
BOUND_TWICE = [list(product(made_bindings[name], made_bindings[other])) for name, other in combinations(NAMES, 2)]
AS_OFTEN = len(BOUND_TWICE[0]) // len(BOUND_ONCE[0])
some_bindings: st.SearchStrategy[tuple[Binding, ...]] = st.sampled_from(
    [
        *[()] * (2 * len(BOUND_TWICE[0])),
        *[made for found in BOUND_ONCE for made in found for _ in range(AS_OFTEN)],
        *[made for found in BOUND_TWICE for made in found],
    ]
)
"""Up to two TLS bindings without a site.

A host name and a pair of host names are equally likely, and so are the bindings of each host name.
"""

PIN, FILE, PASSWORD, REFERENCE = "CLIENT_PIN", "CLIENT_FILE", "KEY", "CLIENT_REFERENCE"
LISTS = (
    *(None, OLD, OLD, f"{OLD.lower()},{FOREIGN}", f"{FOREIGN},{OLDER},{OLD},{NEWER}", f"{OLDER}, {OLD} ,odd,"),
    *(f"{OLD},{NEW}", f"{OLD},{FOREIGN},{NEW}", NEW, FOREIGN, "", "*", "*", f"*,{OLD}"),
)
PINS = (None, None, None, OLD, OLDER, NEW, FOREIGN.lower())
FILES = (
    *(None, None, None, f"/var/ssl/private/{OLD}.p12", f"/var/ssl/private/{NEW}.p12"),
    f"C:\\appservice\\certificates\\private\\{OLDER.lower()}.pfx",
)
LEADS = (None, None, None, None, ("", "v0"), ("", "v1"), ("", None), ("v1", None), ("v0", None))
"""The version that a Key Vault reference names, and the version that App Service would read now."""


@cache
def app_settings(
    listed: str | None, pin: str | None, file: str | None, lead: tuple[str, str | None] | None
) -> SiteSettings:
    """Return the app settings that Certroll reads from the given values and from two unrelated values."""
    uri = f"https://kv-shop.vault.azure.net/secrets/shop/{lead[0] if lead else ''}"
    led = f"@Microsoft.KeyVault(SecretUri={uri})"
    given = {LOAD_LIST: listed, PIN: pin, FILE: file, REFERENCE: led if lead else None}
    values = {"DEBUG": "1", PASSWORD: SECRET.lower(), **{key: value for key, value in given.items() if value}}
    digests = {key: f"digest of {key}" for key in values}
    read = read_settings(AppSettings(BARE, values, digests))
    active = lead[1] if lead else None
    return replace(
        read, vault_references=tuple(replace(reference, active=active) for reference in read.vault_references)
    )


def settings_with(
    lists: tuple[str | None, ...], pins: tuple[str | None, ...] = PINS, files: tuple[str | None, ...] = FILES
) -> st.SearchStrategy[SiteSettings]:
    """Return a strategy that draws app settings, with every combination of the given values.

    About half of the drawn settings have no Key Vault reference.
    """
    return st.sampled_from([app_settings(*parts) for parts in product(lists, pins, files, LEADS)])


any_settings = settings_with(LISTS)
stale_settings = settings_with((OLD, f"{OLD.lower()},{FOREIGN}", f"{FOREIGN},{OLDER},{OLD},{NEWER}"))
overlapping_settings = settings_with((f"{OLD},{NEW}", f"{FOREIGN},{OLD},{NEW},{OLDER}"), (None, NEW), (None,))
all_settings = settings_with(("*", f"*,{OLD}"), (None, None, OLD))
EDITS: tuple[tuple[SettingEdit, ...], ...] = (
    (),
    (SettingEdit(LOAD_LIST, NEW, (), OLD),),
    (SettingEdit(LOAD_LIST, NEW, (), OLD), SettingEdit(PIN, NEW, (OLD,), OLD)),
    (SettingEdit(LOAD_LIST, NEW, (OLDER,), OLD), SettingEdit(FILE, NEW, (OLDER,), OLDER)),
    (SettingEdit(LOAD_LIST, NEW, (OLD,), OLD),),
    (SettingEdit(PIN, NEW, (OLD,), OLD), SettingEdit("GONE", NEW, (OLD,), OLD)),
)
RETIRING: tuple[tuple[SettingEdit, ...], ...] = ((), (SettingEdit(LOAD_LIST, None, (OLD,), NEW),))
UNDONE = ((), (), (NOW - HOUR,), (NOW - 24 * HOUR,), (NOW - HOUR, NOW - 2 * HOUR))
AGES = (timedelta(0), timedelta(minutes=15), HOUR - timedelta(seconds=1), HOUR, 25 * HOUR)
BEFORE = (((OLD,), (), 3), ((OLD, OLDER), (OLD,), 3), ((OLD, OLDER, FOREIGN), (NEW, OLD), 12))
"""The versions that a settings update replaces, the proven versions, and the number of settings before it."""


def rolls_in(*states: RollState) -> st.SearchStrategy[RollRecord | None]:
    """Return a strategy that draws a journal record of a settings update in a given state, or None.

    The strategy orders its records of settings updates by `RollState`, because the order of a Python set differs in
    each process.
    """
    made = [
        RollRecord(
            BARE,
            "v0",
            WEST,
            state,
            NOW - age,
            replaces=replaces,
            proven=proven,
            settings=settings,
            edits=edits,
            undone=undone,
            retiring=retiring,
            detail="as it was",
        )
        for state, age, undone, (replaces, proven, settings), (retiring, edits) in product(
            [state for state in RollState if state in states],
            AGES,
            UNDONE,
            BEFORE,
            [(False, edits) for edits in EDITS] + [(True, edits) for edits in RETIRING],
        )
    ]
    return st.sampled_from([*made, *[None] * len(made)])


no_rolls: st.SearchStrategy[RollRecord | None] = st.none()
any_rolls = rolls_in(*RollState)
quiet_rolls = rolls_in(*(state for state in RollState if state not in HOLDING))
all_copies = [
    copy("", thumbprint, webspace=place, host_names=covered, not_after=end, source=source)
    for thumbprint, place, covered, end, source in product(
        SHOWN, (WEST, *PLACES), COVERED, (*ENDS, None), (REF, REF, OTHER_REF, None)
    )
]
made_copies = st.sampled_from(all_copies)
imported = {
    place: st.sampled_from(
        [
            copy(str(place), thumbprint, webspace=place, host_names=covered, not_after=end)
            for thumbprint, covered, end in product(SHOWN, COVERED, (*ENDS, None))
        ]
    )
    for place in PLACES
}
LIKELY_PLACES, ODD_PLACES = (WEST, WEST, NORTH, EAST), (WEST, WEST, NORTH, EAST, None)
places = st.sampled_from(LIKELY_PLACES)
some_troubles = st.sampled_from(
    [frozenset(some) for count in (0, 0, 0, 0, 0, 0, 1, 1, 2) for some in combinations(TROUBLES, count)]
    + [frozenset(TROUBLES)] * 3
)
some_sites = st.sampled_from([some for count in (1, 2, 2, 3, 3) for some in combinations(REFS, count)])
with_slots = st.sampled_from([some for some in combinations(REFS, 3) if {ref[1] for ref in some[:2]} != {None}])


@st.composite
def versions(draw: st.DrawFn) -> tuple[CertificateVersion, ...]:
    """Return one to four versions of a vault certificate, newest first.

    Some versions begin in the same second, and some versions share a thumbprint.
    """
    made = tuple(
        replace(draw(made_versions), version=f"v{number}", thumbprint=thumbprint)
        for number, thumbprint in enumerate(draw(successions))
    )
    return newest_first(made, "v0")


some_versions = versions()


@st.composite
def good_lineages(draw: st.DrawFn) -> Lineage:
    """Return a vault certificate with its versions, of which the newest version is good for every use."""
    newest, *others = draw(some_versions)
    current = replace(newest, facts=facts(*NAMES), not_after=max(newest.not_after, NOW + URGENT))
    return Lineage(REF, (current, *others), current)


positions = st.sampled_from((0, 0, 0, 0, 1, 2, None))


@st.composite
def odd_lineages(draw: st.DrawFn) -> Lineage:
    """Return a vault certificate with its versions, of which the newest may be refused or good for few uses."""
    found, position = draw(some_versions), draw(positions)
    if position is None or position >= len(found):
        return Lineage(REF, found, None, REFUSED)
    return Lineage(REF, found, found[position], REFUSED if position else None)


def bindings(draw: st.DrawFn, seen: tuple[Site, ...]) -> tuple[Binding, ...]:
    """Return up to two TLS bindings of each site."""
    return tuple(replace(made, site=app.ref) for app in seen for made in draw(some_bindings))


@st.composite
def good_copies(draw: st.DrawFn) -> tuple[WebspaceCertificate, ...]:
    """Return one imported certificate in each webspace (App Service's place for certificates)."""
    return tuple(draw(imported[place]) for place in PLACES)


copy_everywhere = good_copies()
few_copies = st.lists(made_copies, max_size=3)
either = st.booleans()


@st.composite
def odd_copies(draw: st.DrawFn) -> tuple[WebspaceCertificate, ...]:
    """Return App Service certificates of any source, with several in one webspace and none in another."""
    made = draw(few_copies)
    odd = tuple(
        replace(certificate, ref=replace(certificate.ref, name=f"copy-{number}"))
        for number, certificate in enumerate(made)
    )
    return (*draw(copy_everywhere), *odd) if draw(either) else odd


@st.composite
def more_copies(draw: st.DrawFn) -> tuple[WebspaceCertificate, ...]:
    """Return uploads by operators or by Certroll, or none, so that an old and the new version can be live together."""
    made = draw(some_uploads)
    return tuple(
        replace(
            certificate,
            ref=replace(
                certificate.ref, name=f"{certificate.ref.name}-{certificate.thumbprint}-{certificate.webspace}"
            ),
        )
        for certificate in made
    )


uploads = [
    copy(name, thumbprint, webspace=place, source=None)
    for name, thumbprint, place in product((f"certroll-shop-{OLD.lower()}", "upload"), (OLD, OLDER, NEW), (WEST, NORTH))
]
some_uploads = st.sampled_from([(), *[(upload,) for upload in uploads], *combinations(uploads, 2)])
two_farms = (farm(WEST), replace(farm(WEST), resource_id=f"{farm(WEST).resource_id}-2"), farm(NORTH), farm(EAST))
some_farms = st.sampled_from((PLANS, two_farms))
odd_farms: st.SearchStrategy[tuple[ServerFarm, ...]] = st.sampled_from(((farm(WEST),), ()))
odd_views: st.SearchStrategy[tuple[BlindSpot, ...]] = st.sampled_from(
    (
        (blind_spot(WEST),),
        (blind_spot(NORTH), blind_spot(EAST)),
        (blind_spot(None),),
        (replace(blind_spot(WEST), settings_only=True),),
        (replace(blind_spot(None), settings_only=True),),
    )
)
known = st.sampled_from(
    [
        record(state, webspace=place, at=NOW - age)
        for state, place, age in product(
            SiteState, PLACES, (timedelta(0), timedelta(minutes=15), HOUR - timedelta(seconds=1), HOUR, DAY)
        )
    ]
)


def each_of_a_site(records: list[SiteRecord]) -> list[SiteRecord]:
    """Return the records of settings updates, each with another site, as the journal has one record per site."""
    sites = (site_ref(name) for name in ("shop", "api", "web"))
    return [replace(found, site=ref) for found, ref in zip(records, sites, strict=False)]


fresh = st.just(FRESH)
opened = st.sampled_from(PLACES).map(lambda place: rollout(record(SiteState.PROVEN, webspace=place), first=place))
closed = st.sampled_from(PLACES).map(
    lambda place: rollout(record(SiteState.PENDING, webspace=place, at=NOW), first=place)
)
few_records = st.lists(known, max_size=3)


@st.composite
def started_rollouts(draw: st.DrawFn) -> Rollout:
    """Return a rollout with up to three records of sites.

    As a function this strategy has a short name. Hypothesis refuses the 30 KB of all possible records as its text.
    """
    return rollout(*each_of_a_site(draw(few_records)), first=draw(st.sampled_from(PLACES)))


started = started_rollouts()
failed = started.map(
    lambda seen: replace(seen, records=(*seen.records, record(SiteState.FAILED, site="bad", detail="seen")))
)
rollouts = st.one_of(fresh, opened, opened, closed, started)
WINDOWS = (None, None, RestartWindow.parse("Sat 11:00-13:00"), RestartWindow.parse("Sun 01:00-02:00"))
intents: st.SearchStrategy[Intent] = st.sampled_from(
    [
        replace(intent, slots_first=slots_first, restart_window=window)
        for intent, slots_first, window in product(
            (
                APPLY,
                Intent(mode=Mode.APPLY, own_site="shop", own_subscription=SUBSCRIPTION),
                Intent(mode=Mode.APPLY, stage_soak=timedelta(0)),
            ),
            (True, True, False),
            WINDOWS,
        )
    ]
)
# These strategies are made only once, because a new strategy for each draw took a fifth of the time for checks.
usable_lineages, any_lineages = good_lineages(), odd_lineages()
copies_anywhere, copies_besides = odd_copies(), more_copies()
RUNS = [(f"{plan}", running) for plan in ("plan-1", "plan-2", "") for running in (True, True, False)]


@st.composite
def worlds(
    draw: st.DrawFn,
    rollouts: st.SearchStrategy[Rollout] = rollouts,
    troubles: st.SearchStrategy[frozenset[str]] = some_troubles,
    rolls: st.SearchStrategy[RollRecord | None] = quiet_rolls,
    settings: st.SearchStrategy[SiteSettings] = any_settings,
    sites: st.SearchStrategy[tuple[tuple[str, str | None], ...]] = some_sites,
) -> Snapshot:
    """Return a snapshot with few troubles or with all troubles, so that plans have both steps and refusals."""
    trouble = draw(troubles)
    seen = tuple(seen_site(draw, name, slot, trouble) for name, slot in draw(sites))
    read = tuple(app for app in seen if "view" not in trouble or draw(either))
    fleet = Fleet(
        NOW,
        seen,
        bindings(draw, seen),
        (*draw(copies_anywhere if "copies" in trouble else copy_everywhere), *draw(copies_besides)),
        draw(odd_farms if "plans" in trouble else some_farms),
        draw(odd_views) if "view" in trouble else (),
        tuple(replace(draw(settings), site=app.ref) for app in read),
    )
    lineage = draw(any_lineages if "version" in trouble else usable_lineages)
    return Snapshot(lineage, fleet, replace(draw(rollouts), rolls=recorded(draw, seen, rolls)))


def seen_site(draw: st.DrawFn, name: str, slot: str | None, trouble: frozenset[str]) -> Site:
    """Return a site or slot, running or stopped, on one of two App Service plans or on an unknown plan."""
    return draw(sites_of(name, slot, "places" in trouble, "tags" in trouble))


@cache
def sites_of(name: str, slot: str | None, anywhere: bool, tagged: bool) -> st.SearchStrategy[Site]:  # noqa: FBT001
    """Return a strategy for a site, with random App Service plans and tags.

    The webspace of the site may be unknown if `anywhere` is True. The site may carry any tag if `tagged` is True.
    """
    return st.sampled_from(
        [
            replace(site(name, slot, webspace=place, tags=tags), plan=plan, running=running)
            for place, tags, (plan, running) in product(
                ODD_PLACES if anywhere else LIKELY_PLACES, (*TAGS, *APP_TAGS) if tagged else APP_TAGS, RUNS
            )
        ]
    )


def recorded(
    draw: st.DrawFn, seen: tuple[Site, ...], rolls: st.SearchStrategy[RollRecord | None]
) -> tuple[RollRecord, ...]:
    """Return the journal's records of settings updates for some of the sites, or no record."""
    if rolls is no_rolls or draw(either):
        return ()
    found = [(app, draw(rolls)) for app in seen]
    return tuple(placed(roll, app.ref, app.webspace) for app, roll in found if roll is not None)


def placed(roll: RollRecord, ref: SiteRef, webspace: Webspace | None) -> RollRecord:
    """Return the journal's record of a settings update with the given site and webspace."""
    return replace(roll, site=ref, webspace=webspace or WEST)


again_tags = st.sampled_from((AGAIN, AGAIN, AGAIN, (*AGAIN, *OFF), ()))
hosting = st.sampled_from(((WEST,), (WEST,), (WEST, NORTH), PLACES))
telling = st.sampled_from((("site", "certificate"), ("site",), ("certificate",)))
"""The resources by which Azure shows that a webspace is in an environment."""
moments = st.sampled_from((EARLY, EARLY, None, EARLY + timedelta(seconds=1)))
marks = st.sampled_from(Rebind)
early_uploads = st.sampled_from((1, 1, 2, 0))


def chained_worlds(
    rollouts: st.SearchStrategy[Rollout] = rollouts,
    troubles: st.SearchStrategy[frozenset[str]] = some_troubles,
    rolls: st.SearchStrategy[RollRecord | None] = quiet_rolls,
) -> st.SearchStrategy[Snapshot]:
    """Return a strategy for snapshots with App Service Environments.

    The uploads of the current version are early, late or without a date.
    """
    return chained(worlds(rollouts, troubles, rolls))


@st.composite
def chained(draw: st.DrawFn, worlds: st.SearchStrategy[Snapshot]) -> Snapshot:
    """Return one of the given snapshots with App Service Environments and uploads added."""
    world = draw(worlds)
    inside, told_by, current = draw(hosting), draw(telling), world.lineage.current
    named = inside if "site" in told_by else ()
    sites = tuple(replace(app, environment=ASE if app.webspace in named else None) for app in world.fleet.sites)
    made = tuple(
        replace(copy(f"by-hand-{place}-{number}", webspace=place, source=None), created=draw(moments))
        for place in (WEST, NORTH)
        for number in range(draw(early_uploads))
    )
    uploads = tuple(replace(upload, thumbprint=current.thumbprint if current else NEW) for upload in made)
    marked = inside if "certificate" in told_by else ()
    held = (*world.fleet.certificates, *uploads)
    copies = tuple(replace(found, in_environment=found.webspace in marked) for found in held)
    fleet = replace(world.fleet, sites=sites, certificates=copies)
    records = tuple(replace(record, rebind=draw(marks)) for record in world.rollout.records)
    lineage = replace(world.lineage, tags=draw(again_tags))
    return Snapshot(lineage, fleet, replace(world.rollout, records=records))


open_worlds = worlds(opened, st.just(frozenset()))
older_versions = st.sampled_from((OLD, OLDER))


@st.composite
def contested_worlds(draw: st.DrawFn) -> Snapshot:
    """Return a snapshot in which App Service also has an old version as an import of another vault object."""
    world = draw(open_worlds)
    theirs = copy("theirs", draw(older_versions), webspace=draw(places), source=OTHER_REF)
    return replace(world, fleet=replace(world.fleet, certificates=(*world.fleet.certificates, theirs)))


def old(world: Snapshot, binding: Binding) -> bool:
    """Return True if a TLS binding shows only versions older than the current version.

    A thumbprint from before the vault certificate was deleted and created again counts as older.
    """
    current = world.lineage.current
    if current is None or binding.ssl_state is SslState.DISABLED:
        return False
    ages = [age for age, v in enumerate(world.lineage.versions) if v.thumbprint == binding.thumbprint]
    if ages:
        return min(ages) > world.lineage.versions.index(current)
    return binding.thumbprint is not None and REF in sources(world, binding)


def sources(world: Snapshot, binding: Binding) -> set[VaultCertificateRef | None]:
    """Return the sources of the App Service certificates with a binding's thumbprint in the binding's webspace."""
    places = {app.webspace for app in world.fleet.sites if app.ref == binding.site}
    return {c.source for c in world.fleet.certificates if c.thumbprint == binding.thumbprint and c.webspace in places}


def opted_out(world: Snapshot, ref: SiteRef | None) -> bool:
    """Return True if the operator opted a site out, by the site's own tag or else by its production site's tag."""
    for candidate in (ref, ref.production if ref else None):
        found = next((app for app in world.fleet.sites if app.ref == candidate), None)
        said = (
            [value.strip().lower() for key, value in found.tags if key.strip().lower() == "certroll"] if found else []
        )
        if said:
            return said[0] == "off"
    return False


def live(world: Snapshot, thumbprint: Thumbprint | None, ref: SiteRef) -> bool:
    """Return True if App Service has a certificate in the webspace of a site."""
    places = {app.webspace for app in world.fleet.sites if app.ref == ref}
    return any(
        certificate.thumbprint == thumbprint and certificate.webspace in places
        for certificate in world.fleet.certificates
    )


def family(world: Snapshot, ref: SiteRef) -> frozenset[Thumbprint | None]:
    """Return the thumbprints of the vault certificate's versions, and of its certificates in a site's webspace."""
    places = {app.webspace for app in world.fleet.sites if app.ref == ref}
    copies = {c.thumbprint for c in world.fleet.certificates if c.source == REF and c.webspace in places}
    return frozenset(copies | {version.thumbprint for version in world.lineage.versions})


def superseded(world: Snapshot, settings: SiteSettings) -> set[Thumbprint]:
    """Return the thumbprints of an app's settings that are older than the current version.

    A thumbprint from before the vault certificate was deleted and created again counts as older.
    """
    current, versions = world.lineage.current, world.lineage.versions
    if current is None:
        return set()
    fresh = {version.thumbprint for version in versions[: versions.index(current) + 1]}
    return {
        reference.thumbprint
        for reference in settings.references
        if reference.thumbprint in family(world, settings.site) - fresh
    }


def lags(world: Snapshot, settings: SiteSettings) -> bool:
    """Return True if a setting names only an old version by thumbprint, or a list lacks the current version.

    An app whose WEBSITE_LOAD_CERTIFICATES is `*` does not lag because of its list.
    """
    stale, current = superseded(world, settings), world.lineage.current
    pinned = any(pin.thumbprint in stale for pin in settings.pins)
    listed = set(settings.load_list)
    behind = bool(listed & stale) and not settings.loads_everything
    return pinned or (behind and current is not None and current.thumbprint not in listed)
