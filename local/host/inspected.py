"""`python -m local.host.inspected --app DIR` makes the calls of an inspection.

The parent process, in `local.host.inspection`, writes the calls as JSON to standard input.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from local.host.functions import Datum, FunctionMetadata, TriggerInput
from local.host.inspection import ANSWER
from local.host.worker import IndexingFailed, Worker
from local.patience import HANG


def _answer(app: Path, calls: Sequence[dict[str, Any]]) -> dict[str, Any]:
    try:
        worker = Worker(app)
    except IndexingFailed as problem:
        return {"error": str(problem)}
    by_name = {function.name: function for function in worker.functions}
    outcomes = [worker.run(_invoke(worker, by_name[call["function"]], call["trigger"])).result() for call in calls]
    worker.close()
    return {"functions": [asdict(found) for found in worker.functions], "outcomes": outcomes}


async def _invoke(worker: Worker, function: FunctionMetadata, trigger: dict[str, Any]) -> dict[str, Any]:
    metadata = {name: Datum(**datum) for name, datum in trigger["metadata"].items()}
    value = TriggerInput(Datum(**trigger["value"]), metadata)
    outcome = await asyncio.wait_for(worker.invoke("inspection", function, value), HANG)
    return {
        "succeeded": outcome.succeeded,
        "returned": _plain(outcome.returned),
        "outputs": [(name, _plain(datum)) for name, datum in outcome.outputs],
        "error": outcome.error,
        "trace": outcome.trace,
    }


def _plain(datum: Datum | None) -> dict[str, object] | None:
    return None if datum is None else {"value": datum.value, "type": datum.type}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--app", type=Path, required=True)
    print(ANSWER + json.dumps(_answer(parser.parse_args().app, json.load(sys.stdin))), flush=True)
