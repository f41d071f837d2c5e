"""Certroll writes host name bindings at one place, and each write names the kind of the binding."""

import ast
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.clients.arm.bindings import Bindings
from shared.clients.arm.wire import read_site
from shared.clients.retrying import Retrying
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.names import HostName, SiteRef, is_host_name
from tests.build import NEW, OLD, ManualClock, site_ref
from tests.pages import ROOT

HOST = HostName("shop.contoso.com")
SITE_WRITES = frozenset({"begin_create_or_update", "begin_create_or_update_slot", "update", "update_slot"})
BINDING_WRITES = frozenset({"create_or_update_host_name_binding", "create_or_update_host_name_binding_slot"})
STATES_AS_READ: dict[str, dict[str, object]] = {
    "never bound": {},
    "null": {"sslState": None},
    "bound by SNI": {"sslState": "SniEnabled", "thumbprint": "AB" * 20},
    "IP-based": {"sslState": "IpBasedEnabled", "thumbprint": "AB" * 20, "virtualIP": "20.1.2.3"},
}


class WebApps:
    """This fake part of the SDK records the properties of each binding that a caller writes."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []

    def create_or_update_host_name_binding(self, *, host_name_binding: Any, **names: str) -> None:  # noqa: ANN401
        """Record the properties of the binding, and the names of the site or slot."""
        self.written.append({**names, **dict(host_name_binding["properties"])})

    create_or_update_host_name_binding_slot = create_or_update_host_name_binding


@pytest.mark.parametrize("slot", [None, "staging"])
@pytest.mark.parametrize("state", SslState)
@pytest.mark.parametrize("read", STATES_AS_READ)
def test_every_write_names_the_kind_of_the_binding(read: str, state: SslState, slot: str | None) -> None:
    """A write of a binding names `sslState`, whatever Azure showed before.

    Without `sslState` Azure keeps an SNI binding. No recording shows the effect on an IP-based binding.
    """
    web_apps = WebApps()
    clients = SimpleNamespace(client=lambda _: SimpleNamespace(web_apps=web_apps))
    site = SiteRef(site_ref("shop").subscription, "contoso", "shop", slot)
    binding = Binding(site, HOST, state, NEW, virtual_ip=None)
    client = Bindings(cast("Any", clients), Retrying(ManualClock()))
    client.put_binding(binding, {"properties": {"siteName": "shop(staging)", **STATES_AS_READ[read]}})
    (written,) = web_apps.written
    assert (written["sslState"], written["thumbprint"], written["siteName"]) == (str(state), NEW, "shop(staging)")
    assert "virtualIP" not in written


@pytest.mark.parametrize(
    "written", ["b\u00fccher.example", "B\u00dcCHER.Example", "*.stra\u00dfe.example", "Shop.contoso.com"]
)
def test_binding_is_written_under_the_name_that_azure_wrote(written: str) -> None:
    """A write of a binding names the host name as Azure wrote it, in letter case and script."""
    web_apps = WebApps()
    clients = SimpleNamespace(client=lambda _: SimpleNamespace(web_apps=web_apps))
    state = {"name": written, "sslState": "SniEnabled", "thumbprint": OLD}
    properties = {"defaultHostName": "shop.azurewebsites.net", "hostNameSslStates": [state]}
    _, (seen,) = read_site({"id": site_ref("shop").resource_id, "properties": properties})
    assert is_host_name(seen.host_name)
    Bindings(cast("Any", clients), Retrying(ManualClock())).put_binding(replace(seen, thumbprint=NEW), {})
    assert web_apps.written[0]["host_name"] == written


def test_bindings_are_written_at_one_place() -> None:
    """Only one function of Certroll writes bindings, and no function writes a whole site with its bindings."""
    attributes = [
        (str(path.relative_to(ROOT)), node.attr)
        for folder in ("shared", "functions")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "web_apps" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("web_apps")
    ]
    assert {path for path, name in attributes if name in BINDING_WRITES} == {"shared/clients/arm/bindings.py"}
    assert [(path, name) for path, name in attributes if name in SITE_WRITES] == []
    texts = {path.name for path in (ROOT / "shared").rglob("*.py") if "/hostNameBindings" in path.read_text("utf-8")}
    assert texts == set()
