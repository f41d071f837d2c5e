"""Simulate a fleet in the middle of everything, and keep what stands in Azure and in the storage for a later release.

Keys are made at run time, so what is kept has a name in braces for each thumbprint and each id of a version.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from local.azure.running.apps import App
from local.azure.scripting.clock import Clock
from local.azure.vault.authority import Authority
from local.azure.vault.issued import imported
from local.azure.vault.objects import Version
from local.azure.vault.vault import Vault
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import Site
from local.azure.world import World
from local.worlds.builders import Builder
from shared.clients.storage.rows import Entity
from shared.domain.messages import CERTIFICATES, SITES
from tests.scenarios.app_worlds import LIST, PATH
from tests.scenarios.installation import Crash, Crasher, Installation, Message
from tests.scenarios.storage import TABLES, MemoryStorage

ONE, SHOP = "kv-one", "kv-shop"
ASE, ROOT = "ase", "corp-root"
OPEN = datetime(2026, 11, 7, 22, 0, tzinfo=UTC)
"""A Saturday evening: the restart window of the kept settings opens, and every certificate is renewed."""
BRIEFLY = timedelta(minutes=20)
ON = {"certroll": "on"}
PROBED = ON | {"certroll-probe": "/health 200 {thumbprint}"}
Kept = dict[str, Any]


class Town:
    """Bindings in two webspaces, apps with client certificates, and an environment, all in the hands of Certroll."""

    def __init__(self) -> None:
        """Build the fleet with the first version of each certificate, on the day before the window opens."""
        self.world = World(Clock(OPEN - timedelta(days=1)))
        self.build = Builder(self.world)
        for letter in "ab":
            self.build.add_subscription(letter, f"00000000-0000-0000-0000-00000000000{letter}")
        self.vaults = [self.build.add_vault(name) for name in (ONE, SHOP)]
        self.windows = self.build.add_plan("windows")
        self.linux = self.build.add_plan("linux", location="northeurope", linux=True)
        self.partner, self.strict = (self.build.add_partner(name) for name in ("fabrikam", "northwind"))
        self._add_bindings()
        self.first = self._add_client("client", self.vaults[0])
        self.held = self._add_client("held", self.vaults[1])
        self.apps = [self._add_app(name, self.first.thumbprint) for name in ("billing", "ledger")]
        self.failing = self._add_app("pinned", self.held.thumbprint, "northwind")
        self._add_environment()

    def _add_bindings(self) -> None:
        version = self.build.add_certificate("web", ("*.contoso.com",), self.vaults[0], tags=ON)
        for name, plan in (("shop", self.windows), ("api", self.linux)):
            self.build.add_copy("web", plan, self.vaults[0], name=f"web-{plan.name}")
            tags = ON | ({"certroll-prob": "/health"} if name == "shop" else {})
            self.build.add_host(self.build.add_site(name, plan, tags=tags), f"{name}.contoso.com", version)

    def _add_client(self, name: str, vault: Vault) -> Version:
        version = self.build.add_certificate(name, (f"{name}.contoso.com",), vault, tags=ON)
        self.build.add_copy(name, self.linux, vault)
        return version

    def _add_app(self, name: str, thumbprint: str, partner: str = "fabrikam") -> App:
        settings = {LIST: thumbprint, PATH: f"/var/ssl/private/{thumbprint}.p12"}
        site = self.build.add_site(name, self.linux, tags=PROBED, settings=settings)
        called = self.partner if partner == "fabrikam" else self.strict
        return self.build.add_app(site, called, setting=PATH)

    def _add_environment(self) -> None:
        self.root = root = Authority("Corp 2026").root_leaf
        self.ase = self.build.add_environment(ASE, tags=ON)
        plan = self.build.add_plan("inside", environment=self.ase)
        self.build.add_root_object(ROOT, root, self.vaults[0], tags=ON | {"certroll-root-of": ASE})
        self.build.add_root_certificate(self.ase, root.der, name="by-hand")
        partner = self.build.add_partner("erp", open_to_all=True)
        for name in ("jobs", "mail"):
            site = self.build.add_site(name, plan, tags=ON | {"certroll-probe": "/health"})
            self.build.add_app(site, partner, anonymous=True)

    def open_window(self) -> None:
        """Let a day pass, and renew each certificate; a partner server refuses the new version of `held`."""
        self.world.clock.set(OPEN)
        self.strict.accept_only(self.held.thumbprint)
        for vault, name in ((0, "web"), (0, "client"), (1, "held")):
            self.vaults[vault].renew(name, tags=ON)

    def site(self, name: str) -> Site:
        """Return the named site with its current state."""
        return next(site for site in self.world.web.sites.values() if site.full_name == name)

    def state(self, name: str) -> str:
        """Return whether the named site runs."""
        return self.site(name).state

    def listed(self, name: str) -> str:
        """Return the load list of the named app."""
        return self.site(name).settings[LIST]

    def bound(self) -> dict[str, str | None]:
        """Return the thumbprint of each custom host name."""
        hosts = (host for site in self.world.web.sites.values() for host in site.hosts.values())
        return {host.name: host.thumbprint for host in hosts if host.name.endswith(".contoso.com")}

    def versions(self) -> Iterator[tuple[str, Version]]:
        """Yield each version of a vault certificate with a name such as `web 2`."""
        for vault in self.vaults:
            for certificate in vault.certificates.values():
                for number, version in enumerate(certificate.versions, 1):
                    yield f"{certificate.name} {number}", version

    def words(self) -> Iterator[tuple[str, str]]:
        """Yield each thumbprint and each id of a version with the word that stands for it in what is kept."""
        yield f"{{{ROOT} thumbprint}}", self.root.thumbprint
        for name, version in self.versions():
            yield f"{{{name} thumbprint}}", version.thumbprint
            yield f"{{{name} lower}}", version.thumbprint.lower()
            yield f"{{{name} version}}", version.id


# ------------------------------------------------------------------------------------------------- in the middle


def carry(town: Town, installation: Installation, crasher: Crasher) -> None:
    """Carry the fleet until everything is in the middle, and kill Certroll there.

    A version is held, an app has both thumbprints and waits for its probe, the sites of a renewed certificate have not
    been looked at, Certroll has stopped an app and not started it, and a person has asked for one more stop and start.
    """
    installation.queue.put(CERTIFICATES, "no message")
    for _ in range(2):
        installation.sweep_everything()
        installation.deliver_all(timedelta(hours=3))
    town.open_window()
    installation.look_at(SHOP, "held")
    installation.deliver_all(BRIEFLY)
    installation.request_stop_start(town.ase.resource_group, ASE)
    stop(town, installation, crasher)
    installation.look_at(ONE, "client")
    deliver_until(installation, lambda: "Overlapping" in installation.rolls().values())
    installation.look_at(ONE, "web")
    deliver_until(installation, lambda: any(_is_for_web(message) for message in installation.queue.waiting()))
    installation.request_stop_start(town.ase.resource_group, ASE)


def _is_for_web(message: Message) -> bool:
    return message.queue == SITES and json.loads(message.body)["name"] == "web"


def deliver_until(installation: Installation, reached: Callable[[], bool]) -> None:
    """Deliver messages one by one until the condition is true."""
    while not reached():
        message = installation.queue.take(installation.clock.now() + timedelta(hours=1))
        assert message is not None
        installation.deliver(message)


def stop(town: Town, installation: Installation, crasher: Crasher) -> None:
    """Kill Certroll after it has stopped an app of the environment, and take the dead process's leases away."""
    try:
        with crasher.crashing_at("/stop"):
            deliver_until(installation, lambda: "Stopped" in map(town.state, ("jobs", "mail")))
    except Crash:
        installation.storage.break_leases()
        return
    raise AssertionError("no app was stopped")


