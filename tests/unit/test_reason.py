"""What is done and not done, in words: what the page on reasons promises, the code keeps."""

import re
from pathlib import Path

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
