"""What the journal knows of the bindings of one site for one version."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.fleet.bindings import Binding
from shared.domain.names import CopyRef, SiteRef, Webspace


class SiteState(StrEnum):
    """What is known of one site for one version."""

    PENDING = "Pending"
    PROVEN = "Proven"
    UNPROVEN = "Unproven"
    FAILED = "Failed"


class Rebind(StrEnum):
    """Whether what shows the version already is to be bound to it once more; nothing in Azure tells that it was."""

    NO = ""
    ASKED = "asked"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """What the journal knows of one site for one version.

    `copies` are the webspace certificates that hold the version for this site; `last_good` the bindings as they were
    before the version's first write, for comparison.
    """

    site: SiteRef
    version: str
    webspace: Webspace
    state: SiteState
    at: datetime
    copies: tuple[CopyRef, ...] = ()
    last_good: tuple[Binding, ...] = ()
    detail: str = ""
    rebind: Rebind = Rebind.NO
