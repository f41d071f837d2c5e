"""Let a run of Certroll read from an Azure whose answers show what is left of its limits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from local.azure.wire import Request, Response
from shared.clients.pace import Asked, Pace
from shared.clients.retrying import SDK_OPTIONS, Retrying
from shared.domain.deadline import NEVER, Deadline
from tests.build import ManualClock
from tests.in_process import in_process

ARM = "https://management.azure.com"
ONE, OTHER = (f"0000000{number}-0000-4000-8000-00000000000a" for number in (1, 2))
WEB = f"{ARM}/subscriptions/{ONE}/resourceGroups/g/providers/Microsoft.Web"
SHOP = Asked.of("GET", f"{WEB}/sites/shop")
READS = "x-ms-ratelimit-remaining-subscription-reads"
OWN = "x-ms-ratelimit-remaining-subscription-resource-requests"
ROUTED = "x-ms-routing-request-id"
SECOND = timedelta(seconds=1)


class Wire:
    """A run of Certroll that reads from an Azure whose next answers the test gives."""

    def __init__(
        self, *answers: tuple[int, Mapping[str, str]], pace: Pace | None = None, deadline: Deadline = NEVER, **how: bool
    ) -> None:
        self.clock, self.sent, self.answers = ManualClock(), list[str](), list(answers)
        self.retrying = Retrying(self.clock, pace=pace, deadline=deadline, **how)
        options: dict[str, Any] = {**SDK_OPTIONS, "transport": in_process(self.answer)}
        self.client: PipelineClient[Any, Any] = PipelineClient(ARM, **options)

    def answer(self, request: Request) -> Response:
        """Return the next answer, and the last one again and again."""
        self.sent.append(request.path)
        status, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(status, headers)

    def ask(self, url: str = f"{WEB}/sites/shop", method: str = "GET") -> int:
        """Send a request, and return the status of its answer. Raise an error for a refusal."""
        answer = self.client.send_request(HttpRequest(method, url))
        if answer.status_code >= 400:
            raise HttpResponseError(response=answer)  # type: ignore[arg-type]
        return answer.status_code

    def read(self, url: str = f"{WEB}/sites/shop") -> int:
        """Read by the retry layer."""
        return self.retrying.read("it", lambda: self.ask(url))

    def wait(self) -> float:
        """Return the seconds that the next read waits."""
        before = self.clock.now()
        self.read()
        return (self.clock.now() - before).total_seconds()


def left(tokens: object, name: str = READS, **more: str) -> tuple[int, dict[str, str]]:
    """Return a good answer that shows what is left in a bucket."""
    return 200, {name: str(tokens), **more}


def refusal(seconds: int, **headers: str) -> tuple[int, dict[str, str]]:
    """Return the refusal of a throttled request."""
    return 429, {"Retry-After": str(seconds), **headers}
