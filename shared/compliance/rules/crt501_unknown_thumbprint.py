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
    """Fail an app whose load list names a thumbprint that neither its webspace nor a followed vault has."""
    settings = facts.settings_of(site.ref)
    if not settings.load_list:
        return not_applicable("its load list names no thumbprint")
    own = {copy.thumbprint for copy in facts.copies_at(site.ref)}
    unknown = sorted(name for name in set(settings.load_list) - own if not facts.objects_with(name))
    found = Evidence("WEBSITE_LOAD_CERTIFICATES", tuple(unknown[:MOST]), (), facts.fleet.taken_at, Source.SETTINGS)
    if not unknown:
        return passed(found)
    webspace = site.site.webspace
    if webspace is None or not facts.is_complete(webspace):
        raise NotSeen(Source.LIST, Gap.NOT_READ, f"all certificates within reach of {site.label}")
    elsewhere = [copy.copy.ref.name for copy in facts.copies if copy.copy.thumbprint in unknown]
    where = f"; {elsewhere[0]} in another webspace has it" if elsewhere else ""
    return failed(f"{site.label} names {unknown[0]}, which neither its webspace nor a vault has{where}", found)


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
    silent=(
        "A thumbprint of an earlier version that a followed vault knows; a root list, whose thumbprints may belong"
        " to another app of the plan; settings that only mention a thumbprint."
    ),
    examples=(
        Example(
            "the load list names a thumbprint of no certificate",
            changes.settings(WEBSITE_LOAD_CERTIFICATES="C" * 40),
            Status.FAIL,
        ),
        Example("the load list names the bound certificate", {}, Status.PASS),
        Example(
            "the load list also names the version before",
            changes.settings(WEBSITE_LOAD_CERTIFICATES=f"{'A' * 40},{'B' * 40}"),
            Status.PASS,
        ),
        Example(
            "a root list names a public certificate of another app",
            changes.settings(WEBSITE_LOAD_CERTIFICATES="", WEBSITE_LOAD_ROOT_CERTIFICATES="C" * 40),
            Status.NOT_APPLICABLE,
        ),
        Example("the app loads everything", changes.settings(WEBSITE_LOAD_CERTIFICATES="*"), Status.NOT_APPLICABLE),
        Example(
            "a setting mentions a thumbprint as data",
            changes.settings(WEBSITE_LOAD_CERTIFICATES="", ALLOWED=f"client {'C' * 40} only"),
            Status.NOT_APPLICABLE,
        ),
    ),
)
