"""Running apps: processes that were made at a start, and the certificates that each of them found.

One is presented to a partner; another, public one may be needed to trust what somebody signed.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from local.azure.kernel import Kernel
from local.azure.running import trust
from local.azure.running.loading import Chosen, Loaded, load
from local.azure.running.trust import Roots
from local.azure.scripting.changes import Changes
from local.azure.vault.authority import Authority, is_trusted_through, leads_to_root
from local.azure.vault.issued import ImportedCertificate
from local.azure.web.resources import RUNNING, Site
from local.azure.web.state import WebState

PARTNER_DOMAIN = "partner.example"
PROBE = "/health"
Scripted = tuple[int, Mapping[str, str], str]
"""An answer that a test puts into an app's mouth: status, headers, body."""


class Partner:
    """Somebody whom apps call; what it accepts, and who issued its own certificate, may change at any time.

    `own` is a private authority whose root nobody trusts who was not told to; None: the local one, trusted by all.
    One that is `open_to_all` asks for no client certificate.
    """

    def __init__(
        self,
        name: str,
        changes: Changes,
        accepts: Collection[str] | None = None,
        *,
        own: Authority | None = None,
        open_to_all: bool = False,
    ) -> None:
        """Accept these thumbprints alone, or with None whatever the local authority has issued."""
        self.name, self.own, self.open_to_all = name, own, open_to_all
        self._changes = changes
        self._pinned = _pins(accepts)

    @property
    def host_name(self) -> str:
        """Where the partner is called."""
        return f"{self.name}.{PARTNER_DOMAIN}".lower()

    def accept_only(self, *thumbprints: str) -> None:
        """Accept these thumbprints alone from now on, in any case."""
        self._pinned = _pins(thumbprints)
        self._changes.note()

    def accept_authority(self) -> None:
        """Accept from now on whatever the local authority has issued for clients."""
        self._pinned = None
        self._changes.note()

    def move_to(self, authority: Authority | None) -> None:
        """Show from now on a certificate that this authority has issued; None is the local one."""
        self.own = authority
        self._changes.note()

    def is_trusted_with(self, roots: Roots) -> bool:
        """Return True if somebody who trusts these roots and the public ones trusts the partner; nothing is sent."""
        return self.own is None or any(is_trusted_through(root, self.own.issuer) for root in roots)

    def admits(self, thumbprint: str) -> bool:
        """Return True if a client certificate that TLS itself let pass is welcome."""
        return self._pinned is None or thumbprint in self._pinned

    def accepts(self, certificate: ImportedCertificate) -> bool:
        """Return True if a call with that certificate and its chain would be welcome; nothing is sent."""
        return _is_trusted_client(certificate.public_der, certificate.chain_pem) and self.admits(certificate.thumbprint)


@dataclass(slots=True)
class Process:
    """One process of an app. It answers from `up_at` until `gone_at`; None: until something ends it.

    `trusted` is the thumbprint of the public certificate that it found; None: it found none, or looks for none. `roots`
    are trusted in addition to the public ones.
    """

    loaded: Loaded
    certificate: ImportedCertificate | None
    up_at: datetime
    gone_at: datetime | None = None
    trusted: str | None = None
    roots: Roots = field(default=(), repr=False)

    def answers(self, now: datetime) -> bool:
        """Return True if the process answers at that moment."""
        return self.up_at <= now and not self.is_gone(now)

    def is_gone(self, now: datetime) -> bool:
        """Return True if the process has ended by that moment."""
        return self.gone_at is not None and self.gone_at <= now


@dataclass(slots=True)
class App:
    """An app on a site or slot. `script` holds answers to give first; a `broken` app answers 500 whatever it holds.

    `failing_starts` says how many of the next starts bring up nothing (None: all); what answers then goes on.
    `injected` are the roots that its environment had when it was last started from a stop.
    """

    site_id: str
    partner: Partner
    chosen: Chosen
    probe: str = PROBE
    script: list[Scripted] = field(default_factory=list, repr=False)
    broken: bool = False
    processes: list[Process] = field(default_factory=list)
    visits: int = 0
    failing_starts: int | None = 0
    injected: Roots = field(default=(), repr=False)

    def answering(self, now: datetime) -> list[Process]:
        """Return the processes that answer at that moment, the oldest first."""
        return [process for process in self.processes if process.answers(now)]

    def comes_up(self) -> bool:
        """Return True if the start that is due now brings up a process; it counts as one."""
        if self.failing_starts:
            self.failing_starts -= 1
            return False
        return self.failing_starts is not None

    def visit(self) -> int:
        """Return the number of a new visit; visits go to the answering processes in turn."""
        self.visits += 1
        return self.visits - 1

    def replace_processes(self, fresh: Process, now: datetime, overlap: float) -> None:
        """Let the fresh process follow the newest that answers, which goes `overlap` seconds after it is up.

        A process that is not up yet never will be: another start has overtaken it, and the one that it was to follow
        stays. A process that answers together with its follower goes when it was to go.
        """
        kept = self.answering(now)
        for process in kept[-1:]:
            process.gone_at = fresh.up_at + timedelta(seconds=overlap)
        self.processes = [*kept, fresh]


