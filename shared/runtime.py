"""What a function works with, built when it is first needed.

A bad setting must not stop functions from being indexed: it is raised by each run instead, naming all problems.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from shared.clients.clock import SystemClock
from shared.domain.ports import Ports
from shared.run import Run
from shared.settings import Settings, load_settings

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
        from shared.clients.azure import connect  # noqa: PLC0415 - half of a cold start, and indexing needs no SDK

        settings = self.settings
        return connect(
            settings.cloud,
            settings.client_id,
            settings.storage_address,
            SystemClock(),
            settings.pfx_encryption,
            settings.dns_servers,
        )

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        """Threads for reads: eight at once stay well below ARM's refill of 25 reads a second."""
        return ThreadPoolExecutor(READERS, "reader")

    def run(self) -> Run:
        """Return a run that starts now. Raises SettingsInvalid."""
        return Run.start(self.ports, self.settings.intent, self.pool)
