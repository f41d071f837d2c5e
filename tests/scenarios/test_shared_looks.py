"""Check that renewals which wait together share what one of them has read, and that no guard depends on it."""

import json
from collections import Counter
from datetime import timedelta

from local.azure.world import World
from local.worlds.contoso import contoso
from shared.domain.names import VaultCertificateRef
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.test_one_look import looks
from tests.scenarios.worlds import renew, small_world

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
    return words[-1] if len(words) % 2 else {"list": "settings"}.get(words[-1], words[-2])


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


def test_run_that_finds_nothing_or_deletes_looks_for_itself(install: Install) -> None:
    """A run without a step that syncs or binds takes no other run's word for it, and lists the fleet itself."""
    world = small_world()
    installation = install(world)
    renew(world)
    for name in ("web", "other"):
        notice(installation, "contoso-kv", name)
    counts = {}
    for message in sorted(installation.queue.waiting()):
        before = looks(world)
        installation.deliver(message)
        counts[VaultCertificateRef.parse("contoso-kv", "certificate", json.loads(message.body)["name"]).name] = (
            looks(world) - before
        )
    assert counts == {"web": 1, "other": 1}
