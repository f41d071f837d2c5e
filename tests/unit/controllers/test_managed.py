"""Certroll checks whether a host name meets Azure's prerequisites of a free App Service managed certificate."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from shared.controllers.managed.work import Work, certificate_ref
from shared.domain.errors import Rejected
from shared.domain.managed.dns import Ask, DnsAnswer, RecordKind, Seen
from shared.domain.managed.issuance import HostFacts, HostInspection, Issuance, Place
from shared.domain.managed.prerequisites import is_custom, violations
from shared.domain.names import HostName
from shared.domain.reason import Reason
from tests.build import HOUR, NOW, binding, site, site_ref

HOST = HostName("www.contoso.com")
ROOT = HostName("contoso.com")
LONGEST = f"{'x' * 52}.contoso.com"
APP = "shop.azurewebsites.net"
PROFILE = "contoso.trafficmanager.net"
ADDRESS = "20.1.2.3"
PLACE = Place(site("shop", plan="/plan"), "West Europe", (ADDRESS, "20.1.2.4"))
VERIFIED = HostFacts(verified=True)
A, CAA, CNAME, SOA = RecordKind.A, RecordKind.CAA, RecordKind.CNAME, RecordKind.SOA
Records = Mapping[tuple[str, RecordKind], tuple[str, ...] | Seen]

DIRECT: Records = {(HOST, CNAME): (APP,)}
AT_ROOT: Records = {(ROOT, SOA): ("ns. host. 1 2 3 4 5",), (ROOT, A): (ADDRESS,)}
BLIND = Seen.NOTHING


def asking(records: Records) -> Ask:
    """Return a DNS lookup that has the given records and answers "no such record" to any other query."""

    def ask(name: str, kind: RecordKind) -> DnsAnswer:
        found = records.get((name, kind), Seen.NO_RECORDS)
        if isinstance(found, Seen):
            return DnsAnswer(name, kind, found, detail="timed out" if found is Seen.NOTHING else "")
        return DnsAnswer(name, kind, Seen.RECORDS, found)

    return ask


def found(
    host: str = HOST,
    records: Records = DIRECT,
    *,
    place: Place = PLACE,
    tier: str = "Basic",
    facts: HostFacts = VERIFIED,
) -> list[Reason]:
    """Return Certroll's reasons why App Service cannot issue a managed certificate for the host name."""
    return [violation.reason for violation in violations(HostName(host), place, tier, facts, asking(records))]


@pytest.mark.parametrize(
    ("host", "records"),
    [
        pytest.param(HOST, DIRECT, id="a CNAME that leads directly to the app"),
        pytest.param(HOST, {(HOST, CNAME): (APP.upper(),)}, id="a CNAME in capitals"),
        pytest.param(HOST, {(HOST, CNAME): (PROFILE,), (PROFILE, CNAME): (APP,)}, id="Traffic Manager before an app"),
        pytest.param(
            HOST,
            {(HOST, CNAME): (PROFILE,), (PROFILE, CNAME): ("other.azurewebsites.net",)},
            id="Traffic Manager that leads to another region now",
        ),
        pytest.param(ROOT, AT_ROOT, id="a root domain at the app's address"),
        pytest.param(ROOT, {**AT_ROOT, (ROOT, A): ("20.1.2.4",)}, id="a root domain at a possible address"),
        pytest.param(LONGEST, {(LONGEST, CNAME): (APP,)}, id="64 characters"),
        pytest.param(ROOT, {**AT_ROOT, (ROOT, CAA): ('0 issue "digicert.com"',)}, id="CAA that allows DigiCert"),
        pytest.param(
            HOST, {**DIRECT, (ROOT, CAA): ('0 issue "DigiCert.com; account=1"',)}, id="CAA above, with parameters"
        ),
        pytest.param(
            HOST,
            {**DIRECT, (HOST, CAA): ('0 issue "digicert.com"',), (ROOT, CAA): ('0 issue "letsencrypt.org"',)},
            id="CAA of the name wins over CAA above",
        ),
        pytest.param(
            HOST, {**DIRECT, (ROOT, CAA): ('0 issuewild "letsencrypt.org"',)}, id="CAA that speaks of wildcards alone"
        ),
        pytest.param(
            HOST,
            {**DIRECT, (ROOT, CAA): ('0 issue "letsencrypt.org"', '0 issue "digicert.com"')},
            id="CAA that allows two authorities",
        ),
        pytest.param(
            HOST, {**DIRECT, (HOST, CAA): ('0 unheard "x"', '0 issue "digicert.com"')}, id="CAA with an odd, mild tag"
        ),
        pytest.param(
            HOST, {**DIRECT, (HOST, CAA): ('1 unheard "x"',)}, id="CAA with an odd, mild tag and another flag"
        ),
        pytest.param(HOST, {**DIRECT, (HOST, CAA): Seen.NO_NAME}, id="no name for CAA"),
        *(
            pytest.param(HOST, {**DIRECT, (HOST, CAA): (f'128 {tag} "digicert.com"',)}, id=f"CAA, critical: {tag}")
            for tag in ("issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc")
        ),
    ],
)
def test_nothing_is_against_it(host: str, records: Records) -> None:
    """Certroll reports no violation if a host name meets all prerequisites of a managed certificate."""
    assert found(host, records) == []


