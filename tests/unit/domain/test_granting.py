"""What Azure refuses names the command by which an owner grants it, with the parameters that decide about it."""

import json
import re

import pytest

from infra.sources import INFRA
from shared.domain.granting import NO_SUBSCRIPTION, PARAMETERS, granting

SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Sites/providers"
WEB = f"{GROUP}/Microsoft.Web"
ORDER = f"{GROUP}/Microsoft.CertificateRegistration/certificateOrders/shop"
SITE, SLOT, ASE = f"{WEB}/sites/stop", f"{WEB}/sites/shop/slots/list", f"{WEB}/hostingEnvironments/ase"
VAULT = "https://kv-one.vault.azure.net"


@pytest.mark.parametrize(
    ("method", "path", "parameters"),
    [
        ("GET", f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Web/sites", ""),
        ("GET", f"{WEB}/certificates/web", ""),
        ("GET", SITE, ""),
        ("GET", f"{WEB}/serverfarms/plan/sites", ""),
        ("GET", ASE, ""),
        ("POST", f"{SITE}/config/appsettings/list", ""),
        ("PUT", f"{WEB}/certificates/web", "mode=apply"),
        ("DELETE", f"{WEB}/certificates/web", "mode=apply"),
        ("PATCH", f"{SITE}/hostNameBindings/shop.contoso.com", "mode=apply"),
        ("PUT", f"{SLOT}/config/appsettings", "mode=apply"),
        ("POST", f"{SITE}/start", ""),
        ("POST", f"{SITE}/restart", "mode=apply"),
        ("POST", f"{SLOT}/stop", "mode=apply roots=actions"),
        ("GET", f"{ASE}/sites", "roots=actions"),
        ("GET", f"{ASE}/publicCertificates", "roots=actions"),
        ("PUT", f"{ASE}/publicCertificates/root", "mode=apply roots=actions"),
        (
            "GET",
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CertificateRegistration/certificateOrders",
            "orders=true",
        ),
        ("POST", f"{ORDER}/retrieveCertificateActions", "orders=true"),
        ("POST", f"{ORDER}/renew", "mode=apply orders=true orderActions=true"),
        ("PATCH", f"{ORDER}/providers/Microsoft.Resources/tags/default", "mode=apply orders=true orderActions=true"),
        ("GET", f"{SITE}/certificates", "flexSites=actions"),
        ("PUT", f"{SLOT}/certificates/web", "mode=apply flexSites=actions"),
        ("POST", f"{SITE}/config/configreferences/appsettings/refresh", "mode=apply references=actions"),
    ],
)
def test_subscription_is_granted_by_its_template(method: str, path: str, parameters: str) -> None:
    """A request of ARM names the command for its subscription, with the parameters on which the right depends."""
    found = granting(method, f"https://management.azure.com{path}?api-version=2025-05-01")
    assert (
        f"`az deployment sub create --subscription {SUBSCRIPTION} … --template-file infra/subscription.bicep …`"
        in found
    )
    assert ("".join(re.findall(r"` with (.*) \(in full", found))) == parameters


@pytest.mark.parametrize(
    ("url", "needed"),
    [
        (f"{VAULT}/certificates?api-version=7.5", ""),
        (f"{VAULT}/certificates/web/versions", ""),
        (f"{VAULT}/secrets", ""),
        (f"{VAULT}/secrets/web/versions", ""),
        ("https://KV-one.vault.usgovcloudapi.net/secrets/web", "web in secretNames, or with allSecrets=true"),
        (f"{VAULT}/secrets/web/", "web in secretNames, or with allSecrets=true"),
        (f"{VAULT}/secrets/web/0f2e", "web in secretNames, or with allSecrets=true"),
    ],
)
def test_vault_is_granted_by_its_template(url: str, needed: str) -> None:
    """A request of a vault names the command for the vault; the value of a secret also names the secret."""
    found = granting("GET", url)
    assert "`az deployment group create … --template-file infra/vault.bicep --parameters vaultName=kv-one …`" in found
    assert ("".join(re.findall(r"` with (.*) \(in full", found))) == needed


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://management.azure.com/subscriptions?api-version=2022-12-01",
        "https://management.azure.com/subscriptions/$(reboot)/providers/Microsoft.Web/sites",
        "https://account.table.core.windows.net/Tables",
        "https://kv`x`.vault.azure.net/certificates",
    ],
)
def test_other_requests_name_no_command(url: str) -> None:
    """A request that no template of an owner grants names no command, and no text of a strange address."""
    assert granting("GET", url) == ""


@pytest.mark.parametrize(
    ("output", "url"),
    [
        ("subscriptionCommands", f"https://management.azure.com{SITE}"),
        ("vaultCommands", f"{VAULT}/certificates"),
    ],
)
def test_command_is_the_one_of_the_templates(output: str, url: str) -> None:
    """A finding names the owner's command with the words of the output of infra/main.bicep, in their order."""
    spoken = json.loads((INFRA / "variants" / "apart.snapshot.json").read_text(encoding="utf-8"))["outputs"][output]
    (command,) = re.findall(r"`(.*)`", granting("GET", url))
    words = command.replace(f" {SUBSCRIPTION}", " ").replace("kv-one", "").replace("…", " ").split()
    assert re.search(".*".join(map(re.escape, words)), spoken)


def test_parameters_are_those_of_the_template() -> None:
    """Each parameter that a finding names is one of infra/subscription.bicep."""
    known = json.loads((INFRA / "compiled" / "subscription.json").read_text(encoding="utf-8"))["parameters"]
    assert {parameter.partition("=")[0] for _, parameter in PARAMETERS} <= known.keys()


def test_no_subscription_at_all_names_the_command() -> None:
    """If Azure shows no subscription, the text leaves the id to the operator."""
    assert "--subscription ID … --template-file infra/subscription.bicep" in NO_SUBSCRIPTION
