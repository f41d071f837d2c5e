"""Check that Certroll's writes of app settings lose no edit of other writers, however Azure answers."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.watching.app_watch import AppWatch
from tests.scenarios.app_worlds import CLIENT, LIST, PATH, PIN, PROBE, Street, age, owned, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import VAULT

HOURS = timedelta(hours=6)
SETTINGS = r"/config/appsettings$"
LISTED = r"/config/appsettings/list$"


def rolled(
    install: Install, prepare: Callable[[Street], object], knobs: Knobs | None = None
) -> tuple[Street, Installation, str]:
    """Return a fleet with one app, after the function `prepare` and a renewal of the app's certificate."""
    town = street(knobs)
    town.linux_app("billing")
    installation = install(age(town).world)
    prepare(town)
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    installation.sweep()
    installation.deliver_all(HOURS)
    return town, installation, new


def put_in(key: str, value: str) -> Callable[[dict[str, str]], dict[str, str]]:
    """Return a function that sets one app setting, as a colleague's edit would."""
    return lambda settings: {**settings, key: value}


def is_rolled(town: Street, new: str) -> bool:
    """Return True if WEBSITE_LOAD_CERTIFICATES names both versions, and the certificate's path the new version."""
    settings = town.settings("billing")
    return settings[LIST] == f"{town.old},{new}" and settings[PATH].endswith(f"{new}.p12")


@pytest.mark.parametrize(("nth", "changed"), [(2, "NEW_ONE"), (3, "DB_PASSWORD"), (4, "FEATURE")])
def test_an_edit_before_any_read_survives(install: Install, nth: int, changed: str) -> None:
    """An edit that a colleague makes just before a read by Certroll survives Certroll's settings update."""
    town, installation, new = rolled(
        install,
        lambda town: town.world.meddle(town.site("billing"), edit=put_in(changed, "theirs"), before="POST", nth=nth),
    )
    assert town.settings("billing")[changed] == "theirs"
    assert is_rolled(town, new)
    assert installation.errors == []
    assert installation.rolls() == {"billing": "Validated"}


@pytest.mark.real_storage
@pytest.mark.real_transport
def test_an_edit_after_our_write_survives(install: Install) -> None:
    """An edit that a colleague makes after Certroll's settings update survives."""
    town, installation, new = rolled(
        install, lambda town: town.world.meddle(town.site("billing"), edit=put_in("FEATURE", "off"), after="PUT")
    )
    assert town.settings("billing")["FEATURE"] == "off"
    assert is_rolled(town, new)
    assert installation.rolls() == {"billing": "Validated"}


def test_an_edit_between_read_and_write_survives_where_if_match_is_honoured(install: Install) -> None:
    """If Azure honours If-Match, an edit between Certroll's read and write survives the settings update."""
    town, installation, new = rolled(
        install,
        lambda town: town.world.meddle(town.site("billing"), edit=put_in("FEATURE", "off"), after="POST", nth=3),
        Knobs(if_match_honoured=True),
    )
    assert town.settings("billing")["FEATURE"] == "off"
    assert is_rolled(town, new)
    assert installation.rolls() == {"billing": "Validated"}


def test_a_colleague_who_extends_the_list_meanwhile_keeps_the_entry(install: Install) -> None:
    """Certroll edits WEBSITE_LOAD_CERTIFICATES as it is at the write, so a colleague's new entry survives."""
    stranger = "AB" * 20
    town, _, new = rolled(
        install,
        lambda town: town.world.meddle(
            town.site("billing"), edit=lambda s: {**s, LIST: f"{stranger},{s[LIST]}"}, before="POST", nth=2
        ),
    )
    assert town.settings("billing")[LIST] == f"{stranger},{town.old},{new}"


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_an_empty_read_is_never_written_back(install: Install, nth: int) -> None:
    """Certroll loses no app setting if Azure once answers with no settings at all."""
    town, installation, new = rolled(install, lambda town: town.world.misread(town.site("billing"), nth=nth))
    assert set(town.settings("billing")) == {"DB_PASSWORD", "FEATURE", LIST, PATH, "ZZZ"}
    assert installation.errors == []
    assert is_rolled(town, new)


@pytest.mark.parametrize("reads", [(3,), (2, 3, 4, 5)])
def test_a_shrunken_read_is_never_written_back(install: Install, reads: tuple[int, ...]) -> None:
    """Certroll loses no app setting if some answers of Azure omit most settings."""

    def forget(town: Street) -> None:
        many = {f"SETTING_{number}": str(number) for number in range(20)}
        town.world.meddle(town.site("billing"), edit=lambda settings: {**settings, **many})
        for nth in reads:
            few = lambda settings: {key: value for key, value in settings.items() if "CERT" in key}  # noqa: E731
            town.world.misread(town.site("billing"), nth=nth, shown=few)

    town, installation, new = rolled(install, forget)
    assert len(town.settings("billing")) == 25
    assert is_rolled(town, new)
    assert installation.errors == []


