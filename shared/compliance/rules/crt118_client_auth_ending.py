"""CRT118: an app authenticates itself with a public certificate that loses the right to."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.issued import contents, newest
from shared.compliance.loads import loading
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
from shared.compliance.subjects import ObjectFacts
from shared.domain.certificates.calendar import CLIENT_AUTH_ENDS
from shared.domain.names import SiteRef, Thumbprint
from shared.domain.shown import Gap, NotSeen, Source


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a public certificate that an app loads for its own calls, if it or its successor cannot authenticate it."""
    issued = newest(known)
    loaders = _loaders(known, facts)
    if not loaders:
        return not_applicable("no app loads it; a thumbprint in a setting alone is data")
    leaf = contents(known)
    if not leaf.public_policy:
        return not_applicable("a private authority issued it, which decides about client authentication by itself")
    at = known.policy.read_at
    allows = Evidence("client authentication", leaf.client_auth, True, at, Source.POLICY)
    ends = Evidence("notAfter", issued.not_after.isoformat(), None, at, Source.POLICY)
    if not leaf.client_auth:
        return failed(f"{loaders[0]} loads it, and it does not allow client authentication", allows)
    if issued.not_after <= CLIENT_AUTH_ENDS:
        return passed(allows, ends)
    day = f"{CLIENT_AUTH_ENDS:%Y-%m-%d}"
    return failed(f"{loaders[0]} loads it, and its successor after {day} has no client authentication", allows, ends)


def _loaders(known: ObjectFacts, facts: Facts) -> tuple[SiteRef, ...]:
    """Return the sites whose apps load a version. Raise NotSeen if none does and a site or its settings are hidden."""
    thumbprints = {version.thumbprint for version in known.lineage.versions}
    copies = [copy for copy in facts.fleet.certificates if copy.thumbprint in thumbprints]
    sites = [site.ref for site in facts.sites if not thumbprints.isdisjoint(_thumbprints(facts, site.ref))]
    found = loading(facts, sites, thumbprints)
    if not found and not all(facts.is_complete(copy.webspace) for copy in copies):
        raise NotSeen(Source.LIST, Gap.NOT_READ, f"all apps that may load {known.label}")
    return found


def _thumbprints(facts: Facts, site: SiteRef) -> set[Thumbprint | None]:
    return {copy.thumbprint for copy in facts.copies_at(site)}


RULE = Rule(
    id="CRT118",
    name="ClientAuthEnding",
    title="An app authenticates itself with a public certificate that loses client authentication",
    why="After the renewal partners refuse the app's calls, although the certificate is new and valid.",
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(
        Citation("Chrome Root Program Policy 1.8", "https://googlechrome.github.io/chromerootprogram/"),
        Citation('Azure docs, "Industry-wide certificate changes impacting Azure App Service"'),
    ),
    needs=frozenset({Source.LIST, Source.SETTINGS, Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="Move the app's own calls to a certificate of a private authority, and tell the partners its root.",
    silent="Private authorities, and apps that have the thumbprint only as data and do not load the certificate.",
    examples=(
        Example(
            "an app loads a certificate that lasts beyond the end of client authentication",
            changes.version(not_after="2027-03-15T00:00:01+00:00"),
            Status.FAIL,
        ),
        Example("it ends on the day on which client authentication ends", {}, Status.PASS),
        Example(
            "an app loads a certificate without client authentication",
            changes.version(facts={"client_auth": False}),
            Status.FAIL,
        ),
        Example(
            "a private authority issued it",
            changes.version(not_after="2036-03-15T00:00:00+00:00", facts={"public_policy": False}),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "a setting has the thumbprint as data, and the app loads nothing",
            changes.both(
                changes.version(facts={"client_auth": False}),
                changes.settings(WEBSITE_LOAD_CERTIFICATES="", PARTNER="A" * 40),
            ),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "an app loads all certificates and names this one",
            changes.both(
                changes.version(facts={"client_auth": False}),
                changes.settings(WEBSITE_LOAD_CERTIFICATES="*", PARTNER="A" * 40),
            ),
            Status.FAIL,
        ),
        Example(
            "an app loads the version before the newest one",
            changes.settings(WEBSITE_LOAD_CERTIFICATES="B" * 40),
            Status.PASS,
        ),
        Example(
            "no app is seen to load it, and a part of the webspace is hidden",
            changes.both(changes.settings(WEBSITE_LOAD_CERTIFICATES=""), {"blind_spots": ["list"]}),
            Status.NOT_CHECKED,
        ),
        Example("nobody read the settings", {"sites": {"shop": {"settings": None}}}, Status.NOT_CHECKED),
    ),
)
