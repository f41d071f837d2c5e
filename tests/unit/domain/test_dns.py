"""Certroll looks up DNS records over real sockets and distinguishes missing records from failed lookups."""

from collections.abc import Iterator

import pytest

from local.azure.dns.server import DnsServer as LocalServer
from local.azure.world import World
from local.worlds.builders import Builder
from shared.clients.network.dns import Dns
from shared.domain.endpoints import DnsServer
from shared.domain.errors import OutOfTime
from shared.domain.managed.dns import DnsAnswer, RecordKind, Seen

HOST = "www.contoso.com"
ROOT = "contoso.com"
APP = "shop.azurewebsites.net"


@pytest.fixture(scope="module")
def build() -> Builder:
    """Return a builder of DNS records with a host name, its root domain and long CAA records."""
    build = Builder(World())
    build.add_root(ROOT, build.add_site("shop"))
    build.add_record(HOST, "CNAME", APP)
    build.add_record(ROOT, "CAA", '0 issue "digicert.com"')
    build.add_record(ROOT, "TXT", '"hello"')
    for number in range(60):
        build.add_record("long.contoso.com", "CAA", f'0 issue "authority-number-{number:03}.example.com"')
    return build


@pytest.fixture(scope="module")
def server(build: Builder) -> Iterator[LocalServer]:
    """Yield a DNS name server that answers with the records of the fixture `build`."""
    with LocalServer(lambda: build.world.dns) as running:
        yield running


@pytest.fixture(scope="module")
def dns(server: LocalServer) -> Dns:
    """Return a DNS client that asks that name server."""
    return Dns((DnsServer("127.0.0.1", server.port),), lifetime=2.0)


def test_records_are_plain_texts(dns: Dns, build: Builder) -> None:
    """Certroll returns each DNS record in the notation of a zone file, with no dot at the end of a name."""
    address = build.world.web.address_of(APP)
    assert dns.ask(HOST, RecordKind.CNAME) == DnsAnswer(HOST, RecordKind.CNAME, Seen.RECORDS, (APP,))
    assert dns.ask(HOST, RecordKind.A).records == (address,)
    assert dns.ask(ROOT, RecordKind.A).records == (address,)
    assert dns.ask(ROOT, RecordKind.CAA).records == ('0 issue "digicert.com"',)
    assert dns.ask(ROOT, RecordKind.SOA).seen is Seen.RECORDS


def test_nothing_is_not_the_same_as_no_name(dns: Dns) -> None:
    """Certroll distinguishes a DNS name without records of the requested type from a name that does not exist."""
    assert dns.ask(ROOT, RecordKind.CNAME) == DnsAnswer(ROOT, RecordKind.CNAME, Seen.NO_RECORDS)
    assert dns.ask(HOST, RecordKind.CAA).seen is Seen.NO_RECORDS
    assert dns.ask("nobody.contoso.com", RecordKind.A) == DnsAnswer("nobody.contoso.com", RecordKind.A, Seen.NO_NAME)


def test_answer_that_does_not_fit_is_asked_for_over_tcp(dns: Dns) -> None:
    """Certroll receives a complete DNS answer of several kilobytes, which needs TCP."""
    assert len(dns.ask("long.contoso.com", RecordKind.CAA).records) == 60


@pytest.mark.parametrize(("trouble", "word"), [("silent", "LifetimeTimeout"), ("servfail", "NoNameservers")])
def test_trouble_is_not_taken_for_an_answer(server: LocalServer, build: Builder, trouble: str, word: str) -> None:
    """A DNS lookup stays unanswered if the name server is silent or fails, and the detail names the error."""
    dns = Dns((DnsServer("127.0.0.1", server.port),), lifetime=0.2)
    build.world.dns.trouble(HOST, trouble)  # type: ignore[arg-type]
    answer = dns.ask(HOST, RecordKind.CNAME)
    build.world.dns.trouble(HOST, None)
    assert (answer.seen, answer.records) == (Seen.NOTHING, ())
    assert word in answer.detail


def test_question_that_the_run_cuts_is_not_taken_for_an_answer(server: LocalServer, build: Builder) -> None:
    """If the run ends before a name server answers, Certroll does not report the name server as silent."""
    dns = Dns((DnsServer("127.0.0.1", server.port),)).until(lambda: 0.2)
    build.world.dns.trouble(HOST, "silent")
    with pytest.raises(OutOfTime, match=f"the time of this run ended during a DNS question about {HOST}"):
        dns.ask(HOST, RecordKind.CNAME)
    build.world.dns.trouble(HOST, None)


def test_server_that_is_not_there_is_not_taken_for_an_answer() -> None:
    """A DNS lookup stays unanswered if no name server listens at the address."""
    with LocalServer(lambda: World().dns) as gone:  # If a name server is closed, its port becomes free.
        port = gone.port
    assert Dns((DnsServer("127.0.0.1", port),), lifetime=0.2).ask(HOST, RecordKind.A).seen is Seen.NOTHING


@pytest.mark.parametrize("name", ["x" * 64 + ".contoso.com", "a..contoso.com", "." * 3])
def test_name_that_is_none_is_not_taken_for_an_answer(dns: Dns, name: str) -> None:
    """A DNS lookup of a malformed name stays unanswered and raises no exception."""
    assert dns.ask(name, RecordKind.A).seen is Seen.NOTHING


def test_next_server_is_asked(server: LocalServer) -> None:
    """Certroll asks the second name server if the first does not answer."""
    dns = Dns((DnsServer("127.0.0.1", 9), DnsServer("127.0.0.1", server.port)), lifetime=3.0)
    assert dns.ask(HOST, RecordKind.CNAME).records == (APP,)
