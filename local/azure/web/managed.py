"""Free managed certificates: a client orders one, public DNS decides whether Azure issues it, and Azure renews it.

A PUT of a new certificate with a `canonicalName` orders a managed certificate. Azure docs describe how to order one in
"Create a free managed certificate" (configure-ssl-certificate).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from local.azure.dns.zones import Zones
from local.azure.kernel import Kernel
from local.azure.vault.authority import SERVER_AUTH, Request, authority
from local.azure.vault.issued import ImportedCertificate, imported
from local.azure.web.held_certificates import Certificate
from local.azure.web.imports import Imports
from local.azure.web.resources import Plan, Site
from local.azure.web.state import WebState

SIX_MONTHS = timedelta(days=182)
RENEWED_BEFORE = timedelta(days=45)
TRAFFIC_MANAGER = "trafficmanager.net"
AUTHORITY = "digicert.com"


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a managed certificate; Azure issues or refuses the certificate when the order is due."""

    key: str
    wanted: Certificate
    plan: Plan
    due: datetime
    finished: bool = False
    trouble: str | None = None
    """The reason why Azure refused the order; None if the order is unfinished or was issued."""


class ManagedCertificates:
    """The orders of managed certificates of a simulated Azure, by operation id."""

    def __init__(self, kernel: Kernel, web: WebState, zones: Zones, imports: Imports) -> None:
        """Begin without orders. `zones` is the public DNS that decides the orders of managed certificates."""
        self._kernel = kernel
        self._web = web
        self._zones = zones
        self._imports = imports
        self._orders: dict[str, Order] = {}

    def ask(self, wanted: Certificate, plan: Plan) -> Order:
        """Return the unfinished order for the managed certificate, or else a new order."""
        unfinished = (order for order in self._orders.values() if not order.finished)
        running = next((order for order in unfinished if order.wanted.id == wanted.id), None)
        if running is not None:
            return running
        key = str(self._kernel.new_id())
        delay = timedelta(seconds=self._kernel.knobs.managed_issuance_seconds)
        self._orders[key] = Order(key, wanted, plan, self._kernel.clock.now() + delay)
        self._kernel.journal.note(f"managed certificate {wanted.name} asked for")
        self.settle()
        return self._orders[key]

    def order(self, certificate_id: str, key: str) -> Order | None:
        """Return the order of a managed certificate by the certificate's resource id and the operation id, or None."""
        order = self._orders.get(key.lower())
        return order if order and order.wanted.id.lower() == certificate_id.lower() else None

    def settle(self) -> None:
        """Issue or refuse the managed certificate of every order that is due."""
        now = self._kernel.clock.now()
        for key, order in self._orders.items():
            if not order.finished and order.due <= now:
                self._orders[key] = self._finished(order)

    def renew(self) -> None:
        """Renew every managed certificate that ends within 45 days, if its site and DNS still allow the renewal."""
        now = self._kernel.clock.now()
        for old in tuple(self._web.certificates.values()):
            if old.managed is None or old.content.not_after - now > RENEWED_BEFORE or self._trouble(old):
                continue
            fresh = replace(old, content=self.new_content(old.managed))
            self._web.put_certificate(fresh)
            self._kernel.journal.note(f"certificate {old.name} {old.thumbprint[:8]}->{fresh.thumbprint[:8]} renewed")
            self._imports.move_bindings(fresh, old.thumbprint)

    def new_content(self, host_name: str) -> ImportedCertificate:
        """Issue a managed certificate for the host name now, and return the certificate."""
        now = self._kernel.clock.now()
        return imported(authority().issue(Request((host_name,), now, now + SIX_MONTHS, usages=(SERVER_AUTH,))))

    def _finished(self, order: Order) -> Order:
        if trouble := self._trouble(order.wanted):
            return replace(order, finished=True, trouble=trouble)
        issued = replace(order.wanted, content=self.new_content(str(order.wanted.managed)))
        self._web.put_certificate(issued)
        self._kernel.journal.note(f"managed certificate {issued.name} issued {issued.thumbprint[:8]}")
        return replace(order, finished=True)

    def _trouble(self, certificate: Certificate) -> str | None:
        host_name = str(certificate.managed)
        site = self._web.site_with_host(host_name)
        if site is None:
            return f"The hostname {host_name} is not added to an App Service app."
        return self.dns_trouble(site, host_name)

    def dns_trouble(self, site: Site, host_name: str) -> str | None:
        """Return the reason why public DNS does not allow a managed certificate for the host name, or None."""
        alias, target = self._zones.values(host_name, "CNAME"), site.default_host_name
        if self._zones.values(host_name, "SOA"):
            addresses = set(self._zones.values(host_name, "A"))
            if not addresses or addresses - {self._web.address_of(target)}:
                return f"The domain {host_name} does not have an A record that points to the app."
        elif not alias or not _is_direct(alias[0].lower(), target):
            return f"The domain {host_name} does not have a CNAME record that points to {target}."
        return _caa_trouble(self._zones, host_name)


def _is_direct(alias: str, target: str) -> bool:
    return alias == target or alias.endswith(f".{TRAFFIC_MANAGER}")


def _caa_trouble(zones: Zones, host_name: str) -> str | None:
    labels = host_name.split(".")
    climbing = (".".join(labels[start:]) for start in range(len(labels)))
    found = next((values for name in climbing if (values := zones.values(name, "CAA"))), ())
    issuers = [value.split('"')[1].partition(";")[0].strip() for value in found if " issue " in value]
    if not issuers or AUTHORITY in issuers:
        return None
    return f"The domain {host_name} has a CAA record that does not allow {AUTHORITY} to issue certificates."
