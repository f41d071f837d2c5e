"""The prerequisites of free App Service managed certificates, and the record of an issuance in progress.

The sources are the Azure docs "Add and manage TLS/SSL certificates" (create a free managed certificate) and the newer
"App Service managed certificate changes" of July 2025 and November 2025.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.fleet.sites import Site
from shared.domain.managed.dns import Ask, DnsAnswer, RecordKind, Seen
from shared.domain.names import CopyRef, HostName, SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.tags import MANAGED

LONGEST_NAME = 64
AUTHORITY = "digicert.com"
PLATFORM = (".azurewebsites.net", ".azurewebsites.us")
ENVIRONMENTS = (".appserviceenvironment.net", ".appserviceenvironment.us")
TRAFFIC_MANAGER = (".trafficmanager.net", ".usgovtrafficmanager.net")
FREE_TIERS = frozenset({"free", "shared"})
FLEX_TIER = "flexconsumption"
KNOWN_CAA = frozenset({"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"})
CRITICAL = 128
REFUSED_FOR = timedelta(hours=6)
"""How long Certroll waits after Azure refused a managed certificate before it asks again. By then an operator may have
corrected DNS, and four refusals a day do no harm."""
UNDER_WAY_FOR = timedelta(hours=24)
"""How long Certroll waits for Azure to issue a managed certificate before Certroll asks again."""
UNKNOWN_FOR = timedelta(hours=1)
"""How long Certroll waits before it asks again if Azure's answer was lost: until the next hourly sweep."""

_NAME = re.compile(r"[a-z0-9.-]+")
_ALTERNATIVE = f"Or import a certificate from a vault for the host name, or remove the tag {MANAGED}"


@dataclass(frozen=True, slots=True)
class Place:
    """A site or slot with the properties on which managed certificates depend."""

    site: Site
    location: str
    inbound_addresses: tuple[str, ...]
    """The addresses to which DNS may lead, with the current inbound address first."""
    in_environment: bool = False
    """True if the site runs in an App Service Environment."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The properties of a host name in App Service."""

    verified: bool
    """True if App Service verified that the owner of the site owns the host name."""
    by_traffic_manager: bool = False
    """True if Traffic Manager added the host name to the site."""


@dataclass(frozen=True, slots=True)
class SeenCertificate:
    """A certificate of a webspace."""

    ref: CopyRef
    webspace: Webspace
    managed_for: HostName | None
    """The host name for which Azure manages the certificate, None for every other certificate."""
    thumbprint: Thumbprint | None = None


@dataclass(frozen=True, slots=True)
class Issuance:
    """A managed certificate for which Certroll asked Azure."""

    site: SiteRef
    host_name: HostName
    asked_at: datetime
    operation: str = ""
    """The address at which Azure reports progress, empty if Azure's answer was lost."""
    refused: str = ""
    """The cause of Azure's refusal, empty without a refusal."""

    def counts(self, now: datetime) -> bool:
        """Return True while Certroll must not ask Azure again for the host name."""
        unknown = UNDER_WAY_FOR if self.operation else UNKNOWN_FOR
        return now < self.asked_at + (REFUSED_FOR if self.refused else unknown)


