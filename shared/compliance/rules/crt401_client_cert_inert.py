"""CRT401: client certificates are set up and switched off."""

from shared.compliance import changes
from shared.compliance.client_certs import REQUIRED, asks, excluded, mode
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
    passed,
)
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Source


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a site whose mode or exclusions somebody set while the switch is off. `Required` alone means nothing."""
    found = evidence(site.listed, "clientCertEnabled", expected=True)
    if asks(site.listed):
        return passed(found)
    chosen, paths = mode(site.listed), excluded(site.listed)
    if chosen == REQUIRED and not paths:
        return passed(found)
    what = f"{len(paths)} excluded paths" if paths else f"the mode {site.listed.text('clientCertMode')}"
    return failed(
        f"{site.label} has {what}, and the switch is off: nobody is asked",
        found,
        evidence(site.listed, "clientCertMode", "Required"),
    )


RULE = Rule(
    id="CRT401",
    name="ClientCertInert",
    title="Client certificates are set up and nobody is asked for one",
    why="Somebody meant to ask for certificates. The switch is off, so everybody gets in without one.",
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.HIGH,
    citations=(
        Citation('Azure docs, "Set up TLS mutual authentication"'),
        Citation("Azure Policy 19dd1db6-f442-49cf-a838-b0786b4401ef"),
    ),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az webapp update --subscription {subscription} --resource-group {group} --name {name} --set "
        "clientCertEnabled=true"
    ),
    silent=(
        "The mode `Required` with the switch off: App Service shows it for sites that never had client certificates."
    ),
    examples=(
        Example("the mode is Optional and the switch is off", changes.site(clientCertMode="Optional"), Status.FAIL),
        Example("the mode is Required and the switch is off, as App Service leaves it", {}, Status.PASS),
        Example(
            "paths are excluded and the switch is off", changes.site(clientCertExclusionPaths="/health"), Status.FAIL
        ),
        Example("the switch is on", changes.site(clientCertEnabled=True, clientCertMode="Optional"), Status.PASS),
    ),
)
