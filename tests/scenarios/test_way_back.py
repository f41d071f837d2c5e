"""Check that the way back of a broken app goes on until the app works, whatever fails in the meantime."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.wire import Request
from shared.controllers.intake.queues import on_poison
from shared.domain.messages import SITES, SiteMessage
from shared.domain.names import SiteRef, VaultCertificateRef
from tests.scenarios.app_worlds import CLIENT, LIST, PATH, PROBE, Street, age, owned, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import VAULT

HOUR = timedelta(hours=1)
SOON = timedelta(minutes=12)
"""How soon after a fault the app works again: a pause of the message, two probes that fail, and one restart."""
GOOD = "RolledBack"
FOLLOWS = "@Microsoft.KeyVault(SecretUri=https://contoso-kv.vault.azure.net/secrets/client)"


def broken_by_a_roll(install: Install) -> tuple[Street, Installation]:
    """Return a fleet in which Certroll has just written settings that break the app, and has not noticed it yet."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    town.partner.accept_only(town.old)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    while installation.rolls().get("billing") != "Overlapping":
        deliver_next(installation)
    return town, installation


def deliver_next(installation: Installation) -> None:
    """Deliver the next message of the coming hour."""
    message = installation.queue.take(installation.clock.now() + HOUR)
    assert message is not None
    installation.deliver(message)


def go_on(town: Street, installation: Installation, during: timedelta) -> datetime | None:
    """Deliver messages and sweep once an hour; return when the app had its last good settings again, if ever."""
    end, swept = installation.clock.now() + during, installation.clock.now()
    while installation.clock.now() < end:
        message = installation.queue.take(min(swept + HOUR, end))
        if message is not None:
            installation.deliver(message)
        elif swept + HOUR <= end:
            swept += HOUR
            installation.clock.set(max(swept, installation.clock.now()))
            sweep(installation)
        else:
            break
        if is_back(town):
            return installation.clock.now()
    return None


def sweep(installation: Installation) -> None:
    """Run the sweep as the host would, whose error only reaches the log."""
    try:
        installation.sweep()
    except Exception as error:  # noqa: BLE001 - the next sweep follows an hour later; tests read `errors`
        installation.errors.append(error)


def is_back(town: Street) -> bool:
    """Return True if the app has its last good settings."""
    return town.settings("billing") == owned({LIST: town.old, PATH: f"/var/ssl/private/{town.old}.p12"})


class Lasting(Fault):
    """A fault that strikes every matching request until a moment of the simulated clock."""

    def __init__(self, clock: Clock, minutes: int, fault: Fault) -> None:
        """Take over what the given fault does, for the given minutes from now on."""
        values = {known.name: getattr(fault, known.name) for known in fields(Fault) if known.init}
        super().__init__(**values)
        self.clock, self.until = clock, clock.now() + timedelta(minutes=minutes)

    def matches(self, request: Request) -> bool:
        """Return True if the fault still lasts, and matches the request."""
        return self.clock.now() < self.until and super().matches(request)


FAULTS: dict[str, Callable[[], Fault]] = {
    "ARM throttles": lambda: Fault("throttle", host="management", times=None, retry_after=30),
    "ARM is down": lambda: Fault("server_error", host="management", status=503, times=None),
}


@pytest.mark.parametrize(
    ("kind", "minutes"),
    [("ARM throttles", 30), ("ARM throttles", 130), ("ARM is down", 65)],
)
def test_broken_app_is_taken_back_soon_after_a_fault(install: Install, kind: str, minutes: int) -> None:
    """If Azure fails for long right after a settings write that breaks an app, the way back ends soon afterwards."""
    town, installation = broken_by_a_roll(install)
    began = installation.clock.now()
    town.world.faults.add(Lasting(town.world.clock, minutes, FAULTS[kind]()))
    back = go_on(town, installation, timedelta(minutes=minutes) + 3 * HOUR)
    assert back is not None
    assert back - began <= timedelta(minutes=minutes) + SOON
    installation.deliver_all(HOUR)
    assert installation.rolls() == {"billing": GOOD}
    assert [message for message in installation.queue.dead_letter if message.queue == SITES] == []
    reported = ("app billing", "ChangeUnfinished")
    assert reported in installation.findings()
    assert reported not in installation.open_findings()


