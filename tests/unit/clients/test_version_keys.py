"""A version of a vault certificate is judged by its own key and content type, and odd answers leave both unseen."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import HttpRequest as OldRequest
from azure.core.pipeline.transport import RequestsTransportResponse
from azure.core.rest import HttpRequest

from shared.clients.retrying import Retrying
from shared.clients.vault.version_keys import VersionKeys
from shared.domain.certificates.requirements import PEM, PKCS12
from shared.domain.certificates.version import KeyPolicy
from tests.build import REF, ManualClock, version

V = version()
FIT, ODD = KeyPolicy(exportable=True, content_type=PKCS12), KeyPolicy(exportable=False, content_type=PEM)
SHOWN = {"attributes": {"exportable": True}}


@dataclass
class Vault:
    """A vault that gives one answer about the key, and one list of the secret's versions."""

    key: Any = field(default_factory=lambda: SHOWN)
    listed: Any = ((V.version, PKCS12),)
    asked: list[str] = field(default_factory=list)

    def send_request(self, request: HttpRequest) -> Any:  # noqa: ANN401 - an answer of the SDK
        """Return the answer about the key of a version."""
        self.asked.append(request.url)

        def refuse() -> None:
            if isinstance(self.key, Exception):
                raise self.key

        return SimpleNamespace(raise_for_status=refuse, json=lambda: self.key)

    def list_properties_of_secret_versions(self, name: str) -> Any:  # noqa: ANN401 - a paged list of the SDK
        """Return the versions of the secret, in one page."""
        self.asked.append(name)

        def pages(_: str | None) -> Iterator[Iterator[Any]]:
            if isinstance(self.listed, Exception):
                raise self.listed
            yield iter([SimpleNamespace(version=found, content_type=kind) for found, kind in self.listed])

        return SimpleNamespace(by_page=pages)


def clients(vault: Vault) -> Any:  # noqa: ANN401 - stands in for the SDK's clients
    """Return the clients of the only vault."""
    return SimpleNamespace(client=lambda _: vault, secrets=lambda _: vault)


def of(vault: Vault, policy: KeyPolicy, *, changed: bool) -> KeyPolicy:
    """Return what the client reads of the version."""
    keys: Any = VersionKeys(clients(vault), Retrying(ManualClock()))
    found: KeyPolicy = keys.of(REF, V, policy, changed=changed)
    return found


def refused(status: int) -> HttpResponseError:
    """Return the SDK's error for an answer with the status."""
    wire = requests.Response()
    wire.status_code = status
    wire._content = b""
    return HttpResponseError(response=RequestsTransportResponse(OldRequest("GET", "https://x"), wire))


def test_version_overrules_the_policy() -> None:
    """The version's own key and content type count, whatever the policy says and whether it changed or not."""
    bad = Vault({"attributes": {"exportable": False}}, ((V.version, f" {PEM.upper()} "), ("v1", PKCS12)))
    assert of(Vault(), ODD, changed=True) == FIT
    assert of(Vault(), ODD, changed=False) == FIT
    assert of(bad, FIT, changed=True) == ODD


def test_good_policy_that_did_not_change_costs_no_request() -> None:
    """If the policy is good and has not changed since the version was made, Certroll reads nothing more."""
    vault = Vault()
    assert of(vault, FIT, changed=False) == FIT
    assert vault.asked == []


@pytest.mark.parametrize(
    "vault",
    [
        pytest.param(Vault(refused(403), refused(403)), id="Certroll may not read them"),
        pytest.param(Vault(refused(404), refused(404)), id="they are gone"),
        pytest.param(Vault(refused(400), refused(400)), id="Key Vault refuses the request"),
        pytest.param(Vault({"attributes": {}}, ()), id="nothing is said"),
        pytest.param(Vault([], (("v1", PEM),)), id="it is no object, and another version is listed"),
        pytest.param(Vault({"attributes": None}, ((V.version, None),)), id="the attributes are null"),
        pytest.param(Vault({"attributes": {"exportable": "yes"}}, ((V.version, ""),)), id="it is no truth value"),
    ],
)
def test_what_cannot_be_read_is_unseen(vault: Vault) -> None:
    """What Certroll cannot read stays unseen if the policy changed, and otherwise is what the policy says."""
    assert of(vault, ODD, changed=True) == KeyPolicy(None, None)
    assert of(vault, ODD, changed=False) == ODD


def test_version_is_read_once() -> None:
    """Neither key nor content type of a version ever changes, so the process reads each of them once."""
    vault = Vault()
    keys: Any = VersionKeys(clients(vault), Retrying(ManualClock()))
    for _ in range(3):
        assert keys.of(REF, V, ODD, changed=True) == FIT
    assert vault.asked == [REF.name, f"/keys/{REF.name}/{V.version}"]
    keys.forget()
    assert keys.of(REF, V, ODD, changed=True) == FIT
    assert len(vault.asked) == 4
