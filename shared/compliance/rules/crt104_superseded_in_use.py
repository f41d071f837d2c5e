"""CRT104: a host name shows a version that the vault has replaced."""

from datetime import timedelta

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
from shared.compliance.subjects import HostFacts
from shared.domain.shown import Gap, NotSeen, Source

DELAY = timedelta(days=1)
"""How long App Service and Certroll may take to carry a new version."""


def check(host: HostFacts, facts: Facts) -> Verdict:
    """Fail a host name that shows an older version of a followed vault object, a day after the current one came."""
    thumbprint = host.binding.thumbprint
    owners = facts.objects_with(thumbprint)
    if thumbprint is None or not owners:
        copy = facts.bound_copy(host)
        if (
            copy is not None
            and copy.source is not None
            and facts.follows(copy.source)
            and facts.object_of(copy.source) is None
        ):
            raise NotSeen(Source.POLICY, Gap.NOT_READ, str(copy.source))
        return not_applicable("no followed vault object has its certificate")
    found = Evidence("thumbprint", thumbprint, None, facts.fleet.taken_at, Source.LIST)
    for known in owners:
        current = known.lineage.current
        if current is None or not known.lineage.is_stale(thumbprint) or facts.now - current.created < DELAY:
            continue
        return failed(
            f"{host.binding.host_name} shows an older version than {current.version} of {known.lineage.ref}", found
        )
    return passed(found)


RULE = Rule(
    id="CRT104",
    name="SupersededInUse",
    title="A host name shows a version that its vault has replaced",
    why="Visitors see the old certificate until it ends, although a new one is there.",
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation('Azure docs, "Add and manage TLS/SSL certificates", 24 hours'),),
    needs=frozenset({Source.LIST, Source.POLICY}),
    about=lambda facts: facts.hosts,
    check=check,
    fix=Fix.ROTATION,
    remedy=("Look in Certroll's plan why it does not move the binding: a hold, an opt-out, a stage or a blind spot."),
    silent="The first day after a renewal, and a certificate of no followed vault.",
    examples=(
        Example("the host name shows the version before", changes.host(thumbprint="B" * 40), Status.FAIL),
        Example("the host name shows the current version", {}, Status.PASS),
        Example("the certificate comes from elsewhere", changes.host(thumbprint="C" * 40), Status.NOT_APPLICABLE),
        Example("the vault could not be read", {"objects": {"wildcard": None}}, Status.NOT_CHECKED),
    ),
)
