"""Build an ordinary simulated fleet for tests, of which each test states only the differences.

In the ordinary fleet the site `shop` in the webspace WEST has one host name. The site `shop` serves the old version of
the vault certificate kv-shop/shop. In the ordinary fleet the certificate that is imported into the webspace WEST has
the old version too. The vault has a good new version of the certificate kv-shop/shop.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any, TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from shared.clients.fleet_reads import ProcessReads
from shared.clients.tracing import RunTrace
from shared.clients.vault.x509_names import issuer_named
from shared.domain.certificates.lineage import Lineage, Refusal
from shared.domain.certificates.pfx import Pfx
from shared.domain.certificates.version import (
    Bundle,
    CertificateFacts,
    CertificateVersion,
    IssuerName,
    KeyFound,
    KeyType,
)
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.findings import Finding, OpenFinding
from shared.domain.fleet.app_settings import (
    LOAD_LIST,
    AppSettings,
    ReferenceKind,
    SettingEdit,
    SettingReference,
    SiteSettings,
    VaultReference,
)
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import RootCertificate, WebspaceCertificate
from shared.domain.fleet.fleet import BlindSpot, Fleet, Listing
from shared.domain.fleet.sites import Environment, ServerFarm, Site
from shared.domain.intent import Intent, Mode
from shared.domain.names import (
    CopyRef,
    EnvironmentRef,
    HostName,
    RootRef,
    SiteRef,
    Thumbprint,
    VaultCertificateRef,
    VaultName,
    Webspace,
)
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.ports import Ports
from shared.ports.clock import Clock

Answer = TypeVar("Answer")

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
VAULT = VaultName("kv-shop")
REF = VaultCertificateRef.parse(VAULT, "certificate", "shop")
OTHER_REF = VaultCertificateRef.parse(VAULT, "certificate", "other")
OLDER, OLD, NEW, NEWER, FOREIGN = (Thumbprint(letter * 40) for letter in "ABCDF")
HOST = HostName("shop.contoso.com")
WEST = Webspace(SUBSCRIPTION, "rg-westeuropewebspace")
NORTH = Webspace(SUBSCRIPTION, "rg-northeuropewebspace")
EAST = Webspace(SUBSCRIPTION, "rg-eastuswebspace")
ASE = EnvironmentRef(SUBSCRIPTION, "rg-network", "ase")
OTHER_ASE = EnvironmentRef(SUBSCRIPTION, "rg-network", "other-ase")
APPLY = Intent(vaults=frozenset({VAULT}), mode=Mode.APPLY)
OFF: Tags = (("certroll", "off"),)
AGAIN: Tags = (("certroll-upload-again", "on"),)
EARLY = datetime(2023, 9, 30, 23, 59, 59, tzinfo=UTC)
"""The moment before App Service Environments began to add the chains of uploads to their servers."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


def facts(
    *host_names: str,
    key_type: KeyType = KeyType.RSA,
    key_size: int = 2048,
    self_signed: bool = False,
    **differences: object,
) -> CertificateFacts:
    """Return the facts of a good certificate, which covers the host name HOST unless names are given."""
    ordinary = CertificateFacts(
        host_names=frozenset(map(HostName, host_names)) or frozenset({HOST}),
        key_type=key_type,
        key_size=key_size,
        self_signed=self_signed,
        server_auth=True,
        client_auth=True,
        signature_hash="sha256",
        serial_octets=16,
        issuer="Contoso Issuing CA",
        curve="secp256r1" if key_type is KeyType.EC else None,
        public_policy=False,
    )
    return replace(ordinary, **differences)  # type: ignore[arg-type]  # the fields have different types


GOOD = facts()


def version(
    name: str = "v2",
    thumbprint: Thumbprint = NEW,
    *,
    created: datetime = NOW - HOUR,
    not_before: datetime = NOW - DAY,
    not_after: datetime = NOW + 90 * DAY,
    enabled: bool = True,
    facts: CertificateFacts | None = GOOD,
) -> CertificateVersion:
    """Return a good version of the vault certificate, by default the new version."""
    return CertificateVersion(name, thumbprint, not_before, not_after, enabled, created, facts)


