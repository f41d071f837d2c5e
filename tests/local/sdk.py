"""This module provides the unmodified azure-mgmt-web client, connected to the local Azure."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from azure.identity import ManagedIdentityCredential  # noqa: TID251 - a client from outside
from azure.mgmt.web import WebSiteManagementClient

from local.stand import Stand
from local.worlds.builders import Builder


@contextmanager
def web_client(stand: Stand, build: Builder) -> Iterator[WebSiteManagementClient]:
    """Let the local Azure serve the builder's simulated fleet, and yield an SDK client of its first subscription."""
    stand.use(build.world)
    subscription = next(iter(build.world.subscriptions.values())).id
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stand.environment().items():
            patch.setenv(name, value)
        with ManagedIdentityCredential() as credential, WebSiteManagementClient(credential, subscription) as client:
            yield client
