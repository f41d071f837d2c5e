"""The running apps of sites: their processes, and the certificates that each process found at its start.

An app may present a private certificate to a simulated partner server. An app may also need a public certificate, for
instance to verify a signature of the simulated partner server.
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
from local.azure.vault.extensions import allows
from local.azure.vault.issued import ImportedCertificate
from local.azure.web.resources import RUNNING, Site
from local.azure.web.state import WebState

PARTNER_DOMAIN = "partner.example"
PROBE = "/health"
Scripted = tuple[int, Mapping[str, str], str]
"""An answer that a test scripts for an app: status, headers and body."""


class Partner:
    """A simulated partner server, which apps call over TLS and which a test may change at any time.

    `own` is the private certificate authority that issued the certificate of the simulated partner server. An app
    trusts a private certificate authority only if the app has loaded the root certificate of this authority. If `own`
    is None, the local authority issued the server's certificate, and every app trusts the simulated partner server. A
    simulated partner server that is `open_to_all` requires no client certificate.
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
        """Make a simulated partner server that accepts only client certificates with the given thumbprints.

        If `accepts` is None, the simulated partner server accepts every client certificate of the local authority.
        """
        self.name, self.own, self.open_to_all = name, own, open_to_all
        self._changes = changes
        self._pinned = _pins(accepts)

    @property
    def host_name(self) -> str:
        """The host name at which apps call the simulated partner server."""
        return f"{self.name}.{PARTNER_DOMAIN}".lower()

    def accept_only(self, *thumbprints: str) -> None:
        """Let the partner server accept only client certificates with the given thumbprints from now on."""
        self._pinned = _pins(thumbprints)
        self._changes.note()

    def accept_authority(self) -> None:
        """Accept every client certificate of the local authority from now on."""
        self._pinned = None
        self._changes.note()

    def move_to(self, authority: Authority | None) -> None:
        """Let the partner server present a certificate of the given authority to apps from now on.

        If `authority` is None, the simulated partner server presents a certificate of the local authority.
        """
        self.own = authority
        self._changes.note()

    def is_trusted_with(self, roots: Roots) -> bool:
        """Return True if a client with the given additional root certificates trusts the partner server.

        This check of the partner server's certificate needs no network connection.
        """
        return self.own is None or any(is_trusted_through(root, self.own.issuer) for root in roots)

    def admits(self, thumbprint: str) -> bool:
        """Return True if the partner server accepts a trusted client certificate with the given thumbprint."""
        return self._pinned is None or thumbprint in self._pinned

    def accepts(self, certificate: ImportedCertificate) -> bool:
        """Return True if the simulated partner server would accept a call with this certificate and its chain.

        This check of a client certificate needs no network connection to the partner server.
        """
        return _is_trusted_client(certificate.public_der, certificate.chain_pem) and self.admits(certificate.thumbprint)


@dataclass(slots=True)
class Process:
    """One process of an app."""

    loaded: Loaded
    """The certificates that App Service loaded into the process at its start."""
    certificate: ImportedCertificate | None
    """The certificate that the app presents to its simulated partner server, or None if none was found."""
    up_at: datetime
    """The time from which the process answers."""
    gone_at: datetime | None = None
    """The time at which the process ends, or None if its end is not yet known."""
    trusted: str | None = None
    """The thumbprint of the public certificate that the process found, or None."""
    roots: Roots = field(default=(), repr=False)
    """The roots that the process trusts in addition to the public ones."""

    def answers(self, now: datetime) -> bool:
        """Return True if the app's process answers requests at the given time."""
        return self.up_at <= now and not self.is_gone(now)

    def is_gone(self, now: datetime) -> bool:
        """Return True if the app's process has ended by the given time."""
        return self.gone_at is not None and self.gone_at <= now


