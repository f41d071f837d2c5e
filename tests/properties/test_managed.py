"""Test that Certroll judges the prerequisites of a managed certificate for every answer of DNS."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.managed.caa import AUTHORITY
from shared.domain.managed.dns import DnsAnswer, RecordKind, Seen
from shared.domain.managed.issuance import HostFacts, Place
from shared.domain.managed.prerequisites import violations
from shared.domain.names import HostName
from shared.domain.reason import Reason
from tests.build import site

APP = "shop.azurewebsites.net"
ADDRESS = "20.1.2.3"
PLACE = Place(site("shop", plan="/plan"), "West Europe", (ADDRESS,))
CAA = st.builds(
    "{} {} {}".format,
    st.sampled_from(["0", "128", "1", "", "x", "999999"]),
    st.sampled_from(["issue", "ISSUE", "issuewild", "iodef", "unheard", ""]),
    st.sampled_from([f'"{AUTHORITY}"', '"letsencrypt.org"', '";"', '"', "", f'" {AUTHORITY} ; a=b"']),
)
VALUES = st.one_of(st.text(max_size=30), st.sampled_from([APP, ADDRESS, "9.9.9.9", "x.trafficmanager.net"]), CAA)
ANSWERS = st.one_of(
    st.sampled_from([(Seen.NO_RECORDS, ()), (Seen.NO_NAME, ()), (Seen.NOTHING, ())]),
    st.tuples(st.just(Seen.RECORDS), st.lists(VALUES, min_size=1, max_size=3).map(tuple)),
)
HOSTS = st.sampled_from(["www.contoso.com", "contoso.com", "*.contoso.com", "a_b.contoso.com"])
FACTS = st.builds(HostFacts, st.booleans(), st.booleans())


@given(host=HOSTS, facts=FACTS, tier=st.sampled_from(["Basic", "Free", ""]), data=st.data())
def test_whatever_dns_says_is_judged(host: str, facts: HostFacts, tier: str, data: st.DataObject) -> None:
    """Certroll explains each problem that it finds in DNS, and reports a name whose DNS it could not read."""
    asked: dict[tuple[str, RecordKind], DnsAnswer] = {}

    def ask(name: str, kind: RecordKind) -> DnsAnswer:
        if (name, kind) not in asked:
            seen, records = data.draw(ANSWERS)
            asked[name, kind] = DnsAnswer(name, kind, seen, records)
        return asked[name, kind]

    found = violations(HostName(host), PLACE, tier, facts, ask)
    assert all(violation.reason.stalls for violation in found)
    assert all(finding.detail for finding in found)
    silent = any(answer.seen is Seen.NOTHING for answer in asked.values())
    assert silent == any(finding.reason is Reason.DNS_NOT_SEEN for finding in found)
