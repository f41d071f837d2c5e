"""The journal's record of one version of a vault certificate in the bindings of one site."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from shared.domain.fleet.bindings import Binding
from shared.domain.names import CopyRef, HostName, SiteRef, Webspace
from shared.domain.reason import Reason


def record_key(site: SiteRef) -> str:
    """Return the key of the journal's records about a site: the SHA-256 of the site's resource id, in hex."""
    return sha256(site.resource_id.encode("utf-8", "backslashreplace")).hexdigest()


class SiteState(StrEnum):
    """The state of one version of a vault certificate in the bindings of one site."""

    PENDING = "Pending"
    PROVEN = "Proven"
    UNPROVEN = "Unproven"
    FAILED = "Failed"


class Rebind(StrEnum):
    """The progress of a rebind, in which Certroll writes bindings that already show the version once more.

    Azure does not show whether a client wrote an unchanged binding once more, so the journal records the rebind.
    """

    NO = ""
    ASKED = "asked"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """The journal's record of one version of a vault certificate in the bindings of one site."""

    site: SiteRef
    version: str
    webspace: Webspace
    state: SiteState
    at: datetime
    """The UTC time at which the state began."""
    copies: tuple[CopyRef, ...] = ()
    """The webspace certificates that hold the version for the site."""
    last_good: tuple[Binding, ...] = ()
    """The bindings before the first write of the version, for comparison."""
    detail: str = ""
    rebind: Rebind = Rebind.NO
    rebound: frozenset[HostName] = frozenset()
    """The host names whose bindings Certroll has written once more while `rebind` is `ASKED`."""
    revision: str | None = field(default=None, compare=False)
    """The revision of the journal entry that a write replaces, None for a version that the entry does not have yet."""
    refused: frozenset[tuple[HostName, Reason]] = frozenset()
    """The host names whose bindings Azure refused to Certroll, each with the reason.

    Certroll writes such a binding again only in a run that follows an event or a sweep.
    """

    failing: frozenset[HostName] = frozenset()
    """The host names for which App Service served another certificate, while `state` is `FAILED`."""
    missing_since: datetime | None = None
    """Since when Azure answers 404 for the site, None if Azure showed the site at the last inspection."""

    def refusal_of(self, host_name: HostName) -> Reason | None:
        """Return why Azure refused the binding of the host name, None if Azure did not refuse it."""
        return dict(self.refused).get(host_name)
