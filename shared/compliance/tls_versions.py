"""Compare TLS versions as Azure writes them, such as `1.2`."""

from shared.domain.shown import Gap, Shown

KNOWN = {"1.0": 10, "1.1": 11, "1.2": 12, "1.3": 13}
"""The versions that Azure knows, in order."""


def tls_version(shown: Shown, name: str) -> int:
    """Return a version as a number that grows. Raise NotSeen for a missing version, and for one that nobody knows."""
    text = shown.text(name)
    if text not in KNOWN:
        raise shown.unseen(name, Gap.ODD)
    return KNOWN[text]
