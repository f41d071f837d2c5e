"""Check how Certroll updates thumbprints in app settings, as the owner of an app sees the update."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from local.azure.entra.tokens import CERTROLL
from local.azure.scripting.knobs import Knobs
from local.azure.watching.app_watch import AppWatch
from shared.domain.restart_window import RestartWindow
from tests.scenarios.app_worlds import CLIENT, LIST, PATH, PIN, PROBE, SUBJECT, Street, age, owned, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import VAULT

HOURS = timedelta(hours=6)


def roll(town: Street, installation: Installation, during: timedelta = HOURS) -> str:
    """Renew the client certificate, deliver all messages, and return the new thumbprint."""
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(during)
    assert installation.errors == []
    return new


def next_hour(start: datetime, now: datetime) -> datetime:
    """Return the next full hour after the start, at which Certroll's sweep runs."""
    return start + timedelta(hours=(now - start) // timedelta(hours=1) + 1)


@pytest.mark.real_storage
@pytest.mark.real_transport
def test_a_linux_app_gets_both_versions_and_uses_the_new_one(install: Install) -> None:
    """A Linux app lists both versions, uses the new version after a single restart, and never fails a call."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    with AppWatch(town.world) as watch:
        new = roll(town, installation)
    assert town.settings("billing") == owned({LIST: f"{town.old},{new}", PATH: f"/var/ssl/private/{new}.p12"})
    assert town.restarts("billing") == 1
    assert watch.troubles == []
    assert installation.rolls() == {"billing": "Validated"}
    assert [copy.thumbprint for copy in town.kept()] == [town.old]


def test_every_kind_of_app_keeps_its_call(install: Install) -> None:
    """Apps on Windows, on Linux, in containers and in slots fail no call while Certroll updates their settings."""
    town = street()
    town.linux_app("billing")
    town.slot("billing", "staging", {LIST: town.old.lower(), PATH: f"/var/ssl/private/{town.old}.p12"})
    stranger = "AB" * 20
    town.app(
        "orders",
        {LIST: f" {stranger.lower()} , {town.old.lower()},,", PIN: town.old.lower()},
        setting=PIN,
        plan=town.windows,
    )
    path = f"C:\\appservice\\certificates\\private\\{town.old}.pfx"
    town.app("ledger", {LIST: town.old, PATH: path}, setting=PATH, plan=town.windows, windows_container=True)
    town.app("star", {LIST: "*", PIN: town.old}, setting=PIN, plan=town.windows)
    installation = install(age(town).world, max_restarts=10)
    with AppWatch(town.world) as watch:
        new = roll(town, installation)
    assert watch.troubles == []
    assert set(installation.rolls().values()) == {"Validated"}
    assert town.settings("orders")[LIST] == f" {stranger.lower()} , {town.old.lower()},{new.lower()},,"
    assert town.settings("orders")[PIN] == new.lower()
    assert town.settings("ledger")[PATH] == f"C:\\appservice\\certificates\\private\\{new}.pfx"
    assert (town.settings("star")[LIST], town.settings("star")[PIN]) == ("*", new)
    assert town.settings("billing/staging")[LIST] == f"{town.old.lower()},{new.lower()}"
    assert {site.full_name: site.restarts for site in town.world.web.sites.values()} == dict.fromkeys(
        ("billing", "billing/staging", "orders", "ledger", "star"), 1
    )


def test_the_next_roll_takes_the_version_before_the_last_one_out(install: Install) -> None:
    """After two renewals an app's WEBSITE_LOAD_CERTIFICATES names only the last two certificate versions."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    first = roll(town, installation)
    town.world.clock.advance(timedelta(days=40))
    with AppWatch(town.world) as watch:
        second = roll(town, installation)
    assert town.settings("billing")[LIST] == f"{first},{second}"
    assert town.restarts("billing") == 2
    assert watch.troubles == []


def test_an_uploaded_certificate_is_rolled_where_both_versions_are_there(install: Install) -> None:
    """Certroll updates the settings of an app whose owner uploaded both versions, and uploads nothing."""
    town = street()
    plan = town.build.add_plan("hand", location="eastus")
    old = town.world.vaults[VAULT].certificates[CLIENT].newest
    town.build.add_upload(old, plan)
    town.app("hand", {LIST: town.old, PIN: town.old}, setting=PIN, plan=plan)
    installation = install(age(town).world)
    with AppWatch(town.world) as watch:
        new = town.renew()
        town.build.add_upload(town.world.vaults[VAULT].certificates[CLIENT].newest, plan)
        installation.look_at(VAULT, CLIENT)
        installation.deliver_all(HOURS)
    assert watch.troubles == []
    assert town.settings("hand")[LIST] == f"{town.old},{new}"
    assert installation.rolls() == {"hand": "Validated"}
    assert town.kept() == []


def test_the_sweep_finds_a_roll_behind_an_upload_without_any_event(install: Install) -> None:
    """The sweep finds an app behind an uploaded certificate by the thumbprints of the vault certificate's versions."""
    town = street()
    plan = town.build.add_plan("hand", location="eastus")
    town.build.add_upload(town.world.vaults[VAULT].certificates[CLIENT].newest, plan)
    town.app("hand", {LIST: town.old, PIN: town.old}, setting=PIN, plan=plan)
    for copy in tuple(town.world.web.certificates.values()):
        if copy.source is not None:
            town.world.web.certificates.remove(copy.id)
    installation = install(age(town).world)
    new = town.renew()
    town.build.add_upload(town.world.vaults[VAULT].certificates[CLIENT].newest, plan)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("hand")[PIN] == new


def test_the_nightly_sync_that_comes_first_is_healed(install: Install) -> None:
    """If Azure's nightly sync brings the new version, Certroll uploads the old version and updates app settings."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    new = town.renew()
    town.world.nightly_sync()
    installation.sweep()
    with AppWatch(town.world) as watch:
        installation.deliver_all(HOURS)
    assert installation.errors == []
    assert town.settings("billing")[LIST] == f"{town.old},{new}"
    assert town.settings("billing")[PATH].endswith(f"{new}.p12")
    assert [trouble for moment, trouble in watch.troubles if moment > watch.troubles[0][0]] == []


def test_a_list_that_azure_rewrites_itself_ends_well(install: Install) -> None:
    """If Azure replaces the thumbprint in WEBSITE_LOAD_CERTIFICATES, Certroll updates the other settings."""
    town = street(Knobs(import_rewrites_load_list=True))
    town.linux_app("billing")
    installation = install(age(town).world)
    new = roll(town, installation)
    assert town.settings("billing")[PATH].endswith(f"{new}.p12")
    assert new in town.settings("billing")[LIST]
    assert town.world.apps.troubles() == ()
    assert installation.rolls() == {"billing": "Validated"}


@pytest.mark.parametrize("answer", ["accept", "refuse", "resolve"])
def test_the_old_version_is_kept_whatever_azure_does_with_a_second_copy(install: Install, answer: str) -> None:
    """Certroll uploads the old version for an app, whether or not Azure allows the same thumbprint twice.

    If Azure refuses the upload because the thumbprint exists, Certroll uploads the old version after the sync.
    """
    town = street(Knobs(second_import_same_thumbprint=answer))  # type: ignore[arg-type]
    town.world.web.certificates.remove(next(c.id for c in town.world.web.certificates.values() if "windows" in c.name))
    town.linux_app("billing")
    installation = install(age(town).world)
    with AppWatch(town.world) as watch:
        new = roll(town, installation)
    assert [copy.thumbprint for copy in town.kept()] == [town.old]
    assert town.settings("billing")[LIST] == f"{town.old},{new}"
    assert installation.rolls() == {"billing": "Validated"}
    if answer == "accept":
        assert watch.troubles == []
    assert all("a process started now" in trouble for _, trouble in watch.troubles)  # only new processes failed a call


def test_two_webspaces_of_one_resource_group_get_a_copy_each(install: Install) -> None:
    """Certroll uploads the old version into two webspaces of one resource group under different names."""
    town = street()
    plan = town.build.add_plan("second", webspace="contoso-WestEuropewebspace-other", linux=True)
    town.build.add_copy(CLIENT, plan, name="client-second")
    town.linux_app("billing")
    town.linux_app("shipping", plan=plan)
    installation = install(age(town).world)
    with AppWatch(town.world) as watch:
        roll(town, installation)
    assert len(town.kept()) == len({copy.webspace.key for copy in town.kept()}) == 2
    assert watch.troubles == []


# ------------------------------------------------------------------------------------------------------ the way back


@pytest.mark.real_storage
def test_a_partner_that_wants_the_old_certificate_gets_it_back(install: Install) -> None:
    """If the partner server refuses the new version, Certroll restores the old settings and changes no further app."""
    town = street()
    town.linux_app("billing")
    town.linux_app("shipping")
    installation = install(age(town).world)
    before = town.settings("billing")
    town.partner.accept_only(town.old)
    start = town.world.clock.now()
    new = roll(town, installation, timedelta(minutes=20))
    back_at = max(entry.at for entry in town.world.journal.entries() if any("app settings" in c for c in entry.changes))
    assert town.settings("billing") == before
    assert town.settings("shipping") == before
    assert back_at - start < timedelta(minutes=6)
    assert sorted(installation.rolls().values()) == ["RolledBack"]
    assert ("app billing", "RolledBack") in installation.findings()
    assert town.world.apps.troubles() == ()
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("shipping") == before
    assert (f"{VAULT}/{CLIENT}", "VersionHeld") in installation.open_findings()
    assert "billing (RolledBack: " in installation.details()
    assert new not in "".join(town.settings("billing").values())


def test_a_held_version_goes_on_when_an_operator_releases_it(install: Install) -> None:
    """After an operator allows a failed version again, Certroll updates the settings of every app to that version."""
    town = street()
    town.linux_app("billing")
    town.linux_app("shipping")
    installation = install(age(town).world)
    town.partner.accept_only(town.old)
    new = roll(town, installation)
    town.partner.accept_authority()
    installation.release(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert installation.errors == []
    assert installation.rolls() == {"billing": "Validated", "shipping": "Validated"}
    assert town.settings("shipping")[LIST] == f"{town.old},{new}"


def test_a_newer_version_ends_a_hold(install: Install) -> None:
    """After one version failed, Certroll still updates app settings from the last good version to a newer version."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    town.partner.accept_only(town.old)
    bad = roll(town, installation)
    town.partner.accept_authority()
    town.world.clock.advance(timedelta(hours=1))
    with AppWatch(town.world) as watch:
        good = roll(town, installation)
    assert town.settings("billing")[LIST] == f"{town.old},{good}"
    assert bad not in town.settings("billing")[LIST]
    assert watch.troubles == []
    assert installation.rolls() == {"billing": "Validated"}


def test_a_probe_that_fails_twice_and_then_passes_is_not_rolled_back(install: Install) -> None:
    """Certroll keeps the new version in an app that passes its probe after two failures."""
    town = street()
    app = town.linux_app("billing")
    installation = install(age(town).world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(seconds=30))
    app.script = [(500, {}, "not yet"), (503, {}, "nearly")]
    installation.deliver_all(HOURS)
    assert app.script == []
    assert installation.rolls() == {"billing": "Validated"}


def test_an_app_that_was_broken_before_is_not_rolled_back_and_not_first(install: Install) -> None:
    """If an app was already broken, Certroll updates its settings after other apps, and keeps the new version there."""
    town = street()
    town.linux_app("alpha").broken = True
    town.linux_app("beta")
    installation = install(age(town).world)
    new = roll(town, installation)
    first = next(c for entry in town.world.journal.entries() for c in entry.changes if "app settings" in c)
    assert "beta" in first
    assert installation.rolls() == {"alpha": "Unproven", "beta": "Validated"}
    assert town.settings("alpha")[LIST] == f"{town.old},{new}"


def test_where_every_app_is_broken_before_the_roll_still_ends(install: Install) -> None:
    """If every app was already broken, Certroll updates app settings one app after the other, with waiting times."""
    town = street()
    town.linux_app("alpha").broken = True
    town.linux_app("beta").broken = True
    installation = install(age(town).world, stage_soak=timedelta(minutes=10))
    new = roll(town, installation, timedelta(minutes=15))
    installation.sweep()
    installation.deliver_all(timedelta(minutes=15))
    assert installation.rolls() == {"alpha": "Unproven", "beta": "Unproven"}
    assert new in town.settings("alpha")[LIST]
    assert new in town.settings("beta")[LIST]


def test_an_old_process_that_answers_for_long_is_no_failure(install: Install) -> None:
    """Certroll accepts an app's update when the new process answers alone, even if an old process answers for long.

    On Linux App Service may defer a restart by up to 40 minutes.
    """
    town = street(Knobs(restart_seconds=60, old_process_answers=1800))
    town.linux_app("billing")
    installation = install(age(town).world)
    with AppWatch(town.world) as watch:
        roll(town, installation)
    assert installation.rolls() == {"billing": "Validated"}
    assert town.restarts("billing") == 1
    assert watch.troubles == []


def test_without_the_right_to_read_the_secret_there_is_no_overlap_and_people_are_told(install: Install) -> None:
    """Without the right to read secrets Certroll cannot keep the old version loaded, and reports this."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    deny_secrets(town)
    new = roll(town, installation)
    assert town.settings("billing")[LIST] == new
    assert installation.rolls() == {"billing": "Validated"}
    assert any(reason == "NoOverlap" for _, reason in installation.findings())
    assert "Key Vault Secrets User" in installation.details()


def test_without_a_last_good_version_a_failed_roll_is_left_for_a_person(install: Install) -> None:
    """If no last good version exists any more, Certroll reports the failed update and writes nothing more."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    deny_secrets(town)
    town.partner.accept_only(town.old)
    new = roll(town, installation, timedelta(minutes=30))
    assert town.settings("billing")[LIST] == new
    assert installation.rolls() == {"billing": "NoLastGood"}
    assert ("app billing", "NoLastGood") in installation.findings()


def deny_secrets(town: Street) -> None:
    """Take Certroll's right to read secrets away."""
    town.world.vaults[VAULT].deny(CERTROLL.object_id, operations={"secrets/get"})


# ------------------------------------------------------------------------------------------------------------ stages


def test_slots_go_before_their_production_site(install: Install) -> None:
    """Certroll updates the settings of a slot before the settings of the slot's production site."""
    town = street()
    town.linux_app("billing")
    town.slot("billing", "staging", {LIST: town.old, PATH: f"/var/ssl/private/{town.old}.p12"})
    installation = install(age(town).world)
    roll(town, installation)
    order = [
        c.split(" changed")[0] for entry in town.world.journal.entries() for c in entry.changes if "app settings" in c
    ]
    assert order == ["app settings of billing/staging", "app settings of billing"]


def test_one_app_goes_first(install: Install) -> None:
    """Certroll updates the settings of one app first, and of other apps only after the first app's probe succeeds."""
    town = street()
    for name in ("a", "b", "c"):
        town.linux_app(name)
    installation = install(age(town).world, max_restarts=10)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(seconds=100))
    assert sum(town.restarts(name) for name in ("a", "b", "c")) == 1
    installation.deliver_all(HOURS)
    assert [town.restarts(name) for name in ("a", "b", "c")] == [1, 1, 1]


