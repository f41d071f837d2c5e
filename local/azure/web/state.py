"""The state of App Service: plans, sites, certificates, inbound addresses, and the certificates of the front ends."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from local.azure.kernel import Kernel
from local.azure.vault.authority import leads_to_root
from local.azure.vault.issued import ImportedCertificate
from local.azure.web.flapping import Flapping
from local.azure.web.held_certificates import Certificate, PublicCertificate, RootCertificate
from local.azure.web.resources import (
    DEFAULT_DOMAIN,
    IP_BASED,
    RUNNING,
    SNI,
    Environment,
    Host,
    Plan,
    Resolution,
    Site,
    Webspace,
    covers,
    dns_name,
    modified_after,
)
from local.azure.web.store import History, Store

SHARED_ADDRESS_PREFIX = "sni."
CHAINS_ADDED_SINCE = datetime(2023, 10, 1, tzinfo=UTC)
"""The servers of an environment get the chain of each upload since this date (docs, overview-certificates)."""


class Follower(Protocol):
    """A function that is called after each write of a site, so that an app can start and stop with its site."""

    def __call__(self, site: Site, *, starts: bool, from_stop: bool) -> None:
        """Start, restart or stop the site's app as a write of the site requires.

        `starts` is True if the write gives the site new processes. `from_stop` is True if the site was not running
        before the write.
        """


class WebState:
    """The whole state of Microsoft.Web in a simulated Azure.

    The methods `served`, `address_of`, `addresses` and `state_of`, which front ends call, lock the simulated Azure.
    """

    def __init__(self, kernel: Kernel, resolve: Callable[[Site], Mapping[str, Resolution]]) -> None:
        """Begin empty.

        The seed of the simulated Azure determines the inbound addresses. The function `resolve` returns the present
        resolution of a site's Key Vault references.
        """
        self._kernel = kernel
        self._resolve = resolve
        self._followers: list[Follower] = []
        self.history = History(kernel.clock, kernel.knobs, kernel.changes)
        self.environments: Store[Environment] = Store("environment", self.history)
        self.plans: Store[Plan] = Store("plan", self.history)
        self.sites: Store[Site] = Store("site", self.history)
        self.certificates: Store[Certificate] = Store("certificate", self.history)
        self.site_certificates: Store[Certificate] = Store("site certificate", self.history)
        self.public_certificates: Store[PublicCertificate] = Store("public certificate", self.history)
        self.roots: Store[RootCertificate] = Store("root certificate", self.history)
        self._installed: dict[tuple[str, ...], ImportedCertificate] = {}
        self._chainless: set[tuple[str, ...]] = set()
        self.flapping = Flapping(kernel.knobs)
        self.unstated: list[str] = []  # the host names that clients wrote without sslState
        self._shared: dict[tuple[str, str], str] = {}
        self._given: set[str] = set()
        self._random = random.Random(kernel.random.getrandbits(32))  # noqa: S311 - repeatable addresses for tests
        self._index: tuple[int, dict[str, Site]] = (-1, {})

    def served(self, host_name: str, address: str) -> ImportedCertificate | None:
        """Return the certificate that a front end serves in a TLS handshake for this host name at this address.

        If `served` returns None, the front end serves App Service's own certificate. A dedicated IP address serves the
        same certificate for every host name. At the shared address of a webspace (App Service's group of plans), SNI
        selects the certificate (Azure docs, configure-ssl-bindings).
        """
        with self._kernel.lock:
            dedicated = next((site for site in self._sites_seen() if _owns(site, address)), None)
            if dedicated is not None:
                return self._content(dedicated, dedicated.dedicated_host)
            site = self._hosting(host_name)
            host = None if site is None else _host_of(site, host_name)
            if site is None or host is None or host.ssl_state != SNI or self.shared_address(site.webspace) != address:
                return None
            return self._content(site, host)

    def address_of(self, host_name: str) -> str | None:
        """Return the inbound address to which public DNS leads for the host name, or None."""
        with self._kernel.lock:
            bare = (name := dns_name(host_name)).removeprefix(SHARED_ADDRESS_PREFIX)
            site = self._hosting(name) or (self._hosting(bare) if bare.endswith(DEFAULT_DOMAIN) else None)
            if site is None:
                return None
            return _dedicated_address(site, name) or self.shared_address(site.webspace)

    def addresses(self) -> frozenset[str]:
        """Return all inbound addresses: one per webspace (group of plans), and one per IP-based binding."""
        with self._kernel.lock:
            shared = {self.shared_address(plan.webspace) for plan in self.plans.values()}
            hosts = (host for site in self.sites.values() for host in site.hosts.values())
            return frozenset(shared | {host.virtual_ip for host in hosts if host.virtual_ip})

    def state_of(self, host_name: str) -> str | None:
        """Return `Running` or `Stopped` for the site behind the host name, or None if there is no site."""
        with self._kernel.lock:
            site = self.site_behind(host_name)
            return None if site is None else site.state

    def site_behind(self, host_name: str) -> Site | None:
        """Return the site that the front ends choose for the host name, by exact name or by wildcard."""
        return self._hosting(host_name)

    def domain_behind(self, host_name: str) -> str:
        """Return the domain of the default host name of the site that serves this host name."""
        site = self._hosting(host_name)
        return DEFAULT_DOMAIN if site is None else site.default_domain

    def shared_address(self, webspace: Webspace) -> str:
        """Return the address that the sites of the webspace (App Service's group of plans) share.

        The first call for a webspace (group of plans) assigns the shared address, unless an App Service Environment
        gave its address.
        """
        if webspace.key not in self._shared:
            self._shared[webspace.key] = self.new_address()
        return self._shared[webspace.key]

    def environment_webspace(self, environment: Environment, group: str) -> Webspace:
        """Return the webspace of a plan or certificate in the App Service Environment, by its resource group.

        The simulation's knob `environment_webspaces` decides whether the resource group makes a difference.
        """
        several = self._kernel.knobs.environment_webspaces == "per plan group"
        return environment.webspace(group if several else environment.resource_group)

    def put_plan(self, plan: Plan) -> None:
        """Store the plan.

        The webspace (group of plans) of a plan in an App Service Environment gets the address of the environment.
        """
        if plan.environment is not None:
            self._shared[plan.webspace.key] = plan.environment.address
        self.plans.put(plan.id, plan)

    def is_public(self, host: str) -> bool:
        """Return True if the internet can reach the host name or address.

        The internet cannot reach the host names and addresses of internal App Service Environments.
        """
        internal = [environment for environment in self.environments.values() if environment.internal]
        site = self._hosting(host)
        inside = site is not None and any(environment.has(site) for environment in internal)
        return not inside and host not in {environment.address for environment in internal}

    def new_address(self) -> str:
        """Return a loopback address that the simulated Azure has never used before."""
        while True:
            draw = self._random.randrange
            address = f"127.{draw(16, 250)}.{draw(0, 256)}.{draw(1, 255)}"
            if address not in self._given:
                self._given.add(address)
                return address

    def add_follower(self, follower: Follower) -> None:
        """Register a function that is called after each later write of a site."""
        self._followers.append(follower)

    def put_site(self, site: Site, *, moves_modified: bool = True) -> Site:
        """Store the site with a new time of its last change, which is also its ETag, and return the stored site.

        Without `moves_modified`, the time of the last change stays. After each write of a site, the functions that
        `add_follower` registered start or stop the site's app.
        """
        before = self.sites.get(site.id)
        starts, ran = _starts(before, site), before is not None and before.state == RUNNING
        stored = replace(
            site,
            modified=modified_after(before, self._kernel.clock.now(), moves=moves_modified),
            references=self._resolve(site) if starts else site.references,
        )
        with self._kernel.changes.batch():
            self.sites.put(stored.id, stored)
            for follow in self._followers:
                follow(stored, starts=starts, from_stop=not ran)
        return stored

    def put_certificate(self, certificate: Certificate) -> None:
        """Store the certificate, and give its content to the front ends.

        Front ends keep the content of a certificate after its replacement or deletion. The creation time of a
        certificate is the time of its first write, unless the certificate names another time.
        """
        before = self.certificate(certificate.id)
        born = (before.created if before else certificate.created) or self._kernel.clock.now()
        certificate = replace(certificate, created=born)
        self._installed[*certificate.scope, certificate.thumbprint] = certificate.content
        if certificate.source is None and born < CHAINS_ADDED_SINCE:
            self._chainless.add((*certificate.scope, certificate.thumbprint))
        store = self.certificates if certificate.site_id is None else self.site_certificates
        store.put(certificate.id, certificate)

    def add_chain(self, site: Site, thumbprint: str | None) -> None:
        """Give the chain of a newly bound certificate to the servers of the site.

        The servers of an App Service Environment do not learn the chain of a certificate that was uploaded before
        October 2023. A certificate that was uploaded before October 2023 has to be uploaded again and then bound again,
        so that front ends serve its chain.
        """
        same = (certificate for certificate in self.certificates_for(site) if certificate.thumbprint == thumbprint)
        if any(certificate.created is not None and certificate.created >= CHAINS_ADDED_SINCE for certificate in same):
            self._chainless.discard((*site.webspace.key, str(thumbprint)))

    def remove_certificate(self, certificate: Certificate) -> None:
        """Delete the certificate from App Service, while front ends can still serve its content."""
        store = self.certificates if certificate.site_id is None else self.site_certificates
        store.remove(certificate.id)

    def certificate(self, resource_id: str) -> Certificate | None:
        """Return the current certificate with this resource id in App Service, or None."""
        return self.certificates.get(resource_id) or self.site_certificates.get(resource_id)

    def all_certificates(self) -> tuple[Certificate, ...]:
        """Return all current private certificates: of webspaces (groups of plans), and of sites."""
        return (*self.certificates.values(), *self.site_certificates.values())

    def sites_in(self, webspace: Webspace) -> Iterator[Site]:
        """Return the current sites and slots of a webspace (App Service's group of plans)."""
        return (site for site in self.sites.values() if site.webspace.key == webspace.key)

    def certificates_in(self, webspace: Webspace) -> Iterator[Certificate]:
        """Return the current certificates of a webspace (App Service's group of plans)."""
        return (certificate for certificate in self.certificates.values() if certificate.webspace.key == webspace.key)

    def certificates_for(self, site: Site) -> Iterator[Certificate]:
        """Return the current certificates that the site or slot may use, with the site's own certificates first.

        A Flex Consumption site may use the certificates of its webspace (group of plans) only if the simulation's knob
        `flex_uses_webspace_certificates` is on.
        """
        yield from (
            certificate for certificate in self.site_certificates.values() if certificate.scope == (site.id.lower(),)
        )
        if self._shares(site):
            yield from self.certificates_in(site.webspace)

    def public_certificates_of(self, site: Site) -> Iterator[PublicCertificate]:
        """Return the current public certificates of the site or slot."""
        return (
            certificate
            for certificate in self.public_certificates.values()
            if certificate.owner_id.lower() == site.id.lower()
        )

    def roots_of(self, environment: Environment) -> Iterator[RootCertificate]:
        """Return the current public certificates of the App Service Environment."""
        return (root for root in self.roots.values() if root.owner_id.lower() == environment.id.lower())

    def sites_with(self, certificate: Certificate) -> Iterator[Site]:
        """Return the current sites and slots that may use the certificate."""
        if certificate.site_id is None:
            return (site for site in self.sites_in(certificate.webspace) if self._shares(site))
        owner = self.sites.get(certificate.site_id)
        return iter(() if owner is None else (owner,))

    def using(self, certificate: Certificate, thumbprint: str) -> Iterator[tuple[Site, Host]]:
        """Return each host name whose binding has the given thumbprint, with its site.

        The returned host names belong only to sites that may use the certificate.
        """
        return (
            (site, host)
            for site in self.sites_with(certificate)
            for host in site.hosts.values()
            if host.thumbprint == thumbprint
        )

    def site_with_host(self, host_name: str) -> Site | None:
        """Return the site that has exactly this host name in exactly this form, or None."""
        return next((site for site in self.sites.values() if host_name.lower() in site.hosts), None)

    def _content(self, site: Site, host: Host | None) -> ImportedCertificate | None:
        if host is None or host.thumbprint is None:
            return None
        own = self._installed.get((site.id.lower(), host.thumbprint))
        key = (*site.webspace.key, host.thumbprint)
        content = own or self._installed.get(key)
        if content is None or site.environment is None or key not in self._chainless:
            return content
        return content if leads_to_root(content.public_der, content.chain_pem) else replace(content, chain_pem=b"")

    def _shares(self, site: Site) -> bool:
        return not site.flex or self._kernel.knobs.flex_uses_webspace_certificates

    def _hosting(self, host_name: str) -> Site | None:
        name = dns_name(host_name)
        site = self._hosts().get(name) or self._hosts().get(f"*.{name.partition('.')[2]}")
        return site and self._seen(site)

    def _hosts(self) -> dict[str, Site]:
        if self._index[0] != self.history.length:
            hosts = {dns_name(name): site for site in self.sites.values() for name in site.hosts}
            self._index = (self.history.length, hosts)
        return self._index[1]

    def _seen(self, site: Site) -> Site:
        """Return the site in the state that the front ends know.

        The simulation's knob `slow_front_end` sets how late front ends learn of changes.
        """
        return self.sites.before(self._kernel.knobs.slow_front_end).get(site.id.lower()) or site

    def _sites_seen(self) -> Iterator[Site]:
        past = self.sites.before(self._kernel.knobs.slow_front_end)
        return (past.get(site.id.lower()) or site for site in self.sites.values())


def _starts(before: Site | None, after: Site) -> bool:
    """Return True if the site gets new processes, because it is new, was stopped, or restarts."""
    ran = before is not None and before.state == RUNNING
    return after.state == RUNNING and (not ran or before is None or after.restarts > before.restarts)


def _host_of(site: Site, host_name: str) -> Host | None:
    exact = {dns_name(name): host for name, host in site.hosts.items()}.get(dns_name(host_name))
    return exact or next((host for name, host in site.hosts.items() if covers(name, host_name)), None)


def _owns(site: Site, address: str) -> bool:
    return any(host.virtual_ip == address for host in site.hosts.values())


def _dedicated_address(site: Site, host_name: str) -> str | None:
    """Return the dedicated IP address to which the host name leads, or None.

    The default host name of a site leads to the dedicated address of the site, if the site has such an address.
    """
    host = _host_of(site, host_name)
    if host is not None and host.ssl_state == IP_BASED:
        return host.virtual_ip
    dedicated = site.dedicated_host
    return dedicated.virtual_ip if dedicated and host_name == site.default_host_name else None
