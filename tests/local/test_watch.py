"""These tests check what `watch` shows of a fleet, in terminals of several sizes."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local.azure.wire import Response
from local.command_line import main
from local.console.client import answers
from local.console.fleet_view import FleetView, Reported, Run, Served, fleet_view
from local.console.last_runs import LastRuns
from local.console.log import LOGGED_AT, Event, Tail
from local.console.parts import share_out
from local.console.watch import picture, watch
from local.fleet import fleet
from local.http_wire import converse
from local.listener import Connection, Listener
from local.running import Running, announced
from local.screen import Screen
from local.sightings import Sightings
from local.stand import Stand
from local.worlds.contoso import contoso
from local.worlds.northwind import northwind

SITE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/"


def row(**columns: object) -> Mapping[str, Any]:
    """Return a row of a table."""
    return columns


@pytest.fixture(scope="module")
def view() -> FleetView:
    """Return what `watch` shows of Contoso after a renewal, a roll-back and two findings."""
    with Stand(contoso()) as stand:
        vault = stand.world.vaults["contoso-web-kv"]
        shop, bank = vault.renew("shop-contoso-com"), vault.certificates["bank-client"].newest
        sightings = [sighting.to_json() for sighting in stand.sightings()]
        state = fleet(stand.world)
    journal = [
        row(certificate="contoso-web-kv/shop-contoso-com", version=shop.id, site=f"{SITE}a", state="Proven"),
        row(certificate="contoso-web-kv/shop-contoso-com", version=shop.id, site=f"{SITE}b", state="Pending"),
        row(certificate="contoso-web-kv/shop-contoso-com", version="older", site=f"{SITE}c", state="Failed"),
        row(certificate="contoso-web-kv/bank-client", version=bank.id, app=f"{SITE}d", state="RolledBack"),
    ]
    findings = [
        row(at="2026-11-30 11:00:00+00:00", severity="info", reason="OptedOut", subject="site museum", detail="a tag"),
        row(
            at="2026-11-30 11:00:01+00:00",
            severity="high",
            reason="RolledBack",
            subject="app payments",
            detail="b " * 99,
        ),
    ]
    told = {"event": "certificate.reconciled", "certificate": "contoso-web-kv/bank-client", "outcome": "Stalled"}
    waiting, stalled = told | {"outcome": "Waiting", "reason": "Soak"}, told | {"reason": "VersionHeld"}
    converged = told | {"certificate": "contoso-web-kv/shop-contoso-com", "outcome": "Converged", "reason": "RolledOut"}
    runs = last_runs(waiting, stalled, converged)
    return fleet_view(state, sightings, journal, findings, runs.by_subject, "runs")


def last_runs(*events: Event) -> LastRuns:
    """Return what `watch` knows of the last runs after these events, which are a second apart."""
    runs = LastRuns()
    runs.follow({**event, LOGGED_AT: f"2026-11-30T11:00:{second:02}.000Z"} for second, event in enumerate(events))
    return runs


def shown(view: FleetView, width: int, height: int | None) -> list[str]:
    """Return the picture as plain lines."""
    return [line.plain for line in picture(view, width, height)]


def name_of(entry: Served | Run) -> str:
    """Return the first cell of the row of a host name or certificate."""
    return f"  {entry.host} " if isinstance(entry, Served) else f"  {entry.certificate} "


@pytest.mark.parametrize("width", [80, 120])
def test_a_picture_says_everything(view: FleetView, width: int) -> None:
    """`watch` shows each host name, each certificate with its run, stopped sites and the newest finding first."""
    lines = shown(view, width, None)
    text = "\n".join(lines)
    assert all(len(line) <= width for line in lines)
    assert "The function app runs." in text
    assert "Stopped: hooks-contoso." in text
    assert all(host.host in text and host.thumbprint in text for host in view.served)
    assert "1 site Pending" in text
    assert "1 site Proven" in text
    assert "Failed" not in text, "the state of an older version"
    assert "Stalled: VersionHeld  1 app RolledBack" in text
    assert text.index("11:00:01 high RolledBack app payments") < text.index("11:00:00 info OptedOut site museum")


def test_an_old_version_is_named(view: FleetView) -> None:
    """A host name that still serves an old version is marked, also without colour."""
    lines = shown(view, 120, None)
    assert "old" in next(line for line in lines if "shop.contoso.com" in line)
    assert "newest" in next(line for line in lines if "api.contoso.com" in line)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 40), (120, 50), (200, 30)])
def test_a_picture_fits_the_terminal(view: FleetView, width: int, height: int) -> None:
    """The picture fits the terminal, and each part has at least one row and says how much is left out."""
    lines = shown(view, width, height)
    assert len(lines) < height
    assert all(len(line) <= width for line in lines)
    for title in ("Host names", "Certificates", "Findings"):
        assert lines[lines.index(title) + 1].strip()
    for part, word in ((view.served, "host names"), (view.runs, "certificates")):
        rows = sum(any(name in line for line in lines) for name in map(name_of, part))
        hidden = len(part) - rows
        old = sum(isinstance(entry, Served) and not entry.is_newest for entry in part[rows:])
        marked = f", {old} of them old" if old else ""
        assert not hidden or f"  … and {hidden} more {word}{marked}: enlarge the terminal" in lines


@pytest.mark.parametrize(
    ("needs", "room", "shares"),
    [
        ([20, 10, 5], 40, [20, 10, 5]),
        ([20, 10, 5], 24, [10, 9, 5]),
        ([20, 20, 20], 9, [4, 4, 4]),
        ([19, 10, 15], 15, [5, 5, 5]),
    ],
)
def test_lines_go_where_they_are_needed(needs: list[int], room: int, shares: list[int]) -> None:
    """A part that needs little leaves its lines to the others, and no part vanishes."""
    assert share_out(needs, room) == shares


def test_a_small_terminal_shows_what_matters(view: FleetView) -> None:
    """In a terminal of 80 columns and 24 lines, `watch` shows what changed, what stalled, and each finding."""
    later = Reported("11:00:02", "high", "VersionHeld", "app settings of payments", "word " * 60)
    changed = [replace(host, since="11:00:00") for host in view.served[-3:]]
    lines = shown(replace(view, served=(*changed, *view.served), reported=(later, *view.reported)), 80, 24)
    text = "\n".join(lines)
    assert all(any(host.host in line and "11:00:00" in line for line in lines) for host in changed)
    assert "contoso-web-kv/bank-client            Stalled: VersionHeld" in text
    assert "11:00:02 high VersionHeld" in text
    assert "11:00:01 high RolledBack app payments" in text
    assert "11:00:00 info OptedOut site museum" in text
    assert lines[-1] == "  … and details: enlarge the terminal"


def test_what_changed_or_is_out_of_order_comes_first() -> None:
    """`watch` lists first the host names without an answer, then those with an old version, then the changed ones."""
    new, old = "A" * 40, "B" * 40
    state = {"now": "", "environments": [], "sites": [], "secrets": {}, "vaults": {"kv": {"web": [version_of(new)]}}}
    seen = (("a", new, None), ("b", old, None), ("c", new, "2026-11-30T11:00:00"), ("d", new, "2026-11-30T12:00:00"))
    sightings = [row(host=host, site="", thumbprint=served, since=since) for host, served, since in seen]
    view = fleet_view(state, [*sightings, row(host="e", site="", thumbprint=None, since=None)], [], [], {}, "runs")
    assert [host.host for host in view.served] == ["e", "b", "d", "c", "a"]


def version_of(thumbprint: str, created: str = "2026-11-01T00:00:00") -> Mapping[str, Any]:
    """Return a version as the control port shows it."""
    return {"version": "1", "thumbprint": thumbprint, "created": created}


def test_a_renewed_certificate_comes_first() -> None:
    """`watch` lists a certificate whose version has just come before idle ones, also before its first run ends."""
    names = ("a", "b", "c")
    created = dict(zip(names, ("2026-11-29T11:00:00", "2026-11-30T12:00:00", "2026-11-28T11:00:00"), strict=True))
    vault = {name: [version_of("A" * 40, created[name])] for name in names}
    state = {"now": "", "environments": [], "sites": [], "secrets": {}, "vaults": {"kv": vault}}
    swept = [{"event": "plan.computed", "certificate": f"kv/{name}", "steps": 0, "skips": 0} for name in names]
    runs = last_runs({"event": "sweep.started"}, *swept, {"event": "sweep.judged", "enqueued": []})
    for known in ({}, runs.by_subject):
        view = fleet_view(state, [], [], [], known, "runs")
        assert view.runs[0].certificate == "kv/b"


def test_a_sweep_is_a_last_run() -> None:
    """After a sweep `watch` shows for each vault object without work what the sweep found."""
    planned = {"event": "plan.computed", "steps": 0, "skips": 0}
    listed = {"event": "plan.listed", "list": "skips"}
    events = (
        {"event": "certificate.reconciled", "certificate": "kv/Run", "outcome": "Stalled", "reason": "NewestRefused"},
        {**planned, "certificate": "kv/planned-by-a-run"},
        {"event": "sweep.started"},
        {**planned, "certificate": "kv/Idle"},
        {**planned, "certificate": "kv/off", "skips": 2},
        {**listed, "certificate": "kv/off", "rows": [{"subject": "x", "reason": "OptedOut"}] * 2},
        {**listed, "certificate": "kv/idle", "list": "would", "rows": [{"subject": "x", "reason": "StaleBinding"}]},
        {**planned, "certificate": "kv/busy"},
        {**planned, "certificate": "kv/run", "skips": 1},
        {**listed, "certificate": "kv/run", "rows": [{"subject": "x", "reason": "NewestRefused"}]},
        {"event": "sweep.judged", "enqueued": ["kv/busy"]},
    )
    found = {name: last.text for name, last in last_runs(*events).by_subject.items()}
    assert found == {
        "kv/run": "Stalled: NewestRefused",
        "kv/idle": "Swept: nothing to do",
        "kv/off": "Swept: OptedOut",
    }


def test_a_sweep_ends_a_stalled_run_that_is_over() -> None:
    """A run stays stalled until a sweep has nothing to do, and a run that has converged stays the last run."""
    ended = {"event": "certificate.reconciled", "reason": "R"}
    planned = {"event": "plan.computed", "steps": 0, "skips": 0}
    runs = last_runs(
        {**ended, "certificate": "kv/mended", "outcome": "Stalled"},
        {**ended, "certificate": "kv/done", "outcome": "Converged"},
        {"event": "sweep.started"},
        {**planned, "certificate": "kv/mended"},
        {**planned, "certificate": "kv/done"},
        {"event": "sweep.judged", "enqueued": []},
    )
    found = {name: last.text for name, last in runs.by_subject.items()}
    assert found == {"kv/mended": "Swept: nothing to do", "kv/done": "Converged: R"}


def test_bad_words_are_red_and_good_words_green(view: FleetView) -> None:
    """`Stalled` and `RolledBack` are red, and `Proven` is green."""
    styles = {
        line.plain[span.start : span.end]: str(span.style) for line in picture(view, 120, None) for span in line.spans
    }
    assert styles["Stalled"] == styles["RolledBack"] == styles["high"] == "bold red"
    assert styles["Proven"] == "green"


def test_the_titles_of_columns_are_quiet(view: FleetView) -> None:
    """The titles of the columns differ from the rows, also where a low terminal has no rule below the titles."""
    head = next(line for line in picture(view, 80, 24) if line.plain.startswith("  host name "))
    assert str(head.style) == "dim"


def test_an_environment_shows_its_roots_and_apps() -> None:
    """`watch` shows an environment's roots, its last run, and how many apps are in which state."""
    world = northwind()
    (environment,) = world.web.environments.values()
    states = ("Answered", "Answered", "Pending")
    journal = [
        row(environment=environment.id.lower(), app=f"{SITE}{name}", state=state) for name, state in enumerate(states)
    ]
    ended = {"event": "environment.reconciled", "environment": "Network/ase-north", "outcome": "Waiting"}
    runs = last_runs({**ended, "reason": "WaveInProgress"})
    view = fleet_view(fleet(world), [], journal, [], runs.by_subject, "runs")
    (root,) = world.web.roots.values()
    line = next(line for line in shown(view, 100, None) if "ase-north" in line)
    assert (
        line.split()
        == f"ase-north {root.thumbprint[:8]} Waiting: WaveInProgress 2 apps Answered, 1 app Pending".split()
    )
    assert "Host names" not in shown(view, 80, None), "no host name of Northwind is bound"


