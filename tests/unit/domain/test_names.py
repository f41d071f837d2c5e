"""Certroll reads the names and resource ids of Azure in every spelling, and refuses forged ones."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.domain import names
from shared.domain.names import (
    CopyRef,
    EnvironmentRef,
    HostName,
    InvalidNameError,
    RootRef,
    SiteRef,
    VaultCertificateRef,
    Webspace,
    covers,
    is_host_name,
    parse_host_name,
    parse_subscription,
    parse_thumbprint,
    parse_vault_name,
    read_host_name,
    readable_host,
)
from shared.domain.orders.order import OrderRef
from shared.domain.tag_targets import parse_targets
from shared.domain.tags import PUBLIC_TO
from shared.domain.targets import names_of_site
from tests.build import ASE, OTHER_ASE, SUBSCRIPTION, VAULT, site_ref

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web"
SITES = f"{GROUP}/providers/Microsoft.Web/sites"
COPIES = f"{GROUP}/providers/Microsoft.Web/certificates"
VAULTS = f"{GROUP}/providers/Microsoft.KeyVault/vaults"
ENVIRONMENTS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-network/providers/Microsoft.Web/hostingEnvironments"
ROOTS = f"{ENVIRONMENTS}/ase/publicCertificates"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("AB" * 20, id="upper case is taken as it is"),
        pytest.param("ab" * 20, id="lower case becomes upper case"),
        pytest.param(f"  {'aB' * 20}\n", id="blanks around it are dropped"),
    ],
)
def test_thumbprint_is_upper_case_hex(text: str) -> None:
    """Certroll reads a thumbprint in any letter case, so that equal thumbprints compare equal."""
    assert parse_thumbprint(text) == "AB" * 20


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("A" * 39, id="a digit too few"),
        pytest.param("A" * 41, id="a digit too many"),
        pytest.param("A" * 64, id="a SHA-256 digest"),
        pytest.param("G" * 40, id="no hex"),
        pytest.param(":".join(["AB"] * 20), id="colons between bytes"),
        pytest.param("A" * 40 + "\n" + "B" * 40, id="two lines"),
        pytest.param("\u200eA" + "A" * 39, id="an invisible mark, as copied from Windows"),
        pytest.param("\ufb00" * 20, id="a ligature that would grow to hex when upper-cased"),
        pytest.param("\u0661" * 40, id="digits of another script"),
    ],
)
def test_what_is_no_thumbprint_is_refused(text: str) -> None:
    """Certroll refuses a thumbprint that does not have exactly 40 hexadecimal digits."""
    with pytest.raises(InvalidNameError, match="is not a SHA-1 thumbprint of 40 hex digits"):
        parse_thumbprint(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("Shop.Contoso.COM", "shop.contoso.com", id="case is dropped"),
        pytest.param(" shop.contoso.com. ", "shop.contoso.com", id="blanks and the root's dot are dropped"),
        pytest.param("*.contoso.com", "*.contoso.com", id="a wildcard label in front is allowed"),
        pytest.param("b\u00fccher.example", "xn--bcher-kva.example", id="other scripts become A-labels"),
        pytest.param("B\u00dcCHER.example", "xn--bcher-kva.example", id="other scripts in upper case too"),
        pytest.param("*.b\u00fccher.example", "*.xn--bcher-kva.example", id="a wildcard before another script"),
        pytest.param("stra\u00dfe.example", "xn--strae-oqa.example", id="a sharp s stays a letter of its own"),
        pytest.param("b\u0075\u0308cher.example", "xn--bcher-kva.example", id="a letter and its accent apart"),
        pytest.param("\uff42\u00fccher\u3002example", "xn--bcher-kva.example", id="wide letters and a wide dot"),
        pytest.param("_x.b\u00fccher.example", "_x.xn--bcher-kva.example", id="an underscore and another script"),
        pytest.param("xn--n3h.example", "xn--n3h.example", id="an A-label that other rules allow"),
        pytest.param("\u05d0\u05d1.example", "xn--4dbc.example", id="a script from right to left"),
        pytest.param("_dmarc.contoso.com", "_dmarc.contoso.com", id="underscores as DNS has them"),
        pytest.param("a.b", "a.b", id="the shortest"),
        pytest.param(f"{'a' * 63}.com", f"{'a' * 63}.com", id="the longest label"),
    ],
)
def test_host_name_is_lower_case_a_labels(text: str, name: str) -> None:
    """Certroll reads a host name in any letter case and in Unicode, so that equal names compare equal."""
    assert parse_host_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("...", id="dots alone"),
        pytest.param("localhost", id="a single label"),
        pytest.param("a..b", id="an empty label"),
        pytest.param("-a.com", id="a leading hyphen"),
        pytest.param("a-.com", id="a trailing hyphen"),
        pytest.param(f"{'a' * 64}.com", id="a label too long"),
        pytest.param(f"{chr(0xFC) * 64}.com", id="a label of another script too long"),
        pytest.param(".".join(["a" * 50] * 6), id="a name too long"),
        pytest.param("\u00fc" * 100_000, id="a text without end"),
        pytest.param("\u2603.example", id="a symbol, which IDNA 2008 forbids"),
        pytest.param("xn--b\u00fc.example", id="another script behind the prefix of A-labels"),
        pytest.param("\u202eb\u00fc.example", id="a change of the direction of writing"),
        pytest.param("b\u200dc.example", id="a joiner between Latin letters"),
        pytest.param("a\uff0fb.example", id="a wide slash, which becomes a slash"),
        pytest.param("a.*.com", id="a wildcard inside"),
        pytest.param("*a.com", id="a wildcard as a part of a label"),
        pytest.param("*.*.com", id="two wildcards"),
        pytest.param("a.com/b", id="a path"),
        pytest.param("a.com:443", id="a port"),
        pytest.param("https://a.com", id="a URL"),
        pytest.param("a.com\r\nHost: b.com", id="a second header line"),
        pytest.param("a.com\x00.b.com", id="a zero byte"),
        pytest.param("person@contoso.com", id="a mail address"),
    ],
)
def test_what_is_no_host_name_is_refused(text: str) -> None:
    """Certroll refuses a host name that no TLS client could send as server name (SNI)."""
    with pytest.raises(InvalidNameError, match="is not a host name"):
        parse_host_name(text)


KELVIN, DOTTED, SHARP, UMLAUT = "\u212a", "\u0130", "\u1e9e", "\u00dc"


@pytest.mark.parametrize(
    ("group", "address"),
    [
        pytest.param("RG-Web", "rg-web", id="Latin letters"),
        pytest.param(f"RG-{UMLAUT}", "rg-\u00fc", id="a letter of another script"),
        pytest.param(f"RG-{KELVIN}", f"rg-{KELVIN}", id="the Kelvin sign, which is no K"),
        pytest.param(f"RG-{DOTTED}", f"rg-{DOTTED}", id="a dotted I, which has no lower case of one letter"),
        pytest.param(f"RG-{SHARP}", f"rg-{SHARP}", id="a capital sharp s, which is not the upper case of any letter"),
    ],
)
def test_group_keeps_its_own_letters(group: str, address: str) -> None:
    """Certroll lowers only letters that are the same to Azure, so that an id never names another group."""
    resource_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Web"
    found = SiteRef.parse(f"{resource_id}/sites/shop")
    assert found.resource_group == address
    assert SiteRef.parse(found.resource_id) == found
    assert CopyRef.parse(f"{resource_id}/certificates/{group}").name == address
    assert EnvironmentRef.parse(f"{resource_id}/hostingEnvironments/{group}").name == address
    in_group = f"{address}/{address}"
    names = {address, in_group, f"{SUBSCRIPTION}/{in_group}"}
    assert names_of_site(SiteRef.parse(f"{resource_id}/sites/{group}")) == names
    (target,) = parse_targets((("certroll-public-to", group),), PUBLIC_TO)
    assert str(target) == address


@pytest.mark.parametrize("text", [f"{KELVIN}v-shop", f"kv-{DOTTED}shop"])
def test_vault_name_with_a_look_alike_is_no_vault_name(text: str) -> None:
    """A letter that is another one to Azure does not make a vault's name of another text."""
    with pytest.raises(InvalidNameError):
        parse_vault_name(text)


