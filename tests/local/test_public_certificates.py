"""These tests cover public certificates of sites and slots, and the apps that need a public certificate."""

import base64
from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import PublicCertificate, PublicCertificateProperties

from local.azure.vault.authority import Leaf
from local.azure.web import uploads
from local.azure.web.load_list import LOAD_LIST
from local.azure.web.resources import STORE_LOCATIONS
from local.fleet import fleet
from local.stand import Stand
from tests.local.arm_client import Json
from tests.local.outbound import HOST, PIN, Outbound
from tests.local.pfx_files import encrypted, pfx
from tests.local.sdk import web_client

SIGNER = "SIGNER_THUMBPRINT"


@pytest.fixture
def out() -> Outbound:
    """Build a site whose app calls a partner server."""
    return Outbound()


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """Yield a running local Azure that all tests of this module share."""
    with Stand() as stand:
        yield stand


@pytest.fixture
def client(out: Outbound, stand: Stand) -> Iterator[WebSiteManagementClient]:
    """Yield the unmodified azure-mgmt-web client, connected to the local Azure."""
    with web_client(stand, out.build) as client:
        yield client


def signer(out: Outbound, name: str = "signer") -> Leaf:
    """Return the certificate of a business partner who signs messages."""
    return out.build.add_certificate(name, [f"{name}.partner.example"]).leaf


def body(blob: bytes, **properties: str) -> dict[str, Json]:
    """Return the request body that stores a public certificate."""
    return {
        "properties": {"blob": base64.b64encode(blob).decode(), "publicCertificateLocation": "CurrentUserMy"}
        | properties
    }


def path(out: Outbound, name: str = "signer") -> str:
    """Return the ARM path of a public certificate of the site."""
    return f"{out.born.id}/publicCertificates/{name}"


# ------------------------------------------------------------------------------------------------------ on the wire


@pytest.mark.parametrize("form", ["der", "certificate_pem"])
def test_a_public_certificate_comes_as_der_or_pem(out: Outbound, form: str) -> None:
    """ARM accepts a public certificate as DER or PEM, and shows the certificate as DER with its thumbprint."""
    leaf = signer(out)
    answer = out.arm.put(path(out), body(getattr(leaf, form)))
    assert answer["id"] == path(out)
    assert answer["type"] == "Microsoft.Web/sites/publicCertificates"
    assert answer["properties"] == {
        "blob": base64.b64encode(leaf.der).decode(),
        "publicCertificateLocation": "CurrentUserMy",
        "thumbprint": leaf.thumbprint,
    }
    assert out.arm.get(path(out)) == answer
    assert out.arm.listed(f"{out.born.id}/publicCertificates") == [answer]


def test_reads_of_a_new_public_certificate_flap_as_the_knob_says(out: Outbound) -> None:
    """After a PUT, reads of the public certificate alternate between 404 and 200, while the list shows it at once.

    Users report 404 for up to ten minutes (azure-rest-api-specs #23138).
    """
    out.world.knobs.turn(public_certificate_flaps=3)
    out.arm.put(path(out), body(signer(out).der))
    assert [entry["id"] for entry in out.arm.listed(f"{out.born.id}/publicCertificates")] == [path(out)]
    assert [out.arm.send("GET", path(out)).status for _ in range(5)] == [404, 200, 404, 200, 200]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("key and certificate", uploads.HOLDS_A_KEY),
        ("pfx without password", uploads.HOLDS_A_KEY),
        ("pfx", uploads.NO_PUBLIC_CERTIFICATE),
        ("two certificates", uploads.NO_PUBLIC_CERTIFICATE),
        ("text", uploads.NO_PUBLIC_CERTIFICATE),
        ("cut off", uploads.NO_PUBLIC_CERTIFICATE),
        ("nothing", uploads.NO_PUBLIC_CERTIFICATE),
    ],
)
def test_what_is_no_public_certificate_is_refused(out: Outbound, form: str, words: str) -> None:
    """ARM refuses and does not store a public certificate whose file contains a private key.

    ARM refuses a public certificate file that holds no certificate or several certificates.
    """
    leaf = signer(out)
    blobs = {
        "key and certificate": leaf.private_key_pem + leaf.certificate_pem,
        "pfx without password": leaf.pfx(),
        "pfx": pfx(leaf, encrypted()),
        "two certificates": leaf.certificate_pem + leaf.chain_pem,
        "text": b"hello",
        "cut off": leaf.der[:-1],
        "nothing": b"",
    }
    assert out.arm.put(path(out), body(blobs[form]), 400)["Message"] == words
    out.arm.get(path(out), 404)


def test_a_public_certificate_has_one_of_three_places(out: Outbound) -> None:
    """ARM accepts three store locations in any letter case, and refuses other locations.

    The default location is CurrentUserMy.
    """
    der = signer(out).der
    for place in STORE_LOCATIONS:
        answer = out.arm.put(path(out), body(der, publicCertificateLocation=place.lower()))
        assert answer["properties"]["publicCertificateLocation"] == place
    plain = out.arm.put(path(out), {"properties": {"blob": base64.b64encode(der).decode()}})
    assert plain["properties"]["publicCertificateLocation"] == "CurrentUserMy"
    error = out.arm.put(path(out), body(der, publicCertificateLocation="Elsewhere"), 400)
    assert error["Message"].startswith("PublicCertificateLocation is invalid.")


