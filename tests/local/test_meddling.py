"""These tests simulate an operator who edits app settings at an exact moment, and check the ETags."""

from dataclasses import replace

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.journal import PLATFORM
from local.azure.watching.app_watch import AppWatch
from local.azure.web.load_list import LOAD_LIST
from tests.local.arm_client import Json
from tests.local.outbound import PIN, Outbound, adding


@pytest.fixture
def out() -> Outbound:
    """Build a site whose app settings a simulated operator edits."""
    return Outbound()


def read(out: Outbound) -> dict[str, str]:
    """Return the site's app settings, as ARM lists them."""
    properties: dict[str, str] = out.arm.post(f"{out.settings_path}/list")["properties"]
    return properties


def write(out: Outbound, settings: dict[str, str], status: int = 200, **headers: str) -> Json:
    """Write the site's app settings, and return ARM's answer."""
    return out.arm.put(out.settings_path, {"properties": settings}, status, **headers)


def etag(out: Outbound) -> str:
    """Return the site's ETag from a GET."""
    return out.arm.send("GET", out.born.id).headers["ETag"]


def test_somebody_edits_before_the_second_read(out: Outbound) -> None:
    """A simulated operator's edit scripted before the second read appears in that read, and not in the first read."""
    meddling = out.world.meddle(out.site, before="POST", nth=2, edit=adding(THEIRS="1"))
    assert "THEIRS" not in read(out)
    assert not meddling.struck
    assert read(out)["THEIRS"] == "1"
    assert meddling.struck
    assert out.site.restarts == 1


def test_somebody_edits_after_a_read(out: Outbound) -> None:
    """A simulated operator's edit scripted after a read is missing from that read.

    A client that writes back the settings it read before undoes an operator's later edit.
    """
    out.world.meddle(out.site, after="POST", edit=adding(THEIRS="1"))
    seen = read(out)
    assert "THEIRS" not in seen
    assert out.site.settings["THEIRS"] == "1"
    write(out, seen)
    assert "THEIRS" not in out.site.settings


def test_somebody_edits_after_the_second_write(out: Outbound) -> None:
    """An operator's edit scripted after a write changes the settings, and the write's answer does not show the edit."""
    out.world.meddle(out.site, after="PUT", nth=2, edit=adding(THEIRS="1"))
    write(out, {"OURS": "1"})
    assert out.site.settings == {"OURS": "1"}
    assert write(out, {"OURS": "2"})["properties"] == {"OURS": "2"}
    assert out.site.settings == {"OURS": "2", "THEIRS": "1"}
    assert out.site.restarts == 3


def test_somebody_edits_before_a_write(out: Outbound) -> None:
    """A write of app settings overwrites an operator's edit that is scripted right before the write.

    ARM refuses the overwriting write if the simulation setting `if_match_honoured` is on.
    """
    out.world.meddle(out.site, before="PUT", edit=adding(THEIRS="1"))
    write(out, {"OURS": "1"})
    assert out.site.settings == {"OURS": "1"}
    out.world.knobs.turn(if_match_honoured=True)
    out.world.meddle(out.site, before="PUT", edit=adding(THEIRS="1"))
    write(out, {"OURS": "2"}, 412, **{"If-Match": etag(out)})
    assert out.site.settings == {"OURS": "1", "THEIRS": "1"}


def test_somebody_edits_at_once(out: Outbound) -> None:
    """A simulated operator's edit without a scripted moment takes effect at once.

    A simulated operator's edit of app settings changes the ETag and restarts the app. The request journal names the
    settings that a simulated operator edited.
    """
    before = etag(out)
    assert out.world.meddle(out.site, edit=lambda settings: {LOAD_LIST: settings[LOAD_LIST]}).struck
    assert out.site.settings == {LOAD_LIST: out.first.thumbprint}
    assert etag(out) != before
    assert out.held() == [None]
    assert f"app settings of caller changed by somebody else: {PIN}; restarted" in out.world.journal.changes()


def test_an_edit_that_changes_nothing_restarts_nobody(out: Outbound) -> None:
    """A simulated operator's edit that changes no setting restarts no app."""
    out.world.meddle(out.site, edit=dict)
    assert out.site.restarts == 0


def test_what_somebody_does_is_not_the_clients_doing(out: Outbound) -> None:
    """The request journal records an operator's scripted edit separately from the client's read."""
    out.world.meddle(out.site, after="POST", edit=adding(THEIRS="1"))
    read(out)
    assert out.world.journal.writes() == ()
    assert [entry.method for entry in out.world.journal.entries()] == ["POST", PLATFORM]


