"""Build the settings, ports and threads of the process when a function first needs them.

A bad setting of Certroll does not stop Azure from indexing the functions. If a setting is bad, each run raises
SettingsInvalid, which names all problems.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any, Protocol

from shared.clients.clock import SystemClock
from shared.domain.deadline import Deadline
from shared.domain.errors import SettingsInvalid
from shared.domain.intent import Intent
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.ports import Ports
from shared.settings import Connection, Settings, load_connection, load_settings
from shared.telemetry import event, working_for
from shared.version import VERSION

READERS = 24
"""How many reads run at once. A renewal of a certificate that ten thousand sites use reads the settings of each of them
first. The readers wait for Azure's request limits before Azure refuses them (shared/clients/pace.py)."""

SPARING_READERS = 8
"""How many reads of the sweep run at once, on threads of their own. A read of the sweep that waits for Azure's request
limits then occupies no thread that a renewal needs."""

PROBES = 16
"""How many TLS handshakes and probes of apps run at once, over all runs of the process. A server that does not answer
occupies a thread for up to a minute and a half, and a site may have hundreds of host names."""


CLOCK = SystemClock()


class Connections(Protocol):
    """The clients of Azure, which all runs of the process share."""

    def ports(self, deadline: Deadline, *, sparing: bool) -> Ports:
        """Return the ports of a run, which make no call after the deadline of the run.

        A run with `sparing` leaves a third of each of Azure's request limits to other runs.
        """


class Runtime:
    """The settings, the ports and the threads of one process."""

    def __init__(self) -> None:
        """Begin without settings, ports and threads."""
        self._starts_to_tell = [VERSION]

    @cached_property
    def settings(self) -> Settings:
        """The settings of the Function App. Raises SettingsInvalid if a setting of the Function App is bad."""
        return load_settings()

    @cached_property
    def connections(self) -> Connections:
        """The clients of Azure, made as the settings say."""
        settings = self.settings
        return _connect(settings, settings.pfx_encryption, settings.dns_servers)

    @cached_property
    def bare_connections(self) -> Connections:
        """The clients of Azure, made by only the settings that say how to reach Azure."""
        return _connect(load_connection())

    @cached_property
    def pool(self) -> Pool:
        """The threads that read from Azure."""
        return Pool(READERS, "reader")

    @cached_property
    def sparing_pool(self) -> Pool:
        """The threads that read from Azure for runs that leave a third of Azure's request limits to other runs."""
        return Pool(SPARING_READERS, "sparing-reader")

    @cached_property
    def probes(self) -> Pool:
        """The threads that make TLS handshakes and send probes to apps."""
        return Pool(PROBES, "probe")

    def run(self, *, sparing: bool = False) -> AbstractContextManager[Run]:
        """Return a context with a run that starts now, whose events have the id of the run. Raises SettingsInvalid.

        A run that no renewal waits for is `sparing`: its reads leave a third of Azure's request limits to other runs.
        """
        self._tell_start()
        return self._start(self.connections, self.settings.intent, sparing=sparing)

    def bare_run(self) -> AbstractContextManager[Run]:
        """Return a run without the operators' settings, which can complete pending starts even if a setting is bad.

        Azure restarts the Function App after each change of its settings. A bad setting must not keep stopped apps down
        after the Function App restarts.
        """
        self._tell_start()
        try:
            connections = self.connections
        except SettingsInvalid:
            connections = self.bare_connections
        return self._start(connections, Intent())

    @contextmanager
    def _start(self, connections: Connections, intent: Intent, *, sparing: bool = False) -> Iterator[Run]:
        deadline = Deadline.of_run(CLOCK.now())
        ports = connections.ports(deadline, sparing=sparing)
        with working_for(ports.trace.run):
            yield Run.start(ports, intent, self.sparing_pool if sparing else self.pool, deadline, self.probes)

    def _tell_start(self) -> None:
        """Log the version and the mode of Certroll before the first run of the process.

        The host drops what the app logs at import. The mode is None if a setting is bad, which each run then reports.
        """
        try:
            version = self._starts_to_tell.pop()  # only one thread gets it
        except IndexError:
            return
        try:
            mode = self.settings.mode
        except SettingsInvalid:
            mode = None
        event("process.started", version=version, mode=mode)


def _connect(connection: Connection, *more: Any) -> Connections:  # noqa: ANN401 - `Connections` checks the types
    from shared.clients import connect  # noqa: PLC0415 - the SDKs take half of a cold start, and Azure indexes functions without them

    return connect.Connections(connection.cloud, connection.client_id, connection.storage_address, CLOCK, *more)
