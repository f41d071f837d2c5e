"""Simulate an App Service Environment whose apps call a partner server that has a private root."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from local.azure.running.apps import App
from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import Authority
from local.azure.web.resources import RUNNING, STOPPED, Site
from local.azure.world import World
from local.worlds.builders import Builder
from shared.domain.names import SiteRef, VaultCertificateRef

VAULT = "contoso-kv"
ROOT = "corp-root"
ASE = "ase"
TAGS = {"certroll-root-of": ASE}
PROBE = {"certroll-probe": "/health"}
OLD = timedelta(days=400)


FRONT, BACK = ("api", "shop", "silent"), ("jobs", "quiet", "untouched")
FEW = ("api", "shop")
MORE_FRONT, MORE_BACK = ("cart", "mail"), ("books", "search", "users")


class Hosted:
    """Two plans of one environment with apps and a slot, which all trust the partner server's current root.

    The two plans are in two resource groups, so the environment has two webspaces unless the knob
    `environment_webspaces` is `one`. The app `quiet` is stopped, and the app `untouched` has the tag `certroll: off`.
    Every app except `quiet`, `untouched` and `silent` has a probe. The simulated vault does not contain the partner
    server's next root certificate yet.
    """

    def __init__(
        self,
        *,
        knobs: Knobs | None = None,
        internal: bool = True,
        tags: Mapping[str, str] = TAGS,
        apps: Literal[3, 7, 12] = 7,
    ) -> None:
        """Build the simulated environment with 3, 7 or 12 apps."""
        self.world = World(Clock(), 0, knobs)
        self.build = Builder(self.world)
        self.old, self.new = Authority("Corp 2020"), Authority("Corp 2026")
        self.group = self.build.add_group("network")
        self.ase = self.build.add_environment(ASE, self.group, internal=internal)
        self.front = self.build.add_plan("front", environment=self.ase)
        self.back = self.build.add_plan("back", self.build.add_group("offices"), environment=self.ase)
        self.partner = self.build.add_partner("erp", own_root=self.old, open_to_all=True)
        self.build.add_root_object(ROOT, self.old.root_leaf, tags=dict(tags))
        self.build.add_root_certificate(self.ase, self.old.root_leaf.der, name="by-hand")
        self.apps: dict[str, App] = {}
        for name in FEW if apps == 3 else (*FRONT, *(MORE_FRONT if apps == 12 else ())):
            self.add(self.build.add_site(name, self.front, tags={} if name == "silent" else PROBE))
        self.add(self.build.add_slot(self.site("shop"), "staging"))
        for name in () if apps == 3 else (*BACK, *(MORE_BACK if apps == 12 else ())):
            own, state = ({"certroll": "off"} if name == "untouched" else {}), STOPPED if name == "quiet" else RUNNING
            self.add(self.build.add_site(name, self.back, tags=PROBE | own, state=state))
        self.world.clock.advance(timedelta(days=2))

    @property
    def running(self) -> set[str]:
        """The names of the apps that run at the beginning of the simulation."""
        return set(self.apps) - {"quiet"}

    @property
    def stopped_and_started(self) -> set[str]:
        """The names of the apps that Certroll must stop and start for a new root."""
        return self.running - {"untouched"}

    def add(self, site: Site) -> None:
        """Give a site an app that calls the partner server."""
        self.apps[site.full_name] = self.build.add_app(site, self.partner, anonymous=True)

    def site(self, name: str) -> Site:
        """Return the site or slot named `site` or `site/slot` with its current state."""
        return next(site for site in self.world.web.sites.values() if site.full_name == name)

    def put_new(self, tags: Mapping[str, str] = TAGS) -> str:
        """Put the partner server's next root into the vault, and return the root's thumbprint."""
        self.build.add_root_object(ROOT, self.new.root_leaf, tags=dict(tags))
        return self.new.root_leaf.thumbprint

    def roots(self) -> set[str]:
        """Return the thumbprints of the environment's root certificates."""
        return {root.thumbprint for root in self.world.web.roots_of(self.ase)}

    def states(self) -> dict[str, str]:
        """Return the state of each site and slot, such as `Running`."""
        return {site.full_name: site.state for site in self.world.web.sites.values()}

    def trusting(self, authority: Authority) -> set[str]:
        """Return the names of the running apps that trust the certificate authority."""
        now = self.world.clock.now()
        return {
            name
            for name, app in self.apps.items()
            for process in app.processes
            if process.answers(now) and authority.root_leaf.der in process.roots
        }

    def tag(self, name: str, key: str, value: str) -> None:
        """Set one tag of a site or slot, as an operator would."""
        site = self.site(name)
        self.world.web.put_site(replace(site, tags={**site.tags, key: value}))

    def set_state(self, name: str, state: str) -> None:
        """Stop or start a site by hand, as the owner of the site would."""
        with self.world.journal.apart():
            site = self.site(name)
            self.world.web.put_site(replace(site, state=state, restarts=site.restarts + (state == RUNNING)))

    def stop_and_start(self, name: str) -> None:
        """Stop and start a site by hand, as the owner of the site would."""
        for state in (STOPPED, RUNNING):
            self.set_state(name, state)

    def close(self) -> None:
        """Exclude the environment from Certroll by the tag `certroll: off`."""
        self.world.web.environments.put(self.ase.id, replace(self.ase, tags={"certroll": "off"}))

    def ref(self, name: str) -> SiteRef:
        """Return Certroll's reference to the named site."""
        return SiteRef.parse(self.site(name).id)

    def lineage(self, name: str) -> VaultCertificateRef:
        """Return Certroll's reference to the named vault certificate."""
        return VaultCertificateRef.parse(VAULT, "certificate", name)

    def move_partner(self) -> None:
        """Let the partner server present a certificate of the next authority."""
        self.partner.move_to(self.new)
