"""Build vaults with their certificates and secrets, and orders of certificates."""

import base64
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Literal, Unpack

from local.azure.principals import APP_SERVICE, REGISTRATION
from local.azure.registration.orders import WILDCARD, Order, Stored
from local.azure.vault.access import SECRETS_OFFICER, Access
from local.azure.vault.authority import Leaf
from local.azure.vault.objects import Differences, Version
from local.azure.vault.policy import PEM, Policy
from local.azure.vault.secrets import SecretDifferences, SecretVersion
from local.azure.vault.vault import Vault
from local.azure.world import ResourceGroup
from local.worlds.builders.groups import Groups

AGE = timedelta(days=170)
ORDER_AGE = timedelta(days=30)
LIFETIME = timedelta(days=200)
"""Publicly trusted TLS certificates issued since March 2026 last at most 200 days (CA/Browser Forum, SC-081v3)."""


class Vaults(Groups):
    """Build vaults with certificates and secrets, and orders that are stored in vaults."""

    def add_vault(
        self,
        name: str = "contoso-kv",
        group: ResourceGroup | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        app_service_may_read: bool = True,
        by_roles: bool = True,
    ) -> Vault:
        """Return a new vault from which App Service may import, unless the caller says otherwise.

        App Service may read the vault by a role or by an access policy, the two ways that Azure documents.
        """
        group = group or self._group()
        vault = self.world.new_vault(
            name,
            subscription=group.subscription,
            resource_group=group.name,
            location=group.location,
            tags=tags,
        )
        if not by_roles:
            vault.access = Access(by_roles=False)
        if app_service_may_read and by_roles:
            vault.assign(APP_SERVICE)
        elif app_service_may_read:
            vault.permit(APP_SERVICE, secrets=["get"], certificates=["get"])
        self.world.vaults[name.lower()] = vault
        return vault

    def add_certificate(
        self,
        name: str,
        host_names: Collection[str],
        vault: Vault | None = None,
        **differences: Unpack[Differences],
    ) -> Version:
        """Return the first version of a new vault certificate.

        By default the version is 170 days old, and valid for 30 more days.
        """
        created = differences.get("created", self.world.clock.now() - AGE)
        wanted: Differences = {"created": created, "not_before": created, "not_after": created + LIFETIME}
        wanted.update(differences)
        return (vault or self._vault()).add(name, host_names, **wanted)

    def add_secret(
        self,
        name: str,
        host_names: Collection[str],
        vault: Vault | None = None,
        *,
        pem: bool = False,
        **differences: Unpack[SecretDifferences],
    ) -> SecretVersion:
        """Return the first version of a plain secret that holds a certificate.

        By default the version is 170 days old, and valid for 30 more days.
        """
        created = differences.get("created", self.world.clock.now() - AGE)
        wanted: SecretDifferences = {"created": created, "not_before": created, "not_after": created + LIFETIME}
        wanted.update(differences)
        return (vault or self._vault()).set_pfx_secret(name, host_names, pem=pem, **wanted)

    def add_root_object(
        self,
        name: str,
        root: Leaf,
        vault: Vault | None = None,
        *,
        form: Literal["pem", "der", "certificate"] = "pem",
        tags: Mapping[str, str] | None = None,
    ) -> Version | SecretVersion:
        """Return a new version of the vault object that holds a root.

        The builder makes the vault object if it is missing.

        If the vault object is a plain secret, the object contains the root without a private key, as PEM or as DER in
        base64. If the vault object is a certificate, the object contains the root with its private key.
        """
        vault = vault or self._vault()
        if form == "certificate":
            policy = Policy(subject=root.certificate.subject.rfc4514_string(), key_type=root.key_type)
            return vault.append(vault.ensure(name, policy), root, policy, tags=tags or {})
        value, kind = (root.certificate_pem, PEM) if form == "pem" else (base64.b64encode(root.der), None)
        return vault.set_secret(name, value.decode(), content_type=kind, tags=tags)

    def add_order(
        self,
        name: str,
        host: str,
        vault: Vault | None = None,
        *,
        age: timedelta = ORDER_AGE,
        verified: timedelta | None = None,
        status: str = "Issued",
        auto_renew: bool = True,
        stored: bool = True,
        may_store: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> Order:
        """Return an order, whose certificate lasts 198 days and is stored in the vault.

        The name of the vault object is the order's name and an id.

        An order whose status is not `Issued` has no certificate. `age` is the age of the certificate. `verified` is the
        time since the domain was verified; by default the domain was verified when the certificate was issued.
        `may_store` gives the certificate registration its rights on the vault.
        """
        vault = vault or self._vault()
        now, new = self.world.clock.now(), self.world.new_id
        order = Order(
            vault.subscription, vault.resource_group, name, host, new().hex[:22], now - age, auto_renew=auto_renew
        )
        order.product = WILDCARD if host.startswith("*.") else order.product
        order.status, order.tags = status, dict(tags or {})
        self.world.orders.add(order)
        if may_store and vault.access.by_roles:
            vault.assign(REGISTRATION, SECRETS_OFFICER)
            vault.assign(REGISTRATION)
        elif may_store:
            vault.permit(REGISTRATION, secrets=["get", "list", "set", "delete"], certificates=["get", "list"])
        if status == "Issued":
            order.verified_at = now - (age if verified is None else verified)
            order.actions.append(("DomainValidationComplete", order.verified_at))
            self.world.orders.issue(order, now - age)
        if stored:
            order.stored[name] = Stored(vault.resource_id, f"{name}{new()}")
            self.world.orders.store(order, order.stored[name], order.issued_at)
        return order

    def _vault(self) -> Vault:
        return next(iter(self.world.vaults.values()), None) or self.add_vault()
