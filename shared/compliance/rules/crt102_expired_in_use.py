"""CRT102: a certificate in use has ended."""

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
    not_applicable,
    passed,
)
from shared.compliance.subjects import CopyFacts
from shared.compliance.uses import used_at
from shared.domain.shown import Source

MOST = 5
"""How many places a finding names."""
ENDED = changes.certificate(issueDate="2026-05-15T00:00:00+00:00", expirationDate="2026-10-10T00:00:00+00:00")


def check(copy: CopyFacts, facts: Facts) -> Verdict:
    """Fail a certificate that has ended and is in use. On stopped sites alone it is less bad."""
    ends = copy.listed.moment("expirationDate")
    found = Evidence("expirationDate", ends.isoformat(), facts.now.isoformat(), copy.listed.read_at, copy.listed.source)
    if ends > facts.now:
        return passed(found)
    places = sorted(used_at(copy, facts))
    if not places:
        return not_applicable("no site shows it and no app names it")
    running = any(facts.site_by_ref[place].site.running for place in places)
    where = ", ".join(map(str, places[:MOST]))
    return failed(
        f"the certificate has ended on {ends:%Y-%m-%d %H:%M} UTC and is in use at {where}",
        found,
        severity=Severity.CRITICAL if running else Severity.HIGH,
    )


RULE = Rule(
    id="CRT102",
    name="ExpiredInUse",
    title="A certificate in use has ended",
    why="Every visitor of the site meets an error, or the app's calls are refused.",
    area=Area.CERTIFICATES,
    severity=Severity.CRITICAL,
    citations=(Citation('Azure docs, "Secure a custom DNS name with a TLS/SSL binding"'),),
    needs=frozenset({Source.LIST, Source.SETTINGS}),
    about=lambda facts: facts.copies,
    check=check,
    fix=Fix.ROTATION,
    remedy=("Renew the certificate in its vault, or import the newest version, and look why it was not carried."),
    silent="An unused certificate. Waive it where another TLS end stands in front of the site.",
    examples=(
        Example("the bound certificate has ended", ENDED, Status.FAIL),
        Example("the bound certificate is valid", {}, Status.PASS),
        Example(
            "only a stopped site uses it",
            changes.both(ENDED, changes.site(state="Stopped")),
            Status.FAIL,
            Severity.HIGH,
        ),
        Example(
            "an app names it in its settings, and no host name shows it",
            changes.both(ENDED, changes.host(sslState="Disabled", thumbprint=None)),
            Status.FAIL,
        ),
        Example(
            "a host name shows a managed certificate that has ended",
            changes.both(changes.managed("2026-04-10", "2026-10-10"), changes.host(thumbprint="D" * 40)),
            Status.FAIL,
        ),
        Example(
            "an imported certificate has replaced the managed one",
            {"certificates": {"managed": changes.managed_entry("2026-04-10", "2026-10-10")}},
            Status.NOT_APPLICABLE,
            subject="certificate web/managed",
        ),
        Example("nobody uses it", changes.both(ENDED, changes.unbound()), Status.NOT_APPLICABLE),
        Example(
            "nobody could read the settings of an app that may name it",
            changes.both(
                ENDED,
                changes.host(sslState="Disabled", thumbprint=None),
                {"sites": {"shop": {"settings": None}}},
            ),
            Status.NOT_CHECKED,
        ),
        Example(
            "a site that may use it is hidden",
            changes.both(ENDED, changes.unbound(), {"blind_spots": ["site of others"]}),
            Status.NOT_CHECKED,
        ),
    ),
)
