"""Load Microsoft's Python worker into this process, to index an app and run its functions.

`azure-functions-runtime` keeps its registry in module globals, so a process can hold only one app. The runtime's wire
types are protobuf classes that come with the .NET host. Indexing fills a few wire types, which this module replaces by
plain attribute bags. Invocations use the runtime's entry without protobuf, `native_invocation`.
"""

import asyncio
import importlib
import json
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

from local.host.functions import FunctionMetadata, Outcome, TriggerInput

T = TypeVar("T")


class IndexingFailed(Exception):
    """Microsoft's runtime refuses the app. The message of `IndexingFailed` is the message of Microsoft's runtime."""


class _Bag:
    """An object with any attributes, in place of a protobuf message."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


class _StatusResult(_Bag):
    Failure = 0
    Success = 1


class _BindingInfo(_Bag):
    undefined = 0
    out = 1
    inout = 2  # codespell:ignore inout


def _protos() -> SimpleNamespace:
    bags = (
        "WorkerInitResponse",
        "WorkerMetadata",
        "FunctionMetadataResponse",
        "RpcFunctionMetadata",
        "RpcRetryOptions",
        "RpcException",
    )
    return SimpleNamespace(StatusResult=_StatusResult, BindingInfo=_BindingInfo, **dict.fromkeys(bags, _Bag))


class _Runtime(Protocol):
    """The types of the part of `azure_functions_runtime` that this Functions host uses."""

    def start_threadpool_executor(self) -> None: ...
    def worker_init_request(self, request: object) -> Coroutine[Any, Any, Any]: ...
    def functions_metadata_request(self, request: object) -> Coroutine[Any, Any, Any]: ...


class Worker:
    """An indexed function app, whose functions can be invoked from any thread."""

    def __init__(self, app: Path) -> None:
        """Index the app. Raise IndexingFailed with the runtime's message if the runtime refuses the app."""
        self._runtime: _Runtime = importlib.import_module("azure_functions_runtime")
        self._native: Any = importlib.import_module("azure_functions_runtime.native_invocation")
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="worker loop", daemon=True)
        self._thread.start()
        sys.path.insert(0, str(app))
        self._runtime.start_threadpool_executor()
        self.functions: tuple[FunctionMetadata, ...] = self.run(self._index(app)).result()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start the coroutine on the worker's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    async def invoke(self, invocation_id: str, function: FunctionMetadata, trigger: TriggerInput) -> Outcome:
        """Run the function, and return the outcome with the error that the function raised."""
        inputs = [(str(function.trigger["name"]), trigger.value)]
        ok, returned, outputs, error, trace = await self._native.invocation_request_native(
            invocation_id, function.function_id, inputs, dict(trigger.metadata)
        )
        return Outcome(ok, returned, tuple(outputs), error or "", trace or "")

    def close(self) -> None:
        """End the worker's loop. Invocations that still run end with the process of the Functions host."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=5)

    async def _index(self, app: Path) -> tuple[FunctionMetadata, ...]:
        init = SimpleNamespace(capabilities={}, function_app_directory=str(app))
        request = SimpleNamespace(
            request=SimpleNamespace(worker_init_request=init), properties={"host": "127.0.0.1", "protos": _protos()}
        )
        response = await self._runtime.worker_init_request(request)
        if response.result.status != _StatusResult.Success:
            raise IndexingFailed(response.result.exception.message)
        listed = await self._runtime.functions_metadata_request(request)
        if listed.function_metadata_results is None:
            raise IndexingFailed(f"no functions found in {app}: function_app.py is missing or declares none")
        return tuple(_metadata(found) for found in listed.function_metadata_results)


def _metadata(found: Any) -> FunctionMetadata:  # noqa: ANN401 - the runtime's own, untyped
    return FunctionMetadata(found.name, found.function_id, tuple(json.loads(raw) for raw in found.raw_bindings))