@pytest.mark.parametrize(
    ("text", "valid", "shown"),
    [
        pytest.param("Shop.contoso.com", True, "shop.contoso.com", id="a plain name"),
        pytest.param(
            "B\u00fccher.example", True, "b\u00fccher.example (xn--bcher-kva.example)", id="an international name"
        ),
        pytest.param("xn--n3h.example", True, "xn--n3h.example", id="an A-label without a form in Unicode"),
        pytest.param("\u2603.example", False, "\u2603.example", id="a name without an ASCII form"),
        pytest.param("", False, "", id="nothing"),
    ],
)
def test_host_name_that_azure_shows_is_read_in_any_form(text: str, valid: bool, shown: str) -> None:  # noqa: FBT001
    """Certroll reads every host name that Azure holds, knows which ones a client can ask for, and shows both forms."""
    name = read_host_name(text)
    assert is_host_name(name) is valid
    assert readable_host(name) == shown


def test_hidden_characters_of_a_host_name_are_shown() -> None:
    """A text for operators escapes a sign that would turn the direction of writing."""
    assert readable_host(read_host_name("\u202eb\u00fc.example")) == "\\u202eb\u00fc.example"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("kv-shop", id="its name"),
        pytest.param(" KV-Shop ", id="its name in mixed case with blanks"),
        pytest.param(f"{VAULTS}/KV-Shop", id="its resource id"),
        pytest.param(f"{VAULTS}/kv-shop".upper(), id="its resource id in upper case"),
    ],
)
def test_vault_is_named_or_given_by_its_id(text: str) -> None:
    """Certroll reads a vault by its name or by its resource id, in any letter case."""
    assert parse_vault_name(text) == VAULT


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("k-v", id="three characters, the fewest"),
        pytest.param("a" * 24, id="24 characters, the most"),
        pytest.param("kv1", id="digits"),
    ],
)
def test_every_possible_vault_name_is_taken(name: str) -> None:
    """Certroll accepts every name that Azure allows for a vault."""
    assert parse_vault_name(name) == name


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("kv", id="two characters"),
        pytest.param("a" * 25, id="25 characters"),
        pytest.param("a" + "-b" * 12, id="25 characters, hyphens among them"),
        pytest.param("1kv", id="a digit in front"),
        pytest.param("kv--shop", id="two hyphens in a row"),
        pytest.param("kv-", id="a hyphen at the end"),
        pytest.param("kv.shop", id="a dot, which would lead to another host"),
        pytest.param("kv-shop@evil.com", id="a user part, which would lead to another host"),
        pytest.param("https://kv-shop.vault.azure.net", id="a URL"),
        pytest.param(f"{SITES}/kv-shop", id="the id of another kind of resource"),
        pytest.param(f"{VAULTS}/kv-shop/secrets/x", id="the id of something in a vault"),
        pytest.param(f"{VAULTS}/evil.com", id="an id that ends in a host"),
    ],
)
def test_what_is_no_vault_is_refused(text: str) -> None:
    """Certroll refuses a vault name that would change the address of Certroll's requests."""
    with pytest.raises(InvalidNameError, match="is not a Key Vault name or resource id"):
        parse_vault_name(text)


