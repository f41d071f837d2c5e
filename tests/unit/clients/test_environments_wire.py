"""Certroll reads App Service Environments and the resources in them in every form that ARM sends."""

import base64
import hashlib
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.core.rest import HttpRequest

from shared.clients.arm.environments import Environments
from shared.clients.arm.site_requests import AppServiceClients
from shared.clients.arm.wire import read_certificate, read_plan
from shared.clients.retrying import Retrying
from shared.domain.errors import Rejected
from shared.domain.fleet.copies import RootCertificate
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.fleet.sites import Environment
from shared.domain.names import EnvironmentRef, RootRef, Thumbprint
from tests.build import ASE, FOREIGN, NEW, OLD, SUBSCRIPTION, ManualClock, root

DER = b"a certificate"
DIGEST = Thumbprint(hashlib.sha1(DER, usedforsecurity=False).hexdigest().upper())
BLOB = base64.b64encode(DER).decode()
ROOTS = f"{ASE.resource_id}/publicCertificates"
OWN = f"certroll-kv-shop-shop-{NEW.lower()}"
API = "api-version=2024-04-01"


class Wire:
    """This fake client returns the given answers to plain requests in turn, and records each request."""

    def __init__(self, *answers: dict[str, Any], environments: object = None) -> None:
        self.asked: list[tuple[str, str, object]] = []
        self._answers = list(answers)
        self.app_service_environments = environments
        self._unregistered: set[str] = set()

    listed = AppServiceClients.listed

    def client(self, subscription: str) -> "Wire":
        """Return this fake ARM client, after a check that the caller asks for the expected subscription."""
        assert subscription == SUBSCRIPTION
        return self

    def send_request(self, request: HttpRequest) -> object:
        """Record the request and return the next of the given answers."""
        body = json.loads(request.content) if isinstance(request.content, str) else request.content
        self.asked.append((request.method, request.url, body))
        answer = self._answers.pop(0)
        return SimpleNamespace(raise_for_status=lambda: None, json=lambda: answer)


def over(*answers: dict[str, Any], environments: object = None) -> tuple[Environments, Wire]:
    """Return Certroll's client for App Service Environments over a fake Azure, and the fake Azure itself."""
    wire = Wire(*answers, environments=environments)
    return Environments(cast("Any", wire), Retrying(ManualClock())), wire


def model(wire: dict[str, Any]) -> object:
    """Return ARM's answer in the form of an object of the Azure SDK."""
    return SimpleNamespace(as_dict=lambda: wire)


def paged(*wires: dict[str, Any]) -> object:
    """Return a list in the form of an SDK pager, in one page."""
    return SimpleNamespace(by_page=lambda _: iter([[model(wire) for wire in wires]]))


def root_wire(name: str = "corp-root", **properties: object) -> dict[str, Any]:
    """Return a root certificate of an App Service Environment in the JSON form of ARM."""
    return {"id": f"{ROOTS}/{name}", "name": name, "location": "West Europe", "properties": properties}


def environment_wire(name: str = "ase", **properties: object) -> dict[str, Any]:
    """Return an App Service Environment in the JSON form of ARM."""
    resource_id = f"{ASE.resource_id.removesuffix('ase')}{name}"
    return {"id": resource_id, "location": "West Europe", "tags": {"team": "web"}, "properties": properties}


