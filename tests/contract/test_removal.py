"""Whatever happens to a run, the removal takes away what the run has made, and nothing else."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.azure.scripting.clock import START
from local.azure.wire import Drop, Request, Response
from local.azure.world import World
from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.domain.endpoints import CloudName
from shared.domain.fleet.copies import RootCertificate
from shared.domain.names import EnvironmentRef, RootRef
from tests.contract.apis import WEB_API
from tests.contract.copies import import_copy, upload_copy
from tests.contract.ledger import TAG, Ledger, read, runs
from tests.contract.making import SLOT, Rig, Taken, set_up
from tests.contract.pfx_files import Made, make
from tests.contract.place import Place
from tests.contract.removal import remove
from tests.contract.remove import report
from tests.contract.running import running
from tests.contract.simulated import simulated_place, simulated_world
from tests.contract.wire import Recorder, Refusal
from tests.in_process import in_process

WRITES = frozenset({"PUT", "POST", "PATCH", "DELETE"})
RUN = "r0badcafe"
MOST_WRITES = 60


class Killed(BaseException):
    """The run was killed."""


class Site:
    """A simulated Azure with a resource group, and a note of a run."""

    def __init__(self, folder: Path) -> None:
        self.world = simulated_world()
        credential = make_credential(CLOUDS[CloudName.PUBLIC], None)
        self.place: Place = replace(simulated_place(self.world, credential), polls=4)
        self.ledger = Ledger(RUN, self.place.subscription, self.place.group, folder)
        self.before = everything(self.world)


def everything(world: World) -> set[str]:
    """Return the id of each resource in a simulated Azure, deleted vaults included."""
    web = world.web
    stores: tuple[Any, ...] = (web.plans, web.sites, web.certificates, web.public_certificates, web.roots)
    return {
        *(resource.id.lower() for store in stores for resource in store.values()),
        *(vault.resource_id.lower() for vault in world.vaults.values()),
        *(f"deleted {name}" for name in world.deleted_vaults),
        *world.role_assignments,
    }


@pytest.fixture
def azure(stand: object, tmp_path: Path) -> Site:
    """Return an empty resource group of a simulated Azure."""
    assert stand
    return Site(tmp_path)


def _set_up(place: Place, ledger: Ledger) -> Rig:
    rig = Rig(place, ledger)
    set_up(rig)
    return rig


def _whole_run(place: Place, ledger: Ledger) -> Rig:
    """Make everything that a run makes, of each kind."""
    rig = _set_up(place, ledger)
    app_service: Any = place.ports.app_service
    rig.make_certificate("shop", ("shop.example.net",))
    import_copy(app_service, rig, "imported", "shop")
    upload_copy(app_service, rig, "uploaded", _made("up.example.net", root=False))
    rig.lent_host()
    rig.make_vault(f"crr-{ledger.run}", None)
    rig.turn_to_roles(f"crr-{ledger.run}")
    rig.assign_certificate_user(rig.vault_named(f"crr-{ledger.run}"))
    _request_managed(rig)
    _put_root(rig)
    return rig


@cache
def _made(name: str, *, root: bool) -> Made:
    """Return a certificate, made once for all runs, because making a key takes longest."""
    return make(name, START, root=root)


def _request_managed(rig: Rig) -> None:
    ports, ref = rig.place.ports, rig.copy("managed")
    (found,) = (found for found, _ in ports.managed.places(rig.place.subscription).found if found.site.ref == rig.site)
    rig.ledger.note(rig.web("certificates", ref.name))
    ports.managed.ask_for(ref, rig.lent_host(), found)
    rig.place.clock.sleep(60)


def _put_root(rig: Rig) -> None:
    made = _made("root", root=True)
    root = RootRef(EnvironmentRef.parse(str(rig.place.environment)), f"contract-{rig.ledger.run}")
    rig.ledger.note(root.resource_id)
    rig.place.ports.environments.put_root(RootCertificate(root, rig.place.location, made.thumbprint), made.der)


def _writes(place: Place) -> int:
    return sum(exchange.method in WRITES for exchange in place.recorder.exchanges)


def _breaking(place: Place, nth: int, *, applied: bool) -> Place:
    """Return the place with a transport that kills the run at its nth write, before or after Azure applied it."""

    class Breaking(Recorder):
        count = 0

        def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - a transport of azure-core
            Breaking.count += request.method in WRITES
            strikes = request.method in WRITES and Breaking.count == nth
            if strikes and not applied:
                raise Killed
            answer = super().send(request, **options)
            if strikes:
                raise Killed
            return answer

    place.recorder.inner = Breaking(place.recorder.inner)
    return place


def test_a_whole_run_leaves_nothing(azure: Site) -> None:
    """After a run and its removal Azure has what it had before, no name stays taken, and the note is gone."""
    _whole_run(azure.place, azure.ledger)
    assert everything(azure.world) > azure.before
    done = remove(azure.place, azure.ledger)
    assert (done.kept, done.failed) == ([], [])
    assert everything(azure.world) == azure.before
    assert not azure.ledger.path.exists()


def _count_writes(folder: Path) -> int:
    site = Site(folder)
    _whole_run(site.place, site.ledger)
    return _writes(site.place)


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_run_that_is_killed_at_any_write_leaves_nothing(stand: object, tmp_path: Path, *, applied: bool) -> None:
    """A run that dies right before or right after any of its writes is removed later, by its note alone."""
    assert stand
    writes = _count_writes(tmp_path / "whole")
    assert writes > 12
    for nth in range(1, writes + 1):
        folder = tmp_path / f"{nth}"
        site = Site(folder)
        inner = site.place.recorder.inner
        with pytest.raises(Killed):
            _whole_run(_breaking(site.place, nth, applied=applied), site.ledger)
        site.place.recorder.inner = inner
        left = [read(run, folder) for run in runs(folder)]
        for ledger in left:
            done = remove(site.place, ledger)
            assert (done.kept, done.failed) == ([], []), nth
        assert everything(site.world) == site.before, nth


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_removal_that_is_killed_at_any_write_is_repeated(stand: object, tmp_path: Path, *, applied: bool) -> None:
    """A removal that dies at any of its writes is finished by the next removal."""
    assert stand
    for nth in range(1, MOST_WRITES):
        folder = tmp_path / f"{nth}"
        site = Site(folder)
        _whole_run(site.place, site.ledger)
        inner = site.place.recorder.inner
        try:
            remove(_breaking(site.place, nth, applied=applied), site.ledger)
        except Killed:
            site.place.recorder.inner = inner
            for run in runs(folder):
                assert remove(site.place, read(run, folder)).failed == [], nth
        else:
            break
        assert everything(site.world) == site.before, nth
    assert 10 < nth < MOST_WRITES - 1


def test_a_failed_test_and_a_failed_set_up_end_with_a_removal(azure: Site) -> None:
    """Whether a test fails or the set-up fails in the middle, the run removes what it has made, and says so."""
    said: list[str] = []
    with pytest.raises(ZeroDivisionError), running(azure.place, azure.ledger, said.append) as rig:
        raise ZeroDivisionError
    assert everything(azure.world) == azure.before
    assert f"makes {rig.plan_id}" in said
    assert f"removed {rig.plan_id}" in said
    azure.world.roles.read_only(rig.web("sites", rig.site_name))
    with pytest.raises(Refusal, match="AuthorizationFailed"), running(azure.place, azure.ledger, said.append):
        pytest.fail("the set-up went through")
    azure.world.roles.restore(rig.web("sites", rig.site_name))
    assert everything(azure.world) == azure.before


def test_what_others_have_stays(azure: Site) -> None:
    """A site, a plan, a vault and certificates of others stay: with similar names, and even with the run's tag."""
    rig = _set_up(azure.place, azure.ledger)
    arm, tags = azure.place.arm, azure.ledger.tags
    location = azure.place.location
    others = Rig(azure.place, replace(azure.ledger, run="other", folder=azure.ledger.folder))
    others.ledger.made = []
    plan = rig.web("serverfarms", f"{rig.name}x")
    arm.expect("PUT", f"{plan}?api-version={WEB_API}", {"location": location, "sku": {"name": "S1"}, "tags": tags})
    body = {"location": location, "properties": {"serverFarmId": plan}}
    for name, its in ((f"{rig.site_name}x", {}), (f"{rig.site_name}-tagged", tags)):
        arm.expect("PUT", f"{rig.web('sites', name)}?api-version={WEB_API}", {**body, "tags": its})
    others.make_vault("others-vault", None)
    kept = everything(azure.world)
    done = remove(azure.place, azure.ledger)
    assert done.failed == []
    gone = kept - everything(azure.world)
    assert gone == {
        rig.plan_id.lower(),
        rig.vault_id.lower(),
        rig.web("sites", rig.site_name).lower(),
        f"{rig.web('sites', rig.site_name)}/slots/{SLOT}".lower(),
    }


