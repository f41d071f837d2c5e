"""The entry of the journal for one version in the bindings of one site."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.fleet.bindings import Binding
from shared.domain.names import CopyRef, SiteRef, Webspace


class SiteState(StrEnum):
    """The progress of one version in the bindings of one site."""

    PENDING = "Pending"
    PROVEN = "Proven"
    UNPROVEN = "Unproven"
    FAILED = "Failed"


class Rebind(StrEnum):
    """The progress of a rebind: Certroll writes bindings that already show the version once more.

    Azure does not show whether a binding was written once more, so only the journal knows it.
    """

    NO = ""
    ASKED = "asked"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """The entry of the journal for one version in the bindings of one site."""

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
