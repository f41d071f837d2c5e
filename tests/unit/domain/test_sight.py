"""A handshake result says in words which certificate an address served."""

import pytest

from shared.domain.fleet.handshake import ServedCertificate
from shared.domain.names import HostName
from tests.build import HOST, NOW

NAMES = [f"{letter}.contoso.com" for letter in "abcdefgh"]


@pytest.mark.parametrize(
    ("served", "text"),
    [
        (
            ServedCertificate(HOST, frozenset(map(HostName, NAMES)), NOW),
            f"{HOST} serves a certificate for {', '.join(NAMES)}, which ends 2026-11-21 12:00 UTC",
        ),
        (
            ServedCertificate(HOST, not_after=NOW),
            f"{HOST} serves a certificate for no host name, which ends 2026-11-21 12:00 UTC",
        ),
        (ServedCertificate(HOST, detail="timed out"), f"{HOST} could not be reached: timed out"),
    ],
)
def test_what_is_served_is_told_in_a_stable_order(served: ServedCertificate, text: str) -> None:
    """A TLS handshake's result describes the same certificate with the same words in each run."""
    assert str(served) == text
