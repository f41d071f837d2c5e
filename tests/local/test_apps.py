"""These tests simulate running apps without sockets, and cover processes, restarts and failures of the apps."""

from collections.abc import Callable
from datetime import timedelta
from itertools import chain

import pytest

from local.azure.vault.issued import imported
from local.azure.watching.app_watch import AppWatch
from local.azure.web.load_list import LOAD_LIST, rename
from local.azure.web.resources import STOPPED
from local.fleet import fleet
from tests.local.outbound import PIN, Outbound


@pytest.fixture
def out() -> Outbound:
    """Build a site whose app loads a client certificate."""
    return Outbound()


def test_an_app_that_starts_holds_what_its_setting_pins(out: Outbound) -> None:
    """A running app has one process, which has loaded the certificate whose thumbprint is in the app's setting."""
    assert out.held() == [out.first.thumbprint]
    assert out.world.apps.troubles() == ()


@pytest.mark.parametrize(
    ("platform", "pin", "found"),
    [
        ("linux", "{}", True),
        ("linux", "/var/ssl/private/{}.p12", True),
        ("linux", "/var/ssl/certs/{}.der", True),
        ("linux", "/VAR/ssl/private/{}.p12", False),
        ("linux", "/var/ssl/private/{}.pfx", False),
        ("linux", r"C:\appservice\certificates\private\{}.pfx", False),
        ("linux", " {}\r\n", True),
        ("linux", "\u200e{}", True),
        ("linux", "\ufeff{}", False),
        ("linux", '"{}"', False),
        ("linux", "", False),
        ("windows", "{}", True),
        ("windows", "/var/ssl/private/{}.p12", False),
        ("windows", r"C:\appservice\certificates\private\{}.pfx", False),
        ("container", "{}", True),
        ("container", r"C:\appservice\certificates\private\{}.pfx", True),
        ("container", r"c:\AppService\Certificates\private\{}.PFX", True),
        ("container", "/var/ssl/private/{}.p12", False),
    ],
)
def test_each_platform_has_its_own_places(platform: str, pin: str, *, found: bool) -> None:
    """An app finds a loaded certificate by thumbprint on Windows and on Linux.

    A file path works only on the platform that puts the certificate there, and is case-sensitive on Linux.
    """
    out = Outbound(linux=platform == "linux", windows_container=platform == "container", pin=pin)
    assert out.held() == [out.first.thumbprint if found else None]


@pytest.mark.parametrize("linux", [True, False])
def test_a_thumbprint_is_found_in_lower_case(*, linux: bool) -> None:
    """An app finds a certificate by a lower-case thumbprint. A lower-case file path finds no file on Linux."""
    out = Outbound(linux=linux)
    out.change(**{PIN: out.first.thumbprint.lower()})
    assert out.held() == [out.first.thumbprint]
    out.change(**{PIN: f"/var/ssl/private/{out.first.thumbprint.lower()}.p12"})
    assert out.held() == [None]


@pytest.mark.parametrize(
    ("loads", "found"),
    [("{}", True), (" {} ,,", True), ("{0},{0}", True), ("AB,{},CD", True), ("*", True), ("", False), ("AB", False)],
)
def test_the_load_list_is_read_kindly(loads: str, *, found: bool) -> None:
    """App Service ignores blanks, duplicates and unknown entries in WEBSITE_LOAD_CERTIFICATES.

    An app gets only the private certificates that the setting WEBSITE_LOAD_CERTIFICATES names.
    """
    out = Outbound(loads=loads)
    assert out.loaded() == [(out.first.thumbprint,) if found else ()]


def test_the_load_list_is_read_in_any_case(out: Outbound) -> None:
    """A lower-case thumbprint in WEBSITE_LOAD_CERTIFICATES loads the certificate."""
    out.change(**{LOAD_LIST: out.first.thumbprint.lower()})
    assert out.held() == [out.first.thumbprint]


def test_an_app_is_made_of_the_site_as_it_is(out: Outbound) -> None:
    """`add_app` reads the site's current settings and state, even if the test passes an outdated site object."""
    stale = out.site
    out.change(**{PIN: "AB"})
    assert out.held(out.build.add_app(stale, setting=PIN)) == [None]
    out.arm.post(f"{stale.id}/stop")
    assert out.build.add_app(stale, setting=PIN).processes == []