@pytest.mark.parametrize(
    ("host", "records", "reason"),
    [
        pytest.param(HOST, {(HOST, CNAME): ("cdn.example.net",)}, Reason.CNAME_NOT_DIRECT, id="a CNAME to a CDN"),
        pytest.param(HOST, {(HOST, CNAME): Seen.NO_NAME}, Reason.CNAME_NOT_DIRECT, id="a name that does not exist"),
        pytest.param(HOST, {(HOST, A): (ADDRESS,)}, Reason.CNAME_NOT_DIRECT, id="a subdomain with an A record alone"),
        pytest.param(HOST, {(HOST, CNAME): BLIND}, Reason.DNS_NOT_SEEN, id="silence about the CNAME"),
        pytest.param(ROOT, {(ROOT, SOA): BLIND}, Reason.DNS_NOT_SEEN, id="silence about the zone"),
        pytest.param(ROOT, {**AT_ROOT, (ROOT, A): BLIND}, Reason.DNS_NOT_SEEN, id="silence about the address"),
        pytest.param(HOST, {**DIRECT, (HOST, CAA): BLIND}, Reason.DNS_NOT_SEEN, id="silence about CAA"),
        pytest.param(
            HOST, {**DIRECT, (HOST, CAA): ("\u00b9 unheard",)}, Reason.CAA_FORBIDS, id="CAA whose flags are no number"
        ),
        pytest.param(HOST, {**DIRECT, ("com", CAA): BLIND}, Reason.DNS_NOT_SEEN, id="silence about CAA far above"),
        pytest.param(ROOT, {**AT_ROOT, (ROOT, A): Seen.NO_RECORDS}, Reason.NOT_THE_APPS_ADDRESS, id="a root without A"),
        pytest.param(ROOT, {**AT_ROOT, (ROOT, A): ("9.9.9.9",)}, Reason.NOT_THE_APPS_ADDRESS, id="another address"),
        pytest.param(
            ROOT, {**AT_ROOT, (ROOT, A): (ADDRESS, "9.9.9.9")}, Reason.NOT_THE_APPS_ADDRESS, id="another one next to it"
        ),
        pytest.param(
            HOST,
            {(HOST, CNAME): (PROFILE,), (PROFILE, CNAME): ("inner.trafficmanager.net",)},
            Reason.BEHIND_TRAFFIC_MANAGER,
            id="a nested profile",
        ),
        pytest.param(
            HOST,
            {(HOST, CNAME): (PROFILE,), (PROFILE, CNAME): ("www.elsewhere.example",)},
            Reason.BEHIND_TRAFFIC_MANAGER,
            id="an external endpoint",
        ),
        pytest.param(
            HOST, {(HOST, CNAME): (PROFILE,)}, Reason.BEHIND_TRAFFIC_MANAGER, id="a profile without endpoints"
        ),
        pytest.param(
            HOST, {(HOST, CNAME): (PROFILE,), (PROFILE, CNAME): BLIND}, Reason.DNS_NOT_SEEN, id="a silent profile"
        ),
        pytest.param(
            HOST, {**DIRECT, (ROOT, CAA): ('0 issue "letsencrypt.org"',)}, Reason.CAA_FORBIDS, id="CAA for another one"
        ),
        pytest.param(
            HOST,
            {**DIRECT, (ROOT, CAA): ('0 issue "letsencrypt.org; account=1"',)},
            Reason.CAA_FORBIDS,
            id="CAA for another one, with parameters",
        ),
        pytest.param(
            HOST, {**DIRECT, (ROOT, CAA): ('0 ISSUE "letsencrypt.org"',)}, Reason.CAA_FORBIDS, id="CAA in capitals"
        ),
        pytest.param(HOST, {**DIRECT, (ROOT, CAA): ('0 issue ";"',)}, Reason.CAA_FORBIDS, id="CAA for nobody"),
        pytest.param(
            HOST,
            {**DIRECT, (HOST, CAA): ('128 unheard "x"', '0 issue "digicert.com"')},
            Reason.CAA_FORBIDS,
            id="CAA with an odd, critical tag",
        ),
        pytest.param(
            HOST,
            {**DIRECT, (HOST, CAA): ('0 issuewild "digicert.com"', '0 issue "letsencrypt.org"')},
            Reason.CAA_FORBIDS,
            id="CAA that allows wildcards alone",
        ),
        pytest.param(HOST, {**DIRECT, (HOST, CAA): ("gibberish",)}, Reason.CAA_FORBIDS, id="CAA that cannot be read"),
        pytest.param("*.contoso.com", DIRECT, Reason.WILDCARD_NAME, id="a wildcard"),
        pytest.param("", DIRECT, Reason.NAME_NOT_ALLOWED, id="no name at all"),
        pytest.param("my_shop.contoso.com", DIRECT, Reason.NAME_NOT_ALLOWED, id="an underscore"),
        pytest.param("xn--bcher-kva.example", DIRECT, Reason.NAME_NOT_ALLOWED, id="an international name"),
        pytest.param("\u2603.example", DIRECT, Reason.NAME_NOT_ALLOWED, id="a name without an ASCII form"),
        pytest.param(f"{'x' * 53}.contoso.com", DIRECT, Reason.NAME_NOT_ALLOWED, id="65 characters"),
    ],
)
def test_record_that_is_in_the_way_is_named(host: str, records: Records, reason: Reason) -> None:
    """Certroll gives a reason for each prerequisite of a managed certificate that the name or DNS does not meet."""
    assert found(host, records) == [reason]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"tier": "Free"}, Reason.TIER_TOO_LOW, id="a free plan"),
        pytest.param({"tier": "SHARED"}, Reason.TIER_TOO_LOW, id="a shared plan"),
        pytest.param({"tier": "FlexConsumption"}, Reason.ON_FLEX_CONSUMPTION, id="a Flex Consumption plan"),
        pytest.param({"tier": ""}, Reason.INCOMPLETE_VIEW, id="a plan that is not seen"),
        pytest.param({"facts": HostFacts(verified=False)}, Reason.HOST_NOT_VERIFIED, id="a name that is not verified"),
        pytest.param({"place": replace(PLACE, in_environment=True)}, Reason.IN_ENVIRONMENT, id="an environment"),
    ],
)
def test_app_that_is_in_the_way_is_named(changes: dict[str, object], reason: Reason) -> None:
    """Certroll gives a reason for each prerequisite of a managed certificate that the plan or app does not meet."""
    assert found(**changes) == [reason]  # type: ignore[arg-type]