def test_broken_app_is_taken_back_while_the_vault_is_silent(install: Install) -> None:
    """If the vault is silent from the settings write on, Certroll judges and takes back the app without the vault."""
    town, installation = broken_by_a_roll(install)
    began = installation.clock.now()
    town.world.faults.add(Fault("dropped", host="vault", times=None))
    back = go_on(town, installation, 3 * HOUR)
    assert back is not None
    assert back - began <= SOON
    installation.deliver_all(HOUR)
    assert installation.rolls() == {"billing": GOOD}
    assert [message for message in installation.queue.dead_letter if message.queue == SITES] == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("dropped", "PUT", path=r"/config/appsettings$", times=None), id="no write is answered"),
        pytest.param(Fault("server_error", "GET", path="/sites/billing$", status=503, times=None), id="no read is"),
    ],
)
def test_broken_app_is_taken_back_after_a_write_that_came_late(install: Install, fault: Fault) -> None:
    """If Azure makes a write after Certroll has given it up and begun again, an app that breaks is taken back."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    town.partner.accept_only(town.old)
    town.world.faults.add(Fault("dropped", "PUT", path=r"/config/appsettings$", times=None))
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    while not any(row.get("in_doubt") for row in installation.rows("certrolljournal")):
        deliver_next(installation)
    town.world.faults.clear()
    town.world.faults.add(fault)
    installation.deliver_all(HOUR / 2)
    assert installation.rolls() == {"billing": "Refused"}
    town.world.faults.clear()
    installation.clock.advance(HOUR)
    installation.sweep()
    while installation.rolls().get("billing") != "Stale":
        deliver_next(installation)
    late = {LIST: f"{town.old},{new}", PATH: f"/var/ssl/private/{new}.p12"}
    town.world.meddle(town.site("billing"), edit=lambda settings: {**settings, **late})
    installation.deliver_all(HOUR)
    assert is_back(town)
    assert installation.rolls() == {"billing": GOOD}


def refreshed(install: Install) -> tuple[Street, Installation]:
    """Return a fleet in which Certroll has just refreshed the references of an app, and has not probed it yet."""
    town = street()
    site = town.build.add_site("billing", town.linux, tags=PROBE, settings=owned({"CERT": FOLLOWS}))
    town.build.add_app(site, town.partner, setting="CERT")
    installation = install(age(town).world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    while installation.rolls().get("billing") != "Overlapping":
        installation.deliver_all(timedelta(seconds=20))
    return town, installation


def answer(town: Street, body: str) -> None:
    """Let the app answer all its probes with the given text."""
    app = town.world.apps.of(town.site("billing"))
    assert app is not None
    app.script = [(200, {}, body)] * 40


def test_answer_without_any_certificate_proves_nothing_while_the_vault_is_silent(install: Install) -> None:
    """If the vault is silent after a refresh of references, no answer of the app proves a certificate."""
    town, installation = refreshed(install)
    town.world.faults.add(Fault("dropped", host="vault", times=None))
    answer(town, "well")
    installation.deliver_all(HOUR)
    assert installation.rolls() == {"billing": "Overlapping"}
    town.world.faults.clear()
    answer(town, town.world.vaults[VAULT].certificates[CLIENT].newest.thumbprint)
    sweep(installation)
    installation.deliver_all(HOUR)
    assert installation.rolls() == {"billing": "Validated"}


def test_answer_without_any_certificate_proves_nothing_after_a_deletion(install: Install) -> None:
    """If the vault certificate is deleted after a refresh of references, no answer of the app proves a certificate."""
    town, installation = refreshed(install)
    town.world.vaults[VAULT].certificates.pop(CLIENT)
    answer(town, "well")
    installation.deliver_all(HOUR)
    sweep(installation)
    installation.deliver_all(HOUR)
    assert installation.rolls() == {"billing": "Unproven"}


def test_sweeps_during_a_fault_begin_no_second_series_of_tries(install: Install) -> None:
    """However many sweeps and messages come while Azure fails, one series of tries goes on with the app."""
    town, installation = broken_by_a_roll(install)
    town.world.faults.add(Fault("dropped", host="management", times=None))
    for _ in range(3):
        installation.queue.send_site(site_message(town))
        installation.deliver_all(HOUR / 4)
    assert sum(message.queue == SITES for message in installation.queue.waiting()) == 1
    town.world.faults.clear()
    installation.deliver_all(HOUR)
    assert is_back(town)


def test_app_is_taken_back_although_every_run_of_it_died(install: Install) -> None:
    """If the process of every run of an app dies, the message that Azure gives up is sent again, and no dead letter."""
    town, installation = broken_by_a_roll(install)
    lost = installation.queue.take(installation.clock.now() + HOUR)
    while lost is not None and lost.queue != SITES:
        lost = installation.queue.take(installation.clock.now() + HOUR)
    assert lost is not None
    on_poison(installation.start(), SITES, lost.body)
    installation.deliver_all(HOUR)
    assert is_back(town)
    assert installation.kept() == []


def test_message_of_another_site_still_becomes_a_dead_letter(install: Install) -> None:
    """A message of a site without an unfinished change becomes a dead letter after five failures, as before."""
    town, installation = broken_by_a_roll(install)
    installation.deliver_all(2 * HOUR)
    assert installation.rolls() == {"billing": GOOD}
    on_poison(installation.start(), SITES, site_message(town).body())
    on_poison(installation.start(), SITES, "nonsense")
    assert len(installation.kept()) == 2


@pytest.mark.real_storage
def test_operator_stops_the_way_back_by_a_tag(install: Install) -> None:
    """With `certroll: off` on the app, Certroll stops the tries of the way back, and sends no further message."""
    town, installation = broken_by_a_roll(install)
    town.world.faults.add(Lasting(town.world.clock, 10, FAULTS["ARM throttles"]()))
    site = town.site("billing")
    town.world.web.put_site(replace(site, tags={**site.tags, "certroll": "off"}))
    installation.deliver_all(12 * HOUR)
    assert len(installation.queue) == 0
    assert not is_back(town)


def site_message(town: Street) -> SiteMessage:
    """Return a message that names the app, as a sweep's run of the vault certificate sends it."""
    return SiteMessage(SiteRef.parse(town.site("billing").id), VaultCertificateRef.parse(VAULT, "certificate", CLIENT))
