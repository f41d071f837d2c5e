"""Make the resources of a run: each carries the run's tag, and its id is noted before the request that makes it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import CopyRef, HostName, SiteRef, VaultCertificateRef, VaultName
from tests.contract.apis import DATA_API, ROLES_API, VAULTS_API, WEB_API
from tests.contract.ledger import Ledger
from tests.contract.place import Place, equal_to
from tests.contract.wire import REFUSED, Answer, Refusal

CERTIFICATE_USER = "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba"
"""The id of the built-in role Key Vault Certificate User (Azure docs, built-in roles)."""
SLOT = "staging"
FORBIDDEN = 403
SIZE = "S1"
"""The size of the plan: the smallest with slots and IP-based bindings (Azure docs, App Service limits)."""
OWN_RIGHTS = {
    "certificates": ["get", "list", "create", "import", "update", "delete"],
    "secrets": ["get", "list", "set", "delete"],
}
IMPORT_RIGHTS = {"certificates": ["get"], "secrets": ["get"]}
READY = "Succeeded"
"""The provisioning state of a usable resource; a vault shows RegisteringDns before its name resolves."""

Json = Any


class Taken(Exception):
    """A resource of the wanted name exists, which the run has not made."""


@dataclass(slots=True)
class Rig:
    """What a run has made: a plan, a vault, a site with a slot, and whatever single tests add."""

    place: Place
    ledger: Ledger
    say: Callable[[str], None] = lambda _: None
    """Print the id of each resource that is made."""
    principal: str = ""
    """The object id of the site's managed identity."""
    farm: ServerFarm | None = None
    """The plan as the product's client read it."""

    @property
    def name(self) -> str:
        """The name of the plan, and the beginning of all other names.

        The name does not begin with `certroll-`, by which a Certroll in the same subscription knows its own resources.
        """
        return f"contract-{self.ledger.run}"

    @property
    def site_name(self) -> str:
        """The name of the site.

        With a domain, the name stays the same in all runs, so that a person makes the DNS records once.
        """
        if self.place.domain is None:
            return self.name
        lent = f"{self.place.group_id}/{self.place.domain}".lower()
        return f"contract-{hashlib.sha256(lent.encode()).hexdigest()[:10]}"

    @property
    def site(self) -> SiteRef:
        """The site."""
        return SiteRef(self.place.subscription.lower(), self.place.group.lower(), self.site_name)

    @property
    def slot(self) -> SiteRef:
        """The slot of the site."""
        return SiteRef(self.site.subscription, self.site.resource_group, self.site.name, SLOT)

    @property
    def plan_id(self) -> str:
        """The resource id of the plan."""
        return self.web("serverfarms", self.name)

    @property
    def plan(self) -> ServerFarm:
        """The plan as the product's client read it."""
        assert self.farm is not None
        return self.farm

    @property
    def vault(self) -> VaultName:
        """The name of the vault, of at most 24 characters."""
        return VaultName(self.name)

    @property
    def vault_id(self) -> str:
        """The resource id of the vault."""
        return self.vault_named(self.vault)

    def vault_named(self, name: str) -> str:
        """Return the resource id of a vault in the resource group."""
        return f"{self.place.group_id}/providers/Microsoft.KeyVault/vaults/{name}"

    def web(self, kind: str, name: str) -> str:
        """Return the resource id of a resource of Microsoft.Web in the resource group."""
        return f"{self.place.group_id}/providers/Microsoft.Web/{kind}/{name}"

    def copy(self, name: str) -> CopyRef:
        """Return the reference to a certificate of the webspace, whose name begins with the name of the run."""
        return CopyRef(self.site.subscription, self.site.resource_group, f"{self.name}-{name}")

    def certificate(self, name: str) -> VaultCertificateRef:
        """Return the reference to a certificate in the vault."""
        return VaultCertificateRef.parse(self.vault, "certificate", name)

    def note(self, resource_id: str) -> None:
        """Write down the id of a resource before the request that makes it, and print the id."""
        self.ledger.note(resource_id)
        self.say(f"makes {resource_id}")

    def make(self, resource_id: str, version: str, body: Json, *, tagged: bool = True) -> Json:
        """Make a resource, wait until it can be read, and return its JSON. Raise Taken if the resource exists."""
        arm, url = self.place.arm, f"{resource_id}?api-version={version}"
        before = arm.send("GET", url)
        if before.status != 404:
            raise Taken(f"{resource_id} exists ({before.status}), and run {self.ledger.run} has not made it")
        self.note(resource_id)
        arm.expect("PUT", url, {**body, "tags": self.ledger.tags} if tagged else body)
        return self.place.until(f"{resource_id} is made", lambda: arm.send("GET", url), _is_ready).value.json

    def make_certificate(self, name: str, host_names: tuple[str, ...], vault: str | None = None) -> None:
        """Make a version of a self-issued vault certificate, and wait for it."""
        base = f"https://{vault or self.vault}.vault.azure.net/certificates/{name}"
        policy = {
            "issuer": {"name": "Self"},
            "key_props": {"exportable": True, "kty": "RSA", "key_size": 2048, "reuse_key": False},
            "secret_props": {"contentType": "application/x-pkcs12"},
            "x509_props": {
                "subject": f"CN={host_names[0]}",
                "sans": {"dns_names": list(host_names)},
                "validity_months": 3,
                "ekus": ["1.3.6.1.5.5.7.3.1"],
            },
        }
        sender = self.place.vaults
        self.place.until(
            f"vault certificate {name} can be ordered",  # the name of a new vault takes a while to resolve
            lambda: sender.send("POST", f"{base}/create?api-version={DATA_API}", {"policy": policy}),
            lambda answer: answer.status == 202,
        )
        self.place.until(
            f"vault certificate {name} is issued",
            lambda: sender.expect("GET", f"{base}/pending?api-version={DATA_API}")["status"],
            lambda status: status == "completed",
        )

    def permit(self, vault: str, object_id: str, permissions: Json) -> None:
        """Give an identity an access policy on a vault of the run."""
        policy = {"tenantId": self.place.tenant, "objectId": object_id, "permissions": permissions}
        url = f"{self.vault_named(vault)}/accessPolicies/add?api-version={VAULTS_API}"
        self.place.arm.expect("PUT", url, {"properties": {"accessPolicies": [policy]}})

    def make_vault(self, name: str, app_service: Json | None) -> None:
        """Make a vault with access policies for the person and, if asked, for App Service."""
        given = [(self.place.person, OWN_RIGHTS), (self.place.app_service, app_service)]
        policies = [
            {"tenantId": self.place.tenant, "objectId": object_id, "permissions": rights}
            for object_id, rights in given
            if rights
        ]
        properties = {
            "tenantId": self.place.tenant,
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": False,
            "softDeleteRetentionInDays": 7,
            "accessPolicies": policies,
        }
        self.make(self.vault_named(name), VAULTS_API, {"location": self.place.location, "properties": properties})

    def lent_host(self) -> HostName:
        """Add a host name of the lent domain to the site, and return it. Skip the test without a domain."""
        if self.place.domain is None:
            pytest.skip("AZURE_LIVE_DOMAIN is not set")
        host = HostName(f"contract.{self.place.domain}")
        target = self.place.ports.app_service.site(self.site)[0].default_host_name
        self.place.publish(host, target)
        url = f"{self.site.resource_id}/hostNameBindings/{host}?api-version={WEB_API}"
        answer = self.place.arm.send("PUT", url, {"properties": {"siteName": self.site_name}})
        if answer.status >= REFUSED:
            verification = self.place.arm.expect("GET", f"{self.site.resource_id}?api-version={WEB_API}")
            token = verification["properties"].get("customDomainVerificationId")
            pytest.fail(
                f"{Refusal(f'App Service refuses the host name {host}', answer)}. Make two DNS records, and run again:"
                f" {host} CNAME {target}, and asuid.{host} TXT {token}"
            )
        self.place.until(f"{host} is a host name", lambda: self.place.arm.send("GET", url).status, equal_to(200))
        return host

    def turn_to_roles(self, vault: str) -> None:
        """Let roles instead of access policies decide who may read a vault of the run."""
        url = f"{self.vault_named(vault)}?api-version={VAULTS_API}"
        self.place.arm.expect("PATCH", url, {"properties": {"enableRbacAuthorization": True}})

    def assign_certificate_user(self, vault_id: str) -> None:
        """Give App Service the role Key Vault Certificate User on a vault. The description names the run."""
        base = f"{vault_id}/providers/Microsoft.Authorization"
        definition = f"/subscriptions/{self.place.subscription}/providers/Microsoft.Authorization/roleDefinitions"
        properties = {
            "roleDefinitionId": f"{definition}/{CERTIFICATE_USER}",
            "principalId": self.place.app_service,
            "principalType": "ServicePrincipal",
            "description": f"contract test run {self.ledger.run}",
        }
        name = uuid5(NAMESPACE_URL, f"{self.ledger.run}/{vault_id}")
        try:
            self.make(f"{base}/roleAssignments/{name}", ROLES_API, {"properties": properties}, tagged=False)
        except Refusal as refused:
            if refused.status == FORBIDDEN:
                pytest.skip(f"only an Owner may assign the role: {refused}")
            raise