def test_root_domain_behind_traffic_manager_is_refused() -> None:
    """Certroll refuses a managed certificate for a root domain behind Traffic Manager, and accepts a subdomain."""
    by_traffic_manager = HostFacts(verified=True, by_traffic_manager=True)
    assert found(ROOT, AT_ROOT, facts=by_traffic_manager) == [Reason.BEHIND_TRAFFIC_MANAGER]
    assert found(HOST, DIRECT, facts=by_traffic_manager) == []


def test_root_domain_needs_an_address_to_compare_with() -> None:
    """Certroll refuses a managed certificate for a root domain if Azure does not report the app's inbound address."""
    assert found(ROOT, AT_ROOT, place=replace(PLACE, inbound_addresses=())) == [Reason.INCOMPLETE_VIEW]


def test_everything_that_is_in_the_way_is_told_at_once() -> None:
    """Certroll reports all unmet prerequisites of a managed certificate at once."""
    records = {(HOST, CNAME): ("cdn.example.net",), (ROOT, CAA): ('0 issue "letsencrypt.org"',)}
    assert found(HOST, records, tier="Free") == [Reason.TIER_TOO_LOW, Reason.CNAME_NOT_DIRECT, Reason.CAA_FORBIDS]


@pytest.mark.parametrize(
    ("host", "records", "step"),
    [
        pytest.param(HOST, {}, f"{HOST}. CNAME {APP}.", id="a CNAME"),
        pytest.param(ROOT, {**AT_ROOT, (ROOT, A): ("9.9.9.9",)}, f"{ROOT}. A {ADDRESS}", id="an A record"),
        pytest.param(
            HOST, {**DIRECT, (ROOT, CAA): ('0 issue "x.example"',)}, f'{ROOT}. CAA 0 issue "digicert.com"', id="CAA"
        ),
        pytest.param(HOST, {(HOST, CNAME): BLIND}, "CERTROLL_DNS_SERVERS", id="other name servers"),
    ],
)
def test_next_step_is_exact(host: HostName, records: Records, step: str) -> None:
    """The detail of an unmet DNS prerequisite shows the exact DNS record that the operator has to write."""
    (violation,) = violations(host, PLACE, "Basic", VERIFIED, asking(records))
    assert step in violation.detail


