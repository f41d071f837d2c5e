"""CRT304: traffic behind App Service's front ends is not encrypted."""

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


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Note a site on a dedicated plan without end-to-end encryption."""
    tier = (site.plan.tier if site.plan else "").lower()
    if not tier.startswith(("premium", "standard", "isolated")):
        return not_applicable("only Premium and Standard plans offer it")
    found = evidence(site.listed, "endToEndEncryptionEnabled", expected=True)
    if site.listed.boolean("endToEndEncryptionEnabled"):
        return passed(found)
    return failed(f"{site.label} gets its requests in the clear from the front end", found)


RULE = Rule(
    id="CRT304",
    name="EndToEnd",
    title="Traffic between front end and app is not encrypted",
    why="Inside the data centre requests travel in the clear from the front end to the worker.",
    area=Area.TLS,
    severity=Severity.INFO,
    citations=(Citation("Azure Policy af1d7e88-c1c8-4ea8-be1f-87bff0df9101"),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az resource update --subscription {subscription} --resource-group {group} --resource-type "
        "Microsoft.Web/sites --name {name} --set properties.endToEndEncryptionEnabled=true"
    ),
    silent="Plans that do not offer it.",
    examples=(
        Example("end-to-end encryption is off", changes.site(endToEndEncryptionEnabled=False), Status.FAIL),
        Example("end-to-end encryption is on", {}, Status.PASS),
        Example(
            "the plan does not offer it",
            changes.both(changes.site(endToEndEncryptionEnabled=False), {"plans": {"plan": {"tier": "Basic"}}}),
            Status.NOT_APPLICABLE,
        ),
    ),
)