def test_a_plan_takes_only_so_many(out: Outbound) -> None:
    """The limit of public certificates applies to all sites and slots of a plan together, and to each plan separately.

    A public certificate can still be replaced when the plan has reached its limit of certificates.
    """
    out.world.knobs.turn(public_certificates_per_plan=1)
    slot = out.build.add_slot(out.site, "staging")
    out.arm.put(f"{slot.id}/publicCertificates/signer", body(signer(out).der))
    error = out.arm.put(path(out), body(signer(out, "other").der), 409)
    assert "holds 1 public certificates, which is the limit" in error["Message"]
    out.arm.put(f"{slot.id}/publicCertificates/SIGNER", body(signer(out, "third").der))
    elsewhere = out.build.add_site("elsewhere", out.build.add_plan("second", linux=True))
    out.arm.put(f"{elsewhere.id}/publicCertificates/signer", body(signer(out, "fourth").der))


def test_a_hidden_one_is_missing_silently(out: Outbound) -> None:
    """ARM omits a public certificate from the list if the caller may not read it.

    ARM answers 403 to a GET of a public certificate that the caller may not read.
    """
    for name in ("one", "two"):
        out.build.add_public_certificate(out.site, signer(out, name).der, name=name)
    out.world.roles.hide(path(out, "one"))
    assert [public["name"] for public in out.arm.listed(f"{out.born.id}/publicCertificates")] == ["caller/two"]
    out.arm.get(path(out, "one"), 403)


def test_deleting_asks_nobody(out: Outbound) -> None:
    """ARM deletes a public certificate even if the setting WEBSITE_LOAD_CERTIFICATES names it.

    A second deletion answers 204.
    """
    leaf = signer(out)
    out.arm.put(path(out), body(leaf.der))
    out.change(**{LOAD_LIST: leaf.thumbprint})
    out.arm.delete(path(out), 200)
    out.arm.delete(path(out), 204)
    out.arm.get(path(out), 404)


def test_the_sdk_manages_public_certificates_of_sites_and_slots(out: Outbound, client: WebSiteManagementClient) -> None:
    """azure-mgmt-web stores, lists and deletes public certificates of a site, and separately of its slot."""
    out.world.knobs.turn(page_size=1)
    apps, leaves = client.web_apps, [signer(out, name) for name in ("one", "two")]
    out.build.add_slot(out.site, "staging")
    for leaf in leaves:
        properties = PublicCertificateProperties(blob=leaf.der, public_certificate_location="CurrentUserMy")
        made = apps.create_or_update_public_certificate(
            "contoso", "caller", leaf.thumbprint, PublicCertificate(properties=properties)
        )
        assert made.properties is not None
        assert (made.properties.thumbprint, made.properties.blob) == (leaf.thumbprint, leaf.der)
        apps.create_or_update_public_certificate_slot(
            "contoso", "caller", leaf.thumbprint, "staging", PublicCertificate(properties=properties)
        )
    apps.delete_public_certificate("contoso", "caller", leaves[0].thumbprint)
    apps.delete_public_certificate("contoso", "caller", leaves[0].thumbprint)
    names = [public.name for public in apps.list_public_certificates("contoso", "caller")]
    assert names == [f"caller/{leaves[1].thumbprint}"]
    of_slot = list(apps.list_public_certificates_slot("contoso", "caller", "staging"))
    assert [public.type for public in of_slot] == ["Microsoft.Web/sites/slots/publicCertificates"] * 2
    with pytest.raises(ResourceNotFoundError):
        apps.get_public_certificate("contoso", "caller", leaves[0].thumbprint)
    broken = PublicCertificate(properties=PublicCertificateProperties(blob=b"hello"))
    with pytest.raises(HttpResponseError, match="no public certificate"):
        apps.create_or_update_public_certificate("contoso", "caller", "broken", broken)


# ---------------------------------------------------------------------------------------------------------- in apps


def trusting(out: Outbound, leaf: Leaf, pin: str = "{}", loads: str = "{}", **more: str) -> Outbound:
    """Make the site's app need a public certificate, and return the fixture `out`."""
    out.build.add_public_certificate(out.site, leaf.der, name="signer", **more)  # type: ignore[arg-type]
    own = out.first.thumbprint
    out.change(**{LOAD_LIST: f"{own},{loads.format(leaf.thumbprint)}", SIGNER: pin.format(leaf.thumbprint)})
    out.app = out.build.add_app(out.site, setting=PIN, trusts=SIGNER)
    return out