def test_an_app_does_not_load_from_other_webspaces(out: Outbound) -> None:
    """An app loads only certificates of its own webspace."""
    second = out.vault.renew("client")
    out.build.add_upload(second, out.build.add_plan("elsewhere", location="northeurope"))
    out.pin(second)
    assert out.loaded() == [()]


def test_a_certificate_without_its_key_is_not_loaded(out: Outbound) -> None:
    """The value `*` of WEBSITE_LOAD_CERTIFICATES loads only certificates that have a private key."""
    public = out.vault.renew("client").leaf.without_key()
    out.build.add_upload(imported(public), out.plan)
    out.change(**{LOAD_LIST: "*"})
    assert out.loaded() == [(out.first.thumbprint,)]


def test_an_app_by_subject_takes_the_newest_with_that_name() -> None:
    """An app that selects by subject presents the newest certificate with that subject.

    A certificate that arrives after the start of an app takes effect at the app's next start.
    """
    out = Outbound(loads="*", subject="client.contoso.com")
    second = out.vault.renew("client")
    out.build.add_upload(second, out.plan)
    out.build.add_certificate("other", ["other.contoso.com"], not_before=out.world.clock.now() + timedelta(days=1))
    out.build.add_copy("other")
    assert out.held() == [out.first.thumbprint]
    out.restart()
    assert out.held() == [second.thumbprint]
    assert len(out.loaded()[0]) == 3


def test_an_app_by_a_subject_that_nothing_has_finds_nothing() -> None:
    """An app that selects by subject has no certificate if no certificate has that subject."""
    out = Outbound(loads="*", subject="pay.contoso.com")
    assert out.held() == [None]
    assert "has no certificate under its subject pay.contoso.com" in out.world.apps.troubles()[0]


def test_an_app_chooses_in_one_way(out: Outbound) -> None:
    """`add_app` refuses an app that selects its certificate by both setting and subject, or by neither."""
    for both in ({}, {"setting": PIN, "subject": "client.contoso.com"}):
        with pytest.raises(ValueError, match="one of the two"):
            out.build.add_app(out.site, **both)


def test_what_is_taken_away_stays_in_the_running_process(out: Outbound) -> None:
    """A sync removes the old certificate from the webspace, and an app no longer has it after its next restart.

    A running process keeps a certificate until its restart, even if a sync has removed that certificate.
    """
    second = out.vault.renew("client")
    out.sync()
    assert out.held() == [out.first.thumbprint]
    assert out.world.apps.troubles() == (f"caller: a process started now has no certificate under its setting {PIN}",)
    out.restart()
    assert out.held() == [None]
    out.pin(second)
    assert out.held() == [second.thumbprint]
    assert out.world.apps.troubles() == ()


def test_an_upload_of_the_superseded_version_spares_the_trouble(out: Outbound) -> None:
    """If a sync replaced an app's certificate, an upload of the old certificate lets the restarted app find it."""
    upload = out.build.add_upload(out.first, out.plan, name="kept")
    assert (upload.name, upload.source, upload.webspace) == ("kept", None, out.plan.webspace)
    out.vault.renew("client")
    out.sync()
    out.restart()
    assert out.held() == [out.first.thumbprint]


def test_a_process_is_made_only_at_a_start(out: Outbound) -> None:
    """A changed app setting starts a new process.

    Writes of unchanged app settings or of tags, and new certificates, start no process.
    """
    (process,) = out.answering()
    out.change()
    out.arm.send("PATCH", out.site.id, {"tags": {"a": "b"}})
    out.build.add_upload(out.vault.renew("client"), out.plan)
    assert out.answering()[0] is process
    out.change(LOG_LEVEL="info")
    assert out.answering()[0] is not process
    assert out.site.restarts == 1


def test_a_stopped_site_has_no_process(out: Outbound) -> None:
    """A stopped site has no process, even after a restart.

    A start of a stopped site creates a process with the current settings.
    """
    out.arm.post(f"{out.site.id}/stop")
    out.restart()
    out.change(**{PIN: "AB"})
    assert out.app.processes == []
    assert out.world.apps.troubles() == ()
    out.arm.post(f"{out.site.id}/start")
    assert out.held() == [None]


