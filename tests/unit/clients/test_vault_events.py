"""Certroll reads Key Vault events in every form that Azure sends, and refuses forged events."""

import json

import pytest

from shared.clients.vault.events import read_vault_events
from shared.domain.errors import EventRejected
from shared.domain.events import VaultEvent
from shared.domain.names import ObjectKind, VaultName
from shared.domain.reason import Reason
from tests.build import REF, SUBSCRIPTION, VAULT

NEW_VERSION = "Microsoft.KeyVault.CertificateNewVersionCreated"
VAULT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/KV-Shop"
DATA: dict[str, object] = {
    "Id": "https://kv-shop.vault.azure.net/certificates/shop/0123",
    "VaultName": "kv-shop",
    "ObjectType": "Certificate",
    "ObjectName": "shop",
    "Version": "0123",
    "NBF": 1556391780,
    "EXP": 1564167780,
}
EVENT_GRID: dict[str, object] = {
    "id": "1",
    "topic": VAULT_ID,
    "subject": "shop",
    "eventType": NEW_VERSION,
    "eventTime": "2026-11-21T12:00:00Z",
    "data": DATA,
    "dataVersion": "1",
    "metadataVersion": "1",
}
CLOUD_EVENT: dict[str, object] = {
    "id": "1",
    "source": VAULT_ID,
    "specversion": "1.0",
    "type": NEW_VERSION,
    "subject": "shop",
    "time": "2026-11-21T12:00:00Z",
    "data": DATA,
}


def read(event: object) -> VaultEvent:
    """Return what Certroll reads from one Key Vault event, if `CERTROLL_VAULTS` names only the vault `kv-shop`."""
    (read,) = read_vault_events(event if isinstance(event, str) else json.dumps(event), frozenset({VAULT}))
    if isinstance(read, EventRejected):
        raise read
    return read


def without(fields: dict[str, object], *names: str) -> dict[str, object]:
    """Return the fields of a Key Vault event except the named fields."""
    return {key: value for key, value in fields.items() if key not in names}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(EVENT_GRID, id="Event Grid's own schema"),
        pytest.param(CLOUD_EVENT, id="CloudEvents"),
        pytest.param({key.upper(): value for key, value in EVENT_GRID.items()}, id="keys in upper case"),
        pytest.param({f" {key} ": value for key, value in EVENT_GRID.items()}, id="stray blanks around all keys"),
        pytest.param({**EVENT_GRID, "eventType": NEW_VERSION.upper()}, id="the type in upper case"),
        pytest.param({**CLOUD_EVENT, "type": f" {NEW_VERSION} "}, id="the type with blanks"),
        pytest.param(
            {**EVENT_GRID, "data": {f" {key} ": value for key, value in DATA.items()}}, id="keys with stray blanks"
        ),
        pytest.param(
            {**EVENT_GRID, "data": {key.lower(): value for key, value in DATA.items()}}, id="keys in lower case"
        ),
        pytest.param(
            {**EVENT_GRID, "data": {**DATA, "VaultName": " KV-SHOP ", "ObjectName": " Shop "}},
            id="names in mixed case with blanks",
        ),
        pytest.param({**EVENT_GRID, "data": {**DATA, "VaultName": VAULT_ID}}, id="the vault as its resource id"),
        pytest.param({**EVENT_GRID, "data": without(DATA, "VaultName")}, id="the vault in the topic alone"),
        pytest.param({**CLOUD_EVENT, "data": without(DATA, "VaultName")}, id="the vault in the source alone"),
        pytest.param({**EVENT_GRID, "data": {**DATA, "VaultName": None}}, id="the vault null, but in the topic"),
        pytest.param({**EVENT_GRID, "data": without(DATA, "ObjectName")}, id="the name in the subject alone"),
        pytest.param({**EVENT_GRID, "data": {**DATA, "NBF": "2019-04-27", "EXP": None}}, id="NBF a text, EXP null"),
        pytest.param({**EVENT_GRID, "data": {**DATA, "NBF": {"a": 1}, "EXP": 1e400}}, id="NBF and EXP nonsense"),
        pytest.param({**EVENT_GRID, "data": without(DATA, "NBF", "EXP", "Version")}, id="NBF, EXP, version missing"),
        pytest.param({**EVENT_GRID, "data": {**DATA, "Version": " 0123"}}, id="a leading blank in the version"),
    ],
)
def test_event_names_its_certificate(event: dict[str, object]) -> None:
    """Certroll reads the certificate from an event of a new version in every form that Azure sends."""
    assert read(event) == VaultEvent(REF, None)


@pytest.mark.parametrize(
    ("kind", "finding"),
    [("CertificateNearExpiry", Reason.NEAR_EXPIRY), ("CertificateExpired", Reason.EXPIRED)],
)
def test_warning_of_the_vault_is_a_finding(kind: str, finding: Reason) -> None:
    """Certroll reports a problem for a Key Vault event about a certificate that is expired or about to expire."""
    assert read({**EVENT_GRID, "eventType": f"Microsoft.KeyVault.{kind}"}) == VaultEvent(REF, finding)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"Id": "https://evil.com/certificates/other/1"}, id="another object's URL"),
        pytest.param({"Id": None}, id="no URL"),
        pytest.param({"ObjectType": "Secret", "Version": "https://evil.com"}, id="a URL as the version"),
    ],
)
def test_no_address_in_an_event_is_believed(change: dict[str, object]) -> None:
    """Certroll ignores every URL in a Key Vault event, and reads only the vault's and the object's name."""
    assert read({**EVENT_GRID, "data": {**DATA, **change}}).ref == REF