# ------------------------------------------------------------------------------------------------------ keeping


def keep(town: Town, installation: Installation) -> Kept:
    """Return what stands in Azure, in the tables and in the queues, with names for what is made at run time."""
    web, rows = town.world.web, ((table, row) for table in TABLES for row in installation.rows(table))
    kept = {
        "at": town.world.clock.now().isoformat(),
        "certificates": [_held(copy) for copy in web.certificates.values()],
        "sites": {site.full_name: _standing(site) for site in web.sites.values()},
        "messages": [_sent(message) for message in sorted(installation.queue.waiting())],
        "rows": [{"table": table, "row": dict(sorted(row.items()))} for table, row in rows],
    }
    text = json.dumps(kept, default=lambda moment: {"time": moment.isoformat()})
    for word, spoken in town.words():
        text = text.replace(spoken, word)
    found: Kept = json.loads(text)
    return found


def _sent(message: Message) -> Kept:
    return {"queue": message.queue, "body": message.body, "at": message.visible_at.isoformat()}


def _held(copy: Certificate) -> Kept:
    return {
        "id": copy.id,
        "name": copy.name,
        "webspace": copy.webspace.name,
        "thumbprint": copy.thumbprint,
        "tags": dict(copy.tags),
    }


def _standing(site: Site) -> Kept:
    hosts = {key: host.thumbprint for key, host in site.hosts.items()}
    return {"state": site.state, "restarts": site.restarts, "settings": dict(site.settings), "hosts": hosts}


# ---------------------------------------------------------------------------------------------------- restoring


def restore(kept: Kept, town: Town) -> Kept:
    """Let Azure stand as it was kept, at the same moment; return what was kept with the fleet's own thumbprints."""
    town.open_window()
    text = json.dumps(kept)
    for word, spoken in town.words():
        text = text.replace(word, spoken)
    found: Kept = json.loads(text)
    contents = {version.thumbprint: imported(version.leaf) for _, version in town.versions()}
    web = town.world.web
    for held in found["certificates"]:
        known = web.certificates.get(held["id"])
        near = next(copy for copy in web.certificates.values() if copy.webspace.name == held["webspace"])
        own = known or replace(near, name=held["name"], source=None)
        web.put_certificate(replace(own, content=contents[held["thumbprint"]], tags=held["tags"]))
    for name, standing in found["sites"].items():
        site = town.site(name)
        hosts = {key: replace(site.hosts[key], thumbprint=shown) for key, shown in standing["hosts"].items()}
        web.put_site(replace(site, **standing | {"hosts": hosts}))
    town.world.clock.set(datetime.fromisoformat(found["at"]))
    return found


def put_records(found: Kept, installation: Installation, storage: MemoryStorage) -> None:
    """Put the kept rows into the tables, and the kept messages on the queues."""
    for table, row in rows_of(found):
        storage.put(table, row)
    for message in found["messages"]:
        delay = datetime.fromisoformat(message["at"]) - installation.clock.now()
        installation.queue.put(message["queue"], message["body"], delay)


def rows_of(found: Kept) -> Iterator[tuple[str, Entity]]:
    """Yield each kept row with the name of its table."""
    for entry in found["rows"]:
        yield entry["table"], {name: _plain(value) for name, value in entry["row"].items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - a property of a row
    return datetime.fromisoformat(value["time"]) if isinstance(value, dict) else value
