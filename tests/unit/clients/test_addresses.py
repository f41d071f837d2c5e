"""Certroll names a resource to Azure in the letters in which Azure wrote the id, and compares ids in lower case."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.clients.arm.copies import Copies
from shared.clients.arm.listings import Listings
from shared.clients.arm.orders import read_order
from shared.clients.arm.power import Power
from shared.clients.arm.wire import read_certificate, read_site
from shared.clients.reading import texts_of
from shared.clients.retrying import Retrying
from shared.domain.fleet.fleet import Listing
from shared.domain.names import CopyRef, EnvironmentRef, RootRef, SiteRef
from shared.domain.orders.order import OrderRef
from shared.domain.tags import OPT_OUT, opts_out
from tests.build import NEW, SUBSCRIPTION, ManualClock, farm

GROUP = f"/subscriptions/{SUBSCRIPTION.upper()}/resourceGroups/RG-Bücher/providers/Microsoft.Web"
SITE = f"{GROUP}/sites/Shop-Süd"


class Sdk:
    """A fake SDK that records the arguments of each call, whatever the method's name."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __getattr__(self, _: str) -> Any:  # noqa: ANN401 - the SDK's parts and methods
        return self if _ in {"web_apps", "certificates", "site_certificates"} else self._called

    def _called(self, *args: object, **kwargs: object) -> list[object]:
        self.calls.append((*args, *kwargs.values()))
        return []


def part(kind: type, sdk: Sdk) -> Any:  # noqa: ANN401 - each part has methods of its own
    """Return a part of the App Service client on the fake SDK."""
    clients = SimpleNamespace(client=lambda _: sdk, listed=lambda _, wires, *__: Listing(tuple(wires)))
    return kind(cast("Any", clients), Retrying(ManualClock()))


def site(resource_id: str) -> SiteRef:
    """Return the site or slot that Azure shows with this id."""
    return read_site({"id": resource_id, "properties": {"hostNameSslStates": []}})[0].ref


@pytest.mark.parametrize(
    ("resource_id", "names"),
    [
        (SITE, ("RG-Bücher", "Shop-Süd")),
        (f"{SITE}/slots/Staging", ("RG-Bücher", "Shop-Süd", "Staging")),
        (f"{GROUP}/sites/Shop-Süd(Staging)", ("RG-Bücher", "Shop-Süd", "Staging")),
    ],
)
def test_site_is_restarted_under_the_name_that_azure_wrote(resource_id: str, names: tuple[str, ...]) -> None:
    """A request for a site or slot names group, site and slot as Azure wrote them."""
    sdk, ref = Sdk(), site(resource_id)
    part(Power, sdk).restart(ref)
    assert sdk.calls == [names]
    assert ref == SiteRef.parse(ref.resource_id)
    assert SiteRef.parse(ref.resource_id).address == tuple(name.lower() for name in names)


def test_slots_are_listed_under_the_name_that_azure_wrote() -> None:
    """The list of a site's slots is requested for the group and the site as Azure wrote them."""
    sdk = Sdk()
    sdk._called = lambda *args, **_: sdk.calls.append(args) or SimpleNamespace(by_page=lambda _: iter([()]))  # type: ignore[method-assign,assignment,func-returns-value]
    part(Listings, sdk).slots(site(SITE))
    assert sdk.calls == [("RG-Bücher", "Shop-Süd")]


@pytest.mark.parametrize(
    ("resource_id", "names"),
    [
        (f"{GROUP}/certificates/Web-Cert", ("RG-Bücher", "Web-Cert")),
        (f"{GROUP}/certificates/Web%23Cert", ("RG-Bücher", "Web#Cert")),
        (f"{SITE}/certificates/Own-Cert", ("RG-Bücher", "Shop-Süd", "Own-Cert")),
    ],
)
def test_certificate_is_written_under_the_name_that_azure_wrote(resource_id: str, names: tuple[str, ...]) -> None:
    """The sync and the deletion of a certificate name it as Azure wrote it, so that no id changes its letters."""
    sdk = Sdk()
    seen = read_certificate({"id": resource_id, "properties": {"thumbprint": NEW, "webSpace": "w"}})
    part(Copies, sdk).import_certificate(seen, farm())
    part(Copies, sdk).delete_certificate(seen.ref)
    written, deleted = sdk.calls
    assert written[: len(names)] == names
    assert deleted == names
    assert seen.ref == CopyRef.parse(seen.ref.resource_id)


def test_environment_and_order_keep_the_letters_of_azure() -> None:
    """An environment, the environment of a root, and an order go back to Azure as Azure wrote them."""
    environment = f"{GROUP}/hostingEnvironments/Ase-Süd"
    order = f"{GROUP.rpartition('/')[0]}/Microsoft.CertificateRegistration/certificateOrders/Web-Order"
    assert EnvironmentRef.parse(environment).address == ("RG-Bücher", "Ase-Süd")
    assert RootRef.parse(f"{environment}/publicCertificates/Root").environment.address == ("RG-Bücher", "Ase-Süd")
    assert OrderRef.parse(order).address == ("RG-Bücher", "Web-Order")
    assert OrderRef.parse(order) == OrderRef.parse(order.lower())


TAGS = {"Team": "Web", "owner": None, "cost": "None", "certroll": None}


def test_certificate_is_written_with_the_tags_that_azure_wrote() -> None:
    """The sync of a certificate sends its tags as Azure wrote them, null as null, because a PUT replaces all tags."""
    sdk = Sdk()
    seen = read_certificate(
        {"id": f"{GROUP}/certificates/x", "tags": TAGS, "properties": {"thumbprint": NEW, "webSpace": "w"}}
    )
    part(Copies, sdk).import_certificate(seen, farm())
    (*_, body) = sdk.calls[0]
    assert cast("Any", body).as_dict()["tags"] == TAGS
    assert opts_out(OPT_OUT.value_in(seen.tags))


def test_certificate_whose_location_is_hidden_is_written_to_the_place_of_its_plan() -> None:
    """If Azure shows no location of a certificate, the sync sends the location of the plan, and not the text None."""
    sdk = Sdk()
    seen = read_certificate(
        {"id": f"{GROUP}/certificates/x", "location": None, "properties": {"thumbprint": NEW, "webSpace": "w"}}
    )
    part(Copies, sdk).import_certificate(seen, farm())
    (*_, body) = sdk.calls[0]
    assert cast("Any", body).as_dict()["location"] == farm().location


def test_null_is_never_the_word_none() -> None:
    """A null in an answer of Azure is no text: not a tag, not a location, and not a host name."""
    tagged = {"id": SITE, "location": None, "tags": {"certroll": None}, "properties": {"hostNameSslStates": []}}
    certificate = {"id": f"{GROUP}/certificates/x", "properties": {"webSpace": "w", "hostNames": [None, "a.example"]}}
    order = f"{GROUP.rpartition('/')[0]}/Microsoft.CertificateRegistration/certificateOrders/Web-Order"
    assert read_site(tagged)[0].tags == (("certroll", ""),)
    assert read_certificate(certificate).host_names == {"a.example"}
    assert read_order({"id": order, "tags": {"certroll": None}}).tags == (("certroll", ""),)
    assert texts_of({"certroll": None, "cost": 5}) == (("certroll", ""), ("cost", "5"))