def old_version(
    name: str = "v1", thumbprint: Thumbprint = OLD, *, not_after: datetime = NOW + 30 * DAY
) -> CertificateVersion:
    """Return a version of the vault certificate that a newer version superseded."""
    return version(name, thumbprint, created=NOW - 60 * DAY, not_before=NOW - 60 * DAY, not_after=not_after, facts=None)


def lineage(
    *versions: CertificateVersion,
    current: int | None = 0,
    refusal: Refusal | None = None,
    tags: Tags = (),
    tags_inherited: bool = False,
) -> Lineage:
    """Return a `Lineage` (a vault certificate with its versions), by default with a new and an old version.

    `current` is the index of the current version in the list of versions, which begins with the newest version.
    """
    all_versions = versions or (version(), old_version())
    chosen = None if current is None else all_versions[current]
    return Lineage(REF, all_versions, chosen, refusal, tags, tags_inherited)


def site_ref(name: str = "shop", slot: str | None = None) -> SiteRef:
    """Return the reference of the named site or slot."""
    return SiteRef(SUBSCRIPTION, "rg-web", name, slot)


def site(
    name: str = "shop",
    slot: str | None = None,
    *,
    webspace: Webspace | None = WEST,
    tags: Tags = (),
    running: bool = True,
    plan: str = "",
    environment: EnvironmentRef | None = None,
    silos: bool = False,
) -> Site:
    """Return a site or slot, by default running, in one region and outside of any environment.

    By default the plan of the site is unknown.
    """
    ref = site_ref(name, slot)
    host_name = HostName(f"{str(ref).replace('/', '-')}.azurewebsites.net")
    return Site(ref, webspace, host_name, tags, running, plan, environment=environment, silos=silos)


def environment(ref: EnvironmentRef = ASE, *, tags: Tags = ()) -> Environment:
    """Return an App Service Environment with an internal address."""
    return Environment(ref, "West Europe", internal=True, tags=tags)


def root(
    name: str = "by-hand",
    thumbprint: Thumbprint | None = OLD,
    *,
    environment: EnvironmentRef = ASE,
    is_root: bool = True,
) -> RootCertificate:
    """Return a root certificate of an environment, by default an old root that Certroll did not add."""
    return RootCertificate(RootRef(environment, name), "West Europe", thumbprint, is_root)


def binding(
    host_name: str = HOST,
    thumbprint: Thumbprint | None = OLD,
    *,
    site: str = "shop",
    slot: str | None = None,
    ssl_state: SslState = SslState.SNI,
    virtual_ip: str | None = None,
) -> Binding:
    """Return a TLS binding of a host name, by default a binding of `shop` that shows the old certificate."""
    return Binding(site_ref(site, slot), HostName(host_name), ssl_state, thumbprint, virtual_ip)


def copy(
    name: str = "shop-copy",
    thumbprint: Thumbprint | None = OLD,
    *,
    webspace: Webspace = WEST,
    host_names: tuple[str, ...] = (HOST,),
    not_after: datetime | None = NOW + 30 * DAY,
    source: VaultCertificateRef | None = REF,
) -> WebspaceCertificate:
    """Return a certificate in App Service, by default the old version, imported into the webspace WEST."""
    return WebspaceCertificate(
        CopyRef(SUBSCRIPTION, "rg-web", name),
        webspace,
        "West Europe",
        thumbprint,
        frozenset(map(HostName, host_names)),
        not_after,
        source,
        "/subscriptions/x/vaults/kv-shop",
        "shop",
    )


def farm(webspace: Webspace = WEST) -> ServerFarm:
    """Return an App Service plan in the given webspace (App Service's group of plans that share certificates)."""
    return ServerFarm(
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/serverfarms/{webspace}", webspace
    )


def blind_spot(
    webspace: Webspace | None = WEST, subscription: str = SUBSCRIPTION, subject: str = "site hidden"
) -> BlindSpot:
    """Return a blind spot: an Azure resource that Certroll could not read."""
    return BlindSpot(subject, "its plan names it, the listing does not", subscription, webspace)


def record(
    state: SiteState, *, site: str = "shop", webspace: Webspace = WEST, at: datetime = NOW - HOUR / 2, detail: str = ""
) -> SiteRecord:
    """Return the journal's record of a site, which is half an hour old by default."""
    return SiteRecord(site_ref(site), "v2", webspace, state, at, detail=detail)