def test_dns_is_not_asked_in_vain() -> None:
    """Certroll queries no DNS for a wildcard name, and queries CAA for each parent domain of another name.

    App Service issues no managed certificate for a wildcard name, whatever DNS records the name has.
    """
    asked: list[tuple[str, RecordKind]] = []

    def ask(name: str, kind: RecordKind) -> DnsAnswer:
        asked.append((name, kind))
        return asking(DIRECT)(name, kind)

    violations(HostName("*.contoso.com"), PLACE, "Basic", VERIFIED, ask)
    assert asked == []
    violations(HOST, PLACE, "Basic", VERIFIED, ask)
    assert asked == [(HOST, CNAME), (HOST, CAA), (ROOT, CAA), ("com", CAA)]


@pytest.mark.parametrize(
    ("host", "custom"),
    [
        (HOST, True),
        (APP, False),
        (PROFILE, False),
        ("x.usgovtrafficmanager.net", False),
        ("x.azurewebsites.us", False),
        ("x.ase.appserviceenvironment.net", False),
        ("x.ase.appserviceenvironment.us", False),
        ("azurewebsites.net.contoso.com", True),
    ],
)
def test_names_of_azure_are_not_custom(host: str, custom: bool) -> None:  # noqa: FBT001
    """The default host names of App Service and Traffic Manager do not count as custom names."""
    assert is_custom(HostName(host)) is custom


@pytest.mark.parametrize(
    ("issuance", "hours"),
    [
        pytest.param({"operation": "/subscriptions/x"}, 24, id="one that Azure works on"),
        pytest.param({"operation": "/subscriptions/x", "refused": "no"}, 6, id="one that was refused"),
        pytest.param({}, 1, id="one whose answer was lost"),
    ],
)
def test_azure_is_asked_again_only_later(issuance: dict[str, str], hours: int) -> None:
    """Certroll requests the same managed certificate again only some hours after its last request."""
    known = Issuance(site_ref(), HOST, NOW, **issuance)
    assert known.counts(NOW + hours * HOUR - timedelta(seconds=1))
    assert not known.counts(NOW + hours * HOUR)


def test_host_name_is_told_with_its_site() -> None:
    """The result of Certroll's check for a managed certificate names the host name and its site."""
    look = HostInspection(site_ref("shop", "staging"), HOST, Reason.WILDCARD_NAME)
    assert look.subject == "host name www.contoso.com of shop/staging"


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({(HOST, CNAME): (PROFILE,), (PROFILE, CNAME): ("INNER.TrafficManager.net",)}, "a nested profile; only"),
        ({(HOST, CNAME): (PROFILE,), (PROFILE, CNAME): ("www.elsewhere.example",)}, "an external endpoint, or none;"),
        ({(HOST, CNAME): (PROFILE,)}, "leads to no app (no such record): an external endpoint, or none;"),
        ({**DIRECT, (ROOT, CAA): ('0 issue ";"',)}, "the CAA records of contoso.com allow nobody; add"),
        ({**DIRECT, (ROOT, CAA): ('0 issue "b.example"', '0 issue "A.example"')}, "allow a.example, b.example; add"),
    ],
)
def test_what_is_in_the_way_is_told_in_words(records: Records, words: str) -> None:
    """The detail of an unmet prerequisite of a managed certificate shows the DNS records and the required change."""
    (violation,) = violations(HOST, PLACE, "Basic", VERIFIED, asking(records))
    assert words in violation.detail


@pytest.mark.parametrize("plan", ["", "text", "/subscriptions/x", "/a/b/c/d/e"])
def test_site_without_a_plan_is_named(plan: str) -> None:
    """A site whose App Service plan Azure does not show is one refusal that names the site, and no error of Python."""
    place = Place(replace(site(), plan=plan), "West Europe", ())
    work = cast("Work", SimpleNamespace(place=lambda _: place))
    with pytest.raises(Rejected, match="Azure shows no App Service plan of site shop"):
        certificate_ref(work, binding(HOST))
