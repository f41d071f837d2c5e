"""The one vocabulary of reasons: every step, refusal, outcome and finding carries one."""

from enum import StrEnum


class Reason(StrEnum):
    """Why something is done, not done, or reported. Each is explained in docs/reasons.md."""

    # a step
    STALE_COPY = "StaleCopy"
    STALE_UPLOAD = "StaleUpload"
    ROOT_MISSING = "RootMissing"
    PUBLIC_CERTIFICATE_ASKED = "PublicCertificateAsked"
    IMPORT_ASKED = "ImportAsked"
    UPLOAD_AGAIN_ASKED = "UploadAgainAsked"
    STALE_THUMBPRINT = "StaleThumbprint"
    ROOT_ASKED = "RootAsked"
    ROOT_NEEDED = "RootNeeded"
    SUPERSEDED_IN_USE = "SupersededInUse"
    LOADED_AT_START = "LoadedAtStart"
    STALE_REFERENCE = "StaleReference"
    PROBE_FAILED = "ProbeFailed"
    SUPERSEDED = "Superseded"
    MANAGED_ASKED = "ManagedAsked"
    # a step refused, by a guard or by the proposal itself
    OBSERVE_ONLY = "ObserveOnly"
    OPTED_OUT = "OptedOut"
    OWN_SITE = "OwnSite"
    INCOMPLETE_VIEW = "IncompleteView"
    NOT_COVERED = "NotCovered"
    KEY_NOT_IMPORTABLE = "KeyNotImportable"
    KEY_TOO_SMALL = "KeyTooSmall"
    UNKNOWN_CURVE = "UnknownCurve"
    NO_PRIVATE_KEY = "NoPrivateKey"
    KEY_MISMATCH = "KeyMismatch"
    CHAIN_LOST = "ChainLost"
    SECRET_UNREADABLE = "SecretUnreadable"  # noqa: S105 - the word, not one of them
    ANOTHER_CERTIFICATE = "AnotherCertificate"
    SERVER_AUTH_LOST = "ServerAuthLost"
    CLIENT_AUTH_LOST = "ClientAuthLost"
    KEY_NOT_EXPORTABLE = "KeyNotExportable"
    NOT_PKCS12 = "NotPkcs12"
    NOT_AN_AUTHORITY = "NotAnAuthority"
    NOT_SELF_SIGNED = "NotSelfSigned"
    NEWEST_REFUSED = "NewestRefused"
    NOT_LIVE = "NotLive"
    AMBIGUOUS_LINEAGE = "AmbiguousLineage"
    NO_PLAN_IN_WEBSPACE = "NoPlanInWebspace"
    WEBSPACE_FULL = "WebspaceFull"
    UPLOADED_BEFORE_CHAINS = "UploadedBeforeChains"
    UPLOAD_DATE_UNKNOWN = "UploadDateUnknown"
    AWAITING_FIRST_STAGE = "AwaitingFirstStage"
    VERSION_HELD = "VersionHeld"
    NO_OVERLAP = "NoOverlap"
    LOADS_EVERYTHING = "LoadsEverything"
    PINNED_REFERENCE = "PinnedReference"
    ROOT_LIST_UNHEEDED = "RootListUnheeded"
    FOUGHT_OVER = "FoughtOver"
    OUTSIDE_WINDOW = "OutsideWindow"
    EXPIRES_BEFORE_WINDOW = "ExpiresBeforeWindow"
    AWAITING_FIRST_SITE = "AwaitingFirstSite"
    AWAITING_SLOTS = "AwaitingSlots"
    AWAITING_WAVE = "AwaitingWave"
    SETTINGS_SHRUNKEN = "SettingsShrunken"
    NOT_OURS = "NotOurs"
    KEPT_BESIDE = "KeptBeside"
    STILL_USED = "StillUsed"
    NOT_SEEN = "NotSeen"
    NOT_PROVEN = "NotProven"
    IN_GRACE = "InGrace"
    ENOUGH_DELETED = "EnoughDeleted"
    # the apps of an environment, which trust a new root only after a stop and a start
    CYCLED = "Cycled"
    NOTHING_TO_CYCLE = "NothingToCycle"
    ROOT_NOT_THERE = "RootNotThere"
    ROOT_WAS_THERE = "RootWasThere"
    CYCLE_BY_HAND = "CycleByHand"
    WAVE_FAILED = "WaveFailed"
    START_OWED = "StartOwed"
    LAST_OF_GROUP = "LastOfGroup"
    # a managed certificate refused: a prerequisite that does not hold
    IN_ENVIRONMENT = "InEnvironment"
    WILDCARD_NAME = "WildcardName"
    NAME_NOT_ALLOWED = "NameNotAllowed"
    TIER_TOO_LOW = "TierTooLow"
    ON_FLEX_CONSUMPTION = "OnFlexConsumption"
    HOST_NOT_VERIFIED = "HostNotVerified"
    CNAME_NOT_DIRECT = "CnameNotDirect"
    NOT_THE_APPS_ADDRESS = "NotTheAppsAddress"
    BEHIND_TRAFFIC_MANAGER = "BehindTrafficManager"
    CAA_FORBIDS = "CaaForbids"
    DNS_NOT_SEEN = "DnsNotSeen"
    NAME_TAKEN = "NameTaken"
    # a version refused: the version half of the gate
    VERSION_DISABLED = "VersionDisabled"
    EXPIRED = "Expired"
    NEWLY_SELF_SIGNED = "NewlySelfSigned"
    SERIAL_TOO_LONG = "SerialTooLong"
    WEAKER_SIGNATURE = "WeakerSignature"
    NOT_YET_VALID = "NotYetValid"
    NOT_A_CERTIFICATE = "NotACertificate"
    BEHIND_A_CERTIFICATE = "BehindACertificate"
    # an outcome, a finding or a record
    NOTHING_STALE = "NothingStale"
    ROLLED_OUT = "RolledOut"
    DISPATCHED = "Dispatched"
    NOT_DISPATCHED = "NotDispatched"
    BUSY = "Busy"
    OUT_OF_TIME = "OutOfTime"
    NO_SUCH_CERTIFICATE = "NoSuchCertificate"
    NO_SUCH_SITE = "NoSuchSite"
    VAULT_DENIED = "VaultDenied"
    VAULT_UNREACHABLE = "VaultUnreachable"
    VERSIONS_UNREAD = "VersionsUnread"
    BLIND_SPOT = "BlindSpot"
    REJECTED_BY_AZURE = "RejectedByAzure"
    NO_ANSWER = "NoAnswer"
    NOT_SETTLED = "NotSettled"
    DENIED_BY_AZURE = "DeniedByAzure"
    SERVED_ANOTHER = "ServedAnother"
    UNREACHABLE = "Unreachable"
    SERVED = "Served"
    BINDING_MOVED = "BindingMoved"
    SETTLING = "Settling"
    PROBING = "Probing"
    PLAN_BUSY = "PlanBusy"
    SITE_STOPPED = "SiteStopped"
    APP_REFUSED = "AppRefused"
    BROKEN_BEFORE = "BrokenBefore"
    NOT_ASKED_BEFORE = "NotAskedBefore"
    UNDONE = "Undone"
    NOT_NAMED = "NotNamed"
    VALIDATED = "Validated"
    RETIRED = "Retired"
    NO_PROBE = "NoProbe"
    PROBE_INVALID = "ProbeInvalid"
    PROBE_PROVES_NOTHING = "ProbeProvesNothing"
    PROBE_REDIRECTS = "ProbeRedirects"
    SHOWS_OLD = "ShowsOld"
    ROLLED_BACK = "RolledBack"
    NO_LAST_GOOD = "NoLastGood"
    HOLD_RELEASED = "HoldReleased"
    ROOT_SHARED = "RootShared"
    UNKNOWN_THUMBPRINT = "UnknownThumbprint"
    DUPLICATE_IMPORT = "DuplicateImport"
    TAGS_INHERITED = "TagsInherited"
    REQUIREMENT_WARNING = "RequirementWarning"
    CHAIN_INCOMPLETE = "ChainIncomplete"
    TARGET_INVALID = "TargetInvalid"
    NO_SUCH_TARGET = "NoSuchTarget"
    AMBIGUOUS_TARGET = "AmbiguousTarget"
    NEAR_EXPIRY = "NearExpiry"
    ISSUING = "Issuing"
    NOT_RENEWED = "NotRenewed"
    UNKNOWN_VAULT = "UnknownVault"
    UNKNOWN_EVENT = "UnknownEvent"
    MALFORMED_EVENT = "MalformedEvent"
    MALFORMED_MESSAGE = "MalformedMessage"
    POISONED = "Poisoned"
    # a purchased certificate, and who may read a vault
    ORDER_PENDING = "OrderPending"
    ORDER_DENIED = "OrderDenied"
    ORDER_ENDED = "OrderEnded"
    ORDER_UNREADABLE = "OrderUnreadable"
    ORDER_NOT_STORED = "OrderNotStored"
    ORDER_STORE_FAILED = "OrderStoreFailed"
    ORDER_NOT_RENEWABLE = "OrderNotRenewable"
    AUTO_RENEW_OFF = "AutoRenewOff"
    VERIFICATION_DUE = "VerificationDue"
    RENEWAL_DUE = "RenewalDue"
    REISSUE_ASKED = "ReissueAsked"
    ORDER_ACTIONS_OFF = "OrderActionsOff"
    ORDER_ACTION_REFUSED = "OrderActionRefused"
    ORDER_ACTION_UNKNOWN = "OrderActionUnknown"
    VAULT_ACCESS_LACKING = "VaultAccessLacking"
    VAULT_ACCESS_UNKNOWN = "VaultAccessUnknown"


