"""Run a command that the kernel kills when the process that started the command dies.

`python -I -S tied.py PID COMMAND …` replaces itself by the command, so that the command keeps the process id. PID is
the process that must live. Only Linux has the parent-death signal (prctl(2), PR_SET_PDEATHSIG). On other systems the
command outlives a parent that dies by SIGKILL, and the next `make local` names what still runs.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127


def main(parent: int, command: list[str]) -> int:
    """Replace this process by the command. Return only if the parent is dead, or if the command cannot start."""
    if sys.platform == "linux":
        # The parent-death signal survives execve(2). The kernel sends the signal when the *thread* that made this
        # process ends, so `Child` makes its process in a thread that waits for the process.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return NOT_STARTED
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is ours
    except OSError as problem:
        print(f"{command[0]} cannot be started: {problem}", file=sys.stderr)
    return NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
