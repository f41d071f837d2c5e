"""Where the contract runs: the local Azure, or a resource group of a real subscription."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest
from azure.core.credentials import TokenCredential

from local.azure.scripting.knobs import Knobs
from shared.ports import Ports
from shared.ports.clock import Clock
from tests.contract.wire import ARM, Recorder, Sender

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Seen(Generic[Result]):
    """What a poll saw in the end, after how many polls and seconds."""

    value: Result
    polls: int
    seconds: float

    def lasted(self, pause: float) -> Callable[[object], bool]:
        """Return a function that returns True for seconds between the last two polls."""
        return lambda seconds: isinstance(seconds, float) and self.seconds - pause < seconds <= self.seconds

    def __str__(self) -> str:
        return f"after {self.polls} reads, {self.seconds:.0f} s"


Waited = Callable[[str, Seen[Any]], None]
"""The function by which a test says how long Azure took to show something."""
Verdict = Callable[..., None]
"""The function by which a test says what Azure does at a knob."""


@dataclass(frozen=True, slots=True)
class Place:
    """A resource group in a subscription, with the clients that reach it."""

    subscription: str
    group: str
    location: str
    tenant: str
    person: str
    """The object id of the identity that runs the suite."""
    app_service: str
    """The object id of App Service in the tenant, which reads the vault."""
    ports: Ports
    arm: Sender
    vaults: Sender
    recorder: Recorder
    clock: Clock
    domain: str | None = None
    environment: str | None = None
    """The resource id of an App Service Environment, or None."""
    order: str | None = None
    """The resource id of a certificate order, or None."""
    knobs: Knobs | None = None
    """The knobs of the simulated Azure; None for a real subscription."""
    publish: Callable[[str, str], None] = lambda _host, _target: None
    """Make a CNAME record. In a real subscription a person has made the records."""
    pause: float = 15.0
    """The seconds between two polls."""
    polls: int = 40
    """The most polls that the suite waits for something."""

    @property
    def group_id(self) -> str:
        """The resource id of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    @property
    def is_live(self) -> bool:
        """True if the place is a real subscription."""
        return self.knobs is None

    def until(self, what: str, look: Callable[[], Result], good: Callable[[Result], bool]) -> Seen[Result]:
        """Poll by `look` until `good` accepts its result, and return this result. Fail after the most polls."""
        seen = self.watch(look, good)
        if seen is None:
            pytest.fail(f"{what}: not within {self.polls} reads, {self.polls * self.pause:.0f} s")
        return seen

    def watch(
        self, look: Callable[[], Result], good: Callable[[Result], bool], polls: int | None = None
    ) -> Seen[Result] | None:
        """Poll by `look` until `good` accepts its result, and return this result, or None after the most polls."""
        start = self.clock.now()
        for poll in range(1, (polls or self.polls) + 1):
            value = look()
            if good(value):
                return Seen(value, poll, (self.clock.now() - start).total_seconds())
            self.clock.sleep(self.pause)
        return None


def equal_to(wanted: object) -> Callable[[object], bool]:
    """Return a function that returns True for a value that equals `wanted`."""
    return lambda seen: seen == wanted


def claims(credential: TokenCredential) -> dict[str, str]:
    """Return the claims of the identity's own token for ARM. The token itself goes nowhere else."""
    middle = credential.get_token(f"{ARM}/.default").token.split(".")[1]
    found: dict[str, str] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found
