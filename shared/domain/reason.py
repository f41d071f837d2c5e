"""The one vocabulary of reasons: every step, refusal, outcome and finding carries one.

What a reason means for people stands on the reason itself: where they meet it, how severe it is, and how a run goes on
with it. docs/reference/reasons.md takes the first lines of each entry from here (`make docs`).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self


class Shows(StrEnum):
    """Where people meet a reason, in the words of the documentation."""

    STEP = "step"
    REFUSAL = "refusal"
    VERSION_REFUSAL = "refusal of a version"
    CONVERGED = "outcome (`Converged`)"
    WAITING = "outcome (`Waiting`)"
    DEFERRED = "outcome (`Deferred`)"
    STALLED = "outcome (`Stalled`)"
    FINDING = "finding"
    HISTORY = "history"
    EVENT = "log"
    DEAD_LETTER = "dead letter"


class Severity(StrEnum):
    """How much a reason matters to the people who run the sites."""

    INFO = "info"
    """Nobody has to act."""
    LOW = "low"
    """Somebody should act some day; nothing is late."""
    MEDIUM = "medium"
    """Somebody has to act before something can be renewed, or seen."""
    HIGH = "high"
    """A renewal stands still, or a site shows the wrong certificate."""
    CRITICAL = "critical"
    """An app is down or broken, or will be without a person."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a reason means for people, and for the run that meets it."""

    shows: tuple[Shows, ...]
    severity: Severity = Severity.INFO
    stalls: bool = False
    """A refusal with the reason, or a problem of an order, makes the outcome `Stalled`: the run waits for a person."""
    awaits_turn: bool = False
    """The step has its turn later, after other sites, slots, webspaces or waves."""
    allows_roll: bool = False
    """The settings of an app may be rolled in spite of a refusal with the reason: it is a remark about the app."""
    is_no_lineage: bool = False
    """The vault secret is no certificate of its own. Most secrets are passwords, so that a run passes them silently."""

    def but(self, **changes: object) -> Self:
        """Return the same traits with some changes."""
        return replace(self, **changes)  # type: ignore[arg-type]  # of any field


STEP = Traits((Shows.STEP,))
CONVERGED = Traits((Shows.CONVERGED,))
WAITING = Traits((Shows.WAITING,))
HISTORY = Traits((Shows.HISTORY,))
FINDING = Traits((Shows.FINDING,))
DEAD_LETTER = Traits((Shows.DEAD_LETTER,), Severity.HIGH)
BLOCKS = Traits((Shows.REFUSAL, Shows.STALLED, Shows.FINDING), Severity.HIGH, stalls=True)
REFUSED = Traits((Shows.REFUSAL, Shows.FINDING), Severity.MEDIUM)
REFUSED_FOR_INFO = Traits((Shows.REFUSAL, Shows.FINDING))
AWAITS_TURN = Traits((Shows.REFUSAL, Shows.WAITING), awaits_turn=True)
KEPT = Traits((Shows.REFUSAL,))
STALLED = Traits((Shows.STALLED, Shows.FINDING), Severity.HIGH)
BAD_VERSION = Traits((Shows.VERSION_REFUSAL, Shows.STALLED, Shows.FINDING), Severity.HIGH)
PREREQUISITE = Traits((Shows.FINDING,), Severity.MEDIUM, stalls=True)
ORDER = Traits((Shows.STALLED, Shows.FINDING), Severity.HIGH, stalls=True)


