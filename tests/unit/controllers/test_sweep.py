"""A sweep shares its time between the kinds of certificates, and between vaults that answer and vaults that do not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.controllers.sweep import controller
from shared.controllers.sweep.reading import FLEET_TIME, HOURS_OF_DAY, in_vaults, turn
from shared.domain.deadline import TIME_BUDGET
from shared.domain.errors import OutOfTime, Unavailable
from shared.domain.fleet.fleet import Listing
from shared.domain.names import VaultCertificateRef, VaultName
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import APPLY, HOUR, NOW, REF, ManualClock
from tests.small_storage import SmallStorage, ports_on

DEAD = tuple(VaultName(f"dead-{number}") for number in range(12))


@pytest.mark.parametrize("hours", [1, 2, 3, 4, 6, 8, 12, 24])
def test_each_kind_is_first_in_turn(hours: int) -> None:
    """However often the sweep runs, each of three kinds is the first within three days."""
    sweeps = range(3 * HOURS_OF_DAY // hours)
    assert {turn(NOW + number * hours * HOUR, 3) for number in sweeps} == {0, 1, 2}


def test_kind_that_takes_all_time_stops_no_other_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """If one kind of certificate takes all the time of a sweep, a later sweep begins with another kind."""
    clock, done = ManualClock(), list[str]()

    def inspecting(kind: str) -> tuple[Any, ...]:
        def inspect(run: Run) -> None:
            run.check_time()
            done.append(kind)
            clock.sleep(TIME_BUDGET.total_seconds())

        return (inspect,)

    class Queue:
        def create_missing(self) -> None:
            """Create no queue, because every queue exists."""

    monkeypatch.setattr(controller, "KINDS", tuple(map(inspecting, ("certificates", "managed", "orders"))))
    with Pool(1, "reader") as pool:
        for number in range(3):
            clock.time = NOW + number * HOUR
            with pytest.raises(ExceptionGroup) as raised:
                controller.sweep(Run.start(ports_on(SmallStorage(), clock, queue=Queue()), APPLY, pool))
            assert all(isinstance(error, OutOfTime) for error in raised.value.exceptions)
    assert sorted(done) == ["certificates", "managed", "orders"]


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


@pytest.mark.parametrize("hour", range(0, 24, 5))
def test_vaults_that_do_not_answer_leave_time_for_the_fleet(hour: int) -> None:
    """If most vaults do not answer, the sweep stops listing vaults in time to read and queue what it has found."""
    clock = ManualClock(NOW + hour * HOUR)
    began, findings = clock.now(), SmallStorage()
    intent = replace(APPLY, vaults=frozenset({*DEAD, REF.vault}))
    with Pool(1, "reader") as pool:
        found, errors, _ = in_vaults(Run.start(ports_on(findings, clock, vault=Vaults(clock)), intent, pool))
    assert clock.now() - began < TIME_BUDGET - FLEET_TIME - timedelta(seconds=60)
    assert found <= {REF}
    assert len(errors) == 2 * len(intent.vaults) - 2 * len(found)


def test_vault_that_answers_is_listed_in_turn() -> None:
    """However many vaults do not answer, a day's sweeps also list the vault that answers."""
    seen = set[VaultCertificateRef]()
    with Pool(1, "reader") as pool:
        for hour in range(24):
            clock = ManualClock(NOW + hour * HOUR)
            intent = replace(APPLY, vaults=frozenset({*DEAD, REF.vault}))
            seen |= in_vaults(Run.start(ports_on(SmallStorage(), clock, vault=Vaults(clock)), intent, pool))[0]
    assert seen == {REF}
