"""Words that Certroll writes to rows, messages and Azure keep their spelling in each release."""

from enum import StrEnum

import pytest

from shared.domain.certificates.pfx import PfxEncryption
from shared.domain.certificates.requirements import Requirement
from shared.domain.certificates.version import KeyType
from shared.domain.endpoints import CloudName
from shared.domain.environments.record import AppRestartState
from shared.domain.findings import SeenBy
from shared.domain.fleet.bindings import SslState
from shared.domain.fleet.vault_access import VaultRight
from shared.domain.intent import Mode
from shared.domain.managed.dns import RecordKind
from shared.domain.messages import Cause
from shared.domain.names import ObjectKind
from shared.domain.orders.action import AskedState, OrderAction
from shared.domain.orders.order import OrderStatus, StoreStatus
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import Rebind, SiteState


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (SiteState, "Pending Proven Unproven Failed"),
        (
            RollState,
            (
                "Stale Deferred Overlapping Validated Unproven Refused Failed Restored NoLastGood RolledBack Retired "
                "Contested"
            ),
        ),
        (AppRestartState, "Pending Started Answered Unproven Failed Excluded"),
        (AskedState, "Asked Accepted Refused PutOff"),
        (OrderAction, "auto-renew renew reissue"),
        (ObjectKind, "certificate secret"),
        (Cause, "event sweep manual wait cut_off"),
        (SeenBy, "inspection write site app version start root"),
    ],
)
def test_words_in_rows_and_messages(words: type[StrEnum], expected: str) -> None:
    """Words for states and causes keep their spelling, so that the next release can read the rows of this release."""
    assert [str(word) for word in words] == expected.split()


def test_word_for_what_was_not_asked_is_empty() -> None:
    """The text for a binding that need not be bound again is empty, so that a missing column means the same."""
    assert [str(word) for word in Rebind] == ["", "asked", "done"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (SslState, "Disabled SniEnabled IpBasedEnabled"),
        (
            OrderStatus,
            (
                "Pendingissuance Issued Revoked Canceled Denied Pendingrevocation PendingRekey Unused Expired "
                "NotSubmitted Unknown"
            ),
        ),
        (
            StoreStatus,
            (
                "Initialized WaitingOnCertificateOrder Succeeded CertificateOrderFailed "
                "OperationNotPermittedOnKeyVault AzureServiceUnauthorizedToAccessKeyVault KeyVaultDoesNotExist "
                "KeyVaultSecretDoesNotExist UnknownError ExternalPrivateKey Unknown"
            ),
        ),
        (VaultRight, "secrets/get secrets/list secrets/set secrets/delete certificates/get certificates/list"),
        (RecordKind, "A CNAME CAA SOA TXT"),
    ],
)
def test_words_of_azure_and_dns(words: type[StrEnum], expected: str) -> None:
    """Certroll spells words of ARM and DNS as in App Service REST API, KeyVaultSecretStatus and RFC 8659."""
    assert [str(word) for word in words] == expected.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (Mode, "observe apply"),
        (CloudName, "public usgov"),
        (PfxEncryption, "3des aes256"),
        (KeyType, "RSA EC other"),
        (
            Requirement,
            (
                "Enabled NotExpired IssuerKept SerialNumber Signature Readable Started ExportableKey ContentType "
                "PrivateKey MatchingKey RsaKey KnownCurve KeySize ServerAuth ClientAuth HostNames Chain ChainOrder "
                "ValidityLimit Authority SelfSigned"
            ),
        ),
    ],
)
def test_words_of_operators(words: type[StrEnum], expected: str) -> None:
    """Words that operators write into settings or read in reported problems keep their spelling."""
    assert [str(word) for word in words] == expected.split()