# -------------------------------------------------------------------------------------------------- root certificates


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        pytest.param(
            root_wire(isRoot=True, thumbprint=OLD.lower(), blob=BLOB), root("corp-root"), id="all that there may be"
        ),
        pytest.param(root_wire(isRoot=True, thumbprint=OLD), root("corp-root"), id="the thumbprint alone"),
        pytest.param(root_wire(isRoot=True, blob=BLOB), root("corp-root", DIGEST), id="the certificate alone"),
        pytest.param(root_wire(OWN, isRoot=True), root(OWN, NEW), id="neither, and a name that we gave"),
        pytest.param(
            root_wire(OWN.upper(), isRoot=True, thumbprint=None, blob=""), root(OWN, NEW), id="that name in upper case"
        ),
        pytest.param(root_wire(OWN, isRoot=True, thumbprint=FOREIGN), root(OWN, FOREIGN), id="a name that lies"),
        pytest.param(root_wire(OWN, isRoot=True, blob=BLOB), root(OWN, DIGEST), id="a name that lies of what is shown"),
        pytest.param(root_wire(isRoot=True), root("corp-root", None), id="neither, and a name that people gave"),
        pytest.param(
            root_wire(f"certroll-{NEW[:39]}", isRoot=True),
            root(f"certroll-{NEW[:39]}".lower(), None),
            id="a digit less",
        ),
        pytest.param(
            root_wire(f"my-{OWN}", isRoot=True), root(f"my-{OWN}", None), id="a name that only ends like ours"
        ),
        pytest.param(root_wire(thumbprint=OLD), root("corp-root", is_root=False), id="not said to be a root"),
        pytest.param(root_wire(isRoot=False, thumbprint=OLD), root("corp-root", is_root=False), id="no root"),
        pytest.param(
            root_wire("corp%20root", isRoot=True, thumbprint=OLD), root("corp root"), id="a name that is encoded"
        ),
    ],
)
def test_root_is_read_in_every_form(wire: dict[str, Any], expected: RootCertificate) -> None:
    """Certroll reads a root certificate's thumbprint from its properties, its blob, or a name that Certroll wrote.

    A root's thumbprint in the properties takes precedence over its blob, and the blob over its name. A root
    certificate's thumbprint is None if properties, blob and name do not give the thumbprint.
    """
    adapter, azure = over(wire, {"value": [wire]})
    ref = RootRef(ASE, expected.ref.name)
    assert adapter.root(ref) == expected
    assert adapter.roots(ASE).found == (expected,)
    assert [method for method, *_ in azure.asked] == ["GET", "GET"]


@pytest.mark.parametrize(
    ("wire", "problem"),
    [
        pytest.param(root_wire(blob="?"), "its blob is not base64: ", id="a blob that is no base64"),
        pytest.param(root_wire(blob="\u00fc"), "ASCII", id="a blob beyond ASCII"),
        pytest.param(root_wire(OWN, blob="A"), "its blob is not base64: ", id="a blob cut short, under a name of ours"),
        pytest.param(root_wire(thumbprint="A" * 39), "is not a SHA-1 thumbprint", id="a thumbprint cut short"),
        pytest.param(root_wire(thumbprint=[OLD]), "is not a SHA-1 thumbprint", id="a thumbprint in a list"),
        pytest.param({"properties": {}}, "'None' is not the resource id", id="no id"),
        pytest.param({"id": ASE.resource_id}, "is not the resource id of a root certificate", id="an environment's id"),
        pytest.param({"id": f"{ROOTS}/%2e%2e"}, "'..' is not a certificate resource name", id="a way up"),
        pytest.param(root_wire() | {"properties": ["x"]}, "no attribute 'get'", id="properties in a list"),
    ],
)
def test_odd_root_is_named_and_hides_no_other(wire: dict[str, Any], problem: str) -> None:
    """Certroll reports an unreadable root certificate as not readable, and still lists the other root certificates.

    A read of a single unreadable root certificate raises an error that names the problem.
    """
    good = root_wire("other", isRoot=True, thumbprint=OLD)
    adapter, _ = over({"value": [wire, good]}, wire)
    listed = adapter.roots(ASE)
    assert listed.found == (root("other"),)
    (spot,) = listed.blind_spots
    assert spot == BlindSpot(
        str(wire.get("id") or "an entry without an id")[:200], spot.detail, SUBSCRIPTION, roots_only=True
    )
    assert problem in spot.detail
    with pytest.raises(Rejected, match=r"^root certificate rg-network/ase/corp-root cannot be read: ") as caught:
        adapter.root(RootRef(ASE, "corp-root"))
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(["a root"], "the answer is not an object", id="a list"),
        pytest.param({"value": {"a": "root"}}, "its value is not a list", id="an object of objects"),
        pytest.param({"value": None}, "its list is null", id="null"),
    ],
)
def test_what_is_no_list_is_refused(answer: Any, problem: str) -> None:  # noqa: ANN401 - JSON of any shape
    """Certroll refuses an answer of ARM without a list of root certificates, because an empty list may be wrong."""
    with pytest.raises(Rejected, match=problem):
        over(answer)[0].roots(ASE)


def test_roots_of_all_pages_are_listed() -> None:
    """Certroll follows each `nextLink` of Azure until the list of root certificates is complete."""
    first = {"value": [root_wire("a", isRoot=True, thumbprint=OLD)], "nextLink": "https://arm/next"}
    adapter, azure = over(first, {"value": [], "nextLink": "https://arm/last"}, {"value": [root_wire("b")]})
    assert [root.ref.name for root in adapter.roots(ASE).found] == ["a", "b"]
    assert azure.asked == [
        ("GET", f"{ROOTS}?{API}", None),
        ("GET", "https://arm/next", None),
        ("GET", "https://arm/last", None),
    ]


