"""This module builds a site whose app calls a partner server with a client certificate."""

from collections.abc import Callable
from datetime import timedelta

from local.azure.running.apps import App, Process
from local.azure.vault.objects import Version
from local.azure.web.load_list import LOAD_LIST
from local.azure.web.resources import Site
from local.worlds.builders import Builder
from tests.local.arm_client import Client, Json

PIN = "CLIENT_CERT_THUMBPRINT"
HOST = "caller.azurewebsites.net"


class Outbound:
    """A webspace with an imported certificate `client`, and a site whose app settings name its thumbprint."""

    def __init__(
        self,
        *,
        linux: bool = True,
        windows_container: bool = False,
        pin: str = "{}",
        loads: str = "{}",
        subject: str | None = None,
    ) -> None:
        """Build the site, where `{}` in the app settings `pin` and `loads` stands for the thumbprint."""
        self.build = Builder()
        self.world = self.build.world
        self.arm = Client(self.world)
        self.vault = self.build.add_vault()
        self.first = self.build.add_certificate("client", ["client.contoso.com"])
        self.plan = self.build.add_plan(linux=linux)
        self.copy = self.build.add_copy("client")
        self.partner = self.build.add_partner()
        settings = {LOAD_LIST: loads.format(self.first.thumbprint), PIN: pin.format(self.first.thumbprint)}
        self.born = self.build.add_site("caller", settings=settings, windows_container=windows_container)
        self.app = self.build.add_app(self.born, setting=None if subject else PIN, subject=subject)

    @property
    def site(self) -> Site:
        """The current state of the simulated site."""
        site = self.world.web.sites.get(self.born.id)
        assert site is not None
        return site

    @property
    def settings_path(self) -> str:
        """The ARM path of the site's app settings."""
        return f"{self.born.id}/config/appsettings"

    def answering(self, app: App | None = None) -> list[Process]:
        """Return the processes of the app that answer now."""
        return (app or self.app).answering(self.world.clock.now())

    def held(self, app: App | None = None) -> list[str | None]:
        """Return the thumbprint that each answering process presents, or None for a process without certificate."""
        return [process.certificate.thumbprint if process.certificate else None for process in self.answering(app)]

    def loaded(self) -> list[tuple[str, ...]]:
        """Return the thumbprints that each answering process has loaded."""
        return [process.loaded.thumbprints for process in self.answering()]

    def change(self, **settings: str) -> Json:
        """Write the site's app settings with the given changes, and return ARM's answer."""
        return self.arm.put(self.settings_path, {"properties": {**self.site.settings, **settings}})

    def pin(self, version: Version) -> None:
        """Make the site's app settings name the thumbprint of the given certificate version."""
        self.change(**{LOAD_LIST: version.thumbprint, PIN: version.thumbprint})

    def restart(self) -> None:
        """Restart the site."""
        self.arm.post(f"{self.born.id}/restart")

    def sync(self) -> None:
        """Import the vault's newest version over the existing certificate."""
        source = {"keyVaultId": self.vault.resource_id, "keyVaultSecretName": "client", "password": ""}
        self.arm.put(self.copy.id, {"location": "West Europe", "properties": source | {"serverFarmId": self.plan.id}})

    def wait(self, seconds: float) -> None:
        """Advance the simulated clock by the given number of seconds."""
        self.world.clock.advance(timedelta(seconds=seconds))


Edit = Callable[[dict[str, str]], dict[str, str]]


def adding(**settings: str) -> Edit:
    """Return a function that adds the given values to app settings."""
    return lambda before: {**before, **settings}
