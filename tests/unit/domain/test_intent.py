"""Certroll says why it only observes a resource."""

from dataclasses import replace

import pytest

from shared.domain.intent import Intent, Mode, Scope
from shared.domain.reason import Reason
from shared.domain.tags import Tags

PILOT = Intent(mode=Mode.APPLY, scope=Scope.TAGGED)


@pytest.mark.parametrize(
    ("intent", "tags", "reason"),
    [
        pytest.param(PILOT, (), Reason.NOT_TAGGED, id="a pilot, no tag"),
        pytest.param(PILOT, None, Reason.NOT_TAGGED, id="a pilot, tags unknown"),
        pytest.param(PILOT, (("certroll", "on"),), None, id="a pilot, the tag"),
        pytest.param(replace(PILOT, scope=Scope.ALL), (), None, id="all resources"),
        pytest.param(replace(PILOT, mode=Mode.OBSERVE), (("certroll", "on"),), Reason.OBSERVE_ONLY, id="observe"),
    ],
)
def test_barrier_names_what_holds_certroll_back(intent: Intent, tags: Tags | None, reason: Reason | None) -> None:
    """The barrier names the mode or the missing tag, and there is none where Certroll may write."""
    barrier = intent.barrier(tags, "site shop")
    assert (barrier.reason if barrier else None) is reason
