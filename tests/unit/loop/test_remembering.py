"""An inspection takes unchanged app settings from Certroll's memory, and stores what it reads while it goes on."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.clients.storage.journal import journal_ports
from shared.clients.storage.settings_memory import SETTINGS
from shared.domain.errors import OutOfTime, StorageFailed, Unavailable
from shared.domain.fleet.app_settings import LOAD_LIST, AppSettings, SiteSettings
from shared.domain.fleet.settings_memory import Memory
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.fleet.sites import Site
from shared.domain.names import SiteRef
from shared.loop.observe.remembering import BATCH, MOST_FORGOTTEN, Remembering
from shared.loop.observe.silence import MOST_SILENT
from shared.loop.observe.view import View
from shared.loop.pool import Pool
from shared.ports.journal import SettingsMemory
from tests.build import NEW, NOW, SUBSCRIPTION, ManualClock, app_settings, site
from tests.memory_storage import MemoryTables

DAY = timedelta(days=1)


class Azure:
    """A simulated App Service that notes whose settings were read, and fails for some sites."""

    def __init__(self, failing: Mapping[str, Exception] | None = None) -> None:
        self.failing = failing or {}
        self.asked: list[str] = []

    def settings(self, ref: SiteRef) -> AppSettings:
        """Return settings with one list, or fail."""
        self.asked.append(str(ref))
        if (error := self.failing.get(str(ref))) is not None:
            raise error
        return replace(app_settings({LOAD_LIST: NEW}), site=ref)


class FailingMemory:
    """A memory whose storage fails, and which counts the calls."""

    def __init__(self, *failing: str, error: Exception | None = None) -> None:
        self.failing = failing
        self.error = error or StorageFailed("table certrollsettings: 503")
        self.calls: list[str] = []

    def of(self, _: str) -> Mapping[str, Memory]:
        """Return the memory of one deleted site, or fail."""
        self._call("of")
        return {site("gone").ref.resource_id: Memory(site("gone").ref.resource_id, NOW, NOW, "{}")}

    def put(self, _: str, __: Iterable[Memory]) -> None:
        """Forget it at once, or fail."""
        self._call("put")

    def forget(self, _: str, __: Iterable[str]) -> None:
        """Forget nothing, or fail."""
        self._call("forget")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise self.error


@pytest.fixture
def pool() -> Pool:
    """Return a pool with one thread, so that the reads come in order."""
    return Pool(1, "reader")


def apps(count: int, first: int = 0) -> tuple[Site, ...]:
    """Return sites with a moment of their last change."""
    return tuple(replace(site(f"app{number:04}"), modified=NOW - DAY) for number in range(first, first + count))


def look(
    azure: Azure,
    pool: Pool,
    memory: SettingsMemory,
    sites: tuple[Site, ...],
    *,
    interval: timedelta = DAY,
    fresh: bool = False,
) -> tuple[tuple[SiteSettings, ...], View]:
    """Read the settings of the sites, and return them with the view."""
    view = View(azure, pool)  # type: ignore[arg-type]  # only the settings are read
    remembering = Remembering(memory, NOW, interval)
    return view.settings(sites, lambda _: False, remembering, fresh=fresh), view


def stored() -> tuple[MemoryTables, SettingsMemory]:
    """Return empty tables, and the memory in them."""
    tables = MemoryTables()
    return tables, journal_ports(tables, ManualClock())["settings_memory"]


def test_look_that_ends_early_keeps_what_it_read(pool: Pool) -> None:
    """If the time of a run ends during an inspection, the next inspection reads only what the first could not."""
    tables, memory = stored()
    sites = apps(BATCH + 9)
    azure = Azure({str(sites[-3].ref): OutOfTime("over")})
    with pytest.raises(OutOfTime):
        look(azure, pool, memory, sites)
    assert len(tables.all(SETTINGS)) == BATCH + 6
    second = Azure()
    found, _ = look(second, pool, memory, sites)
    assert second.asked == [str(seen.ref) for seen in sites[-3:]]
    assert len(found) == len(sites)
    assert sum(settings.remembered for settings in found) == BATCH + 6


@pytest.mark.parametrize("interval", [DAY, timedelta(0)], ids=["no moment", "the setting is 0"])
def test_app_without_memory_is_read_each_time(pool: Pool, interval: timedelta) -> None:
    """Certroll reads settings each time if the listing shows no moment, or if CERTROLL_SETTINGS_REREAD is 0."""
    tables, memory = stored()
    sites = apps(2) if interval == timedelta(0) else tuple(replace(seen, modified=None) for seen in apps(2))
    azure = Azure()
    for _ in range(2):
        look(azure, pool, memory, sites, interval=interval)
    assert len(azure.asked) == 4
    assert tables.all(SETTINGS) == ()


def test_fresh_read_that_fails_leaves_no_memory_behind(pool: Pool) -> None:
    """Settings that Azure does not show fresh are a blind spot, although Certroll remembers them."""
    _, memory = stored()
    sites = apps(2)
    look(Azure(), pool, memory, sites)
    found, view = look(Azure({str(sites[0].ref): Unavailable("503")}), pool, memory, sites, fresh=True)
    assert [(settings.site, settings.remembered) for settings in found] == [(sites[1].ref, False)]
    assert [(spot.subject, spot.settings_only) for spot in view.blind_spots] == [("app settings of app0000", True)]


def test_odd_memory_is_read_anew(pool: Pool) -> None:
    """A memory that somebody broke makes Certroll read the settings, and is replaced."""
    _, memory = stored()
    (seen,) = apps(1)
    memory.put(SUBSCRIPTION, [Memory(seen.ref.resource_id, NOW - DAY, NOW, "{broken")])
    azure = Azure()
    look(azure, pool, memory, (seen,))
    look(azure, pool, memory, (seen,))
    assert azure.asked == ["app0000"]


@pytest.mark.parametrize(
    ("failing", "calls"), [(("of",), ["of"]), (("put",), ["of", "put"]), (("forget",), ["of", "put", "put", "forget"])]
)
def test_failing_storage_costs_no_look(pool: Pool, failing: tuple[str, ...], calls: list[str]) -> None:
    """If storage fails, Certroll reads all settings from Azure, and asks storage no second time in this inspection."""
    memory, azure, sites = FailingMemory(*failing), Azure(), apps(BATCH + 1)
    view = View(azure, pool)  # type: ignore[arg-type]  # only the settings are read
    remembering = Remembering(memory, NOW, DAY)
    found = view.settings(sites, lambda _: False, remembering)
    remembering.forget_gone([seen.ref for seen in sites], [], set())
    assert (len(found), len(azure.asked)) == (BATCH + 1, BATCH + 1)
    assert memory.calls == calls


def test_only_what_is_gone_is_forgotten(pool: Pool) -> None:
    """Certroll forgets deleted sites and slots, some at a time, where it could see every site and list their slots."""
    tables, memory = stored()
    sites = apps(MOST_FORGOTTEN + 3)
    slots = tuple(replace(site(f"app{number:04}", "blue"), modified=NOW) for number in range(2))
    look(Azure(), pool, memory, (*sites, *slots))
    left = sites[:2]
    remembering = Remembering(memory, NOW, DAY)
    remembering.recall(sites)
    remembering.forget_gone([seen.ref for seen in left], [left[0].ref], {SUBSCRIPTION})
    assert len(tables.all(SETTINGS)) == MOST_FORGOTTEN + 5
    for _ in range(2):
        remembering = Remembering(memory, NOW, DAY)
        remembering.recall(sites)
        remembering.forget_gone([seen.ref for seen in left], [left[0].ref], set())
    kept = {str(row["site"]).rpartition("/sites/")[2] for row in tables.all(SETTINGS)}
    assert kept == {"app0000", "app0001", "app0001/slots/blue"}


def test_sick_subscription_hides_itself_alone_next_to_remembered_ones(pool: Pool) -> None:
    """A subscription whose apps do not answer is a blind spot, although Certroll remembers all settings elsewhere."""
    _, memory = stored()
    sick = tuple(
        replace(seen, ref=replace(seen.ref, subscription="sick"), modified=NOW - DAY) for seen in apps(9, first=100)
    )
    healthy = apps(9)
    look(Azure(), pool, memory, healthy)
    azure = Azure({str(seen.ref): Unavailable("503") for seen in sick})
    found, view = look(azure, pool, memory, (*healthy, *sick))
    assert {settings.site for settings in found if settings.remembered} == {seen.ref for seen in healthy}
    assert {spot.subscription for spot in view.blind_spots} == {"sick"}
    assert len(view.blind_spots) == len(sick)


def test_sick_apps_among_many_remembered_ones_hide_themselves_alone(pool: Pool) -> None:
    """As many apps may stay without an answer as if Certroll had read the settings of all apps."""
    _, memory = stored()
    sites = apps(10 * MOST_SILENT)
    sick = sites[:MOST_SILENT]
    look(Azure(), pool, memory, sites[MOST_SILENT:])
    azure = Azure({str(seen.ref): Unavailable("503") for seen in sick})
    _, view = look(azure, pool, memory, sites)
    assert [spot.subject for spot in view.blind_spots] == [f"app settings of {seen.ref}" for seen in sick]


def test_sick_subscription_hides_itself_alone_in_a_fresh_read(pool: Pool) -> None:
    """If a subscription's apps do not answer when Certroll reads remembered settings again, the run goes on."""
    _, memory = stored()
    sick = tuple(replace(seen, ref=replace(seen.ref, subscription="sick")) for seen in apps(9, first=100))
    azure = Azure()
    remembering = Remembering(memory, NOW, DAY)
    view = View(azure, pool)  # type: ignore[arg-type]  # only the settings are read
    view.settings((*apps(9), *sick), lambda _: False, remembering)
    azure.failing = {str(seen.ref): Unavailable("503") for seen in sick}
    assert view.settings(sick, lambda _: False, remembering, fresh=True) == ()
    assert len(view.blind_spots) == len(sick)


