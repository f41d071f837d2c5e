"""Mark each request to Azure with the run that sends it, and note the ids that Azure gives to writes.

Azure's Activity Log lists each write under the correlation id and the request id of Azure's answer. Whether ARM keeps
the correlation id of a client is not documented: Terraform's provider sends one (terraform-provider-azurerm, pull
request 3253), and ARM's contract for resource providers reserves the header. So Certroll sends the id of the run, and
notes the ids of the answer.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

from shared.domain.writes import AzureWrite
from shared.telemetry import event
from shared.version import VERSION

AGENT = f"certroll/{VERSION}"
"""The first word of the User-Agent of each request."""
CORRELATION, REQUEST = "x-ms-correlation-request-id", "x-ms-request-id"


class _OfThread(threading.local):
    """What the present thread sends."""

    run: str = ""
    """The run whose call the thread makes, empty outside of a run."""
    writing: bool = False
    """True while the thread makes a call that writes."""
    writes: list[AzureWrite] | None = None
    """The list that gets the writes of the thread, or None if nobody asked for them."""


_of_thread = _OfThread()


class RunTrace:
    """The ids of one run."""

    def __init__(self, run: str) -> None:
        self.run = run

    @contextmanager
    def writes(self) -> Iterator[list[AzureWrite]]:
        """Collect each write that the present thread sends while the context lasts."""
        before, _of_thread.writes = _of_thread.writes, []
        try:
            yield _of_thread.writes
        finally:
            _of_thread.writes = before

    @contextmanager
    def calling(self, *, writing: bool) -> Iterator[None]:
        """Mark the requests that the present thread sends while the context lasts as requests of this run."""
        before = _of_thread.run, _of_thread.writing
        _of_thread.run, _of_thread.writing = self.run, writing
        try:
            yield
        finally:
            _of_thread.run, _of_thread.writing = before


class TracingPolicy(SansIOHTTPPolicy[Any, Any]):
    """The step of an SDK's pipeline that sends the id of the run, and notes the ids of Azure's answers to writes.

    The SDK clients share this step, so it has no state and no successor of its own.
    """

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Add the id of the run to the request."""
        if _of_thread.run:
            request.http_request.headers[CORRELATION] = _of_thread.run

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """If the request writes, log the write with the ids of Azure's answer."""
        _note(request, response)

    def on_exception(self, request: PipelineRequest[Any]) -> None:
        """If the request writes, log a write without an answer, which Azure may have done."""
        _note(request, None)


def _note(request: PipelineRequest[Any], answer: PipelineResponse[Any, Any] | None) -> None:
    """Log a write with its ids, and add the write to the list of the present thread."""
    if not _of_thread.writing:
        return
    headers = answer.http_response.headers if answer is not None else {}
    write = AzureWrite(
        method=request.http_request.method,
        path=urlsplit(request.http_request.url).path,
        status=answer.http_response.status_code if answer is not None else None,
        correlation=headers.get(CORRELATION) or _of_thread.run,
        request=headers.get(REQUEST, ""),
    )
    if _of_thread.writes is not None:
        _of_thread.writes.append(write)
    event(
        "azure.written",
        method=write.method,
        path=write.path,
        status=write.status,
        correlation=write.correlation,
        request=write.request,
    )
