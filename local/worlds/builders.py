"""Small builders: a test says what differs, the rest is ordinary."""

import base64
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, Unpack

from local.azure.dns.zones import Kind
from local.azure.principals import APP_SERVICE, REGISTRATION
from local.azure.registration.orders import WILDCARD, Order, Stored
from local.azure.running.apps import PROBE, App, Partner
from local.azure.running.loading import Chosen
from local.azure.vault.access import SECRETS_OFFICER, Access
from local.azure.vault.authority import Authority, Leaf
from local.azure.vault.issued import ImportedCertificate, imported
from local.azure.vault.objects import Differences, Version
from local.azure.vault.policy import PEM, Policy
from local.azure.vault.secrets import SecretDifferences, SecretVersion
from local.azure.vault.vault import Vault
from local.azure.web.resources import (
    CURRENT_USER,
    FLEX,
    RUNNING,
    SNI,
    Certificate,
    Environment,
    Host,
    Plan,
    PublicCertificate,
    RootCertificate,
    Site,
    Source,
    SslState,
    StoreLocation,
    Webspace,
    display_location,
    short_location,
)
from local.azure.world import ResourceGroup, Subscription, World

LOCATION = "westeurope"
AGE = timedelta(days=170)
ORDER_AGE = timedelta(days=30)
LIFETIME = timedelta(days=200)
"""Public TLS certificates issued since March 2026 last 200 days at most (CA/Browser Forum, ballot SC-081v3)."""


