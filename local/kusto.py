"""Install Microsoft's own analyser of Kusto queries from its lock file, and ask it what is wrong with queries.

The analyser is the one of Azure's portal (npm, @kusto/language-service-next). It knows syntax, columns and types, and
runs no query.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import environment
from local.azurite import NEXT_STEP, NotInstalled, find_node, install_from_lock
from local.patience import HANG

FOLDER = Path(__file__).parent / "kusto"
SCRIPT = FOLDER / "node_modules" / "@kusto" / "language-service-next" / "Kusto.Language.Bridge.min.js"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the analyser says about one query."""

    problems: tuple[str, ...]
    columns: Mapping[str, str]
    """The columns of the result, each with its type."""


def install() -> None:
    """Install the analyser into node_modules, unless it is there."""
    install_from_lock(FOLDER, SCRIPT)


def analyse(tables: Mapping[str, Mapping[str, str]], queries: Sequence[str]) -> tuple[Analysis, ...]:
    """Return what the analyser says about each query on the tables, which have the given columns with their types.

    Raise NotInstalled if the analyser is missing.
    """
    if not SCRIPT.is_file():
        raise NotInstalled(f"the analyser of Kusto queries is not installed ({SCRIPT} is missing): {NEXT_STEP}")
    schemas = {
        table: f"({', '.join(f'{column}: {kind}' for column, kind in columns.items())})"
        for table, columns in tables.items()
    }
    result = subprocess.run(  # noqa: S603 - our own script, no shell
        [find_node().program, str(FOLDER / "analyse.js")],
        input=json.dumps({"tables": schemas, "queries": list(queries)}),
        capture_output=True,
        text=True,
        timeout=HANG,
        check=True,
        env=environment.for_child({}),
    )
    return tuple(Analysis(tuple(found["problems"]), found["columns"]) for found in json.loads(result.stdout))
