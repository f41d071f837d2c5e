"""Events of Key Vault as Azure really sends them: two envelopes, keys in mixed case and with stray blanks.

Nothing in an event is believed but the name of a vault and of an object, and that vault must be one of ours. Everything
else is read again from Azure, so a forged event costs one look.
Sources: Azure docs, "Azure Key Vault as Event Grid source" (its sample has the key `ObjectName ` and a version with a
leading blank, and types for NBF and EXP that disagree with its table).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from shared.domain.errors import EventRejected
from shared.domain.names import InvalidNameError, ObjectKind, VaultCertificateRef, VaultName
from shared.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class VaultEvent:
    """A certificate to look at, and what the event says should be reported of it, None for a new version."""

    ref: VaultCertificateRef
    finding: Reason | None


class EventKind(NamedTuple):
    """What an event type is about, and what it says should be reported, None for a new version."""

    of: ObjectKind
    finding: Reason | None = None


def _folded(fields: object) -> dict[str, object]:
    """Return a mapping with its keys stripped and lower-cased; empty for anything that is no mapping."""
    if not isinstance(fields, Mapping):
        return {}
    return {str(key).strip().lower(): value for key, value in fields.items()}


def _text(fields: Mapping[str, object], *names: str) -> str:
    found = next((fields[name] for name in names if isinstance(fields.get(name), str)), "")
    return str(found).strip()


def parse_vault_event(raw: object, kinds: Mapping[str, EventKind], vaults: frozenset[VaultName]) -> VaultEvent:
    """Return what a raw event asks for. Raises EventRejected with the reason for every other event.

    `kinds` are the event types that are acted on, in lower case.
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
        raise EventRejected(Reason.MALFORMED_EVENT, str(error)) from error
    if ref.vault not in vaults:
        raise EventRejected(
            Reason.UNKNOWN_VAULT, f"vault {ref.vault!r} is not among CERTROLL_VAULTS; add it, or drop the event"
        )
    return VaultEvent(ref, kinds[kind.lower()].finding)