def test_azure_that_answers_nothing_still_ends_the_look(pool: Pool) -> None:
    """If the apps of every subscription stay without an answer, the inspection fails, and a later one repeats it."""
    _, memory = stored()
    sites = apps(9)
    with pytest.raises(Unavailable):
        look(Azure({str(seen.ref): Unavailable("503") for seen in sites}), pool, memory, sites, fresh=True)


def test_slots_are_forgotten_only_with_their_own_site(pool: Pool) -> None:
    """Certroll remembers a slot of a site whose slots it has not listed, in a resource group of any name."""
    tables, memory = stored()
    production, slot = (
        replace(seen, ref=replace(seen.ref, resource_group="slots"), modified=NOW)
        for seen in (site("shop"), site("shop", "blue"))
    )
    look(Azure(), pool, memory, (production, slot))
    remembering = Remembering(memory, NOW, DAY)
    remembering.recall((production,))
    remembering.forget_gone([production.ref], [], set())
    assert len(tables.all(SETTINGS)) == 2


def test_error_of_the_inspection_is_not_replaced_by_one_of_its_memory() -> None:
    """If the memory has no time left at the end, the caller still gets what ended the inspection."""
    remembering = Remembering(FailingMemory("put", error=OutOfTime("no time for a row")), NOW, DAY)
    (seen,) = apps(1)
    remembering.note(seen, read_settings(Azure().settings(seen.ref)))
    with pytest.raises(Unavailable, match="sites"), remembering.saving():
        raise Unavailable("sites: 503")


def test_memory_of_an_earlier_release_is_replaced_and_of_a_later_one_is_not() -> None:
    """A row of an earlier release is written again, or its app's settings would be read each hour for ever."""
    (seen,) = apps(1)
    memory = Memory(seen.ref.resource_id, NOW, NOW, "{}")
    for version, text in ((0, "{}"), (2, "old")):
        tables, remembered = stored()
        remembered.put(SUBSCRIPTION, [replace(memory, text="old")])
        row = {**tables.all(SETTINGS)[0], "v": version}
        tables.write(SETTINGS, [row])
        journal = journal_ports(tables, ManualClock())["settings_memory"]
        journal.of(SUBSCRIPTION)
        journal.put(SUBSCRIPTION, [memory])
        assert tables.all(SETTINGS)[0]["settings_0"] == text
