"""Apps that are asked by their probe path, and their real calls to a partner with a client certificate."""

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
    """A stand for all tests here."""
    with Stand() as stand:
        yield stand


@pytest.fixture
def out(running: Stand) -> Outbound:
    """A fresh caller, served by the stand."""
    out = Outbound()
    running.use(out.world)
    return out


@pytest.fixture
def stand(running: Stand, out: Outbound) -> Stand:
    """The stand that serves the caller."""
    assert running.world is out.world
    return running


def probe(stand: Stand, path: str = "/health") -> tuple[int, str]:
    """Return what the app answers."""
    return stand.visitor.ask(HOST, path)


def test_an_app_that_is_accepted_says_so(stand: Stand, out: Outbound) -> None:
    """The probe path answers 200 with the certificate that the partner has accepted."""
    assert probe(stand) == (200, f"ok {out.first.thumbprint}")


def test_other_paths_answer_as_ever(stand: Stand, out: Outbound) -> None:
    """Only the probe path makes the app call its partner."""
    out.partner.accept_only()
    assert probe(stand, "/") == (200, f"{HOST} is running.\n")
    assert probe(stand, "/health/more") == (200, f"{HOST} is running.\n")
    assert probe(stand, "/health?deep=1")[0] == 502


def test_the_probe_path_is_the_apps_own(stand: Stand, out: Outbound) -> None:
    """An app may have another probe path."""
    site = out.build.add_site("other", settings=out.site.settings)
    out.build.add_app(site, setting=PIN, probe="/api/ready")
    assert stand.visitor.ask("other.azurewebsites.net", "/api/ready") == (200, f"ok {out.first.thumbprint}")
    assert stand.visitor.ask("other.azurewebsites.net", "/health")[1] == "other.azurewebsites.net is running.\n"


def test_a_refused_app_says_with_what(stand: Stand, out: Outbound) -> None:
    """A partner that pins another thumbprint refuses, until it pins this one; the rule may change at any time."""
    out.partner.accept_only("AB")
    assert probe(stand) == (502, f"refused {out.first.thumbprint}")
    out.partner.accept_only(out.first.thumbprint)
    assert probe(stand) == (200, f"ok {out.first.thumbprint}")


def test_an_app_without_a_certificate_says_so(stand: Stand, out: Outbound) -> None:
    """A process that finds nothing under what it chose answers 500."""
    out.change(**{PIN: "AB"})
    assert probe(stand) == (500, "no certificate")


def test_a_stopped_site_answers_403(stand: Stand, out: Outbound) -> None:
    """A stopped site's app is not asked."""
    out.app.script = [(200, {}, "never")]
    out.arm.post(f"{out.site.id}/stop")
    assert probe(stand) == (403, "This site is stopped.\n")


def test_a_site_that_is_starting_answers_503(stand: Stand, out: Outbound) -> None:
    """After a stop nobody answers until the first process is up; other paths do not say so."""
    out.world.knobs.turn(restart_seconds=10)
    out.app.script = [(200, {}, "later")]
    out.arm.post(f"{out.site.id}/stop")
    out.arm.post(f"{out.site.id}/start")
    assert probe(stand) == (503, "starting")
    out.wait(10)
    assert probe(stand) == (200, "later")


def test_two_processes_answer_in_turn(stand: Stand, out: Outbound) -> None:
    """While an old process answers too, connections go to both in turn."""
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
    """Requests on one connection go to one process, whoever else connects meanwhile."""
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
    """A test may script what the app answers next, with headers; then it answers by itself again."""
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
    """A broken app answers 500 always, after what is scripted."""
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
    """What `Partner.accepts` says without a connection is what TLS says with one."""
    differences, welcome = CERTIFICATES[kind]
    content = out.vault.renew("client", **differences).imported()
    assert ends(stand, out, content) == (welcome, CallEnd.ACCEPTED if welcome else CallEnd.REFUSED)


