"""Certroll reads the addresses of DNS name servers from its settings."""

import pytest

from shared.domain.endpoints import DnsServer


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("10.0.0.4", DnsServer("10.0.0.4", 53)),
        (" 10.0.0.4:5353 ", DnsServer("10.0.0.4", 5353)),
        ("10.0.0.4:1", DnsServer("10.0.0.4", 1)),
        ("10.0.0.4:65535", DnsServer("10.0.0.4", 65_535)),
        ("fd00::4", DnsServer("fd00::4", 53)),
        ("[fd00::4]", DnsServer("fd00::4", 53)),
        ("[fd00::4]:5353", DnsServer("fd00::4", 5353)),
    ],
)
def test_name_server_is_an_address_with_or_without_a_port(text: str, server: DnsServer) -> None:
    """Certroll reads a name server as an IPv4 or IPv6 address, by default with port 53."""
    assert DnsServer.parse(text) == server


@pytest.mark.parametrize(
    "text", ["", "dns.google", "dns.google:53", "10.0.0.4:", "10.0.0.4:x", "10.0.0.4:0", "10.0.0.4:65536", "10.0.0.4:²"]
)
def test_what_is_no_name_server_is_refused_with_an_example(text: str) -> None:
    """Certroll refuses a malformed name server with an error that shows a correct address."""
    with pytest.raises(ValueError, match=r"is no name server: write its address, or address and port: 10\.0\.0\.4:53"):
        DnsServer.parse(text)
