"""What App Service does about client certificates at a site: the switch, the mode and the exclusions together.

`clientCertEnabled` false means that nobody is asked, whatever the mode says: `Required` is the mode's resting value
(recorded cloud-custodian traffic of 2025).
"""

from shared.domain.client_certificates import exclusions
from shared.domain.shown import Gap, Shown

REQUIRED, OPTIONAL, INTERACTIVE = "required", "optional", "optionalinteractiveuser"
MODES = frozenset({REQUIRED, OPTIONAL, INTERACTIVE})
"""The modes that Azure knows, in lower case."""


def asks(listed: Shown) -> bool:
    """Return True if App Service asks clients of a site for certificates. Raise NotSeen without the switch."""
    return listed.boolean("clientCertEnabled")


def mode(listed: Shown) -> str:
    """Return the mode in lower case. Raise NotSeen if Azure shows none, or one that nobody knows."""
    found = listed.text("clientCertMode").lower()
    if found not in MODES:
        raise listed.unseen("clientCertMode", Gap.ODD)
    return found


def excluded(listed: Shown) -> tuple[str, ...]:
    """Return the excluded paths. Raise NotSeen if Azure shows neither paths nor null."""
    return exclusions(listed.optional_text("clientCertExclusionPaths"))


def renegotiates(listed: Shown) -> bool:
    """Return True if App Service asks for the certificate only after it has seen the request.

    It does so where paths are excluded, and in the mode OptionalInteractiveUser. TLS 1.3 and HTTP/2 have no
    renegotiation, and App Service refuses bodies over 100 KB then (Azure docs, "Set up TLS mutual authentication").
    """
    return asks(listed) and (bool(excluded(listed)) or mode(listed) == INTERACTIVE)
