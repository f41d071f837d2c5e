"""Check that renewals which wait together share what one of them has read, and that no guard depends on it."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from local.azure.scripting.clock import Clock
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import Site
from local.azure.world import World
from local.worlds.builders import Builder
from local.worlds.contoso import contoso
from shared.domain.names import VaultCertificateRef
from tests.scenarios.app_worlds import LIST
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.test_one_look import looks
from tests.scenarios.worlds import AGE, VAULT, renew, shown, small_world

ARM = "management.azure.com"
HOUR = timedelta(hours=1)


def notice(installation: Installation, vault: str, name: str) -> None:
    """Deliver an event of Event Grid about a new version of the certificate."""
    data = {"VaultName": vault, "ObjectType": "Certificate", "ObjectName": name, "Version": "0" * 32}
    kind = "Microsoft.KeyVault.CertificateNewVersionCreated"
    installation.event(json.dumps({"id": "1", "eventType": kind, "subject": name, "data": data, "dataVersion": "1"}))


def bound(world: World, thumbprints: set[str]) -> int:
    """Return how many host names have a binding with one of the thumbprints."""
    return sum(host.thumbprint in thumbprints for site in world.web.sites.values() for host in site.hosts.values())


def kind_of(path: str) -> str:
    """Return what a request reads or writes, without names."""
    words = path.lower().rpartition("/microsoft.web/")[2].split("/")
    return {"list": "settings"}.get(words[-1], words[-1] if len(words) % 2 else words[-2])


def test_four_renewals_of_contoso_share_their_first_look(install: Install) -> None:
    """Four renewals whose events come together cost at most 130 requests until all is bound, and 180 in all.

    The first run lists the fleet, and the other three take its lists. Each run reads the app settings itself, and each
    certificate before and after it writes it. Each site that Azure has moved costs one read.
    """
    world = contoso()
    installation = install(world)
    renewing = [(vault, name) for vault, name in world.renewing if not name.endswith("client")]
    old = {world.vaults[vault].certificates[name].newest.thumbprint for vault, name in renewing}
    for vault, name in renewing:
        world.vaults[vault].renew(name)
        notice(installation, vault, name)
    world.journal.clear()
    until_bound, lists = 0, list[int]()
    while (message := installation.queue.take(world.clock.now() + HOUR)) is not None:
        before = looks(world)
        installation.deliver(message)
        lists.append(looks(world) - before)
        until_bound = until_bound or (0 if bound(world, old) else sum(world.journal.counts(ARM).values()))
    kinds = Counter((entry.method, kind_of(entry.path)) for entry in world.journal.entries() if entry.host == ARM)
    assert installation.errors == []
    assert bound(world, old) == 0
    assert lists[:4] == [2, 0, 0, 0]
    assert until_bound <= 130, kinds
    assert sum(kinds.values()) <= 180, kinds


def test_event_after_the_shared_reads_gets_a_look_of_its_own(install: Install) -> None:
    """A question that comes after the fleet was read is answered by an inspection that began later.

    A run that took the lists of another run answers nobody else, so an event that came in between is not lost.
    """
    world = contoso()
    installation = install(world)
    first, second = [(vault, name) for vault, name in world.renewing if not name.endswith("client")][:2]
    for vault, name in (first, second):
        world.vaults[vault].renew(name)
        notice(installation, vault, name)
    take = installation.queue.take
    message = take(world.clock.now())
    assert message is not None
    installation.deliver(message)  # reads the fleet
    notice(installation, *second)
    asked = [message for message in installation.queue.waiting() if second[1] in message.body]
    assert len(asked) == 2
    world.journal.clear()
    counts = []
    for message in sorted(asked):
        before = looks(world)
        installation.deliver(message)
        counts.append(looks(world) - before)
    assert counts == [0, 2]


def test_message_of_another_process_shares_nothing(install: Install) -> None:
    """A message that another process sent gets an inspection of its own, because marks count only in their process."""
    world = contoso()
    installation = install(world)
    first, second = [(vault, name) for vault, name in world.renewing if not name.endswith("client")][:2]
    for vault, name in (first, second):
        world.vaults[vault].renew(name)
        notice(installation, vault, name)
    counts = []
    for message in sorted(installation.queue.waiting()):
        fields = json.loads(message.body)
        message.body = json.dumps({**fields, "mark": f"{'0' * 16}-0"})
        before = looks(world)
        installation.deliver(message)
        counts.append(looks(world) - before)
    assert counts == [2, 2]


def test_run_without_a_step_looks_for_itself(install: Install) -> None:
    """A run without a step that syncs or binds takes no other run's word for it, and lists the fleet itself."""
    world = small_world()
    installation = install(world)
    renew(world)
    for name in ("web", "other"):
        notice(installation, VAULT, name)
    counts = {}
    for message in sorted(installation.queue.waiting()):
        before = looks(world)
        installation.deliver(message)
        counts[VaultCertificateRef.parse(VAULT, "certificate", json.loads(message.body)["name"]).name] = (
            looks(world) - before
        )
    assert counts == {"web": 1, "other": 1}


