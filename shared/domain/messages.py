"""The messages of Certroll's work queues, with their JSON form.

Anybody who may write to the storage account can send a message, so Certroll checks the form of each message. The text
of MessageInvalid reaches logs and findings, so it names fields and quotes nothing that a person may have typed.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from shared.domain.errors import MessageInvalid
from shared.domain.names import (
    EnvironmentRef,
    ObjectKind,
    SiteRef,
    VaultCertificateRef,
    parse_subscription,
    parse_vault_name,
)
from shared.domain.sweeps import Job

VERSION = 1
"""The version of the message format."""
COMPLIANCE: Final = "compliance"
"""The part of the messages by which the compliance sweep goes on. It is no part of the hourly sweep."""
MOST_WAITS = 20
"""How often in a row a message may wait."""
_LONGEST_BODY = 4096
_MARK = re.compile(r"[0-9a-f]{16}-[0-9]{1,18}")
_MARKS = frozenset({"after", "mark"})
"""The fields of a certificate message that say when Certroll asked for its run."""


class Cause(StrEnum):
    """Why Certroll starts a run for a vault certificate."""

    EVENT = "event"
    SWEEP = "sweep"
    MANUAL = "manual"
    WAIT = "wait"
    """A pause of the run before is over. That run had sent its sites their messages."""
    CUT_OFF = "cut_off"
    """The time of the run before was over. That run may have recorded sites without sending them messages."""


def _fields(body: str, expected: frozenset[str], optional: frozenset[str] = frozenset()) -> dict[str, object]:
    if len(body) > _LONGEST_BODY:
        raise MessageInvalid(f"the message has {len(body)} characters; at most {_LONGEST_BODY} are expected")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MessageInvalid(f"the message is not JSON: {error}") from error
    if not isinstance(fields, dict) or fields.get("v") != VERSION:
        raise MessageInvalid(f"the message is not an object with v={VERSION}")
    if missing := expected - set(fields):
        raise MessageInvalid(f"the message lacks {', '.join(sorted(missing))}")
    if set(fields) - expected - optional:
        raise MessageInvalid(f"the message has a field besides {', '.join(sorted(expected | optional))}")
    return fields


def _text(fields: dict[str, object], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise MessageInvalid(f"{name} is not a text")
    return value


def _waits(fields: dict[str, object]) -> int:
    waits = fields["waits"]
    if not isinstance(waits, int) or isinstance(waits, bool) or not 0 <= waits <= MOST_WAITS:
        raise MessageInvalid(f"waits is not a number from 0 to {MOST_WAITS}")
    return waits


def _after(fields: dict[str, object]) -> int | None:
    after = fields.get("after", 0)
    if not isinstance(after, int) or isinstance(after, bool) or after < 0:
        raise MessageInvalid("after is not the number of an inspection")
    return after if "after" in fields else None


def _mark(fields: dict[str, object]) -> str | None:
    if "mark" not in fields:
        return None
    mark = _text(fields, "mark")
    if _MARK.fullmatch(mark) is None:
        raise MessageInvalid("mark is not the mark of a moment")
    return mark


def _moment(fields: dict[str, object], name: str) -> datetime | None:
    if name not in fields:
        return None
    with _refusing(f"{name} is not a time with a time zone"):
        moment = datetime.fromisoformat(_text(fields, name))
        if moment.tzinfo is None:
            raise ValueError
        return moment


def _ref(fields: dict[str, object]) -> VaultCertificateRef:
    vault, kind, name = (_text(fields, field) for field in ("vault", "kind", "name"))
    with _refusing("vault is not the name of a key vault"):
        parse_vault_name(vault)
    with _refusing(f"kind is not one of {', '.join(ObjectKind)}"):
        ObjectKind(kind)
    with _refusing("name is not the name of a vault object"):
        return VaultCertificateRef.parse(vault, kind, name)


@contextmanager
def _refusing(problem: str) -> Iterator[None]:
    """Raise MessageInvalid with the given text in place of an error that quotes the wrong value."""
    try:
        yield
    except ValueError:
        raise MessageInvalid(problem) from None


@dataclass(frozen=True, slots=True)
class CertificateMessage:
    """A queue message that starts a run of Certroll for a vault certificate."""

    ref: VaultCertificateRef
    cause: Cause
    waits: int = 0
    """How often the message has waited in a row."""
    after: int | None = None
    """The number of the last inspection that had begun before the message. Without a number the run always inspects."""
    mark: str | None = None
    """The mark of the moment of the message, by which its run may use what other runs have read since (ADR 67)."""

    @classmethod
    def parse(cls, body: str) -> Self:
        """Return the certificate message in a JSON body.

        Raise MessageInvalid with the problem if the body of the queue message is malformed.
        """
        fields = _fields(body, frozenset({"v", "vault", "kind", "name", "cause", "waits"}), _MARKS)
        ref, text, waits, after = _ref(fields), _text(fields, "cause"), _waits(fields), _after(fields)
        with _refusing(f"cause is not one of {', '.join(Cause)}"):
            return cls(ref, Cause(text), waits, after, _mark(fields))

    def next_wait(self, *, progress: bool = False) -> Self | None:
        """Return the queue message for the next run, or None if MOST_WAITS runs in a row waited without progress.

        If no queue message for the certificate follows, the hourly sweep starts the next run.
        """
        waits = 0 if progress else self.waits + 1
        return None if waits > MOST_WAITS else replace(self, cause=Cause.WAIT, waits=waits, after=None, mark=None)

    def body(self) -> str:
        """Return the JSON body."""
        ref = self.ref
        fields = {"v": VERSION, "vault": ref.vault, "kind": ref.kind, "name": ref.name}
        marks = {"after": self.after, "mark": self.mark}
        known = {name: mark for name, mark in marks.items() if mark is not None}
        return json.dumps({**fields, "cause": self.cause, "waits": self.waits, **known})


@dataclass(frozen=True, slots=True)
class SiteMessage:
    """A queue message that starts a run for a site or slot and a vault certificate."""

    site: SiteRef
    ref: VaultCertificateRef
    waits: int = 0
    """How often the message has waited in a row."""
    retry: datetime | None = None
    """The time for which a failed run planned this message, by which the journal's record of the app names it."""

    @classmethod
    def parse(cls, body: str) -> Self:
        """Return the site message in a JSON body.

        Raise MessageInvalid with the problem if the body of the queue message is malformed.
        """
        fields = _fields(body, frozenset({"v", "site", "vault", "kind", "name", "waits"}), frozenset({"retry"}))
        text, ref, waits, retry = _text(fields, "site"), _ref(fields), _waits(fields), _moment(fields, "retry")
        with _refusing("site is not the resource id of a site or slot"):
            return cls(SiteRef.parse(text), ref, waits, retry)

    def next_wait(self, *, progress: bool = False) -> Self | None:
        """Return the queue message for the next run, or None if MOST_WAITS runs in a row waited without progress.

        If no queue message for the site follows, the hourly sweep starts the next run.
        """
        waits = 0 if progress else self.waits + 1
        return None if waits > MOST_WAITS else replace(self, waits=waits)

    def body(self) -> str:
        """Return the JSON body."""
        ref = self.ref
        names = {"vault": ref.vault, "kind": ref.kind, "name": ref.name}
        retry = {"retry": self.retry.isoformat()} if self.retry else {}
        return json.dumps({"v": VERSION, "site": self.site.resource_id, **names, "waits": self.waits, **retry})


