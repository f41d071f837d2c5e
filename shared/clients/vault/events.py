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


def read_vault_event(text: str, vaults: frozenset[VaultName]) -> VaultEvent:
    """Return the event of Key Vault from the raw JSON of Event Grid.

    Raise EventRejected with a reason if Certroll cannot use the event. Certroll does not use the event types of the
    Functions SDK. The event types of the Functions SDK fail on an unreadable date before Certroll's code runs.
    """
    try:
        raw = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise EventRejected(Reason.MALFORMED_EVENT, f"the event is not JSON: {error}") from error
    return parse_vault_event(raw, KINDS, vaults)
