"""A world: all state of one simulated Azure, with its clock, its seed and its journal."""

import random
import threading
from dataclasses import dataclass
from uuid import UUID, uuid5

from local.azure.apps import Apps
from local.azure.arm.managed import ManagedCertificates
from local.azure.arm.resources import Site
from local.azure.arm.state import WebState
from local.azure.changes import Changes
from local.azure.clock import Clock
from local.azure.dns import Zones
from local.azure.entra import TENANT
from local.azure.events import Events
from local.azure.faults import Faults
from local.azure.journal import Journal
from local.azure.knobs import Knobs
from local.azure.meddling import Edit, Meddling, Method, OtherPeople
from local.azure.registration.orders import Orders
from local.azure.roles import Roles
from local.azure.vault.access import RoleAssignment
from local.azure.vault.state import Vault


@dataclass(frozen=True, slots=True)
class Subscription:
    """An Azure subscription."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ResourceGroup:
    """A resource group; its name keeps the spelling it was made with."""

    subscription: str
    name: str
    location: str

    @property
    def id(self) -> str:
        """The group's resource id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.name}"


class World:
    """All state of one simulated Azure. Whoever reads or changes it holds `lock`.

    Vaults are keyed by lower-case name, resource groups by lower-case subscription and name, role assignments by
    lower-case resource id. `renewing` names the certificates and secrets (vault, name) that the demo renews.
    """

    def __init__(self, clock: Clock | None = None, seed: int = 0, knobs: Knobs | None = None) -> None:
        """Make an empty world; the same seed gives the same ids and addresses."""
        self.lock = threading.RLock()
        self.changes = Changes(self.lock)
        self.clock = clock or Clock()
        self._applications = UUID(int=seed % 2**128)
        self.random = random.Random(seed)  # noqa: S311 - ids that a test can repeat, not secrets
        self.knobs = knobs or Knobs()
        self.journal = Journal(self.clock)
        self.faults = Faults(self.clock, self.journal)
        self.roles = Roles()
        self.events = Events(self)
        self.tenant_id = TENANT
        self.subscriptions: dict[str, Subscription] = {}
        self.resource_groups: dict[tuple[str, str], ResourceGroup] = {}
        self.vaults: dict[str, Vault] = {}
        self.role_assignments: dict[str, RoleAssignment] = {}
        self.web = WebState(self)
        self.dns = Zones(self)
        self.managed = ManagedCertificates(self)
        self.orders = Orders(self)
        self.apps = Apps(self)
        self.other_people = OtherPeople(self)
        self.renewing: tuple[tuple[str, str], ...] = ()

    def new_id(self) -> UUID:
        """Return a fresh id from the world's seed."""
        return UUID(int=self.random.getrandbits(128), version=4)

    def object_id(self, application_id: str) -> str:
        """Return the object id of the application's principal in this tenant: it follows from the world's seed."""
        return str(uuid5(self._applications, application_id.lower()))

    def meddle(
        self,
        site: Site,
        *,
        edit: Edit,
        before: Method | None = None,
        after: Method | None = None,
        nth: int = 1,
    ) -> Meddling:
        """Return what somebody else will do to the site's app settings, once: `edit` gets them and returns all of them.

        POST is a read of the settings, PUT a write of them; `nth` counts those of the site from now on, whoever sends
        them, and only writes that were applied. `before` a read: the read shows it. `after` a read: the next write does
        not know of it. `before` a write is ahead of its If-Match. `after` a write: it has been applied. With neither,
        it happens at once.
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
        """Return what the nth read of the site's app settings from now on will show, once, though nothing changed.

        `shown` gets the settings as they are and returns what the answer holds; without it the answer is empty.
        """
        return self.other_people.script_misread(Meddling(site.id, "before", "POST", shown, nth))