@dataclass(slots=True)
class App:
    """A simulated app on an App Service site or slot."""

    site_id: str
    """The resource id of the site or slot."""
    partner: Partner
    """The simulated partner server that the app calls."""
    chosen: Chosen
    """The way in which the app chooses its certificates."""
    probe: str = PROBE
    """The path at which the app reports its health."""
    script: list[Scripted] = field(default_factory=list, repr=False)
    """The answers that the app gives first, before it answers normally."""
    broken: bool = False
    """True if the app answers 500 to every request, whatever certificates it holds."""
    processes: list[Process] = field(default_factory=list)
    """The processes that answer or are starting, oldest first."""
    visits: int = 0
    """The number of visits so far."""
    failing_starts: int | None = 0
    """The number of next starts that bring up no process; None means that every start fails.

    After a failed start, the processes that answer continue to answer.
    """
    injected: Roots = field(default=(), repr=False)
    """The roots that the app's environment had when the app was last started after a stop."""

    def answering(self, now: datetime) -> list[Process]:
        """Return the app's processes that answer requests at the given time, oldest first."""
        return [process for process in self.processes if process.answers(now)]

    def comes_up(self) -> bool:
        """Count one start of the app, and return True if the start brings up a process.

        A test may script starts of an app that fail (`failing_starts`).
        """
        if self.failing_starts:
            self.failing_starts -= 1
            return False
        return self.failing_starts is not None

    def visit(self) -> int:
        """Return the number of a new request to the app; requests go to the answering processes in turn."""
        self.visits += 1
        return self.visits - 1

    def replace_processes(self, fresh: Process, now: datetime, overlap: float) -> None:
        """Let the fresh process of the app replace the newest process that answers requests.

        The replaced process ends `overlap` seconds after the fresh process is up. An older process that is still
        starting is dropped, because the fresh process overtakes the older process. If the fresh process of an earlier
        restart already answers, a later restart does not delay the end of the process that the earlier restart
        replaced.
        """
        kept = self.answering(now)
        for process in kept[-1:]:
            process.gone_at = fresh.up_at + timedelta(seconds=overlap)
        self.processes = [*kept, fresh]


class Apps:
    """The apps of a simulated Azure, by the resource id of the site in upper or lower case.

    Code that reads or changes the apps has to hold the lock of the simulated Azure.
    """

    def __init__(self, kernel: Kernel, web: WebState) -> None:
        """Begin without apps and partners.

        An app starts and stops together with its site, unless a test scripts failing starts.
        """
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
        """Return a new simulated partner server that accepts only client certificates with the given thumbprints.

        If `accepts` is None, the simulated partner server accepts every client certificate of the local authority.
        """
        partner = Partner(name, self._kernel.changes, accepts, own=own, open_to_all=open_to_all)
        self.partners[partner.host_name] = partner
        return partner

    def add(self, site: Site, partner: Partner, chosen: Chosen, probe: str = PROBE) -> App:
        """Add an app to the site, and return the app.

        The start of the new app begins immediately if its site is running.
        """
        app = self._apps[site.id.lower()] = App(site.id, partner, chosen, probe)
        current = self._web.sites.get(site.id) or site
        self.follow(current, starts=current.state == RUNNING, from_stop=True)
        return app

    def all(self) -> tuple[App, ...]:
        """Return all apps."""
        return tuple(self._apps.values())

    def of(self, site: Site | None) -> App | None:
        """Return the app of the site or slot, or None."""
        return self._apps.get(site.id.lower()) if site else None

    def move(self, before: str, after: str) -> None:
        """Let the app of a site go on running under the new resource id that a move gave the site."""
        app = self._apps[after.lower()] = self._apps.pop(before.lower())
        app.site_id = after

    def follow(self, site: Site, *, starts: bool, from_stop: bool) -> None:
        """End the app's processes if its site stopped, or start a process if its site started.

        The root certificates of an App Service Environment reach an app only at its first start and at starts after a
        stop.
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
        """Return a sentence for each certificate or trust problem of an app on a running site.

        The check of an app covers each process that answers or is starting, and the process that a start of the app
        would make now. The check of the apps sends nothing over the network. A sentence about a problem of an app does
        not quote the value of an app setting.
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
    """Return True if a TLS server that trusts only the local root accepts the client certificate with its chain.

    The check of the client certificate ignores dates.
    """
    certificate = x509.load_der_x509_certificate(der)
    return allows(certificate, ExtendedKeyUsageOID.CLIENT_AUTH) and leads_to_root(der, chain_pem)
