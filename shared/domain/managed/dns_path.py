"""Judge whether DNS leads a host name to its app, as Azure demands for a managed certificate."""

from collections.abc import Iterable, Iterator

from shared.domain.managed.dns import Ask, DnsAnswer, RecordKind, Seen
from shared.domain.managed.issuance import ALTERNATIVE, HostFacts, Place, Violation, not_seen
from shared.domain.names import HostName
from shared.domain.reason import Reason

PLATFORM = (".azurewebsites.net", ".azurewebsites.us")


TRAFFIC_MANAGER = (".trafficmanager.net", ".usgovtrafficmanager.net")


def dns_violations(host: HostName, place: Place, facts: HostFacts, ask: Ask) -> Iterable[Violation]:
    """Yield the prerequisites of a managed certificate that the host name's DNS records do not meet.

    Certroll takes a name with an SOA record for a root domain, which cannot have a CNAME record (RFC 1034). Certroll
    finds root domains by their SOA records, so it needs no list of public suffixes and also finds the root of a
    delegated zone.
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
        yield not_seen(answer)
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
    """Yield a violation if the Traffic Manager profile does not lead directly to an app of App Service.

    Managed certificates support only Azure endpoints since July 2025, and no nested or external endpoints.
    """
    answer = ask(target, RecordKind.CNAME)
    if answer.seen is Seen.NOTHING:
        yield not_seen(answer)
    elif not (answer.records and answer.records[0].lower().endswith(PLATFORM)):
        where = answer.records[0] if answer.records else f"no app ({answer.seen})"
        kind = "a nested profile" if where.lower().endswith(TRAFFIC_MANAGER) else "an external endpoint, or none"
        detail = f"Traffic Manager's {target} leads to {where}: {kind}; only Azure endpoints are supported"
        yield Violation(Reason.BEHIND_TRAFFIC_MANAGER, f"{detail}. {ALTERNATIVE}")


def _of_root(host: HostName, place: Place, facts: HostFacts, ask: Ask) -> Iterator[Violation]:
    if facts.by_traffic_manager:
        detail = f"{host} is a root domain behind Traffic Manager, and managed certificates do not support that"
        yield Violation(Reason.BEHIND_TRAFFIC_MANAGER, f"{detail}. {ALTERNATIVE}")
        return
    answer = ask(host, RecordKind.A)
    if answer.seen is Seen.NOTHING:
        yield not_seen(answer)
    elif not place.inbound_addresses:
        yield Violation(Reason.INCOMPLETE_VIEW, f"Azure does not show the inbound address of {place.site.ref}")
    elif not answer.records or set(answer.records) - set(place.inbound_addresses):
        leads = f"leads to {', '.join(sorted(answer.records))}" if answer.records else "has no A record"
        detail = f"the root domain {host} {leads}; write only this A record: {host}. A {place.inbound_addresses[0]}"
        yield Violation(Reason.NOT_THE_APPS_ADDRESS, detail)


def _cname_to_write(host: HostName, place: Place) -> str:
    return f"Write this record: {host}. CNAME {place.site.default_host_name}."