def test_subscription_is_a_lower_case_guid() -> None:
    """Certroll reads a subscription id in any letter case."""
    assert parse_subscription(f" {SUBSCRIPTION.upper()} ") == SUBSCRIPTION


@pytest.mark.parametrize("text", ["", "Contoso Production", SUBSCRIPTION[:-1], f"{SUBSCRIPTION}/resourceGroups/x"])
def test_what_is_no_subscription_is_refused(text: str) -> None:
    """Certroll refuses a subscription's display name, a malformed id and a longer resource id as a subscription id."""
    with pytest.raises(InvalidNameError, match="is not a subscription id"):
        parse_subscription(text)


def test_vault_certificate_is_named_in_lower_case() -> None:
    """Certroll reads a vault certificate's name in any letter case, because Azure returns vault names in lower case."""
    ref = VaultCertificateRef.parse("KV-Shop", "certificate", " Shop ")
    assert ref == VaultCertificateRef.parse("kv-shop", "certificate", "shop")
    assert str(ref) == "kv-shop/shop"


@pytest.mark.parametrize(
    ("vault", "kind", "name", "complaint"),
    [
        pytest.param("kv", "certificate", "shop", "'kv' is not a Key Vault name", id="a bad vault"),
        pytest.param(
            "kv-shop", "key", "shop", "'key' is not a kind of vault object; known: certificate, secret", id="a key"
        ),
        pytest.param("kv-shop", "certificate", "", "'' is not a Key Vault object name", id="no name"),
        pytest.param("kv-shop", "certificate", "a" * 128, "is not a Key Vault object name", id="a name too long"),
        pytest.param("kv-shop", "certificate", "../keys/x", "is not a Key Vault object name", id="a path"),
        pytest.param("kv-shop", "certificate", "shop?x=1", "is not a Key Vault object name", id="a query"),
        pytest.param("kv-shop", "certificate", "shop_1", "is not a Key Vault object name", id="an underscore"),
    ],
)
def test_vault_certificate_names_the_bad_part(vault: str, kind: str, name: str, complaint: str) -> None:
    """The error about a vault certificate's name quotes the wrong part: vault, kind or name."""
    with pytest.raises(InvalidNameError, match=complaint):
        VaultCertificateRef.parse(vault, kind, name)


