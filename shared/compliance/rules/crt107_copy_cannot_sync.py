"""CRT107: App Service cannot fetch an imported certificate."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.rule import (
    Area,
    Citation,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Verdict,
    evidence,
    failed,
    passed,
)
from shared.compliance.subjects import CopyFacts
from shared.domain.shown import Source

FINE = frozenset({"initialized", "succeeded", "waitingoncertificateorder"})
"""The states in lower case after which App Service has the certificate, or waits for its order."""
NO_RIGHT = frozenset({"operationnotpermittedonkeyvault", "azureserviceunauthorizedtoaccesskeyvault"})
"""The states in lower case that the remedy of the rule mends, the role of App Service on the vault."""
REMEDIES = {
    "keyvaultdoesnotexist": "Recover the vault, or import the certificate from the vault that has it now.",
    "keyvaultsecretdoesnotexist": "Recover the vault certificate, or import the certificate that took its place.",
    "certificateorderfailed": "Look at the order of the certificate: Azure could not issue it.",
    "externalprivatekey": "Store a certificate with its private key in the vault: the key of this one is elsewhere.",
}
OTHERWISE = "Synchronize the certificate again in App Service, and look at the vault if the state stays."


def check(copy: CopyFacts, facts: Facts) -> Verdict:
    """Fail an import whose last fetch failed. The status is of the last try, so a later try may be better."""
    found = evidence(copy.listed, "keyVaultSecretStatus", "Initialized")
    status = copy.listed.text("keyVaultSecretStatus")
    if status.lower() in FINE:
        return passed(found)
    detail = f"App Service's last fetch of {copy.label} from its vault ended with {status}"
    return failed(detail, found, remedy="" if status.lower() in NO_RIGHT else REMEDIES.get(status.lower(), OTHERWISE))


RULE = Rule(
    id="CRT107",
    name="CopyCannotSync",
    title="App Service cannot fetch the certificate from its vault",
    why="The next version does not arrive. The sites show the old one until it ends.",
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation("azure-mgmt-web 11, KeyVaultSecretStatus"),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: tuple(copy for copy in facts.copies if copy.copy.source is not None),
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        'az role assignment create --assignee abfa0a7c-a6b6-4736-8310-5855508787cd --role "Key Vault Certificate '
        'User" --scope VAULT_ID'
    ),
    silent="The states Initialized, Succeeded and WaitingOnCertificateOrder.",
    examples=(
        Example(
            "App Service may not read the vault",
            changes.certificate(keyVaultSecretStatus="OperationNotPermittedOnKeyVault"),
            Status.FAIL,
        ),
        Example("the fetch succeeded", {}, Status.PASS),
        Example(
            "the secret is gone", changes.certificate(keyVaultSecretStatus="KeyVaultSecretDoesNotExist"), Status.FAIL
        ),
        Example(
            "the order is still under way",
            changes.certificate(keyVaultSecretStatus="WaitingOnCertificateOrder"),
            Status.PASS,
        ),
    ),
)
