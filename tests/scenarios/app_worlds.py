"""Simulate apps that present client certificates, and read what the owners of the apps would see."""

from dataclasses import dataclass

from local.azure.running.apps import App, Partner
from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import Plan, Site
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.worlds import AGE

CLIENT = "client"
SUBJECT = "client.contoso.com"
PROBE = {"certroll-probe": "/health 200 {thumbprint}"}
SECRET = "marker-7f3a-password"  # noqa: S105 - the tests search everything that Certroll writes for this value
LIST, PIN, PATH = "WEBSITE_LOAD_CERTIFICATES", "CLIENT_CERT_THUMBPRINT", "CLIENT_CERT_PATH"


@dataclass(slots=True)
class Street:
    """A simulated fleet with one client certificate, one partner server that asks for it, and the tests' apps."""

    world: World
    build: Builder
    linux: Plan
    windows: Plan
    partner: Partner
    old: str

    def app(self, name: str, settings: dict[str, str], **how: object) -> App:
        """Return a new app on the Linux plan or on `plan`.

        The app reads its client certificate from the app setting that `setting` names.
        """
        plan, tags = how.pop("plan", self.linux), how.pop("tags", PROBE)
        setting, subject = how.pop("setting", None), how.pop("subject", None)
        site = self.build.add_site(name, plan, tags=tags, settings=owned(settings), **how)  # type: ignore[arg-type]
        return self.build.add_app(site, self.partner, setting=setting, subject=subject)  # type: ignore[arg-type]

    def slot(self, name: str, slot: str, settings: dict[str, str], **how: object) -> App:
        """Return a new app on a deployment slot of the named site."""
        tags, setting = how.get("tags", PROBE), how.get("setting", PATH)
        site = self.build.add_slot(self.site(name), slot, tags=tags, settings=owned(settings))  # type: ignore[arg-type]
        return self.build.add_app(site, self.partner, setting=setting)  # type: ignore[arg-type]

    def linux_app(self, name: str, **how: object) -> App:
        """Return a Linux app that names the old version in WEBSITE_LOAD_CERTIFICATES and in a certificate's path."""
        settings = {LIST: self.old, PATH: f"/var/ssl/private/{self.old}.p12"}
        return self.app(name, settings, setting=PATH, **how)

    def site(self, name: str) -> Site:
        """Return the named site or slot with its current state."""
        return next(site for site in self.world.web.sites.values() if site.full_name == name)

    def settings(self, name: str) -> dict[str, str]:
        """Return the current app settings of the named site or slot."""
        return dict(self.site(name).settings)

    def restarts(self, name: str) -> int:
        """Return how often the site was restarted."""
        return self.site(name).restarts

    def renew(self, **differences: object) -> str:
        """Renew the client certificate in the simulated vault, and return the new thumbprint."""
        return self.world.vaults["contoso-kv"].renew(CLIENT, **differences).thumbprint  # type: ignore[arg-type]

    def kept(self) -> list[Certificate]:
        """Return the certificates in App Service that Certroll uploaded."""
        return [copy for copy in self.world.web.certificates.values() if copy.name.startswith("certroll-")]


def street(knobs: Knobs | None = None, seed: int = 0) -> Street:
    """Return simulated plans in two webspaces, a client certificate imported into each, and a partner server."""
    world = World(Clock(), seed, knobs)
    build = Builder(world)
    version = build.add_certificate(CLIENT, (SUBJECT,))
    linux = build.add_plan("linux", linux=True)
    windows = build.add_plan("windows", location="northeurope")
    build.add_copy(CLIENT, linux, name="client-linux")
    build.add_copy(CLIENT, windows, name="client-windows")
    partner = build.add_partner()
    return Street(world, build, linux, windows, partner, version.thumbprint)


def owned(settings: dict[str, str]) -> dict[str, str]:
    """Return the given app settings among unrelated settings, which Certroll must leave unchanged."""
    return {"DB_PASSWORD": SECRET, "FEATURE": "on", **settings, "ZZZ": "last"}


def age(street: Street) -> Street:
    """Return the fleet after some days, so that a slow front end has an older certificate to serve."""
    street.world.clock.advance(AGE)
    return street