def test_complaint_about_a_long_text_is_short() -> None:
    """The error about a name of one megabyte is short."""
    with pytest.raises(InvalidNameError) as caught:
        VaultCertificateRef.parse("kv-shop", "x" * 1_000_000, "shop")
    assert len(str(caught.value)) < 300
    with pytest.raises(InvalidNameError) as caught:
        SiteRef.parse("x" * 1_000_000)
    assert len(str(caught.value)) < 300


def test_webspace_compares_without_case() -> None:
    """Certroll reads the name of a webspace (App Service's place for certificates) in any letter case."""
    first = Webspace.parse(SUBSCRIPTION.upper(), " RG-WestEuropeWebSpace-Linux ")
    assert first == Webspace.parse(SUBSCRIPTION, "rg-westeuropewebspace-linux")
    assert str(first) == "rg-westeuropewebspace-linux"


def test_webspace_belongs_to_its_subscription() -> None:
    """App Service webspaces of the same name in two subscriptions are different webspaces."""
    assert Webspace.parse(SUBSCRIPTION, "w") != Webspace.parse(SUBSCRIPTION[:-1] + "b", "w")


@pytest.mark.parametrize("name", ["", "  "])
def test_missing_webspace_is_refused(name: str) -> None:
    """Certroll refuses an empty name of an App Service webspace."""
    with pytest.raises(InvalidNameError, match="an empty text is not a webspace"):
        Webspace.parse(SUBSCRIPTION, name)


@pytest.mark.parametrize(
    ("resource_id", "ref"),
    [
        pytest.param(f"{SITES}/shop", site_ref(), id="a site"),
        pytest.param(f" {SITES}/SHOP".upper(), site_ref(), id="a site in upper case"),
        pytest.param(f"{SITES}/shop/slots/Staging", site_ref("shop", "staging"), id="a slot"),
    ],
)
def test_site_is_read_from_its_id(resource_id: str, ref: SiteRef) -> None:
    """Certroll reads the resource id of a site or slot in any letter case, and writes the same id again."""
    assert SiteRef.parse(resource_id) == ref
    assert SiteRef.parse(ref.resource_id) == ref


