"""CRT402: the owner wants client certificates and App Service does not require them."""

from shared.compliance import changes
from shared.compliance.client_certs import REQUIRED, asks, mode
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
    evidence,
    failed,
    not_applicable,
    passed,
)
from shared.compliance.subjects import SiteFacts
from shared.domain.shown import Source
from shared.domain.tags import CLIENT_CERTS

WISHES = ("required", "optional", "off")
"""The values of the tag certroll-client-certs."""


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail a site that App Service treats otherwise than its owner wishes. Without the tag nobody wishes anything."""
    wish = facts.tag(site, CLIENT_CERTS.name)
    if wish is None:
        return not_applicable("no tag certroll-client-certs says what the owner wants")
    if wish.lower() not in WISHES:
        return failed(
            f"the tag certroll-client-certs of {site.label} is none of {', '.join(WISHES)}",
            Evidence("tag", wish[:100], "required", facts.fleet.taken_at, Source.LIST),
            severity=Severity.LOW,
        )
    found = evidence(site.listed, "clientCertEnabled", wish.lower() != "off")
    if wish.lower() == "off":
        return (
            failed(f"{site.label} asks for client certificates, which its owner does not want", found)
            if asks(site.listed)
            else passed(found)
        )
    if not asks(site.listed):
        return failed(f"{site.label} asks nobody for a client certificate, and its owner wants them", found)
    if wish.lower() == "required" and mode(site.listed) != REQUIRED:
        return failed(
            f"{site.label} asks for client certificates and lets clients in without one",
            evidence(site.listed, "clientCertMode", "Required"),
        )
    return passed(found)


RULE = Rule(
    id="CRT402",
    name="ClientCertOff",
    title="The owner wants client certificates, and App Service does not require them",
    why="Partners believe that only they reach the app. Anybody does.",
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.HIGH,
    citations=(
        Citation("CIS Azure Compute Services 2.0, 2.1.11 (second-hand)"),
        Citation("Azure Policy 19dd1db6-f442-49cf-a838-b0786b4401ef"),
    ),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy=(
        "az webapp update --subscription {subscription} --resource-group {group} --name {name} --set "
        "clientCertEnabled=true clientCertMode=Required"
    ),
    silent=("A site without the tag certroll-client-certs: turning certificates on shuts out everybody who has none."),
    examples=(
        Example(
            "the tag says required and the switch is off", changes.tagged(certroll_client_certs="required"), Status.FAIL
        ),
        Example(
            "the tag says required, and App Service requires certificates",
            changes.both(changes.tagged(certroll_client_certs="required"), changes.site(clientCertEnabled=True)),
            Status.PASS,
        ),
        Example(
            "the tag says required and the mode is Optional",
            changes.both(
                changes.tagged(certroll_client_certs="required"),
                changes.site(clientCertEnabled=True, clientCertMode="Optional"),
            ),
            Status.FAIL,
        ),
        Example("the tag has another word", changes.tagged(certroll_client_certs="yes"), Status.FAIL, Severity.LOW),
        Example("no tag asks for certificates", {}, Status.NOT_APPLICABLE),
    ),
)