class Reason(StrEnum):
    """Why something is done, not done, or reported. docs/reference/reasons.md explains each."""

    traits: Traits

    def __new__(cls, text: str, traits: Traits) -> Self:
        """Build a reason that is its text, and knows what it means."""
        member = str.__new__(cls, text)
        member._value_ = text
        member.traits = traits
        return member

    @property
    def shows(self) -> tuple[Shows, ...]:
        """Where people meet the reason."""
        return self.traits.shows

    @property
    def severity(self) -> Severity:
        """How much the reason matters to people."""
        return self.traits.severity

    @property
    def needs_person(self) -> bool:
        """Whether somebody has to act. Without it the reason passes by itself, or is as it should be."""
        return self.traits.severity is not Severity.INFO

    @property
    def makes_finding(self) -> bool:
        """Whether a person should know of it: then it is recorded as a finding."""
        return Shows.FINDING in self.traits.shows

    @property
    def stalls(self) -> bool:
        """Whether a refusal with the reason makes the outcome `Stalled`."""
        return self.traits.stalls

    @property
    def awaits_turn(self) -> bool:
        """Whether the step has its turn after others."""
        return self.traits.awaits_turn

    @property
    def allows_roll(self) -> bool:
        """Whether the settings of an app may be rolled in spite of a refusal with the reason."""
        return self.traits.allows_roll

    @property
    def is_no_lineage(self) -> bool:
        """Whether the vault secret is no certificate of its own."""
        return self.traits.is_no_lineage

    # a step
    STALE_COPY = "StaleCopy", STEP
    STALE_UPLOAD = "StaleUpload", STEP
    ROOT_MISSING = "RootMissing", STEP
    PUBLIC_CERTIFICATE_ASKED = "PublicCertificateAsked", STEP
    IMPORT_ASKED = "ImportAsked", STEP
    UPLOAD_AGAIN_ASKED = "UploadAgainAsked", STEP
    STALE_THUMBPRINT = "StaleThumbprint", STEP
    ROOT_ASKED = "RootAsked", STEP
    ROOT_NEEDED = "RootNeeded", STEP
    SUPERSEDED_IN_USE = "SupersededInUse", STEP
    LOADED_AT_START = "LoadedAtStart", STEP
    STALE_REFERENCE = "StaleReference", STEP
    PROBE_FAILED = "ProbeFailed", STEP
    SUPERSEDED = "Superseded", STEP
    MANAGED_ASKED = "ManagedAsked", HISTORY
    # a step refused, by a guard or by the proposal itself
    OBSERVE_ONLY = "ObserveOnly", Traits((Shows.REFUSAL, Shows.CONVERGED, Shows.FINDING))
    OPTED_OUT = "OptedOut", REFUSED_FOR_INFO
    OWN_SITE = "OwnSite", REFUSED
    INCOMPLETE_VIEW = "IncompleteView", BLOCKS
    NOT_COVERED = "NotCovered", BLOCKS
    KEY_NOT_IMPORTABLE = "KeyNotImportable", BLOCKS
    KEY_TOO_SMALL = "KeyTooSmall", BLOCKS
    UNKNOWN_CURVE = "UnknownCurve", BLOCKS
    NO_PRIVATE_KEY = "NoPrivateKey", BLOCKS
    KEY_MISMATCH = "KeyMismatch", BLOCKS.but(shows=(Shows.REFUSAL, Shows.VERSION_REFUSAL, Shows.STALLED, Shows.FINDING))
    CHAIN_LOST = "ChainLost", BLOCKS
    SECRET_UNREADABLE = (
        "SecretUnreadable",
        BLOCKS.but(shows=(Shows.REFUSAL, Shows.VERSION_REFUSAL, Shows.STALLED, Shows.FINDING)),
    )
    ANOTHER_CERTIFICATE = "AnotherCertificate", BLOCKS
    SERVER_AUTH_LOST = "ServerAuthLost", BLOCKS
    CLIENT_AUTH_LOST = "ClientAuthLost", BLOCKS
    KEY_NOT_EXPORTABLE = "KeyNotExportable", BLOCKS
    NOT_PKCS12 = "NotPkcs12", BLOCKS
    NOT_AN_AUTHORITY = "NotAnAuthority", BLOCKS
    NOT_SELF_SIGNED = "NotSelfSigned", BLOCKS
    NEWEST_REFUSED = "NewestRefused", BLOCKS
    NOT_LIVE = "NotLive", BLOCKS
    AMBIGUOUS_LINEAGE = "AmbiguousLineage", BLOCKS.but(allows_roll=True)
    NO_PLAN_IN_WEBSPACE = "NoPlanInWebspace", BLOCKS
    WEBSPACE_FULL = "WebspaceFull", BLOCKS
    UPLOADED_BEFORE_CHAINS = "UploadedBeforeChains", REFUSED.but(severity=Severity.HIGH)
    UPLOAD_DATE_UNKNOWN = "UploadDateUnknown", REFUSED.but(severity=Severity.LOW)
    AWAITING_FIRST_STAGE = "AwaitingFirstStage", AWAITS_TURN
    VERSION_HELD = "VersionHeld", BLOCKS
    NO_OVERLAP = "NoOverlap", REFUSED_FOR_INFO
    LOADS_EVERYTHING = "LoadsEverything", REFUSED_FOR_INFO.but(allows_roll=True)
    PINNED_REFERENCE = "PinnedReference", REFUSED.but(allows_roll=True)
    ROOT_LIST_UNSUPPORTED = "RootListUnsupported", REFUSED.but(allows_roll=True)
    CONTESTED = "Contested", BLOCKS
    OUTSIDE_WINDOW = "OutsideWindow", AWAITS_TURN.but(awaits_turn=False)
    EXPIRES_BEFORE_WINDOW = "ExpiresBeforeWindow", BLOCKS.but(severity=Severity.CRITICAL)
    AWAITING_FIRST_SITE = "AwaitingFirstSite", AWAITS_TURN
    AWAITING_SLOTS = "AwaitingSlots", AWAITS_TURN
    AWAITING_WAVE = "AwaitingWave", AWAITS_TURN
    SETTINGS_SHRUNKEN = "SettingsShrunken", BLOCKS
    NOT_OURS = "NotOurs", KEPT
    KEPT_BESIDE = "KeptBeside", KEPT
    STILL_USED = "StillUsed", KEPT
    NOT_SEEN = "NotSeen", KEPT
    NOT_PROVEN = "NotProven", KEPT
    IN_GRACE = "InGrace", KEPT
    ENOUGH_DELETED = "EnoughDeleted", KEPT
    # the apps of an environment, which trust a new root only after a stop and a start
    STOPPED_AND_STARTED = "StoppedAndStarted", Traits((Shows.CONVERGED, Shows.HISTORY))
    NOTHING_TO_STOP = "NothingToStop", CONVERGED
    ROOT_NOT_THERE = "RootNotThere", WAITING
    ROOT_WAS_THERE = "RootWasThere", FINDING.but(severity=Severity.LOW)
    STOP_START_BY_HAND = "StopStartByHand", STALLED.but(severity=Severity.MEDIUM, stalls=True)
    WAVE_FAILED = "WaveFailed", STALLED.but(stalls=True)
    START_PENDING = "StartPending", Traits((Shows.WAITING, Shows.HISTORY, Shows.FINDING), Severity.CRITICAL)
    LAST_OF_GROUP = "LastOfGroup", STALLED.but(severity=Severity.MEDIUM, stalls=True)
    # a managed certificate refused: a prerequisite that does not hold
    IN_ENVIRONMENT = "InEnvironment", PREREQUISITE
    WILDCARD_NAME = "WildcardName", PREREQUISITE
    NAME_NOT_ALLOWED = "NameNotAllowed", PREREQUISITE
    TIER_TOO_LOW = "TierTooLow", PREREQUISITE
    ON_FLEX_CONSUMPTION = "OnFlexConsumption", PREREQUISITE
    HOST_NOT_VERIFIED = "HostNotVerified", PREREQUISITE
    CNAME_NOT_DIRECT = "CnameNotDirect", PREREQUISITE
    NOT_THE_APPS_ADDRESS = "NotTheAppsAddress", PREREQUISITE
    BEHIND_TRAFFIC_MANAGER = "BehindTrafficManager", PREREQUISITE
    CAA_FORBIDS = "CaaForbids", PREREQUISITE
    DNS_NOT_SEEN = "DnsNotSeen", PREREQUISITE.but(severity=Severity.LOW)
    NAME_TAKEN = "NameTaken", PREREQUISITE
    # a version refused: the version half of the gate
    VERSION_DISABLED = "VersionDisabled", BAD_VERSION.but(severity=Severity.MEDIUM)
    EXPIRED = "Expired", BAD_VERSION.but(severity=Severity.CRITICAL)
    NEWLY_SELF_SIGNED = "NewlySelfSigned", BAD_VERSION
    SERIAL_TOO_LONG = "SerialTooLong", BAD_VERSION
    WEAKER_SIGNATURE = "WeakerSignature", BAD_VERSION
    NOT_YET_VALID = "NotYetValid", Traits((Shows.VERSION_REFUSAL, Shows.WAITING, Shows.FINDING))
    NOT_A_CERTIFICATE = (
        "NotACertificate",
        Traits((Shows.VERSION_REFUSAL, Shows.CONVERGED, Shows.FINDING), Severity.MEDIUM, is_no_lineage=True),
    )
    BEHIND_A_CERTIFICATE = "BehindACertificate", CONVERGED.but(is_no_lineage=True)
    # an outcome, a finding or a record
    NOTHING_STALE = "NothingStale", CONVERGED
    ROLLED_OUT = "RolledOut", CONVERGED
    DISPATCHED = "Dispatched", WAITING
    NOT_ADMITTED = "NotAdmitted", Traits((Shows.DEFERRED,))
    BUSY = "Busy", WAITING
    OUT_OF_TIME = "OutOfTime", WAITING
    NO_SUCH_CERTIFICATE = "NoSuchCertificate", STALLED.but(severity=Severity.MEDIUM)
    NO_SUCH_SITE = "NoSuchSite", STALLED.but(severity=Severity.MEDIUM)
    VAULT_DENIED = "VaultDenied", STALLED
    VAULT_UNREACHABLE = "VaultUnreachable", FINDING.but(severity=Severity.HIGH)
    VERSIONS_UNREAD = "VersionsUnread", FINDING.but(severity=Severity.MEDIUM)
    BLIND_SPOT = "BlindSpot", FINDING.but(severity=Severity.MEDIUM)
    REJECTED_BY_AZURE = "RejectedByAzure", BLOCKS
    NO_ANSWER = "NoAnswer", REFUSED_FOR_INFO
    NOT_SETTLED = "NotSettled", BLOCKS.but(severity=Severity.MEDIUM)
    DENIED_BY_AZURE = "DeniedByAzure", BLOCKS
    SERVED_ANOTHER = "ServedAnother", STALLED
    UNREACHABLE = "Unreachable", Traits((Shows.CONVERGED, Shows.FINDING))
    SERVED = "Served", CONVERGED
    BINDING_MOVED = "BindingMoved", FINDING.but(severity=Severity.LOW)
    SETTLING = "Settling", WAITING
    PROBING = "Probing", WAITING
    PLAN_BUSY = "PlanBusy", WAITING
    SITE_STOPPED = "SiteStopped", WAITING
    APP_REFUSED = "AppRefused", STALLED
    BROKEN_BEFORE = "BrokenBefore", Traits((Shows.DEFERRED, Shows.CONVERGED, Shows.FINDING), Severity.MEDIUM)
    NOT_ASKED_BEFORE = "NotAskedBefore", Traits((Shows.CONVERGED, Shows.FINDING), Severity.LOW)
    UNDONE = "Undone", Traits((Shows.DEFERRED, Shows.FINDING))
    NOT_NAMED = "NotNamed", STALLED.but(severity=Severity.MEDIUM)
    VALIDATED = "Validated", CONVERGED
    RETIRED = "Retired", CONVERGED
    NO_PROBE = "NoProbe", CONVERGED
    PROBE_INVALID = "ProbeInvalid", Traits((Shows.CONVERGED, Shows.FINDING), Severity.MEDIUM)
    PROBE_PROVES_NOTHING = "ProbeProvesNothing", CONVERGED
    PROBE_REDIRECTS = "ProbeRedirects", Traits((Shows.DEFERRED, Shows.FINDING), Severity.LOW)
    SHOWS_OLD = "ShowsOld", Traits((Shows.CONVERGED, Shows.FINDING), Severity.MEDIUM)
    ROLLED_BACK = "RolledBack", STALLED
    NO_LAST_GOOD = "NoLastGood", STALLED.but(severity=Severity.CRITICAL)
    HOLD_RELEASED = "HoldReleased", HISTORY
    ROOT_SHARED = "RootShared", FINDING
    UNKNOWN_THUMBPRINT = "UnknownThumbprint", FINDING.but(severity=Severity.MEDIUM)
    DUPLICATE_IMPORT = "DuplicateImport", FINDING.but(severity=Severity.MEDIUM)
    TAGS_INHERITED = "TagsInherited", FINDING.but(severity=Severity.LOW)
    REQUIREMENT_WARNING = "RequirementWarning", FINDING.but(severity=Severity.LOW)
    CHAIN_INCOMPLETE = "ChainIncomplete", FINDING.but(severity=Severity.MEDIUM)
    TARGET_INVALID = "TargetInvalid", REFUSED
    NO_SUCH_TARGET = "NoSuchTarget", REFUSED
    AMBIGUOUS_TARGET = "AmbiguousTarget", REFUSED
    NEAR_EXPIRY = "NearExpiry", FINDING.but(severity=Severity.HIGH)
    ISSUING = "Issuing", FINDING
    NOT_RENEWED = "NotRenewed", PREREQUISITE.but(severity=Severity.HIGH)
    UNKNOWN_VAULT = "UnknownVault", STALLED.but(severity=Severity.LOW)
    UNKNOWN_EVENT = "UnknownEvent", FINDING.but(severity=Severity.LOW)
    MALFORMED_EVENT = "MalformedEvent", FINDING.but(severity=Severity.MEDIUM)
    MALFORMED_MESSAGE = "MalformedMessage", DEAD_LETTER
    DEAD_LETTER = "DeadLetter", DEAD_LETTER
    # a purchased certificate, and who may read a vault
    ORDER_PENDING = "OrderPending", ORDER.but(severity=Severity.MEDIUM)
    ORDER_DENIED = "OrderDenied", ORDER
    ORDER_ENDED = "OrderEnded", ORDER
    ORDER_UNREADABLE = "OrderUnreadable", ORDER.but(severity=Severity.MEDIUM)
    ORDER_NOT_STORED = "OrderNotStored", ORDER
    ORDER_STORE_FAILED = "OrderStoreFailed", ORDER
    ORDER_NOT_RENEWABLE = "OrderNotRenewable", ORDER
    AUTO_RENEW_OFF = "AutoRenewOff", Traits((Shows.FINDING, Shows.HISTORY), Severity.MEDIUM)
    VERIFICATION_DUE = "VerificationDue", ORDER
    RENEWAL_DUE = "RenewalDue", HISTORY
    REISSUE_ASKED = "ReissueAsked", HISTORY
    ORDER_ACTIONS_OFF = "OrderActionsOff", Traits((Shows.EVENT,))
    ORDER_ACTION_REFUSED = "OrderActionRefused", FINDING
    ORDER_ACTION_UNKNOWN = "OrderActionUnknown", ORDER.but(severity=Severity.MEDIUM)
    VAULT_ACCESS_LACKING = "VaultAccessLacking", ORDER
    VAULT_ACCESS_UNKNOWN = "VaultAccessUnknown", FINDING
