"""Test which CAA records let Azure's authority issue a managed certificate."""

import pytest

from shared.domain.managed.caa import caa_violations
from shared.domain.managed.dns import DnsAnswer, RecordKind, Seen
from shared.domain.names import HostName


@pytest.mark.parametrize(
    ("record", "allowed"),
    [
        pytest.param('0 issue "digicert.com"', True, id="as a zone file writes it"),
        pytest.param('0   issue   "digicert.com"  ', True, id="with more blanks"),
        pytest.param('0 ISSUE "DigiCert.com; policy=ev"', True, id="with parameters, in other letters"),
        pytest.param('0 issue "letsencrypt.org"', False, id="another authority"),
        pytest.param('0   issue   "letsencrypt.org"', False, id="another authority, with more blanks"),
        pytest.param('0 issue ";"', False, id="nobody"),
        pytest.param('128 tbs "x"', False, id="a critical record that nobody knows"),
        pytest.param('x tbs "x"', False, id="flags that nobody can read"),
        pytest.param('0 iodef "mailto:a@contoso.com"', True, id="no authority is named"),
    ],
)
def test_authority_is_read_as_the_zone_file_has_it(record: str, *, allowed: bool) -> None:
    """CAA records forbid a managed certificate only if they name other authorities or an unknown critical tag."""

    def ask(name: str, kind: RecordKind) -> DnsAnswer:
        return DnsAnswer(name, kind, Seen.RECORDS, (record,))

    assert (list(caa_violations(HostName("shop.contoso.com"), ask)) == []) is allowed