@pytest.mark.parametrize("is_root", [True, False])
def test_root_is_put_whole(*, is_root: bool) -> None:
    """Certroll uploads a root certificate as a whole, in base64, in the region of its App Service Environment."""
    adapter, azure = over({})
    adapter.put_root(root("corp root#1", is_root=is_root), DER)
    body = {"location": "West Europe", "properties": {"blob": BLOB, "isRoot": is_root}}
    assert azure.asked == [("PUT", f"{ROOTS}/corp%20root%231?{API}", body)]


def test_root_is_deleted_by_its_name() -> None:
    """Certroll deletes exactly the named root certificate, even if the name has reserved URL characters."""
    adapter, azure = over({}, {})
    for name in ("corp-root", "a?b#c"):
        adapter.delete_root(RootRef(ASE, name))
    assert azure.asked == [
        ("DELETE", f"{ROOTS}/corp-root?{API}", None),
        ("DELETE", f"{ROOTS}/a%3Fb%23c?{API}", None),
    ]


# -------------------------------------------------------------------------------------------------------- environments


@pytest.mark.parametrize(
    ("properties", "internal"),
    [
        pytest.param({"internalLoadBalancingMode": "Web, Publishing"}, True, id="internal"),
        pytest.param({"internalLoadBalancingMode": "Web"}, True, id="internal for its apps alone"),
        pytest.param({"internalLoadBalancingMode": "None"}, False, id="external"),
        pytest.param({"internalLoadBalancingMode": "none"}, False, id="external, in another case"),
        pytest.param({"internalLoadBalancingMode": None}, False, id="not said"),
        pytest.param({}, False, id="not there"),
    ],
)
def test_environment_is_internal_where_it_says_so(properties: dict[str, Any], *, internal: bool) -> None:
    """Certroll treats an App Service Environment as internal if its load balancer is internal."""
    wire = environment_wire("ASE", **properties)
    names: list[tuple[str, str]] = []

    def get(group: str, name: str) -> object:
        names.append((group, name))
        return model(wire)

    adapter, _ = over(environments=SimpleNamespace(get=get, list=lambda **_: paged(wire)))
    expected = Environment(ASE, "West Europe", internal, (("team", "web"),))
    assert adapter.environment(ASE) == expected
    assert adapter.environments(SUBSCRIPTION).found == (expected,)
    assert names == [("rg-network", "ase")]


def test_odd_environment_is_named_and_hides_no_other() -> None:
    """If Certroll cannot read one App Service Environment, it reports this environment and still lists the others."""
    odd = environment_wire() | {"id": f"{ASE.resource_id}/odd"}
    adapter, _ = over(environments=SimpleNamespace(list=lambda **_: paged(odd, environment_wire("two")), get=None))
    listed = adapter.environments(SUBSCRIPTION)
    assert [environment.ref for environment in listed.found] == [EnvironmentRef(SUBSCRIPTION, "rg-network", "two")]
    (spot,) = listed.blind_spots
    assert spot == BlindSpot(f"{ASE.resource_id}/odd", spot.detail, SUBSCRIPTION, roots_only=True)
    adapter, _ = over(environments=SimpleNamespace(get=lambda *_: model(odd)))
    with pytest.raises(Rejected, match=r"^environment rg-network/ase cannot be read: .* is not the resource id of"):
        adapter.environment(ASE)


@pytest.mark.parametrize(
    ("properties", "addresses"),
    [
        pytest.param(
            {"internalInboundIpAddresses": ["10.0.0.7"], "externalInboundIpAddresses": []}, ("10.0.0.7",), id="internal"
        ),
        pytest.param(
            {"internalInboundIpAddresses": None, "externalInboundIpAddresses": ["203.0.113.7"]},
            ("203.0.113.7",),
            id="external",
        ),
        pytest.param(
            {"externalInboundIpAddresses": ["203.0.113.7"], "internalInboundIpAddresses": ["10.0.0.7", "10.0.0.8"]},
            ("10.0.0.7", "10.0.0.8", "203.0.113.7"),
            id="both, those inside first",
        ),
        pytest.param({}, (), id="neither"),
        pytest.param(None, (), id="nothing at all"),
    ],
)
def test_inbound_addresses_are_those_of_its_kind(properties: object, addresses: tuple[str, ...]) -> None:
    """Certroll reads the inbound addresses of an App Service Environment, the internal addresses first."""
    networks = {("rg-network", "ase"): model({"properties": properties})}
    networking = SimpleNamespace(get_ase_v3_networking_configuration=lambda *names: networks[names])
    adapter, _ = over(environments=networking)
    assert adapter.inbound_addresses(ASE) == addresses


