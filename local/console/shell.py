"""Open a shell whose programs reach the local Azure, and leave nothing behind."""

import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from local import environment
from local.console.prompt import marked
from local.ending import Ended
from local.process import tied
from local.running import NotRunning, Running

FALLBACK = "/bin/sh"
SIGNALLED = 128
"""What shells add to the number of the signal that ended a command."""


def shell(running: Running, command: Sequence[str]) -> int:
    """Run the command, or else an interactive shell, with the environment of the local Azure. Return its exit code.

    Raise NotRunning if the command is no program. The az CLI keeps sign-ins in AZURE_CONFIG_DIR. The shell has its own
    directory for sign-ins, which goes when the shell ends.
    """
    own = environment.of_this_process()
    given = list(command[1:] if command[:1] == ["--"] else command)
    wanted = given or [own.get("SHELL", FALLBACK)]
    if shutil.which(wanted[0]) is None:
        raise NotRunning(_no_program(running, wanted) if given else f"SHELL names no program: {wanted[0]!r}")
    if not given:
        print("In this shell `az` and Azure's host names lead to the local Azure. `exit` leaves it.", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="certroll-shell-") as folder:
        variables = own | dict(running.environment) | {"AZURE_CONFIG_DIR": folder, "AZURE_CORE_COLLECT_TELEMETRY": "no"}
        if given:
            return _run(wanted, variables)
        shell = marked(wanted[0], Path(folder), own)
        return _run(list(shell.command), variables | dict(shell.variables))


def line_for_a_shell(running: Running, line: str) -> str:
    """Return the command with which a person runs a line of shell in the environment of the local Azure."""
    return running.command(f"shell bash -c {shlex.quote(line)}")


def _no_program(running: Running, command: Sequence[str]) -> str:
    line = command[0] if len(command) == 1 else shlex.join(command)
    return f"there is no program {command[0]!r}. To run a line of shell: {line_for_a_shell(running, line)}"


def _run(command: list[str], variables: dict[str, str]) -> int:
    """Run the command in this terminal. Only the command gets Ctrl-C; SIGTERM and SIGHUP end it and this process."""
    # A handler, unlike SIG_IGN, is not inherited by the command.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    process = subprocess.Popen(tied(command), env=variables)  # noqa: S603 - what the person asks for, no shell in between
    try:
        code = process.wait()
    except Ended:
        process.send_signal(signal.SIGHUP)  # An interactive shell ignores SIGTERM.
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else SIGNALLED - code