class Builder:
    """Adds to a world. Where nothing is said, things go to the first subscription, group, vault or plan there is.

    What does not exist yet is made: `Builder(World()).add_site("shop")` is enough.
    """

    def __init__(self, world: World | None = None) -> None:
        """Build in that world, or in a new one."""
        self.world = world or World()

    def add_subscription(self, name: str = "Contoso", identifier: str | None = None) -> Subscription:
        """Return a new subscription."""
        subscription = Subscription(identifier or str(self.world.new_id()), name)
        self.world.subscriptions[subscription.id.lower()] = subscription
        return subscription

    def add_group(self, name: str, subscription: Subscription | None = None, location: str = LOCATION) -> ResourceGroup:
        """Return the resource group of that name, new or not."""
        owner = (subscription or self._subscription()).id
        group = ResourceGroup(owner, name, location)
        return self.world.resource_groups.setdefault((owner.lower(), name.lower()), group)

    def add_vault(
        self,
        name: str = "contoso-kv",
        group: ResourceGroup | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        app_service_may_read: bool = True,
        by_roles: bool = True,
    ) -> Vault:
        """Return a new vault that App Service may import from: by its role, or by an access policy, as documented."""
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
        """Return the first version of a new vault certificate: 170 days old, and valid for 30 more."""
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
        """Return the first version of a plain secret that holds a certificate: 170 days old, and valid for 30 more."""
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
        """Return a new version of what a vault keeps a root in, made if it was not there.

        That is a plain secret without the root's key, as PEM or as DER in base64, or a certificate with its key.
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
        """Return an order whose certificate is that old, of 198 days, and kept in the vault under its name and an id.

        `verified` is how long ago its domain was, at first with the certificate. One that is not `Issued` has no
        certificate. `may_store` gives the registration what it needs of the vault.
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

    def add_plan(
        self,
        name: str = "plan",
        group: ResourceGroup | None = None,
        *,
        location: str | None = None,
        linux: bool = False,
        webspace: str | None = None,
        sku: str | None = None,
        environment: Environment | None = None,
    ) -> Plan:
        """Return a new plan; its webspace is named after group, region and system unless another name is given.

        A plan of size FC1 is a Flex Consumption plan, which is always Linux. One in an environment is of size I1v2, and
        in the environment's group, region and webspace, unless others are given.
        """
        sku = sku or ("I1v2" if environment else "P1v3")
        linux = linux or sku.upper().startswith(FLEX)
        group = group or (self._group_of(environment) if environment else self._group())
        location = short_location(location or (environment or group).location)
        region = display_location(location).replace(" ", "")
        usual = f"{group.name}-{region}webspace{'-Linux' if linux else ''}"
        space = Webspace(group.subscription, webspace or (environment.webspace.name if environment else usual))
        plan = Plan(group.subscription, group.name, name, location, space, linux, sku, environment=environment)
        self.world.web.put_plan(plan)
        return plan

    def add_environment(
        self,
        name: str = "ase",
        group: ResourceGroup | None = None,
        *,
        internal: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> Environment:
        """Return a new App Service Environment v3, reached from inside its network unless it is not `internal`."""
        group, web = group or self._group(), self.world.web
        environment = Environment(
            group.subscription,
            group.name,
            name,
            group.location,
            web.new_address(),
            internal,
            dict(tags or {}),
            self.world.clock.now(),
        )
        web.environments.put(environment.id, environment)
        return environment

    def add_copy(
        self,
        certificate: str,
        plan: Plan | None = None,
        vault: Vault | None = None,
        *,
        name: str | None = None,
        version: Version | SecretVersion | None = None,
    ) -> Certificate:
        """Return a copy of a vault certificate or secret in the plan's webspace, named as az names it.

        It is one of the newest version, unless another is given. A secret without a certificate is a ValueError.
        """
        plan, vault = plan or self._plan(), vault or self._vault()
        version = version or _newest(vault, certificate)
        copy = Certificate(
            subscription=plan.subscription,
            resource_group=plan.resource_group,
            name=name or f"{plan.resource_group}-{vault.name}-{certificate}",
            location=plan.location,
            webspace=plan.webspace,
            content=_content(version),
            source=Source(vault.resource_id, certificate),
        )
        self.world.web.put_certificate(copy)
        return copy

    def add_upload(
        self,
        content: Version | SecretVersion | Certificate | ImportedCertificate,
        plan: Plan | None = None,
        *,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        created: datetime | None = None,
    ) -> Certificate:
        """Return an upload, a certificate without a vault, in the plan's webspace: of that version, copy or content.

        It was uploaded now, unless another moment is given.
        """
        plan = plan or self._plan()
        upload = Certificate(
            subscription=plan.subscription,
            resource_group=plan.resource_group,
            name=name or f"{content.thumbprint}_{plan.location}_{plan.resource_group}",
            location=plan.location,
            webspace=plan.webspace,
            content=_content(content),
            tags=dict(tags or {}),
            created=created,
        )
        self.world.web.put_certificate(upload)
        return upload

    def add_site_certificate(
        self,
        site: Site,
        of: str | Version | SecretVersion | Certificate | ImportedCertificate,
        vault: Vault | None = None,
        *,
        name: str | None = None,
        loaded: bool = False,
        by_site_identity: bool = False,
    ) -> Certificate:
        """Return a certificate of a Flex Consumption site alone: a copy of that vault certificate, or an upload.

        `loaded`: the app's code gets it. `by_site_identity`: the site's own identity reads the vault. A ValueError for
        a site on another plan.
        """
        if not site.flex:
            raise ValueError(f"Site {site.full_name} is not on a Flex Consumption plan and has no own certificates.")
        source = Source((vault or self._vault()).resource_id, of) if isinstance(of, str) else None
        content = _content(_newest(vault or self._vault(), of) if isinstance(of, str) else of)
        certificate = Certificate(
            subscription=site.subscription,
            resource_group=site.resource_group,
            name=name or (source.secret_name if source else content.thumbprint),
            location=site.location,
            webspace=site.webspace,
            content=content,
            source=source,
            site_id=site.id,
            loaded=loaded,
            by_site_identity=by_site_identity,
        )
        self.world.web.put_certificate(certificate)
        return certificate

    def add_public_certificate(
        self, site: Site, der: bytes, *, name: str | None = None, location: StoreLocation = CURRENT_USER
    ) -> PublicCertificate:
        """Return a public certificate of that site or slot, named after its thumbprint unless another name is given."""
        nameless = PublicCertificate(site.id, "", der, location)
        certificate = replace(nameless, name=name or nameless.thumbprint)
        self.world.web.public_certificates.put(certificate.id, certificate)
        return certificate

    def add_root_certificate(
        self, environment: Environment, der: bytes, *, name: str | None = None, is_root: bool = True
    ) -> RootCertificate:
        """Return a root certificate of that environment, named after its thumbprint unless another name is given.

        Apps trust it from their next start on.
        """
        nameless = RootCertificate(environment.id, "", environment.location, der, is_root)
        certificate = replace(nameless, name=name or nameless.thumbprint)
        self.world.web.roots.put(certificate.id, certificate)
        return certificate

    def add_site(
        self,
        name: str,
        plan: Plan | None = None,
        group: ResourceGroup | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        state: str = RUNNING,
        windows_container: bool = False,
        flex: bool = False,
    ) -> Site:
        """Return a new site with its default host name, in its plan's resource group unless another is given.

        A Flex Consumption app is one on a plan of that kind; with `flex` and without a plan it gets one of its own.
        """
        plan = plan or (self.add_plan(f"{name}-plan", group, sku="FC1") if flex else self._plan())
        if flex and not plan.is_flex:
            raise ValueError(f"Plan {plan.name} is no Flex Consumption plan: its size is {plan.sku}, not FC1.")
        site = Site(
            subscription=plan.subscription,
            resource_group=group.name if group else plan.resource_group,
            name=name,
            plan_id=plan.id,
            location=plan.location,
            webspace=plan.webspace,
            linux=plan.linux,
            windows_container=windows_container,
            flex=plan.is_flex,
            tags=dict(tags or {}),
            settings=dict(settings or {}),
            state=state,
            environment=plan.environment,
        )
        return self._born(site)

    def add_slot(
        self,
        site: Site,
        slot: str,
        *,
        tags: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Site:
        """Return a new slot of the site, on the site's plan; without settings of its own it has the site's."""
        own = site.settings if settings is None else settings
        return self._born(replace(site, slot=slot, tags=dict(tags or {}), hosts={}, settings=dict(own), restarts=0))

    def add_partner(
        self,
        name: str = "fabrikam",
        accepts: Collection[str] | None = None,
        *,
        own_root: bool | Authority = False,
        open_to_all: bool = False,
    ) -> Partner:
        """Return a new partner that accepts what the local authority issued, or with `accepts` these thumbprints.

        With `own_root` its own certificate chains to the root of a private authority: a new one, or the one given. One
        that is `open_to_all` asks for no client certificate.
        """
        own = Authority(name) if own_root is True else own_root or None
        return self.world.apps.add_partner(name, accepts, own=own, open_to_all=open_to_all)

    def add_app(
        self,
        site: Site,
        partner: Partner | None = None,
        *,
        setting: str | None = None,
        subject: str | None = None,
        trusts: str | None = None,
        anonymous: bool = False,
        probe: str = PROBE,
    ) -> App:
        """Return the app of that site or slot, started: it calls the partner with the certificate that it chooses.

        `setting` names the app setting whose value is a thumbprint or a path; `subject` is a name that the newest
        certificate has. Without a partner it calls the first there is. `trusts` names the app setting that says, by
        thumbprint or path, which public certificate the app needs; with that alone it calls nobody. An `anonymous` app
        presents no certificate to its partner. Not one of the four, or two that exclude each other: a ValueError.
        """
        chosen = Chosen(setting, subject, trusts, anonymous)
        return self.world.apps.add(site, partner or self._partner(), chosen, probe)

    def add_host(
        self,
        site: Site,
        host_name: str,
        copy: Certificate | Version | SecretVersion | None = None,
        ssl_state: SslState = SNI,
    ) -> Site:
        """Return the site with that host name, bound to the copy (or to a version of it), or not bound at all."""
        current = self.world.web.sites.get(site.id) or site
        host = Host(host_name, record_type="CName")
        if copy is not None:
            address = self.world.web.new_address() if ssl_state == "IpBasedEnabled" else None
            host = replace(host, ssl_state=ssl_state, thumbprint=copy.thumbprint, virtual_ip=address)
            self.world.web.add_chain(current, copy.thumbprint)
        return self.world.web.put_site(replace(current, hosts={**current.hosts, host_name.lower(): host}))

    def add_record(self, name: str, kind: Kind, value: str) -> None:
        """Let public DNS have that record, its value as a zone file writes it: `0 issue "digicert.com"`."""
        self.world.dns.add(name, kind, value)

    def add_root(self, name: str, *sites: Site) -> None:
        """Let the name be a root domain, with an A record for the inbound address of each site."""
        self.world.dns.add_zone(name)
        for site in sites:
            self.add_record(name, "A", self.world.web.address_of(site.default_host_name) or "")

    def add_managed(self, site: Site, host_name: str, *, hidden: bool = True, bound: bool = True) -> Certificate:
        """Return a managed certificate of a host name of that site, issued now, and bound by SNI unless told not to."""
        current = self.world.web.sites.get(site.id) or site
        certificate = Certificate(
            subscription=site.subscription,
            resource_group=site.plan_id.split("/")[4],
            name=host_name,
            location=site.location,
            webspace=site.webspace,
            content=self.world.managed.new_content(host_name.lower()),
            managed=host_name.lower(),
            hidden=hidden,
        )
        self.world.web.put_certificate(certificate)
        if bound:
            thumbprint = certificate.thumbprint
            host = Host(host_name, SNI, thumbprint, record_type="CName", hidden=hidden)
            self.world.web.put_site(replace(current, hosts={**current.hosts, host_name.lower(): host}))
        return certificate

    def _born(self, site: Site) -> Site:
        default = site.default_host_name
        born = replace(site, hosts={default: Host(default)}, created=self.world.clock.now())
        return self.world.web.put_site(born)

    def _subscription(self) -> Subscription:
        return next(iter(self.world.subscriptions.values()), None) or self.add_subscription()

    def _group(self) -> ResourceGroup:
        return next(iter(self.world.resource_groups.values()), None) or self.add_group("contoso")

    def _group_of(self, environment: Environment) -> ResourceGroup:
        return self.world.resource_groups[environment.subscription.lower(), environment.resource_group.lower()]

    def _vault(self) -> Vault:
        return next(iter(self.world.vaults.values()), None) or self.add_vault()

    def _partner(self) -> Partner:
        return next(iter(self.world.apps.partners.values()), None) or self.add_partner()

    def _plan(self) -> Plan:
        shared = (plan for plan in self.world.web.plans.values() if not plan.is_flex)
        return next(shared, None) or self.add_plan()


def _newest(vault: Vault, name: str) -> Version | SecretVersion:
    found = vault.certificate(name) or vault.secrets[name.lower()]
    return found.newest


def _content(of: Version | SecretVersion | Certificate | ImportedCertificate) -> ImportedCertificate:
    if isinstance(of, Version | SecretVersion):
        return imported(of.leaf, of.content_type or "")
    return of.content if isinstance(of, Certificate) else of