def rollout(
    *records: SiteRecord,
    first: Webspace | None = WEST,
    started_at: datetime | None = None,
    rolls: tuple[RollRecord, ...] = (),
    past: tuple[RollRecord, ...] = (),
    looked_at: datetime | None = None,
) -> Rollout:
    """Return the rollout of the new certificate version; by default the webspace WEST gets the version first."""
    return Rollout("v2", first, records, started_at, rolls, past, looked_at)


def named(
    *listed: Thumbprint,
    site: str = "shop",
    slot: str | None = None,
    pins: Mapping[str, Thumbprint] = NOTHING,
    led: tuple[VaultReference, ...] = (),
    everything: bool = False,
    odd_entries: int = 0,
    digests: Mapping[str, str] = NOTHING,
) -> SiteSettings:
    """Return the thumbprints in an app's settings: first WEBSITE_LOAD_CERTIFICATES, then single thumbprints."""
    references = (
        *(
            SettingReference(LOAD_LIST, ReferenceKind.LOAD_LIST, thumbprint, thumbprint, place)
            for place, thumbprint in enumerate(listed)
        ),
        *(SettingReference(key, ReferenceKind.PIN, thumbprint, thumbprint) for key, thumbprint in pins.items()),
    )
    return SiteSettings(site_ref(site, slot), references, led, everything, odd_entries, digests)


def mentions(*thumbprints: Thumbprint) -> dict[Thumbprint, frozenset[str]]:
    """Return what an app's settings mention if the setting NOTE contains the thumbprints inside a longer text."""
    return {thumbprint: frozenset({"NOTE"}) for thumbprint in thumbprints}


def app_settings(
    values: Mapping[str, str], *, site: str = "shop", slot: str | None = None, etag: str | None = None
) -> AppSettings:
    """Return all settings of an app, with a SHA-256 digest of each value."""
    digests = {key: sha256(value.encode()).hexdigest() for key, value in values.items()}
    return AppSettings(site_ref(site, slot), values, digests, etag)


def roll(
    state: RollState,
    *,
    site: str = "shop",
    slot: str | None = None,
    webspace: Webspace = WEST,
    at: datetime = NOW - HOUR / 2,
    replaces: tuple[Thumbprint, ...] = (OLD,),
    edits: tuple[SettingEdit, ...] = (),
    undone: tuple[datetime, ...] = (),
    proven: tuple[Thumbprint, ...] = (),
    settings: int = 0,
    retiring: bool = False,
    broken_before: bool | None = None,
    detail: str = "",
    revision: str | None = None,
) -> RollRecord:
    """Return the journal's record of the update of an app's settings to the new version.

    By default the journal's record of the settings update is half an hour old.
    """
    return RollRecord(
        site=site_ref(site, slot),
        version="v2",
        webspace=webspace,
        state=state,
        at=at,
        replaces=replaces,
        edits=edits,
        broken_before=broken_before,
        undone=undone,
        proven=proven,
        settings=settings,
        retiring=retiring,
        detail=detail,
        revision=revision,
    )


LINEAGE = lineage()
SITES = (site(),)
BINDINGS = (binding(),)
COPIES = (copy(),)
PLANS = (farm(WEST), farm(NORTH), farm(EAST))
FRESH = Rollout("v2")


def snapshot(
    *,
    lineage: Lineage = LINEAGE,
    sites: tuple[Site, ...] = SITES,
    bindings: tuple[Binding, ...] = BINDINGS,
    copies: tuple[WebspaceCertificate, ...] = COPIES,
    plans: tuple[ServerFarm, ...] = PLANS,
    blind_spots: tuple[BlindSpot, ...] = (),
    settings: tuple[SiteSettings, ...] = (),
    rollout: Rollout = FRESH,
    environments: tuple[Environment, ...] = (),
    roots: tuple[RootCertificate, ...] = (),
    environment_records: tuple[EnvironmentRecord, ...] = (),
) -> Snapshot:
    """Return a snapshot of the ordinary simulated fleet, with the given parts replaced."""
    fleet = Fleet(NOW, sites, bindings, copies, plans, blind_spots, settings, environments, roots)
    return Snapshot(lineage, fleet, rollout, environment_records=environment_records)


