"""Judge whether CAA records allow DigiCert, Azure's authority, to issue a managed certificate (RFC 8659)."""

from collections.abc import Iterator

from shared.domain.managed.dns import Ask, RecordKind, Seen
from shared.domain.managed.issuance import Violation, not_seen
from shared.domain.names import HostName
from shared.domain.reason import Reason

AUTHORITY = "digicert.com"


KNOWN_CAA = frozenset({"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"})


CRITICAL = 128


def caa_violations(host: HostName, ask: Ask) -> Iterator[Violation]:
    """Yield a violation if the nearest CAA records at or above the host name forbid DigiCert (RFC 8659, 3).

    If no CAA record with the tag `issue` exists, any authority may issue, unless an unknown CAA record is critical.
    """
    labels = host.split(".")
    for name in (".".join(labels[start:]) for start in range(len(labels))):
        answer = ask(name, RecordKind.CAA)
        if answer.seen is Seen.NOTHING:
            yield not_seen(answer)
            return
        if answer.records:
            yield from _of_caa(name, answer.records)
            return


def _of_caa(name: str, records: tuple[str, ...]) -> Iterator[Violation]:
    parsed = [_caa(record) for record in records]
    unknown = [tag for flags, tag, _ in parsed if flags & CRITICAL and tag not in KNOWN_CAA]
    issuers = [value.partition(";")[0].strip().lower() for _, tag, value in parsed if tag == "issue"]
    if unknown:
        detail = f"a critical CAA record of {name} has the unknown tag {unknown[0]!r}; remove the record"
        yield Violation(Reason.CAA_FORBIDS, detail)
    elif issuers and AUTHORITY not in issuers:
        allowed = ", ".join(sorted(issuer or "nobody" for issuer in issuers))
        detail = f'the CAA records of {name} allow {allowed}; add this one: {name}. CAA 0 issue "{AUTHORITY}"'
        yield Violation(Reason.CAA_FORBIDS, detail)


def _caa(record: str) -> tuple[int, str, str]:
    """Return the flags, the tag and the value of a CAA record.

    A CAA record without readable flags counts as critical.
    """
    flags, _, rest = record.partition(" ")
    tag, _, value = rest.strip().partition(" ")
    return (int(flags) if flags.isascii() and flags.isdigit() else CRITICAL), tag.lower(), value.strip().strip('"')
