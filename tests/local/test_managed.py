"""These tests cover free managed certificates of the local Azure: request, DNS check, issuance and renewal."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from local.azure.dns.server import DnsServer
from local.azure.rights.grants import Grant
from local.azure.rights.permissions import Permissions
from local.azure.wire import Response
from local.stand import Stand
from tests.local.arm_client import PRINCIPAL, Shop, as_principal
from tests.local.test_control import ask

HOST = "www.contoso.com"


class Wanted(Shop):
    """A site with a host name without a certificate, whose DNS allows a managed certificate."""

    def __init__(self) -> None:
        """Build the site `shop`, its uncovered host name and the DNS record of that name."""
        super().__init__()
        self.site = self.build.add_host(self.site, HOST)
        self.build.add_record(HOST, "CNAME", self.site.default_host_name)

    @property
    def certificate(self) -> str:
        """The ARM path of the managed certificate."""
        group = f"/subscriptions/{self.site.subscription}/resourceGroups/contoso"
        return f"{group}/providers/Microsoft.Web/certificates/{HOST}"

    def ask(self, host: str = HOST) -> Response:
        """Request a managed certificate as az does, and return the answer."""
        properties = {"canonicalName": host, "serverFarmId": self.plan.id, "password": ""}
        return self.arm.send("PUT", self.certificate, {"location": "West Europe", "properties": properties})

    def poll(self, accepted: Response) -> Response:
        """Poll the operation that ARM's 202 named, and return the answer."""
        there = urlsplit(accepted.headers["Location"])
        return self.arm.send("GET", f"{there.path}?{there.query}")

    def issue(self) -> dict[str, Any]:
        """Request a managed certificate, wait for its issuance, and return the certificate."""
        self.ask()
        self.world.clock.advance(timedelta(seconds=20))
        found: dict[str, Any] = self.arm.get(self.certificate)
        return found

    def bind_without_thumbprint(self) -> dict[str, Any]:
        """Bind the host name by SNI, and let App Service find the certificate."""
        properties = {"siteName": "shop", "sslState": "SniEnabled"}
        path = f"{self.site.id}/hostNameBindings/{HOST}"
        found: dict[str, Any] = self.arm.put(path, {"properties": properties})
        return found


@pytest.fixture
def shop() -> Wanted:
    """Build a site whose host name may get a managed certificate."""
    return Wanted()


def test_first_answer_is_202_without_a_body(shop: Wanted) -> None:
    """A request for a managed certificate answers 202 with Location and Retry-After, and no body.

    The azure-powershell recording TestNewAzWebAppCertificate shows the answer. A requested managed certificate does not
    exist before Azure has issued the certificate.
    """
    accepted = shop.ask()
    assert (accepted.status, accepted.body, accepted.headers["Retry-After"]) == (202, b"", "15")
    there, _, operation = accepted.headers["Location"].rpartition("/operationresults/")
    assert there == f"https://management.azure.com{shop.certificate}"
    identifier, _, version = operation.partition("?")
    assert (str(UUID(identifier)), version) == (identifier, "api-version=2025-05-01")
    assert shop.poll(accepted).status == 202
    shop.arm.get(shop.certificate, 404)
    shop.world.clock.advance(timedelta(seconds=20))
    assert shop.poll(accepted).status == 200
    assert shop.arm.get(shop.certificate)["properties"]["canonicalName"] == HOST


def test_asking_twice_issues_once(shop: Wanted) -> None:
    """A second request for a managed certificate returns the pending operation of the first request.

    After the issuance of the managed certificate, ARM answers another request for it with 200.
    """
    assert shop.ask().headers["Location"] == shop.ask().headers["Location"]
    shop.world.clock.advance(timedelta(seconds=20))
    assert shop.ask().status == 200
    assert len(list(shop.world.web.certificates.values())) == 2


def test_issued_at_once_where_the_knob_says_so(shop: Wanted) -> None:
    """The PUT of a managed certificate answers 200 if the simulation setting `managed_issuance_seconds` is 0."""
    shop.world.knobs.managed_issuance_seconds = 0
    assert shop.ask().status == 200


def test_thumbprint_issuer_and_dates_are_hidden(shop: Wanted) -> None:
    """By default, ARM shows no thumbprint of a managed certificate or of its binding.

    Since 2021, App Service has not returned the thumbprint of a managed certificate.
    """
    properties = shop.issue()["properties"]
    assert (properties["thumbprint"], properties["issuer"]) == ("", "")
    assert (properties["issueDate"], properties["expirationDate"]) == (None, None)
    assert "thumbprint" not in shop.bind_without_thumbprint()["properties"]
    states = {state["name"]: state for state in shop.arm.get(shop.site.id)["properties"]["hostNameSslStates"]}
    assert (states[HOST]["sslState"], states[HOST]["thumbprint"]) == ("SniEnabled", None)


def test_thumbprint_is_shown_where_the_knob_says_so(shop: Wanted) -> None:
    """A simulation setting can show the thumbprint of a managed certificate, because some Azure users still see it."""
    shop.world.knobs.managed_hides_thumbprint = False
    assert shop.issue()["properties"]["thumbprint"] == shop.bind_without_thumbprint()["properties"]["thumbprint"]


def test_binding_without_a_thumbprint_finds_it_by_host_name(shop: Wanted) -> None:
    """A binding without thumbprint prefers the host name's managed certificate to a wildcard certificate."""
    shop.build.add_certificate("wild", ["*.contoso.com"])
    shop.build.add_copy("wild")
    shop.issue()
    shop.bind_without_thumbprint()
    managed = next(copy for copy in shop.world.web.certificates.values() if copy.managed)
    assert shop.served(HOST) == managed.thumbprint
    assert shop.arm.delete(shop.certificate, 409)["Code"] == "Conflict"


