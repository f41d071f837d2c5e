"""The errors that Certroll raises on purpose, as a tree of classes.

CertrollError
├── AzureError            Azure answered with an error, or did not answer
│   ├── Transient         Certroll repeats the call within its deadline
│   │   ├── Throttled       too many requests; `retry_after` is the wait that Azure asks for
│   │   ├── SiteLocked      another write on the same site is in progress
│   │   └── Unavailable     5xx before Azure changed anything, or no connection
│   ├── OutcomeUnknown    a write may have been applied: read the resource before repeating the write
│   ├── Conflict          the resource changed after Certroll read it: plan again
│   ├── Denied            the identity lacks a right
│   ├── NotFound          the resource does not exist
│   ├── Rejected          the request is wrong: do not repeat it
│   │   └── NotRegistered   the subscription does not use the service, so it has none of the service's resources
│   └── NotKept           Certroll could not keep a superseded version next to the new one
├── StorageFailed         the storage account of the Function App failed: the queue delivers the message again
│   └── RecordUnreadable    one row of the tables is of a later release, or was edited: leave its subject alone
├── StopRefused           Azure refuses to stop a site, so the site goes on running
├── NotYet                this step is possible only after the later steps of the plan
├── OutOfTime             the time of the run is over: the next run does the rest
├── NotSettled            after a write Azure still shows the old state
├── LeaseBusy             another run holds the lease: come back later
├── LeaseLost             another run may write now: stop
├── MessageInvalid        a queue message is malformed, so that a retry cannot help
├── EventRejected         an event is malformed, or concerns another installation
├── TargetInvalid         a target in a tag is malformed, missing or ambiguous
├── SettingsInvalid       settings are missing or wrong; the error names every problem
├── InvalidNameError      a text is not the name that it should be (shared/domain/names.py)
└── ProbeInvalid          the tag `certroll-probe` is malformed (shared/domain/fleet/probe.py)
"""

from datetime import timedelta

from shared.domain.reason import Reason


class CertrollError(Exception):
    """The base class of the errors that Certroll raises on purpose."""


class AzureError(CertrollError):
    """Azure answered with an error, or did not answer.

    The message of an AzureError usually names the resource, Azure's error code and the next step.
    """


class Transient(AzureError):
    """A call to Azure failed, and the same call may succeed within seconds."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(Transient):
    """Azure refused a call because of too many requests (429)."""


class SiteLocked(Transient):
    """Another operation locks the site (Microsoft.Web 429 with extended code 59206, or 409 in progress)."""


class Unavailable(Transient):
    """Azure could not be reached or could not answer, and changed nothing."""


class OutcomeUnknown(AzureError):
    """Certroll sent a write and does not know whether Azure applied the write (for example 504, or a lost answer)."""


class Conflict(AzureError):
    """An Azure resource or a row of the journal changed after Certroll read it."""


class Denied(AzureError):
    """The identity of Certroll lacks a right (401, 403)."""


class NotFound(AzureError):
    """The requested resource does not exist (usually Azure's 404)."""


class Rejected(AzureError):
    """Azure, or Certroll itself, refuses a request, and would refuse the same request again."""

    def __init__(self, message: str, reason: Reason = Reason.REJECTED_BY_AZURE) -> None:
        super().__init__(message)
        self.reason = reason


class NotRegistered(Rejected):
    """A subscription has not registered the resource provider of a service, such as Microsoft.Web.

    Certroll registers no resource provider: the registration is a write, which only an operator may decide.
    """


class NotKept(AzureError):
    """Certroll could not put a superseded certificate into a webspace (App Service's place for certificates).

    Apps whose settings name the superseded certificate may lose the certificate before Certroll updates the settings.
    """


class StorageFailed(CertrollError):
    """The Function App's storage account refused a call, did not answer, or holds something unreadable.

    A StorageFailed is no AzureError: without its records a run must end, and no step of a plan may continue.
    """


class RecordUnreadable(StorageFailed):
    """A row of Certroll's tables is unreadable to this release. What the row is about is left alone."""


class StopRefused(CertrollError):
    """Azure did not stop a site, and a retry of the stop would not help."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class NotYet(CertrollError):
    """Certroll's plan has an action that is possible only after later actions of the plan."""


class OutOfTime(CertrollError):
    """The time of a run of Certroll is over, and the next run does the rest of the work."""


class NotSettled(CertrollError):
    """After a write Azure shows the old state of the resource for longer than usual."""


class LeaseBusy(CertrollError):
    """Another run of Certroll holds the lease that this run needs."""


class LeaseLost(CertrollError):
    """A run of Certroll could not renew its lease."""


class MessageInvalid(CertrollError):
    """A queue message is malformed, so that a retry cannot help."""


class EventRejected(CertrollError):
    """Certroll records an event of Event Grid, but starts no work because of the event."""

    def __init__(self, reason: Reason, problem: str, quoted: str = "") -> None:
        super().__init__(f"{problem}: {quoted}" if quoted else problem)
        self.reason = reason
        self.problem = problem
        """What is wrong. If the event is malformed, the problem quotes no text of the event."""


class TargetInvalid(CertrollError):
    """A target (a site or webspace that a tag names) is malformed, missing or ambiguous.

    The message of a TargetInvalid names the wrong entry of the tag and the correction.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SettingsInvalid(CertrollError):
    """One or more settings are missing or impossible."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