def test_at_most_so_many_sites_of_a_plan_restart_at_a_time(install: Install) -> None:
    """While Certroll updates settings, at most `max_restarts` apps of an App Service plan restart at the same time."""
    town = street()
    names = [f"app{number}" for number in range(4)]
    for name in names:
        town.linux_app(name)
    installation = install(age(town).world, max_restarts=2)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    most = installation.most_under_way(HOURS)
    assert most == 2
    assert [town.restarts(name) for name in names] == [1] * 4
    assert set(installation.rolls().values()) == {"Validated"}


def test_an_app_without_a_probe_lets_the_others_go_after_the_soak(install: Install) -> None:
    """If apps have no probe, Certroll updates the settings of the next app after the waiting time."""
    town = street()
    town.linux_app("a", tags={})
    town.linux_app("b", tags={})
    installation = install(age(town).world)
    new = roll(town, installation, timedelta(minutes=30))
    assert sum(new in town.settings(name)[LIST] for name in ("a", "b")) == 1
    town.world.clock.advance(timedelta(minutes=45))
    installation.sweep()
    installation.deliver_all(HOURS)
    assert installation.rolls() == {"a": "Unproven", "b": "Unproven"}
    assert new in town.settings("b")[LIST]


def test_a_stopped_app_is_rolled_and_proven_when_it_runs(install: Install) -> None:
    """Certroll updates a stopped app's settings without a start, and probes the app when its owner starts it."""
    town = street()
    site = town.build.add_site(
        "billing", town.linux, tags=PROBE, settings=owned({LIST: town.old, PIN: town.old}), state="Stopped"
    )
    town.build.add_app(site, town.partner, setting=PIN)
    installation = install(age(town).world)
    new = roll(town, installation, timedelta(hours=1))
    assert town.settings("billing")[PIN] == new
    assert installation.rolls() == {"billing": "Overlapping"}
    assert town.site("billing").state == "Stopped"
    started = town.site("billing")
    town.world.web.put_site(replace(started, state="Running", restarts=started.restarts + 1))
    installation.sweep()
    installation.deliver_all(HOURS)
    assert installation.rolls() == {"billing": "Validated"}


