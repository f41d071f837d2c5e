"""Test the default values of the core's dataclasses."""

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import timedelta
from importlib import import_module
from pkgutil import walk_packages

from shared import domain
from shared.domain.certificates.version import KeyPolicy
from shared.domain.findings import SeenBy
from shared.domain.intent import Mode, Scope
from shared.domain.reason import Reason
from shared.domain.traits import Severity
from shared.planning import actions, guards

MEANT = {
    "BlindSpot.reason": Reason.BLIND_SPOT,
    "DnsServer.port": 53,
    "Finding.seen_by": SeenBy.INSPECTION,
    "Intent.delete_grace": timedelta(days=30),
    "Intent.max_deletes": 5,
    "Intent.max_restarts": 1,
    "Intent.mode": Mode.OBSERVE,
    "Intent.probe_settle": timedelta(minutes=2),
    "Intent.scope": Scope.ALL,
    "Intent.settings_reread": timedelta(days=1),
    "Intent.slots_first": True,
    "Intent.stage_soak": timedelta(hours=1),
    "Lineage.key": KeyPolicy(exportable=True, content_type="application/x-pkcs12"),
    "Order.key_size": 2048,
    "Probe.status": 200,
    "RootCertificate.is_root": True,
    "Rollout.awaiting": True,
    "Site.running": True,
    "Traits.severity": Severity.INFO,
    "VaultSettings.open_to_all": True,
    "VaultSettings.trusted_services": True,
    "WaveApp.runs": True,
    "WebspaceCertificate.switches": "{}",
}
"""The defaults that are not empty, as documented in settings.md or by Azure."""


def test_what_nobody_said_is_nothing() -> None:
    """A dataclass field that is left out is empty, off or unknown, except for the documented defaults."""
    defaults = {f"{kind.__name__}.{field.name}": field.default for kind, field in _optional()}
    assert {name: value for name, value in defaults.items() if value} == MEANT
    assert len(defaults) > 3 * len(MEANT)


def _optional() -> Iterator[tuple[type, Field[object]]]:
    """Yield each field with a default of the core's dataclasses, with its class."""
    for package in (domain, actions, guards):
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            module = import_module(found.name)
            for kind in vars(module).values():
                if inspect.isclass(kind) and is_dataclass(kind) and kind.__module__ == module.__name__:
                    yield from ((kind, field) for field in fields(kind) if field.default is not MISSING)
