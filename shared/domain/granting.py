"""Name the command by which an owner grants Certroll what Azure refused.

The commands are those in the outputs of infra/main.bicep, which has the values that Certroll does not know.
"""

import re
from urllib.parse import urlsplit

READING_POSTS = ("/list", "/retrievecertificateactions")
"""The ends of the paths of requests that only read, although their method is POST."""
PARAMETERS = (
    (r"(put|patch|delete|post) (?!.*/start$)", "mode=apply"),
    (r"\w+ .*/hostingenvironments/[^/]+/(publiccertificates|sites)|post .*/stop$", "roots=actions"),
    (r"\w+ .*/certificateorders", "orders=true"),
    (r"(put|patch|delete|post) .*/certificateorders", "orderActions=true"),
    (r"\w+ .*/sites/[^/]+(/slots/[^/]+)?/certificates", "flexSites=actions"),
    (r"post .*/refresh$", "references=actions"),
)
"""The requests whose rights depend on a parameter of infra/subscription.bicep, by method and path in lower case."""
_SUBSCRIPTION = re.compile(r"/subscriptions/([0-9a-f-]{36})(/|$)")
_VAULT = re.compile(r"([0-9a-z-]{3,24})\.vault\.")
_VALUE = re.compile(r"/secrets/([0-9a-z-]+)(/(?!versions$)[^/]*)?$")


def granting(method: str, url: str) -> str:
    """Return who grants the right for a request by which command, or an empty text for a request elsewhere."""
    parts = urlsplit(url.lower())
    if (subscription := _SUBSCRIPTION.match(parts.path)) is not None:
        return subscription_grant(subscription[1], _parameters(method, parts.path))
    if (vault := _VAULT.match(parts.netloc)) is not None:
        return _vault_grant(vault[1], parts.path)
    return ""


def subscription_grant(subscription: str, parameters: tuple[str, ...] = ()) -> str:
    """Return by which command the owner of a subscription grants Certroll its rights there."""
    command = f"az deployment sub create --subscription {subscription} … --template-file infra/subscription.bicep …"
    needed = f" with {' '.join(parameters)}" if parameters else ""
    return (
        f"the subscription's owner runs `{command}`{needed} (in full: output subscriptionCommands of infra/main.bicep)"
    )


def _parameters(method: str, path: str) -> tuple[str, ...]:
    """Return the parameters of infra/subscription.bicep on which the right for a request of ARM depends."""
    reads = path.endswith(READING_POSTS)
    asked = f"{'get' if reads else method.lower()} {path}"
    return tuple(parameter for pattern, parameter in PARAMETERS if re.match(pattern, asked))


def _vault_grant(vault: str, path: str) -> str:
    command = f"az deployment group create … --template-file infra/vault.bicep --parameters vaultName={vault} …"
    value = _VALUE.match(path)
    needed = f" with {value[1]} in secretNames, or with allSecrets=true" if value else ""
    return f"the vault's owner runs `{command}`{needed} (in full: output vaultCommands of infra/main.bicep)"


NO_SUBSCRIPTION = (
    "the identity sees no subscription: grant it the role that docs/reference/roles.md lists; "
    f"{subscription_grant('ID')}"
)
"""The text of a denial that Azure tells by an empty list of subscriptions."""
