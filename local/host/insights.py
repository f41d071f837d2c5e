"""Write what a Functions host sends to Application Insights into a file, one row of a table as JSON on each line.

The rows have the columns of the tables `requests`, `traces` and `exceptions` that queries and alerts of Certroll read
(Azure docs, "Application Insights workspace-based resource schema"). `success` is a text there. If a function of Python
fails, its error is in the column `innermostMessage` (azure-functions-host, issues 9435 and 11157).
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local.process import PRIVATE

INFORMATION, WARNING, ERROR, CRITICAL = 1, 2, 3, 4
"""The values of `severityLevel`."""
NO_FUNCTIONS = (
    "No job functions found. Try making your job classes and methods public. If you're using binding extensions (e.g. "
    "Azure Storage, ServiceBus, Timers, etc.) make sure you've called the registration method for the extension(s) in "
    "your startup code (e.g. builder.AddAzureStorage(), builder.AddServiceBus(), builder.AddTimers(), etc.)."
)
"""What the host of Azure logs about an app that it cannot index (measured on Azure Functions host 4.1037)."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """The invocation to which a row belongs."""

    id: str
    function: str


class Insights:
    """The file of rows. Several processes may write the same file, because each row is one write."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        """Write rows to the end of the file, with the time of `now`. Only the owner of the file may read it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.now = now
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)

    def trace(self, message: str, level: int, category: str, of: Invocation | None = None) -> None:
        """Write a row of the table `traces`."""
        self._write("traces", self.now(), category, of, message=message, severityLevel=level, itemType="trace")

    def ended(self, of: Invocation, began: datetime, error: str | None, trace: str = "") -> None:
        """Write a row of the table `requests` for an invocation, and a row of `exceptions` if the function failed."""
        milliseconds = (self.now() - began).total_seconds() * 1000
        result = {"success": str(error is None), "resultCode": "0", "duration": milliseconds}
        self._write("requests", began, "Host.Results", of, name=of.function, id=of.id, itemType="request", **result)
        if error is not None:
            inner = f"Result: Failure\nException: {error}\nStack: {trace}"
            self._write(
                "exceptions",
                self.now(),
                "Host.Results",
                of,
                type="Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException",
                outerType="Microsoft.Azure.WebJobs.Host.FunctionInvocationException",
                outerMessage=f"Exception while executing function: Functions.{of.function}",
                innermostType="Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException",
                innermostMessage=inner,
                severityLevel=ERROR,
                itemType="exception",
            )

    def _write(self, table: str, at: datetime, category: str, of: Invocation | None, **columns: object) -> None:
        operation = {"operation_Id": of.id, "operation_Name": of.function} if of else {}
        row: dict[str, object] = {"table": table, "timestamp": at.isoformat(), **columns, **operation}
        row["customDimensions"] = {"Category": category, **({"InvocationId": of.id} if of else {})}
        os.write(self._file, f"{json.dumps(row, default=str)}\n".encode())


class TraceHandler(logging.Handler):
    """A log handler that writes each line that passes its filters as a row of the table `traces`."""

    def __init__(self, insights: Insights, present: Callable[[], Invocation | None]) -> None:
        """Write to the file. `present` returns the invocation of the present thread."""
        super().__init__()
        self._insights = insights
        self._present = present

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, with the category that the host of Azure gives to a line of the app or of the host."""
        of = self._present()
        category = f"Function.{of.function}.User" if of else "Host.General"
        self._insights.trace(record.getMessage(), _severity(record.levelno), category, of)


def _severity(level: int) -> int:
    known = {logging.CRITICAL: CRITICAL, logging.ERROR: ERROR, logging.WARNING: WARNING}
    return next((severity for bound, severity in known.items() if level >= bound), INFORMATION)
