"""Mark the prompt of a shell in which Azure's host names lead to the local Azure."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.process import open_private

MARK = "(local Azure) "
"""What stands before the prompt: `az` in this shell reaches no real Azure."""
OF_BASH = """\
[ -r /etc/bash.bashrc ] && . /etc/bash.bashrc
[ -r ~/.bashrc ] && . ~/.bashrc
PS1={mark}$PS1
"""
"""The file that bash reads instead of its usual files."""
OF_ZSH = """\
ZDOTDIR={home}
[ -r "$ZDOTDIR/{name}" ] && . "$ZDOTDIR/{name}"
"""
OF_SH = """\
[ -r {before} ] && . {before}
PS1={mark}$PS1
"""


@dataclass(frozen=True, slots=True)
class Marked:
    """A shell with a marked prompt."""

    command: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables that the shell needs besides its usual environment."""


def marked(shell: str, folder: Path, own: Mapping[str, str]) -> Marked:
    """Return the shell with a mark in its prompt, by files in the folder. The files of the person are read as usual.

    `own` is the environment of the person. A shell that this function does not know has no mark.
    """
    mark = shlex.quote(MARK)
    match Path(shell).name:
        case "bash":
            _write(folder / "bashrc", OF_BASH.format(mark=mark))
            return Marked((shell, "--rcfile", str(folder / "bashrc")))
        case "zsh":
            home = own.get("ZDOTDIR") or own.get("HOME", "")
            _write(folder / ".zshenv", _zsh(".zshenv", home) + f"ZDOTDIR={shlex.quote(str(folder))}\n")
            _write(folder / ".zshrc", _zsh(".zshrc", home) + f"PROMPT={mark}$PROMPT\n")
            return Marked((shell,), {"ZDOTDIR": str(folder)})
        case "sh" | "dash" | "ksh":
            _write(folder / "shrc", OF_SH.format(before=shlex.quote(own.get("ENV", "")), mark=mark))
            return Marked((shell,), {"ENV": str(folder / "shrc")})
    return Marked((shell,))


def _zsh(name: str, home: str) -> str:
    return OF_ZSH.format(home=shlex.quote(home), name=name)


def _write(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8", opener=open_private) as file:
        file.write(text)
