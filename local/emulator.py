"""Send requests for a storage account's host names to Azurite."""

import re
from collections.abc import Mapping

import urllib3

from local.azure.wire import Drop, Request, Response
from local.azurite import HOST, SERVICES, Azurite

CONNECTIONS = 64
OF_CONNECTION = frozenset(
    {"connection", "content-length", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}
)
"""The headers that are about one connection, and not about the request or the answer (RFC 9110, 7.6.1)."""
PART = re.compile(rb"^([A-Z]+ https://[^/\s]+/)", re.MULTILINE)
"""The start of each request inside a batch of a table."""


class Emulator:
    """The connections over which requests go to an Azurite that takes tokens.

    A request keeps its host name, from which Azurite takes the name of the account.
    """

    def __init__(self, azurite: Azurite) -> None:
        """Open no connection yet."""
        self._account = azurite.account.encode()
        trusted = azurite.trust["connection_verify"]
        self._pools = {
            service: urllib3.HTTPSConnectionPool(HOST, azurite.ports[service], maxsize=CONNECTIONS, ca_certs=trusted)
            for service in SERVICES
        }

    def send(self, service: str, request: Request) -> Response:
        """Return the answer of Azurite. Raise Drop, which closes the client's connection, if Azurite gives none."""
        target = f"{request.path}?{request.query_text}" if request.query_text else request.path
        try:
            answer = self._pools[service].request(
                request.method,
                target,
                body=self._body(request),
                headers={**_kept(request.headers), "host": request.host},
                retries=False,
                redirect=False,
                decode_content=False,
                assert_same_host=False,
            )
        except urllib3.exceptions.HTTPError as lost:
            raise Drop from lost
        headers, length = _kept(answer.headers), answer.headers.get("content-length")
        # An answer to HEAD has the length of a body that the answer lacks.
        if request.method == "HEAD" and length is not None:
            headers["Content-Length"] = length
        return Response(answer.status, headers, answer.data)

    def _body(self, request: Request) -> bytes:
        """Return the request's body, in which a batch names the account as Azurite needs it.

        Azurite 3.35 finds the table of a part by `/account/table` (BatchSerialization.extractPath), also if the host
        name has the account.
        """
        is_batch = request.path.endswith("/$batch")
        return PART.sub(rb"\1" + self._account + b"/", request.body) if is_batch else request.body

    def close(self) -> None:
        """Close every idle connection."""
        for pool in self._pools.values():
            pool.close()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in OF_CONNECTION}
