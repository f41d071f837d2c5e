"""CRT504: App Service ignores a list in the app settings."""

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
from shared.domain.shown import Source


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a load list on Flex Consumption, and a root list outside of Windows apps in an environment."""
    settings = facts.settings_of(site.ref)
    found = Evidence("kind", site.site.plan or None, None, facts.fleet.taken_at, Source.LIST)
    if site.site.flex and (settings.load_list or settings.loads_everything):
        return failed(f"{site.label} is on Flex Consumption, which has no WEBSITE_LOAD_CERTIFICATES", found)
    if settings.root_list and not site.site.supports_root_list:
        return failed(
            f"{site.label} has a root list, which App Service supports only for Windows code in an environment", found
        )
    if not settings.load_list and not settings.root_list and not settings.loads_everything:
        return not_applicable("it has neither a load list nor a root list")
    return passed(found)


RULE = Rule(
    id="CRT504",
    name="LoadListUnheeded",
    title="App Service ignores a list of certificates in the app settings",
    why="The app starts without the certificates that its owner listed, and nothing says so.",
    area=Area.SETTINGS,
    severity=Severity.MEDIUM,
    citations=(
        Citation("azure-docs PR 124542"),
        Citation('Azure docs, "Certificates and the App Service Environment"'),
    ),
    needs=frozenset({Source.LIST, Source.SETTINGS}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "On Flex Consumption, turn on loadCertificateToWebsitesSettings of the certificate. Elsewhere, bring the "
        "root into the image or the code."
    ),
    silent="Apps without lists, and lists that App Service supports.",
    examples=(
        Example("a Flex Consumption app has a load list", changes.site(sku="FlexConsumption"), Status.FAIL),
        Example("an app on another plan has a load list", {}, Status.PASS),
        Example(
            "an app outside of environments has a root list",
            changes.settings(WEBSITE_LOAD_ROOT_CERTIFICATES="B" * 40),
            Status.FAIL,
        ),
        Example("there is no list", changes.settings(WEBSITE_LOAD_CERTIFICATES=""), Status.NOT_APPLICABLE),
    ),
)
