import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.app import LocalApp
from local.azure.wire import json_response
from local.command_line import COMMANDS, main
from local.console.client import ControlClient, tell_silence
from local.ending import Ended
from local.environment import of_this_process
from local.http_wire import converse
from local.instance import NOTED, command, logs_of, start
from local.listener import Connection, Listener
from local.patience import HANG
from local.process import Child
from local.running import NotRunning, Running
from local.setting_names import check_names
from local.up import check_settings
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
LOCAL = [sys.executable, "-m", "local"]


def test_up_and_env(tmp_path: Path) -> None:
    """`up` prints commands that reach it, also with a file of its own, and says where its log is.

    `env` prints how a program reaches the local Azure. Ctrl-C ends `up` with exit code 0.
    """
    noted = tmp_path / "local.json"
    command = [*LOCAL, "up", "--world", "contoso", "--port", "0", "--file", str(noted)]
    up = Child("up", command, of_this_process(), ROOT, tmp_path / "log")
    up.expect("^Running", HANG)
    up.expect(re.escape("host.log"), HANG)
    told = " ".join(up.tail().replace(" \\\n", " ").split())  # a long command goes on in the next line
    here = f"--file {noted}"
    for words in (f"local watch {here}", f"local renew {here} contoso-web-kv/", f"local shell {here}"):
        assert words in told
    assert f"The log of the function app is {tmp_path / 'local.logs' / 'host.log'}" in told
    env = subprocess.run([*LOCAL, "env", "--file", str(noted)], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    log = tmp_path / "local.logs" / "host.log"
    assert noted.stat().st_mode & 0o777 == log.stat().st_mode & 0o777 == 0o600
    os.kill(up.pid, signal.SIGINT)
    assert up.wait() == 0
    up.stop()
    assert {"HTTPS_PROXY", "IDENTITY_ENDPOINT", "AZURE_STORAGE_CONNECTION_STRING"} <= _names(env.stdout)
    key = next(line for line in env.stdout.splitlines() if "AccountKey" in line).partition("AccountKey=")[2][:20]
    assert key not in (tmp_path / "log").read_text(), "a key is printed only where somebody asks for it"
    assert not noted.exists()


def _names(exports: str) -> set[str]:
    return {line.removeprefix("export ").partition("=")[0] for line in exports.splitlines()}


@contextmanager
def noted_as_running(path: Path, environment: dict[str, str]) -> Iterator[None]:
    """Note a local Azure in the file, as `up` of another process does."""
    program = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from local.running import Running, announced\n"
        "with announced(Path(sys.argv[1])) as announce:\n"
        "    announce(Running(json.loads(sys.argv[2]), ''))\n"
        "    print('noted', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(path), json.dumps(environment)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603 - ours
        assert other.stdout is not None
        assert other.stdout.readline() == "noted\n"
        yield
        other.communicate("")


@pytest.mark.parametrize("command", [["env"], ["shell"], ["watch"], ["renew", "shop"], ["sweep"], ["plan"]])
def test_without_a_running_one(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    """Each command for a running local Azure names the missing file, and the command that starts a local Azure."""
    noted = tmp_path / "local.json"
    assert main([command[0], "--file", str(noted), *command[1:]]) == 1
    told = capsys.readouterr().err
    assert f"there is no file {noted}" in told
    assert f".venv/bin/python -m local up --file {noted}" in told


def test_the_usual_file_is_not_named() -> None:
    """A command for the local Azure of `make local` needs no `--file`, and a file with a blank is quoted."""
    assert command("renew shop") == ".venv/bin/python -m local renew shop"
    assert command("renew shop", Path("a b.json")) == ".venv/bin/python -m local renew --file 'a b.json' shop"
    assert start(NOTED) == "make local"


def test_env_after_a_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`env` reports that no local Azure is running if the process that noted itself is dead.

    Another process may have its process id by now.
    """
    noted = tmp_path / "local.json"
    noted.write_text(json.dumps({"pid": os.getpid(), "environment": {}, "app": {}, "log": ""}))
    assert main(["env", "--file", str(noted)]) == 1
    assert "no local Azure" in capsys.readouterr().err


def test_env_quotes_for_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shell that runs the output of `env` gets values with blanks and semicolons unchanged."""
    noted = tmp_path / "local.json"
    with noted_as_running(noted, {"A": "x; y 'z'"}):
        assert main(["env", "--file", str(noted)]) == 0
    script = f'{capsys.readouterr().out}\nprintf %s "$A"'
    shell = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert shell.stdout == "x; y 'z'"


def test_only_one_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second `up` is refused with the process id of the first `up`, and with the way to stop it."""
    noted = tmp_path / "local.json"
    with noted_as_running(noted, {}):
        assert main(["up", "--file", str(noted)]) == 1
        pid = json.loads(noted.read_text())["pid"]
    told = capsys.readouterr().err
    assert f"kill {pid}" in told
    assert "Ctrl-C" in told
    assert f"up --file {tmp_path / 'local-2.json'} --port 0" in told


def test_the_host_of_another_directory_is_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second `up` in another directory says that the first one's host has the port, and how to stop the host."""
    with LocalApp("empty", logs=tmp_path) as local:
        assert local.host is not None
        port = local.host.url.rpartition(":")[2]
        pid = local.host.pid
        assert main(["up", "--port", port, "--file", str(tmp_path / "local.json")]) == 1
    told = capsys.readouterr().err
    assert f"another local Azure has port {port}" in told
    assert f"kill {pid}" in told
    assert f"up --file {tmp_path / 'local.json'} --world contoso --port 0" in told


def test_a_port_of_another_program_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`up` on the port of another program prints a complete command that takes a free port."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["up", "--port", str(port), "--world", "empty", "--file", str(tmp_path / "local.json")]) == 1
    told = capsys.readouterr().err
    assert f"port {port} cannot be used (Address already in use): stop" in told
    assert f".venv/bin/python -m local up --file {tmp_path / 'local.json'} --world empty --port 0" in told


def test_an_unknown_world_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`up` with an unknown name of a simulated fleet starts nothing and prints the names of all simulated fleets."""
    assert main(["up", "--world", "nowhere", "--file", str(tmp_path / "local.json")]) == 1
    assert "contoso, empty, fabrikam, northwind" in capsys.readouterr().err


def test_a_setting_needs_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    """`up --setting` refuses a setting that has no value."""
    with pytest.raises(SystemExit):
        main(["up", "--setting", "CERTROLL_MODE"])
    assert "NAME=VALUE" in capsys.readouterr().err


def test_way_of_events_is_one_of_two(capsys: pytest.CaptureFixture[str]) -> None:
    """`up --events` takes the two ways in which Event Grid delivers events to Certroll, and refuses any other word."""
    with pytest.raises(SystemExit):
        main(["up", "--events", "pigeon"])
    told = capsys.readouterr().err
    assert [way for way in ("queue", "webhook", "pigeon") if way not in told] == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("FOO", "Certroll has no setting FOO. docs/reference/settings.md lists the settings."),
        ("CERTROLL_MOD", "Certroll has no setting CERTROLL_MOD. Do you mean CERTROLL_MODE?"),
    ],
)
def test_an_unknown_setting_is_refused(capsys: pytest.CaptureFixture[str], name: str, told: str) -> None:
    """`up --setting` refuses a setting that neither Certroll nor the Functions host reads, and proposes a near name."""
    with pytest.raises(SystemExit):
        main(["up", "--setting", f"{name}=bar"])
    assert told in " ".join(capsys.readouterr().err.split())


def test_every_setting_of_certroll_and_of_the_host_is_known() -> None:
    """`up --setting` knows each setting of the class Settings, and passes on the settings of the Functions host."""
    check_names(str(field.alias) for field in Settings.model_fields.values())
    check_names(["AzureFunctionsJobHost__extensions__queues__batchSize", "PYTHON_THREADPOOL_THREAD_COUNT"])


def test_settings_reach_the_app(tmp_path: Path) -> None:
    """A setting given to `up` reaches an app in another host, and overrides the app's default setting.

    `env` has the settings and the identity of the app. A shell has the identity of the operator, and no setting.
    """
    noted = tmp_path / "local.json"
    given = ["--setting", "CERTROLL_MODE=observe", "--setting", "CERTROLL_ASE_MAX_UNAVAILABLE=25%"]
    command = [*LOCAL, "up", "--world", "empty", "--no-app", "--file", str(noted), *given]
    up = Child("up", command, of_this_process(), ROOT, tmp_path / "log")
    up.expect("^Running", HANG)
    env = subprocess.run([*LOCAL, "env", "--file", str(noted)], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    person = _printed(noted, "printenv")
    os.kill(up.pid, signal.SIGINT)
    assert up.wait() == 0
    up.stop()
    assert "export CERTROLL_MODE=observe" in env.stdout
    assert "export CERTROLL_ASE_MAX_UNAVAILABLE=25%" in env.stdout
    identity = next(line for line in person if line.startswith("IDENTITY_HEADER="))
    assert f"export {identity}" not in env.stdout.splitlines()
    assert not [line for line in person if line.startswith("CERTROLL_")]


def _printed(noted: Path, *words: str) -> list[str]:
    """Return the lines that a program prints in the shell of the local Azure."""
    command = [*LOCAL, "shell", "--file", str(noted), "--", *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return ended.stdout.splitlines()


NAMED = [["up"], ["env"], ["shell"], ["watch"], ["renew", "shop"], ["sweep"], ["plan"]]
"""The commands that take `--file`."""


@pytest.mark.parametrize("command", NAMED)
@pytest.mark.parametrize(
    "content", [b"", b"buy milk\n", b"\xff\x00", b"[1]", b'{"pid": 1, "name": "my own"}', b'{"pid": "x"}', b"[" * 9999]
)
def test_a_file_of_a_person_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], content: bytes
) -> None:
    """No command with `--file` changes a file that is no note of a local Azure, or proposes to start with that file."""
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    assert main([command[0], "--file", str(file), *command[1:]]) == 1
    assert capsys.readouterr().err == f"{file} is no note of a local Azure; name another file\n"
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [content]


@pytest.mark.parametrize("command", NAMED)
@pytest.mark.parametrize("place", ["", "pipe", "file/x.json", "/proc/x.json", "/dev/null", "n" * 300])
def test_an_impossible_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], place: str
) -> None:
    """Each command with `--file` refuses a directory, a pipe, a device, and a place where no file can be.

    A place without a file is told to the commands that only read the file.
    """
    (tmp_path / "file").write_text("a file")
    os.mkfifo(tmp_path / "pipe")
    assert main([command[0], "--file", str(tmp_path / place), *command[1:]]) == 1
    told = capsys.readouterr().err
    assert str(tmp_path / place) in told
    missing = place == "/proc/x.json" and command != ["up"]
    assert ("there is no file" if missing else "name another file") in told
    assert told.count("\n") == 1


def test_a_note_that_was_replaced_stays(tmp_path: Path) -> None:
    """The end of a local Azure removes its own note, and leaves a file that a person has put in that place."""
    noted = tmp_path / "local.json"
    with noted_as_running(noted, {}):
        noted.unlink()
        noted.write_text("mine")
    assert noted.read_text() == "mine"


def test_each_note_has_its_own_logs() -> None:
    """Local Azures whose notes differ in the ending of the name write to different directories."""
    names = ("local.json", "local.txt", "a.b.json")
    assert [logs_of(Path(name)).name for name in names] == ["local.logs", "local.txt.logs", "a.b.logs"]


@pytest.mark.parametrize("port", ["99999", "65536", "-1", "x", "²", ""])
def test_an_impossible_port_is_told(capsys: pytest.CaptureFixture[str], port: str) -> None:
    """`up --port` refuses what is no port before anything starts."""
    with pytest.raises(SystemExit):
        main(["up", f"--port={port}"])
    assert f"{port!r} is no port" in capsys.readouterr().err


def test_an_empty_file_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`--file ''` is refused before anything starts."""
    with pytest.raises(SystemExit):
        main(["up", "--file", ""])
    assert "the name of the file is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["plan"], "\nEnded.\n"),
        (["sweep"], "\nEnded.\n"),
        (["renew", "shop"], "\nEnded.\n"),
        (["up", "--no-app"], "\nEnded. Nothing of the local Azure runs any more.\n"),
        (["demo"], "\nEnded. Nothing of the local Azure runs any more.\n"),
    ],
)
def test_only_what_started_all_says_that_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], told: str
) -> None:
    """Ctrl-C in a command for a running local Azure claims nothing about that local Azure."""

    def end(_: object) -> int:
        raise Ended(signal.SIGINT)

    monkeypatch.setattr(f"local.command_line._{command[0]}", end)
    assert main(command) == 130
    assert capsys.readouterr().err == told


