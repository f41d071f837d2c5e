"""Send requests to the control port and to the Functions host of a local Azure that runs in another process."""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from local.patience import HANG
from local.running import NotRunning, Running

LOOK_EVERY = 0.1
ANSWER_WITHIN = 60.0
SILENT_FOR = 5.0
"""The seconds without an answer after which a person is told why a command waits."""
Ended = dict[tuple[str, bool], int]
"""The number of runs that have ended, by function and by success or failure."""


class Refused(Exception):
    """The local Azure refuses a request. The message of `Refused` is the answer of the local Azure."""


class NoAnswer(NotRunning):
    """A part of the local Azure does not answer. A local Azure that has ended is one cause."""


class ControlClient:
    """A client of the control port."""

    def __init__(self, running: Running) -> None:
        self._url = running.environment["LOCAL_CONTROL_URL"]

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Return the JSON of the answer to a GET."""
        return json.loads(_ask(f"{self._url}{path}"))

    def post(self, path: str, wanted: object) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Return the JSON of the answer to a POST. Raise Refused with the control port's reason."""
        return json.loads(_ask(f"{self._url}{path}", json.dumps(wanted).encode()))


class HostClient:
    """A client of the admin routes of a Functions host, at a URL, with the host's master key."""

    def __init__(self, url: str, master_key: str) -> None:
        self._url = url
        self._headers = {"x-functions-key": master_key}

    def run(self, function: str) -> None:
        """Start a function now, as `POST /admin/functions/{name}` does in Azure."""
        _ask(f"{self._url}/admin/functions/{function}", b'{"input": ""}', self._headers)

    def ended(self) -> Ended:
        """Return how many runs of each function have ended."""
        ended = json.loads(_ask(f"{self._url}/admin/host/status", headers=self._headers))["ended"]
        return {(row["function"], row["succeeded"]): row["count"] for row in ended}

    def await_end(self, function: str, before: Ended) -> bool:
        """Wait for the next run of the function to end, and return True if the run succeeded."""
        good, bad = (function, True), (function, False)
        give_up = time.monotonic() + HANG
        while time.monotonic() < give_up:
            after = self.ended()
            if after.get(good, 0) > before.get(good, 0) or after.get(bad, 0) > before.get(bad, 0):
                return after.get(bad, 0) == before.get(bad, 0)
            threading.Event().wait(LOOK_EVERY)
        return False


def host_client(running: Running) -> HostClient:
    """Return the client of the running Functions host. Raise NotRunning if another host runs the app."""
    variables = running.environment
    if "LOCAL_FUNCTIONS_URL" not in variables:
        raise NotRunning("this local Azure was started with --no-app: ask the host that runs the app")
    return HostClient(variables["LOCAL_FUNCTIONS_URL"], variables["LOCAL_FUNCTIONS_MASTER_KEY"])


def _ask(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
    sent = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, body, sent)  # noqa: S310 - a loopback address of the local Azure
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    silence = threading.Timer(SILENT_FOR, tell_silence)
    silence.daemon = True
    silence.start()
    try:
        with opener.open(request, timeout=ANSWER_WITHIN) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as refusal:
        raise Refused(_reason(refusal.read(), refusal.code)) from refusal
    except OSError as gone:
        raise NoAnswer(f"the local Azure does not answer at {url}: its terminal says whether it is suspended") from gone
    finally:
        silence.cancel()


def tell_silence() -> None:
    """Tell the person who waits for an answer what the cause may be."""
    print(
        f"The local Azure has not answered for {SILENT_FOR:.0f} s. If it is suspended, type `fg` in its terminal.",
        file=sys.stderr,
    )


def _reason(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return f"{status} {body.decode(errors='replace')}"


def answers(url: str) -> bool:
    """Return True if a program answers at the URL, also if the program refuses the request."""
    try:
        _ask(url)
    except Refused:
        return True
    except NotRunning:
        return False
    return True