def test_restarts_wait_for_the_window(install: Install) -> None:
    """Certroll updates app settings, which restarts the apps, only inside the restart window."""
    town = street()
    town.linux_app("billing")
    town.world.clock.advance(timedelta(hours=14))
    installation = install(age(town).world, restart_window=RestartWindow.parse("Thu 01:15-01:40"))
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    hour = town.world.clock.now()
    while town.restarts("billing") == 0 and town.world.clock.now() - hour < timedelta(days=2):
        following = next_hour(hour, town.world.clock.now())
        installation.deliver_all(following - town.world.clock.now())
        town.world.clock.set(following)
        installation.sweep()
    assert new in town.settings("billing")[LIST]
    moments = [e.at for e in town.world.journal.entries() if any("app settings" in change for change in e.changes)]
    assert [(m.strftime("%a"), "01:15" <= m.strftime("%H:%M") < "01:40") for m in moments] == [("Thu", True)]


def test_a_window_that_opens_after_the_end_is_said_at_once(install: Install) -> None:
    """Certroll reports at once if the old version expires before the restart window opens."""
    town = street()
    town.linux_app("billing")
    town.world.clock.advance(timedelta(days=27))
    installation = install(age(town).world, restart_window=RestartWindow.parse("Sun 01:00-02:00"))
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(hours=1))
    assert ("app settings of billing", "ExpiresBeforeWindow") in installation.findings()