def two_webspaces(rollout: Rollout = FRESH) -> Snapshot:
    """Return a site with an old certificate in WEST and two in NORTH; each webspace has the old certificate."""
    return snapshot(
        sites=(site(), site("north-1", webspace=NORTH), site("north-2", webspace=NORTH)),
        bindings=(binding(), binding(site="north-1"), binding(site="north-2")),
        copies=(copy(), copy("north-copy", webspace=NORTH)),
        rollout=rollout,
    )


class ManualClock(Clock):
    """A clock that moves only when the tested code sleeps."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the present time of the manual clock."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Record the sleep, and move the clock by its seconds at once."""
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


@dataclass
class RecordingAppService:
    """A simulated App Service that gives prepared answers and records all writes.

    The simulation gives its prepared answers in the given order, and repeats the last answer. If a prepared answer is
    an exception, the simulated read raises the exception. The next simulated writes raise the exceptions in `failures`,
    and the simulation also records these failed writes. The field `asked` has an entry for each read of app settings.
    """

    copies: list[WebspaceCertificate | Exception] = field(default_factory=list)
    bindings: list[Binding | Exception] = field(default_factory=list)
    writes: list[tuple[object, ...]] = field(default_factory=list)
    body: object = field(default_factory=dict)
    others: dict[CopyRef, list[WebspaceCertificate | Exception]] = field(default_factory=dict)
    seen: list[AppSettings | Exception] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    listed: tuple[Binding, ...] = ()
    listed_copies: tuple[WebspaceCertificate, ...] = ()

    def site(self, ref: SiteRef) -> tuple[Site, tuple[Binding, ...]]:
        """Return the site with the bindings in the field `listed`."""
        return Site(ref, WEST, HOST), self.listed

    def certificates(self, _: str) -> Listing[WebspaceCertificate]:
        """Return the certificates in the field `listed_copies`."""
        return Listing(self.listed_copies)

    def site_certificates(self, _: SiteRef, __: Webspace) -> Listing[WebspaceCertificate]:
        """Return the certificates in the field `listed_copies`."""
        return Listing(self.listed_copies)

    def certificate(self, ref: CopyRef) -> WebspaceCertificate:
        """Return the next prepared answer for the certificate.

        The field `others` has prepared answers by certificate; the field `copies` has the answers for every certificate
        outside of `others`.
        """
        seen = _next(self.others.get(ref, self.copies))
        assert seen.ref == ref
        return seen

    def binding(self, site: SiteRef, host_name: HostName) -> tuple[Binding, object]:
        """Return the next prepared answer for the TLS binding, together with the body for a write."""
        seen = _next(self.bindings)
        assert (seen.site, seen.host_name) == (site, host_name)
        return seen, self.body

    def settings(self, site: SiteRef) -> AppSettings:
        """Return the next prepared answer for the app settings of the site."""
        self.asked.append("settings")
        seen = _next(self.seen)
        assert seen.site == site
        return seen

    def settings_to_edit(self, site: SiteRef) -> AppSettings:
        """Return the next prepared answer for the app settings, for a caller that wants to write the settings."""
        seen = self.settings(site)
        self.asked[-1] = "settings_to_edit"
        return seen

    def import_certificate(self, copy: WebspaceCertificate, plan: ServerFarm) -> None:
        """Record the import of the certificate with the arguments of the call."""
        self._write(copy, plan)

    def upload_certificate(self, copy: WebspaceCertificate, pfx: Pfx, plan: ServerFarm) -> None:
        """Record the upload of the certificate with the arguments of the call."""
        self._write(copy, pfx, plan)

    def delete_certificate(self, ref: CopyRef) -> None:
        """Record the deletion of the certificate with the arguments of the call."""
        self._write("delete", ref)

    def put_binding(self, binding: Binding, body: object) -> None:
        """Record the write of the TLS binding with the arguments of the call."""
        self._write(binding, body)

    def put_settings(self, settings: AppSettings) -> None:
        """Record the write of the app settings with the arguments of the call."""
        self._write(settings)

    def refresh_references(self, site: SiteRef) -> None:
        """Record the refresh of Key Vault references with the arguments of the call."""
        self._write("refresh", site)

    def restart(self, site: SiteRef) -> None:
        """Record the restart of the site with the arguments of the call."""
        self._write("restart", site)

    def _write(self, *what: object) -> None:
        self.writes.append(what)
        if self.failures:
            raise self.failures.pop(0)