def test_what_somebody_does_is_a_change_of_its_own(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) checks the apps between a write and the scripted edit that follows."""
    out.world.meddle(out.site, after="PUT", edit=lambda _: {LOAD_LIST: "*", PIN: out.first.thumbprint})
    with AppWatch(out.world) as watch:
        write(out, {})
    assert watch.looks == 3
    assert len(watch.troubles) == 2
    assert out.world.apps.troubles() == ()


def test_what_somebody_does_before_a_write_is_another_change(out: Outbound) -> None:
    """An `AppWatch` (a test's observer of apps) checks the apps between a scripted edit and the write that follows.

    A stale list of app settings, one write behind, shows a simulated operator's earlier edit.
    """
    out.world.meddle(out.site, before="PUT", edit=adding(THEIRS="1"))
    with AppWatch(out.world) as watch:
        write(out, {"OURS": "1"})
    assert watch.looks == 3
    out.world.faults.add(Fault("stale_list", "POST"))
    assert read(out)["THEIRS"] == "1"


def test_what_somebody_does_lags_by_itself(out: Outbound) -> None:
    """A stale list of app settings, one write behind, shows the client's write without the operator's later edit."""
    out.world.meddle(out.site, after="PUT", edit=adding(THEIRS="1"))
    write(out, {"OURS": "1"})
    out.world.faults.add(Fault("stale_list", "POST"))
    assert read(out) == {"OURS": "1"}


def test_a_script_minds_its_own_site_and_happens_once(out: Outbound) -> None:
    """An operator's scripted edit reacts only to its own site's requests, in any letter case, and only once."""
    slot = out.build.add_slot(out.site, "staging")
    out.world.meddle(out.site, after="POST", edit=adding(THEIRS="1"))
    out.arm.post(f"{slot.id}/config/appsettings/list")
    assert "THEIRS" not in out.site.settings
    out.arm.post(f"{out.settings_path}/list".upper())
    assert "THEIRS" in out.site.settings
    write(out, {})
    read(out)
    assert out.site.settings == {}


def test_a_slots_settings_are_meddled_with_alone(out: Outbound) -> None:
    """A simulated operator's edit scripted for a slot changes only the slot."""
    slot = out.build.add_slot(out.site, "staging")
    out.world.meddle(slot, after="PUT", edit=adding(THEIRS="1"))
    write(out, {})
    out.arm.put(f"{slot.id}/config/appsettings", {"properties": {}})
    changed = out.world.web.sites.get(slot.id)
    assert changed is not None
    assert (changed.settings, out.site.settings) == ({"THEIRS": "1"}, {})


def test_a_refused_write_counts_for_nothing(out: Outbound) -> None:
    """A simulated operator's edit scripted after a write ignores a write that ARM refused."""
    out.world.knobs.turn(if_match_honoured=True)
    meddling = out.world.meddle(out.site, after="PUT", edit=adding(THEIRS="1"))
    write(out, {"OURS": "1"}, 412, **{"If-Match": '"stale"'})
    assert not meddling.struck


def test_a_write_whose_answer_is_lost_counts(out: Outbound) -> None:
    """An operator's edit scripted after a write follows an applied write, even if the write's answer is lost."""
    out.world.faults.add(Fault("applied_but_lost", "PUT"))
    out.world.meddle(out.site, after="PUT", edit=adding(THEIRS="1"))
    write(out, {"OURS": "1"}, 504)
    assert out.site.settings == {"OURS": "1", "THEIRS": "1"}


def test_scripts_have_one_moment(out: Outbound) -> None:
    """`meddle` (a scripted operator's edit) refuses an unknown site, or an edit both before and after a request."""
    with pytest.raises(ValueError, match="not both"):
        out.world.meddle(out.site, before="POST", after="PUT", edit=dict)
    with pytest.raises(KeyError, match="No site"):
        out.world.meddle(replace(out.site, name="gone"), edit=dict)


def test_a_read_may_come_back_empty_once(out: Outbound) -> None:
    """A scripted misread (a wrong answer to a read) returns no app settings once, although the site has settings."""
    misread = out.world.misread(out.site, nth=2)
    seen = [read(out) for _ in range(3)]
    assert seen == [out.site.settings, {}, out.site.settings]
    assert misread.struck
    assert out.site.restarts == 0


def test_a_read_may_be_shrunken(out: Outbound) -> None:
    """A scripted misread (a wrong answer to a read) can return only a part of the app settings.

    Reads of another site do not use up a scripted misread (a wrong answer to a read).
    """
    other = out.build.add_slot(out.site, "staging")
    out.world.misread(out.site, shown=lambda settings: {LOAD_LIST: settings[LOAD_LIST]})
    out.arm.post(f"{other.id}/config/appsettings/list")
    assert set(read(out)) == {LOAD_LIST}


def test_settings_of_one_site_may_be_denied(out: Outbound) -> None:
    """A fault with a site's path denies only that site's app settings."""
    slot = out.build.add_slot(out.site, "staging")
    out.world.faults.add(Fault("denied", "POST", path="/sites/caller/config/appsettings/list$", times=None))
    out.arm.post(f"{out.settings_path}/list", 403)
    out.arm.post(f"{slot.id}/config/appsettings/list", 200)


@pytest.mark.parametrize("slot", [False, True])
@pytest.mark.parametrize(("honoured", "status"), [(True, 412), (False, 200)])
def test_a_stale_etag_meets_the_knob(out: Outbound, status: int, *, honoured: bool, slot: bool) -> None:
    """ARM accepts a write with a fresh ETag of a site or slot.

    ARM refuses a write with a stale ETag if the simulation setting `if_match_honoured` is on.
    """
    out.world.knobs.turn(if_match_honoured=honoured)
    site = out.build.add_slot(out.site, "staging") if slot else out.site
    path = f"{site.id}/config/appsettings"
    fresh = out.arm.send("GET", site.id).headers["ETag"]
    answer = out.arm.send("PUT", path, {"properties": {"OURS": "1"}}, **{"If-Match": fresh})
    assert answer.status == 200
    assert out.arm.send("GET", site.id).headers["ETag"] == answer.headers["ETag"] != fresh
    stale = out.arm.send("PUT", path, {"properties": {"OURS": "2"}}, **{"If-Match": fresh})
    assert stale.status == status
    kept = out.world.web.sites.get(site.id)
    assert kept is not None
    assert kept.settings == {"OURS": "1" if honoured else "2"}
