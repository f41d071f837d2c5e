"""CRT408: a slot protects less than its site."""

from shared.compliance import changes
from shared.compliance.client_certs import asks
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
from shared.compliance.tls_versions import tls_version
from shared.domain.shown import Source

SWITCHES = ("clientCertEnabled", "httpsOnly")
OF_CERTIFICATES = ("clientCertMode", "clientCertExclusionPaths")
"""What App Service keeps with a slot. Mode and paths mean something only where certificates are asked for."""


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
    blue = {"tags": {}, "config": {"minTlsVersion": "1.2"}, "settings": None, "properties": {**usual, **properties}}
    return {"sites": {"shop/blue": blue}}


def shown_value(value: object) -> str | bool | None:
    """Return a property as evidence shows it."""
    return value if isinstance(value, (str, bool)) else None


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a slot whose client certificates, exclusions or HTTPS switch differ from those of its site."""
    production = facts.production_of(site)
    if production is None:
        return not_applicable("the site of the slot is not in the fleet")
    asked = asks(site.listed) or asks(production.listed)
    for name in (*SWITCHES, *(OF_CERTIFICATES if asked else ())):
        wanted = production.listed.value(name)
        if site.listed.value(name) != wanted:
            return failed(
                f"{name} of {site.label} differs from its site", evidence(site.listed, name, shown_value(wanted))
            )
    found = evidence(site.config, "minTlsVersion", production.config.text("minTlsVersion"))
    if tls_version(site.config, "minTlsVersion") < tls_version(production.config, "minTlsVersion"):
        return failed(f"{site.label} accepts older TLS than its site", found)
    return passed(found)


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
    needs=frozenset({Source.LIST, Source.CONFIG}),
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
        Example(
            "the slot accepts older TLS",
            changes.both(slot(), changes.config("shop/blue", minTlsVersion="1.0")),
            Status.FAIL,
        ),
        Example(
            "the modes differ, and nobody is asked for a certificate", slot(clientCertMode="Optional"), Status.PASS
        ),
    ),
)
