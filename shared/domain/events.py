"""Read the events of Key Vault, in both event schemas that Azure sends.

Certroll takes the type, the vault and the object from an event, and the vault must be in CERTROLL_VAULTS. Certroll
reads the certificate itself from Key Vault, so a forged event cannot make Certroll use a wrong certificate.

Azure writes the keys of an event in mixed case and with stray blanks (Azure docs, "Azure Key Vault as Event Grid
source"). Azure's sample of an event has the key `ObjectName ` and a version with a leading blank. The types of NBF and
EXP in Azure's sample disagree with the table on the same page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from shared.domain.errors import EventRejected
from shared.domain.names import InvalidNameError, ObjectKind, VaultCertificateRef, VaultName
from shared.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class VaultEvent:
    """The vault certificate that an event of Key Vault is about."""

    ref: VaultCertificateRef
    finding: Reason | None
    """The finding that Certroll reports because of the event, None for a new version."""


class EventKind(NamedTuple):
    """The meaning that one type of Key Vault event has for Certroll."""

    of: ObjectKind
    """The kind of vault object that the event is about."""
    finding: Reason | None = None
    """The finding that Certroll reports because of the event, None for a new version."""


def _folded(fields: object) -> dict[str, object]:
    """Return a mapping with stripped, lower-case keys, or an empty mapping for any other value."""
    if not isinstance(fields, Mapping):
        return {}
    return {str(key).strip().lower(): value for key, value in fields.items()}


def _text(fields: Mapping[str, object], *names: str) -> str:
    found = next((fields[name] for name in names if isinstance(fields.get(name), str)), "")
    return str(found).strip()


def parse_vault_event(raw: object, kinds: Mapping[str, EventKind], vaults: frozenset[VaultName]) -> VaultEvent:
    """Return the vault certificate that a raw event is about.

    `kinds` holds the event types that Certroll handles, in lower case. Raise EventRejected if Certroll does not handle
    the event.
    """
    event = _folded(raw)
    data = _folded(event.get("data"))
    kind = _text(event, "eventtype", "type")
    if not kind or not data:
        raise EventRejected(Reason.MALFORMED_EVENT, "the event has no type or no data object")
    if kind.lower() not in kinds:
        raise EventRejected(
            Reason.UNKNOWN_EVENT, f"events of type {kind[:80]!r} are not acted on; narrow the subscription"
        )
    source = _text(data, "vaultname") or _text(event, "topic", "source")
    name = _text(data, "objectname") or _text(event, "subject")
    try:
        ref = VaultCertificateRef.parse(source, kinds[kind.lower()].of, name)
    except InvalidNameError as error:
        raise EventRejected(Reason.MALFORMED_EVENT, "the event names no vault object", str(error)) from error
    if ref.vault not in vaults:
        raise EventRejected(
            Reason.UNKNOWN_VAULT, f"vault {ref.vault!r} is not among CERTROLL_VAULTS; add it, or drop the event"
        )
    return VaultEvent(ref, kinds[kind.lower()].finding)
