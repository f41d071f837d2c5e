"""Check what Certroll relies on when it reads and writes app settings."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.domain.errors import Conflict
from shared.domain.fleet.app_settings import AppSettings
from shared.domain.names import SiteRef
from tests.contract.apis import WEB_API
from tests.contract.making import Rig
from tests.contract.operations import Recording
from tests.contract.place import Verdict, Waited, equal_to

LONG = "x" * 4000


@pytest.fixture(params=["site", "slot"])
def site(request: pytest.FixtureRequest, rig: Rig) -> Iterator[SiteRef]:
    """Yield the site or the slot, and put its settings back as they were."""
    ref: SiteRef = getattr(rig, request.param)
    before = rig.place.ports.app_service.settings(ref)
    yield ref
    rig.place.ports.app_service.put_settings(replace(before, etag=None))


def _with(settings: AppSettings, **values: str) -> AppSettings:
    return replace(settings, values={**settings.values, **values}, etag=None)


@pytest.mark.operations("app_service.settings", "app_service.put_settings")
def test_a_write_replaces_all_settings_and_a_read_shows_them(
    azure: Recording, rig: Rig, site: SiteRef, waited: Waited
) -> None:
    """A PUT of settings answers 200, replaces the whole dictionary, and keeps spelling and length of each value."""
    before = azure.app_service.settings(site)
    wanted = {**before.values, "Contract_A": "1", "CONTRACT_LIST": "AB,*", "CONTRACT_LONG": LONG}
    with rig.place.recorder.recorded() as exchanges:
        azure.app_service.put_settings(replace(before, values=wanted, etag=None))
    assert [(exchange.method, exchange.status) for exchange in exchanges] == [("PUT", 200)]
    seen = rig.place.until(
        "written settings are read", lambda: dict(azure.app_service.settings(site).values), equal_to(wanted)
    )
    waited("a read shows written app settings", seen)
    azure.app_service.put_settings(replace(before, etag=None))
    rig.place.until(
        "a setting that a write omits is gone",
        lambda: dict(azure.app_service.settings(site).values),
        equal_to(dict(before.values)),
    )


@pytest.mark.operations("app_service.settings_to_edit")
def test_the_site_has_an_etag_and_the_list_of_settings_has_none(azure: Recording, rig: Rig, site: SiteRef) -> None:
    """A read for editing takes the ETag from a GET of the site, because the list of settings has no ETag."""
    with rig.place.recorder.recorded() as exchanges:
        read = azure.app_service.settings_to_edit(site)
    got, listed = exchanges
    assert read.etag
    assert read.etag == got.headers["ETag"]
    assert (listed.method, listed.status, listed.headers.get("ETag")) == ("POST", 200, None)
    assert listed.path.lower() == f"{site.resource_id}/config/appsettings/list".lower()


@pytest.mark.operations("app_service.put_settings", "app_service.settings_to_edit")
@pytest.mark.settles("if_match_honoured")
def test_a_stale_etag(azure: Recording, site: SiteRef, rig: Rig, verdict: Verdict) -> None:
    """A PUT with an If-Match from before another write is refused with 412, or overwrites: the knob says which."""
    stale = azure.app_service.settings_to_edit(site)
    azure.app_service.stop(site)  # moves the ETag of a site, as each write of the site itself does
    azure.app_service.start(site)
    rig.place.until(
        "the site has another ETag",
        lambda: azure.app_service.settings_to_edit(site).etag,
        lambda etag: etag != stale.etag,
    )
    try:
        azure.app_service.put_settings(stale)
        honoured = False
    except Conflict:
        honoured = True
    verdict("if_match_honoured", honoured)


@pytest.mark.settles("settings_write_moves_modified")
def test_the_date_of_a_site_after_a_write_of_settings(
    azure: Recording, rig: Rig, site: SiteRef, verdict: Verdict
) -> None:
    """A write of settings moves the site's lastModifiedTimeUtc and its ETag, or neither: the knob says which."""
    url = f"{site.resource_id}?api-version={WEB_API}"

    def shown() -> tuple[str, str]:
        answer = rig.place.arm.send("GET", url)
        return answer.json["properties"]["lastModifiedTimeUtc"], answer.headers["ETag"]

    azure.app_service.stop(site)
    azure.app_service.start(site)
    rig.place.clock.sleep(rig.place.pause)
    settled = rig.place.until(
        "the site is at rest", lambda: [shown() for _ in range(5)], lambda reads: len({*reads}) == 1
    )
    before = settled.value[0]
    settings = azure.app_service.settings(site)
    azure.app_service.put_settings(_with(settings, CONTRACT_DATED=str(rig.place.clock.now())))
    seen = rig.place.watch(shown, lambda now: now != before, 8)
    after = shown()
    assert (after[0] == before[0]) is (after[1] == before[1]), "the ETag moves with the date"
    verdict("settings_write_moves_modified", seen is not None)


@pytest.mark.settles("reads_until_visible")
def test_reads_after_a_write(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """Some reads after a write may show the state before the write: the knob counts these reads."""
    before = azure.app_service.settings(rig.site)
    azure.app_service.put_settings(_with(before, CONTRACT_FRESH="1"))
    stale = 0
    while "CONTRACT_FRESH" not in azure.app_service.settings(rig.site).values:
        stale += 1
        assert stale < rig.place.polls
        rig.place.clock.sleep(1)
    azure.app_service.put_settings(replace(before, etag=None))
    verdict("reads_until_visible", stale)


@pytest.mark.operations("app_service.configuration")
def test_configuration_shows_the_tls_of_a_site(azure: Recording, site: SiteRef) -> None:
    """The configuration of a site shows its lowest TLS versions, its lowest cipher suite or null, and HTTP/2."""
    shown = azure.app_service.configuration(site)
    assert {"minTlsVersion", "scmMinTlsVersion", "minTlsCipherSuite", "http20Enabled"} <= shown.keys()
    assert shown["minTlsVersion"] in {"1.0", "1.1", "1.2", "1.3"}
    assert isinstance(shown["http20Enabled"], bool)