SITES, WEBSPACES = 60, 6
LATE = "late.contoso.com"


def fleet(sites: int = 2 * WEBSPACES) -> tuple[World, Builder, list[Certificate]]:
    """Return sites in 6 webspaces of 2 subscriptions, which all use one certificate."""
    world = World(Clock())
    build = Builder(world)
    subscriptions = [build.add_subscription(f"Contoso {number}") for number in range(2)]
    groups = [build.add_group(f"group-{number}", subscriptions[number % 2]) for number in range(WEBSPACES)]
    build.add_certificate("web", ("*.contoso.com",))
    plans = [build.add_plan(f"plan-{number}", groups[number]) for number in range(WEBSPACES)]
    copies = [build.add_copy("web", plan, name=f"web-{number}") for number, plan in enumerate(plans)]
    for number in range(sites):
        site = build.add_site(f"site-{number}", plans[number % WEBSPACES])
        build.add_host(site, f"host-{number}.contoso.com", copies[number % WEBSPACES])
    world.clock.advance(AGE)
    return world, build, copies


def test_wildcard_in_six_webspaces_costs_few_requests_per_site(install: Install) -> None:
    """A renewal that sixty sites use costs three reads for each site, and each list once in each of three inspections.

    The first inspection reads all settings, and the inspection before the other webspaces reads theirs again, because
    Certroll writes there. The last one writes nothing, so it reads no settings.
    """
    world, _, copies = fleet(SITES)
    installation = install(world)
    new = renew(world)
    world.journal.clear()
    notice(installation, VAULT, "web")
    installation.deliver_all(HOUR)
    assert {seen.thumbprint for seen in shown(world).values()} == {new}
    first = SITES // WEBSPACES
    requests = Counter((entry.method, kind_of(entry.path)) for entry in world.journal.entries() if entry.host == ARM)
    assert requests["POST", "settings"] == SITES + (SITES - first)
    single = [e for e in world.journal.reads(ARM) if "/sites/" in e.path.lower() and e.method == "GET"]
    assert len(single) == SITES
    assert len(world.journal.writes(ARM)) == len(copies)
    listing = {"subscriptions": 1, "sites": 2, "certificates": 2, "serverfarms": 2, "slots": 2, "sites of plans": 6}
    assert sum(requests.values()) == 3 * SITES - first + 3 * len(copies) + 3 * sum(listing.values())


def test_site_that_appears_in_another_webspace_is_carried(install: Install) -> None:
    """A site that begins to use the old version in another subscription during a renewal gets the new version."""
    world, build, _ = fleet()
    plan = build.add_plan("late", build.add_group("late", build.add_subscription("Late")))
    build.add_certificate("other", (LATE,))
    late = build.add_host(build.add_site("late", plan), LATE, build.add_copy("other", plan))
    installation = install(world)
    old = world.vaults[VAULT].certificates["web"].newest
    new = renew(world)
    notice(installation, VAULT, "web")
    message = installation.queue.take(world.clock.now())
    assert message is not None
    installation.deliver(message)
    copy = build.add_copy("web", plan, name="web-late", version=old)
    world.web.put_site(replace(late, hosts={**late.hosts, LATE: replace(late.hosts[LATE], thumbprint=copy.thumbprint)}))
    installation.deliver_all(HOUR)
    assert {seen.thumbprint for seen in shown(world).values()} == {new}


def test_settings_changed_while_bindings_moved_are_found_by_the_sweep(install: Install) -> None:
    """If somebody names the old version in an app whose binding a renewal moves, no later write overlooks it.

    The last inspection of the renewal goes on with what Certroll remembers of the app. The moment of the app still
    differs from the remembered one, so the next sweep reads the settings and carries the app.
    """
    world, _, copies = fleet()
    installation = install(world)
    old = copies[1].thumbprint

    def app() -> Site:
        return next(site for site in world.web.sites.values() if site.name == "site-1")

    new = renew(world)
    notice(installation, VAULT, "web")
    while (message := installation.queue.take(world.clock.now() + HOUR)) is not None:
        installation.deliver(message)
        if message.queue == "certificates" and LIST not in app().settings and bound(world, {new}) == 2 * WEBSPACES:
            world.settings.store(app(), {**app().settings, LIST: old})
    assert app().settings[LIST] == old
    assert installation.rolls() == {}
    world.clock.advance(AGE)
    installation.sweep()
    installation.deliver_all(HOUR)
    assert app().settings[LIST] != old or any(subject.endswith("site-1") for subject, _ in installation.open_findings())
