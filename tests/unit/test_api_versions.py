"""Certroll knows every version of an Azure API that it uses, and the day on which Azure stops answering the version."""

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msal
import pytest
from azure.core.credentials import AccessToken
from azure.data.tables import TableServiceClient
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.secrets import SecretClient
from azure.mgmt.certificateregistration import CertificateRegistrationMgmtClient
from azure.mgmt.web import WebSiteManagementClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from shared.domain.api_versions import API_VERSIONS, DEFAULTS, OWN, VAULTS, ApiVersion
from tests.pages import ROOT

TABLE = "shared/domain/api_versions.py"
NOTICE = timedelta(days=183)
"""How long before the end of a version the test of versions fails: half a year, in which users install a release."""
VERSION = re.compile(r"\b20\d\d-\d\d-\d\d(-preview)?\b")


class Nobody:
    """This credential gives no token, because the tests send no request."""

    def get_token(self, *_: str, **__: object) -> AccessToken:
        """Fail, because no test asks for a token."""
        raise AssertionError


def ending(versions: Iterable[ApiVersion], today: date) -> list[str]:
    """Return the versions that end within half a year, each with the next step."""
    return [
        f"{entry.api} {entry.version} ends on {entry.ends} ({entry.source}): use a newer version, and release it now"
        for entry in versions
        if entry.ends is not None and entry.ends - NOTICE <= today
    ]


def test_no_api_version_ends_within_half_a_year() -> None:
    """No version of an Azure API that Certroll uses ends within the next six months.

    This test reads today's date on purpose, so it may fail without a change of the code. Azure ends a version on a day,
    and a release that uses a newer version has to reach every user before that day. No other test depends on the date.
    """
    today = datetime.now(UTC).date()  # noqa: TID251 - the only test whose promise is about today
    assert ending(API_VERSIONS, today) == []


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        (None, 0),
        (date(2027, 6, 2), 0),
        (date(2027, 6, 1), 1),
        (date(2026, 12, 1), 1),
        (date(2026, 1, 1), 1),
    ],
)
def test_the_alarm_comes_half_a_year_before_the_end(ends: date | None, found: int) -> None:
    """On 2026-11-30 the alarm names each version that ends until 2027-06-01, with the day and the next step."""
    named = ending([replace(VAULTS, ends=ends), replace(VAULTS, ends=None)], date(2026, 11, 30))
    assert len(named) == found
    assert all(str(ends) in text and "use a newer version" in text for text in named)


def test_vaults_are_managed_with_a_version_that_stays() -> None:
    """Certroll uses a version of Key Vault's management that Azure goes on to answer after 2027-02-27."""
    assert VAULTS.version >= "2026-02-01"


def test_versions_stand_in_one_table() -> None:
    """No module but the table of versions names a version of an Azure API in its code."""
    strays = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value!r}"
        for folder in ("shared", "functions")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if str(path.relative_to(ROOT)) != TABLE and path.parent != RULES
        for node in _texts(path)
        if VERSION.search(node.value)
    ]
    assert strays == []


RULES = ROOT / "shared/compliance/rules"
"""The folder of compliance rules, which ask nobody. Their examples name days."""


def _texts(path: Path) -> list[Any]:
    """Return the text constants of a module, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [node for node in texts if id(node) not in documents]


def test_every_version_of_the_table_is_used() -> None:
    """Each version that Certroll itself names is used by exactly the module that sends the requests."""
    modules = [path for path in (ROOT / "shared").rglob("*.py") if str(path.relative_to(ROOT)) != TABLE]
    text = "\n".join(path.read_text(encoding="utf-8") for path in modules)
    names = re.findall(r"^(\w+) = ApiVersion\(", (ROOT / TABLE).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(names) == len(OWN)
    assert [name for name in names if not re.search(rf"api-version={{{name}}}", text)] == []


VAULT = "https://contoso.vault.azure.net"
NOBODY: Any = Nobody()
SDKS: dict[str, Callable[[], str]] = {
    "azure-mgmt-web": lambda: WebSiteManagementClient(NOBODY, "-")._config.api_version,
    "azure-mgmt-certificateregistration": lambda: CertificateRegistrationMgmtClient(NOBODY, "-")._config.api_version,
    "azure-keyvault-certificates": lambda: CertificateClient(VAULT, NOBODY)._client._config.api_version,
    "azure-keyvault-secrets": lambda: SecretClient(VAULT, NOBODY)._client._config.api_version,
    "azure-storage-blob": lambda: BlobServiceClient("https://x.blob.core.windows.net").api_version,
    "azure-storage-queue": lambda: QueueServiceClient("https://x.queue.core.windows.net", NOBODY).api_version,
    "azure-data-tables": lambda: TableServiceClient("https://x.table.core.windows.net", credential=NOBODY).api_version,
}


@pytest.mark.parametrize("package", SDKS)
def test_table_has_the_versions_of_the_installed_sdks(package: str) -> None:
    """The table has the version that the installed package of Azure's SDK chooses by its default.

    If this test fails after an update of packages, enter the new version with its announced end.
    """
    (entry,) = (entry for entry in DEFAULTS if entry.sdk == package)
    assert entry.version == SDKS[package]()


class Endpoint:
    """This HTTP client records the version with which a client asks for a token, and gives no token."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, _: str, *, params: dict[str, str], **__: object) -> SimpleNamespace:
        """Record the version, and answer as an endpoint that knows no identity."""
        self.asked.append(params["api-version"])
        return SimpleNamespace(status_code=400, text="{}", headers={})

    def close(self) -> None:
        """Close nothing."""


def test_table_has_the_version_of_the_identitys_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has the version with which azure-identity, by its package msal, asks App Service for tokens."""
    (entry,) = (entry for entry in DEFAULTS if entry.sdk == "azure-identity")
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://localhost/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "secret")
    endpoint = Endpoint()
    client = msal.ManagedIdentityClient(msal.SystemAssignedManagedIdentity(), http_client=endpoint)
    client.acquire_token_for_client(resource="https://vault.azure.net")
    assert endpoint.asked == [entry.version]


def test_every_sdk_of_azure_is_in_the_table() -> None:
    """The table has an entry for each package of Azure that Certroll needs and that sends requests."""
    needed = re.findall(r"^(azure-[\w-]+)", (ROOT / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE)
    silent = {"azure-core", "azure-mgmt-core", "azure-functions", "azure-eventgrid"}
    assert set(needed) - silent == {entry.sdk for entry in DEFAULTS}
