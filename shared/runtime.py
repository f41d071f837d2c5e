"""Build the settings, ports and threads of the process when a function first needs them.

A bad setting of Certroll does not stop Azure from indexing the functions. If a setting is bad, each run raises
SettingsInvalid, which names all problems.
"""

from functools import cached_property
from typing import Any

from shared.clients.clock import SystemClock
from shared.domain.errors import SettingsInvalid
from shared.domain.intent import Intent
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.ports import Ports
from shared.settings import Connection, Settings, load_connection, load_settings

READERS = 8
"""How many reads run at once. Eight readers stay well below ARM's refill of 25 reads a second."""


class Runtime:
    """The settings, the ports and the threads of one process."""

    @cached_property
    def settings(self) -> Settings:
        """The settings of the Function App. Raises SettingsInvalid if a setting of the Function App is bad."""
        return load_settings()

    @cached_property
    def ports(self) -> Ports:
        """The ports to Azure, connected as the settings say."""
        settings = self.settings
        return _connect(settings, settings.pfx_encryption, settings.dns_servers)

    @cached_property
    def bare_ports(self) -> Ports:
        """The ports to Azure, connected by only the settings that say how to reach Azure."""
        return _connect(load_connection())

    @cached_property
    def pool(self) -> Pool:
        """The threads that read from Azure."""
        return Pool(READERS, "reader")

    def run(self) -> Run:
        """Return a run that starts now, with the settings, ports and threads of the process. Raises SettingsInvalid."""
        return Run.start(self.ports, self.settings.intent, self.pool)

    def bare_run(self) -> Run:
        """Return a run without the operators' settings, which can complete pending starts even if a setting is bad.

        Azure restarts the Function App after each change of its settings. A bad setting must not keep stopped apps down
        after the Function App restarts.
        """
        try:
            ports = self.ports
        except SettingsInvalid:
            ports = self.bare_ports
        return Run.start(ports, Intent(), self.pool)


def _connect(connection: Connection, *more: Any) -> Ports:  # noqa: ANN401 - `connect` checks the types
    from shared.clients.connect import connect  # noqa: PLC0415 - the SDKs take half of a cold start, and Azure indexes functions without them

    return connect(connection.cloud, connection.client_id, connection.storage_address, SystemClock(), *more)
