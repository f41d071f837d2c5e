"""Check that settings updates which meet operators, pipelines and outages come to an end without a lost edit."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from shared.domain.errors import Conflict
from shared.domain.names import VaultCertificateRef
from shared.domain.rollout.rollout import Rollout
from tests.scenarios.app_worlds import CLIENT, LIST, PATH, SUBJECT, Street, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crash, Crasher, Installation
from tests.scenarios.worlds import VAULT

ARM = "management.azure.com"
SOON, LATER = timedelta(minutes=10), timedelta(minutes=75)
"""`SOON` is enough time to update an app's settings and to restore the old settings.

`LATER` adds a waiting time of one hour to `SOON`.
"""
WRITTEN = timedelta(seconds=70)
"""The time until Certroll has written the settings of the first app and has not probed the app yet."""
FAILING = timedelta(seconds=150)
"""The time until the first app has failed its probe, but too briefly for Certroll to restore the old settings."""
MANY = 20
SETTINGS = r"/config/appsettings$"
MOST = 150


def begin(town: Street, installation: Installation, during: timedelta, **differences: object) -> str:
    """Renew the client certificate, deliver messages for the given time, and return the new thumbprint."""
    new = town.renew(**differences)
    installation.look_at(VAULT, CLIENT)
    delivered(installation, during)
    return new


def delivered(installation: Installation, during: timedelta, most: int = MOST) -> int:
    """Deliver all queue messages and return their number; fail if more than `most` messages arrive."""
    until, count = installation.clock.now() + during, 0
    while (message := installation.queue.take(until)) is not None:
        count += 1
        assert count <= most, "messages go round"
        installation.deliver(message)
    return count


def sweep(installation: Installation, after: timedelta = LATER, during: timedelta = SOON) -> None:
    """Let the time `after` pass, then run Certroll's sweep and deliver messages."""
    installation.clock.advance(after)
    installation.sweep()
    delivered(installation, during)


def many(town: Street) -> dict[str, str]:
    """Return the settings of an app that has many settings."""
    others = {f"FEATURE_{number}": "x" for number in range(MANY)}
    return {LIST: town.old, PATH: f"/var/ssl/private/{town.old}.p12", **others}


def without_features(settings: dict[str, str]) -> dict[str, str]:
    """Return the app's settings without the settings that the function `many` added."""
    return {key: value for key, value in settings.items() if not key.startswith("FEATURE_")}


def stop(town: Street, name: str) -> None:
    """Stop a site, as the site's owner does."""
    town.world.web.put_site(replace(town.site(name), state="Stopped"))


def refuse_writes(town: Street, name: str, **how: object) -> None:
    """Let the simulated Azure deny writes of an app's settings."""
    town.world.faults.add(Fault("denied", "PUT", path=f"/sites/{name}{SETTINGS}", **{"times": None, **how}))  # type: ignore[arg-type]


def looks(town: Street) -> int:
    """Return how often Certroll listed the fleet's certificates, which is once per inspection of the fleet."""
    return sum(entry.path.endswith("/certificates") for entry in town.world.journal.reads(ARM))


# ------------------------------------------------------------------------------------------- what Azure refuses


def test_an_app_that_may_not_be_written_is_tried_again_by_the_sweep_alone(install: Install) -> None:
    """Certroll retries a locked app only in a sweep or after an event, and updates it once the lock is gone."""
    town = street()
    town.linux_app("aaa")
    town.linux_app("locked")
    installation = install(age(town).world)
    refuse_writes(town, "locked")
    begin(town, installation, LATER)
    assert installation.rolls() == {"aaa": "Validated", "locked": "Refused"}
    assert sum(fault.strikes for fault in town.world.faults.all()) == 1
    assert len(installation.queue) == 0
    town.world.faults.clear()
    sweep(installation)
    assert installation.rolls() == {"aaa": "Validated", "locked": "Validated"}
    assert installation.errors == []


def test_an_app_whose_settings_shrank_is_tried_again_by_the_sweep_alone(install: Install) -> None:
    """Certroll never overwrites settings that were missing from a read, and refuses the app without endless retries."""
    town = street()
    town.linux_app("aaa")
    town.app("bbb", many(town), setting=PATH)
    installation = install(age(town).world)
    before = town.settings("bbb")
    town.renew()
    installation.look_at(VAULT, CLIENT)
    until, count = installation.clock.now() + LATER, 0
    while count < MOST and (message := installation.queue.take(until)) is not None:
        count += 1
        if "sites/bbb" in message.body.lower():
            town.world.misread(town.site("bbb"), nth=1, shown=without_features)
        installation.deliver(message)
    assert count < MOST
    assert town.settings("bbb") == before
    assert installation.rolls()["bbb"] == "Refused"


