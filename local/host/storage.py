"""Read and write storage queues: connections, message encoding and output bindings."""

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient

from local.host.configuration import Encoding, resolve
from local.host.connections import DEFAULT_CONNECTION, Connection, connection_of
from local.host.functions import Datum, FunctionMetadata, Outcome


class Undecodable(Exception):
    """A queue message is not in the encoding that host.json names."""


class Unbindable(Exception):
    """A queue message is base64 of bytes that are no UTF-8, so the Functions host cannot call the function."""


class Queues:
    """The queues that the app's bindings name."""

    def __init__(self, settings: Mapping[str, str], encoding: Encoding) -> None:
        self._settings = settings
        self._encoding = encoding
        self._service = cache(Connection.queues)
        self.written: Callable[[str], None] = lambda _: None
        """Call this function with the name of each queue to which an output binding has written."""

    def named(self, binding: Mapping[str, object], suffix: str = "") -> QueueClient:
        """Return the client of a binding's queue. `named` does not create the queue in storage."""
        name = resolve(str(binding["queueName"]), self._settings).lower() + suffix
        connection = connection_of(self._settings, str(binding.get("connection") or DEFAULT_CONNECTION))
        return self._service(connection).get_queue_client(name)

    def decode(self, content: str) -> str:
        """Return the decoded text of a queue message. The .NET host ignores blanks inside base64."""
        if self._encoding == "none":
            return content
        try:
            return base64.b64decode("".join(content.split()), validate=True).decode()
        except UnicodeDecodeError as problem:
            raise Unbindable(f"not UTF-8: {problem}") from problem
        except ValueError as problem:
            raise Undecodable(f"not base64: {problem}") from problem

    def encode(self, text: str) -> str:
        """Return the text in the encoding of the queue."""
        return text if self._encoding == "none" else base64.b64encode(text.encode()).decode()

    def write_outputs(self, function: FunctionMetadata, outcome: Outcome) -> None:
        """Write every queue output of the invocation, and create each missing queue."""
        bindings = {str(binding["name"]): binding for binding in function.outputs}
        for name, datum in outcome.outputs_with_return:
            if bindings[name]["type"] != "queue":
                continue  # The Functions host returns an HTTP output to the caller of the function.
            queue = self.named(bindings[name])
            create(queue)
            for text in _texts(datum):
                queue.send_message(self.encode(text))
            self.written(queue.queue_name)


def create(queue: QueueClient) -> None:
    """Create the queue if it is missing."""
    try:
        queue.create_queue()
    except ResourceExistsError:  # The SDK raises ResourceExistsError even for a queue with equal metadata.
        return


def _texts(datum: Datum) -> list[str]:
    if datum.type == "bytes":
        return [datum.value.decode()]
    if datum.type != "json":
        return [str(datum.value)]
    loaded = json.loads(datum.value)
    items = loaded if isinstance(loaded, list) else [loaded]
    return [item if isinstance(item, str) else json.dumps(item) for item in items]
