"""These tests show that unmodified SDK clients reach the local Azure by environment variables alone."""

import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential  # noqa: TID251
from azure.keyvault.certificates import CertificateClient, CertificatePolicy
from azure.mgmt.web import WebSiteManagementClient

from local.azure.entra.tokens import CERTROLL, OPERATOR, TENANT, token
from local.azure.scripting.faults import Fault
from local.azure.wire import Request
from local.azure.world import Subscription, World
from local.patience import HANG
from local.stand import Stand
from local.yardstick import yardstick

SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
VAULT_URL = "https://kv-shop.vault.azure.net"


def new_world(seed: int = 0) -> World:
    """Return a simulated Azure with one vault and one certificate."""
    world = World(seed=seed)
    world.subscriptions[SUBSCRIPTION] = Subscription(SUBSCRIPTION, "Shop")
    world.vaults["kv-shop"] = world.new_vault("kv-shop", subscription=SUBSCRIPTION, resource_group="rg-keys")
    world.vaults["kv-shop"].add("shop", ["shop.contoso.com"])
    return world


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """Yield a running local Azure whose environment variables this process uses."""
    with Stand(new_world()) as stand:
        for name, value in stand.environment().items():
            monkeypatch.setenv(name, value)
        yield stand


def test_default_credential_reads_certificate(stand: Stand) -> None:
    """DefaultAzureCredential and CertificateClient read a certificate with their default options."""
    newest = stand.world.vaults["kv-shop"].certificates["shop"].newest
    with DefaultAzureCredential() as credential, CertificateClient(VAULT_URL, credential) as client:
        found = client.get_certificate("shop")
        versions = [version.version for version in client.list_properties_of_certificate_versions("shop")]
    assert found.properties.x509_thumbprint.hex().upper() == newest.thumbprint
    assert versions == [newest.id]


def test_client_secret_credential_creates_certificate(stand: Stand) -> None:
    """An application with a client secret creates a certificate through the SDK's poller."""
    policy = CertificatePolicy("Self", subject="CN=new.contoso.com", san_dns_names=["new.contoso.com"])
    with (
        ClientSecretCredential(TENANT, OPERATOR.client_id, OPERATOR.secret or "") as credential,
        CertificateClient(VAULT_URL, credential) as client,
    ):
        created = client.begin_create_certificate("new", policy, _polling_interval=0).result()
    assert created.name == "new"  # type: ignore[union-attr]  # no operation is left
    assert stand.world.vaults["kv-shop"].certificates["new"].newest.host_names == ("new.contoso.com",)


