"""All reasons that Certroll gives for its steps, refusals, outcomes and findings (reported problems).

Each reason states where operators meet it, how severe it is, and how a run continues. The command `make docs` writes
each reason with its traits (severity, place, effect) into docs/reference/reasons.md.
"""

from enum import StrEnum
from typing import Self

from shared.domain.traits import (
    AWAITS_TURN,
    BAD_VERSION,
    BLOCKS,
    CONVERGED,
    DEAD_LETTER,
    FINDING,
    HISTORY,
    NOT_DELETED,
    ORDER,
    PREREQUISITE,
    REFUSED,
    REFUSED_FOR_INFO,
    STALLED,
    STEP,
    WAITING,
    Severity,
    Shows,
    Traits,
)


class Reason(StrEnum):
    """The reason for an action, a refusal or a report of Certroll. docs/reference/reasons.md explains the reasons."""

    traits: Traits

    def __new__(cls, text: str, traits: Traits) -> Self:
        """Build a reason that equals its text and carries its traits."""
        member = str.__new__(cls, text)
        member._value_ = text
        member.traits = traits
        return member

    @property
    def shows(self) -> tuple[Shows, ...]:
        """Where operators meet the reason, for example as a finding or as an outcome."""
        return self.traits.shows

    @property
    def severity(self) -> Severity:
        """How much the reason matters to the operators of Certroll."""
        return self.traits.severity

    @property
    def needs_person(self) -> bool:
        """True if an operator has to act because of the reason.

        Reasons without a need for an operator pass by themselves, or describe a normal state.
        """
        return self.traits.severity is not Severity.INFO

    @property
    def makes_finding(self) -> bool:
        """True if Certroll reports the reason as a finding (a reported problem)."""
        return Shows.FINDING in self.traits.shows

    @property
    def once(self) -> bool:
        """True if a finding with the reason is noted and never open, because it is about one event or message."""
        return self.traits.once

    @property
    def stalls(self) -> bool:
        """True if a refusal with the reason makes the outcome of the run `Stalled`."""
        return self.traits.stalls

    @property
    def awaits_turn(self) -> bool:
        """True if Certroll postpones the refused action until other sites, slots, webspaces or apps are finished."""
        return self.traits.awaits_turn

    @property
    def passes(self) -> bool:
        """True if Certroll makes the refused step later, when a time has come or other apps are finished."""
        return {Shows.REFUSAL, Shows.WAITING} <= set(self.traits.shows)

    @property
    def allows_roll(self) -> bool:
        """True if Certroll may update the settings of an app in spite of a refusal with the reason."""
        return self.traits.allows_roll

    @property
    def is_no_lineage(self) -> bool:
        """True if Certroll does not treat the vault secret as a certificate of its own."""
        return self.traits.is_no_lineage

    # ---- steps
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
    # ---- refusals of steps
    OBSERVE_ONLY = "ObserveOnly", Traits((Shows.WOULD, Shows.CONVERGED, Shows.FINDING))
    NOT_TAGGED = "NotTagged", Traits((Shows.WOULD, Shows.CONVERGED, Shows.FINDING))
    OPTED_OUT = "OptedOut", REFUSED_FOR_INFO
    OWN_SITE = "OwnSite", REFUSED
    RECORD_UNREADABLE = "RecordUnreadable", BLOCKS
    SITE_WITH_SILOS = "SiteWithSilos", REFUSED
    INCOMPLETE_VIEW = "IncompleteView", BLOCKS
    NOT_COVERED = "NotCovered", BLOCKS
    HOST_NAME_INVALID = "HostNameInvalid", BLOCKS
    NOT_FOUND_BY_AZURE = "NotFoundByAzure", BLOCKS
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
    LATER_IN_USE = "LaterInUse", BLOCKS.but(allows_roll=True)
    NOT_LIVE = "NotLive", BLOCKS
    AMBIGUOUS_LINEAGE = "AmbiguousLineage", BLOCKS.but(allows_roll=True)
    NO_PLAN_IN_WEBSPACE = "NoPlanInWebspace", BLOCKS
    WEBSPACE_FULL = "WebspaceFull", BLOCKS
    SITE_FULL = "SiteFull", BLOCKS
    UPLOADED_BEFORE_CHAINS = "UploadedBeforeChains", REFUSED.but(severity=Severity.HIGH)
    UPLOAD_DATE_UNKNOWN = "UploadDateUnknown", REFUSED.but(severity=Severity.LOW)
    AWAITING_FIRST_STAGE = "AwaitingFirstStage", AWAITS_TURN
    VERSION_HELD = "VersionHeld", BLOCKS
    NO_OVERLAP = "NoOverlap", REFUSED_FOR_INFO
    LOADS_EVERYTHING = "LoadsEverything", REFUSED_FOR_INFO.but(allows_roll=True)
    PINNED_REFERENCE = "PinnedReference", REFUSED.but(allows_roll=True)
    ROOT_LIST_UNSUPPORTED = "RootListUnsupported", REFUSED.but(allows_roll=True)
    NOT_A_LIST = "NotAList", REFUSED.but(allows_roll=True)
    CONTESTED = "Contested", BLOCKS
    OUTSIDE_WINDOW = "OutsideWindow", AWAITS_TURN.but(awaits_turn=False)
    FROZEN = "Frozen", AWAITS_TURN.but(awaits_turn=False)
    EXPIRES_BEFORE_WINDOW = "ExpiresBeforeWindow", BLOCKS.but(severity=Severity.CRITICAL)
    AWAITING_FIRST_SITE = "AwaitingFirstSite", AWAITS_TURN
    AWAITING_SLOTS = "AwaitingSlots", AWAITS_TURN
    AWAITING_WAVE = "AwaitingWave", AWAITS_TURN
    AWAITING_ROOT = "AwaitingRoot", AWAITS_TURN
    SETTINGS_SHRUNKEN = "SettingsShrunken", BLOCKS
    SETTING_NOT_TEXT = "SettingNotText", BLOCKS
    THUMBPRINT_MENTIONED = "ThumbprintMentioned", REFUSED
    NOT_OURS = "NotOurs", NOT_DELETED
    ROOT_KEPT = "RootKept", NOT_DELETED
    STILL_USED = "StillUsed", NOT_DELETED
    NOT_SEEN = "NotSeen", NOT_DELETED
    NOT_PROVEN = "NotProven", NOT_DELETED
    IN_GRACE = "InGrace", NOT_DELETED
    ENOUGH_DELETED = "EnoughDeleted", NOT_DELETED
    # ---- apps of an environment
    STOPPED_AND_STARTED = "StoppedAndStarted", Traits((Shows.CONVERGED, Shows.HISTORY))
    NOTHING_TO_STOP = "NothingToStop", CONVERGED
    ROOT_NOT_THERE = "RootNotThere", WAITING
    ROOT_WAS_THERE = "RootWasThere", FINDING.but(severity=Severity.LOW)
    STOP_START_BY_HAND = "StopStartByHand", STALLED.but(severity=Severity.MEDIUM, stalls=True)
    WAVE_FAILED = "WaveFailed", STALLED.but(stalls=True)
    START_PENDING = "StartPending", Traits((Shows.WAITING, Shows.HISTORY, Shows.FINDING), Severity.CRITICAL)
    LAST_OF_GROUP = "LastOfGroup", STALLED.but(severity=Severity.MEDIUM, stalls=True)
    # ---- prerequisites of managed certificates
    IN_ENVIRONMENT = "InEnvironment", PREREQUISITE
    WILDCARD_NAME = "WildcardName", PREREQUISITE
    NAME_NOT_ALLOWED = "NameNotAllowed", PREREQUISITE
    TIER_TOO_LOW = "TierTooLow", PREREQUISITE.but(shows=(Shows.REFUSAL, Shows.FINDING))
    ON_FLEX_CONSUMPTION = "OnFlexConsumption", PREREQUISITE
    HOST_NOT_VERIFIED = "HostNotVerified", PREREQUISITE
    CNAME_NOT_DIRECT = "CnameNotDirect", PREREQUISITE
    NOT_THE_APPS_ADDRESS = "NotTheAppsAddress", PREREQUISITE
    BEHIND_TRAFFIC_MANAGER = "BehindTrafficManager", PREREQUISITE
    CAA_FORBIDS = "CaaForbids", PREREQUISITE
    DNS_NOT_SEEN = "DnsNotSeen", PREREQUISITE.but(severity=Severity.LOW)
    NAME_TAKEN = "NameTaken", BLOCKS
    # ---- refusals of versions
    VERSION_DISABLED = (
        "VersionDisabled",
        BLOCKS.but(
            shows=(Shows.REFUSAL, Shows.VERSION_REFUSAL, Shows.STALLED, Shows.FINDING), severity=Severity.MEDIUM
        ),
    )
    EXPIRED = "Expired", BAD_VERSION.but(severity=Severity.CRITICAL)
    NEWLY_SELF_SIGNED = "NewlySelfSigned", BAD_VERSION
    SERIAL_TOO_LONG = "SerialTooLong", BAD_VERSION
    CERTIFICATE_UNREADABLE = "CertificateUnreadable", STALLED
    WEAKER_SIGNATURE = "WeakerSignature", BAD_VERSION
    NOT_YET_VALID = "NotYetValid", Traits((Shows.VERSION_REFUSAL, Shows.WAITING, Shows.FINDING))
    NOT_A_CERTIFICATE = (
        "NotACertificate",
        Traits((Shows.VERSION_REFUSAL, Shows.CONVERGED, Shows.FINDING), Severity.MEDIUM, is_no_lineage=True),
    )
    BEHIND_A_CERTIFICATE = "BehindACertificate", CONVERGED.but(is_no_lineage=True)
    # ---- outcomes, findings and records
    NOTHING_STALE = "NothingStale", CONVERGED
    ROLLED_OUT = "RolledOut", CONVERGED
    ANSWERED = "Answered", CONVERGED
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
    ANSWER_UNREADABLE = "AnswerUnreadable", BLOCKS
    NO_ANSWER = "NoAnswer", REFUSED_FOR_INFO
    STALE_VIEW = "StaleView", NOT_DELETED
    UNANSWERED = "Unanswered", Traits((Shows.WAITING, Shows.STALLED, Shows.FINDING), Severity.MEDIUM)
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
    CHANGE_UNFINISHED = "ChangeUnfinished", FINDING.but(severity=Severity.CRITICAL)
    WRITES_STOPPED = "WritesStopped", STALLED.but(severity=Severity.CRITICAL)
    NO_LAST_GOOD = "NoLastGood", STALLED.but(severity=Severity.CRITICAL)
    HOLD_RELEASED = "HoldReleased", HISTORY
    HOLD_ENDED = "HoldEnded", Traits((Shows.DEFERRED, Shows.HISTORY))
    ROOT_SHARED = "RootShared", FINDING
    UNKNOWN_THUMBPRINT = "UnknownThumbprint", FINDING.but(severity=Severity.MEDIUM)
    DUPLICATE_IMPORT = "DuplicateImport", FINDING.but(severity=Severity.MEDIUM)
    WENT_BACK = "WentBack", FINDING.but(severity=Severity.HIGH)
    UNKNOWN_TAG = "UnknownTag", FINDING.but(severity=Severity.LOW)
    TAG_NOT_UNDERSTOOD = "TagNotUnderstood", FINDING.but(severity=Severity.MEDIUM)
    UNKNOWN_SETTING = "UnknownSetting", FINDING.but(severity=Severity.LOW)
    TAGS_INHERITED = "TagsInherited", FINDING.but(severity=Severity.LOW)
    REQUIREMENT_WARNING = "RequirementWarning", FINDING.but(severity=Severity.LOW)
    CHAIN_INCOMPLETE = "ChainIncomplete", FINDING.but(severity=Severity.MEDIUM)
    TARGET_INVALID = "TargetInvalid", REFUSED
    NAME_INVALID = "NameInvalid", REFUSED
    NO_SUCH_TARGET = "NoSuchTarget", REFUSED
    AMBIGUOUS_TARGET = "AmbiguousTarget", REFUSED
    NEAR_EXPIRY = "NearExpiry", FINDING.but(severity=Severity.HIGH)
    ISSUING = "Issuing", FINDING
    NOT_RENEWED = "NotRenewed", PREREQUISITE.but(severity=Severity.HIGH)
    UNKNOWN_VAULT = "UnknownVault", STALLED.but(severity=Severity.LOW, once=True)
    UNKNOWN_EVENT = "UnknownEvent", FINDING.but(severity=Severity.LOW, once=True)
    FREEZE_IN_FORCE = "FreezeInForce", FINDING
    SWEEP_LASTS = "SweepLasts", FINDING.but(severity=Severity.MEDIUM)
    NOT_READ_IN_TIME = "NotReadInTime", FINDING.but(severity=Severity.MEDIUM)
    SETTING_IGNORED = "SettingIgnored", FINDING.but(severity=Severity.LOW)
    MALFORMED_EVENT = "MalformedEvent", FINDING.but(severity=Severity.MEDIUM, once=True)
    MALFORMED_MESSAGE = "MalformedMessage", DEAD_LETTER.but(shows=(Shows.DEAD_LETTER, Shows.FINDING))
    DEAD_LETTER = "DeadLetter", DEAD_LETTER
    # ---- purchased certificates, access to vaults
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
    ANOTHER_INSTALLATION = "AnotherInstallation", ORDER
    ORDER_ACTION_UNKNOWN = "OrderActionUnknown", ORDER.but(severity=Severity.MEDIUM)
    VAULT_ACCESS_LACKING = "VaultAccessLacking", ORDER
    VAULT_ACCESS_UNKNOWN = "VaultAccessUnknown", FINDING