def test_an_app_that_was_written_though_azure_denied_it_is_judged(install: Install) -> None:
    """Certroll restores a failing app's old settings even if Azure's answer to the settings update was lost."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    town.world.faults.add(Fault("applied_but_lost", "PUT", path=f"/sites/billing{SETTINGS}", times=1))
    town.world.faults.add(Fault("denied", "POST", path="/sites/billing/config/appsettings/list$", times=2, skip=3))
    new = begin(town, installation, SOON)
    assert new in town.settings("billing")[LIST]
    assert installation.rolls() == {"billing": "Refused"}
    town.world.faults.clear()
    sweep(installation)
    assert town.settings("billing") == before
    assert installation.rolls() == {"billing": "RolledBack"}


def test_apps_that_cannot_be_reached_cost_a_look_each(install: Install) -> None:
    """If no app answers its probe, Certroll inspects the fleet at most a few times per app."""
    town = street()
    names = [f"app{number}" for number in range(4)]
    for name in names:
        town.linux_app(name).broken = True
    installation = install(age(town).world, max_restarts=len(names), stage_soak=timedelta(minutes=5))
    begin(town, installation, SOON)
    assert looks(town) <= 2 * len(names) + 4
    assert set(installation.rolls()) == set(names)
    assert installation.errors == []


# --------------------------------------------------------------------------------------------------------- slots


def test_a_stopped_slot_holds_up_no_production_site(install: Install) -> None:
    """Certroll updates a production site's settings at once although its staging slot is stopped."""
    town = street()
    town.linux_app("billing")
    town.slot("billing", "staging", {LIST: town.old, PATH: f"/var/ssl/private/{town.old}.p12"})
    stop(town, "billing/staging")
    installation = install(age(town).world)
    begin(town, installation, SOON)
    assert installation.rolls()["billing"] == "Validated"


@pytest.mark.parametrize("answer", ["ResourceNotFound", "empty"])
def test_a_slot_that_is_deleted_while_it_is_judged_holds_up_no_production_site(install: Install, answer: str) -> None:
    """If a pipeline deletes a slot after its update, Certroll updates the production site within the waiting time.

    Certroll understands a 404 with ARM's error and a 404 without a body alike.
    """
    town = street(Knobs(missing_site=answer))  # type: ignore[arg-type]
    town.linux_app("billing")
    town.slot("billing", "staging", {LIST: town.old, PATH: f"/var/ssl/private/{town.old}.p12"})
    installation = install(age(town).world)
    begin(town, installation, WRITTEN)
    assert installation.rolls() == {"billing/staging": "Overlapping"}
    town.world.web.sites.remove(town.site("billing/staging").id)
    delivered(installation, LATER)
    assert installation.rolls()["billing"] == "Validated"
    assert installation.sweep() == ()


# ------------------------------------------------------------------------------------------------ other people


def test_a_colleague_who_restarts_the_app_does_not_switch_the_way_back_off(install: Install) -> None:
    """Certroll still restores a failing app's old settings if a colleague edited and restarted the app meanwhile."""
    town = street()
    app = town.linux_app("billing")
    town.linux_app("shipping")
    installation = install(age(town).world)
    before = town.settings("billing")

    def edit(settings: dict[str, str]) -> dict[str, str]:
        app.script = [(503, {}, "restarting")]
        return {**settings, "FEATURE": "off"}

    # Certroll reads the app settings for the fleet, for the app's run and just before the write; the colleague acts
    # before this third read.
    town.world.meddle(town.site("billing"), edit=edit, before="POST", nth=3)
    town.partner.accept_only(town.old)
    new = begin(town, installation, SOON)
    assert app.script == []
    assert town.settings("billing") == {**before, "FEATURE": "off"}
    assert installation.rolls() == {"billing": "RolledBack"}
    assert new not in town.settings("shipping")[LIST]


def test_an_owner_who_tidies_up_gets_the_last_good_values_back(install: Install) -> None:
    """If an owner deletes most settings after the update, Certroll restores the old thumbprint an hour later.

    Certroll does not bring back the settings that the owner deleted.
    """
    town = street()
    town.app("billing", many(town), setting=PATH)
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    town.world.meddle(town.site("billing"), edit=without_features, after="PUT")
    begin(town, installation, SOON)
    assert installation.rolls() == {"billing": "Failed"}
    sweep(installation, timedelta(hours=1))
    assert town.settings("billing") == without_features(before)
    assert installation.rolls() == {"billing": "RolledBack"}


