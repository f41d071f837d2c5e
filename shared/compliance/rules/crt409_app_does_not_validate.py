"""CRT409: an app accepts a client certificate that no authority issued."""

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
from shared.domain.client_certificates import is_excluded
from shared.domain.shown import Gap, Source
from shared.domain.tags import CLIENT_CA

REFUSED = frozenset({401, 403})
"""The answers of an app that looked at the certificate."""
ACCEPTED = range(200, 300)


def check(site: SiteFacts, facts: Facts) -> Verdict:
    """Fail an app that answered a fresh self-signed certificate as if it were a good one."""
    if facts.tag(site, CLIENT_CA.name) is None:
        return not_applicable("no tag certroll-client-ca says whose certificates the app accepts")
    if not asks(site.listed):
        return not_applicable("App Service asks nobody for a certificate")
    probed = facts.probed_at(site.ref)
    path, status = probed.text("path"), probed.number("status")
    if is_excluded(path, excluded(site.listed)):
        raise probed.unseen(f"an answer on a path that is not excluded, unlike {path}", Gap.NOT_PROBED)
    found = evidence(probed, "status", 403)
    if status in REFUSED:
        return passed(found)
    if status not in ACCEPTED:
        raise probed.unseen(f"a clear answer, not {status}", Gap.ODD)
    if path == site.config.optional_text("healthCheckPath"):
        raise probed.unseen(f"an answer on another path than the health check {path}", Gap.NOT_PROBED)
    return failed(f"the app of {site.label} answered {status} on {path} to a certificate of nobody", found)


RULE = Rule(
    id="CRT409",
    name="AppDoesNotValidate",
    title="An app accepts a client certificate that no authority issued",
    why="App Service only forwards certificates. If the app looks at none, anybody gets in with one of their own.",
    area=Area.CLIENT_CERTIFICATES,
    severity=Severity.HIGH,
    citations=(
        Citation('Azure docs, "Set up TLS mutual authentication"'),
        Citation("azure-functions-host issue 5755"),
        Citation("AzureTRE issue 2960"),
    ),
    needs=frozenset({Source.LIST, Source.CONFIG, Source.PROBE}),
    about=lambda facts: facts.sites,
    check=check,
    fix=Fix.COMMAND,
    remedy="Let the app check the header X-ARR-ClientCert against its authorities, and answer 403 to all others.",
    silent="A site without the tag certroll-client-ca. A health check or an excluded path that answers is no proof.",
    examples=(
        Example(
            "the app answers to a certificate of nobody",
            changes.both(
                changes.tagged(certroll_client_ca="contoso-kv/partners"),
                changes.site(clientCertEnabled=True),
                changes.probed(path="/api/orders", status=200),
            ),
            Status.FAIL,
        ),
        Example(
            "the app refuses a certificate of nobody",
            changes.both(
                changes.tagged(certroll_client_ca="contoso-kv/partners"),
                changes.site(clientCertEnabled=True),
                changes.probed(path="/api/orders", status=403),
            ),
            Status.PASS,
        ),
        Example(
            "nobody asked for the probe",
            changes.both(
                changes.tagged(certroll_client_ca="contoso-kv/partners"), changes.site(clientCertEnabled=True)
            ),
            Status.NOT_CHECKED,
        ),
        Example(
            "the health check answers 200 by design",
            changes.both(
                changes.tagged(certroll_client_ca="contoso-kv/partners"),
                changes.site(clientCertEnabled=True),
                changes.config(healthCheckPath="/health"),
                changes.probed(path="/health", status=200),
            ),
            Status.NOT_CHECKED,
        ),
        Example(
            "App Service asks for no certificate on the probed path",
            changes.both(
                changes.tagged(certroll_client_ca="contoso-kv/partners"),
                changes.site(clientCertEnabled=True, clientCertExclusionPaths="/open;/API"),
                changes.probed(path="/api/orders", status=200),
            ),
            Status.NOT_CHECKED,
        ),
        Example("no tag names an authority", changes.site(clientCertEnabled=True), Status.NOT_APPLICABLE),
    ),
)
