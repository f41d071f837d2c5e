"""Simulate environments whose apps trust a partner server by a root list.

A root list is the setting `WEBSITE_LOAD_ROOT_CERTIFICATES`.
"""

from dataclasses import dataclass

from local.azure.running.apps import Partner
from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import Authority, Leaf
from local.azure.web.resources import Environment, Plan, Site
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.app_worlds import PROBE, owned
from tests.scenarios.worlds import AGE, VAULT

ROOT = "corp-root"
ROOTS = "WEBSITE_LOAD_ROOT_CERTIFICATES"


@dataclass(slots=True)
class Hosted:
    """A simulated environment with a Windows plan, and a vault with the root of a partner server.

    The partner server asks for no client certificate.
    """

    world: World
    build: Builder
    ase: Environment
    plan: Plan
    corp: Authority
    partner: Partner
    old: str

    def app(self, name: str, settings: dict[str, str] | None = None, plan: Plan | None = None, **how: object) -> Site:
        """Return the site of a new app that calls the partner server; by default the app trusts the old root."""
        how.setdefault("tags", PROBE)
        settings = {ROOTS: self.old} if settings is None else settings
        site = self.build.add_site(name, plan or self.plan, settings=owned(settings), **how)  # type: ignore[arg-type]
        self.build.add_app(site, self.partner, anonymous=True)
        return site

    def slot(self, name: str, slot: str, settings: dict[str, str] | None = None) -> Site:
        """Return a new slot of the named site, with an app that runs in the slot."""
        settings = {ROOTS: self.old} if settings is None else settings
        site = self.build.add_slot(self.site(name), slot, tags=PROBE, settings=owned(settings))
        self.build.add_app(site, self.partner, anonymous=True)
        return site

    def site(self, name: str) -> Site:
        """Return the named site or slot with its current state."""
        return next(site for site in self.world.web.sites.values() if site.full_name == name)

    def settings(self, name: str) -> dict[str, str]:
        """Return the current app settings of the named site or slot."""
        return dict(self.site(name).settings)

    def restarts(self) -> dict[str, int]:
        """Return how often each site was restarted."""
        return {site.full_name: site.restarts for site in self.world.web.sites.values()}

    def public(self, name: str) -> set[str]:
        """Return the thumbprints of the public certificates of a site or slot."""
        return {certificate.thumbprint for certificate in self.world.web.public_certificates_of(self.site(name))}

    def upload(self, name: str, leaf: Leaf | None = None) -> None:
        """Upload the given root, or else the partner server's first root, to a site by hand."""
        self.build.add_public_certificate(self.site(name), (leaf or self.corp.root_leaf).der, name="by-hand")

    def renew(self, fresh: Authority | None = None, **tags: str) -> str:
        """Put a root into the vault, by default a new root of the partner server; return the thumbprint."""
        self.world.clock.advance(AGE)
        leaf = (fresh or Authority("Corp 2")).root_leaf
        self.build.add_root_object(ROOT, leaf, self.world.vaults[VAULT], tags=tags)
        return leaf.thumbprint

    def restart_all(self) -> None:
        """Restart every app, so that its process loads the certificates that exist now."""
        for site in tuple(self.world.web.sites.values()):
            self.world.apps.follow(site, starts=True, from_stop=False)


def hosted(knobs: Knobs | None = None, seed: int = 0, **tags: str) -> Hosted:
    """Return an environment without apps, and a vault that has the partner server's root with the given tags."""
    build = Builder(World(Clock(), seed, knobs))
    ase = build.add_environment("ase")
    plan = build.add_plan("windows", environment=ase)
    corp = Authority("Corp")
    build.add_root_object(ROOT, corp.root_leaf, build.add_vault(VAULT), tags=tags)
    partner = build.add_partner("erp", own_root=corp, open_to_all=True)
    return Hosted(build.world, build, ase, plan, corp, partner, corp.root_leaf.thumbprint)


def two_plans(knobs: Knobs, **tags: str) -> Hosted:
    """Return an environment with plans in two resource groups, and an app on each plan that lists its root."""
    town = hosted(knobs, **tags)
    far = town.build.add_plan("far", town.build.add_group("offices"), environment=town.ase)
    for name, plan in (("billing", town.plan), ("orders", far)):
        town.app(name, plan=plan)
        town.upload(name)
    town.restart_all()
    return town


def two_apps_and_a_slot(**tags: str) -> Hosted:
    """Return an environment where two apps and a slot list a root that was uploaded to one of the apps."""
    town = hosted(**tags)
    town.app("billing")
    town.app("orders", {ROOTS: f"{'ab' * 20},{town.old.lower()}"})
    town.slot("billing", "staging")
    town.upload("orders")
    town.restart_all()
    return town
