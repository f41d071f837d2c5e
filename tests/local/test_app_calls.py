"""These tests send requests to an app's probe path, and the app calls a partner server over real TLS connections."""

import http.client
import ssl
from collections.abc import Iterator

import pytest

from local.azure.vault.authority import CLIENT_AUTH, SERVER_AUTH
from local.azure.vault.issued import ImportedCertificate, imported
from local.azure.vault.objects import Differences
from local.frontend.partners import CallEnd, Partners
from local.stand import Stand
from local.tls import client_context
from tests.local.outbound import HOST, PIN, Outbound


@pytest.fixture(scope="module")
def running() -> Iterator[Stand]:
    """Yield a running local Azure that all tests of this module share."""
    with Stand() as stand:
        yield stand


@pytest.fixture
def out(running: Stand) -> Outbound:
    """Build a site whose app calls a partner server, and let the local Azure serve it."""
    out = Outbound()
    running.use(out.world)
    return out


@pytest.fixture
def stand(running: Stand, out: Outbound) -> Stand:
    """Return the local Azure that serves the site."""
    assert running.world is out.world
    return running


def probe(stand: Stand, path: str = "/health") -> tuple[int, str]:
    """Return the status and body of the app's answer at that path."""
    return stand.visitor.ask(HOST, path)


def test_an_app_that_is_accepted_says_so(stand: Stand, out: Outbound) -> None:
    """The probe path answers 200 with the thumbprint of the certificate that the partner server accepted."""
    assert probe(stand) == (200, f"ok {out.first.thumbprint}")


def test_other_paths_answer_as_ever(stand: Stand, out: Outbound) -> None:
    """An app calls its partner server only for requests to its probe path."""
    out.partner.accept_only()
    assert probe(stand, "/") == (200, f"{HOST} is running.\n")
    assert probe(stand, "/health/more") == (200, f"{HOST} is running.\n")
    assert probe(stand, "/health?deep=1")[0] == 502


def test_the_probe_path_is_the_apps_own(stand: Stand, out: Outbound) -> None:
    """An app can have a probe path other than `/health`."""
    site = out.build.add_site("other", settings=out.site.settings)
    out.build.add_app(site, setting=PIN, probe="/api/ready")
    assert stand.visitor.ask("other.azurewebsites.net", "/api/ready") == (200, f"ok {out.first.thumbprint}")
    assert stand.visitor.ask("other.azurewebsites.net", "/health")[1] == "other.azurewebsites.net is running.\n"


def test_a_refused_app_says_with_what(stand: Stand, out: Outbound) -> None:
    """The probe path answers 502 with the thumbprint that the partner server refused.

    The probe path answers 200 as soon as the partner server accepts the app's thumbprint.
    """
    out.partner.accept_only("AB")
    assert probe(stand) == (502, f"refused {out.first.thumbprint}")
    out.partner.accept_only(out.first.thumbprint)
    assert probe(stand) == (200, f"ok {out.first.thumbprint}")


def test_an_app_without_a_certificate_says_so(stand: Stand, out: Outbound) -> None:
    """The probe path answers 500 if the app finds no certificate for its setting."""
    out.change(**{PIN: "AB"})
    assert probe(stand) == (500, "no certificate")


def test_a_stopped_site_answers_403(stand: Stand, out: Outbound) -> None:
    """A stopped site answers 403, and its app does not receive the request."""
    out.app.script = [(200, {}, "never")]
    out.arm.post(f"{out.site.id}/stop")
    assert probe(stand) == (403, "This site is stopped.\n")


def test_a_site_that_is_starting_answers_503(stand: Stand, out: Outbound) -> None:
    """A site that starts after a stop answers 503 at its probe path until its first process is up."""
    out.world.knobs.turn(restart_seconds=10)
    out.app.script = [(200, {}, "later")]
    out.arm.post(f"{out.site.id}/stop")
    out.arm.post(f"{out.site.id}/start")
    assert probe(stand) == (503, "starting")
    out.wait(10)
    assert probe(stand) == (200, "later")


def test_two_processes_answer_in_turn(stand: Stand, out: Outbound) -> None:
    """New connections alternate between the old and the new process while both processes answer."""
    out.world.knobs.turn(old_process_answers=60)
    second = out.vault.renew("client")
    out.build.add_upload(second, out.plan)
    out.pin(second)
    seen = [probe(stand)[1].removeprefix("ok ") for _ in range(4)]
    assert sorted(seen[:2]) == sorted([out.first.thumbprint, second.thumbprint])
    assert seen[2:] == seen[:2]
    out.wait(60)
    assert {probe(stand)[1] for _ in range(2)} == {f"ok {second.thumbprint}"}


def test_a_connection_stays_with_its_process(stand: Stand, out: Outbound) -> None:
    """All requests on a connection reach the same process, even if other clients connect in between."""
    out.world.knobs.turn(old_process_answers=60)
    out.change(**{PIN: "AB"})
    connection = http.client.HTTPSConnection(*stand.proxy.address, context=client_context())
    connection.set_tunnel(HOST, 443)
    seen = set()
    for _ in range(3):
        connection.request("GET", "/health")
        with connection.getresponse() as answer:
            seen.add(answer.status)
            answer.read()
        probe(stand)
        probe(stand)
        probe(stand)
    connection.close()
    assert len(seen) == 1


def test_scripted_answers_come_first(stand: Stand, out: Outbound) -> None:
    """A simulated app first gives its scripted answers, and then answers by itself again."""
    out.app.script = [(500, {}, "one"), (302, {"Location": "https://elsewhere.example/"}, "")]
    assert probe(stand) == (500, "one")
    connection = http.client.HTTPSConnection(*stand.proxy.address, context=client_context())
    connection.set_tunnel(HOST, 443)
    connection.request("GET", "/health")
    with connection.getresponse() as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "https://elsewhere.example/")
    connection.close()
    assert probe(stand)[0] == 200


