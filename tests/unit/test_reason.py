"""What is done and not done, in words: what the page on reasons promises, the code keeps."""

import re
from pathlib import Path

import pytest

from shared.domain.reason import NEEDS_A_PERSON, Reason

PAGE = (Path(__file__).parents[2] / "docs" / "reasons.md").read_text(encoding="utf-8")
HEAD = re.compile(r"^#### (\w+)\n\nShows as: (.+)\. Person needed: (yes|no)\.$", re.MULTILINE)


def test_refusals_that_need_a_person_stall_the_run() -> None:
    """A refusal that the page shows as the outcome Stalled is one on which a run stops for a person."""
    shown = {Reason(name): kinds.split(", ") for name, kinds, _ in HEAD.findall(PAGE)}
    assert len(shown) > 100
    stalling = {reason for reason, kinds in shown.items() if "refusal" in kinds and "outcome (`Stalled`)" in kinds}
    assert sorted(stalling - NEEDS_A_PERSON) == []


def test_what_stalls_a_run_needs_a_person() -> None:
    """Where the page says that nobody is needed, no run stops for a person."""
    calm = {Reason(name) for name, _, needed in HEAD.findall(PAGE) if needed == "no"}
    assert sorted(calm & NEEDS_A_PERSON) == []


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
    Reason.CYCLE_BY_HAND,
    Reason.WAVE_FAILED,
    Reason.LAST_OF_GROUP,
}


@pytest.mark.parametrize("reasons", [OF_ORDERS, OF_MANAGED, OF_ROOTS], ids=["orders", "managed", "roots"])
def test_what_only_a_person_can_mend_stalls(reasons: set[Reason]) -> None:
    """A purchase, a managed certificate and an environment that wait for somebody say so as their outcome."""
    assert sorted(reasons - NEEDS_A_PERSON) == []
    needed = {Reason(name): needed for name, _, needed in HEAD.findall(PAGE)}
    assert {needed[reason] for reason in reasons} == {"yes"}