def test_settings_that_may_not_be_read_are_a_blind_spot_and_hold_up_nobody_else(install: Install) -> None:
    """If Azure denies one app's settings, Certroll reports the app, updates the other app and keeps the old version."""
    town = street()
    town.linux_app("billing")
    town.linux_app("secretive")
    installation = install(age(town).world)
    town.world.faults.add(Fault("denied", "POST", path="/sites/secretive/config/appsettings/list$", times=None))
    with AppWatch(town.world) as watch:
        town.renew()
        installation.look_at(VAULT, CLIENT)
        installation.deliver_all(HOURS)
    assert ("app settings of secretive", "BlindSpot") in installation.findings()
    assert installation.rolls() == {"billing": "Validated"}
    assert town.settings("secretive")[LIST] == town.old
    assert watch.troubles == []


def test_an_unreadable_app_alone_keeps_its_old_version(install: Install) -> None:
    """Certroll keeps the old version in App Service while an app's settings are unreadable."""
    town = street()
    town.linux_app("secretive")
    installation = install(age(town).world)
    town.world.faults.add(Fault("denied", "POST", path=LISTED, times=None))
    with AppWatch(town.world) as watch:
        town.renew()
        installation.look_at(VAULT, CLIENT)
        installation.deliver_all(HOURS)
    assert [copy.thumbprint for copy in town.kept()] == [town.old]
    assert watch.troubles == []