def test_a_shrunken_read_at_a_late_way_back_is_not_written(install: Install) -> None:
    """When Certroll restores old settings late, no setting is lost, even if Azure's answers omit most settings."""
    town = street()
    town.app("billing", many(town), setting=PATH)
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    refuse_writes(town, "billing", skip=1)
    begin(town, installation, SOON)
    assert installation.rolls() == {"billing": "Failed"}
    town.world.faults.clear()
    for nth in range(1, 6):
        town.world.misread(town.site("billing"), nth=nth, shown=without_features)
    sweep(installation)
    sweep(installation)
    assert town.settings("billing") == before


def test_the_way_back_leaves_what_somebody_else_pinned(install: Install) -> None:
    """When Certroll restores old settings, a thumbprint that another setting names stays loaded."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    new = town.renew()
    town.world.meddle(town.site("billing"), edit=lambda s: {**s, "OTHER_PARTNER_CERT": new}, after="PUT")
    installation.look_at(VAULT, CLIENT)
    delivered(installation, SOON)
    settings = town.settings("billing")
    assert settings[PATH] == before[PATH]
    assert settings["OTHER_PARTNER_CERT"] == new
    assert set(settings[LIST].split(",")) == {town.old, new}


def test_nothing_is_released_while_an_app_is_being_taken_back(install: Install) -> None:
    """While Certroll restores an app's old settings, it refuses an operator's wish to retry the failed version."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    refuse_writes(town, "billing", skip=1)
    begin(town, installation, SOON)
    assert installation.rolls() == {"billing": "Failed"}
    with pytest.raises(Conflict, match="billing"):
        installation.release(VAULT, CLIENT)
    town.world.faults.clear()
    sweep(installation)
    assert town.settings("billing") == before
    assert installation.rolls() == {"billing": "RolledBack"}


