"""Each reason has traits that decide about reported problems, their severity and the run's outcome."""

import json
import pickle

import pytest

from shared.domain.reason import Reason
from shared.domain.traits import Severity, Shows

STALLING = """
VersionDisabled LaterInUse RecordUnreadable
IncompleteView NotCovered HostNameInvalid NotFoundByAzure KeyNotImportable KeyTooSmall UnknownCurve
NoPrivateKey KeyMismatch ChainLost
SecretUnreadable AnotherCertificate ServerAuthLost ClientAuthLost KeyNotExportable NotPkcs12 NotAnAuthority
NotSelfSigned NewestRefused NotLive AmbiguousLineage NoPlanInWebspace SiteFull WebspaceFull VersionHeld Contested
ExpiresBeforeWindow SettingsShrunken SettingNotText StopStartByHand WaveFailed LastOfGroup InEnvironment WildcardName
NameNotAllowed
TierTooLow OnFlexConsumption HostNotVerified CnameNotDirect NotTheAppsAddress BehindTrafficManager CaaForbids
DnsNotSeen NameTaken RejectedByAzure AnswerUnreadable NotSettled DeniedByAzure NotRenewed OrderPending OrderDenied
OrderEnded OrderUnreadable OrderNotStored OrderStoreFailed OrderNotRenewable VerificationDue OrderActionUnknown
AnotherInstallation VaultAccessLacking
"""
CALM = """
ObserveOnly NotTagged OptedOut NoOverlap LoadsEverything NotYetValid NoAnswer Unreachable Undone RootShared Issuing
OrderActionRefused VaultAccessUnknown FreezeInForce
"""
UNTOLD = """
Answered
StaleCopy StaleUpload RootMissing PublicCertificateAsked ImportAsked UploadAgainAsked StaleThumbprint RootAsked
RootNeeded SupersededInUse LoadedAtStart StaleReference ProbeFailed Superseded ManagedAsked AwaitingFirstStage
OutsideWindow Frozen AwaitingFirstSite AwaitingSlots AwaitingWave AwaitingRoot NotOurs RootKept StillUsed NotSeen
NotProven InGrace
EnoughDeleted StoppedAndStarted NothingToStop RootNotThere BehindACertificate NothingStale RolledOut Dispatched
NotAdmitted StaleView
Busy OutOfTime Served Settling Probing PlanBusy SiteStopped Validated Retired NoProbe ProbeProvesNothing HoldReleased
HoldEnded DeadLetter RenewalDue ReissueAsked OrderActionsOff
"""


def test_reason_is_its_text() -> None:
    """Certroll writes a reason to table rows and logs as its text, and reads the reason back from the text."""
    for reason in Reason:
        assert f"{reason}" == reason == reason.value
        assert json.dumps([reason]) == f'["{reason.value}"]'
        assert Reason(str(reason)) is reason
        assert pickle.loads(pickle.dumps(reason)) is reason  # noqa: S301 - our own


def test_these_stop_a_run_for_a_person() -> None:
    """Exactly the listed reasons for a refusal of a step make the outcome of a run `Stalled`."""
    assert {str(reason) for reason in Reason if reason.stalls} == set(STALLING.split())


def test_what_stalls_a_run_needs_a_person() -> None:
    """Each reason that stalls a run needs an action of an operator.

    Each refusal that the documentation shows as `Stalled` stalls the run.
    """
    assert [reason for reason in Reason if reason.stalls and not reason.needs_person] == []
    shown = {reason for reason in Reason if {Shows.REFUSAL, Shows.STALLED} <= set(reason.shows)}
    assert sorted(reason for reason in shown if not reason.stalls) == []


def test_these_are_no_findings() -> None:
    """Exactly the listed reasons make no finding, for example reasons that describe normal progress."""
    assert {str(reason) for reason in Reason if not reason.makes_finding} == set(UNTOLD.split())


def test_these_findings_need_nobody() -> None:
    """Exactly the listed reported problems have the severity "info", because no operator has to act."""
    calm = {reason for reason in Reason if reason.makes_finding and reason.severity is Severity.INFO}
    assert {str(reason) for reason in calm} == set(CALM.split())


def test_what_takes_an_app_down_is_critical() -> None:
    """Exactly four reasons have the severity "critical", among them an expired certificate."""
    critical = {reason for reason in Reason if reason.severity is Severity.CRITICAL}
    down = {Reason.START_PENDING, Reason.NO_LAST_GOOD, Reason.CHANGE_UNFINISHED, Reason.WRITES_STOPPED}
    assert critical == down | {Reason.EXPIRED, Reason.EXPIRES_BEFORE_WINDOW}


def test_turns_remarks_and_passwords() -> None:
    """Only listed reasons make an app wait, let its update go on, or make a secret no certificate of its own."""
    turns = {Reason.AWAITING_FIRST_STAGE, Reason.AWAITING_FIRST_SITE, Reason.AWAITING_SLOTS, Reason.AWAITING_WAVE}
    turns |= {Reason.AWAITING_ROOT}
    assert {reason for reason in Reason if reason.awaits_turn} == turns
    assert {reason for reason in Reason if reason.allows_roll} == {
        Reason.PINNED_REFERENCE,
        Reason.AMBIGUOUS_LINEAGE,
        Reason.LATER_IN_USE,
        Reason.LOADS_EVERYTHING,
        Reason.ROOT_LIST_UNSUPPORTED,
        Reason.NOT_A_LIST,
    }
    no_lineage = {reason for reason in Reason if reason.is_no_lineage}
    assert no_lineage == {Reason.NOT_A_CERTIFICATE, Reason.BEHIND_A_CERTIFICATE}


OF_ORDERS = {
    Reason.ORDER_PENDING,
    Reason.ORDER_DENIED,
    Reason.ORDER_ENDED,
    Reason.ORDER_UNREADABLE,
    Reason.ORDER_NOT_STORED,
    Reason.ORDER_STORE_FAILED,
    Reason.ORDER_NOT_RENEWABLE,
    Reason.ORDER_ACTION_UNKNOWN,
    Reason.VERIFICATION_DUE,
    Reason.VAULT_ACCESS_LACKING,
}
OF_MANAGED = {
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
OF_ROOTS = {
    Reason.NOT_AN_AUTHORITY,
    Reason.NOT_SELF_SIGNED,
    Reason.STOP_START_BY_HAND,
    Reason.WAVE_FAILED,
    Reason.LAST_OF_GROUP,
}


@pytest.mark.parametrize("reasons", [OF_ORDERS, OF_MANAGED, OF_ROOTS], ids=["orders", "managed", "roots"])
def test_what_only_a_person_can_mend_stalls(reasons: set[Reason]) -> None:
    """If only an operator can resolve a reason of an order, managed certificate or root, the reason stalls the run."""
    assert sorted(reason for reason in reasons if not reason.stalls) == []
    assert sorted(reason for reason in reasons if not reason.needs_person) == []