@pytest.mark.parametrize(
    "resource_id",
    [
        pytest.param("", id="nothing"),
        pytest.param("shop", id="a bare name"),
        pytest.param(f"{SITES}/", id="no name"),
        pytest.param(f"{SITES}/shop/", id="a stray slash"),
        pytest.param(f"{SITES}/shop/slots/", id="no slot name"),
        pytest.param(f"{SITES}/shop/slots/a/slots/b", id="a slot of a slot"),
        pytest.param(f"{SITES}/shop/hostNameBindings/x", id="something of a site"),
        pytest.param(f"{COPIES}/shop", id="a certificate"),
        pytest.param(f"{SITES}/shop?api-version=1", id="a query"),
        pytest.param(f"{SITES}/shop/../other", id="a way up"),
        pytest.param(f"{SITES}/..", id="a way up as a name"),
        pytest.param(f"{SITES}/shop/slots/a%2Fb", id="a hidden slash"),
        pytest.param(f"{SITES}/{'a' * 61}", id="a name too long"),
        pytest.param(f"{SITES}/shop".replace(SUBSCRIPTION, "x"), id="no subscription"),
        pytest.param(f"{SITES}/shop".replace("rg-web", "rg?web"), id="a query in the group"),
        pytest.param(f"{SITES}/shop".replace("rg-web", ".."), id="a way up as the group"),
        pytest.param(f"{SITES}/shop".replace("rg-web", "g" * 91), id="a group too long"),
        pytest.param(f"https://management.azure.com{SITES}/shop", id="a URL"),
    ],
)
def test_tampered_site_is_refused(resource_id: str) -> None:
    """Certroll refuses a resource id as a site's id if the id names anything other than a site or slot."""
    with pytest.raises(InvalidNameError, match="is not"):
        SiteRef.parse(resource_id)


def test_site_and_slot_are_told_apart() -> None:
    """A slot is shown with its site's name, refers to its production site, and sorts after the site."""
    site, slot = site_ref(), site_ref("shop", "staging")
    assert (str(site), str(slot)) == ("shop", "shop/staging")
    assert (site.production, slot.production) == (site, site)
    assert sorted([slot, site]) == [site, slot]


def test_sites_have_one_order() -> None:
    """Sites sort by subscription, resource group and name, and then by slot."""
    order = [
        SiteRef("a", "y", "z", "z"),
        SiteRef("b", "x", "z", "z"),
        SiteRef("b", "y", "x", "z"),
        SiteRef("b", "y", "z"),
        SiteRef("b", "y", "z", "a"),
    ]
    assert sorted(order[index] for index in (3, 0, 4, 2, 1)) == order


@pytest.mark.parametrize(
    ("kind", "was", "instead", "complaint"),
    [
        (SiteRef, SUBSCRIPTION, "x", "'x' is not a subscription id"),
        (SiteRef, "rg-web", "rg?web", "'rg?web' is not a resource group name"),
        (SiteRef, "shop", "shop.1", "'shop.1' is not a site name"),
        (SiteRef, "staging", "staging.1", "'staging.1' is not a slot name"),
        (CopyRef, SUBSCRIPTION, "x", "'x' is not a subscription id"),
        (CopyRef, "rg-web", "rg?web", "'rg?web' is not a resource group name"),
        (CopyRef, "my-copy", "%2e", "'.' is not a certificate resource name"),
        (EnvironmentRef, SUBSCRIPTION, "x", "'x' is not a subscription id"),
        (EnvironmentRef, "rg-network", "rg?web", "'rg?web' is not a resource group name"),
        (EnvironmentRef, "/ase", "/a.se", "'a.se' is not the name of an App Service Environment"),
    ],
)
def test_complaint_names_the_bad_part(
    kind: type[SiteRef | CopyRef | EnvironmentRef], was: str, instead: str, complaint: str
) -> None:
    """The error about a malformed resource id quotes the part that is wrong."""
    ids = {
        SiteRef: f"{SITES}/shop/slots/staging",
        CopyRef: f" {COPIES}/my-copy ",
        EnvironmentRef: f"{ENVIRONMENTS}/ase",
    }
    with pytest.raises(InvalidNameError) as caught:
        kind.parse(ids[kind].replace(was, instead))
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("Shop-Cert", "shop-cert", id="case is dropped"),
        pytest.param("a#b", "a#b", id="a bare number sign, as some clients upload"),
        pytest.param("a%23b", "a#b", id="an encoded number sign"),
        pytest.param("%41b", "ab", id="an encoded capital"),
    ],
)
def test_copy_is_read_from_its_id(name: str, expected: str) -> None:
    """Certroll reads the resource id of a certificate in App Service in any URL encoding, and writes the same id."""
    ref = CopyRef.parse(f"{COPIES}/{name}")
    assert (ref.name, str(ref)) == (expected, f"rg-web/{expected}")
    assert CopyRef.parse(ref.resource_id) == ref
    assert "#" not in ref.resource_id


