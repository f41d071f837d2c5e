"""Ask DNS by dnspython: the resolvers of the machine, or the servers that the operator's settings name."""

from collections.abc import Callable
from copy import copy
from functools import cached_property
from math import inf

import dns.exception
import dns.nameserver
import dns.resolver

from shared.domain.endpoints import DnsServer
from shared.domain.errors import OutOfTime
from shared.domain.managed.dns import DnsAnswer, RecordKind, Seen

LIFETIME_SECONDS = 6.0
"""How long one DNS question may take over all name servers and tries. A sweep asks several questions per host name."""
TRY_SECONDS = LIFETIME_SECONDS / 3
"""How long one name server may take, so that three tries fit into `LIFETIME_SECONDS`."""


class Dns:
    """The client that asks DNS. If the name servers fail, the DNS answer has no records and states the cause."""

    def __init__(self, servers: tuple[DnsServer, ...] = (), lifetime: float = LIFETIME_SECONDS) -> None:
        """Store the DNS servers to ask, and the time-out in seconds.

        If the settings name no DNS servers, Certroll asks the machine's resolvers.
        """
        self._servers = servers
        self._lifetime = lifetime
        self._seconds_left: Callable[[], float] = lambda: inf

    def until(self, seconds_left: Callable[[], float]) -> "Dns":
        """Return the same client for a run, whose questions take no longer than `seconds_left` returns."""
        client = copy(self)
        client._seconds_left = seconds_left  # noqa: SLF001 - a copy of this object
        return client

    def ask(self, name: str, kind: RecordKind) -> DnsAnswer:
        """Return the DNS records of a name.

        If the name servers fail, this function returns an answer with the cause. If an answer over UDP is cut short,
        dnspython asks again over TCP. Raise OutOfTime if the run has no time left, or if the run ends during the
        question. Such a question says nothing about the name servers.
        """
        left = self._seconds_left()
        lifetime = min(self._lifetime, left)
        try:
            found = self._resolver.resolve(f"{name}.", kind, raise_on_no_answer=False, search=False, lifetime=lifetime)
        except dns.resolver.NXDOMAIN:
            return DnsAnswer(name, kind, Seen.NO_NAME)
        except (dns.exception.DNSException, OSError) as error:
            if isinstance(error, dns.exception.Timeout) and left < self._lifetime:
                raise OutOfTime(f"the time of this run ended during a DNS question about {name}") from error
            return DnsAnswer(name, kind, Seen.NOTHING, detail=f"{type(error).__name__}: {error}"[:200])
        if not found.rrset:
            return DnsAnswer(name, kind, Seen.NO_RECORDS)
        records = tuple(sorted(record.to_text().removesuffix(".") for record in found.rrset))
        return DnsAnswer(name, kind, Seen.RECORDS, records)

    @cached_property
    def _resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [
                dns.nameserver.Do53Nameserver(server.address, server.port) for server in self._servers
            ]
        resolver.timeout, resolver.lifetime = min(TRY_SECONDS, self._lifetime), self._lifetime
        return resolver