@dataclass
class RecordingEnvironments:
    """Simulated App Service Environments that give prepared answers and record all writes.

    The simulation gives its prepared answers in the given order, and repeats the last answer.
    """

    roots: list[RootCertificate | Exception]
    writes: list[tuple[object, ...]] = field(default_factory=list)

    def root(self, ref: RootRef) -> RootCertificate:
        """Return the next prepared answer for the root certificate."""
        seen = _next(self.roots)
        assert seen.ref == ref
        return seen

    def put_root(self, root: RootCertificate, der: bytes) -> None:
        """Record the write of the root certificate with the arguments of the call."""
        self.writes.append(("put", root, der))

    def delete_root(self, ref: RootRef) -> None:
        """Record the deletion of the root certificate with the arguments of the call."""
        self.writes.append(("delete", ref))


@dataclass
class RecordingEnvironmentRecords:
    """The journal's record of one App Service Environment, with all changes to that record."""

    record: EnvironmentRecord
    fails: Exception | None = None

    def change(
        self, environment: EnvironmentRef, change: Callable[[EnvironmentRecord], EnvironmentRecord]
    ) -> EnvironmentRecord:
        """Record the change to the environment's record, or raise the prepared error."""
        assert environment == self.record.environment
        if self.fails:
            raise self.fails
        self.record = change(self.record)
        return self.record


@dataclass
class RecordingVault:
    """A simulated vault that gives one PFX or one certificate, or raises an error.

    The simulated vault records every request.
    """

    answer: Pfx | bytes | Exception
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def pfx(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> Pfx:
        """Record the request, and return the prepared PFX."""
        answer = self._asked(ref, version, thumbprint)
        assert isinstance(answer, Pfx)
        return answer

    def public_part(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> bytes:
        """Record the request, and return the prepared certificate."""
        answer = self._asked(ref, version, thumbprint)
        assert isinstance(answer, bytes)
        return answer

    def _asked(self, *what: object) -> Pfx | bytes:
        self.asked.append(what)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _next(answers: list[Answer | Exception]) -> Answer:
    answer = answers[0] if len(answers) == 1 else answers.pop(0)
    if isinstance(answer, Exception):
        raise answer
    return answer


class RecordingJournal:
    """A simulated journal that records the findings (reported problems)."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Record the findings (problems) that the tested code reported."""
        self.findings.extend(findings)

    def close(self, scope: str, at: datetime, is_gone: Callable[[OpenFinding], bool], why: str = "") -> None:
        """Close no finding, because the simulated journal reads none back."""

    def scopes(self) -> frozenset[str]:
        """Return no scope."""
        return frozenset()


def ports(
    app_service: RecordingAppService | None = None,
    clock: Clock | None = None,
    findings: RecordingJournal | None = None,
    vault: RecordingVault | None = None,
    environments: RecordingEnvironments | None = None,
    environment_records: RecordingEnvironmentRecords | None = None,
) -> Ports:
    """Return Certroll's ports, of which only the given ones work.

    A port that the test does not give fails when the tested code uses the port.
    """
    nobody: Any = None
    given: dict[str, Any] = {
        "app_service": app_service,
        "clock": clock,
        "findings": findings,
        "fleet_reads": ProcessReads(clock or ManualClock()),
        "vault": vault,
        "environments": environments,
        "environment_records": environment_records,
        "trace": RunTrace("run"),
    }
    return Ports(**{port.name: given.get(port.name, nobody) for port in fields(Ports)})


def issuer_name(title: str) -> IssuerName:
    """Return the name of an issuer that has nothing but a common name."""
    return issuer_named(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)]).public_bytes())


def bundled(
    key: KeyFound, issuers: Iterable[str], missing: str | None, *, ordered: bool, held: Iterable[str] = ()
) -> Bundle:
    """Return the key and the chain of a certificate, whose issuers have nothing but common names."""
    end = None if missing is None else issuer_name(missing)
    return Bundle(key, tuple(map(issuer_name, issuers)), end, ordered, frozenset(map(issuer_name, held)))
