"""These tests use a running local Azure from another process, by the commands of `python -m local`."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from local.app import LocalApp
from local.command_line import main
from local.console.client import Refused
from local.console.log import LOGGED_AT
from local.console.plans import LOOKS, Plans, add_plans, await_plans, entries, is_fresh, told_of
from local.console.prompt import MARK, Marked, marked
from local.console.steering import VaultObject, choose
from local.environment import of_this_process
from local.patience import HANG
from local.running import Running, announced, read_running
from local.stand import Stand
from local.worlds.contoso import contoso
from tests.local.processes import until

ROOT = Path(__file__).parents[2]
KNOWN = [
    VaultObject("a", "shop", "certificates"),
    VaultObject("b", "Shop", "secrets"),
    VaultObject("b", "api", "secrets"),
]


def test_a_name_is_enough_where_it_is_unique() -> None:
    """A certificate is found by its name, or by `vault/name`, in upper or lower case."""
    assert choose("API", KNOWN) == choose("b/api", KNOWN) == KNOWN[2]
    assert choose("B/SHOP", KNOWN) == KNOWN[1]


def test_an_unknown_name_lists_what_exists() -> None:
    """The error for an unknown certificate lists every certificate."""
    with pytest.raises(Refused, match=r"no certificate 'x'.*\n  a/shop\n  b/Shop\n  b/api"):
        choose("x", KNOWN)


def test_an_ambiguous_name_lists_its_vaults() -> None:
    """The error for a name in two vaults names both."""
    with pytest.raises(Refused, match="say a/shop or b/Shop"):
        choose("shop", KNOWN)


def test_only_the_newest_plan_counts() -> None:
    """The newest plan of a certificate replaces the plan before. A plan in several events is one plan."""
    told = [
        {"event": "plan.computed", "certificate": "A"},
        {"event": "plan.listed", "certificate": "A", "rows": [1]},
        {"event": "plan.computed", "certificate": "a"},
        {"event": "plan.listed", "certificate": "a", "rows": [2]},
        {"event": "plan.computed", "certificate": "b"},
        {"event": "certificate.reconciled", "certificate": "b"},
        {"event": "plan.listed", "certificate": "a", "rows": [4]},
    ]
    plans: Plans = {}
    add_plans(plans, told)
    assert plans == {"a": [told[2], told[3], told[6]], "b": [told[4]]}


def planned(version: str) -> dict[str, object]:
    """Return the event of a plan for a version of the certificate kv/web."""
    at = "2026-11-30T11:42:08.000Z"
    return {"event": "plan.computed", "certificate": "kv/web", "version": version, LOGGED_AT: at}


NEWEST = {"version": "new", "thumbprint": "B2088BF355CB", "created": "2026-11-30T11:42:05+00:00"}


def test_a_plan_right_after_a_renewal_is_awaited() -> None:
    """`plan` waits for the plan of a version that has just come, and says once that it waits."""
    reads, said, pauses = [[planned("old")], [], [planned("new")], []], list[str](), list[float]()
    plans = await_plans(lambda: reads.pop(0), {"kv/web": NEWEST}, said.append, pauses.append)
    assert plans["kv/web"] == [planned("new")]
    assert (len(said), len(pauses), "kv/web" in said[0]) == (1, 2, True)


def test_the_wait_for_a_plan_ends() -> None:
    """`plan` shows the old plan if no plan for the newest version comes, after a bounded number of looks."""
    pauses = list[float]()
    reads = iter([[planned("old")]])
    plans = await_plans(lambda: next(reads, []), {"kv/web": NEWEST}, lambda _: None, pauses.append)
    assert (plans["kv/web"], len(pauses)) == ([planned("old")], LOOKS)


def test_a_plan_tells_its_version_and_its_age() -> None:
    """`plan` says for which version the plan is, when Certroll made it, and how long ago that was."""
    now = datetime(2026, 11, 30, 11, 42, 20, tzinfo=UTC)
    assert told_of([planned("new")], NEWEST, now) == "planned at 11:42:08, 12 s ago, for the newest version B2088BF3"
    assert "for an older version" in told_of([planned("old")], NEWEST, now)
    assert "5 min ago" in told_of([planned("new")], NEWEST, now + timedelta(minutes=5))
    assert is_fresh(NEWEST, now)
    assert not is_fresh(NEWEST, now + timedelta(minutes=2))


def test_a_plan_marks_its_rows() -> None:
    """`plan` says of each row whether Certroll will make the change, would make the change, or leaves it alone."""
    row = {"subject": "site shop", "reason": "StaleBinding"}
    waits = {"reason": "Probing", "detail": "waits for 1 site"}
    told = [
        planned("new"),
        {"event": "plan.listed", "list": "steps", "rows": [row]},
        {"event": "plan.listed", "list": "would", "rows": [{**row, "why": "ObserveMode", "waits": waits}]},
        {"event": "plan.listed", "list": "would", "rows": [{**row, "why": "ObserveMode", "waits": None}]},
        {"event": "plan.listed", "list": "skips", "rows": [{**row, "reason": "OptedOut", "detail": "a tag"}]},
    ]
    kept = "ObserveMode keeps Certroll from this step."
    assert entries(told) == [
        ("will do: StaleBinding", "site shop", ""),
        ("would do: StaleBinding", "site shop", f"{kept} The step would still wait: Probing. waits for 1 site"),
        ("would do: StaleBinding", "site shop", kept),
        ("left alone: OptedOut", "site shop", "a tag"),
    ]
    over = entries(told, is_over=True)
    assert (over[0][0], over[1:]) == ("was to do: StaleBinding", entries(told)[1:])


def test_a_plan_without_steps_tells_the_last_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While an app is rolled, `plan` shows what the last run of the certificate waits for."""
    ended = {"event": "certificate.reconciled", "certificate": "contoso-web-kv/Bank-Client", "outcome": "Waiting"}
    told = {"event": "plan.computed", "certificate": "contoso-web-kv/bank-client", "steps": 0, "would": 0, "skips": 0}
    with Stand(contoso()) as stand, announced(tmp_path / "local.json") as announce:
        version = stand.world.vaults["contoso-web-kv"].certificates["bank-client"].newest
        events = ({**told, "version": version.id}, {**ended, "reason": "Probing", "detail": "waits for 1 site"})
        log = tmp_path / "host.log"
        log.write_text("".join(f"2026-11-30T11:00:00.000Z INFO certroll: {json.dumps(event)}\n" for event in events))
        announce(Running({"LOCAL_CONTROL_URL": stand.control.url}, str(log)))
        stand.world.clock.advance(timedelta(hours=1))
        assert main(["plan", "--file", str(tmp_path / "local.json"), "bank-client"]) == 0
    shown = capsys.readouterr().out
    assert "the last run ended at 11:00:00: Waiting: Probing (waits for 1 site)" in shown


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Note a running local Azure with the fleet Contoso and the function app, and yield the note."""
    folder = tmp_path_factory.mktemp("steering")
    with announced(folder / "local.json") as announce, LocalApp("contoso", logs=folder) as local:
        assert local.host is not None
        announce(Running(local.environment(), str(local.host.log)))
        yield folder / "local.json"


def local(noted: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of `python -m local` as a process of its own, and return its end and its output."""
    command = [sys.executable, "-m", "local", arguments[0], "--file", str(noted), *arguments[1:]]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG, check=False)  # noqa: S603 - ours