def test_odd_addresses_are_named() -> None:
    """An error about unreadable networking names the App Service Environment with that networking."""
    networking = SimpleNamespace(get_ase_v3_networking_configuration=lambda *_: model({"properties": ["x"]}))
    with pytest.raises(Rejected, match=r"^networking of environment rg-network/ase cannot be read: "):
        over(environments=networking)[0].inbound_addresses(ASE)


def test_sites_of_an_environment_are_listed() -> None:
    """Certroll lists the sites of an App Service Environment, and each listed site names its environment.

    A site whose host names Azure does not list is a blind spot, not a site without host names.
    """
    site_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Web/sites/shop"
    properties = {
        "webSpace": "rg-westeuropewebspace",
        "defaultHostName": "shop.ase.appserviceenvironment.net",
        "state": "Stopped",
        "hostingEnvironmentProfile": {"id": ASE.resource_id},
        "hostNameSslStates": [],
    }
    nameless = {"id": f"{site_id}-2", "properties": {**properties, "hostNameSslStates": None}}
    wires = ({"id": site_id, "properties": properties}, {"id": "odd"}, nameless)
    listings = {("rg-network", "ase"): paged(*wires)}
    adapter, _ = over(environments=SimpleNamespace(list_web_apps=lambda *names, **_: listings[names]))
    listed = adapter.sites(ASE)
    assert [(str(site.ref), site.environment, site.running) for site in listed.found] == [("shop", ASE, False)]
    assert [spot.subject for spot in listed.blind_spots] == ["odd", nameless["id"]]


# --------------------------------------------------------------------------------------------- plans and certificates

PROFILE = {"hostingEnvironmentProfile": {"id": ASE.resource_id.upper(), "name": "ase"}}
SPACE = {"webSpace": "shops-aseappseWestEuropewebspace"}
PLAN_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shops/providers/Microsoft.Web/serverfarms/plan"
COPY_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shops/providers/Microsoft.Web/certificates/shop"


@pytest.mark.parametrize(
    ("properties", "environment"),
    [
        pytest.param(PROFILE, ASE, id="inside"),
        pytest.param({}, None, id="no key"),
        pytest.param({"hostingEnvironmentProfile": None}, None, id="null"),
    ],
)
def test_plans_and_certificates_name_their_environment(
    properties: dict[str, Any], environment: EnvironmentRef | None
) -> None:
    """Certroll reads the App Service Environment of a plan, and whether a certificate is in any environment."""
    plan = read_plan({"id": PLAN_ID, "location": "West Europe", "properties": SPACE | properties})
    assert plan.environment == environment
    certificate = read_certificate({"id": COPY_ID, "location": "West Europe", "properties": SPACE | properties})
    assert certificate.in_environment is (environment is not None)


def test_odd_environment_of_a_certificate_leaves_it_readable() -> None:
    """Certroll reads a certificate with an unreadable environment, and takes it as one in an environment."""
    properties = SPACE | {"hostingEnvironmentProfile": "ase", "thumbprint": NEW}
    certificate = read_certificate({"id": COPY_ID, "location": "West Europe", "properties": properties})
    assert (certificate.thumbprint, certificate.in_environment) == (NEW, True)


@pytest.mark.parametrize(
    "keys",
    [{}, {"keyVaultId": "", "keyVaultSecretName": ""}, {"keyVaultId": None, "keyVaultSecretName": None}],
    ids=["as recorded in reads", "as recorded after an upload", "null"],
)
def test_upload_is_known_by_its_missing_vault(keys: dict[str, Any]) -> None:
    """Certroll knows an upload, with the status `Initialized`, by vault keys that are missing, empty or null."""
    properties = SPACE | keys | {"thumbprint": NEW, "keyVaultSecretStatus": "Initialized"}
    certificate = read_certificate({"id": COPY_ID, "location": "West Europe", "properties": properties})
    assert certificate.is_upload
    assert certificate.uploaded