def test_a_site_built_stopped_starts_later(out: Outbound) -> None:
    """An app on a stopped site has no process until the site starts."""
    site = out.build.add_site("sleeper", settings=out.site.settings, state=STOPPED)
    app = out.build.add_app(site, setting=PIN)
    assert out.held(app) == []
    out.arm.post(f"{site.id}/start")
    assert out.held(app) == [out.first.thumbprint]


def test_a_slot_is_an_app_of_its_own(out: Outbound) -> None:
    """A new slot copies the site's settings by default. A restart of a slot does not restart its site."""
    slot = out.build.add_slot(out.site, "staging")
    bare = out.build.add_slot(out.site, "bare", settings={})
    apps = [out.build.add_app(site, setting=PIN) for site in (slot, bare)]
    assert [out.held(app) for app in apps] == [[out.first.thumbprint], [None]]
    (process,) = out.answering()
    out.arm.post(f"{slot.id}/restart")
    assert out.answering() == [process]
    assert out.answering(apps[0])[0].up_at == out.world.clock.now()


def test_a_slot_starts_counting_restarts_anew(out: Outbound) -> None:
    """A new slot has no restarts, even if its site has restarted."""
    out.restart()
    assert out.build.add_slot(out.site, "staging").restarts == 0


def test_the_old_process_answers_until_the_new_one_is_up(out: Outbound) -> None:
    """The old process answers during a restart, until the new process is up."""
    out.world.knobs.turn(restart_seconds=10)
    second = out.vault.renew("client")
    out.build.add_upload(second, out.plan)
    out.pin(second)
    assert out.held() == [out.first.thumbprint]
    out.wait(9.9)
    assert out.held() == [out.first.thumbprint]
    out.wait(0.1)
    assert out.held() == [second.thumbprint]


def test_both_answer_for_a_while(out: Outbound) -> None:
    """After a restart, the old process answers for as long as the simulation setting `old_process_answers` says."""
    out.world.knobs.turn(restart_seconds=10, old_process_answers=30)
    second = out.vault.renew("client")
    out.build.add_upload(second, out.plan)
    out.pin(second)
    out.wait(10)
    assert out.held() == [out.first.thumbprint, second.thumbprint]
    out.wait(29.9)
    assert len(out.held()) == 2
    out.wait(0.1)
    assert out.held() == [second.thumbprint]


def test_a_start_that_is_overtaken_never_comes_up(out: Outbound) -> None:
    """A second restart cancels the first, and only the second restart's process replaces the old process."""
    out.world.knobs.turn(restart_seconds=10)
    second = out.vault.renew("client")
    out.build.add_upload(second, out.plan)
    out.change(**{PIN: "AB"})
    out.wait(5)
    out.pin(second)
    out.wait(9)
    assert out.held() == [out.first.thumbprint]
    out.wait(1)
    assert out.held() == [second.thumbprint]


def test_a_restart_during_an_overlap_leaves_its_end_as_it_was(out: Outbound) -> None:
    """A second restart does not prolong the time for which an old process still answers."""
    out.world.knobs.turn(old_process_answers=30)
    out.restart()
    out.wait(20)
    out.restart()
    assert len(out.held()) == 3
    out.wait(10)
    assert len(out.held()) == 2
    out.wait(20)
    assert len(out.held()) == 1


def test_a_start_takes_settings_and_certificates_of_its_beginning(out: Outbound) -> None:
    """A process of an app uses the settings and certificates from the beginning of its start."""
    out.world.knobs.turn(restart_seconds=10)
    out.restart()
    out.vault.renew("client")
    out.sync()
    out.wait(10)
    assert out.held() == [out.first.thumbprint]


def test_troubles_name_the_process_that_is_coming_up(out: Outbound) -> None:
    """The local Azure's list of failing apps includes an app whose process is still starting."""
    out.world.knobs.turn(restart_seconds=10)
    out.change(**{PIN: "AB"})
    which = [trouble.partition(" has ")[0] for trouble in out.world.apps.troubles()]
    assert which == ["caller: the process that is coming up", "caller: a process started now"]
    out.wait(10)
    which = [trouble.partition(" has ")[0] for trouble in out.world.apps.troubles()]
    assert which == ["caller: the running process", "caller: a process started now"]


