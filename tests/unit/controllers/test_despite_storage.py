"""If storage fails with one thing, Certroll still writes about all other things."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from shared.controllers.certificate.progress import send_sites
from shared.controllers.environment.controller import remind
from shared.controllers.sweep.closing import close_gone, close_left
from shared.controllers.sweep.judging import queue_begun
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.errors import StorageFailed
from shared.domain.findings import OpenFinding
from shared.domain.intent import Intent
from shared.domain.names import VaultName
from shared.domain.rollout.settings_record import RollState
from shared.loop.pool import Pool
from shared.loop.restart_claims import give_back
from shared.loop.run import Run
from tests.build import APPLY, ASE, HOUR, NOW, OTHER_ASE, OTHER_REF, REF, ManualClock, roll, site_ref
from tests.small_storage import SmallStorage, ports_on

SITES = (site_ref("a"), site_ref("b"), site_ref("c"))


@dataclass
class Failing:
    """A queue, findings and claims whose storage fails with the first thing, and which note all other things."""

    asked: list[object] = field(default_factory=list)

    def note(self, *thing: object) -> None:
        """Note the thing, and raise StorageFailed for the first one."""
        self.asked.append(thing[0])
        if len(self.asked) == 1:
            raise StorageFailed("the storage account does not answer")

    send_certificate = send_environment = send_site = give_back = note

    def close(self, scope: str, at: object, is_gone: Callable[[OpenFinding], bool], why: str = "") -> None:
        """Note the scope with the reason of the close."""
        del at, is_gone
        self.note((scope, why))


def run_on(failing: Failing, pool: Pool, intent: Intent = APPLY) -> Run:
    """Return a run with two open environments and two apps that were begun."""
    storage, clock = SmallStorage(), ManualClock(NOW)
    ports = ports_on(storage, clock)
    for environment in (ASE, OTHER_ASE):
        ports.environment_records.put(EnvironmentRecord(environment, since=NOW - HOUR))
    for ref in (REF, OTHER_REF):
        ports.settings_rolls.put_roll(ref, roll(RollState.OVERLAPPING))
    given = {"queue": failing, "findings": failing, "restart_claims": failing}
    return Run.start(replace(ports, **given), intent, pool)  # type: ignore[arg-type]


def failures_of(work: Callable[[Run], object], run: Run) -> int:
    """Return how many errors of storage the work returns or raises."""
    try:
        found = work(run)
    except StorageFailed:
        return 1
    return len(found[1] if isinstance(found, tuple) else found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("work", "things"),
    [
        pytest.param(lambda run: send_sites(run, REF, SITES), 3, id="messages of sites"),
        pytest.param(lambda run: give_back(run, ("plan", "environment"), SITES[0], REF), 2, id="claims on restarts"),
        pytest.param(remind, 2, id="messages of environments"),
        pytest.param(lambda run: queue_begun(run, frozenset()), 2, id="messages of what was begun"),
        pytest.param(lambda run: close_gone(run, ("kv-shop/a", "kv-shop/b"), {REF.vault}, NOW), 2, id="gone findings"),
        pytest.param(lambda run: close_left(run, ("old/a", "old/b"), (), NOW), 2, id="findings of a vault that left"),
    ],
)
def test_failure_of_storage_for_one_thing_stops_no_other(work: Callable[[Run], object], things: int) -> None:
    """The other things are written, and the error is known at the end."""
    failing = Failing()
    with Pool(1, "reader") as pool:
        assert failures_of(work, run_on(failing, pool)) == 1
    assert len(failing.asked) == things


def test_findings_close_when_their_vault_or_subscription_left_the_settings() -> None:
    """What Certroll no longer looks at closes with the setting as the reason, except for waves that are under way."""
    elsewhere = replace(ASE, subscription="00000000-0000-0000-0000-00000000000c")
    open_one = EnvironmentRecord(replace(elsewhere, name="open"), since=NOW - HOUR)
    done_one = EnvironmentRecord(replace(elsewhere, name="done"), since=NOW - HOUR, done_at=NOW)
    scopes = {
        str(REF),
        "old/web",
        "sweep",
        "queue sites",
        ASE.resource_id,
        *(record.environment.resource_id for record in (open_one, done_one)),
    }
    intent = replace(APPLY, vaults=frozenset({REF.vault}), subscriptions=(ASE.subscription,))
    failing = Failing([""])
    with Pool(1, "reader") as pool:
        assert close_left(run_on(failing, pool, intent), scopes, (open_one, done_one), NOW) == []
    assert failing.asked[1:] == [
        (
            done_one.environment.resource_id,
            f"subscription {elsewhere.subscription} is not among CERTROLL_SUBSCRIPTIONS",
        ),
        ("old/web", "vault old is not among CERTROLL_VAULTS"),
    ]
    with Pool(1, "reader") as pool:
        everywhere = replace(intent, subscriptions=(), vaults=frozenset({REF.vault, VaultName("old")}))
        assert close_left(run_on(failing, pool, everywhere), scopes, (), NOW) == []
    assert len(failing.asked) == 3
