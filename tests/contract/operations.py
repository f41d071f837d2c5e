"""The operations of the product's clients. Each operation that no test of the contract calls has a reason."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from shared.ports import Ports

AZURE = ("app_service", "environments", "managed", "vault", "orders", "vault_rights")
"""The ports to APIs of Azure, whose operations this contract is about."""
STORAGE = "storage: tests/scenarios/test_storage_contract.py runs its cases against Azurite"
ELSEWHERE: dict[str, str] = {
    "dns": "public DNS, no API of Azure",
    "tls_probe": "a handshake with a front end, no API of Azure; tests/unit/clients/test_tls_probe.py",
    "app_probe": "an app's own probe page, no API of Azure; tests/unit/clients/test_app_probe.py",
    "clock": "no request",
    "retrying": "no request of its own",
    "trace": "no request of its own",
    "fleet_reads": "no request of its own",
    "read_events": "no request; tests/unit/clients/test_vault_events.py",
    **dict.fromkeys(
        [
            "rollouts",
            "settings_rolls",
            "restart_claims",
            "requests",
            "history",
            "findings",
            "dead_letters",
            "environment_records",
            "app_restarts",
            "pending_starts",
            "looks",
            "turns",
            "leases",
            "queue",
            "settings_memory",
            "shown_memory",
            "reports",
            "sweeps",
        ],
        STORAGE,
    ),
}
"""The ports that lead elsewhere, each with the reason why this contract does not cover the port."""
FLEX = "it needs a Flex Consumption app, with a storage account and a deployment that the suite does not make"
MONEY = "money: it would change or renew an order that a person has paid for"
UNTESTED: dict[str, str] = {
    "app_service.site_certificates": FLEX,
    "orders.turn_on_auto_renew": MONEY,
    "orders.mark": MONEY,
    "orders.renew": MONEY,
    "orders.reissue": MONEY,
    "vault.forget": "no request: it clears a cache",
}
"""The operations without a test, each with the reason."""


def operations(ports: Ports) -> frozenset[str]:
    """Return each operation of the product's clients of Azure, such as `app_service.put_settings`."""
    return frozenset(
        f"{port}.{name}"
        for port in AZURE
        for name, _ in inspect.getmembers(type(getattr(ports, port)), inspect.isfunction)
        if not name.startswith("_")
    )


def uncounted_ports(ports: type[Ports]) -> frozenset[str]:
    """Return the ports that are neither in AZURE nor in ELSEWHERE."""
    return frozenset(port.name for port in fields(ports)) - {*AZURE, *ELSEWHERE}


class _Client:
    """One client of the product, which remembers the operations that a test calls."""

    def __init__(self, port: str, client: object, called: set[str]) -> None:
        self._port = port
        self._client = client
        self._called = called

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self._called.add(f"{self._port}.{name}")
        found: Callable[..., Any] = getattr(self._client, name)
        return found


class Recording:
    """The product's clients of Azure, which remember the operations that a test calls."""

    def __init__(self, ports: Ports) -> None:
        self.called: set[str] = set()
        self.app_service: Any = _Client("app_service", ports.app_service, self.called)
        self.environments: Any = _Client("environments", ports.environments, self.called)
        self.managed: Any = _Client("managed", ports.managed, self.called)
        self.vault: Any = _Client("vault", ports.vault, self.called)
        self.orders: Any = _Client("orders", ports.orders, self.called)
        self.vault_rights: Any = _Client("vault_rights", ports.vault_rights, self.called)
