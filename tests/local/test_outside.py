"""These tests check for which hosts a person's tools bypass the proxy, and that no host of Azure is among them."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.utils import should_bypass_proxies

from local.azure.scripting.clock import Clock
from local.azure.vault.authority import server_leaf
from local.azure.wire import Response
from local.environment import of_this_process
from local.http_wire import converse
from local.listener import Connection, Listener
from local.outside import DIRECT, NEVER, NotAllowed, no_proxy
from local.patience import HANG
from local.stand import Stand
from local.tls import server_context
from local.worlds.named import WORLDS


@pytest.fixture
def stand() -> Iterator[Stand]:
    """Yield a running local Azure with the fleet Contoso."""
    with Stand() as stand:
        stand.seed("contoso")
        yield stand


@pytest.mark.parametrize("domain", NEVER)
def test_no_name_of_azure_can_be_on_the_list(domain: str) -> None:
    """The list refuses each host of Azure or Microsoft, each parent of such a host, and each suffix."""
    parent = domain.partition(".")[2]
    for name in (domain, f"x.{domain}", f"a.b.{domain}", f".{domain}", f"*.{domain}", domain.upper(), parent):
        with pytest.raises(NotAllowed):
            no_proxy([name])


@pytest.mark.parametrize("name", ["*", "com", ".com", "10.0.0.1", "169.254.169.254", "pypi.org,windows.net", "a b.org"])
def test_only_exact_names_are_on_the_list(name: str) -> None:
    """The list takes exact host names: no wildcard, no suffix, no address and no list."""
    with pytest.raises(NotAllowed):
        no_proxy([name])


def test_the_list_has_the_hosts_of_git_and_pip() -> None:
    """The names that `git` and `pip` need are on the list, after loopback, and each name is exact."""
    assert no_proxy().split(",") == ["127.0.0.1", "localhost", *DIRECT]
    assert {"github.com", "pypi.org", "files.pythonhosted.org"} <= set(DIRECT)


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_no_host_of_a_simulated_fleet_is_on_the_list(world: str) -> None:
    """No tool reaches a host name of a simulated fleet on the internet."""
    sites = WORLDS[world](Clock(), 0).web.sites.values()
    names = {host.name.removeprefix("*.") for site in sites for host in site.hosts.values()}
    assert not [name for name in names for direct in DIRECT if name == direct or name.endswith(f".{direct}")]


def test_the_product_has_no_way_past_the_proxy(stand: Stand) -> None:
    """The environment of the Function App leads every host but loopback to the proxy, and trusts no public root."""
    variables = stand.environment()
    assert variables["NO_PROXY"] == variables["no_proxy"] == "127.0.0.1,localhost"
    context = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    "host",
    [
        "unknown.vault.azure.net",
        "unknown.azurewebsites.net",
        "graph.microsoft.com",
        "graph.windows.net",
        "unknown.blob.core.windows.net",
        "github.com",
    ],
)
def test_a_person_reaches_no_other_host_through_the_proxy(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """The proxy refuses an unknown vault, an unknown site and Graph, and passes nothing on for git and pip either."""
    for name, value in stand.environment_of_person().items():
        monkeypatch.setenv(name, value)
    proxies = {"https": stand.environment_of_person()["HTTPS_PROXY"]}
    assert should_bypass_proxies(f"https://{host}/", None) is (host in DIRECT)
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.ProxyError, match="502"):
            session.get(f"https://{host}/", proxies=proxies, timeout=HANG)


@pytest.mark.parametrize("url", ["https://pypi.org/simple/", "https://files.pythonhosted.org/packages/x.whl"])
def test_pip_goes_past_the_proxy(stand: Stand, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """requests, with which pip downloads, connects to the hosts of PyPI without the proxy, and trusts public roots."""
    for name, value in stand.environment_of_person().items():
        monkeypatch.setenv(name, value)
    with requests.Session() as session:
        settings = session.merge_environment_settings(url, {}, None, None, None)
        bundle = settings["verify"]
    assert should_bypass_proxies(url, None)
    issuers = ssl.create_default_context(cafile=str(bundle)).get_ca_certs()
    assert len(issuers) > 50, "the public authorities and the local one"
    assert "Certroll Local Root CA" in str(issuers)


def test_git_goes_past_the_proxy(stand: Stand, tmp_path: Path) -> None:
    """`git` connects to github.com without the proxy: a listener in the place of github.com gets the request."""
    leaf, asked = server_leaf("github.com"), []
    context = server_context(leaf.certificate_pem + leaf.chain_pem, leaf.private_key_pem)

    def serve(connection: Connection) -> None:
        secure = connection.secure(context)
        with secure.makefile("rb") as stream:
            converse(stream, secure.sendall, lambda request: asked.append(request.path) or Response(404))

    with Listener(serve, "github") as listener:
        port = listener.listen()
        options = ["-c", f"http.curloptResolve=github.com:{port}:127.0.0.1"]
        command = ["git", *options, "ls-remote", f"https://github.com:{port}/certroll"]
        variables = of_this_process() | stand.environment_of_person() | {"GIT_CONFIG_GLOBAL": "/dev/null"}
        variables |= {"GIT_SSL_CAINFO": variables["SSL_CERT_FILE"], "GIT_TERMINAL_PROMPT": "0", "HOME": str(tmp_path)}
        subprocess.run(command, env=variables, capture_output=True, check=False)  # noqa: S603 - git
    assert asked == ["/certroll/info/refs"]