@pytest.mark.parametrize(
    ("platform", "pin", "found"),
    [
        ("linux", "{}", True),
        ("linux", "/var/ssl/certs/{}.der", True),
        ("linux", "/VAR/ssl/certs/{}.der", False),
        ("linux", "/var/ssl/private/{}.p12", False),
        ("linux", "", False),
        ("windows", "{}", True),
        ("windows", "", False),
        ("windows", "/var/ssl/certs/{}.der", False),
        ("container", "{}", True),
        ("container", r"c:\AppService\certificates\public\{}.CER", True),
        ("container", r"C:\appservice\certificates\private\{}.pfx", False),
    ],
)
def test_each_platform_has_its_own_places(platform: str, pin: str, *, found: bool) -> None:
    """An app finds a loaded public certificate by thumbprint on Windows and on Linux.

    The file path of a public certificate works only on the platform that puts a file there.
    """
    out = Outbound(linux=platform == "linux", windows_container=platform == "container")
    leaf = signer(out)
    trusting(out, leaf, pin)
    assert [process.trusted for process in out.answering()] == [leaf.thumbprint if found else None]
    assert bool(out.world.apps.troubles()) != found


def test_a_thumbprint_is_found_in_lower_case(out: Outbound) -> None:
    """An app finds a public certificate by a lower-case thumbprint."""
    leaf = signer(out)
    trusting(out, leaf, leaf.thumbprint.lower())
    assert [process.trusted for process in out.answering()] == [leaf.thumbprint]


@pytest.mark.parametrize(("loads", "found"), [("{}", True), ("*", True), (" {} ,", True), ("", False), ("AB", False)])
def test_the_load_list_decides(out: Outbound, loads: str, *, found: bool) -> None:
    """An app gets a public certificate only if WEBSITE_LOAD_CERTIFICATES names its thumbprint.

    A WEBSITE_LOAD_CERTIFICATES setting that names a public certificate leaves the private certificates unchanged.
    """
    leaf = signer(out)
    trusting(out, leaf, loads=loads)
    assert [process.trusted for process in out.answering()] == [leaf.thumbprint if found else None]
    assert out.loaded() == [(out.first.thumbprint,)]


@pytest.mark.parametrize(("linux", "found"), [(True, True), (False, False)])
def test_on_windows_code_sees_the_users_store_alone(*, linux: bool, found: bool) -> None:
    """A Windows app outside an App Service Environment does not find a public certificate in the machine's store.

    A Linux app finds the file of a public certificate.
    """
    out = Outbound(linux=linux)
    leaf = signer(out)
    trusting(out, leaf, location="LocalMachineMy")
    assert [process.trusted for process in out.answering()] == [leaf.thumbprint if found else None]


def test_public_certificates_are_loaded_at_a_start(out: Outbound) -> None:
    """An app's process can use only the public certificates that existed at its start.

    A later deletion or addition of a public certificate takes effect at the next start.
    """
    leaf = signer(out)
    trusting(out, leaf)
    assert out.world.apps.troubles() == ()
    out.arm.delete(path(out))
    assert [process.trusted for process in out.answering()] == [leaf.thumbprint]
    assert out.world.apps.troubles() == (
        "caller: a process started now has no public certificate under its setting SIGNER_THUMBPRINT",
    )
    out.restart()
    assert [process.trusted for process in out.answering()] == [None]
    out.arm.put(path(out), body(leaf.der))
    assert [process.trusted for process in out.answering()] == [None]
    out.restart()
    assert out.world.apps.troubles() == ()


def test_public_certificates_belong_to_one_site_or_slot(out: Outbound) -> None:
    """A slot does not have the public certificates of its site."""
    leaf = signer(out)
    trusting(out, leaf)
    slot = out.build.add_slot(out.site, "staging")
    app = out.build.add_app(slot, setting=PIN, trusts=SIGNER)
    assert [process.trusted for process in out.answering(app)] == [None]


def test_the_state_shows_public_certificates(out: Outbound) -> None:
    """GET /state on the control port shows the public certificates of each site and of each process."""
    leaf = signer(out)
    trusting(out, leaf)
    shown = fleet(out.world)
    assert shown["public"] == [{"id": path(out), "site": out.born.id, "thumbprint": leaf.thumbprint}]
    assert [process["trusted"] for app in shown["apps"] for process in app["processes"]] == [leaf.thumbprint]


def test_an_app_says_what_it_trusts(out: Outbound, stand: Stand) -> None:
    """The app's probe answers 200 and names the public certificate that the app needs.

    The probe of an app without its public certificate answers 500.
    """
    leaf = signer(out)
    trusting(out, leaf)
    stand.use(out.world)
    assert stand.visitor.ask(HOST, "/health") == (200, f"ok {out.first.thumbprint} trusting {leaf.thumbprint}")
    out.change(**{SIGNER: "AB"})
    assert stand.visitor.ask(HOST, "/health") == (500, "no public certificate")


def test_an_app_may_need_nothing_else(out: Outbound, stand: Stand) -> None:
    """An app that only checks signatures calls no partner server, and its probe answers 200."""
    leaf = signer(out)
    trusting(out, leaf)
    out.partner.accept_only()
    out.build.add_app(out.site, trusts=SIGNER)
    stand.use(out.world)
    assert stand.visitor.ask(HOST, "/health") == (200, f"ok trusting {leaf.thumbprint}")
    assert out.world.apps.troubles() == ()
