"""Read Key Vault's events, whose names the Event Grid SDK defines."""

import json

from azure.eventgrid import SystemEventNames

from shared.domain.errors import EventRejected
from shared.domain.events import EventKind, VaultEvent, parse_vault_event
from shared.domain.names import ObjectKind, VaultName
from shared.domain.reason import Reason

_CERTIFICATE, _SECRET = ObjectKind.CERTIFICATE, ObjectKind.SECRET
KINDS: dict[str, EventKind] = {
    SystemEventNames.KeyVaultCertificateNewVersionCreatedEventName.value.lower(): EventKind(_CERTIFICATE),
    SystemEventNames.KeyVaultCertificateNearExpiryEventName.value.lower(): EventKind(_CERTIFICATE, Reason.NEAR_EXPIRY),
    SystemEventNames.KeyVaultCertificateExpiredEventName.value.lower(): EventKind(_CERTIFICATE, Reason.EXPIRED),
    SystemEventNames.KeyVaultSecretNewVersionCreatedEventName.value.lower(): EventKind(_SECRET),
}


def read_vault_events(text: str, vaults: frozenset[VaultName]) -> tuple[VaultEvent | EventRejected, ...]:
    """Return each event of Key Vault in the raw JSON of Event Grid, or why Certroll cannot use the event.

    The JSON is one event, or a list of events; the result is never empty. Certroll does not use the event types of the
    Functions SDK. The event types of the Functions SDK fail on an unreadable date before Certroll's code runs.
    """
    try:
        raw = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        return (EventRejected(Reason.MALFORMED_EVENT, f"the event is not JSON: {error}"),)
    if raw == []:
        return (EventRejected(Reason.MALFORMED_EVENT, "the list has no event"),)
    return tuple(_read(event, vaults) for event in (raw if isinstance(raw, list) else [raw]))


def _read(raw: object, vaults: frozenset[VaultName]) -> VaultEvent | EventRejected:
    try:
        return parse_vault_event(raw, KINDS, vaults)
    except EventRejected as rejected:
        return rejected