NEEDS_A_PERSON = frozenset(
    {
        Reason.INCOMPLETE_VIEW,
        Reason.NOT_COVERED,
        Reason.KEY_NOT_IMPORTABLE,
        Reason.KEY_TOO_SMALL,
        Reason.UNKNOWN_CURVE,
        Reason.NO_PRIVATE_KEY,
        Reason.KEY_MISMATCH,
        Reason.CHAIN_LOST,
        Reason.SECRET_UNREADABLE,
        Reason.ANOTHER_CERTIFICATE,
        Reason.SERVER_AUTH_LOST,
        Reason.CLIENT_AUTH_LOST,
        Reason.KEY_NOT_EXPORTABLE,
        Reason.NOT_PKCS12,
        Reason.NOT_AN_AUTHORITY,
        Reason.NOT_SELF_SIGNED,
        Reason.CYCLE_BY_HAND,
        Reason.WAVE_FAILED,
        Reason.LAST_OF_GROUP,
        Reason.NEWEST_REFUSED,
        Reason.NOT_LIVE,
        Reason.AMBIGUOUS_LINEAGE,
        Reason.NO_PLAN_IN_WEBSPACE,
        Reason.WEBSPACE_FULL,
        Reason.VERSION_HELD,
        Reason.FOUGHT_OVER,
        Reason.EXPIRES_BEFORE_WINDOW,
        Reason.SETTINGS_SHRUNKEN,
        Reason.REJECTED_BY_AZURE,
        Reason.DENIED_BY_AZURE,
        Reason.NOT_SETTLED,
        Reason.ORDER_PENDING,
        Reason.ORDER_DENIED,
        Reason.ORDER_ENDED,
        Reason.ORDER_UNREADABLE,
        Reason.ORDER_NOT_STORED,
        Reason.ORDER_STORE_FAILED,
        Reason.ORDER_NOT_RENEWABLE,
        Reason.VERIFICATION_DUE,
        Reason.ORDER_ACTION_UNKNOWN,
        Reason.VAULT_ACCESS_LACKING,
        Reason.IN_ENVIRONMENT,
        Reason.WILDCARD_NAME,
        Reason.NAME_NOT_ALLOWED,
        Reason.TIER_TOO_LOW,
        Reason.ON_FLEX_CONSUMPTION,
        Reason.HOST_NOT_VERIFIED,
        Reason.CNAME_NOT_DIRECT,
        Reason.NOT_THE_APPS_ADDRESS,
        Reason.BEHIND_TRAFFIC_MANAGER,
        Reason.CAA_FORBIDS,
        Reason.DNS_NOT_SEEN,
        Reason.NAME_TAKEN,
        Reason.NOT_RENEWED,
    }
)
