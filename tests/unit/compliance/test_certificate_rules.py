"""What the rules about certificates tell an operator beyond their examples."""

import pytest
from azure.keyvault.certificates import CertificateContentType, CertificatePolicy

from shared.clients.vault.shown_policy import shown_policy
from shared.compliance import changes
from shared.compliance.engine import judge
from shared.compliance.rule import Status
from shared.compliance.rules.crt103_renewal_late import RULE as RENEWAL_LATE
from shared.compliance.rules.crt107_copy_cannot_sync import RULE as CANNOT_SYNC
from tests.unit.compliance.worlds import facts_of


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("OperationNotPermittedOnKeyVault", ""),
        ("AzureServiceUnauthorizedToAccessKeyVault", ""),
        ("KeyVaultDoesNotExist", "Recover the vault"),
        ("KeyVaultSecretDoesNotExist", "Recover the vault certificate"),
        ("UnknownError", "Synchronize"),
    ],
)
def test_only_missing_rights_are_mended_by_a_role(status: str, said: str) -> None:
    """The command of the rule gives App Service a role, so that another cause has a remedy of its own."""
    (result,) = judge(facts_of(changes.certificate(keyVaultSecretStatus=status)), (CANNOT_SYNC,))
    assert result.status is Status.FAIL
    assert result.verdict.remedy.startswith(said)
    assert bool(result.verdict.remedy) is bool(said)


def test_late_renewal_is_told_before_an_early_trigger() -> None:
    """A policy that triggers too early and did not renew is late first: the end is near, whatever the policy says."""
    world = changes.both(changes.dated("2026-09-16", "2026-12-25"), changes.renewing(days=60))
    (result,) = judge(facts_of(world), (RENEWAL_LATE,))
    assert "was to renew" in result.verdict.detail


@pytest.mark.parametrize(
    ("now", "status"), [("2026-10-28T23:59:00", Status.PASS), ("2026-10-29T00:01:00", Status.FAIL)]
)
def test_managed_certificate_has_three_days_after_azures_window(now: str, status: Status) -> None:
    """Azure renews 45 days before the end. Certroll reports it three days later."""
    shown = changes.host(thumbprint="D" * 40)
    world = changes.both(changes.managed("2026-06-10", "2026-12-10"), shown, {"now": f"{now}+00:00"})
    assert {
        result.status for result in judge(facts_of(world), (RENEWAL_LATE,)) if result.label.endswith("managed")
    } == {status}


@pytest.mark.parametrize(
    ("kind", "shown"), [(CertificateContentType.pem, "application/x-pem-file"), ("odd/type", "odd/type"), (None, None)]
)
def test_policy_shows_the_format_of_the_next_version(kind: CertificateContentType | str | None, shown: object) -> None:
    """What Key Vault says of the format comes to the rules unchanged, and null stays null: the rule is not checked."""
    policy = CertificatePolicy("DigiCert", subject="CN=www.contoso.com", content_type=kind)
    assert shown_policy(policy, None)["secret_props"] == {"contentType": shown}
