"""Store the statuses of timers in blobs, at the place and in the form of the .NET host."""

import json
import logging
from collections.abc import Mapping
from contextlib import suppress

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobServiceClient

from local.host.configuration import ConfigurationInvalid
from local.host.connections import connection_of
from local.host.reach import Reach
from local.host.timers import Status, Statuses

CONTAINER = "azure-webjobs-hosts"
HOST_ID_SETTINGS = ("AzureFunctionsWebHost__hostid", "WEBSITE_SITE_NAME")
LONGEST_HOST_ID = 32

log = logging.getLogger("host.timers")


class BlobStatuses:
    """The statuses of the timers of one Function App."""

    def __init__(self, service: BlobServiceClient, host_id: str, reach: Reach) -> None:
        self._service = service
        self._host_id = host_id
        self._reach = reach

    def read(self, function: str) -> Status | None:
        """Return the status of a timer function, or None before its first start."""
        try:
            return Status.parse(self._blob(function).download_blob().readall().decode())
        except ResourceNotFoundError:
            return None
        except AzureError as problem:
            self._failed(problem)
            return None

    def write(self, function: str, status: Status) -> None:
        """Store the status of a timer function."""
        try:
            with suppress(ResourceExistsError):
                self._service.create_container(CONTAINER)
            self._blob(function).upload_blob(json.dumps(status.fields), overwrite=True)
        except AzureError as problem:
            self._failed(problem)

    def _failed(self, problem: AzureError) -> None:
        log.warning("the status of a timer cannot be read or written: %s", problem)
        self._reach.failed(problem)

    def _blob(self, function: str) -> BlobClient:
        return self._service.get_blob_client(CONTAINER, f"timers/{self._host_id}/Host.Functions.{function}/status")


class NoStatuses:
    """The statuses of an app without a storage account, which forgets them."""

    def read(self, _function: str) -> Status | None:
        """Return None."""
        return None

    def write(self, _function: str, _status: Status) -> None:
        """Do nothing."""


def statuses(settings: Mapping[str, str], reach: Reach) -> Statuses:
    """Return the statuses in the app's storage account."""
    try:
        connection = connection_of(settings)
    except ConfigurationInvalid:
        return NoStatuses()
    return BlobStatuses(connection.blobs(), host_id(settings), reach)


def host_id(settings: Mapping[str, str]) -> str:
    """Return the id under which the hosts of one Function App share their blobs: the start of the site's name."""
    given = (settings[name] for name in HOST_ID_SETTINGS if settings.get(name))
    return next(given, "certroll-local").lower()[:LONGEST_HOST_ID].strip("-")
