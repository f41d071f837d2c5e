"""Free managed certificates: asked for with a `canonicalName`, judged by public DNS, issued later, renewed by Azure.

Azure docs, configure-ssl-certificate, "Create a free managed certificate"; that the first answer is a 202 without a
body is how az handles it (azure-cli, `create_managed_ssl_cert`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.azure.arm import imports, refusals
from local.azure.arm.resources import DEFAULT_DOMAIN, Certificate, Plan, Site, web_id
from local.azure.vault.authority import SERVER_AUTH, Request, authority
from local.azure.vault.state import ImportedCertificate, imported
from local.azure.wire import Response

if TYPE_CHECKING:
    from local.azure.arm.call import Call
    from local.azure.world import World

SIX_MONTHS = timedelta(days=182)
RENEWED_BEFORE = timedelta(days=45)
LONGEST_NAME = 64
NAME = re.compile(r"[a-z0-9.-]+")
TRAFFIC_MANAGER = "trafficmanager.net"
AUTHORITY = "digicert.com"
NO_FREE = ("F", "D")
API = "2025-05-01"


@dataclass(frozen=True, slots=True)
class Order:
    """A certificate that was asked for: issued, or refused, when it is due."""

    wanted: Certificate
    plan: Plan
    due: datetime
    result: Response | None = None


class ManagedCertificates:
    """The orders of a world, by the id of their operation."""

    def __init__(self, world: "World") -> None:
        """Begin without orders."""
        self._world = world
        self._orders: dict[str, Order] = {}

    def ask(self, wanted: Certificate, plan: Plan) -> Response:
        """Begin to issue the certificate; one that is under way already is not begun again."""
        running = (key for key, one in self._orders.items() if one.wanted.id == wanted.id and one.result is None)
        key = next(running, None)
        if key is None:
            key = str(self._world.new_id())
            delay = timedelta(seconds=self._world.knobs.managed_issuance_seconds)
            self._orders[key] = Order(wanted, plan, self._world.clock.now() + delay)
            self._world.journal.note(f"managed certificate {wanted.name} asked for")
            self.settle()
        result = self._orders[key].result
        return result if result is not None and result.status == 200 else _accepted(wanted, key)  # noqa: PLR2004 - HTTP's own

    def poll(self, subscription: str, key: str) -> Response:
        """Answer how far an order is: 202 while it is under way, then what came of it."""
        order = self._orders.get(key)
        if order is None or order.wanted.subscription.lower() != subscription.lower():
            raise refusals.missing("Operation", key)
        return _accepted(order.wanted, key) if order.result is None else order.result

    def settle(self) -> None:
        """Issue or refuse what is due by now."""
        now = self._world.clock.now()
        for key, order in self._orders.items():
            if order.result is None and order.due <= now:
                self._orders[key] = replace(order, result=self._issued(order))

    def renew(self) -> None:
        """Do what Azure does by itself 45 days before the end, where the prerequisites still hold."""
        now = self._world.clock.now()
        for old in tuple(self._world.web.certificates.values()):
            if old.managed is None or old.content.not_after - now > RENEWED_BEFORE or self._trouble(old):
                continue
            fresh = replace(old, content=self.new_content(old.managed))
            self._world.web.put_certificate(fresh)
            self._world.journal.note(f"certificate {old.name} {old.thumbprint[:8]}->{fresh.thumbprint[:8]} renewed")
            imports.move_bindings(self._world, fresh, old.thumbprint)

    def _issued(self, order: Order) -> Response:
        if trouble := self._trouble(order.wanted):
            return refusals.bad(trouble).response
        issued = replace(order.wanted, content=self.new_content(str(order.wanted.managed)))
        self._world.web.put_certificate(issued)
        self._world.journal.note(f"managed certificate {issued.name} issued {issued.thumbprint[:8]}")
        return Response(200)

    def new_content(self, host_name: str) -> ImportedCertificate:
        """Return what the authority issues now for that host name."""
        now = self._world.clock.now()
        return imported(authority().issue(Request((host_name,), now, now + SIX_MONTHS, usages=(SERVER_AUTH,))))

    def _trouble(self, certificate: Certificate) -> str | None:
        site = self._world.web.site_with_host(str(certificate.managed))
        if site is None:
            return f"The hostname {certificate.managed} is not added to an App Service app."
        return dns_trouble(self._world, site, str(certificate.managed))


def put(call: "Call", payload: Mapping[str, Any], location: str) -> Response:
    """Ask for a managed certificate. Raises Refused for what Microsoft.Web can say at once."""
    properties = payload.get("properties") or {}
    host_name = str(properties["canonicalName"]).lower()
    plan = call.world.web.plans.get(str(properties.get("serverFarmId") or ""))
    if plan is None:
        raise refusals.missing("ServerFarm", str(properties.get("serverFarmId") or "").rpartition("/")[2])
    _check_name(host_name)
    _check_host(call.world, plan, host_name)
    return call.world.managed.ask(
        Certificate(
            subscription=call["subscription"],
            resource_group=call["group"],
            name=call["name"],
            location=location,
            webspace=plan.webspace,
            content=call.world.managed.new_content(host_name),
            tags=payload.get("tags") or {},
            managed=host_name,
            hidden=call.world.knobs.managed_hides_thumbprint,
        ),
        plan,
    )


def again(before: Certificate, payload: Mapping[str, Any]) -> Certificate:
    """Return the certificate that a request asks for which is there already. Raises Refused for another one."""
    if before.managed != str(payload["properties"]["canonicalName"]).lower():
        raise refusals.conflict("The certificate {0} exists and is not managed for that name.", before.name)
    return before


def poll(call: "Call") -> Response:
    """Answer how far an order is."""
    return call.world.managed.poll(call["subscription"], call["operation"])


def dns_trouble(world: "World", site: Site, host_name: str) -> str | None:
    """Return what public DNS has against a certificate for that host name, or None."""
    zones = world.dns
    alias = zones.values(host_name, "CNAME")
    if zones.values(host_name, "SOA"):
        addresses = set(zones.values(host_name, "A"))
        if not addresses or addresses - {world.web.address_of(site.default_host_name)}:
            return f"The domain {host_name} does not have an A record that points to the app."
    elif not alias or not _direct(alias[0].lower(), site):
        return f"The domain {host_name} does not have a CNAME record that points to {site.default_host_name}."
    return _caa_trouble(world, host_name)


def _direct(target: str, site: Site) -> bool:
    return target == site.default_host_name or target.endswith(f".{TRAFFIC_MANAGER}")


def _caa_trouble(world: "World", host_name: str) -> str | None:
    labels = host_name.split(".")
    climbing = (".".join(labels[start:]) for start in range(len(labels)))
    found = next((values for name in climbing if (values := world.dns.values(name, "CAA"))), ())
    issuers = [value.split('"')[1].partition(";")[0].strip() for value in found if " issue " in value]
    if not issuers or AUTHORITY in issuers:
        return None
    return f"The domain {host_name} has a CAA record that does not allow {AUTHORITY} to issue certificates."


def _check_name(host_name: str) -> None:
    if not NAME.fullmatch(host_name) or len(host_name) > LONGEST_NAME or host_name.endswith(f".{DEFAULT_DOMAIN}"):
        raise refusals.invalid("Properties.CanonicalName", f"The value '{host_name}' is not supported.")


def _check_host(world: "World", plan: Plan, host_name: str) -> None:
    if plan.sku[:1].upper() in NO_FREE:
        raise refusals.bad("Free managed certificates are not supported on Free and Shared plans.")
    site = world.web.site_with_host(host_name)
    if site is None or site.plan_id.lower() != plan.id.lower():
        raise refusals.invalid(
            "Properties.CanonicalName",
            f"Certificate creation requires hostname {host_name} added to an App Service in the serverFarm {plan.id}.",
        )
    if plan.environment or site.properties.get("hostingEnvironmentProfile"):
        raise refusals.bad("Free managed certificates are not supported in an App Service Environment.")


def _accepted(wanted: Certificate, key: str) -> Response:
    place = web_id(wanted.subscription, "", "locations", wanted.location).partition("/resourceGroups/")[0]
    path = f"{place}/providers/Microsoft.Web/locations/{wanted.location.replace(' ', '')}/operationResults/{key}"
    return Response(202, {"Location": f"https://management.azure.com{path}?api-version={API}", "Retry-After": "5"})
