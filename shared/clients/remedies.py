"""Decide by the error code of Azure what an operator can do about a refusal.

The HTTP status alone does not decide the remedy. Azure Policy, a firewall and a missing role all answer 403. A lock on
a resource and a certificate in use both answer 409.
"""

from http import HTTPStatus

from shared.clients.answers import Answer
from shared.domain.granting import granting

NOT_REGISTERED = frozenset({"missingsubscriptionregistration", "subscriptionnotregistered"})
"""The codes of a subscription that does not use a service, such as Microsoft.Web. Azure answers 409."""
NAMES_ONLY_SCOPES = frozenset({"scopelocked", "authorizationfailed", "linkedauthorizationfailed"})
"""The codes of ARM's front door whose messages name actions and scopes, and quote nothing of the request's body."""
EXPIRED_TOKEN = "expiredauthenticationtoken"  # noqa: S105 - an error code
POLICY = "requestdisallowedbypolicy"
NEW_TOKEN = "Azure does not accept the identity's token: check that the identity exists, then restart the Function App"  # noqa: S105 - a sentence
NO_SUBSCRIPTION = "the subscription is disabled: enable the subscription, or leave it out of CERTROLL_SUBSCRIPTIONS"
REMEDIES = {
    "scopelocked": "remove the lock that the message names, or tag the resource `certroll: off`",
    "linkedauthorizationfailed": "grant the identity the action that the message names, on the linked resource",
    "invalidauthenticationtoken": NEW_TOKEN,
    EXPIRED_TOKEN: NEW_TOKEN,
    "authenticationfailed": NEW_TOKEN,
    "invalidauthenticationtokenaudience": NEW_TOKEN,
    "invalidauthenticationtokentenant": (
        "the subscription or vault belongs to another tenant than the identity: take it out of Certroll's settings"
    ),
    "disabledsubscription": NO_SUBSCRIPTION,
    "readonlydisabledsubscription": NO_SUBSCRIPTION,
    "forbiddenbyfirewall": "let the Function App through the firewall of the vault",
    "forbiddenbyconnection": "let the Function App reach the vault: the vault refuses public access",
    "authorizationfailure": "let the Function App through the firewall of the storage account",
    "keybasedauthenticationnotpermitted": (
        "the storage account refuses keys: set AzureWebJobsStorage__accountName in place of AzureWebJobsStorage"
    ),
}
"""The remedy by error code in lower case. A denial with any other code gets the remedy of the call, a missing right.

The codes are those of the Azure docs, "Common deployment errors" and "Common REST API error codes" of Azure Storage.
"""
MISSING_RIGHT = frozenset(
    {"authorizationfailed", "linkedauthorizationfailed", "forbiddenbyrbac", "forbiddenbypolicy", "accessdenied"}
)
"""The codes by which ARM and Key Vault say that no role or access policy grants a right.

Key Vault gives its code as the inner code of `Forbidden` (Azure docs, "Azure Key Vault REST API error codes", and
terraform-provider-azurerm #17015).
"""
_DENIED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def remedy_for(answer: Answer, remedy: str, method: str = "", url: str = "") -> str:
    """Return what an operator can do about an error answer, or an empty text.

    `remedy` names the right that the call needs. A missing right is the remedy of a denial without a better known code.
    If Azure says that the right for the request of `method` and `url` is missing, the text names the owner's command.
    """
    code, exact = answer.code.lower(), answer.extended_code.lower()
    if code == POLICY:
        assignment = answer.policy or "that the message names"
        return f"no role helps: exempt the resource from the policy assignment {assignment}, or change the policy"
    if code in NOT_REGISTERED:
        return "register the resource provider that the message names in the subscription, if it is to be used there"
    known = REMEDIES.get(exact) or REMEDIES.get(code) or (remedy if answer.status in _DENIED else "")
    command = granting(method, url) if MISSING_RIGHT & {code, exact} else ""
    return "; ".join(part for part in (known, command) if part)