def test_troubles_tell_what_a_partner_refuses(out: Outbound) -> None:
    """The local Azure's list of failing apps includes an app whose certificate the partner server refuses.

    An app stops failing as soon as the partner server accepts its certificate.
    """
    out.partner.accept_only("AB")
    short = out.first.thumbprint[:8]
    assert out.world.apps.troubles() == (
        f"caller: fabrikam refuses {short} of the running process",
        f"caller: fabrikam refuses {short} of a process started now",
    )
    out.partner.accept_only("AB", out.first.thumbprint.lower())
    assert out.world.apps.troubles() == ()
    out.partner.accept_only()
    out.partner.accept_authority()
    assert out.world.apps.troubles() == ()


def test_a_certificate_that_a_setting_names_may_be_deleted(out: Outbound) -> None:
    """ARM lets a client delete a certificate that only an app setting names.

    A running process keeps a deleted certificate, and a process started later has none.
    """
    out.arm.delete(out.copy.id)
    assert out.held() == [out.first.thumbprint]
    assert out.world.apps.troubles() == (f"caller: a process started now has no certificate under its setting {PIN}",)
    out.restart()
    assert out.held() == [None]
    assert len(out.world.apps.troubles()) == 2


def test_a_partner_may_pin_from_the_start(out: Outbound) -> None:
    """A partner server that is built with a list of thumbprints accepts only the listed certificates."""
    picky = out.build.add_partner("woodgrove", accepts=["AB"])
    app = out.build.add_app(out.build.add_site("other", settings=out.site.settings), picky, setting=PIN)
    assert app.partner is picky
    assert not picky.accepts(out.copy.content)
    assert out.partner.accepts(out.copy.content)


def test_no_value_and_no_key_shows_in_a_repr(out: Outbound) -> None:
    """The repr of sites, apps and certificates shows neither setting values nor private keys."""
    out.change(API_KEY="hush-hush")
    shown = repr((out.site, out.app, out.copy, out.world.apps.all()))
    assert "hush-hush" not in shown
    assert "PRIVATE KEY" not in shown


def test_the_state_shows_apps(out: Outbound) -> None:
    """GET /state on the control port shows each app's restarts, and the certificates of each process."""
    out.world.knobs.turn(restart_seconds=10)
    out.restart()
    (shown,) = fleet(out.world)["apps"]
    first = out.first.thumbprint
    assert (shown["site"], shown["restarts"], shown["partner"], shown["probe"]) == (
        out.site.id,
        1,
        "fabrikam",
        "/health",
    )
    assert shown["thumbprint"] == first
    assert [(process["thumbprint"], process["loaded"], process["answers"]) for process in shown["processes"]] == [
        (first, [first], True),
        (first, [first], False),
    ]
    out.wait(10)
    assert len(fleet(out.world)["apps"][0]["processes"]) == 1
    out.arm.post(f"{out.site.id}/stop")
    assert fleet(out.world)["apps"][0]["thumbprint"] is None


# ------------------------------------------------------------------------------------------------------- the watch


def test_a_watch_looks_at_once(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) records failing apps that exist when the watch begins."""
    out.partner.accept_only()
    with AppWatch(out.world) as watch:
        pass
    assert {moment for moment, _ in watch.troubles} == {out.world.clock.now()}
    assert len(watch.troubles) == 2


def test_a_watch_sees_trouble_that_passes(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) records an app's failure once, even if a later request ends it."""
    second = out.vault.renew("client")
    with AppWatch(out.world) as watch:
        out.sync()
        began = out.world.clock.now()
        out.wait(5)
        out.arm.send("PATCH", out.site.id, {"tags": {"a": "b"}})
        out.pin(second)
    assert watch.troubles == [(began, f"caller: a process started now has no certificate under its setting {PIN}")]
    assert watch.looks == 4


def test_a_watch_tells_trouble_that_comes_back(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) records an app's failure twice if it ends and begins again."""
    with AppWatch(out.world) as watch:
        for _ in range(2):
            out.partner.accept_only()
            out.partner.accept_authority()
    assert len(watch.troubles) == 4