def test_sticky_settings_stay_with_their_slot(install: Install) -> None:
    """Certroll never writes the list of slot-sticky setting names."""
    town = street()
    town.linux_app("billing")
    sticky = town.site("billing")
    town.world.web.put_site(type(sticky)(**{**_fields(sticky), "sticky_settings": (LIST, "FEATURE")}))
    installation = install(age(town).world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert town.site("billing").sticky_settings == (LIST, "FEATURE")
    assert not [entry for entry in town.world.journal.entries() if "slotconfignames" in entry.path.lower()]


def _fields(site: object) -> dict[str, object]:
    return {name: getattr(site, name) for name in site.__slots__}  # type: ignore[attr-defined]


FAULTS: dict[str, Callable[[], Fault]] = {
    "the write is applied and answers 504": lambda: Fault("applied_but_lost", "PUT", path=SETTINGS),
    "the answer to the write is lost": lambda: Fault("dropped", "PUT", path=SETTINGS, applied=True),
    "the write is lost": lambda: Fault("dropped", "PUT", path=SETTINGS),
    "the write fails with 503": lambda: Fault("server_error", "PUT", path=SETTINGS, status=503, times=2),
    "the site is locked": lambda: Fault("site_lock", "PUT", path=SETTINGS, times=3),
    "the read is throttled": lambda: Fault("throttle", "POST", path=LISTED, times=4),
    "the upload answers 504": lambda: Fault("applied_but_lost", "PUT", path=r"/certificates/certroll-"),
    "the upload is lost": lambda: Fault("dropped", "PUT", path=r"/certificates/certroll-"),
    "the sync answers 504": lambda: Fault("applied_but_lost", "PUT", path=r"/certificates/client-"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.real_transport
def test_faults_change_nothing_but_the_time(install: Install, fault: Callable[[], Fault]) -> None:
    """Under each simulated fault Certroll still updates and restarts the app once, and no call of the app fails."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    town.world.faults.add(fault())
    with AppWatch(town.world) as watch:
        new = town.renew()
        installation.look_at(VAULT, CLIENT)
        installation.deliver_all(HOURS)
    assert installation.errors == []
    assert is_rolled(town, new)
    assert town.restarts("billing") == 1
    assert installation.rolls() == {"billing": "Validated"}
    assert watch.troubles == []


KNOBS: dict[str, Knobs] = {
    "reads lag by two": Knobs(reads_until_visible=2),
    "pages of one, and the echo is wrong": Knobs(page_size=1, wrong_echo=True),
    "a restart takes a minute and a half": Knobs(restart_seconds=90.0),
    "a settings write keeps the time of the last change": Knobs(settings_write_moves_modified=False),
    "a settings write keeps the ETag that is checked": Knobs(
        settings_write_moves_modified=False, if_match_honoured=True
    ),
    "a settings write moves the ETag that is checked": Knobs(if_match_honoured=True),
}


@pytest.mark.parametrize("knobs", KNOBS.values(), ids=KNOBS)
def test_every_knob_ends_in_the_same_state(install: Install, knobs: Knobs) -> None:
    """Apps use the new version for each simulated variant of Azure's undocumented behaviour."""
    town = street(Knobs(**{name: getattr(knobs, name) for name in knobs.__slots__}))
    town.linux_app("billing")
    town.app("orders", {LIST: town.old, PIN: town.old}, setting=PIN, plan=town.windows)
    installation = install(age(town).world)
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert installation.errors == []
    assert installation.rolls() == {"billing": "Validated", "orders": "Validated"}
    assert town.settings("orders")[PIN] == new
    assert town.world.apps.troubles() == ()


def test_a_probe_tag_that_is_no_path_is_reported_and_asks_nobody(install: Install) -> None:
    """Certroll refuses a probe tag that names another host, and sends no probe."""
    town = street()
    app = town.linux_app("billing", tags={"certroll-probe": "https://evil.example/health 200"})
    installation = install(age(town).world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert ("app billing", "ProbeInvalid") in installation.findings()
    assert installation.rolls() == {"billing": "Unproven"}
    assert app.visits == 0


def test_a_probe_that_redirects_is_said_and_not_followed(install: Install) -> None:
    """Certroll reports a probe that redirects, and does not follow it.

    Certroll does not restore an app's old settings because of a redirect.
    """
    town = street()
    app = town.linux_app("billing")
    installation = install(age(town).world)
    app.script = [(302, {"Location": "https://evil.example/"}, "")] * 400
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert ("app billing", "ProbeRedirects") in installation.findings()
    assert is_rolled(town, new)
    assert installation.rolls() == {"billing": "Unproven"}


def test_a_list_with_unknown_thumbprints_keeps_them_and_says_so(install: Install) -> None:
    """Certroll keeps unknown thumbprints in an app's WEBSITE_LOAD_CERTIFICATES and reports the thumbprints."""
    town = street()
    stranger = "CD" * 20
    town.app("billing", {LIST: f"{stranger},{town.old},junk", PIN: town.old}, setting=PIN)
    installation = install(age(town).world)
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    installation.sweep()
    assert town.settings("billing")[LIST] == f"{stranger},{town.old},{new},junk"
    assert ("app settings of billing", "UnknownThumbprint") in installation.findings()
    assert stranger in installation.details()
    assert "junk" not in installation.details()


def test_a_pin_of_two_lineages_is_left_to_a_person(install: Install) -> None:
    """Certroll reports a thumbprint in a setting that may belong to two vault certificates, and changes no setting."""
    town = street()
    vault = town.world.vaults[VAULT]
    twin = vault.certificates[CLIENT].newest
    town.build.add_certificate("twin", ("twin.contoso.com",))
    town.build.add_copy("twin", town.linux, name="twin-linux", version=twin)
    town.linux_app("billing")
    before = town.settings("billing")
    installation = install(age(town).world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert town.settings("billing") == before
    assert ("app settings of billing", "AmbiguousLineage") in installation.findings()


def test_an_app_that_opted_out_is_left_alone_and_keeps_its_version(install: Install) -> None:
    """Certroll leaves an app that opted out unchanged, and keeps the app's old version in App Service."""
    town = street()
    town.linux_app("billing", tags=PROBE | {"certroll": "off"})
    installation = install(age(town).world)
    before = town.settings("billing")
    with AppWatch(town.world) as watch:
        town.renew()
        installation.look_at(VAULT, CLIENT)
        installation.deliver_all(HOURS)
    assert town.settings("billing") == before == owned({LIST: town.old, PATH: f"/var/ssl/private/{town.old}.p12"})
    assert town.restarts("billing") == 0
    assert watch.troubles == []


def test_our_own_app_is_never_rolled(install: Install) -> None:
    """Certroll never updates its own site's settings, because the write would restart Certroll during its work."""
    town = street()
    town.linux_app("certroll")
    installation = install(age(town).world, own_site="certroll", own_subscription=town.linux.subscription.lower())
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert town.restarts("certroll") == 0
    assert ("app settings of certroll", "OwnSite") in installation.findings()


def test_observing_writes_nothing_and_tells_who_uses_what(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """In observe mode Certroll logs the app, setting, certificate and age of each use, and writes nothing."""
    town = street()
    town.linux_app("billing")
    from shared.domain.intent import Mode  # noqa: PLC0415

    installation = install(age(town).world, mode=Mode.OBSERVE)
    before = town.settings("billing")
    town.renew()
    with caplog.at_level("INFO", "certroll"):
        installation.sweep()
        installation.deliver_all(HOURS)
    found = [record.message for record in caplog.records if '"references.found"' in record.message]
    assert len(found) == 1
    assert all(text in found[0] for text in ("billing", LIST, PATH, f"{VAULT}/{CLIENT}", '"days": 172', town.old))
    assert town.settings("billing") == before
    assert town.kept() == []
    assert not [entry for entry in town.world.journal.writes("management.azure.com") if entry.changes]


# ---------------------------------------------------------------------------------------- answers that say nothing

REFRESH = "/config/configreferences/appsettings/refresh"
FOLLOWS = "@Microsoft.KeyVault(SecretUri=https://contoso-kv.vault.azure.net/secrets/client)"


@pytest.mark.parametrize(
    ("settings", "tags", "path"),
    [
        pytest.param({LIST: "*"}, {"certroll-restart": "on"}, "/restart", id="a restart"),
        pytest.param({"CERT": FOLLOWS}, {}, REFRESH, id="a refresh of references"),
    ],
)
def test_a_lost_answer_is_a_finding_unless_azure_shows_the_change(
    install: Install, settings: dict[str, str], tags: dict[str, str], path: str
) -> None:
    """If Azure never says whether it restarted an app or fetched its references, an operator hears of the app."""
    town = street()
    town.build.add_site("billing", town.linux, tags=tags, settings=owned(settings))
    installation = install(age(town).world)
    town.world.faults.add(Fault("server_error", "POST", path=path, status=504, times=None))
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert ("app billing", "Unanswered") in installation.open_findings()
    restarts = [entry for entry in town.world.journal.entries() if entry.path.endswith("/restart")]
    installation.sweep()
    installation.deliver_all(HOURS)
    assert [entry for entry in town.world.journal.entries() if entry.path.endswith("/restart")] == restarts
    assert installation.errors == []


def following(install: Install, fault: Fault) -> tuple[Street, Installation]:
    """Return an app that follows the vault by a reference, after a renewal and a refresh that meets the fault."""
    town = street()
    town.build.add_site("billing", town.linux, settings=owned({"CERT": FOLLOWS}))
    installation = install(age(town).world)
    town.world.faults.add(fault)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    return town, installation


def test_a_reference_that_follows_by_itself_is_no_finding_any_more(install: Install) -> None:
    """If Azure answers no refresh of a reference, and fetches the new version later, the next sweep sees it."""
    town, installation = following(install, Fault("server_error", "POST", path=REFRESH, status=504, times=None))
    installation.deliver_all(HOURS)
    assert ("app billing", "Unanswered") in installation.open_findings()
    town.world.settings.refresh_references(town.site("billing"))
    installation.sweep()
    installation.deliver_all(HOURS)
    assert installation.rolls() == {"billing": "Unproven"}
    assert ("app billing", "Unanswered") not in installation.open_findings()


def test_a_refresh_has_the_time_of_a_restart(install: Install) -> None:
    """If an inspection follows a refresh within seconds, the app still has its time to fetch the new version."""
    _, installation = following(install, Fault("answered", "POST", path=REFRESH, status=200, body="[]", times=1))
    while installation.rolls().get("billing") != "Overlapping":
        installation.deliver_all(timedelta(seconds=20))
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(seconds=20))
    assert installation.rolls() == {"billing": "Overlapping"}
    assert ("app billing", "Unanswered") not in installation.findings()


def test_a_late_write_is_no_finding_once_azure_shows_it(install: Install) -> None:
    """If Azure answers no write of the settings and makes the write a minute later, an app without a probe is done."""
    town = street()
    town.linux_app("billing", tags={})
    installation = install(age(town).world)
    town.world.faults.add(Fault("dropped", "PUT", path=SETTINGS, times=None))
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(minutes=3))
    assert ("app billing", "Unanswered") in installation.open_findings()
    town.world.faults.clear()
    late = {LIST: f"{town.old},{new}", PATH: f"/var/ssl/private/{new}.p12"}
    town.world.meddle(town.site("billing"), edit=lambda settings: {**settings, **late})
    installation.deliver_all(HOURS)
    assert installation.rolls() == {"billing": "Unproven"}
    assert ("app billing", "Unanswered") not in installation.open_findings()


def test_an_app_that_changes_at_each_write_keeps_no_other_app_waiting(install: Install) -> None:
    """If Azure answers 412 to each write of one app's settings, the other apps follow after the soak."""
    town = street(Knobs(if_match_honoured=True))
    town.linux_app("billing")
    town.linux_app("shipping")
    installation = install(age(town).world)
    town.world.faults.add(
        Fault("server_error", "PUT", path="/sites/billing/config/appsettings", status=412, times=None)
    )
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    for _ in range(2):
        installation.deliver_all(timedelta(hours=1))
        installation.sweep()
    installation.deliver_all(timedelta(minutes=30))
    assert new in town.settings("shipping")[LIST]
    assert town.settings("billing")[LIST] == town.old
    assert ("billing", "Unanswered") in installation.open_findings()
