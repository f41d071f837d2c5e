"""CRT124: a Flex Consumption app has no room for another certificate."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.rule import (
    Area,
    Citation,
    Evidence,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Verdict,
    failed,
    passed,
)
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Gap, NotSeen, Source

MOST = 3
"""How many private certificates a Flex Consumption app may have."""
FLEX = changes.both(changes.site(sku="FlexConsumption"), changes.unbound())


def own_certificates(number: int) -> changes.World:
    """Return a world in which the app has so many certificates of its own."""
    names = [f"own{place}" for place in range(number)]
    return {"certificates": {name: _own(place) for place, name in enumerate(names)}}


def _own(place: int) -> dict[str, object]:
    return {
        "site": "shop",
        "thumbprint": f"{place}" * 40,
        "hostNames": ["www.contoso.com"],
        "subjectName": "www.contoso.com",
        "issuer": "Contoso Public CA",
        "issueDate": "2026-09-15T00:00:00+00:00",
        "expirationDate": "2027-03-15T00:00:00+00:00",
    }


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a Flex Consumption app with three private certificates of its own."""
    own = [copy.ref.name for copy in facts.copies_at(site.ref) if copy.site == site.ref and not copy.ref.public]
    found = Evidence("certificates", tuple(sorted(own)[:MOST]), None, facts.fleet.taken_at, Source.LIST)
    if len(own) >= MOST:
        return failed(f"{site.label} has {len(own)} certificates of its own", found)
    if site.site.webspace is None or not facts.is_complete(site.site.webspace):
        raise NotSeen(Source.LIST, Gap.NOT_READ, f"all certificates of {site.label}")
    return passed(found)


RULE = Rule(
    id="CRT124",
    name="FlexFull",
    title="A Flex Consumption app has no room for another certificate",
    why="A renewal that needs a second certificate next to the first one fails.",
    area=Area.CERTIFICATES,
    severity=Severity.MEDIUM,
    citations=(Citation("Microsoft Q&A 5927898"),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: tuple(site for site in facts.sites if site.site.flex),
    check=check,
    fix=Fix.REQUEST,
    remedy="Delete a certificate of the app that nothing uses.",
    silent="Other plans. The limit of three has one source, a moderator's answer.",
    examples=(
        Example("the app has three certificates", changes.both(FLEX, own_certificates(3)), Status.FAIL),
        Example("the app has two certificates", changes.both(FLEX, own_certificates(2)), Status.PASS),
    ),
)