def test_wrong_secret_gets_no_token(stand: Stand) -> None:
    """Entra refuses a wrong client secret with an error that the SDK understands."""
    assert stand.proxy.port
    with (
        ClientSecretCredential(TENANT, OPERATOR.client_id, "wrong") as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        credential.get_token("https://vault.azure.net/.default")


def test_management_client_reaches_arm(stand: Stand) -> None:
    """The web management client lists certificates at ARM's real host name, with Certroll's identity."""
    with ManagedIdentityCredential() as credential, WebSiteManagementClient(credential, SUBSCRIPTION) as client:
        assert list(client.certificates.list()) == []
    (entry,) = stand.world.journal.entries()
    assert (entry.host, entry.principal) == ("management.azure.com", CERTROLL.object_id)


def test_identity_endpoint_checks_its_header(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity endpoint issues no token without the right header."""
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    assert stand.proxy.port
    with ManagedIdentityCredential() as credential, pytest.raises(ClientAuthenticationError):
        credential.get_token("https://vault.azure.net/.default")


def test_open_clients_meet_the_next_world(stand: Stand) -> None:
    """An open SDK client reads the new simulated Azure after the test has replaced the old simulated Azure."""
    with DefaultAzureCredential() as credential, CertificateClient(VAULT_URL, credential) as client:
        before = client.get_certificate("shop").properties.version
        stand.use(new_world(seed=1))
        after = client.get_certificate("shop").properties.version
    assert after == stand.world.vaults["kv-shop"].certificates["shop"].newest.id != before


def test_requests_on_an_open_connection_are_cheap(stand: Stand) -> None:
    """A hundred requests on a connection take less processor time than five yardsticks (a fixed piece of work)."""
    with tls_to(stand, "management.azure.com") as connection:
        client = http.client.HTTPConnection("management.azure.com")
        client.sock = connection
        before = time.process_time()
        for _ in range(100):
            client.request("GET", "/subscriptions?api-version=2022-12-01")
            client.getresponse().read()
        spent = time.process_time() - before
        client.close()
    assert spent < 5 * yardstick()


def tls_to(stand: Stand, host: str) -> ssl.SSLSocket:
    """Return a TLS connection to a host through the proxy."""
    tunnel = socket.create_connection(stand.proxy.address, timeout=HANG)
    tunnel.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert tunnel.recv(1024).startswith(b"HTTP/1.1 200")
    context = ssl.create_default_context(cafile=str(stand.proxy.ca_path))
    return context.wrap_socket(tunnel, server_hostname=host)


def test_chunked_body_and_expectation_are_understood(stand: Stand) -> None:
    """The local Azure accepts a body that a client sends in chunks after `100 Continue`."""
    form = f"client_id={OPERATOR.client_id}&client_secret={OPERATOR.secret}&scope=https://vault.azure.net/.default"
    head = (
        f"POST /{TENANT}/oauth2/v2.0/token HTTP/1.1\r\nHost: login.microsoftonline.com\r\n"
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    with tls_to(stand, "login.microsoftonline.com") as connection, connection.makefile("rb") as stream:
        connection.sendall(head.encode())
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        stream.readline()
        for piece in (form[:20], form[20:]):
            connection.sendall(f"{len(piece):x}\r\n{piece}\r\n".encode())
        connection.sendall(b"0\r\n\r\n")
        answer = stream.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["access_token"].count(".") == 2


@pytest.mark.parametrize("host", ["example.com", "unknown.vault.azure.net", "127.0.0.1", "[::1]"])
def test_other_hosts_are_out_of_reach(stand: Stand, host: str) -> None:
    """The proxy refuses every host that the local Azure does not simulate, including loopback."""
    with socket.create_connection(stand.proxy.address, timeout=HANG) as tunnel:
        tunnel.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
        assert tunnel.recv(1024).startswith(b"HTTP/1.1 502")


def test_the_reason_stands_in_the_status_line(stand: Stand) -> None:
    """A refused CONNECT has its reason in the first line, which clients show, and no byte of the client breaks it."""
    for host, shown in (("kv-none.vault.azure.net", "kv-none.vault.azure.net"), ("b\xfc\x07cher.de", "b??cher.de")):
        with socket.create_connection(stand.proxy.address, timeout=HANG) as connection:
            connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode("latin-1"))
            first = connection.makefile("rb").readline()
        assert first == f"HTTP/1.1 502 The local Azure has no host {shown}.\r\n".encode()


def test_plain_requests_are_refused(stand: Stand) -> None:
    """The proxy answers 405 to a request other than CONNECT."""
    with socket.create_connection(stand.proxy.address, timeout=HANG) as tunnel:
        tunnel.sendall(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert tunnel.recv(1024).startswith(b"HTTP/1.1 405")


def test_nonsense_ends_one_connection_only(stand: Stand) -> None:
    """The proxy closes the connection of a client that does not speak HTTP, and serves the next client."""
    with socket.create_connection(stand.proxy.address, timeout=HANG) as tunnel:
        tunnel.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert tunnel.recv(1024) == b""
    tls_to(stand, "management.azure.com").close()


def test_dropped_connection_gives_no_answer(stand: Stand) -> None:
    """A scripted fault of the kind `dropped` closes the client's connection without an answer."""
    stand.world.faults.add(Fault("dropped"))
    with tls_to(stand, "management.azure.com") as connection:
        bearer = token(TENANT, OPERATOR, "https://management.azure.com", 0)
        head = f"GET /subscriptions HTTP/1.1\r\nHost: management.azure.com\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1024) == b""


def test_no_fault_strikes_a_request_without_a_token(stand: Stand) -> None:
    """A request without a token, which SDK clients send first, uses up no scripted fault."""
    fault = Fault("server_error", host="vault")
    stand.world.faults.add(fault)
    bare = Request.to("GET", f"{VAULT_URL}/certificates/shop/?api-version=7.4")
    assert stand.proxy.azure.handle(bare).status == 401
    assert fault.strikes == 0


def test_stand_starts_cheaply_and_again(stand: Stand) -> None:
    """Each start of the local Azure takes less processor time than five yardsticks (a fixed piece of work)."""
    before = time.process_time()
    for _ in range(3):
        with Stand(new_world()) as another:
            assert another.proxy.port != stand.proxy.port
    assert (time.process_time() - before) / 3 < 5 * yardstick()


def test_child_process_needs_the_environment_only(stand: Stand) -> None:
    """A child process reaches the local Azure through its environment variables alone."""
    program = (
        "import os, ssl, http.client, urllib.parse as u\n"
        "p = u.urlsplit(os.environ['HTTPS_PROXY'])\n"
        "c = http.client.HTTPSConnection(p.hostname, p.port, context=ssl.create_default_context())\n"
        "c.set_tunnel('management.azure.com', 443)\n"
        "c.request('GET', '/subscriptions?api-version=2022-12-01')\n"
        "print(c.getresponse().status)\n"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, env=stand.environment(), capture_output=True, text=True, timeout=HANG, check=True)  # noqa: S603 - our own program
    assert run.stdout.strip() == "401"
