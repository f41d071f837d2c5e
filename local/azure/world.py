"""The whole state of one simulated Azure, with its clock, its seed and its journal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

from local.azure.dns.zones import Zones
from local.azure.eventgrid.topic import Events
from local.azure.kernel import Kernel
from local.azure.nightly import nightly_sync
from local.azure.registration.orders import Orders
from local.azure.running.apps import Apps
from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.scripting.roles import Roles
from local.azure.vault.access import RoleAssignment
from local.azure.vault.vault import DeletedVault, Place, Vault
from local.azure.web.app_settings import AppSettings
from local.azure.web.imports import Imports
from local.azure.web.managed import ManagedCertificates
from local.azure.web.meddling import Edit, Meddling, Method, OtherPeople
from local.azure.web.references import References
from local.azure.web.resources import Site
from local.azure.web.state import WebState


@dataclass(frozen=True, slots=True)
class Subscription:
    """An Azure subscription."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ResourceGroup:
    """A resource group, whose name keeps its original spelling."""

    subscription: str
    name: str
    location: str

    @property
    def id(self) -> str:
        """The resource id of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.name}"


class World:
    """The whole state of one simulated Azure, and the only class that connects the services of this Azure.

    Code that reads or changes the simulated Azure has to hold `lock`.
    """

    def __init__(self, clock: Clock | None = None, seed: int = 0, knobs: Knobs | None = None) -> None:
        """Make an empty simulated Azure; the same seed gives the same ids and addresses."""
        kernel = self._kernel = Kernel(clock, seed, knobs)
        self.lock, self.changes, self.clock, self.random = kernel.lock, kernel.changes, kernel.clock, kernel.random
        self.knobs, self.journal, self.faults = kernel.knobs, kernel.journal, kernel.faults
        self.limits = kernel.limits
        self.tenant_id, self.new_id, self.object_id = kernel.tenant_id, kernel.new_id, kernel.object_id
        self.roles, self.grants = Roles(), kernel.grants
        self.subscriptions: dict[str, Subscription] = {}
        self.resource_groups: dict[tuple[str, str], ResourceGroup] = {}
        self.vaults: dict[str, Vault] = {}
        self.deleted_vaults: dict[str, DeletedVault] = {}
        self.role_assignments: dict[str, RoleAssignment] = {}
        self.deployed: dict[str, Mapping[str, Any]] = {}
        """The resources of installations of Certroll as ARM's JSON, by their id in lower case."""
        self.renewing: tuple[tuple[str, str], ...] = ()
        self.events = Events(kernel, self.vaults)
        references = References(self.vaults)
        self.web = WebState(kernel, references.resolved)
        self.dns = Zones(self.web.address_of)
        self.settings = AppSettings(kernel, self.web, references)
        self.imports = Imports(kernel, self.web, self.settings, self.vaults)
        self.apps = Apps(kernel, self.web)
        self.managed = ManagedCertificates(kernel, self.web, self.dns, self.imports)
        self.orders = Orders(kernel, self.vaults, self.dns)
        self.other_people = OtherPeople(kernel, self.web, self.settings)

    def new_vault(self, name: str, **place: Unpack[Place]) -> Vault:
        """Return a new, empty vault.

        The caller of `new_vault` has to add the new vault to `vaults`.
        """
        return Vault(self._kernel, self.role_assignments, self.events.new_version, name, **place)

    def nightly_sync(self) -> None:
        """Do the work on certificates now that Azure does by itself within 24 hours, as one write."""
        with self.lock:
            nightly_sync(self.web, self.imports, self.managed)

    def meddle(
        self,
        site: Site,
        *,
        edit: Edit,
        before: Method | None = None,
        after: Method | None = None,
        nth: int = 1,
    ) -> Meddling:
        """Script one edit of the site's app settings by another client, and return the script.

        `edit` receives the current app settings and returns the new app settings. `before` or `after` names the
        request, `POST` or `PUT`, before or after which the edit happens. A POST request reads the app settings, and a
        PUT request writes the app settings. `nth` counts the `POST` or `PUT` requests of any client to the site's app
        settings from now on. If the edit of the app settings happens after a PUT request, `nth` counts only PUT
        requests that succeeded.

        - If the edit happens before a read, the read shows the edited app settings.
        - A client that read the app settings before an edit, and writes them back, overwrites the edit.
        - An edit of app settings before a write precedes ARM's check of the write's If-Match header.
        - If the edit happens after a write, the edit changes the app settings that the write stored.
        - If neither `before` nor `after` is given, the edit of the app settings happens immediately.
        """
        if before and after:
            raise ValueError("Say before or after, not both.")
        script = Meddling(site.id, "after" if after else "before", after or before or "POST", edit, nth)
        if before or after:
            return self.other_people.script_edit(script)
        with self.lock:
            self.other_people.edit(site.id, edit)
        script.struck = True
        return script

    def misread(self, site: Site, *, nth: int = 1, shown: Edit = lambda _: {}) -> Meddling:
        """Script one wrong answer to the nth read of the site's app settings, and return the script.

        `shown` receives the current app settings and returns the app settings of the wrong answer. By default, the
        scripted wrong answer has no app settings. A scripted wrong answer does not change the site's app settings.
        """
        return self.other_people.script_misread(Meddling(site.id, "before", "POST", shown, nth))