@dataclass(frozen=True, slots=True)
class Violation:
    """A prerequisite that the site does not meet, with the next step in its detail."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class HostInspection:
    """The result of inspecting one host name."""

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
        """The host name and its site."""
        return f"host name {self.host_name} of {self.site}"


def is_custom(host_name: HostName) -> bool:
    """Return True if the host name belongs to people. Azure owns the host names of its own services."""
    return not host_name.endswith((*PLATFORM, *ENVIRONMENTS, *TRAFFIC_MANAGER))


def violations(host: HostName, place: Place, tier: str, facts: HostFacts, ask: Ask) -> tuple[Violation, ...]:
    """Return the prerequisites of a managed certificate that the host name does not meet.

    `tier` is the tier of the App Service plan, in Azure's words. Certroll asks DNS only if a managed certificate is
    possible at all.
    """
    impossible = tuple(_impossible(host, place))
    if impossible:
        return impossible
    return (*_of_app(host, place, tier, facts), *_of_records(host, place, facts, ask), *_of_authority(host, ask))


def _impossible(host: HostName, place: Place) -> Iterator[Violation]:
    if place.in_environment:
        detail = f"{place.site.ref} runs in an App Service Environment, which has no managed certificates"
        yield Violation(Reason.IN_ENVIRONMENT, f"{detail}. {_ALTERNATIVE}")
    if host.startswith("*."):
        detail = f"{host} is a wildcard, which managed certificates do not cover"
        yield Violation(Reason.WILDCARD_NAME, f"{detail}. {_ALTERNATIVE}")
    elif not _NAME.fullmatch(host) or len(host) > LONGEST_NAME:
        detail = f"{host} has {len(host)} characters; letters, digits, dashes and periods are allowed, {LONGEST_NAME} "
        yield Violation(Reason.NAME_NOT_ALLOWED, f"{detail}at most. {_ALTERNATIVE}")


def _of_app(host: HostName, place: Place, tier: str, facts: HostFacts) -> Iterator[Violation]:
    if not tier:
        detail = f"Azure does not show the tier of the plan of {place.site.ref}; let the identity read the plan"
        yield Violation(Reason.INCOMPLETE_VIEW, detail)
    elif tier.lower() in FREE_TIERS:
        detail = f"{place.site.ref} is on a plan of tier {tier}; scale it up to Basic or higher"
        yield Violation(Reason.TIER_TOO_LOW, detail)
    elif tier.lower() == FLEX_TIER:
        detail = f"{place.site.ref} is on a Flex Consumption plan, whose managed certificates belong to the site"
        yield Violation(Reason.ON_FLEX_CONSUMPTION, f"{detail}: az webapp config ssl create --hostname {host}")
    if not facts.verified:
        detail = f"{host} is not verified; add it to {place.site.ref} again, with the TXT record that the portal shows"
        yield Violation(Reason.HOST_NOT_VERIFIED, detail)


def _of_records(host: HostName, place: Place, facts: HostFacts, ask: Ask) -> Iterable[Violation]:
    """Yield the prerequisites that the DNS records of the host name do not meet.

    A root domain is a name with an SOA record, which cannot have a CNAME record (RFC 1034). This rule needs no list of
    public suffixes, and treats the root of a delegated zone as a root domain.
    """
    alias = ask(host, RecordKind.CNAME)
    if alias.seen is Seen.RECORDS:
        return _of_alias(host, place, alias.records[0].lower(), ask)
    if alias.seen is not Seen.NO_RECORDS:
        return _no_alias(host, place, alias)
    zone = ask(host, RecordKind.SOA)
    if zone.seen is Seen.RECORDS:
        return _of_root(host, place, facts, ask)
    return _no_alias(host, place, zone)


def _no_alias(host: HostName, place: Place, answer: DnsAnswer) -> Iterator[Violation]:
    if answer.seen is Seen.NOTHING:
        yield _not_seen(answer)
        return
    detail = f"DNS has no CNAME record for {host}, which is not a root domain ({answer.seen})"
    yield Violation(Reason.CNAME_NOT_DIRECT, f"{detail}. {_cname_to_write(host, place)}")


def _of_alias(host: HostName, place: Place, target: str, ask: Ask) -> Iterator[Violation]:
    if target == place.site.default_host_name:
        return
    if target.endswith(TRAFFIC_MANAGER):
        yield from _of_traffic_manager(target, ask)
        return
    detail = f"{host} is a CNAME of {target}; Azure issues and renews only if the CNAME leads directly to the app"
    yield Violation(Reason.CNAME_NOT_DIRECT, f"{detail}. {_cname_to_write(host, place)}")


def _of_traffic_manager(target: str, ask: Ask) -> Iterator[Violation]:
    """Yield a violation if the Traffic Manager profile does not lead directly to an app.

    Managed certificates support only Azure endpoints since July 2025, and no nested or external endpoints.
    """
    answer = ask(target, RecordKind.CNAME)
    if answer.seen is Seen.NOTHING:
        yield _not_seen(answer)
    elif not (answer.records and answer.records[0].lower().endswith(PLATFORM)):
        where = answer.records[0] if answer.records else f"no app ({answer.seen})"
        kind = "a nested profile" if where.lower().endswith(TRAFFIC_MANAGER) else "an external endpoint, or none"
        detail = f"Traffic Manager's {target} leads to {where}: {kind}; only Azure endpoints are supported"
        yield Violation(Reason.BEHIND_TRAFFIC_MANAGER, f"{detail}. {_ALTERNATIVE}")


def _of_root(host: HostName, place: Place, facts: HostFacts, ask: Ask) -> Iterator[Violation]:
    if facts.by_traffic_manager:
        detail = f"{host} is a root domain behind Traffic Manager, and managed certificates do not support that"
        yield Violation(Reason.BEHIND_TRAFFIC_MANAGER, f"{detail}. {_ALTERNATIVE}")
        return
    answer = ask(host, RecordKind.A)
    if answer.seen is Seen.NOTHING:
        yield _not_seen(answer)
    elif not place.inbound_addresses:
        yield Violation(Reason.INCOMPLETE_VIEW, f"Azure does not show the inbound address of {place.site.ref}")
    elif not answer.records or set(answer.records) - set(place.inbound_addresses):
        leads = f"leads to {', '.join(sorted(answer.records))}" if answer.records else "has no A record"
        detail = f"the root domain {host} {leads}; write only this A record: {host}. A {place.inbound_addresses[0]}"
        yield Violation(Reason.NOT_THE_APPS_ADDRESS, detail)


def _of_authority(host: HostName, ask: Ask) -> Iterator[Violation]:
    """Yield a violation if the nearest CAA records at or above the host name forbid the authority (RFC 8659, 3).

    If there are no CAA records, or none with the tag `issue`, every authority may issue.
    """
    labels = host.split(".")
    for name in (".".join(labels[start:]) for start in range(len(labels))):
        answer = ask(name, RecordKind.CAA)
        if answer.seen is Seen.NOTHING:
            yield _not_seen(answer)
            return
        if answer.records:
            yield from _of_caa(name, answer.records)
            return


def _of_caa(name: str, records: tuple[str, ...]) -> Iterator[Violation]:
    parsed = [_caa(record) for record in records]
    unknown = [tag for flags, tag, _ in parsed if flags & CRITICAL and tag not in KNOWN_CAA]
    issuers = [value.partition(";")[0].strip().lower() for _, tag, value in parsed if tag == "issue"]
    if unknown:
        detail = f"a critical CAA record of {name} has the unknown tag {unknown[0]!r}; remove the record"
        yield Violation(Reason.CAA_FORBIDS, detail)
    elif issuers and AUTHORITY not in issuers:
        allowed = ", ".join(sorted(issuer or "nobody" for issuer in issuers))
        detail = f'the CAA records of {name} allow {allowed}; add this one: {name}. CAA 0 issue "{AUTHORITY}"'
        yield Violation(Reason.CAA_FORBIDS, detail)


def _caa(record: str) -> tuple[int, str, str]:
    """Return the flags, the tag and the value of a CAA record. An unreadable record counts as critical and unknown."""
    flags, _, rest = record.partition(" ")
    tag, _, value = rest.strip().partition(" ")
    return (int(flags) if flags.isdigit() else CRITICAL), tag.lower(), value.strip().strip('"')


def _not_seen(answer: DnsAnswer) -> Violation:
    detail = f"Certroll could not look up {answer.kind} of {answer.name} ({answer.detail}); see CERTROLL_DNS_SERVERS"
    return Violation(Reason.DNS_NOT_SEEN, detail)


def _cname_to_write(host: HostName, place: Place) -> str:
    return f"Write this record: {host}. CNAME {place.site.default_host_name}."
