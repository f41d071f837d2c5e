"""CRT404: excluded paths let more in than meant."""

from shared.compliance import changes
from shared.compliance.client_certs import asks, excluded
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

MOST = 10
"""How many excluded paths a person still keeps in mind."""


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail exclusions that cover the whole site, have no slash in front, or are more than ten."""
    if not asks(site.listed):
        return not_applicable("App Service asks nobody for a certificate")
    paths = excluded(site.listed)
    found = evidence(site.listed, "clientCertExclusionPaths", None)
    if "/" in paths:
        return failed(f"the exclusion `/` of {site.label} lets everybody in without a certificate", found)
    if odd := [path for path in paths if not path.startswith("/")]:
        return failed(f"the exclusion {odd[0]!r} of {site.label} does not begin with a slash", found)
    if len(paths) > MOST:
        return failed(f"{site.label} has {len(paths)} exclusions, each of them a prefix", found)
    return passed(found)


RULE = Rule(
    id="CRT404",
    name="ExclusionTooWide",
    title="Excluded paths let more in without a certificate than they seem to",
    why="An entry is a prefix: `/health` also excludes `/healthadmin`, and `/` excludes everything.",
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Set up TLS mutual authentication"'),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy="Name whole paths, each beginning with a slash, and few of them.",
    silent=("Up to ten entries with a slash in front. Whether `/a/` also excludes `/a`, Azure does not document."),
    examples=(
        Example(
            "everything is excluded", changes.site(clientCertEnabled=True, clientCertExclusionPaths="/"), Status.FAIL
        ),
        Example(
            "one path is excluded",
            changes.site(clientCertEnabled=True, clientCertExclusionPaths="/health"),
            Status.PASS,
        ),
        Example(
            "`/` stands between others, with the portal's comma",
            changes.site(clientCertEnabled=True, clientCertExclusionPaths="/a, / ;/b"),
            Status.FAIL,
        ),
        Example(
            "an entry has no slash",
            changes.site(clientCertEnabled=True, clientCertExclusionPaths="health"),
            Status.FAIL,
        ),
        Example(
            "eleven paths are excluded",
            changes.site(clientCertEnabled=True, clientCertExclusionPaths=";".join(f"/p{n}" for n in range(11))),
            Status.FAIL,
        ),
        Example("nobody is asked", changes.site(clientCertExclusionPaths="/"), Status.NOT_APPLICABLE),
    ),
)