@dataclass(frozen=True, slots=True)
class EnvironmentMessage:
    """A queue message that starts a run for an App Service Environment, to stop and start the environment's apps."""

    environment: EnvironmentRef
    waits: int = 0
    """How often the message has waited in a row."""

    @classmethod
    def parse(cls, body: str) -> Self:
        """Return the environment message in a JSON body.

        Raise MessageInvalid with the problem if the body of the queue message is malformed.
        """
        fields = _fields(body, frozenset({"v", "environment", "waits"}))
        text, waits = _text(fields, "environment"), _waits(fields)
        with _refusing("environment is not the resource id of an App Service Environment"):
            return cls(EnvironmentRef.parse(text), waits)

    def next_wait(self, *, progress: bool = False) -> Self | None:
        """Return the queue message for the next run, or None if MOST_WAITS runs in a row waited without progress.

        If no queue message for the environment follows, the hourly sweep starts the next run.
        """
        waits = 0 if progress else self.waits + 1
        return None if waits > MOST_WAITS else replace(self, waits=waits)

    def body(self) -> str:
        """Return the JSON body."""
        return json.dumps({"v": VERSION, "environment": self.environment.resource_id, "waits": self.waits})


@dataclass(frozen=True, slots=True)
class SweepMessage:
    """A queue message that starts a run for one part of a sweep."""

    part: str
    """One of `Job`, the id of a subscription, or COMPLIANCE."""
    sweep: datetime | None
    """When the sweep began, or None for a part that an operator asks for outside of any sweep."""

    @classmethod
    def parse(cls, body: str) -> Self:
        """Return the sweep message in a JSON body.

        Raise MessageInvalid with the problem if the body of the queue message is malformed.
        """
        fields = _fields(body, frozenset({"v", "part"}), frozenset({"sweep"}))
        part, sweep = _text(fields, "part"), _moment(fields, "sweep")
        with _refusing(f"part is neither one of {', '.join((*Job, COMPLIANCE))} nor the id of a subscription"):
            return cls(part if part in {*Job, COMPLIANCE} else parse_subscription(part), sweep)

    def body(self) -> str:
        """Return the JSON body."""
        sweep = {"sweep": self.sweep.isoformat()} if self.sweep else {}
        return json.dumps({"v": VERSION, "part": self.part, **sweep})


CERTIFICATES: Final = "certificates"
"""The queue of certificate messages."""
SITES: Final = "sites"
"""The queue of site messages."""
ENVIRONMENTS: Final = "environments"
"""The queue of environment messages."""
SWEEPS: Final = "sweeps"
"""The queue of the parts of sweeps."""
EVENTS: Final = "events"
"""The queue to which Event Grid delivers the events of the vaults (ADR 58). Its messages have Event Grid's form."""
WORK_QUEUES: Final = (CERTIFICATES, SITES, ENVIRONMENTS, EVENTS, SWEEPS)
"""The queues whose messages Certroll handles."""
POISON_SUFFIX: Final = "-poison"
"""The end of a poison queue's name, which Azure fixes (Azure docs, "Azure Queue storage trigger", poison messages)."""