@pytest.mark.parametrize("name", ["%ff", "%fe", "a%c3", "%ef%bf%bd", "\ud800"])
def test_name_that_is_no_text_is_refused(name: str) -> None:
    """Two names whose octets are no text never look the same, because Certroll refuses both."""
    with pytest.raises(InvalidNameError, match="is not a certificate resource name"):
        CopyRef.parse(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/certificates/{name}")


@pytest.mark.parametrize(
    ("resource_id", "ref"),
    [
        pytest.param(f"{SITES}/shop/certificates/A", CopyRef.of_site(site_ref(), "a", public=False), id="a site's"),
        pytest.param(
            f"{SITES}/shop/publicCertificates/a",
            CopyRef.of_site(site_ref(), "a", public=True),
            id="a site's, public",
        ),
        pytest.param(
            f"{SITES}/shop/slots/staging/publicCertificates/a",
            CopyRef.of_site(site_ref("shop", "staging"), "a", public=True),
            id="a slot's public one",
        ),
    ],
)
def test_certificate_of_one_site_is_read_from_its_id(resource_id: str, ref: CopyRef) -> None:
    """Certroll recognises from its resource id that a certificate belongs to a single site or slot."""
    assert CopyRef.parse(resource_id) == ref
    assert CopyRef.parse(ref.resource_id) == ref


@pytest.mark.parametrize(
    "resource_id",
    [
        pytest.param(f"{SITES}/shop", id="a site"),
        pytest.param(f"{GROUP}/providers/Microsoft.Web/publicCertificates/a", id="a public one of no site"),
        pytest.param(f"{SITES}/a.b/certificates/a", id="one of a site that cannot be"),
        pytest.param(f"{SITES}/shop/slots/a.b/certificates/a", id="one of a slot that cannot be"),
        pytest.param(f"{COPIES}/", id="no name"),
        pytest.param(f"{COPIES}/a/b", id="something of a certificate"),
        pytest.param(f"{COPIES}/%2e%2e", id="a hidden way up"),
        pytest.param(f"{COPIES}/a%2Fb", id="a hidden slash"),
        pytest.param(f"{COPIES}/a%0d%0ab", id="a hidden line end"),
        pytest.param(f"{COPIES}/shop".replace(SUBSCRIPTION, "x"), id="no subscription"),
        pytest.param(f"{COPIES}/shop".replace("rg-web", "rg&web"), id="a bad group"),
    ],
)
def test_tampered_copy_is_refused(resource_id: str) -> None:
    """Certroll refuses a resource id of anything other than a certificate in App Service."""
    with pytest.raises(InvalidNameError, match="is not"):
        CopyRef.parse(resource_id)


@pytest.mark.parametrize(
    "resource_id",
    [
        pytest.param(f"{ENVIRONMENTS}/ase", id="its id"),
        pytest.param(f" {ENVIRONMENTS}/ASE\n".upper(), id="its id in upper case, with blanks"),
    ],
)
def test_environment_is_read_from_its_id(resource_id: str) -> None:
    """Certroll reads an App Service Environment from its resource id in any letter case."""
    ref = EnvironmentRef.parse(resource_id)
    assert (ref, str(ref)) == (ASE, "rg-network/ase")
    assert ref.resource_id == f"{ENVIRONMENTS}/ase"


def test_environments_have_one_order() -> None:
    """App Service Environments sort by subscription, resource group and name."""
    order = [EnvironmentRef("a", "y", "z"), EnvironmentRef("b", "x", "z"), EnvironmentRef("b", "y", "a")]
    assert sorted(order[index] for index in (2, 0, 1)) == order


@pytest.mark.parametrize(
    "resource_id",
    [
        pytest.param("", id="nothing"),
        pytest.param("ase", id="a bare name"),
        pytest.param(f"{ENVIRONMENTS}/", id="no name"),
        pytest.param(f"{ENVIRONMENTS}/ase/", id="a stray slash"),
        pytest.param(f"{ROOTS}/root", id="something of an environment"),
        pytest.param(f"{SITES}/shop", id="a site"),
        pytest.param(f"{ENVIRONMENTS}/ase".replace("/hosting", "/other"), id="another kind"),
        pytest.param(f"{ENVIRONMENTS}/ase?api-version=1", id="a query"),
        pytest.param(f"{ENVIRONMENTS}/..", id="a way up as a name"),
        pytest.param(f"{ENVIRONMENTS}/a%2Fb", id="a hidden slash"),
        pytest.param(f"{ENVIRONMENTS}/ase\r\nHost: evil.com", id="a second header line"),
        pytest.param(f"{ENVIRONMENTS}/{'a' * 61}", id="a name too long"),
        pytest.param(f"{ENVIRONMENTS}/ase".replace(SUBSCRIPTION, "x"), id="no subscription"),
        pytest.param(f"{ENVIRONMENTS}/ase".replace("rg-network", ".."), id="a way up as the group"),
        pytest.param(f"{ENVIRONMENTS}/ase".replace("rg-network", "rg?network"), id="a query in the group"),
        pytest.param(f"https://management.azure.com{ENVIRONMENTS}/ase", id="a URL"),
        pytest.param("x" * 1_000_000, id="a megabyte"),
    ],
)
def test_tampered_environment_is_refused(resource_id: str) -> None:
    """Certroll refuses a resource id of anything other than an App Service Environment, with a short error."""
    with pytest.raises(InvalidNameError, match="is not") as caught:
        EnvironmentRef.parse(resource_id)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("Corp-Root", "corp-root", id="case is dropped"),
        pytest.param("corp root", "corp root", id="a blank"),
        pytest.param("corp%20root", "corp root", id="an encoded blank"),
        pytest.param("a%23b", "a#b", id="an encoded number sign"),
        pytest.param("%41b", "ab", id="an encoded capital"),
    ],
)
def test_root_certificate_is_read_from_its_id(name: str, expected: str) -> None:
    """Certroll reads a root certificate's resource id in any URL encoding, and writes the same id again."""
    ref = RootRef.parse(f" {ROOTS}/{name} ")
    assert (ref.environment, ref.name, str(ref)) == (ASE, expected, f"rg-network/ase/{expected}")
    assert RootRef.parse(ref.resource_id) == ref
    assert RootRef.parse(ref.resource_id.upper()) == ref
    assert not {"#", " "} & set(ref.resource_id)


