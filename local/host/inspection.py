"""Index a function app with Microsoft's runtime, and call its functions.

An inspection indexes the function app and calls its functions in a child process. The trigger tests need neither
listeners nor storage, because an inspection returns the outputs that the runtime hands to the host.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local import environment
from local.host.functions import Datum, FunctionMetadata, Outcome, TriggerInput
from local.host.supervisor import ROOT, WORKER_SETTINGS
from local.host.worker import IndexingFailed
from local.patience import HANG

ANSWER = "INSPECTION "
CHILD = "local.host.inspected"


@dataclass(frozen=True, slots=True)
class Call:
    """An invocation to make: the name of the function, and the trigger value."""

    function: str
    trigger: TriggerInput


@dataclass(frozen=True, slots=True)
class Inspection:
    """The functions of an inspected function app, and the outcomes of the inspection's calls in call order."""

    functions: Mapping[str, FunctionMetadata]
    outcomes: tuple[Outcome, ...]


def index(app: Path, settings: Mapping[str, str]) -> Mapping[str, FunctionMetadata]:
    """Return the functions of an app by name, as Microsoft's runtime indexes them.

    Raise IndexingFailed with the runtime's message if the runtime refuses the app.
    """
    return inspect(app, settings, ()).functions


def inspect(app: Path, settings: Mapping[str, str], calls: Sequence[Call]) -> Inspection:
    """Index the app in a new process, and make the calls in turn.

    The environment variables of the new process are `settings`.
    """
    result = subprocess.run(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", CHILD, "--app", str(app.resolve())],
        input=json.dumps([asdict(call) for call in calls]),
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        cwd=app,
        env=environment.for_child({**WORKER_SETTINGS, **settings, "PYTHONPATH": str(ROOT)}),
    )
    line = next((line for line in reversed(result.stdout.splitlines()) if line.startswith(ANSWER)), None)
    if line is None:
        raise IndexingFailed(f"the runtime ended with {result.returncode}: {result.stderr[-2000:]}")
    answer = json.loads(line.removeprefix(ANSWER))
    if "error" in answer:
        raise IndexingFailed(answer["error"])
    functions = {found["name"]: FunctionMetadata(**found) for found in answer["functions"]}
    return Inspection(functions, tuple(_outcome(raw) for raw in answer["outcomes"]))


def _outcome(raw: dict[str, Any]) -> Outcome:
    outputs = tuple((name, Datum(**datum)) for name, datum in raw["outputs"])
    returned = Datum(**raw["returned"]) if raw["returned"] else None
    return Outcome(raw["succeeded"], returned, outputs, raw["error"], raw["trace"])
