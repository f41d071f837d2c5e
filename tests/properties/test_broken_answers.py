"""Whatever Azure answers, a client of Certroll returns a value or raises one of Certroll's own errors."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import timedelta
from functools import partial
from random import Random

import dns.exception
import dns.message
import dns.nameserver
import dns.query
import dns.rdatatype
import dns.rrset
import pytest
from azure.core.pipeline.transport import RequestsTransport
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.clients.network import tls_probe
from shared.clients.retrying import Retrying
from shared.domain.endpoints import CloudName
from shared.domain.errors import CertrollError, Unavailable
from shared.domain.names import InvalidNameError
from shared.ports import Ports
from tests.broken_answers import answering, broken_answer
from tests.build import ManualClock
from tests.chains import issued
from tests.client_calls import CLIENTS, NO_CLIENTS, calls_of, ports
from tests.properties.promises import times

DER = issued("EC", 1).leaf.public_bytes(Encoding.DER)


def ends(call: Callable[[], object]) -> CertrollError | None:
    """Call a client, and return the error of Certroll with which the call ended, or None. Any other error goes on."""
    try:
        result = call()
        if hasattr(result, "__enter__"):
            with result as lease:
                lease.check()
    except InvalidNameError as foreign:
        raise AssertionError(f"the callers of a client do not expect {foreign!r}") from foreign
    except CertrollError as known:
        return known
    return None


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RequestsTransport, "sleep", lambda *_: None)


@contextmanager
def broken_network(dice: Random) -> Iterator[list[str]]:
    """Break the answers to HTTP requests, TLS handshakes and DNS questions, and yield what was requested."""
    with answering(partial(broken_answer, dice=dice)) as asked, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tls_probe, "_certificate", lambda *_: _broken_certificate(dice))
        patch.setattr(dns.nameserver.Do53Nameserver, "query", lambda _, request, **__: _broken_dns(request, dice))
        yield asked


def _broken_certificate(dice: Random) -> bytes:
    if dice.random() < 0.3:
        raise dice.choice((ssl.SSLError("bad record"), ConnectionResetError("reset"), TimeoutError("late")))
    return broken_bytes(DER, dice)


def _broken_dns(request: dns.message.QueryMessage, dice: Random) -> dns.message.Message:
    if dice.random() < 0.2:
        raise dice.choice((OSError("unreachable"), EOFError(), dns.exception.FormError("bad")))
    answer = dns.message.make_response(request)
    kind = dns.rdatatype.RdataType.CNAME
    answer.answer.append(dns.rrset.from_text(request.question[0].name, 60, "IN", kind, "shop.azurewebsites.net."))
    heard = dns.message.from_wire(broken_bytes(answer.to_wire(), dice))
    if not request.is_response(heard):
        raise dns.query.BadResponse  # dnspython's own functions raise it for a foreign answer
    return heard


def broken_bytes(good: bytes, dice: Random) -> bytes:
    """Return the bytes with some bytes changed, or cut off."""
    changed = bytearray(good)
    for _ in range(dice.randrange(4)):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed[: dice.choice((len(changed), dice.randrange(len(changed))))])


@pytest.mark.parametrize("client", CLIENTS)
def test_broken_answers_end_in_a_known_error(client: str) -> None:
    """Each client returns a value or raises one of Certroll's own errors, whatever Azure answers.

    No client registers a resource provider, whatever Azure answers.
    """

    @times(0.3, soak=1)
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        dice = Random(seed)  # noqa: S311 - it breaks answers
        name, call = dice.choice(list(calls_of(getattr(ports(), client))))
        with broken_network(dice) as asked:
            try:
                ends(call)
            except BaseException as error:
                error.add_note(f"{client}.{name}, after {asked[-3:]}")
                raise
        assert not [request for request in asked if "/register?" in request]

    check()


@times(0.3, soak=1)
@given(st.integers(0, 2**32))
def test_broken_token_endpoint_ends_in_a_missing_token(seed: int) -> None:
    """Whatever the endpoint of the managed identity answers, a call fails for a missing token, or gets one.

    The answer of the token endpoint never reads as the answer of the resource, such as a 404 for a site.
    """
    dice = Random(seed)  # noqa: S311 - it breaks answers
    with pytest.MonkeyPatch.context() as patch, broken_network(dice):
        patch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token")
        patch.setenv("IDENTITY_HEADER", "header")
        patch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        credential = make_credential(CLOUDS[CloudName.PUBLIC], dice.choice((None, "client")))
        retrying = Retrying(ManualClock(), timedelta(0))
        error = ends(
            lambda: retrying.read("site shop", lambda: credential.get_token("https://vault.azure.net/.default"))
        )
    assert error is None or type(error) is Unavailable
    assert "no token for the identity" in str(error or "no token for the identity")


def test_every_client_has_calls() -> None:
    """The fuzz finds the methods of each client by itself, so that a new client or method is in it."""
    assert set(CLIENTS) == {field.name for field in fields(Ports)} - NO_CLIENTS
    found = {client: [name for name, _ in calls_of(getattr(ports(), client))] for client in CLIENTS}
    assert all(found.values())
    assert {"settings", "sites", "put_binding", "restart"} <= set(found["app_service"])


def test_the_fuzz_notices_a_foreign_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that lets an error of an SDK out fails the fuzz."""
    monkeypatch.setattr("shared.clients.retrying.translate", lambda error, *_, **__: error)
    unshrunk = settings(times(1), phases=[Phase.generate])
    monkeypatch.setitem(globals(), "times", lambda *_, **__: unshrunk)
    with pytest.raises(BaseException, match=r"(?s).+"):
        test_broken_answers_end_in_a_known_error("app_service")