def test_root_certificates_have_one_order() -> None:
    """Root certificates sort by App Service Environment and then by name."""
    order = [RootRef(ASE, "b"), RootRef(OTHER_ASE, "a"), RootRef(OTHER_ASE, "b")]
    assert sorted(order[index] for index in (2, 0, 1)) == order


@pytest.mark.parametrize(
    ("resource_id", "complaint"),
    [
        pytest.param("", "'' is not the resource id of a root certificate", id="nothing"),
        pytest.param(
            f"{ENVIRONMENTS}/ase", "/ase' is not the resource id of a root certificate", id="the environment itself"
        ),
        pytest.param(ROOTS, "' is not the resource id of a root certificate", id="all of them"),
        pytest.param(f"{ROOTS}/", "'' is not a certificate resource name", id="no name"),
        pytest.param(f"{ROOTS}/a/b", "'a/b' is not a certificate resource name", id="something of a certificate"),
        pytest.param(f"{ROOTS}/..", "'..' is not a certificate resource name", id="a way up"),
        pytest.param(f"{ROOTS}/%2e%2E", "'..' is not a certificate resource name", id="a hidden way up"),
        pytest.param(f"{ROOTS}/a%2Fb", "'a/b' is not a certificate resource name", id="a hidden slash"),
        pytest.param(f"{ROOTS}/a%0d%0ab", "is not a certificate resource name", id="a hidden line end"),
        pytest.param(f"{ROOTS}/{'a' * 261}", "is not a certificate resource name", id="a name too long"),
        pytest.param(f"{ROOTS}/a/publicCertificates/b", "is not a certificate resource name", id="one of another"),
        pytest.param(
            f"{SITES}/shop/publicCertificates/a", "is not the resource id of an App Service Environment", id="a site's"
        ),
        pytest.param(f"{ROOTS}/a".replace("ase", "a.se"), "is not the name of an App Service", id="a bad environment"),
        pytest.param("x" * 1_000_000, "is not an id of Azure: it has 1,000,000 characters", id="a megabyte"),
    ],
)
def test_tampered_root_certificate_is_refused(resource_id: str, complaint: str) -> None:
    """Certroll refuses a resource id of anything other than an App Service Environment's public certificate."""
    with pytest.raises(InvalidNameError) as caught:
        RootRef.parse(resource_id)
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        pytest.param(["shop.contoso.com"], "shop.contoso.com", True, id="its own name"),
        pytest.param(["contoso.com"], "shop.contoso.com", False, id="the parent's name is not enough"),
        pytest.param(["*.contoso.com"], "shop.contoso.com", True, id="a wildcard stands for one label"),
        pytest.param(["*.contoso.com"], "a.shop.contoso.com", False, id="a wildcard does not stand for two labels"),
        pytest.param(["*.contoso.com"], "contoso.com", False, id="a wildcard does not stand for no label"),
        pytest.param(["*.contoso.com"], "*.contoso.com", True, id="a wildcard host name has its own wildcard"),
        pytest.param(["*.com"], "*.contoso.com", False, id="a wildcard does not stand for a wildcard"),
        pytest.param(["shop.contoso.com"], "*.contoso.com", False, id="a name does not cover a wildcard"),
        pytest.param(["*.contoso.com"], "shop.fabrikam.com", False, id="a wildcard of another domain"),
        pytest.param(["a.b", "*.contoso.com"], "x.contoso.com", True, id="one of several names"),
        pytest.param(["*."], "localhost", False, id="a single label is covered by itself alone"),
        pytest.param([], "shop.contoso.com", False, id="no names"),
    ],
)
def test_certificate_covers_as_browsers_judge(names: list[str], host: str, *, covered: bool) -> None:
    """A certificate covers a host name by the name itself or by a wildcard for the left-most label."""
    assert covers(frozenset(map(HostName, names)), HostName(host)) is covered


