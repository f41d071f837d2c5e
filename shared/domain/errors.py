"""What can go wrong, as the core sees it.

CertrollError
├── AzureError            an answer of Azure, or none
│   ├── Transient         try again in place, until the deadline
│   │   ├── Throttled       too many requests; `retry_after` says when
│   │   ├── SiteLocked      another write on the same site is under way
│   │   └── Unavailable     5xx before anything was done, or no connection
│   ├── OutcomeUnknown    a write may have been applied: read again before repeating it
│   ├── Conflict          the world moved since it was read: plan again
│   ├── Denied            a right is missing
│   ├── NotFound          the thing is gone
│   ├── Rejected          the request is wrong: do not repeat it
│   └── NotKept           a superseded version could not be kept beside the new one
├── StopRefused           a site may not be stopped; it runs
├── NotYet                this step can only be done after those that follow it
├── NotSettled            written, but Azure still shows the old state
├── LeaseLost             another instance may write now: stop
├── LeaseBusy             another instance is at work: come back later
├── MessageInvalid        a queue message that no retry can mend
├── EventRejected         an event that is not for this installation, or cannot be read
├── TargetInvalid         a tag names a target that cannot be one, that is not there, or that may be several
└── SettingsInvalid       the settings are wrong; names every problem
"""

from datetime import timedelta

from shared.domain.reason import Reason


class CertrollError(Exception):
    """Anything that Certroll raises on purpose."""


class AzureError(CertrollError):
    """Azure answered with an error, or did not answer. The message names the resource, the code and the next step."""

    what: str = ""
    """The resource or request that the error is about, or an empty text for an error that Certroll found itself."""
    status: int | None = None
    """The HTTP status of Azure's answer, or None if there was no answer."""
    code: str = ""
    """The error code in Azure's answer, or an empty text if the answer has no code."""


class Transient(AzureError):
    """Worth trying again in place."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(Transient):
    """Too many requests (429)."""


class SiteLocked(Transient):
    """Another operation holds the site (Microsoft.Web 429 with extended code 59206, or 409 in progress)."""


class Unavailable(Transient):
    """Azure could not answer, and nothing was changed."""


class OutcomeUnknown(AzureError):
    """A write was sent, and whether it was applied is not known (504, or the answer was lost)."""


class Conflict(AzureError):
    """What is there is not what was planned against."""


class Denied(AzureError):
    """The identity lacks a right (401, 403)."""


class NotFound(AzureError):
    """What was asked for does not exist (404)."""


class Rejected(AzureError):
    """The request is refused as it is, by Azure or before it is sent; the same one would be refused again."""

    def __init__(self, message: str, reason: Reason = Reason.REJECTED_BY_AZURE) -> None:
        super().__init__(message)
        self.reason = reason


class NotKept(AzureError):
    """A superseded version could not be brought into a webspace: what names it goes on without an overlap."""


class StopRefused(CertrollError):
    """Azure did not stop a site, and will not."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class NotYet(CertrollError):
    """This step can only be done after those that follow it."""


class OutOfTime(CertrollError):
    """What is left must go into another run."""


class NotSettled(CertrollError):
    """What was written is not what is read, for longer than Azure usually takes."""


class LeaseBusy(CertrollError):
    """Another instance holds the lease."""


class LeaseLost(CertrollError):
    """The lease could not be renewed."""


class MessageInvalid(CertrollError):
    """A queue message that cannot be read; repeating it changes nothing."""


class EventRejected(CertrollError):
    """An event that is recorded and accepted, but not acted on."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TargetInvalid(CertrollError):
    """A tag does not say where something is to go. The message says which entry, and what to write."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SettingsInvalid(CertrollError):
    """One or more settings are missing or impossible."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