def test_an_expired_certificate_is_accepted(stand: Stand, out: Outbound) -> None:
    """Dates are not judged, because the world's clock is not the machine's."""
    old = out.world.clock.now().replace(year=2020)
    content = out.vault.renew("client", not_before=old, not_after=old.replace(year=2021)).imported()
    assert ends(stand, out, content) == (True, CallEnd.ACCEPTED)


def test_a_chain_that_was_lost_is_refused(stand: Stand, out: Outbound) -> None:
    """A partner that trusts the root alone refuses a certificate that comes without its issuer, pinned or not."""
    leaf = out.first.leaf
    content = ImportedCertificate(**{**fields(out.first.imported()), "chain_pem": b""})
    assert ends(stand, out, content) == (False, CallEnd.REFUSED)
    out.partner.accept_only(leaf.thumbprint)
    assert ends(stand, out, content) == (False, CallEnd.REFUSED)


def test_a_self_signed_certificate_that_comes_twice_is_refused(stand: Stand, out: Outbound) -> None:
    """A certificate that is its own issuer and its own chain leads nowhere."""
    leaf = out.vault.renew("client", self_signed=True).leaf
    content = ImportedCertificate(**{**fields(imported(leaf)), "chain_pem": leaf.certificate_pem})
    assert ends(stand, out, content) == (False, CallEnd.REFUSED)


def test_a_partner_may_be_named_in_capitals(stand: Stand, out: Outbound) -> None:
    """A partner's name may be spelt as one likes."""
    woodgrove = out.build.add_partner("Woodgrove")
    assert stand.partners.call(woodgrove, out.first.imported()) is CallEnd.ACCEPTED


def test_a_chain_in_disorder_is_accepted(stand: Stand, out: Outbound) -> None:
    """What else comes along in a chain does no harm."""
    whole = out.first.imported()
    other = out.build.add_certificate("other", ["other.contoso.com"]).leaf.certificate_pem
    content = ImportedCertificate(**{**fields(whole), "chain_pem": other + whole.chain_pem + whole.chain_pem})
    assert ends(stand, out, content) == (True, CallEnd.ACCEPTED)


def fields(content: ImportedCertificate) -> dict[str, object]:
    """Return the fields of the content by name."""
    return {name: getattr(content, name) for name in content.__slots__}


def ends(stand: Stand, out: Outbound, content: ImportedCertificate) -> tuple[bool, CallEnd]:
    """Return what the pure look says, and how a real call ends."""
    return out.partner.accepts(content), stand.partners.call(out.partner, content)


def test_a_partner_wants_a_certificate(stand: Stand) -> None:
    """Without a client certificate nobody gets a word out of a partner."""
    connection = http.client.HTTPSConnection("127.0.0.1", stand.partners._port, context=trusting_anybody())
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(connection)
    connection.close()


def ask(connection: http.client.HTTPSConnection) -> int:
    """Return the status of an answer."""
    connection.request("GET", "/orders", headers={"Host": "fabrikam.partner.example"})
    return connection.getresponse().status


def trusting_anybody() -> ssl.SSLContext:
    """Return the context of a client who shows nothing and checks no name."""
    context = client_context()
    context.check_hostname = False
    return context


def test_partners_of_another_world_are_unknown(stand: Stand, out: Outbound) -> None:
    """A partner that the served world does not have refuses."""
    stranger = Outbound().build.add_partner("stranger")
    assert stand.partners.call(stranger, out.first.imported()) is CallEnd.REFUSED


def test_a_closed_partner_is_unreachable(out: Outbound) -> None:
    """Without the partner's server a call ends unreachable, and the probe says so with 502."""
    with Partners(out.world) as partners:
        pass
    assert partners.call(out.partner, out.first.imported()) is CallEnd.UNREACHABLE


def test_an_app_whose_partner_is_down_says_so(stand: Stand, out: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partner that nobody answers for is 502, with another word than a refusal."""
    with Partners(out.world) as closed:
        pass
    monkeypatch.setattr(stand.front_ends, "_partners", closed)
    assert probe(stand) == (502, f"unreachable {out.first.thumbprint}")
