"""Let one thing answer wrongly for good, whatever Certroll asks about it, and check what all other things get.

The table has each request of Certroll about one thing of a fleet in the rows, and each wrong answer in the columns. The
rows are the requests that Certroll sends in a fleet where all is well, so a new request is in the table by itself.
"""

import json
import os
import random
from collections.abc import Callable, Iterator
from itertools import cycle, groupby, islice, product
from pathlib import Path
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
SEED = 16
PARTS = [(answer,) for answer in ANSWERS] if SOAKING else [tuple(ANSWERS)[::2], tuple(ANSWERS)[1::2]]
"""The answers that one test tries."""
Begin = Callable[..., Trial]
Rows = dict[str, tuple[Thing, ...]]
Cell = tuple[str, Thing, str]
"""A fleet, what is sick in it, and what that answers."""


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


@pytest.fixture
def rows(begin: Begin, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Rows:
    """Return one thing for each kind of request of each fleet, which one process finds out for all processes."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if hasattr(request.config, "workerinput") else folder
    return {name: _rows_of(begin, name, shared / f"sick-things-{name}.json") for name in FLEETS}


def _rows_of(begin: Begin, name: str, known: Path) -> tuple[Thing, ...]:
    """Return one thing for each kind of request that Certroll sends in a fleet where all is well."""
    if not known.exists():
        trial = begin(name)
        trial.carry()
        assert [promise.what for promise in trial.broken()] == [], "a promise that no fleet keeps shows nothing"
        things = sorted(trial.sick.seen, key=lambda thing: (str(thing.template), thing.path))
        kinds = groupby(things, key=lambda thing: thing.template)
        whole = known.with_suffix(f".{os.getpid()}")  # another process never reads half a file
        whole.write_text(json.dumps([next(iter(group)) for _, group in kinds]), encoding="utf-8")
        whole.replace(known)
    read = json.loads(known.read_text(encoding="utf-8"))
    return tuple(Thing(Template(*template), path, resource) for template, path, resource in read)


def whole_table(rows: Rows) -> Iterator[Cell]:
    """Yield each request of each fleet with each answer."""
    return ((name, thing, answer) for name in rows for thing in rows[name] for answer in ANSWERS)


def covering_part(rows: Rows) -> Iterator[Cell]:
    """Yield each kind of request with two answers, in the cheapest fleet that sends it.

    The answers are dealt in turn to the requests of one sort, so that each answer meets each sort.
    """
    cheapest: dict[Template, tuple[str, Thing]] = {}
    for name, things in rows.items():
        for thing in things:
            cheapest.setdefault(thing.template, (name, thing))
    seeded = random.Random(SEED)  # noqa: S311 - no secret
    for sort in sorted({sort_of(template) for template in cheapest}):
        dealt = cycle(seeded.sample(list(ANSWERS), len(ANSWERS)))
        for template in sorted(cheapest):
            if sort_of(template) == sort:
                yield from ((*cheapest[template], answer) for answer in islice(dealt, ANSWERS_OF_A_ROW))


def sort_of(template: Template) -> tuple[bool, bool]:
    """Return whether a request reads, and whether it is about one thing instead of a list."""
    path = template.path
    reads = template.method == "GET" or path.endswith(("/list", "/retrievecertificateactions"))
    return reads, path.endswith("*") or not reads


@pytest.mark.parametrize("answers", PARTS)
@pytest.mark.parametrize("name", FLEETS)
def test_one_sick_thing_holds_up_nothing_else(begin: Begin, rows: Rows, name: str, answers: tuple[str, ...]) -> None:
    """Whatever one thing answers for good, all others are carried, and a finding instead of a dead letter says it."""
    troubles = {}
    for fleet, thing, answer in whole_table(rows) if SOAKING else covering_part(rows):
        if fleet == name and answer in answers:
            trial = begin(name, thing, answer)
            trial.carry()
            found = list(trial.troubles(excused_by(thing, trial.fleet.world)))
            if found:
                troubles[f"{thing.template.method} {thing.path} answers {answer}"] = found
    assert troubles == {}


def test_covering_part_has_each_request_twice_and_each_answer_for_each_sort(rows: Rows) -> None:
    """Each kind of request is tried with two answers, and each answer with reads of lists, of things, and writes."""
    cells = list(covering_part(rows))
    asked = {thing.template for things in rows.values() for thing in things}
    assert {template: len({a for _, thing, a in cells if thing.template == template}) for template in asked} == (
        dict.fromkeys(asked, ANSWERS_OF_A_ROW)
    )
    met = {(sort_of(thing.template), answer) for _, thing, answer in cells}
    assert met == set(product({sort_of(template) for template in asked}, ANSWERS))


SICK_AT_ONCE = {
    "a subscription": Thing(ANY, f"management.azure.com/subscriptions/{FIRST}", f"/subscriptions/{FIRST}"),
    "a vault": Thing(ANY, "contoso-kv.vault.azure.net", "contoso-kv.vault.azure.net"),
    "all of Azure": Thing(ANY, "", ""),
}
"""What may be sick with everything in it."""


PLACES = (
    tuple(product(SICK_AT_ONCE, FLEETS, ANSWERS))
    if SOAKING
    else (
        ("a subscription", "webspaces", "429"),
        ("a vault", "webspaces", "no answer"),
        ("a vault", "orders", "500"),
        ("all of Azure", "orders", "503"),
    )
)


@pytest.mark.parametrize(("what", "name", "answer"), PLACES)
def test_everything_in_one_place_is_sick(begin: Begin, what: str, name: str, answer: str) -> None:
    """If a subscription or a vault answers nothing well, all others are carried, and each run ends within its time."""
    trial = begin(name, SICK_AT_ONCE[what], answer)
    trial.carry()
    assert list(trial.troubles(excused_by(SICK_AT_ONCE[what], trial.fleet.world))) == []


OF_COMPLIANCE = {Template("GET", "subscriptions/*/resourcegroups/*/providers/microsoft.web/sites/*/config/web")}
"""The requests that only the compliance sweep sends, which carries nothing (tests/scenarios/test_compliance.py)."""


def test_every_request_of_the_clients_is_in_the_table(rows: Rows) -> None:
    """Each request that a client of Certroll can send is sent in one of the fleets, so that it is in the table."""
    sent = {thing.template for things in rows.values() for thing in things}
    assert sent_by_clients() - sent == OF_COMPLIANCE
