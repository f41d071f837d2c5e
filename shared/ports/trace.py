"""Define the port that notes under which ids Azure logs the writes of a run."""

from contextlib import AbstractContextManager
from typing import Protocol

from shared.domain.writes import AzureWrite


class Trace(Protocol):
    """The port for the ids by which an operator finds a run of Certroll in the logs of Azure, and the other way."""

    @property
    def run(self) -> str:
        """The id of the run, which the run sends with each request to ARM and Key Vault."""

    def writes(self) -> AbstractContextManager[list[AzureWrite]]:
        """Return a context whose list gets each write that the present thread sends while the context lasts."""
