"""Key Vault events, by the names that the Event Grid SDK gives them."""

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
    """Return what an event asks for, from its raw JSON. Raises EventRejected with the reason.

    The Functions SDK's own event types are not used: they fail on a date that they cannot read, before our code runs.
    """
    try:
        raw = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise EventRejected(Reason.MALFORMED_EVENT, f"the event is not JSON: {error}") from error
    return parse_vault_event(raw, KINDS, vaults)
