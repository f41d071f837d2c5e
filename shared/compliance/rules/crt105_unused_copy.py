"""CRT105: a certificate in App Service is unused."""

from datetime import timedelta

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
from shared.domain.shown import Gap, NotSeen, Source

YOUNG = timedelta(days=30)
"""How old an unused certificate is at least when it becomes a finding."""


def check(copy: CopyFacts, facts: Facts) -> Verdict:
    """Fail a certificate that no site shows and no app can load, once it is thirty days old."""
    stored = copy.copy
    if stored.thumbprint is None or stored.ref.public:
        return not_applicable("its use cannot be seen in App Service")
    age = facts.now - (stored.created or copy.listed.moment("issueDate"))
    if age < YOUNG:
        return not_applicable("it is younger than thirty days, and somebody may be about to use it")
    found = Evidence("used by", (), None, copy.listed.read_at, Source.SETTINGS)
    if facts.bindings_of(stored.thumbprint, stored.webspace) or facts.named_by(stored.thumbprint):
        return passed(found)
    if not facts.is_complete(stored.webspace):
        raise NotSeen(Source.SETTINGS, Gap.NOT_READ, f"all users of webspace {stored.webspace.name}")
    for site in facts.sites:
        if site.site.webspace == stored.webspace:
            settings = facts.settings_of(site.ref)
            if stored.thumbprint in settings.mentioned:
                return passed(found)
            if site.site.flex or stored.loaded or settings.loads_everything or not site.site.windows_code:
                return not_applicable(f"{site.label} may load every certificate of the webspace")
    return failed(f"no host name of the webspace shows {stored.ref.name}, and no app names it", found)


RULE = Rule(
    id="CRT105",
    name="UnusedCopy",
    title="Nothing uses a certificate in App Service",
    why=(
        "A webspace takes 1,000 certificates. Old ones hide the ones that matter, and fill the webspace when lives"
        " get short."
    ),
    area=Area.CERTIFICATES,
    severity=Severity.LOW,
    citations=(
        Citation('Azure docs, "Add and manage TLS/SSL certificates", 1,000 per webspace'),
        Citation("Azure/azqr query 3e4f5a6b"),
    ),
    needs=frozenset({Source.LIST, Source.SETTINGS}),
    about=lambda facts: facts.copies,
    check=check,
    fix=Fix.REQUEST,
    remedy=(
        "az webapp config ssl delete --subscription {subscription} --resource-group {group} "
        "--certificate-thumbprint THUMBPRINT"
    ),
    silent=(
        "A webspace with an app that loads everything, runs on Linux or Flex Consumption, or whose settings nobody"
        " could read; a thumbprint anywhere in a setting; a certificate younger than thirty days; a managed or "
        "public one."
    ),
    examples=(
        Example("nothing uses the certificate", changes.unbound(), Status.FAIL),
        Example("a host name shows it", {}, Status.PASS),
        Example(
            "a setting has the thumbprint in a longer text",
            changes.both(changes.unbound(), changes.settings(CLIENTS=f"shop={'A' * 40};api=none")),
            Status.PASS,
        ),
        Example(
            "an app loads every certificate",
            changes.both(changes.unbound(), changes.settings(WEBSITE_LOAD_CERTIFICATES="*")),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "an app runs on Linux, where code reads files",
            changes.both(changes.unbound(), {"sites": {"shop": {"kind": "app,linux"}}}),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "nobody could read the app's settings",
            changes.both(changes.unbound(), {"sites": {"shop": {"settings": None}}}),
            Status.NOT_CHECKED,
        ),
        Example(
            "something in the subscription is hidden",
            changes.both(changes.unbound(), {"blind_spots": ["site of others"]}),
            Status.NOT_CHECKED,
        ),
        Example(
            "it was uploaded last week",
            changes.both(changes.unbound(), changes.certificate(created="2026-10-30T00:00:00+00:00")),
            Status.NOT_APPLICABLE,
        ),
    ),
)
