"""The contents of the version of a vault object that a rule judges."""

from shared.compliance.subjects import ObjectFacts
from shared.domain.certificates.version import CertificateFacts, CertificateVersion
from shared.domain.shown import Gap, NotSeen, Source


def newest(known: ObjectFacts) -> CertificateVersion:
    """Return the newest version. Raise NotSeen if Certroll has read no version."""
    if not known.lineage.versions:
        raise NotSeen(Source.POLICY, Gap.NOT_SHOWN, f"versions of {known.label}")
    return known.lineage.versions[0]


def contents(known: ObjectFacts) -> CertificateFacts:
    """Return the contents of the newest version. Raise NotSeen if Certroll has not read them."""
    version = newest(known)
    if version.facts is None or version.facts.unread:
        raise NotSeen(Source.POLICY, Gap.NOT_READ, f"contents of version {version.version} of {known.label}")
    return version.facts
