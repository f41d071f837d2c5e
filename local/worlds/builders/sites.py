"""Build plans, environments, sites, and the apps that run on them."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from local.azure.running.apps import PROBE, App, Partner
from local.azure.running.loading import Chosen, Letters
from local.azure.vault.authority import Authority
from local.azure.vault.objects import Version
from local.azure.vault.secrets import SecretVersion
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import (
    FLEX,
    RUNNING,
    SNI,
    Environment,
    Host,
    Plan,
    Site,
    SslState,
    Webspace,
    display_location,
    short_location,
)
from local.azure.world import ResourceGroup
from local.worlds.builders.groups import Groups


class Sites(Groups):
    """Build plans, environments, sites with host names, and apps with their partner servers."""

    def add_environment(
        self,
        name: str = "ase",
        group: ResourceGroup | None = None,
        *,
        internal: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> Environment:
        """Return a new App Service Environment v3.

        An `internal` environment can be reached only from inside its network.
        """
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
        """Return a new plan.

        By default the webspace of the plan is named after group, region and operating system.

        A plan of size FC1 is a Flex Consumption plan, which is always Linux. A plan in an environment has size I1v2 by
        default, and the environment's group and region. The simulation's knob `environment_webspaces` decides whether
        plans of an environment in several groups share a webspace.
        """
        sku = sku or ("I1v2" if environment else "P1v3")
        linux = linux or sku.upper().startswith(FLEX)
        group = group or (self._group_of(environment) if environment else self._group())
        location = short_location(location or (environment or group).location)
        if environment is not None:
            usual = self.world.web.environment_webspace(environment, group.name)
        else:
            region = display_location(location).replace(" ", "")
            usual = Webspace(group.subscription, f"{group.name}-{region}webspace{'-Linux' if linux else ''}")
        space = replace(usual, name=webspace or usual.name)
        plan = Plan(group.subscription, group.name, name, location, space, linux, sku, environment=environment)
        self.world.web.put_plan(plan)
        return plan

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
        """Return a new site with its default host name, by default in its plan's resource group.

        With `flex` and without a plan the site gets a Flex Consumption plan of its own. Raise ValueError for `flex`
        with a plan of another kind.
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
        """Return a new slot of the site, on the site's plan and by default with the site's settings."""
        own = site.settings if settings is None else settings
        return self._born(replace(site, slot=slot, tags=dict(tags or {}), hosts={}, settings=dict(own), restarts=0))

    def add_host(
        self,
        site: Site,
        host_name: str,
        copy: Certificate | Version | SecretVersion | None = None,
        ssl_state: SslState = SNI,
    ) -> Site:
        """Return the site with the added host name, which is bound if a certificate is given."""
        current = self.world.web.sites.get(site.id) or site
        host = Host(host_name, record_type="CName")
        if copy is not None:
            address = self.world.web.new_address() if ssl_state == "IpBasedEnabled" else None
            host = replace(host, ssl_state=ssl_state, thumbprint=copy.thumbprint, virtual_ip=address)
            self.world.web.add_chain(current, copy.thumbprint)
        return self.world.web.put_site(replace(current, hosts={**current.hosts, host_name.lower(): host}))

    def add_partner(
        self,
        name: str = "fabrikam",
        accepts: Collection[str] | None = None,
        *,
        own_root: bool | Authority = False,
        open_to_all: bool = False,
    ) -> Partner:
        """Return a new partner server, which accepts client certificates with the thumbprints of `accepts`.

        If `accepts` is None, the partner server accepts every client certificate of the local authority.

        With `own_root` the partner server's own certificate chains to a private authority. `own_root` is the private
        authority of the partner server, or True for a new authority. A partner server that is `open_to_all` asks for no
        client certificate.
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
        letters: Letters = "any",
        probe: str = PROBE,
    ) -> App:
        """Return the started app of the site or slot.

        The app calls its partner server, by default the first partner server of the simulated Azure.

        One argument says how the app chooses its client certificate.

        - With `setting`, the app presents the certificate whose thumbprint or path is in the app setting of that name.
          The app ignores the case of a thumbprint, unless `letters` names the case that the app compares.
        - With `subject`, the app presents its newest certificate with the given subject name.
        - With `anonymous`, the app presents no client certificate.

        `trusts` names an app setting with the thumbprint or path of the public certificate that the app needs. An app
        with only `trusts` calls no partner server. Raise ValueError if the caller gives none of `setting`, `subject`,
        `trusts` and `anonymous`. Raise ValueError for two arguments that exclude each other, such as `setting` and
        `subject`.
        """
        chosen = Chosen(setting, subject, trusts, anonymous, letters)
        return self.world.apps.add(site, partner or self._partner(), chosen, probe)

    def _born(self, site: Site) -> Site:
        default = site.default_host_name
        born = replace(site, hosts={default: Host(default)}, created=self.world.clock.now())
        return self.world.web.put_site(born)

    def _partner(self) -> Partner:
        return next(iter(self.world.apps.partners.values()), None) or self.add_partner()

    def _plan(self) -> Plan:
        shared = (plan for plan in self.world.web.plans.values() if not plan.is_flex)
        return next(shared, None) or self.add_plan()