@pytest.mark.parametrize(
    "refs",
    [
        [VaultCertificateRef.parse(VAULT, "certificate", name) for name in ("b", "a")],
        [SiteRef(SUBSCRIPTION, "rg", "shop", slot) for slot in ("b", "a", None)],
        [Webspace(SUBSCRIPTION, name) for name in ("b", "a")],
        [EnvironmentRef(SUBSCRIPTION, "rg", name) for name in ("b", "a")],
        [RootRef(EnvironmentRef(SUBSCRIPTION, "rg", "ase"), name) for name in ("b", "a")],
        [CopyRef(SUBSCRIPTION, "rg", name) for name in ("b", "a")],
        [OrderRef(SUBSCRIPTION, "rg", name) for name in ("b", "a")],
    ],
    ids=lambda refs: type(refs[0]).__name__,
)
def test_references_have_an_order(refs: list[Any]) -> None:
    """References to Azure resources have a fixed order, so that two runs report in the same order."""
    assert sorted(refs) == refs[::-1]


@pytest.mark.parametrize(
    "read",
    [
        parse_vault_name,
        SiteRef.parse,
        CopyRef.parse,
        EnvironmentRef.parse,
        RootRef.parse,
        lambda text: VaultCertificateRef.parse("kv-shop", "certificate", text),
    ],
)
def test_huge_name_is_never_folded(monkeypatch: pytest.MonkeyPatch, read: Callable[[str], object]) -> None:
    """Certroll refuses a name of 100,000 letters by its length, because to fold the letters takes half a second."""
    monkeypatch.setattr(names, "lower_case", lambda _: pytest.fail("the name was folded"))
    with pytest.raises(InvalidNameError, match="is not an id of Azure: it has 100,000 characters"):
        read("\u0130" * 100_000)