def test_a_renewal_is_seen(noted: Path) -> None:
    """`renew` renews a certificate, `watch` shows what is served, and `plan` shows what Certroll planned."""
    renewed = local(noted, "renew", "api-contoso-com")
    thumbprint = renewed.stdout.partition("contoso-web-kv/api-contoso-com: ")[2][:8]
    assert (renewed.returncode, len(thumbprint)) == (0, 8)
    until(lambda: f"{thumbprint}  newest" in local(noted, "watch").stdout)
    assert "contoso-web-kv/api-contoso-com" in local(noted, "plan").stdout
    unknown = local(noted, "plan", "nothing")
    assert (unknown.returncode, "contoso-web-kv/api-contoso-com" in unknown.stderr) == (1, True)


def test_the_plan_after_a_renewal_is_for_the_new_version(noted: Path) -> None:
    """`plan` as the next line after a renewal shows why Certroll refuses the new version, as the tutorial does."""
    environment = read_running(noted).environment
    renewal = f"{environment['LOCAL_CONTROL_URL']}/vaults/contoso-web-kv/certificates/partners-contoso-com/renew"
    with build_opener(ProxyHandler({})).open(renewal, b'{"self_signed": true}', timeout=HANG) as answer:
        thumbprint = json.load(answer)["thumbprint"]
    plan = local(noted, "plan", "partners-contoso-com")
    assert plan.returncode == 0
    assert f"for the newest version {thumbprint[:8]}" in plan.stdout
    assert "NewestRefused: " in plan.stdout


def test_an_unknown_certificate_is_refused(noted: Path) -> None:
    """`renew` with an unknown name fails and lists the certificates of the vaults."""
    refused = local(noted, "renew", "nothing")
    assert refused.returncode == 1
    assert "contoso-web-kv/shop-contoso-com" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_sweep_tells_its_result(noted: Path) -> None:
    """`sweep` waits for the end of the sweep, and says how much the sweep has inspected."""
    swept = local(noted, "sweep")
    assert swept.returncode == 0
    assert "inspected 8 certificates and 20 sites" in " ".join(swept.stdout.split())