def test_a_roll_that_others_undo_twice_is_left_to_them(install: Install) -> None:
    """After another writer reversed a settings update twice, Certroll reports a conflict and retries a day later."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    before = town.settings("billing")
    roll(town, installation)
    for _ in range(3):
        town.world.clock.advance(timedelta(hours=2))
        town.world.meddle(town.site("billing"), edit=lambda _: dict(before))
        installation.sweep()
        installation.deliver_all(timedelta(hours=1))
    assert town.settings("billing") == before
    assert ("app settings of billing", "Contested") in installation.findings()
    assert town.restarts("billing") == 2 + 2  # two settings updates by Certroll, two changes by a template
    town.world.clock.advance(timedelta(days=1))
    installation.sweep()
    installation.deliver_all(timedelta(hours=1))
    assert town.settings("billing") != before


# ----------------------------------------------------------------------------------------------------- all-loading apps


def test_an_app_that_loads_everything_is_only_restarted_where_it_asks_for_it(install: Install) -> None:
    """Certroll restarts an app with WEBSITE_LOAD_CERTIFICATES=* only if the app has the tag `certroll-restart`."""
    town = street()
    town.app("asks", {LIST: "*"}, subject=SUBJECT, tags=PROBE | {"certroll-restart": "on"})
    town.app("waits", {LIST: "*"}, subject=SUBJECT)
    installation = install(age(town).world)
    with AppWatch(town.world) as watch:
        roll(town, installation)
        installation.sweep()
        installation.deliver_all(HOURS)
    assert (town.restarts("asks"), town.restarts("waits")) == (1, 0)
    assert installation.rolls() == {"asks": "Validated"}
    assert ("app settings of waits", "LoadsEverything") in installation.findings()
    assert watch.troubles == []


def test_retirement_happens_where_it_is_asked_for(install: Install) -> None:
    """With the tag `certroll-retire` Certroll removes the old version once the new one works, by a second restart."""
    town = street()
    town.linux_app("billing", tags=PROBE | {"certroll-retire": "on"})
    installation = install(age(town).world)
    with AppWatch(town.world) as watch:
        new = roll(town, installation)
        installation.sweep()
        installation.deliver_all(HOURS)
    assert town.settings("billing")[LIST] == new
    assert installation.rolls() == {"billing": "Retired"}
    assert town.restarts("billing") == 2
    assert watch.troubles == []


def test_key_vault_references_are_left_alone_and_fetched_again(install: Install) -> None:
    """Certroll leaves a Key Vault reference unchanged and makes App Service fetch the reference's value again."""
    town = street()
    town.linux_app("billing")
    reference = f"@Microsoft.KeyVault(SecretUri=https://{VAULT}.vault.azure.net/secrets/{CLIENT})"
    pinned = (
        f"@Microsoft.KeyVault(VaultName={VAULT};SecretName={CLIENT};SecretVersion=0123456789abcdef0123456789abcdef)"
    )
    town.build.add_site("reader", town.linux, settings=owned({"CERT": reference, "FIXED": pinned}))
    installation = install(age(town).world)
    roll(town, installation)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("reader")["CERT"] == reference
    assert ("app settings of reader", "PinnedReference") in installation.findings()
    refreshes = [e for e in town.world.journal.writes() if e.path.endswith("/refresh") and "reader" in e.path]
    assert len(refreshes) == 1
