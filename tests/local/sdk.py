"""The unmodified azure-mgmt-web client against a stand, as the tests of what it can do begin."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from azure.identity import ManagedIdentityCredential  # noqa: TID251 - a client from outside
from azure.mgmt.web import WebSiteManagementClient

from local.stand import Stand
from local.worlds.builders import Builder


@contextmanager
def web_client(stand: Stand, build: Builder) -> Iterator[WebSiteManagementClient]:
    """Yield the client of the builder's first subscription, whose world the stand serves from now on."""
    stand.use(build.world)
    subscription = next(iter(build.world.subscriptions.values())).id
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stand.environment().items():
            patch.setenv(name, value)
        with ManagedIdentityCredential() as credential, WebSiteManagementClient(credential, subscription) as client:
            yield client