def _without_host(shop: Wanted) -> None:
    shop.arm.delete(f"{shop.site.id}/hostNameBindings/{HOST}")


def _in_environment(shop: Wanted) -> None:
    shop.world.web.put_site(replace(shop.site, properties={"hostingEnvironmentProfile": {"id": "/ase"}}))


def _free(shop: Wanted) -> None:
    shop.world.web.plans.put(shop.plan.id, replace(shop.plan, sku="F1"))


@pytest.mark.parametrize(
    ("hinder", "text"),
    [
        pytest.param(_without_host, "added to an App Service", id="the host name is on no site"),
        pytest.param(_in_environment, "Environment", id="the site is in an environment"),
        pytest.param(_free, "Free and Shared", id="the plan is free"),
    ],
)
def test_what_is_known_at_once_is_refused_at_once(shop: Wanted, hinder: Callable[[Wanted], None], text: str) -> None:
    """The PUT refuses a managed certificate at once if the site or plan does not allow it."""
    hinder(shop)
    answer = shop.ask()
    assert answer.status == 400
    assert text in answer.json()["Message"]


@pytest.mark.parametrize("host", ["*.contoso.com", "a_b.contoso.com", f"{'x' * 60}.contoso.com", "x.azurewebsites.net"])
def test_name_that_cannot_be_is_refused_at_once(shop: Wanted, host: str) -> None:
    """ARM refuses managed certificates for wildcards, odd characters, long names and Azure's own names."""
    assert shop.ask(host).status == 400


def _elsewhere(shop: Wanted) -> None:
    shop.world.dns.remove(HOST, "CNAME")
    shop.build.add_record(HOST, "CNAME", "cdn.example.net")


def _forbid(shop: Wanted) -> None:
    shop.build.add_record("contoso.com", "CAA", '0 issue "letsencrypt.org"')


def _at_root(shop: Wanted) -> None:
    shop.world.dns.add_zone(HOST)
    shop.build.add_record(HOST, "A", "9.9.9.9")


@pytest.mark.parametrize(
    ("hinder", "text"),
    [
        pytest.param(_elsewhere, "CNAME", id="the CNAME leads elsewhere"),
        pytest.param(_forbid, "CAA", id="CAA forbids it"),
        pytest.param(_at_root, "A record", id="the A record leads elsewhere"),
    ],
)
def test_what_dns_says_comes_later(shop: Wanted, hinder: Callable[[Wanted], None], text: str) -> None:
    """Azure checks DNS when it issues a managed certificate, so the operation fails later with the reason."""
    hinder(shop)
    accepted = shop.ask()
    assert accepted.status == 202
    shop.world.clock.advance(timedelta(seconds=20))
    answer = shop.poll(accepted)
    assert answer.status == 400
    assert text in answer.json()["Message"]
    shop.arm.get(shop.certificate, 404)


def test_renewed_45_days_before_the_end(shop: Wanted) -> None:
    """Azure renews a managed certificate 45 days before it expires, and visitors receive the new certificate."""
    shop.issue()
    shop.bind_without_thumbprint()
    first = shop.served(HOST)
    shop.world.clock.advance(timedelta(days=182 - 46))
    shop.world.nightly_sync()
    assert shop.served(HOST) == first
    shop.world.clock.advance(timedelta(days=1))
    shop.world.nightly_sync()
    assert shop.served(HOST) not in {None, first}


def test_not_renewed_where_a_prerequisite_is_gone(shop: Wanted) -> None:
    """Azure does not renew a managed certificate whose CNAME now leads elsewhere."""
    shop.issue()
    shop.bind_without_thumbprint()
    first = shop.served(HOST)
    _elsewhere(shop)
    shop.world.clock.advance(timedelta(days=170))
    shop.world.nightly_sync()
    assert shop.served(HOST) == first


def test_another_certificate_of_that_name_stays(shop: Wanted) -> None:
    """ARM refuses a managed certificate under the name of an existing imported certificate."""
    shop.build.add_copy("shop", name=HOST)
    assert shop.ask().status == 409


def test_operations_are_those_of_the_certificate(shop: Wanted) -> None:
    """ARM answers 404 for the operation of a managed certificate below the name of another certificate."""
    there = urlsplit(shop.ask().headers["Location"]).path
    shop.arm.get(there.upper(), 202)
    shop.arm.get(there.replace(f"/certificates/{HOST}/", "/certificates/other/"), 404)


def test_reading_an_operation_is_an_action_of_its_own(shop: Wanted) -> None:
    """ARM refuses to show the operation if the role lacks `Microsoft.Web/certificates/operationresults/read`."""
    there = urlsplit(shop.ask().headers["Location"]).path
    reads = ("Microsoft.Web/certificates/read",)
    shop.world.grants.give(PRINCIPAL, [Grant("/", Permissions(reads))])
    assert as_principal(shop.world, "GET", there).status == 403
    shop.world.grants.give(
        PRINCIPAL, [Grant("/", Permissions((*reads, "Microsoft.Web/certificates/operationResults/read")))]
    )
    assert as_principal(shop.world, "GET", there).status == 202


def test_records_can_be_steered_from_outside() -> None:
    """The control port shows, adds and removes DNS records of the local name server."""
    with Stand() as stand:
        record = {"name": HOST, "kind": "CNAME", "value": "shop.azurewebsites.net"}
        assert ask(stand, "POST", "/dns", record) == (200, [record])
        assert isinstance(stand.dns, DnsServer)
        assert stand.world.dns.values(HOST, "CNAME") == ("shop.azurewebsites.net",)
        assert ask(stand, "DELETE", "/dns", {"name": HOST, "kind": "CNAME"}) == (200, [])
