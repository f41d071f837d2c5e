"""Where Azure, our own storage and the name servers are."""

import pytest

from shared.domain.where import DnsServer


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
    """Addresses of both families are read, and without a port it is that of DNS."""
    assert DnsServer.parse(text) == server


@pytest.mark.parametrize(
    "text", ["", "dns.google", "dns.google:53", "10.0.0.4:", "10.0.0.4:x", "10.0.0.4:0", "10.0.0.4:65536", "10.0.0.4:²"]
)
def test_what_is_no_name_server_is_refused_with_an_example(text: str) -> None:
    """The cure is in the message, whatever is wrong."""
    with pytest.raises(ValueError, match=r"is no name server: write its address, or address and port: 10\.0\.0\.4:53"):
        DnsServer.parse(text)