def test_a_shell_leaves_nothing_behind(noted: Path, tmp_path: Path) -> None:
    """`shell` gives its command the environment and a directory for az, passes on its exit code, and tidies up."""
    program = f"import json, os; json.dump(dict(os.environ), open({str(tmp_path / 'seen')!r}, 'w')); exit(3)"
    ended = local(noted, "shell", "--", sys.executable, "-c", program)
    seen = json.loads((tmp_path / "seen").read_text())
    assert ended.returncode == 3
    assert "LOCAL_CONTROL_URL" in seen
    assert "github.com" in seen["NO_PROXY"]
    assert seen["PATH"] == of_this_process()["PATH"]
    assert not Path(seen["AZURE_CONFIG_DIR"]).exists()


def test_a_shell_starts_where_no_command_is_given(noted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`shell` without a command opens the person's shell, and names SHELL if that program is missing."""
    program = tmp_path / "shell"
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o700)
    monkeypatch.setenv("SHELL", str(program))
    assert local(noted, "shell").returncode == 7
    monkeypatch.setenv("SHELL", str(tmp_path / "none"))
    missing = local(noted, "shell")
    assert (missing.returncode, missing.stderr) == (1, f"SHELL names no program: '{tmp_path / 'none'}'\n")


@pytest.mark.parametrize("name", ["bash", "sh", "dash"])
def test_the_prompt_is_marked(tmp_path: Path, name: str) -> None:
    """The prompt of an interactive shell says that Azure is local, before the prompt that the person has set."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"this machine has no {name}")
    (tmp_path / "folder").mkdir()
    for file in (".bashrc", "own"):
        (tmp_path / file).write_text("PS1='mine> '\n")
    own = {"HOME": str(tmp_path), "ENV": str(tmp_path / "own"), "PATH": of_this_process()["PATH"], "TERM": "dumb"}
    shell = marked(program, tmp_path / "folder", own)
    command = [*shell.command, "-i"]
    told = subprocess.run(  # noqa: S603 - a shell of this machine
        command, env=own | dict(shell.variables), input='echo "<$PS1>"\n', capture_output=True, text=True, check=True
    )
    assert f"<{MARK}mine> >" in told.stdout


def test_a_shell_of_zsh_reads_the_files_of_the_person(tmp_path: Path) -> None:
    """Zsh gets a directory whose files read the person's files first, and an unknown shell starts as it is."""
    zsh = marked("/bin/zsh", tmp_path, {"HOME": "/home/a b"})
    assert zsh.variables == {"ZDOTDIR": str(tmp_path)}
    first, second, third = (tmp_path / ".zshrc").read_text().splitlines()
    assert (first, third) == ("ZDOTDIR='/home/a b'", f"PROMPT='{MARK}'$PROMPT")
    assert second == '[ -r "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"'
    assert (tmp_path / ".zshenv").read_text().endswith(f"ZDOTDIR={tmp_path}\n")
    assert marked("/usr/bin/fish", tmp_path, {}) == Marked(("/usr/bin/fish",))


@pytest.mark.parametrize("words", [["echo $LOCAL_CONTROL_URL; exit 4"], ["-c", "echo $LOCAL_CONTROL_URL; exit 4"]])
def test_a_line_of_shell_needs_a_shell(noted: Path, words: list[str]) -> None:
    """`shell` with a line of shell instead of a program says, in one line, how to run that line, and that runs it."""
    refused = local(noted, "shell", *words)
    hint = refused.stderr.rpartition(": ")[2]
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert hint == f".venv/bin/python -m local shell --file {noted} bash -c 'echo $LOCAL_CONTROL_URL; exit 4'\n"
    ran = local(noted, "shell", *shlex.split(hint)[6:])
    assert (ran.returncode, ran.stdout.startswith("http://127.0.0.1:")) == (4, True)


def test_an_exit_code_of_a_missing_program_is_passed_on(noted: Path) -> None:
    """A shell that finds a program missing says so itself, and `shell` passes on its exit code 127."""
    ended = local(noted, "shell", "/bin/sh", "-c", "no-such-program-here")
    assert (ended.returncode, "cannot be started" in ended.stderr) == (127, False)


def test_commands_say_that_another_host_runs_the_app(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`sweep` and `plan` cannot ask a host that the local Azure did not start, and say so."""
    with announced(tmp_path / "local.json") as announce:
        announce(Running({"LOCAL_CONTROL_URL": "http://127.0.0.1:9"}, ""))
        for command in ("sweep", "plan"):
            assert main([command, "--file", str(tmp_path / "local.json")]) == 1
            assert "--no-app" in capsys.readouterr().err
        assert main(["renew", "--file", str(tmp_path / "local.json"), "shop"]) == 1
    assert "does not answer" in capsys.readouterr().err
