"""Certroll never judges a site by `siteConfig`, whose values are wrong in Azure's lists."""

from shared.clients.arm.wire import read_site
from tests.build import SUBSCRIPTION
from tests.pages import ROOT


def test_no_code_reads_site_config() -> None:
    """No code of Certroll reads `siteConfig` of a site, because only `config/web` has the right values.

    Users of several SDKs report it (azure-sdk-for-js #26876).
    """
    code = {
        path: path.read_text("utf-8") for folder in ("shared", "functions") for path in (ROOT / folder).rglob("*.py")
    }
    assert len(code) > 100
    assert [str(path) for path, text in code.items() if "siteConfig" in text or "site_config" in text] == []


def test_a_site_reads_alike_whatever_its_site_config_says() -> None:
    """A site is read alike from Azure's list, from a read of the site, and without `siteConfig`."""
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Web/sites/shop"
    configs = ({"minTlsVersion": None, "http20Enabled": False, "alwaysOn": False}, {"http20Enabled": None}, None)
    read = [
        read_site({"id": path, "properties": {"webSpace": "rg-WestEuropewebspace", "siteConfig": config}})
        for config in configs
    ]
    assert read[0] == read[1] == read[2]