def test_a_noted_resource_without_the_tag_stays(azure: Site) -> None:
    """A resource whose id is noted and that somebody else made in the meantime stays, and the removal says so."""
    rig = Rig(azure.place, azure.ledger)
    azure.ledger.note(rig.plan_id)
    body = {"location": azure.place.location, "sku": {"name": "S1"}, "tags": {TAG: "another"}}
    azure.place.arm.expect("PUT", f"{rig.plan_id}?api-version={WEB_API}", body)
    done = remove(azure.place, azure.ledger)
    assert done.removed == []
    assert [kept.partition(":")[0] for kept in done.kept] == [rig.plan_id]
    assert rig.plan_id.lower() in everything(azure.world)


def test_a_plan_that_changed_hands_stays_without_its_site(azure: Site) -> None:
    """A plan whose tag somebody changed stays, although Azure deletes an empty plan with its last site by default."""
    rig = _set_up(azure.place, azure.ledger)
    url = f"{rig.plan_id}?api-version={WEB_API}"
    body = {"location": azure.place.location, "sku": {"name": "S1"}, "tags": {"team": "shop"}}
    azure.place.arm.expect("PUT", url, body)
    remove(azure.place, azure.ledger)
    assert everything(azure.world) - azure.before == {rig.plan_id.lower()}


