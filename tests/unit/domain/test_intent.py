"""Test what keeps Certroll from writing to a resource."""

import pytest

from shared.domain.intent import Intent, Mode, Scope
from shared.domain.reason import Reason
from shared.domain.tags import Tags


@pytest.mark.parametrize(
    ("intent", "tags", "reason"),
    [
        pytest.param(Intent(mode=Mode.APPLY), (), None, id="Certroll writes everywhere"),
        pytest.param(Intent(mode=Mode.APPLY, scope=Scope.TAGGED), (), Reason.NOT_TAGGED, id="it lacks the tag"),
        pytest.param(Intent(mode=Mode.APPLY, scope=Scope.TAGGED), (("certroll", "on"),), None, id="it has the tag"),
        pytest.param(Intent(mode=Mode.APPLY, scope=Scope.TAGGED), None, Reason.NOT_TAGGED, id="its tags are unknown"),
        pytest.param(Intent(), (("certroll", "on"),), Reason.OBSERVE_ONLY, id="Certroll only observes"),
    ],
)
def test_barrier_names_what_forbids_a_write(intent: Intent, tags: Tags | None, reason: Reason | None) -> None:
    """Certroll says whether its mode or a missing tag keeps it from writing to a resource."""
    barrier = intent.barrier(tags, "site shop")
    assert (barrier.reason if barrier else None) is reason
