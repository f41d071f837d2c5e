"""Certroll reads a site alike from every answer of Azure, and notices that a site runs in other regions."""

import pytest

from shared.clients.arm.requests import listing
from shared.clients.arm.wire import read_site
from shared.domain.names import Webspace
from tests.build import SUBSCRIPTION
from tests.pages import ROOT

PATH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites/shop"


def test_no_code_reads_site_config() -> None:
    """No code of Certroll reads `siteConfig` of a site, because only `config/web` has the right values.

    Users of several SDKs report wrong values in `siteConfig` (azure-sdk-for-js #26876).
    """
    code = {
        path: path.read_text("utf-8") for folder in ("shared", "functions") for path in (ROOT / folder).rglob("*.py")
    }
    assert len(code) > 100
    assert [str(path) for path, text in code.items() if "siteConfig" in text or "site_config" in text] == []


def test_a_site_reads_alike_whatever_its_site_config_says() -> None:
    """A site is read alike from Azure's list, from a read of the site, and without `siteConfig`."""
    configs = ({"minTlsVersion": None, "http20Enabled": False, "alwaysOn": False}, {"http20Enabled": None}, None)
    read = [
        read_site(
            {
                "id": PATH,
                "properties": {"webSpace": "rg-WestEuropewebspace", "hostNameSslStates": [], "siteConfig": config},
            }
        )
        for config in configs
    ]
    assert read[0] == read[1] == read[2]


@pytest.mark.parametrize(
    ("shown", "silos"),
    [
        pytest.param({}, False, id="Azure shows nothing"),
        pytest.param({"silos": None}, False, id="null"),
        pytest.param({"silos": []}, False, id="an empty list"),
        pytest.param({"silos": [{"name": "eastus"}]}, True, id="a list"),
        pytest.param({"silos": {"eastus": {}}}, True, id="an object"),
        pytest.param({"silos": 1}, True, id="a number"),
    ],
)
def test_whatever_azure_shows_as_silos_counts(shown: dict[str, object], silos: bool) -> None:  # noqa: FBT001 - a case
    """A site has silos if Azure shows any value for them, because no document shows the form of that value."""
    site, _ = read_site(
        {"id": PATH, "properties": {"webSpace": "rg-WestEuropewebspace", "hostNameSslStates": [], **shown}}
    )
    assert site.silos is silos


@pytest.mark.parametrize("shown", [{}, {"hostNameSslStates": None}], ids=["missing", "null"])
def test_a_site_without_a_list_of_host_names_is_unreadable(shown: dict[str, object]) -> None:
    """A site whose answer has no list of host names is a blind spot of that site, and never a site without bindings."""
    wire = {"id": PATH, "properties": {"webSpace": "rg-WestEuropewebspace", **shown}}
    found = listing(SUBSCRIPTION, [wire], read_site)
    assert found.found == ()
    (spot,) = found.blind_spots
    assert (spot.subject, spot.detail) == (PATH, "it cannot be read: Azure does not list its host names")
    assert spot.webspace == Webspace.parse(SUBSCRIPTION, "rg-WestEuropewebspace")


@pytest.mark.parametrize("never", ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999"])
def test_time_that_nobody_set_says_nothing_about_changes(never: str) -> None:
    """A site that shows .NET's smallest or largest time shows no moment, so Certroll reads its settings each time."""
    properties = {"hostNameSslStates": [], "lastModifiedTimeUtc": never}
    assert read_site({"id": PATH, "properties": properties})[0].modified is None
    shown = read_site({"id": PATH, "properties": {**properties, "lastModifiedTimeUtc": "2026-11-04T09:00:00"}})[0]
    assert shown.modified is not None