@pytest.mark.parametrize(
    ("event", "reason", "detail"),
    [
        pytest.param("", Reason.MALFORMED_EVENT, "the event is not JSON", id="nothing"),
        pytest.param("{", Reason.MALFORMED_EVENT, "the event is not JSON", id="half a JSON"),
        pytest.param("[" * 100_000, Reason.MALFORMED_EVENT, "the event is not JSON", id="JSON too deep to read"),
        pytest.param([], Reason.MALFORMED_EVENT, "the list has no event", id="a list without events"),
        pytest.param(["shop"], Reason.MALFORMED_EVENT, "has no type or no data object", id="a list of texts"),
        pytest.param([[EVENT_GRID]], Reason.MALFORMED_EVENT, "has no type or no data object", id="a list in a list"),
        pytest.param("null", Reason.MALFORMED_EVENT, "has no type or no data object", id="null"),
        pytest.param(
            without(EVENT_GRID, "eventType"), Reason.MALFORMED_EVENT, "has no type or no data object", id="no type"
        ),
        pytest.param(
            {**EVENT_GRID, "eventType": 5}, Reason.MALFORMED_EVENT, "has no type or no data object", id="a type of 5"
        ),
        pytest.param(
            {**EVENT_GRID, "data": "shop"}, Reason.MALFORMED_EVENT, "has no type or no data object", id="data as a text"
        ),
        pytest.param(
            {**EVENT_GRID, "eventType": "Microsoft.KeyVault.SecretNearExpiry"},
            Reason.UNKNOWN_EVENT,
            "events of type 'Microsoft.KeyVault.SecretNearExpiry' are not acted on; narrow the subscription",
            id="another event of a secret",
        ),
        pytest.param(
            {**EVENT_GRID, "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent"},
            Reason.UNKNOWN_EVENT,
            "narrow the subscription",
            id="an event of another service",
        ),
        pytest.param(
            {**EVENT_GRID, "data": {**DATA, "VaultName": "kv-foreign"}},
            Reason.UNKNOWN_VAULT,
            "vault 'kv-foreign' is not among CERTROLL_VAULTS; add it, or drop the event",
            id="a foreign vault",
        ),
        pytest.param(
            {**EVENT_GRID, "data": {**DATA, "VaultName": "https://evil.com"}},
            Reason.MALFORMED_EVENT,
            "'https://evil.com' is not a Key Vault name or resource id",
            id="a URL as the vault",
        ),
        pytest.param(
            {**EVENT_GRID, "topic": "evil.com", "data": without(DATA, "VaultName")},
            Reason.MALFORMED_EVENT,
            "'evil.com' is not a Key Vault name or resource id",
            id="a host as the topic",
        ),
        pytest.param(
            {**EVENT_GRID, "data": {**DATA, "ObjectName": "../../keys/x"}},
            Reason.MALFORMED_EVENT,
            "'../../keys/x' is not a Key Vault object name",
            id="a path as the name",
        ),
        pytest.param(
            {**EVENT_GRID, "subject": None, "data": without(DATA, "ObjectName")},
            Reason.MALFORMED_EVENT,
            "'' is not a Key Vault object name",
            id="no name at all",
        ),
    ],
)
def test_event_that_is_not_for_us_is_refused(event: object, reason: Reason, detail: str) -> None:
    """Certroll refuses each listed foreign or malformed event with a reason, and the error names the problem."""
    with pytest.raises(EventRejected) as caught:
        read(event)
    assert caught.value.reason is reason
    assert detail in str(caught.value)


def test_complaint_about_a_hostile_type_is_short() -> None:
    """The error about an event whose type has one megabyte is short."""
    with pytest.raises(EventRejected) as caught:
        read({**EVENT_GRID, "eventType": "x" * 1_000_000})
    assert len(str(caught.value)) < 300


def test_vault_of_another_name_is_never_ours() -> None:
    """Certroll accepts an event only if the vault's whole name is in the setting `CERTROLL_VAULTS`."""
    (read,) = read_vault_events(json.dumps(EVENT_GRID), frozenset({VaultName("kv-shop2")}))
    assert isinstance(read, EventRejected)
    assert "vault 'kv-shop' is not among" in str(read)


def test_new_version_of_a_secret_is_looked_at_as_one() -> None:
    """Certroll reads an event about a new secret version as an event of that secret.

    App Service stores a purchased certificate in a Key Vault secret.
    """
    event = {**EVENT_GRID, "eventType": "Microsoft.KeyVault.SecretNewVersionCreated"}
    seen = read(event)
    assert (seen.ref.kind, str(seen.ref), seen.finding) == (ObjectKind.SECRET, "kv-shop/shop", None)


def test_each_event_of_a_list_is_read_by_itself() -> None:
    """Certroll reads all events of a list, in order, although some of them are malformed or not for Certroll."""
    foreign = {**CLOUD_EVENT, "data": {**DATA, "VaultName": "kv-foreign"}}
    text = json.dumps([EVENT_GRID, "shop", CLOUD_EVENT, foreign])
    first, malformed, second, unknown = read_vault_events(text, frozenset({VAULT}))
    assert first == second == VaultEvent(REF, None)
    reasons = [read.reason for read in (malformed, unknown) if isinstance(read, EventRejected)]
    assert reasons == [Reason.MALFORMED_EVENT, Reason.UNKNOWN_VAULT]


@pytest.mark.parametrize("data", [{"VaultName": "pa55 phrase"}, {"VaultName": VAULT, "ObjectName": "pa55 phrase"}])
def test_problem_of_a_malformed_event_quotes_nothing(data: dict[str, object]) -> None:
    """The problem of a malformed event, which a message of the queue shows, quotes no text of the event."""
    with pytest.raises(EventRejected) as caught:
        read({**EVENT_GRID, "topic": "", "data": data})
    assert "pa55 phrase" in str(caught.value)
    assert "pa55" not in caught.value.problem
