"""The parts that all services of a simulated Azure share: lock, clock, random seed, knobs (settings) and journal."""

import random
import threading
from uuid import UUID, uuid5

from local.azure.entra.tokens import TENANT
from local.azure.rights.grants import Grants
from local.azure.scripting.changes import Changes
from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Faults
from local.azure.scripting.journal import Journal
from local.azure.scripting.knobs import Knobs
from local.azure.scripting.limits import Limits


class Kernel:
    """The parts that all services of one simulated Azure share, such as the clock and the journal.

    Code that reads or changes the simulated Azure has to hold `lock`.
    """

    def __init__(self, clock: Clock | None = None, seed: int = 0, knobs: Knobs | None = None) -> None:
        """Make the kernel of an empty simulated Azure; the same seed gives the same ids and addresses."""
        self.lock = threading.RLock()
        self.changes = Changes(self.lock)
        self.clock = clock or Clock()
        self.random = random.Random(seed)  # noqa: S311 - repeatable ids for tests, not secrets
        self.knobs = knobs or Knobs()
        self.journal = Journal(self.clock)
        self.faults = Faults(self.clock, self.journal)
        self.limits = Limits(self.clock, self.knobs)
        self.grants = Grants()
        self.tenant_id = TENANT
        self._applications = UUID(int=seed % 2**128)

    def new_id(self) -> UUID:
        """Return a fresh id, which the random seed of the simulated Azure determines."""
        return UUID(int=self.random.getrandbits(128), version=4)

    def object_id(self, application_id: str) -> str:
        """Return the object id of the application's principal in this tenant.

        The random seed of the simulated Azure and the application id determine the object id.
        """
        return str(uuid5(self._applications, application_id.lower()))
