"""CRT501: an app setting names a certificate that is not there."""

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
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Gap, NotSeen, Source

MOST = 5
"""How many thumbprints a finding names."""


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail an app whose lists name a thumbprint that no certificate within its reach has."""
    settings = facts.settings_of(site.ref)
    listed = (*settings.load_list, *settings.root_list)
    if not listed:
        return not_applicable("its load list and root list name no thumbprint")
    own = {copy.thumbprint for copy in (*facts.copies_at(site.ref), *facts.fleet.roots_of(site.ref))}
    roots = {root.thumbprint for root in facts.fleet.roots}
    unknown = sorted(set(listed) - own - roots)
    found = Evidence("WEBSITE_LOAD_CERTIFICATES", tuple(unknown[:MOST]), (), facts.fleet.taken_at, Source.SETTINGS)
    if not unknown:
        return passed(found)
    webspace = site.site.webspace
    if webspace is None or not facts.is_complete(webspace):
        raise NotSeen(Source.LIST, Gap.NOT_READ, f"all certificates within reach of {site.label}")
    elsewhere = [copy.copy.ref.name for copy in facts.copies if copy.copy.thumbprint in unknown]
    where = f"; {elsewhere[0]} in another webspace has it" if elsewhere else ""
    return failed(f"{site.label} names {unknown[0]}, which no certificate of its webspace has{where}", found)


RULE = Rule(
    id="CRT501",
    name="UnknownThumbprint",
    title="An app setting names a certificate that is not there",
    why="The app does not find its certificate when it starts next, and its calls fail.",
    area=Area.SETTINGS,
    severity=Severity.HIGH,
    citations=(Citation("Microsoft Q&A 5916603"),),
    needs=frozenset({Source.LIST, Source.SETTINGS}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy="Import the certificate into the webspace of the app, or take the thumbprint out of the setting.",
    silent="Apps without lists. Settings that only mention a thumbprint are data, and no finding.",
    examples=(
        Example(
            "the load list names a thumbprint of no certificate",
            changes.settings(WEBSITE_LOAD_CERTIFICATES="C" * 40),
            Status.FAIL,
        ),
        Example("the load list names the bound certificate", {}, Status.PASS),
        Example("the app loads everything", changes.settings(WEBSITE_LOAD_CERTIFICATES="*"), Status.NOT_APPLICABLE),
        Example(
            "a setting mentions a thumbprint as data",
            changes.settings(WEBSITE_LOAD_CERTIFICATES="", ALLOWED=f"client {'C' * 40} only"),
            Status.NOT_APPLICABLE,
        ),
    ),
)
