"""Let one thing answer wrongly for good, whatever Certroll asks about it, and check what all other things get.

The table has each request of Certroll about one thing of a fleet in the rows, and each wrong answer in the columns. The
rows are the requests that Certroll sends in a fleet where all is well, so a new request is in the table by itself.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import cast

import pytest

from local.stand import Stand
from shared.clients.connect import Connections
from shared.clients.vault.certificates import KeyVault
from shared.domain.endpoints import CloudName, DnsServer, StorageAddress
from tests.client_requests import Template, sent_by_clients
from tests.in_process import in_process
from tests.scenarios.conftest import NO_STORAGE, Install, WorldClock
from tests.scenarios.sick_fleets import AGE, FIRST, FLEETS
from tests.scenarios.sick_things import ANSWERS, ANY, Bounded, Sick, Thing, Trial, excused_by
from tests.soaking import SOAKING

ANSWERS_OF_A_ROW = 2
"""How many answers each request gets in the covering part of the table."""
Begin = Callable[..., Trial]
Rows = dict[str, tuple[Thing, ...]]


@pytest.fixture(scope="module")
def clients(stand: Stand) -> Connections:
    """Return the SDK clients, which all trials of this module share."""
    dns = (DnsServer("127.0.0.1", stand.dns.port),)
    transport = in_process(lambda request: stand.proxy.azure.handle(request))  # noqa: PLW0108 - each fleet has its own
    address = StorageAddress(NO_STORAGE)
    return Connections(CloudName.PUBLIC, None, address, WorldClock(stand), dns_servers=dns, transport=transport)


@pytest.fixture
def begin(install: Install, clients: Connections) -> Begin:
    """Return a function that simulates a fleet by name, with Certroll installed and perhaps one sick thing."""

    def on(name: str, thing: Thing | None = None, answer: str = "500") -> Trial:
        fleet = FLEETS[name]()
        fleet.world.clock.advance(AGE)
        sick = Sick(fleet.world, thing, ANSWERS[answer])
        fleet.world.faults = sick
        installed = install(fleet.world, meddled=name == "managed", **fleet.intent)
        cast("KeyVault", clients.ports().vault).forget()  # fleets of one seed have certificate versions with equal ids
        certroll = Bounded(fleet.world, installed.storage, installed.ports, installed.pool, **fleet.intent)
        certroll.connections = clients
        return Trial(fleet, sick, certroll)

    return on


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Return a place for the requests of each fleet, which the first test of the fleet fills in."""
    return {}


def rows_of(begin: Begin, rows: Rows, name: str) -> tuple[Thing, ...]:
    """Return one thing for each kind of request that Certroll sends in a fleet where all is well."""
    if name not in rows:
        trial = begin(name)
        trial.carry()
        assert [promise.what for promise in trial.broken()] == [], "a promise that no fleet keeps shows nothing"
        things = sorted(trial.sick.seen, key=lambda thing: (str(thing.template), thing.path))
        kinds = groupby(things, key=lambda thing: thing.template)
        rows[name] = tuple(next(iter(group)) for _, group in kinds)
    return rows[name]


def owned_rows(begin: Begin, rows: Rows, name: str) -> tuple[Thing, ...]:
    """Return the rows of a fleet: all in a soak, else only the kinds of requests that no cheaper fleet has more of."""
    mine = rows_of(begin, rows, name)
    if SOAKING:
        return mine
    earlier = list(FLEETS)[: list(FLEETS).index(name)]
    known = {thing.template for other in earlier for thing in rows_of(begin, rows, other)}
    return tuple(thing for thing in mine if thing.template not in known)


def kind_of(template: Template) -> tuple[str, bool, bool]:
    """Return the method of a request, and whether it is about one thing or a list, in ARM or in a vault."""
    return template.method, template.path.endswith("*"), template.path.startswith("vault")


def chosen(things: Iterable[Thing], answer: str) -> Iterator[Thing]:
    """Yield the things that a test of one answer makes sick: all in a soak, else a covering part of the table.

    In the covering part each request gets two answers, and the requests of a kind get different answers.
    """
    column, columns = list(ANSWERS).index(answer), len(ANSWERS)
    ordered = sorted(things, key=lambda thing: (kind_of(thing.template), thing.template))
    for row, thing in enumerate(ordered):
        if SOAKING or (column - 2 * row) % columns < ANSWERS_OF_A_ROW:
            yield thing


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", FLEETS)
def test_one_sick_thing_holds_up_nothing_else(begin: Begin, rows: Rows, name: str, answer: str) -> None:
    """Whatever one thing answers for good, all others are carried, and a finding instead of a dead letter says it."""
    troubles = {}
    for thing in chosen(owned_rows(begin, rows, name), answer):
        trial = begin(name, thing, answer)
        trial.carry()
        if found := list(trial.troubles(excused_by(thing, trial.fleet.world))):
            troubles[f"{thing.template.method} {thing.path} answers {answer}"] = found
    assert troubles == {}


SICK_AT_ONCE = {
    "a subscription": Thing(ANY, f"management.azure.com/subscriptions/{FIRST}", f"/subscriptions/{FIRST}"),
    "a vault": Thing(ANY, "contoso-kv.vault.azure.net", "contoso-kv.vault.azure.net"),
    "all of Azure": Thing(ANY, "", ""),
}
"""What may be sick with everything in it."""


@pytest.mark.parametrize("answer", ANSWERS if SOAKING else ["429", "no answer"])
@pytest.mark.parametrize("name", FLEETS if SOAKING else ["webspaces"])
@pytest.mark.parametrize("what", SICK_AT_ONCE)
def test_everything_in_one_place_is_sick(begin: Begin, what: str, name: str, answer: str) -> None:
    """If a subscription or a vault answers nothing well, all others are carried, and each run ends within its time."""
    trial = begin(name, SICK_AT_ONCE[what], answer)
    trial.carry()
    assert list(trial.troubles(excused_by(SICK_AT_ONCE[what], trial.fleet.world))) == []


def test_every_request_of_the_clients_is_in_the_table(begin: Begin, rows: Rows) -> None:
    """Each request that a client of Certroll can send is sent in one of the fleets, so that it is in the table."""
    sent = {thing.template for name in FLEETS for thing in rows_of(begin, rows, name)}
    assert sent_by_clients() - sent == set()
