import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.command_line import main
from local.environment import of_this_process
from local.patience import HANG
from local.process import Child

ROOT = Path(__file__).parents[2]


def test_up_and_env(tmp_path: Path) -> None:
    """`up` and `env` print the same environment variables, and Ctrl-C ends `up` with exit code 0."""
    noted = tmp_path / "local.json"
    local = [sys.executable, "-m", "local"]
    up = Child(
        "up",
        [*local, "up", "--world", "empty", "--port", "0", "--file", str(noted)],
        of_this_process(),
        ROOT,
        tmp_path / "log",
    )
    up.expect("^Running", HANG)
    env = subprocess.run([*local, "env", "--file", str(noted)], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    os.kill(up.pid, signal.SIGINT)
    assert up.wait() == 0
    up.stop()
    printed = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("export ")]
    assert printed == env.stdout.splitlines()
    assert {"HTTPS_PROXY", "IDENTITY_ENDPOINT", "AZURE_STORAGE_CONNECTION_STRING"} <= _names(env.stdout)
    assert not noted.exists()


def _names(exports: str) -> set[str]:
    return {line.removeprefix("export ").partition("=")[0] for line in exports.splitlines()}


def test_env_without_a_running_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`env` names the command `make local` if no local Azure is running."""
    assert main(["env", "--file", str(tmp_path / "local.json")]) == 1
    assert "make local" in capsys.readouterr().err


def test_env_after_a_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`env` reports that no local Azure is running if the recorded process no longer exists."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    noted = tmp_path / "local.json"
    noted.write_text(json.dumps({"pid": gone.pid, "environment": {}}))
    assert main(["env", "--file", str(noted)]) == 1
    assert "no local Azure" in capsys.readouterr().err


def test_env_quotes_for_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shell that runs the output of `env` gets values with blanks and semicolons unchanged."""
    noted = tmp_path / "local.json"
    noted.write_text(json.dumps({"pid": os.getpid(), "environment": {"A": "x; y 'z'"}}))
    assert main(["env", "--file", str(noted)]) == 0
    script = f'{capsys.readouterr().out}\nprintf %s "$A"'
    shell = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert shell.stdout == "x; y 'z'"


def test_only_one_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second `up` is refused with a message that names the process id of the first `up`."""
    noted = tmp_path / "local.json"
    noted.write_text(json.dumps({"pid": os.getpid(), "environment": {}}))
    assert main(["up", "--file", str(noted)]) == 1
    assert str(os.getpid()) in capsys.readouterr().err


def test_an_unknown_world_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`up` with an unknown name of a simulated fleet starts nothing and prints the names of all simulated fleets."""
    assert main(["up", "--world", "nowhere", "--file", str(tmp_path / "local.json")]) == 1
    assert "contoso, empty, fabrikam, northwind" in capsys.readouterr().err


def test_a_setting_needs_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    """`up --setting` refuses a setting that has no value."""
    with pytest.raises(SystemExit):
        main(["up", "--setting", "CERTROLL_MODE"])
    assert "NAME=VALUE" in capsys.readouterr().err


def test_settings_reach_the_app(tmp_path: Path) -> None:
    """A setting given to `up` on the command line reaches the app, and overrides the app's default setting."""
    noted = tmp_path / "local.json"
    given = ["--setting", "CERTROLL_MODE=observe", "--setting", "CERTROLL_ASE_MAX_UNAVAILABLE=25%"]
    command = [sys.executable, "-m", "local", "up", "--world", "empty", "--no-app", "--file", str(noted), *given]
    up = Child("up", command, of_this_process(), ROOT, tmp_path / "log")
    up.expect("^Running", HANG)
    os.kill(up.pid, signal.SIGINT)
    assert up.wait() == 0
    up.stop()
    printed = (tmp_path / "log").read_text()
    assert "export CERTROLL_MODE=observe" in printed
    assert "export CERTROLL_ASE_MAX_UNAVAILABLE=25%" in printed
