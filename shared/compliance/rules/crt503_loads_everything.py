"""CRT503: an app loads every certificate of its webspace."""

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
from shared.domain.shown import Source

OTHER: changes.World = {
    "sites": {
        "api": {
            "tags": {},
            "config": None,
            "settings": {},
            "properties": {
                "state": "Running",
                "defaultHostName": "api.azurewebsites.net",
                "webSpace": "web-WestEuropewebspace",
            },
        }
    }
}


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail an app whose load list is `*`. Alone in its webspace it is less bad."""
    found = Evidence("WEBSITE_LOAD_CERTIFICATES", "*", None, facts.fleet.taken_at, Source.SETTINGS)
    if not facts.settings_of(site.ref).loads_everything:
        return passed()
    others = [
        other
        for other in facts.sites
        if other.site.webspace == site.site.webspace and other.ref.production != site.ref.production
    ]
    return failed(
        f"{site.label} loads every certificate of its webspace, which {len(others)} other sites share",
        found,
        severity=Severity.MEDIUM if others else Severity.LOW,
    )


RULE = Rule(
    id="CRT503",
    name="LoadsEverything",
    title="An app loads every certificate of its webspace",
    why="The app gets the private keys of all others in the webspace.",
    area=Area.SETTINGS,
    severity=Severity.MEDIUM,
    citations=(Citation('Azure docs, "Use TLS/SSL certificates in your application code"'),),
    needs=frozenset({Source.SETTINGS}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy="Name the thumbprints that the app needs in WEBSITE_LOAD_CERTIFICATES.",
    silent="Apps with a list of thumbprints.",
    examples=(
        Example(
            "an app loads everything, and another site shares its webspace",
            changes.both(changes.settings(WEBSITE_LOAD_CERTIFICATES="*"), OTHER),
            Status.FAIL,
            subject="site shop",
        ),
        Example("the app names its thumbprints", {}, Status.PASS),
        Example(
            "the app is alone in its webspace",
            changes.settings(WEBSITE_LOAD_CERTIFICATES="*"),
            Status.FAIL,
            Severity.LOW,
        ),
    ),
)
