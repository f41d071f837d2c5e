"""A sweep shares its time between vaults that answer and vaults that do not."""

from dataclasses import replace

from shared.controllers.sweep.reading import FLEET_SHARE, in_vaults
from shared.domain.deadline import TIME_BUDGET
from shared.domain.errors import Unavailable
from shared.domain.fleet.fleet import Listing
from shared.domain.names import VaultCertificateRef, VaultName
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import APPLY, HOUR, NOW, REF, ManualClock
from tests.small_storage import SmallStorage, ports_on

DEAD = tuple(VaultName(f"dead-{number}") for number in range(12))


class Vaults:
    """Fake vaults of which all but one use up the time in which Certroll repeats a call, and do not answer."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock

    def names(self, vault: VaultName) -> Listing[VaultCertificateRef]:
        """Return a certificate, or raise Unavailable after a minute and a half."""
        if vault in DEAD:
            self.clock.sleep(90)
            raise Unavailable(f"{vault} does not answer")
        return Listing((REF,))

    secret_names = names


def listed(clock: ManualClock, storage: SmallStorage) -> set[VaultCertificateRef]:
    """List the vaults in a run, and return what Certroll found."""
    intent = replace(APPLY, vaults=frozenset({*DEAD, REF.vault}))
    with Pool(1, "reader") as pool:
        found, errors, _ = in_vaults(Run.start(ports_on(storage, clock, vault=Vaults(clock)), intent, pool))
    assert len(errors) == 2 * len(intent.vaults) - 2 * len(found)
    return found


def test_vaults_that_do_not_answer_leave_time_for_the_fleet() -> None:
    """If most vaults do not answer, the sweep stops listing vaults in time to read and queue what it has found."""
    storage = SmallStorage()
    for hour in range(4):
        clock = ManualClock(NOW + hour * HOUR)
        assert listed(clock, storage) <= {REF}
        assert clock.now() - (NOW + hour * HOUR) < TIME_BUDGET * float(1 - FLEET_SHARE)


def test_vault_that_answers_is_listed_in_turn() -> None:
    """However many vaults do not answer before it, a vault that answers is listed, and then in each sweep."""
    storage = SmallStorage()
    found = [listed(ManualClock(NOW + hour * HOUR), storage) for hour in range(24)]
    first = found.index({REF})
    assert first <= len(DEAD)
    assert found[first:].count({REF}) >= (len(found) - first) // 2