def test_no_command_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m local` without a command lists every command, and ends as a wrong command line does."""
    assert main([]) == 2
    told = capsys.readouterr().err
    listed = [line.split()[0] for line in told.splitlines() if re.match(r" {4}[a-z]", line)]
    assert listed == list(COMMANDS)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("wach", "There is no command 'wach'. Do you mean watch?\n"),
        ("xyz", f"There is no command 'xyz'. There are {', '.join(COMMANDS)}.\n"),
        ("", f"There is no command ''. There are {', '.join(COMMANDS)}.\n"),
    ],
)
def test_a_misspelt_command_is_guessed(capsys: pytest.CaptureFixture[str], word: str, told: str) -> None:
    """A misspelt command gets the nearest command, and a word that is like no command gets all of them."""
    assert main([word]) == 2
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("words", [["renew", "shop"], ["plan"], ["watch"]])
@pytest.mark.parametrize("has_ended", [True, False])
def test_a_local_azure_that_ends_meanwhile_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    *,
    has_ended: bool,
) -> None:
    """A command whose local Azure ends meanwhile says so, with the command that starts a local Azure.

    While the local Azure still holds its note, the command says only that there is no answer.
    """
    noted = tmp_path / "local.json"
    running = Running({"LOCAL_CONTROL_URL": "http://127.0.0.1:9"}, str(tmp_path / "log"), noted)
    monkeypatch.setattr("local.command_line.read_running", lambda _: running)
    with contextlib.nullcontext() if has_ended else noted_as_running(noted, {}):
        assert main([words[0], "--file", str(noted), *words[1:]]) == 1
    told = capsys.readouterr().err
    ended = f"the local Azure has ended; start: .venv/bin/python -m local up --file {noted}\n"
    assert (told == ended) is has_ended
    assert ("does not answer" in told) is not has_ended


def test_a_silent_local_azure_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that waits for a suspended local Azure says so while it waits, and says nothing after an answer."""
    told = threading.Event()

    def tell() -> None:
        tell_silence()
        told.set()

    def serve(connection: Connection) -> None:
        assert told.wait(HANG)
        with connection.socket.makefile("rb") as stream:
            converse(stream, connection.socket.sendall, lambda _: json_response(200, {"now": "x"}))

    monkeypatch.setattr("local.console.client.tell_silence", tell)
    monkeypatch.setattr("local.console.client.SILENT_FOR", 0.01)
    with Listener(serve, "silent") as listener:
        url = f"http://127.0.0.1:{listener.listen()}"
        assert ControlClient(Running({"LOCAL_CONTROL_URL": url}, "")).get("/clock") == {"now": "x"}
        assert "If it is suspended, type `fg` in its terminal." in capsys.readouterr().err
        monkeypatch.setattr("local.console.client.SILENT_FOR", HANG)
        ControlClient(Running({"LOCAL_CONTROL_URL": url}, "")).get("/clock")
    assert capsys.readouterr().err == ""


def test_a_python_that_does_not_start_is_told(tmp_path: Path) -> None:
    """`make setup` with a Python that does not start, such as a shim of pyenv, says so in one sentence."""
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o700)
    command = ["make", "-s", "test-hosted", f"PYTHON={shim}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert ended.returncode != 0
    (told, *_) = ended.stderr.splitlines()
    assert told.startswith(f"{shim} does not start, so nothing was tested. If it is a shim of pyenv")
    assert not (ROOT / "build" / f"hosted-{shim.name}").exists()


def test_up_refuses_what_the_function_app_refuses() -> None:
    """`up` ends with the function app's own words about bad settings, so that no sweep fails without a reason."""
    good = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "CERTROLL_VAULTS": "contoso-web-kv"}
    bad = {
        "CERTROLL_FREEZE": "next week",
        "CERTROLL_SCOPE": "some",
        "CERTROLL_MODE": "dry",
        "CERTROLL_DELETE_GRACE": "soon",
        "CERTROLL_VAULTS": "a vault",
    }
    check_settings(good)
    with pytest.raises(NotRunning, match=r"^the function app refuses its settings: ") as refused:
        check_settings(good | bad)
    assert [name for name in bad if f"{name}: " not in str(refused.value)] == []
