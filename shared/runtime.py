"""What a function works with, built when it is first needed.

A bad setting must not stop functions from being indexed: it is raised by each run instead, naming all problems.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from shared.clients.clock import SystemClock
from shared.domain.errors import SettingsInvalid
from shared.domain.intent import Intent
from shared.loop.run import Run
from shared.ports import Ports
from shared.settings import Connection, Settings, load_connection, load_settings

READERS = 8


class Runtime:
    """The settings, the ports and the pool of one process."""

    @cached_property
    def settings(self) -> Settings:
        """The settings. Raises SettingsInvalid."""
        return load_settings()

    @cached_property
    def ports(self) -> Ports:
        """The outside."""
        settings = self.settings
        return _connect(settings, settings.pfx_encryption, settings.dns_servers)

    @cached_property
    def bare_ports(self) -> Ports:
        """The outside, as far as it takes no more than how to reach Azure."""
        return _connect(load_connection())

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        """Threads for reads: eight at once stay well below ARM's refill of 25 reads a second."""
        return ThreadPoolExecutor(READERS, "reader")

    def run(self) -> Run:
        """Return a run that starts now. Raises SettingsInvalid."""
        return Run.start(self.ports, self.settings.intent, self.pool)

    def bare_run(self) -> Run:
        """Return a run without intent, for what is owed whatever people want.

        A mistake in a setting restarts the Function App, and must not keep the apps down that it had just stopped.
        """
        try:
            ports = self.ports
        except SettingsInvalid:
            ports = self.bare_ports
        return Run.start(ports, Intent(), self.pool)


def _connect(connection: Connection, *more: Any) -> Ports:  # noqa: ANN401 - as `connect` takes them
    from shared.clients.connect import connect  # noqa: PLC0415 - half of a cold start, and indexing needs no SDK

    return connect(connection.cloud, connection.client_id, connection.storage_address, SystemClock(), *more)