def test_a_watch_does_not_mind_what_a_request_does_on_the_way(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) checks the apps only after a whole request.

    An import that also rewrites the setting WEBSITE_LOAD_CERTIFICATES causes no recorded failure of an app.
    """
    out.world.knobs.turn(import_rewrites_load_list=True)
    both = f"{out.first.thumbprint},AB"
    out.build.add_app(out.build.add_site("star", settings={LOAD_LIST: "*"}), subject="client.contoso.com")
    out.build.add_app(out.build.add_site("list", settings={LOAD_LIST: both}), subject="client.contoso.com")
    out.arm.post(f"{out.site.id}/stop")
    out.vault.renew("client")
    with AppWatch(out.world) as watch:
        out.sync()
    assert watch.troubles == []
    assert watch.looks == 2


def test_a_watch_sees_what_azure_does_by_itself(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) records failing apps that Azure's nightly sync causes."""
    out.vault.renew("client")
    with AppWatch(out.world) as watch:
        out.world.nightly_sync()
    assert [trouble for _, trouble in watch.troubles] == [
        f"caller: a process started now has no certificate under its setting {PIN}"
    ]


def test_a_watch_that_is_over_looks_no_more(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) records no failure of an app after the watch has ended."""
    with AppWatch(out.world) as watch:
        pass
    out.partner.accept_only()
    assert (watch.looks, watch.troubles) == (1, [])


def test_a_read_is_no_change(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) does not check the apps after a request that only reads."""
    with AppWatch(out.world) as watch:
        out.arm.get(out.site.id)
        out.arm.post(f"{out.settings_path}/list")
    assert watch.looks == 1


def test_a_deletion_is_a_change(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) records the deletion of a running app's certificate as a failure."""
    with AppWatch(out.world) as watch:
        out.arm.delete(out.copy.id)
    assert len(watch.troubles) == 1
    assert out.held() == [out.first.thumbprint]


# ----------------------------------------------------------- an import that rewrites WEBSITE_LOAD_CERTIFICATES


def night(out: Outbound) -> None:
    """Run Azure's nightly sync."""
    out.world.nightly_sync()


@pytest.mark.parametrize("carry", [Outbound.sync, night])
@pytest.mark.parametrize("rewrites", [True, False])
def test_an_import_may_rewrite_load_lists(out: Outbound, carry: Callable[[Outbound], None], *, rewrites: bool) -> None:
    """With `import_rewrites_load_list`, a sync replaces the old thumbprint in the settings of the webspace's apps.

    Each site whose WEBSITE_LOAD_CERTIFICATES is rewritten restarts.
    """
    out.world.knobs.turn(import_rewrites_load_list=rewrites)
    first = out.first.thumbprint
    strangers = [
        out.build.add_site("star", settings={LOAD_LIST: "*"}),
        out.build.add_site("doubled", settings={LOAD_LIST: "AB,AB"}),
        out.build.add_site("plain"),
        out.build.add_site("far", out.build.add_plan("far", location="northeurope"), settings={LOAD_LIST: first}),
    ]
    out.change(**{LOAD_LIST: f"AB, {first.lower()} ,CD"})
    second = out.vault.renew("client")
    carry(out)
    expected = f"AB,{second.thumbprint},CD" if rewrites else f"AB, {first.lower()} ,CD"
    assert out.site.settings == {LOAD_LIST: expected, PIN: first}
    assert out.site.restarts == 1 + rewrites
    told = f"app settings of caller changed by the import: {LOAD_LIST}; restarted"
    assert (told in out.world.journal.changes()) == rewrites
    assert out.held() == [None if rewrites else first]
    assert {site.id: site for site in strangers}.items() <= {
        site.id: site for site in out.world.web.sites.values()
    }.items()


def test_a_rewritten_list_names_nothing_twice() -> None:
    """A setting WEBSITE_LOAD_CERTIFICATES that a sync rewrites names the new thumbprint only once.

    A sync leaves WEBSITE_LOAD_CERTIFICATES unchanged if the setting does not name the old thumbprint.
    """
    assert rename("A,B", "A", "B") == "B"
    assert rename("C,C", "A", "B") == "C,C"


def test_a_sync_without_news_rewrites_nothing(out: Outbound) -> None:
    """A sync of an up-to-date certificate restarts no app."""
    out.world.knobs.turn(import_rewrites_load_list=True)
    (process,) = out.answering()
    out.sync()
    out.world.nightly_sync()
    assert out.answering() == [process]


def test_apps_of_one_world_do_not_mix(out: Outbound) -> None:
    """Each simulated Azure lists only its own apps."""
    other = Outbound()
    assert list(chain(out.world.apps.all(), other.world.apps.all())) == [out.app, other.app]