@pytest.mark.real_storage
def test_nothing_is_released_that_is_recorded_anew_meanwhile(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll refuses an operator's wish to retry a failed version while another run records a result of the app."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    town.partner.accept_only(town.old)
    begin(town, installation, SOON)
    assert installation.rolls() == {"billing": "RolledBack"}
    ports = installation.ports
    read = ports.rollouts.rollout

    def read_and_overtaken(ref: VaultCertificateRef, version: str) -> Rollout:
        rollout = read(ref, version)
        for roll in rollout.rolls:
            ports.settings_rolls.put_roll(ref, roll)
        return rollout

    monkeypatch.setattr(ports.rollouts, "rollout", read_and_overtaken)
    with pytest.raises(Conflict, match="billing"):
        installation.release(VAULT, CLIENT)
    assert installation.rolls() == {"billing": "RolledBack"}


@pytest.mark.real_storage
def test_what_is_recorded_anew_meanwhile_keeps_no_other_app_from_its_release(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When an operator allows a failed version again, Certroll retries all apps that no other run records just then."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    town.partner.accept_only(town.old)
    begin(town, installation, SOON)
    ports = installation.ports
    read = ports.rollouts.rollout

    def read_and_overtaken(ref: VaultCertificateRef, version: str) -> Rollout:
        rollout = read(ref, version)
        (held,) = rollout.rolls
        another = ports.settings_rolls.put_roll(
            ref, replace(held, site=replace(held.site, name="another"), revision=None)
        )
        ports.settings_rolls.put_roll(ref, another)
        return replace(rollout, rolls=(held, another))

    monkeypatch.setattr(ports.rollouts, "rollout", read_and_overtaken)
    assert installation.release(VAULT, CLIENT) == "billing"
    assert installation.rolls() == {"another": "RolledBack"}


def test_a_swap_while_the_slot_is_judged_leaves_both_on_the_new_version(install: Install) -> None:
    """If a slot is swapped during its settings update, the slot and the production site end on the new version."""
    town = street()
    town.linux_app("billing")
    town.slot("billing", "staging", {LIST: town.old, PATH: f"/var/ssl/private/{town.old}.p12"})
    installation = install(age(town).world)
    new = begin(town, installation, WRITTEN)
    production, slot = town.settings("billing"), town.settings("billing/staging")
    town.world.meddle(town.site("billing"), edit=lambda _: slot)
    town.world.meddle(town.site("billing/staging"), edit=lambda _: production)
    delivered(installation, LATER)
    sweep(installation)
    assert new in town.settings("billing")[PATH]
    assert new in town.settings("billing/staging")[PATH]


def test_two_certificates_of_one_app_cost_a_restart_each(install: Install) -> None:
    """If two certificates of one app are renewed together, the app restarts once for each certificate."""
    town = street()
    second = town.build.add_certificate("second", ("second.contoso.com",)).thumbprint
    town.build.add_copy("second", town.linux, name="second-linux")
    both = {LIST: f"{town.old},{second}", PATH: f"/var/ssl/private/{town.old}.p12", "SECOND_PIN": second}
    town.app("billing", both, setting=PATH)
    installation = install(age(town).world)
    newer = town.world.vaults[VAULT].renew("second").thumbprint
    installation.look_at(VAULT, "second")
    new = begin(town, installation, LATER)
    settings = town.settings("billing")
    assert (settings[LIST], settings["SECOND_PIN"]) == (f"{town.old},{new},{second},{newer}", newer)
    assert town.restarts("billing") == 2


# ----------------------------------------------------------------------------------------------------- bad versions


def test_a_version_that_is_issued_anew_while_the_last_one_fails_buries_nothing(install: Install) -> None:
    """If a second bad version follows the first bad version, the app still gets its last good version back."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    begin(town, installation, FAILING)
    assert installation.rolls() == {"billing": "Overlapping"}
    begin(town, installation, SOON)
    assert town.settings("billing")[PATH] == before[PATH]
    assert town.world.apps.troubles() == ()


def disable(town: Street) -> None:
    """Disable the newest version of the certificate, as operators do with a bad certificate."""
    certificate = town.world.vaults[VAULT].certificates[CLIENT]
    certificate.versions[certificate.versions.index(certificate.newest)] = replace(certificate.newest, enabled=False)
    assert not certificate.newest.enabled


def forbid(town: Street) -> None:
    """Take away Certroll's right to read the vault certificate."""
    town.world.faults.add(Fault("denied", "GET", path=f"/certificates/{CLIENT}", times=None))


@pytest.mark.parametrize(("withdraw", "during"), [(disable, FAILING), (forbid, timedelta(minutes=4, seconds=30))])
def test_a_version_that_is_withdrawn_while_it_fails_is_taken_back(
    install: Install, withdraw: Callable[[Street], None], during: timedelta
) -> None:
    """Certroll restores a failing app's old settings even if the version was disabled or the vault is unreadable."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    begin(town, installation, during)
    withdraw(town)
    installation.look_at(VAULT, CLIENT)
    delivered(installation, SOON)
    assert town.settings("billing") == before
    assert town.world.apps.troubles() == ()


def test_a_refused_version_that_azure_brings_takes_nothing_from_apps(install: Install) -> None:
    """If Azure's own sync imports a refused version, Certroll uploads the replaced version that apps name."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    town.renew(self_signed=True)
    town.world.nightly_sync()
    installation.look_at(VAULT, CLIENT)
    delivered(installation, SOON)
    assert [copy.thumbprint for copy in town.kept()] == [town.old]
    assert town.world.apps.troubles() == ()


def test_every_app_of_a_certificate_that_was_made_again_is_rolled(install: Install) -> None:
    """Certroll updates the settings of each app if a vault certificate was deleted and created again under its name."""
    town = street()
    town.linux_app("aaa")
    town.linux_app("bbb")
    installation = install(age(town).world)
    vault, now = town.world.vaults[VAULT], town.world.clock.now()
    del vault.certificates[CLIENT]
    lifetime = {"created": now, "not_before": now, "not_after": now + timedelta(days=100)}
    new = town.build.add_certificate(CLIENT, (SUBJECT,), vault, **lifetime).thumbprint  # type: ignore[arg-type]
    installation.look_at(VAULT, CLIENT)
    delivered(installation, LATER)
    assert [new in town.settings(name)[LIST] for name in ("aaa", "bbb")] == [True, True]
    assert [new in town.settings(name)[PATH] for name in ("aaa", "bbb")] == [True, True]


def test_an_app_that_was_stopped_through_two_renewals_is_ready_for_the_last(install: Install) -> None:
    """An app that was stopped during two renewals gets the newest version and delays no other app."""
    town = street()
    town.linux_app("aaa")
    town.linux_app("zzz")
    installation = install(age(town).world)
    stop(town, "zzz")
    begin(town, installation, SOON)
    last = begin(town, installation, LATER)
    assert last in town.settings("aaa")[PATH]
    assert last in town.settings("zzz")[PATH]


@pytest.mark.parametrize("why", ["it is stopped", "its settings may not be read"])
def test_an_unfinished_roll_of_an_earlier_version_holds_up_no_binding(install: Install, why: str) -> None:
    """An app with an unfinished settings update still shows a newer version at its host name."""
    town = street(Knobs(sync_moves_bindings=False))
    town.linux_app("billing")
    copy = next(copy for copy in town.world.web.certificates.values() if copy.name == "client-linux")
    town.build.add_host(town.site("billing"), SUBJECT, copy)
    installation = install(age(town).world)
    begin(town, installation, WRITTEN)
    assert installation.rolls() == {"billing": "Overlapping"}
    if why == "it is stopped":
        stop(town, "billing")
    else:
        town.world.faults.add(Fault("denied", "POST", path="/sites/billing/config/appsettings/list$", times=None))
    delivered(installation, SOON)
    last = begin(town, installation, LATER)
    assert town.site("billing").hosts[SUBJECT].thumbprint == last


# ------------------------------------------------------------------------------------------------------- outages


def test_an_outage_of_the_app_itself_is_no_proof_against_the_version(install: Install) -> None:
    """An app that also fails with its restored old settings does not stop the settings update of other apps."""
    town = street()
    app = town.linux_app("aaa")
    town.linux_app("bbb")
    installation = install(age(town).world)
    new = begin(town, installation, WRITTEN)
    assert installation.rolls() == {"aaa": "Overlapping"}
    app.broken = True
    delivered(installation, LATER)
    assert installation.rolls()["bbb"] == "Validated"
    assert new in town.settings("bbb")[PATH]


def test_an_old_process_that_answers_now_and_then_hides_no_failure(install: Install) -> None:
    """Certroll restores old settings if an app's new processes fail, even if an old process answers for 50 minutes."""
    town = street(Knobs(restart_seconds=60, old_process_answers=3000))
    town.linux_app("billing")
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    begin(town, installation, LATER)
    sweep(installation)
    assert town.settings("billing") == before


def test_a_slow_starter_is_restarted_a_few_times_at_most(install: Install) -> None:
    """If an app needs ten minutes to start, Certroll restarts the app at most four times in a settings update."""
    town = street()
    app = town.linux_app("aaa")
    installation = install(age(town).world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    for _ in range(4):
        deliver_to_slow(town, installation, lambda down: setattr(app, "broken", down))
        installation.sweep()
    assert town.restarts("aaa") <= 4


def deliver_to_slow(town: Street, installation: Installation, say: Callable[[bool], None]) -> None:
    """Deliver messages for over an hour, while the app is down for ten minutes after each restart."""
    until, seen, up_at = installation.clock.now() + LATER, town.restarts("aaa"), installation.clock.now()
    while (message := installation.queue.take(until)) is not None:
        say(installation.clock.now() < up_at)
        installation.deliver(message)
        if town.restarts("aaa") != seen:
            seen, up_at = town.restarts("aaa"), installation.clock.now() + timedelta(minutes=10)
    say(False)
    installation.clock.set(until)


def test_a_crash_after_the_write_and_stale_reads_hide_no_failure(install: Install, crasher: Crasher) -> None:
    """Certroll restores a failing app's old settings even after a crash at the update and stale answers of Azure."""
    town = street(Knobs(restart_seconds=200))
    app = town.linux_app("billing")
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    with crasher.crashing_at("/config/appsettings"), pytest.raises(Crash):
        delivered(installation, SOON)
    assert town.settings("billing") != before
    installation.storage.break_leases()
    for nth in (1, 2):
        town.world.misread(town.site("billing"), nth=nth, shown=lambda _: before)
    app.script = [(503, {}, "starting")]
    delivered(installation, LATER)
    assert town.settings("billing") == before
    assert installation.rolls() == {"billing": "RolledBack"}


def test_an_app_that_is_deleted_while_it_is_judged_is_forgotten(install: Install) -> None:
    """Certroll forgets an app that is deleted during its settings update, and updates the settings of other apps."""
    town = street()
    town.linux_app("aaa")
    town.linux_app("bbb")
    installation = install(age(town).world)
    begin(town, installation, WRITTEN)
    assert installation.rolls() == {"aaa": "Overlapping"}
    town.world.web.sites.remove(town.site("aaa").id)
    delivered(installation, LATER)
    assert installation.rolls()["bbb"] == "Validated"
    assert installation.sweep() == ()


def test_a_setting_that_is_no_valid_text_holds_up_nobody(install: Install) -> None:
    """An app whose setting is no valid text delays no settings update of other apps."""
    town = street()
    town.linux_app("good")
    town.build.add_site("odd", town.linux, settings={"X": "odd-value-\ud800"})
    installation = install(age(town).world)
    begin(town, installation, SOON)
    assert installation.rolls() == {"good": "Validated"}
    assert installation.errors == []