def test_a_host_name_tells_since_when() -> None:
    """A host name serves its certificate since the write that brought it, or since the start of the local Azure."""
    world = contoso()
    with Stand(world) as stand:
        assert {sighting.since for sighting in stand.sightings()} == {None}
        site = world.web.site_with_host("shop.contoso.com")
        assert site is not None
        before = world.web.served("shop.contoso.com", world.web.address_of("shop.contoso.com") or "")
        vault = world.vaults["contoso-web-kv"]
        vault.renew("shop-contoso-com")
        world.nightly_sync()
        seen = {sighting.host: sighting for sighting in stand.sightings()}
        again = {sighting.host: sighting for sighting in stand.sightings()}
    shop = seen["shop.contoso.com"]
    assert before is not None
    assert shop.thumbprint == vault.certificates["shop-contoso-com"].newest.thumbprint != before.thumbprint
    assert shop.since == world.clock.now()
    assert seen["archive.contoso.com"].since is None
    assert seen == again


def test_a_host_name_without_an_answer_is_shown() -> None:
    """A host name whose handshake fails has no thumbprint, and `watch` says that it gave no answer."""
    world = contoso()
    with Stand(world) as stand:
        sightings = Sightings(world, stand.visitor)
        stand.proxy.resolve = lambda _: None
        seen = sightings.round()
    assert {sighting.thumbprint for sighting in seen} == {None}
    view = fleet_view(fleet(world), [sighting.to_json() for sighting in seen], [], [], {}, "has ended")
    assert "no answer" in "\n".join(shown(view, 80, None))