class Apps:
    """The apps of a world, by site id in any case. Whoever reads or changes them holds the world's lock."""

    def __init__(self, kernel: Kernel, web: WebState) -> None:
        """Begin without apps and partners; each app follows what happens to its site."""
        self._kernel = kernel
        self._web = web
        web.add_follower(self.follow)
        self._apps: dict[str, App] = {}
        self.partners: dict[str, Partner] = {}

    def add_partner(
        self,
        name: str,
        accepts: Collection[str] | None = None,
        *,
        own: Authority | None = None,
        open_to_all: bool = False,
    ) -> Partner:
        """Return a new partner that accepts these thumbprints alone, or with None what the authority has issued."""
        partner = Partner(name, self._kernel.changes, accepts, own=own, open_to_all=open_to_all)
        self.partners[partner.host_name] = partner
        return partner

    def add(self, site: Site, partner: Partner, chosen: Chosen, probe: str = PROBE) -> App:
        """Return the new app of the site, started if the site runs."""
        app = self._apps[site.id.lower()] = App(site.id, partner, chosen, probe)
        current = self._web.sites.get(site.id) or site
        self.follow(current, starts=current.state == RUNNING, from_stop=True)
        return app

    def all(self) -> tuple[App, ...]:
        """Return every app."""
        return tuple(self._apps.values())

    def of(self, site: Site | None) -> App | None:
        """Return the app of the site or slot, or None."""
        return self._apps.get(site.id.lower()) if site else None

    def follow(self, site: Site, *, starts: bool, from_stop: bool) -> None:
        """Let the app do what its site did: end its processes with it, or start them again.

        Only a start that follows a stop, the first one among them, injects the roots of the app's environment.
        """
        app = self.of(site)
        if app is None:
            return
        if site.state != RUNNING:
            app.processes = []
        elif starts:
            app.injected = trust.injected(self._web, site) if from_stop else app.injected
            self._start(app, site)

    def troubles(self) -> tuple[str, ...]:
        """Return in words everything that an app would fail at: now, or in a process that is started now.

        Looked at are the apps on running sites: each process that answers or is coming up, and one made of the
        present settings and webspace. Nothing is sent. Sentences name sites and thumbprints, never a setting's value.
        """
        with self._kernel.lock:
            return tuple(trouble for app in self._apps.values() for trouble in self._troubles(app))

    def _troubles(self, app: App) -> Iterator[str]:
        site, now = self._web.sites.get(app.site_id), self._kernel.clock.now()
        if site is None or site.state != RUNNING:
            return
        for process in app.processes:
            if not process.is_gone(now):
                which = "the running process" if process.answers(now) else "the process that is coming up"
                yield from _troubles_of(site, app, which, process)
        fresh = self._process(app, site, now, trust.injected(self._web, site))
        yield from _troubles_of(site, app, "a process started now", fresh)

    def _start(self, app: App, site: Site) -> None:
        if not app.comes_up():
            return
        knobs, now = self._kernel.knobs, self._kernel.clock.now()
        fresh = self._process(app, site, now + timedelta(seconds=knobs.restart_seconds), app.injected)
        app.replace_processes(fresh, now, knobs.old_process_answers)

    def _process(self, app: App, site: Site, up_at: datetime, injected: Roots) -> Process:
        loaded = load(site, self._web.certificates_for(site), self._web.public_certificates_of(site))
        chosen, trusted = loaded.choose(app.chosen, site.settings), loaded.trusted(app.chosen, site.settings)
        roots = tuple(dict.fromkeys((*injected, *trust.listed(self._web, site))))
        return Process(loaded, chosen, up_at, trusted=trusted, roots=roots)


def _troubles_of(site: Site, app: App, which: str, process: Process) -> Iterator[str]:
    if app.chosen.trusts and process.trusted is None:
        yield f"{site.full_name}: {which} has no public certificate under its setting {app.chosen.trusts}"
    if app.chosen.calls and not app.partner.is_trusted_with(process.roots):
        yield f"{site.full_name}: {which} does not trust the root of {app.partner.name}"
    if app.chosen.calls and not (app.chosen.anonymous and app.partner.open_to_all):
        yield from _troubles_of_call(site, app, which, process.certificate)


def _troubles_of_call(site: Site, app: App, which: str, certificate: ImportedCertificate | None) -> Iterator[str]:
    if app.chosen.anonymous:
        yield f"{site.full_name}: {app.partner.name} wants a client certificate, which {which} does not present"
    elif certificate is None:
        what = f"setting {app.chosen.setting}" if app.chosen.setting else f"subject {app.chosen.subject}"
        yield f"{site.full_name}: {which} has no certificate under its {what}"
    elif not app.partner.accepts(certificate):
        yield f"{site.full_name}: {app.partner.name} refuses {certificate.thumbprint[:8]} of {which}"


def _pins(thumbprints: Collection[str] | None) -> frozenset[str] | None:
    return None if thumbprints is None else frozenset(thumbprint.upper() for thumbprint in thumbprints)


@lru_cache(maxsize=512)
def _is_trusted_client(der: bytes, chain_pem: bytes) -> bool:
    """Return True if a TLS server that trusts only the local root takes the certificate and chain, dates aside."""
    return _is_for_clients(x509.load_der_x509_certificate(der)) and leads_to_root(der, chain_pem)


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usages
