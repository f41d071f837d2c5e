"""CRT104: a host name or an app uses a version that the vault has replaced."""

from datetime import timedelta
from typing import NamedTuple

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
from shared.compliance.subjects import HostFacts, SiteFacts
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import Thumbprint, VaultCertificateRef
from shared.domain.shown import Gap, NotSeen, Source
from shared.domain.tags import opted_out

DELAY = timedelta(days=1)
"""How long App Service and Certroll may take to carry a new version."""
MOST = 5
"""How many thumbprints the evidence names."""


def check(subject: HostFacts | SiteFacts, facts: Facts) -> Verdict:
    """Fail a host name or an app that uses an older version of a followed vault object, a day after the current one."""
    site = subject.of if isinstance(subject, HostFacts) else subject
    if facts.fleet.opted_out(site.ref):
        return not_applicable(f"the tag certroll opts {site.label} out")
    return _of_host(subject, facts) if isinstance(subject, HostFacts) else _of_app(subject, facts)


def _of_host(host: HostFacts, facts: Facts) -> Verdict:
    thumbprint, copy = host.binding.thumbprint, facts.bound_copy(host)
    if copy is not None and not facts.objects_with(thumbprint) and _is_unread(copy, facts):
        raise NotSeen(Source.POLICY, Gap.NOT_READ, str(copy.source))
    owners = [known for known in facts.objects_with(thumbprint) if not opted_out(known.lineage.tags)]
    if not owners:
        return not_applicable("no vault object that Certroll carries has its certificate")
    found = Evidence("thumbprint", thumbprint, None, facts.fleet.taken_at, Source.LIST)
    current = _successor(thumbprint, facts)
    if current is None:
        return passed(found)
    return failed(f"{host.binding.host_name} shows an older version than {current}", found)


def _of_app(site: SiteFacts, facts: Facts) -> Verdict:
    """Judge an app by its settings, which matter only if a certificate within its reach is or may be replaced."""
    near = [copy for copy in facts.copies_at(site.ref) if copy.thumbprint is not None]
    old = {copy.thumbprint: new for copy in near if (new := _successor(copy.thumbprint, facts)) is not None}
    unread = {copy.thumbprint: copy.source for copy in near if _is_unread(copy, facts)}
    if not old and not unread:
        return not_applicable("its webspace has no certificate that a vault has replaced")
    named = facts.settings_of(site.ref).without_roots.named
    found = Evidence(
        "WEBSITE_LOAD_CERTIFICATES", tuple(sorted(named)[:MOST]), (), facts.fleet.taken_at, Source.SETTINGS
    )
    for thumbprint in sorted(named & old.keys()):
        if old[thumbprint].thumbprint not in named:
            return failed(f"{site.label} names an older version than {old[thumbprint]}", found)
    for thumbprint in sorted(named & unread.keys()):
        raise NotSeen(Source.POLICY, Gap.NOT_READ, str(unread[thumbprint]))
    return passed(found)


class _Successor(NamedTuple):
    """The current version that replaces a certificate."""

    ref: VaultCertificateRef
    version: str
    thumbprint: Thumbprint

    def __str__(self) -> str:
        return f"{self.version} of {self.ref}"


def _successor(thumbprint: Thumbprint | None, facts: Facts) -> _Successor | None:
    """Return the version that has replaced a certificate for a day or longer, None if none has."""
    for known in facts.objects_with(thumbprint):
        lineage = known.lineage
        if lineage.current is None or opted_out(lineage.tags) or facts.now - lineage.current.created < DELAY:
            continue
        if lineage.is_stale(thumbprint):
            return _Successor(lineage.ref, lineage.current.version, lineage.current.thumbprint)
    return None


def _is_unread(copy: WebspaceCertificate, facts: Facts) -> bool:
    """Return True if Certroll follows the vault of an import, and has not read its object."""
    return copy.source is not None and facts.follows(copy.source) and facts.object_of(copy.source) is None


def _subjects(facts: Facts) -> tuple[HostFacts | SiteFacts, ...]:
    """Return the custom host names, and the sites and slots."""
    return (*facts.hosts, *facts.sites)


HOST, APP = "host www.contoso.com of shop", "site shop"
IMPORTED_BEFORE = changes.certificate(thumbprint="B" * 40)


RULE = Rule(
    id="CRT104",
    name="SupersededInUse",
    title="A host name or an app uses a version that its vault has replaced",
    why="Visitors and partners see the old certificate until it ends, although a new one is there.",
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Add and manage TLS/SSL certificates", 24 hours'),),
    needs=frozenset({Source.LIST, Source.SETTINGS, Source.POLICY}),
    about=_subjects,
    check=check,
    fix=Fix.ROTATION,
    remedy=("Look in Certroll's plan why it does not move the binding: a hold, an opt-out, a stage or a blind spot."),
    silent=(
        "The first day after a renewal; a certificate of no followed vault; an opt-out by the tag certroll; a version "
        "that Certroll refuses; a load list that keeps the old version in addition to the current one."
    ),
    examples=(
        Example("the host name shows the version before", changes.host(thumbprint="B" * 40), Status.FAIL, subject=HOST),
        Example("the host name shows the current version", {}, Status.PASS, subject=HOST),
        Example(
            "an app names the version before",
            changes.both(IMPORTED_BEFORE, changes.settings(WEBSITE_LOAD_CERTIFICATES="B" * 40)),
            Status.FAIL,
            subject=APP,
        ),
        Example(
            "an app's load list keeps the version before in addition to the current one",
            changes.both(IMPORTED_BEFORE, changes.settings(WEBSITE_LOAD_CERTIFICATES=f"{'A' * 40},{'B' * 40}")),
            Status.PASS,
            subject=APP,
        ),
        Example(
            "nobody could read the settings of an app next to an old import",
            changes.both(IMPORTED_BEFORE, {"sites": {"shop": {"settings": None}}}),
            Status.NOT_CHECKED,
            subject=APP,
        ),
        Example(
            "the current version came this morning",
            changes.both(
                changes.host(thumbprint="B" * 40),
                {"now": "2026-09-15T09:00:00+00:00"},
            ),
            Status.PASS,
            subject=HOST,
        ),
        Example(
            "the owner opted the site out",
            changes.both(changes.host(thumbprint="B" * 40), changes.tagged(certroll="off")),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "the owner opted the vault certificate out",
            changes.both(changes.host(thumbprint="B" * 40), {"objects": {"wildcard": {"tags": {"certroll": "off"}}}}),
            Status.NOT_APPLICABLE,
        ),
        Example(
            "Certroll refuses the newest version, and the host name shows the one before",
            changes.both(changes.host(thumbprint="B" * 40), changes.refused("v2")),
            Status.PASS,
            subject=HOST,
        ),
        Example("the certificate comes from elsewhere", changes.host(thumbprint="C" * 40), Status.NOT_APPLICABLE),
        Example("the vault could not be read", {"objects": {"wildcard": None}}, Status.NOT_CHECKED),
    ),
)
