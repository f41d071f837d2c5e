"""Free App Service managed certificates: their prerequisites, and what Certroll keeps of one that is under way.

Azure docs, "Add and manage TLS/SSL certificates", create a free managed certificate; and, where newer, "App Service
managed certificate changes" of July 2025 and November 2025.
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
"""How long Certroll does not ask again for a managed certificate that Azure refused: by then somebody may have mended
DNS, and four refusals a day are no burden."""
UNDER_WAY_FOR = timedelta(hours=24)
"""How long Certroll waits for a managed certificate that Azure issues, before it asks again."""
UNKNOWN_FOR = timedelta(hours=1)
"""How long Certroll does not ask again if it did not see Azure's answer: the next sweep."""

_NAME = re.compile(r"[a-z0-9.-]+")
_ALTERNATIVE = f"Or import a certificate from a vault for it, or take the tag {MANAGED} away"


@dataclass(frozen=True, slots=True)
class Place:
    """A site or slot with what Azure's own certificates depend on.

    `inbound_addresses` are those that DNS may lead to, the present one first; `in_environment` says that it runs in an
    App Service Environment.
    """

    site: Site
    location: str
    inbound_addresses: tuple[str, ...]
    in_environment: bool = False


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What App Service says of a host name: whether it is verified, and whether Traffic Manager brought it."""

    verified: bool
    by_traffic_manager: bool = False


@dataclass(frozen=True, slots=True)
class SeenCertificate:
    """A certificate of a webspace; `managed_for` is the host name that Azure manages it for, None for all others."""

    ref: CopyRef
    webspace: Webspace
    managed_for: HostName | None
    thumbprint: Thumbprint | None = None


@dataclass(frozen=True, slots=True)
class Issuance:
    """A managed certificate that Azure was asked for.

    `operation` is where Azure says how far it is, empty where its answer is not known; `refused` is why it will not.
    """

    site: SiteRef
    host_name: HostName
    asked_at: datetime
    operation: str = ""
    refused: str = ""

    def counts(self, now: datetime) -> bool:
        """Say whether it still stands: nothing is asked for again while it does."""
        unknown = UNDER_WAY_FOR if self.operation else UNKNOWN_FOR
        return now < self.asked_at + (REFUSED_FOR if self.refused else unknown)


@dataclass(frozen=True, slots=True)
class Violation:
    """A prerequisite that does not hold, with the next step."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class HostInspection:
    """What came of looking at one host name; `also` are further prerequisites that do not hold."""

    site: SiteRef
    host_name: HostName
    reason: Reason
    detail: str = ""
    also: tuple[Violation, ...] = ()
    left_alone: bool = False
    """Somebody else decided about the host name, by a tag or a binding: nobody has to be told."""

    @property
    def subject(self) -> str:
        """The host name and its site."""
        return f"host name {self.host_name} of {self.site}"


def is_custom(host_name: HostName) -> bool:
    """Say whether people own the host name: those of App Service and Traffic Manager are Azure's."""
    return not host_name.endswith((*PLATFORM, *ENVIRONMENTS, *TRAFFIC_MANAGER))


def violations(host: HostName, place: Place, tier: str, facts: HostFacts, ask: Ask) -> tuple[Violation, ...]:
    """Return the prerequisites that do not hold for the host name; DNS is asked only where the rest allows it.

    `tier` is that of the App Service plan, in Azure's words.
    """
    hopeless = tuple(_hopeless(host, place))
    if hopeless:
        return hopeless
    return (*_of_app(host, place, tier, facts), *_of_records(host, place, facts, ask), *_of_authority(host, ask))


def _hopeless(host: HostName, place: Place) -> Iterator[Violation]:
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
        detail = f"Azure does not say the tier of the plan of {place.site.ref}; let the identity read the plan"
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
    """Judge where DNS leads. A root domain is a name that owns an SOA record, so that it can have no CNAME (RFC 1034).

    No list of public suffixes is needed for that, and a zone that was delegated counts as the root it is.
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
    detail = f"DNS has no CNAME record for {host}, which is no root domain ({answer.seen})"
    yield Violation(Reason.CNAME_NOT_DIRECT, f"{detail}. {_cname_to_write(host, place)}")


def _of_alias(host: HostName, place: Place, target: str, ask: Ask) -> Iterator[Violation]:
    if target == place.site.default_host_name:
        return
    if target.endswith(TRAFFIC_MANAGER):
        yield from _of_traffic_manager(target, ask)
        return
    detail = f"{host} is a CNAME of {target}; it has to lead directly to the app, or the certificate is not renewed"
    yield Violation(Reason.CNAME_NOT_DIRECT, f"{detail} either. {_cname_to_write(host, place)}")


def _of_traffic_manager(target: str, ask: Ask) -> Iterator[Violation]:
    """Allow profiles that lead to an app: nested and external endpoints are not supported (since July 2025)."""
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
        detail = f"{host} is a root domain that Traffic Manager leads to the app, which is not supported"
        yield Violation(Reason.BEHIND_TRAFFIC_MANAGER, f"{detail}. {_ALTERNATIVE}")
        return
    answer = ask(host, RecordKind.A)
    if answer.seen is Seen.NOTHING:
        yield _not_seen(answer)
    elif not place.inbound_addresses:
        yield Violation(Reason.INCOMPLETE_VIEW, f"Azure does not say the inbound address of {place.site.ref}")
    elif not answer.records or set(answer.records) - set(place.inbound_addresses):
        leads = f"leads to {', '.join(sorted(answer.records))}" if answer.records else "has no A record"
        detail = f"the root domain {host} {leads}; write this one A record: {host}. A {place.inbound_addresses[0]}"
        yield Violation(Reason.NOT_THE_APPS_ADDRESS, detail)


def _of_authority(host: HostName, ask: Ask) -> Iterator[Violation]:
    """Judge by the CAA records nearest above the name (RFC 8659, 3): none, or none of `issue`, allows everybody."""
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
        detail = f"a CAA record of {name} demands {unknown[0]!r}, which no authority may ignore; take it away"
        yield Violation(Reason.CAA_FORBIDS, detail)
    elif issuers and AUTHORITY not in issuers:
        allowed = ", ".join(sorted(issuer or "nobody" for issuer in issuers))
        detail = f'the CAA records of {name} allow {allowed}; add this one: {name}. CAA 0 issue "{AUTHORITY}"'
        yield Violation(Reason.CAA_FORBIDS, detail)


def _caa(record: str) -> tuple[int, str, str]:
    """Return flags, tag and value of a CAA record; one that cannot be read counts as critical and unknown."""
    flags, _, rest = record.partition(" ")
    tag, _, value = rest.strip().partition(" ")
    return (int(flags) if flags.isdigit() else CRITICAL), tag.lower(), value.strip().strip('"')


def _not_seen(answer: DnsAnswer) -> Violation:
    detail = f"{answer.kind} of {answer.name} could not be looked up ({answer.detail}); see CERTROLL_DNS_SERVERS"
    return Violation(Reason.DNS_NOT_SEEN, detail)


def _cname_to_write(host: HostName, place: Place) -> str:
    return f"Write this record: {host}. CNAME {place.site.default_host_name}."
