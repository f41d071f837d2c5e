"""A program `az` that answers as az did when it was recorded: a script of a shell, because a test calls it often."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Recording = Mapping[str, Mapping[str, Any]]
"""The commands of az without `az`, each with the fields `code` and `answer`.

The field `later` has the code and the answer from the second call on.
"""
HEAD = """#!/bin/sh
calls=$(dirname "$0")/calls.txt
asked() { grep -qxF -e "$1" "$calls"; }
touch "$calls"
case "$*" in
"""
TAIL = """*) end=3 ;;
esac
printf '%s\\n' "$*" >>"$calls"
exit $end
"""


def write_az(folder: Path, recording: Recording) -> Path:
    """Write the program `az` into the folder, and return the file in which it notes its calls.

    An unknown command fails, as in Azure.
    """
    branches = "".join(f"{shlex.quote(command)})\n{_branch(found)} ;;\n" for command, found in recording.items())
    (folder / "az").write_text(f"{HEAD}{branches}{TAIL}", encoding="utf-8")
    (folder / "az").chmod(0o755)
    return folder / "calls.txt"


def _branch(found: Mapping[str, Any]) -> str:
    later = found.get("later")
    if later is None or later == {"code": found["code"], "answer": found["answer"]}:
        return _answer(found)
    return f'if asked "$*"; then {_answer(later)}; else {_answer(found)}; fi'


def _answer(found: Mapping[str, Any]) -> str:
    return f"end={found['code']}; printf %s {shlex.quote(found['answer'])}"
