"""CRT408: a slot protects less than its site."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.rule import (
    Area,
    Citation,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Verdict,
    evidence,
    failed,
    not_applicable,
    passed,
)
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Source

COMPARED = ("clientCertEnabled", "clientCertMode", "clientCertExclusionPaths", "httpsOnly")
"""What App Service keeps with a slot, and compliance compares. TLS versions are CRT301's."""


def slot(**properties: object) -> changes.World:
    """Return a world in which the site has a slot, with other properties than those of the site in good order."""
    usual = {
        "state": "Running",
        "defaultHostName": "shop-blue.azurewebsites.net",
        "webSpace": "web-WestEuropewebspace",
        "httpsOnly": True,
        "clientCertEnabled": False,
        "clientCertMode": "Required",
        "clientCertExclusionPaths": None,
    }
    return {
        "sites": {"shop/blue": {"tags": {}, "config": None, "settings": None, "properties": {**usual, **properties}}}
    }


def shown_value(value: object) -> str | bool | None:
    """Return a property as evidence shows it."""
    return value if isinstance(value, (str, bool)) else None


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a slot whose client certificates, exclusions or HTTPS switch differ from those of its site."""
    production = facts.production_of(site)
    if production is None:
        return not_applicable("the site of the slot is not in the fleet")
    for name in COMPARED:
        if site.listed.value(name) != production.listed.value(name):
            return failed(
                f"{name} of {site.label} differs from its site",
                evidence(site.listed, name, shown_value(production.listed.value(name))),
            )
    return passed(evidence(site.listed, "httpsOnly", production.listed.boolean("httpsOnly")))


RULE = Rule(
    id="CRT408",
    name="SlotDiffers",
    title="A slot differs from its site in how it protects requests",
    why=(
        "A swap keeps these settings with the slot, so tests in the slot prove nothing for production, and an open"
        " slot shows the same data."
    ),
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.MEDIUM,
    citations=(Citation('Azure docs, "Set up staging environments", settings that are not swapped'),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: tuple(site for site in facts.sites if site.is_slot),
    check=check,
    fix=Fix.COMMAND,
    remedy="Give the slot the settings of its site, or waive the rule for a slot that is meant to differ.",
    silent="A slot without its site in the fleet. Waive it for development slots.",
    examples=(
        Example(
            "the slot has no client certificates and the site has",
            changes.both(changes.site(clientCertEnabled=True), slot(clientCertEnabled=False)),
            Status.FAIL,
        ),
        Example("the slot is like its site", slot(), Status.PASS),
        Example("the slot answers plain HTTP", slot(httpsOnly=False), Status.FAIL),
    ),
)
