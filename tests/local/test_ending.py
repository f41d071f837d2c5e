"""These tests end a local Azure in every way that a person or a system does, and look for what is left."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.environment import of_this_process
from local.patience import HANG
from local.process import Child
from tests.local.processes import await_end, await_none, marked, until

ROOT = Path(__file__).parents[2]
UP = [sys.executable, "-m", "local", "up", "--world", "empty", "--port", "0", "--file"]


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    """Let SIGHUP end the programs of the tests. Under `nohup` they would inherit that the tests ignore the signal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def start(folder: Path, command: list[str] | None = None) -> tuple[subprocess.Popen[str], str]:
    """Start `up`, or another command, and return the process, and a marker of all processes that it starts."""
    marker = str(folder / "marker")
    Path(marker).mkdir()
    process = subprocess.Popen(  # noqa: S603 - ours
        command or [*UP, str(folder / "local.json")],
        cwd=ROOT,
        env=of_this_process() | {"TMPDIR": marker},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return process, marker


def until_said(process: "subprocess.Popen[str]", words: str) -> None:
    """Read the output of the process until a line has the words."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if words in line:
            return
    pytest.fail("".join(said))


def rest_of(process: "subprocess.Popen[str]") -> str:
    """Return the rest of the output, after the end of the process."""
    return process.communicate(timeout=HANG)[0]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGHUP, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -9)]
)
def test_nothing_outlives_a_running_one(tmp_path: Path, number: int, code: int) -> None:
    """Ctrl-C, SIGHUP, SIGTERM and `kill -9` of `up` leave no Azurite and no Functions host."""
    process, marker = start(tmp_path)
    until_said(process, "Running.")
    until(lambda: len(marked(marker)) == 4)  # up, Azurite, the Functions host and its worker
    os.kill(process.pid, number)
    assert "Traceback" not in rest_of(process)
    assert process.returncode == code
    await_none(marker)
    assert number == signal.SIGKILL or not list(Path(marker).iterdir()), "no temporary file is left"


def test_nothing_outlives_an_interrupted_start(tmp_path: Path) -> None:
    """Ctrl-C while the local Azure starts ends `up` at once, without a traceback and without a process."""
    process, marker = start(tmp_path)
    until(lambda: len(marked(marker)) > 1)
    os.kill(process.pid, signal.SIGINT)
    said = rest_of(process)
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in said
    assert "Nothing of the local Azure runs any more" in said
    await_none(marker)


def test_nothing_outlives_an_interrupted_stop(tmp_path: Path) -> None:
    """A second Ctrl-C while `up` waits for the app ends everything at once, without a traceback."""
    process, marker = start(tmp_path)
    until_said(process, "Running.")
    children = marked(marker) - {process.pid}
    for pid in children:
        os.kill(pid, signal.SIGSTOP)  # A stopped process does not follow SIGTERM, so that `up` has to wait.
    os.kill(process.pid, signal.SIGINT)
    until_said(process, "Stopping.")
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    assert "Traceback" not in rest_of(process)
    await_none(marker)


def test_the_demo_ends_at_once(tmp_path: Path) -> None:
    """Ctrl-C ends the demo in the middle of its renewals, without a traceback and without a process."""
    process, marker = start(tmp_path, [sys.executable, "-m", "local", "demo"])
    until_said(process, "Renewed")
    for pid in marked(marker) - {process.pid}:
        os.kill(
            pid, signal.SIGSTOP
        )  # A stopped process does not follow SIGTERM, so that the demo must not wait for it.
    os.kill(process.pid, signal.SIGINT)
    assert "Traceback" not in rest_of(process)
    assert process.returncode == 128 + signal.SIGINT
    await_none(marker)


def test_up_follows_its_parent(tmp_path: Path) -> None:
    """`up` ends when the program that started it is killed, as when `make` dies."""
    script = f"{' '.join([*UP, str(tmp_path / 'local.json')])} & wait"
    process, marker = start(tmp_path, ["/bin/sh", "-c", script])
    until_said(process, "Running.")
    os.kill(process.pid, signal.SIGKILL)
    rest_of(process)
    await_none(marker)


def test_nohup_outlives_its_parent(tmp_path: Path) -> None:
    """Under `nohup`, `up` goes on when its terminal and its parent are gone, and ends by SIGTERM."""
    script = f"nohup {' '.join([*UP, str(tmp_path / 'local.json')])} & echo $!; wait"
    process, marker = start(tmp_path, ["/bin/sh", "-c", script])
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    try:
        until_said(process, "Running.")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        os.kill(pid, signal.SIGHUP)
        env = [sys.executable, "-m", "local", "env", "--file", str(tmp_path / "local.json")]
        subprocess.run(env, cwd=ROOT, check=True)  # noqa: S603 - ours
        until(lambda: len(marked(marker)) == 4)
        os.kill(pid, signal.SIGTERM)
        await_end(pid)
        await_none(marker)
        process.stdout.close()
    finally:  # a failed test leaves no process either
        for left in marked(marker):
            os.kill(left, signal.SIGKILL)


def test_a_program_takes_its_own_children_along(tmp_path: Path) -> None:
    """A stopped program leaves none of the processes that it has started itself."""
    marker = str(tmp_path / "marker")
    script = "sleep 10000 & echo ready; wait"
    child = Child("sh", ["/bin/sh", "-c", script], {"PATH": "/bin:/usr/bin", "X": marker}, tmp_path, tmp_path / "log")
    child.expect("ready", HANG)
    until(lambda: len(marked(marker)) == 2)
    child.stop()
    await_none(marker)


def test_a_program_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    """A program goes on when the thread that started it ends, although the kernel's signal follows threads."""
    started: list[Child] = []

    def start_it() -> None:
        command = ["/bin/sh", "-c", "echo ready; read line < fifo; echo alive"]
        started.append(Child("sh", command, {"PATH": "/bin:/usr/bin"}, tmp_path, tmp_path / "log"))

    os.mkfifo(tmp_path / "fifo")
    thread = threading.Thread(target=start_it)
    thread.start()
    thread.join()
    (child,) = started
    child.expect("ready", HANG)
    (tmp_path / "fifo").write_text("go\n")
    child.expect("alive", HANG)
    assert child.wait() == 0
    child.stop()


def test_logs_are_for_their_owner_alone(tmp_path: Path) -> None:
    """The log of a program is readable only by its owner, whatever the umask is."""
    before = os.umask(0)
    try:
        child = Child("sh", ["/bin/sh", "-c", "echo key"], {}, tmp_path, tmp_path / "log")
        child.wait()
        child.stop()
    finally:
        os.umask(before)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_program_that_cannot_start_is_named(tmp_path: Path) -> None:
    """The log says which program is missing."""
    child = Child("none", [str(tmp_path / "none")], {}, tmp_path, tmp_path / "log")
    assert child.wait() == 127
    child.stop()
    assert f"{tmp_path / 'none'} cannot be started" in (tmp_path / "log").read_text()
