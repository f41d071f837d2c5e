"""Send plain requests to Azure, and record the requests of Certroll's clients.

Set-up and removal use plain requests, because the product's clients make and delete no plans, vaults or sites.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.pipeline import Pipeline
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest, HttpResponse

ARM = "https://management.azure.com"
VAULT_SCOPE = "https://vault.azure.net/.default"
GONE = frozenset({404, 204})
REFUSED = 400

Json = Any
Sdk = Any
"""A request or an answer of azure-core, which has two classes for each."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a client, and Azure's answer. The text form shows neither bodies nor tokens."""

    method: str
    path: str
    answer: Sdk

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return int(self.answer.status_code)

    @property
    def headers(self) -> Json:
        """The headers of the answer."""
        return self.answer.headers

    def json(self) -> Json:
        """Return the body of the answer as JSON."""
        return self.answer.json() if hasattr(self.answer, "json") else None

    def __repr__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


class Recorder(HttpTransport[Any, Any]):
    """A transport that passes requests on, and remembers each request with its answer."""

    def __init__(self, inner: HttpTransport[Any, Any]) -> None:
        self.inner = inner
        self.exchanges: list[Exchange] = []

    def send(self, request: Sdk, **options: Sdk) -> Sdk:
        """Send the request by the transport inside, and record it."""
        answer = self.inner.send(request, **options)
        self.exchanges.append(Exchange(request.method, urlsplit(request.url).path, answer))
        return answer

    @contextmanager
    def recorded(self) -> Iterator[list[Exchange]]:
        """Yield a list that has all exchanges of the block after the block has ended."""
        found: list[Exchange] = []
        start = len(self.exchanges)
        try:
            yield found
        finally:
            found.extend(self.exchanges[start:])

    def open(self) -> None:
        """Open the transport inside."""
        self.inner.open()

    def close(self) -> None:
        """Keep the transport inside open, because several clients share the transport."""

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """Azure's answer to a plain request."""

    status: int
    json: Json
    headers: Json


class Refusal(Exception):
    """Azure refused a plain request of the set-up or of the removal."""

    def __init__(self, what: str, answer: Answer) -> None:
        error = (answer.json or {}).get("error", answer.json) or {}
        named = {str(key).lower(): value for key, value in error.items()}
        super().__init__(f"{what}: {answer.status} {named.get('code', '')} {named.get('message', '')}".strip())
        self.status = answer.status


class Sender:
    """Sends plain requests with a token for one service of Azure."""

    def __init__(
        self, credential: TokenCredential, transport: HttpTransport[Any, Any], scope: str, retries: int = 0
    ) -> None:
        """Take a token of this scope. `retries` is how often a failed request is sent again."""
        policies = [RetryPolicy(retry_total=retries), BearerTokenCredentialPolicy(credential, scope)]
        self._client: PipelineClient[Any, Any] = PipelineClient(ARM, pipeline=Pipeline(transport, policies))

    def send(self, method: str, url: str, body: object = None) -> Answer:
        """Send a request, and return Azure's answer, whatever its status is. A `url` without a host goes to ARM."""
        url = f"{ARM}{url}" if url.startswith("/") else url
        answer: HttpResponse = self._client.send_request(HttpRequest(method, url, json=body))
        return Answer(answer.status_code, answer.json() if answer.text().strip() else None, answer.headers)

    def expect(self, method: str, url: str, body: object = None) -> Json:
        """Send a request, and return the JSON of Azure's answer. Raise Refusal if the status is 400 or above."""
        answer = self.send(method, url, body)
        if answer.status >= REFUSED:
            raise Refusal(f"{method} {url.partition('?')[0]}", answer)
        return answer.json
