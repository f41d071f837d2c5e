"""The facts about a host name and its managed certificate, and the record of Certroll's request for the certificate."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.fleet.sites import Site
from shared.domain.managed.dns import DnsAnswer
from shared.domain.names import CopyRef, HostName, SiteRef, Thumbprint, Webspace, readable_host
from shared.domain.reason import Reason
from shared.domain.subject import site_subject
from shared.domain.tags import MANAGED

REFUSED_FOR = timedelta(hours=6)
"""How long Certroll waits after Azure refused a managed certificate before it asks again. By then an operator may have
corrected DNS, and four refusals a day do no harm."""


UNDER_WAY_FOR = timedelta(hours=24)
"""How long Certroll waits for Azure to issue a managed certificate before Certroll asks again."""


UNKNOWN_FOR = timedelta(hours=1)
"""How long Certroll waits before it asks again if Azure's answer was lost: until the next hourly sweep."""


ALTERNATIVE = f"Or import a certificate from a vault for the host name, or remove the tag {MANAGED}"


@dataclass(frozen=True, slots=True)
class Place:
    """A site or slot with the properties that decide whether Azure can issue managed certificates for it."""

    site: Site
    location: str
    inbound_addresses: tuple[str, ...]
    """The addresses to which DNS may lead, with the current inbound address first."""
    in_environment: bool = False
    """True if the site runs in an App Service Environment."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The facts that App Service shows about a host name."""

    verified: bool
    """True if App Service verified that the owner of the site owns the host name."""
    by_traffic_manager: bool = False
    """True if Traffic Manager added the host name to the site."""


@dataclass(frozen=True, slots=True)
class SeenCertificate:
    """A certificate in a webspace (App Service's place for certificates)."""

    ref: CopyRef
    webspace: Webspace
    managed_for: HostName | None
    """The host name for which Azure manages the certificate, None for every other certificate."""
    thumbprint: Thumbprint | None = None


@dataclass(frozen=True, slots=True)
class Issuance:
    """The record of Certroll's request to Azure for a managed certificate."""

    site: SiteRef
    host_name: HostName
    asked_at: datetime
    operation: str = ""
    """The address at which Azure reports progress, empty if Azure's answer was lost."""
    refused: str = ""
    """The cause of Azure's refusal, empty without a refusal."""

    def counts(self, now: datetime) -> bool:
        """Return True while Certroll must not request the managed certificate from Azure again."""
        unknown = UNDER_WAY_FOR if self.operation else UNKNOWN_FOR
        return now < self.asked_at + (REFUSED_FOR if self.refused else unknown)


@dataclass(frozen=True, slots=True)
class Violation:
    """A prerequisite of managed certificates that the site does not meet, with the next step in `detail`."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class HostInspection:
    """The result of inspecting one host name that may get a managed certificate."""

    site: SiteRef
    host_name: HostName
    reason: Reason
    detail: str = ""
    also: tuple[Violation, ...] = ()
    """Further prerequisites that the site does not meet."""
    left_alone: bool = False
    """True if an operator decided about the host name by a tag or a binding, so that Certroll reports nothing."""

    @property
    def subject(self) -> str:
        """The host name and its site, as the subject of a finding (a reported problem)."""
        return host_subject(self.host_name, self.site)


def host_subject(host_name: HostName, site: SiteRef) -> str:
    """Return a host name and its site, as text for operators."""
    return site_subject(site, f"host name {readable_host(host_name)} of ")


def not_seen(answer: DnsAnswer) -> Violation:
    """Return the violation for a DNS question that the name servers did not answer."""
    detail = f"Certroll could not look up {answer.kind} of {answer.name} ({answer.detail}); see CERTROLL_DNS_SERVERS"
    return Violation(Reason.DNS_NOT_SEEN, detail)
