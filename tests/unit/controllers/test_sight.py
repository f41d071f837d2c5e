"""A run uses what other runs have read only if its journal cannot be newer."""

import pytest

from shared.clients.fleet_reads import ProcessReads
from shared.controllers.certificate.sight import Sight
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import SiteState
from tests.build import ManualClock, record, roll, rollout


@pytest.mark.parametrize(
    ("known", "shared"),
    [
        pytest.param(Rollout("v2"), True, id="the journal knows nothing of the version"),
        pytest.param(rollout(record(SiteState.PROVEN)), False, id="a site serves the version already"),
        pytest.param(Rollout("v2", rolls=(roll(RollState.OVERLAPPING),)), False, id="an app has the version already"),
    ],
)
def test_lists_of_others_serve_only_a_renewal_that_has_not_begun(known: Rollout, *, shared: bool) -> None:
    """The lists of others may be older than the journal, and a proven site of such a list would be probed again."""
    reads = ProcessReads(ManualClock())
    sight = Sight(reads, reads.mark(), continues=False)
    others = reads.begin()
    assert (sight.look(known) is others) == shared
    assert sight.shared == shared