def make_plan(rig: Rig) -> None:
    """Make the plan, and read it with the product's client."""
    rig.make(rig.plan_id, WEB_API, {"location": rig.place.location, "sku": {"name": SIZE, "capacity": 1}})
    seen = rig.place.until(
        "the plan is listed",
        lambda: [
            plan
            for plan in rig.place.ports.app_service.plans(rig.place.subscription).found
            if plan.resource_id.lower() == rig.plan_id.lower()
        ],
        bool,
    )
    (rig.farm,) = seen.value


def make_vault(rig: Rig) -> None:
    """Make the vault, which App Service may read."""
    rig.make_vault(rig.vault, IMPORT_RIGHTS)


def make_site(rig: Rig) -> None:
    """Make the site with a managed identity, which may read the secrets of the vault."""
    properties = {"serverFarmId": rig.plan_id, "httpsOnly": False}
    body = {"location": rig.place.location, "identity": {"type": "SystemAssigned"}, "properties": properties}
    rig.principal = rig.make(rig.web("sites", rig.site_name), WEB_API, body)["identity"]["principalId"]
    rig.permit(rig.vault, rig.principal, {"secrets": ["get"]})


def make_slot(rig: Rig) -> None:
    """Make a slot of the site."""
    body = {"location": rig.place.location, "properties": {"serverFarmId": rig.plan_id}}
    rig.make(f"{rig.web('sites', rig.site_name)}/slots/{SLOT}", WEB_API, body)


STEPS = (make_plan, make_vault, make_site, make_slot)
"""The set-up of a run, in order."""


def set_up(rig: Rig) -> None:
    """Make everything that the tests share."""
    for step in STEPS:
        step(rig)


def _is_ready(answer: Answer) -> bool:
    """Return True if a new resource can be read and used. Raise Refusal if it failed."""
    if answer.status == 404:
        return False
    if answer.status >= REFUSED:
        raise Refusal("a new resource", answer)
    state = (answer.json.get("properties") or {}).get("provisioningState")
    if state == "Failed":
        raise Refusal("a new resource", answer)
    return state in {None, READY}