def test_the_log_is_read_once(tmp_path: Path) -> None:
    """`watch` reads only what is new in the log, and waits for the end of a line."""
    log, tail = tmp_path / "host.log", Tail(tmp_path / "host.log")
    assert tail.new() == []
    line = f"2026-11-30T11:00:00.000Z INFO certroll: {json.dumps({'event': 'sweep.started'})}\n"
    log.write_text(f"{line}something else\n{line[:50]}")
    assert [event["event"] for event in tail.new()] == ["sweep.started"]
    log.write_text(f"{line}something else\n{line}")
    assert [event["event"] for event in tail.new()] == ["sweep.started"]
    assert tail.new() == []


def test_a_local_azure_that_ends_ends_the_watch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`watch` says in one sentence that the local Azure, or its storage, has ended."""
    storage = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;TableEndpoint=http://127.0.0.1:9/a;"
    with Stand(contoso()) as stand:
        url = stand.control.url
        with announced(tmp_path / "local.json") as announce:
            found = {"AZURE_STORAGE_CONNECTION_STRING": storage, **stand.environment_of_person()}
            announce(Running({"LOCAL_CONTROL_URL": url, **found}, ""))
            assert main(["watch", "--file", str(tmp_path / "local.json")]) == 1
            assert "the storage of the local Azure does not answer" in capsys.readouterr().err
            stand.control.close()
            assert main(["watch", "--file", str(tmp_path / "local.json")]) == 1
            assert f"does not answer at {url}" in capsys.readouterr().err


def test_a_host_that_refuses_still_runs() -> None:
    """An app whose host asks for a key runs, and only an app without an answer has ended."""

    def serve(connection: Connection) -> None:
        with connection.socket.makefile("rb") as stream:
            converse(stream, connection.socket.sendall, lambda _: Response(401))

    with Listener(serve, "host") as listener:
        url = f"http://127.0.0.1:{listener.listen()}"
        assert answers(url)
    assert not answers(url)


def test_hidden_old_host_names_are_counted() -> None:
    """Where not all host names fit, those with an old version come first, and the hidden ones are counted."""
    hosts = tuple(Served(f"{number}", "", "AAAAAAAA", "the start", number > 19) for number in range(40))
    view = FleetView("", "runs", hosts, (), (), (), ())
    lines = shown(view, 80, 20)
    hidden = next(line for line in lines if "more host names" in line)
    rows = sum("AAAAAAAA  old" in line for line in lines)
    assert not any("newest" in line for line in lines if "AAAAAAAA" in line)
    assert hidden == f"  … and {40 - rows} more host names, {20 - rows} of them old: enlarge the terminal"


@pytest.mark.parametrize("height", [1, 2, 6, 12, 17, 20])
def test_a_low_terminal_is_told(view: FleetView, height: int) -> None:
    """In a terminal that is too low for every part, the last line says so, and the picture fits."""
    lines = shown(view, 80, height)
    assert len(lines) < max(height, 2)
    whole = "Findings" in lines and len(lines) > lines.index("Findings") + 1
    assert whole or lines[-1].startswith("… The terminal is too low")


def test_a_command_in_a_finding_stands_alone(view: FleetView) -> None:
    """A command of the az CLI in a finding starts a line of its own, and no value of the command is broken."""
    command = "az role assignment create --role X --scope /subscriptions/a-long-id/resourceGroups/a-group"
    found = Reported("11:00:02", "high", "VaultAccessLacking", "a", f"Somebody has to run: {command}")
    lines = shown(replace(view, reported=(found,)), 80, None)
    first = next(number for number, line in enumerate(lines) if "az role" in line)
    assert lines[first].strip() == "az role assignment create --role X \\"
    assert lines[first + 1].strip() == "--scope /subscriptions/a-long-id/resourceGroups/a-group"


def printed(monkeypatch: pytest.MonkeyPatch, view: FleetView, width: int | None, *, dumb: bool = False) -> list[str]:
    """Return what `watch` prints to a pipe whose reader has a terminal of this width, or to a dumb terminal."""
    for name in ("COLUMNS", "TERM", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("local.console.watch.Source.view", lambda _: view)
    monkeypatch.setattr("local.console.watch.width_of_reader", lambda: width)
    file = io.StringIO()
    environment = {"TERM": "dumb"}
    terminal = Console(
        file=file, highlight=False, force_terminal=True, width=90, color_system=None, _environ=environment
    )
    watch(Running({"LOCAL_CONTROL_URL": "http://127.0.0.1:9"}, ""), Screen(console=terminal) if dumb else Screen(file))
    return file.getvalue().splitlines()


def test_a_pipe_has_the_width_of_its_reader(monkeypatch: pytest.MonkeyPatch, view: FleetView) -> None:
    """`watch | less` fits the terminal in which a person reads, and does not speak of an end of the watch."""
    assert printed(monkeypatch, view, 80) == shown(view, 80, None)
    assert printed(monkeypatch, view, None) == shown(view, 120, None)
    assert "Ctrl-C" not in shown(view, 80, None)[0]
    assert "Ctrl-C ends the watch." in shown(view, 80, 40)[0]


def test_a_dumb_terminal_gets_one_picture(monkeypatch: pytest.MonkeyPatch, view: FleetView) -> None:
    """A terminal that cannot move its cursor gets one picture, as a pipe does."""
    monkeypatch.setattr("local.console.watch.threading", None)
    lines = printed(monkeypatch, view, 50, dumb=True)
    assert [line.rstrip() for line in lines] == shown(view, 80, None)