def test_a_broken_app_is_broken_whatever_it_holds(stand: Stand, out: Outbound) -> None:
    """A simulated app that is broken answers 500 to every request after its scripted answers."""
    out.app.broken = True
    out.app.script = [(200, {}, "for once")]
    assert [probe(stand) for _ in range(3)] == [(200, "for once"), (500, "broken"), (500, "broken")]


CERTIFICATES: dict[str, tuple[Differences, bool]] = {
    "an ordinary one": ({}, True),
    "an elliptic curve": ({"key_type": "EC", "key_size": 256}, True),
    "for clients alone": ({"usages": [CLIENT_AUTH]}, True),
    "for anything": ({"usages": []}, True),
    "for servers alone": ({"usages": [SERVER_AUTH]}, False),
    "self-signed": ({"self_signed": True}, False),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_the_pure_look_and_the_real_call_agree(stand: Stand, out: Outbound, kind: str) -> None:
    """`Partner.accepts`, which makes no connection, gives the same result as a TLS connection to the partner server."""
    differences, welcome = CERTIFICATES[kind]
    content = out.vault.renew("client", **differences).imported()
    assert ends(stand, out, content) == (welcome, CallEnd.ACCEPTED if welcome else CallEnd.REFUSED)


def test_an_expired_certificate_is_accepted(stand: Stand, out: Outbound) -> None:
    """A partner server ignores a certificate's dates, because the simulated clock differs from the machine's clock."""
    old = out.world.clock.now().replace(year=2020)
    content = out.vault.renew("client", not_before=old, not_after=old.replace(year=2021)).imported()
    assert ends(stand, out, content) == (True, CallEnd.ACCEPTED)


def test_a_chain_that_was_lost_is_refused(stand: Stand, out: Outbound) -> None:
    """A partner server refuses a client certificate without its issuing CA, even a listed client certificate."""
    leaf = out.first.leaf
    content = ImportedCertificate(**{**fields(out.first.imported()), "chain_pem": b""})
    assert ends(stand, out, content) == (False, CallEnd.REFUSED)
    out.partner.accept_only(leaf.thumbprint)
    assert ends(stand, out, content) == (False, CallEnd.REFUSED)


def test_a_self_signed_certificate_that_comes_twice_is_refused(stand: Stand, out: Outbound) -> None:
    """A partner server refuses a self-signed certificate, even if the certificate is also sent as its own chain."""
    leaf = out.vault.renew("client", self_signed=True).leaf
    content = ImportedCertificate(**{**fields(imported(leaf)), "chain_pem": leaf.certificate_pem})
    assert ends(stand, out, content) == (False, CallEnd.REFUSED)


def test_a_partner_may_be_named_in_capitals(stand: Stand, out: Outbound) -> None:
    """A call reaches a partner server whose host name has capital letters."""
    woodgrove = out.build.add_partner("Woodgrove")
    assert stand.partners.call(woodgrove, out.first.imported()) is CallEnd.ACCEPTED


def test_a_chain_in_disorder_is_accepted(stand: Stand, out: Outbound) -> None:
    """A partner server accepts a certificate whose chain contains duplicate or unrelated certificates."""
    whole = out.first.imported()
    other = out.build.add_certificate("other", ["other.contoso.com"]).leaf.certificate_pem
    content = ImportedCertificate(**{**fields(whole), "chain_pem": other + whole.chain_pem + whole.chain_pem})
    assert ends(stand, out, content) == (True, CallEnd.ACCEPTED)


def fields(content: ImportedCertificate) -> dict[str, object]:
    """Return the fields of the certificate content by name."""
    return {name: getattr(content, name) for name in content.__slots__}


def ends(stand: Stand, out: Outbound, content: ImportedCertificate) -> tuple[bool, CallEnd]:
    """Return the result of `Partner.accepts`, and the outcome of a real call to the partner server."""
    return out.partner.accepts(content), stand.partners.call(out.partner, content)


def test_a_partner_wants_a_certificate(stand: Stand) -> None:
    """A partner server that requires a client certificate does not answer a client without a certificate."""
    connection = http.client.HTTPSConnection("127.0.0.1", stand.partners._port, context=trusting_anybody())
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(connection)
    connection.close()


def ask(connection: http.client.HTTPSConnection) -> int:
    """Send a request to the partner server, and return the status of the answer."""
    connection.request("GET", "/orders", headers={"Host": "fabrikam.partner.example"})
    return connection.getresponse().status


def trusting_anybody() -> ssl.SSLContext:
    """Return the TLS context of a client that sends no certificate and checks no host name."""
    context = client_context()
    context.check_hostname = False
    return context


def test_partners_of_another_world_are_unknown(stand: Stand, out: Outbound) -> None:
    """A call to a partner server of another simulated Azure is refused."""
    stranger = Outbound().build.add_partner("stranger")
    assert stand.partners.call(stranger, out.first.imported()) is CallEnd.REFUSED


def test_a_closed_partner_is_unreachable(out: Outbound) -> None:
    """A call to a partner server ends as `UNREACHABLE` if the partner server is closed."""
    with Partners(out.world) as partners:
        pass
    assert partners.call(out.partner, out.first.imported()) is CallEnd.UNREACHABLE


def test_an_app_whose_partner_is_down_says_so(stand: Stand, out: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe path answers 502 `unreachable` if the partner server is down, and not `refused`."""
    with Partners(out.world) as closed:
        pass
    monkeypatch.setattr(stand.front_ends, "_partners", closed)
    assert probe(stand) == (502, f"unreachable {out.first.thumbprint}")
