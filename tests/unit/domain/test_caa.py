"""Certroll reads CAA records however many blanks are between their parts."""

import pytest

from shared.domain.managed.caa import caa_violations
from shared.domain.managed.dns import DnsAnswer, RecordKind, Seen
from shared.domain.names import HostName


def answer(record: str) -> DnsAnswer:
    """Return the answer of a name server with one CAA record."""
    return DnsAnswer("contoso.com", RecordKind.CAA, Seen.RECORDS, (record,))


@pytest.mark.parametrize(
    ("record", "forbidden"),
    [
        pytest.param('0 issue "digicert.com"', False, id="one blank"),
        pytest.param('0  issue "digicert.com"', False, id="two blanks after the flags"),
        pytest.param('0 issue  "digicert.com" ', False, id="two blanks after the tag, and one at the end"),
        pytest.param('0  issue  "other.example"', True, id="two blanks, another authority"),
    ],
)
def test_blanks_of_a_caa_record_change_nothing(record: str, *, forbidden: bool) -> None:
    """A CAA record allows or forbids the same authority however many blanks are between its parts."""
    found = tuple(caa_violations(HostName("contoso.com"), lambda _name, _kind: answer(record)))
    assert bool(found) is forbidden