def test_a_slot_of_somebody_else_keeps_its_site(azure: Site) -> None:
    """A site of the run with a slot that somebody else added stays with its plan, and the note keeps both."""
    rig = _set_up(azure.place, azure.ledger)
    site = rig.web("sites", rig.site_name)
    body = {"location": azure.place.location, "properties": {"serverFarmId": rig.plan_id}}
    azure.place.arm.expect("PUT", f"{site}/slots/precious?api-version={WEB_API}", body)
    done = remove(azure.place, azure.ledger)
    assert {failed.partition(":")[0] for failed in done.failed} == {site, rig.plan_id}
    assert {site.lower(), f"{site}/slots/precious".lower(), rig.plan_id.lower()} <= everything(azure.world)
    assert set(read(RUN, azure.ledger.folder).made) == {site, rig.plan_id}


def test_a_taken_name_is_not_taken_over(azure: Site) -> None:
    """A run stops at a name that exists, leaves the resource alone, and does not note it."""
    rig = Rig(azure.place, azure.ledger)
    body = {"location": azure.place.location, "sku": {"name": "S1"}, "tags": {"team": "shop"}}
    azure.place.arm.expect("PUT", f"{rig.plan_id}?api-version={WEB_API}", body)
    kept = everything(azure.world)
    with pytest.raises(Taken, match=rig.plan_id):
        _set_up(azure.place, azure.ledger)
    remove(azure.place, azure.ledger)
    assert everything(azure.world) == kept


def test_a_removal_goes_on_after_a_failure(azure: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """A resource that cannot be removed stays in the note, all others go, and the command names the next step."""
    rig = _set_up(azure.place, azure.ledger)
    azure.world.roles.read_only(rig.vault_id)
    assert report(azure.place, azure.ledger) == 1
    said = capsys.readouterr().out
    assert f"FAILED: {rig.vault_id}" in said
    assert f"python -m tests.contract.remove {RUN}" in said
    assert everything(azure.world) - azure.before == {rig.vault_id.lower()}
    azure.world.roles.restore(rig.vault_id)
    assert report(azure.place, read(RUN, azure.ledger.folder)) == 0
    assert everything(azure.world) == azure.before


@pytest.mark.parametrize("right", ["hide", "read_only"])
def test_a_vault_that_only_azure_may_purge_is_no_failure(azure: Site, right: str) -> None:
    """Without the right to purge, a run ends well: it says that the deleted vault waits for Azure's own purge."""
    rig = _set_up(azure.place, azure.ledger)
    getattr(azure.world.roles, right)(f"/subscriptions/{azure.place.subscription}/providers/Microsoft.KeyVault")
    done = remove(azure.place, azure.ledger)
    assert done.failed == []
    assert [kept.partition(":")[0] for kept in done.kept] == [rig.vault_id]
    assert "Azure purges it after 7 days" in done.kept[0]
    assert everything(azure.world) - azure.before == {f"deleted {rig.vault}"}
    assert list(runs(azure.ledger.folder)) == []


def test_a_lost_connection_is_no_removal(azure: Site) -> None:
    """A removal that Azure does not answer keeps every id in the note."""
    _set_up(azure.place, azure.ledger)
    noted = list(azure.ledger.made)

    def dead(_: Request) -> Response:
        raise Drop

    azure.place.recorder.inner = in_process(dead)
    done = remove(azure.place, azure.ledger)
    assert len(done.failed) == len(noted)
    assert sorted(read(RUN, azure.ledger.folder).made) == sorted(noted)


def test_a_note_has_no_secret(azure: Site) -> None:
    """The note of a run has names and ids, and nothing that a person must keep."""
    _whole_run(azure.place, azure.ledger)
    text = azure.ledger.path.read_text(encoding="utf-8")
    assert "pfx" not in text.lower()
    assert "Bearer" not in text
    assert set(text) <= set(map(chr, range(10, 127)))
