"""Check that a certificate of a new root is served in an environment only after all apps there trust the root."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.vault.authority import Authority, Request
from local.azure.vault.issued import imported
from local.azure.vault.policy import Policy
from shared.domain.rollout.budget import MaxUnavailable
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import VAULT, Hosted
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import shown

HOUR = timedelta(hours=1)
INSIDE, OUTSIDE = "api.corp.example", "far.corp.example"


class Served:
    """An environment whose site `api` shows a certificate of its old root, as a site outside of it does."""

    def __init__(self, install: Install, *, lasts: int = 90, **intent: object) -> None:
        """Build the environment, upload the certificate and bind two host names."""
        self.hosted = Hosted(apps=3)
        build = self.hosted.build
        self.put(self.hosted.old, lasts)
        leaf = imported(self.leaf)
        plan = build.add_plan("public", build.add_group("outside"))
        inside, outside = build.add_upload(leaf, self.hosted.front), build.add_upload(leaf, plan)
        build.add_host(self.hosted.site("api"), INSIDE, inside)
        build.add_host(build.add_site("far", plan), OUTSIDE, outside)
        self.installation: Installation = install(self.hosted.world, **intent)
        self.first = leaf.thumbprint

    def put(self, authority: Authority, lasts: int = 90) -> str:
        """Put a new version of the certificate into the vault, and return its thumbprint."""
        vault, now, policy = self.hosted.world.vaults[VAULT], self.hosted.world.clock.now(), Policy(subject="CN=corp")
        issued = authority.issue(Request(("*.corp.example",), now, now + timedelta(days=lasts)))
        self.leaf = replace(issued, chain=(*issued.chain, authority.root))
        vault.append(vault.ensure("web", policy), self.leaf, policy)
        return self.leaf.thumbprint

    def carry(self, authority: Authority) -> str:
        """Renew the certificate at the authority, let Certroll work, and return the new thumbprint."""
        new = self.put(authority)
        self.installation.look_at(VAULT, "web")
        self.installation.deliver_all(3 * HOUR)
        return new

    def shows(self) -> tuple[str | None, str | None]:
        """Return the thumbprints that the host names in and outside of the environment show."""
        seen = shown(self.hosted.world)
        return seen[INSIDE].thumbprint, seen[OUTSIDE].thumbprint

    def begin(self) -> None:
        """Add the new root, whose waves an operator has to make because no limit allows Certroll to stop apps."""
        self.hosted.put_new()
        self.installation.sweep()
        self.installation.deliver_all(HOUR)
        assert self.hosted.new.root_leaf.thumbprint in self.hosted.roots()


@pytest.mark.real_storage
def test_a_new_leaf_waits_for_the_waves_of_its_root(install: Install) -> None:
    """While apps do not trust the new root, its certificate is served outside of the environment, and not inside."""
    served = Served(install)
    served.begin()
    new = served.carry(served.hosted.new)
    assert served.shows() == (served.first, new)
    served.installation.confirm_stop_start("network", "ase")
    served.installation.sweep()
    served.installation.deliver_all(3 * HOUR)
    assert served.shows() == (new, new)


def test_a_new_leaf_is_served_at_once_after_the_waves(install: Install) -> None:
    """After all apps were stopped and started for the new root, its certificate waits for nothing."""
    served = Served(install, ase_max_unavailable=MaxUnavailable(3))
    served.begin()
    served.installation.deliver_all(3 * HOUR)
    new = served.carry(served.hosted.new)
    assert served.shows() == (new, new)


def test_a_leaf_of_the_old_root_does_not_wait_for_the_new_root(install: Install) -> None:
    """While apps do not trust the new root, a certificate of the old root is renewed as ever."""
    served = Served(install)
    served.begin()
    new = served.carry(served.hosted.old)
    assert served.shows() == (new, new)


def test_a_leaf_of_the_old_root_is_renewed_where_no_root_comes(install: Install) -> None:
    """In an environment without a new root, a certificate of the old root is renewed as ever."""
    served = Served(install)
    new = served.carry(served.hosted.old)
    assert served.shows() == (new, new)


def test_an_urgent_leaf_waits_for_no_root(install: Install) -> None:
    """If the old certificate ends in less than 72 hours, the new one is served before the waves have ended."""
    served = Served(install, lasts=30)
    served.hosted.world.clock.advance(timedelta(days=28))
    served.begin()
    new = served.carry(served.hosted.new)
    assert served.shows() == (new, new)
