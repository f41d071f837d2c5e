"""The app's own answer, which operators may ask for: the tag `certroll-probe: /path [status] [text]`.

A probe is asked before and after the settings of an app change. Only an answer that shows the thumbprint of the new
certificate proves that the app uses it; any other answer proves that the app is alive.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.fleet.fleet import Fleet
from shared.domain.names import SiteRef, Thumbprint
from shared.domain.tags import PROBE

EXAMPLE = "certroll-probe: /health 200 {thumbprint}"
LONGEST_PATH = 200
STATUS_DIGITS = 3
LOWEST_STATUS, HIGHEST_STATUS = 100, 599
READ_AT_MOST = 65_536
"""How many bytes of an answer are looked at."""

_PLACEHOLDER = re.compile(r"\{thumbprint\}", re.IGNORECASE)
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")


class ProbeInvalid(ValueError):
    """A text is not a probe. The message says what is wrong, with an example that is right."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A path of the app, and what it answers when all is well.

    `text` is looked for in the answer; `{thumbprint}` in it stands for the thumbprint of the new certificate.
    Nothing is encoded for the operator: the path holds only what RFC 3986 allows in a path and a query (3.3, 3.4), and
    does not begin like the name of a host (4.2). Raises ProbeInvalid.
    """

    path: str
    status: int = 200
    text: str = ""

    def __post_init__(self) -> None:
        if wrong := _wrong_path(self.path) or _wrong_status(self.status) or _wrong_text(self.text):
            raise ProbeInvalid(f"{wrong}; an example: {EXAMPLE}")

    @classmethod
    def parse(cls, tag: str) -> "Probe":
        """Return what the value of the tag asks for: a path, a status (200) and a text (none). Raises ProbeInvalid.

        A text that begins with a number needs the status before it.
        """
        path, _, rest = tag.strip(" ").partition(" ")
        word, _, text = rest.lstrip(" ").partition(" ")
        if word.isascii() and word.isdigit():
            return cls(path, int(word) if len(word) == STATUS_DIGITS else 0, text.strip(" "))
        return cls(path, text=rest.strip(" "))

    @property
    def proves(self) -> bool:
        """Whether a good answer proves that the app uses the new certificate, and not only that it is alive."""
        return _PLACEHOLDER.search(self.text) is not None

    def text_with(self, thumbprint: Thumbprint) -> str:
        """Return the text as it is expected for one certificate."""
        return _PLACEHOLDER.sub(thumbprint, self.text)

    @property
    def shown_path(self) -> str:
        """The path without its query, which may hold more than a log should."""
        return self.path.partition("?")[0]


def _wrong_path(path: str) -> str:
    if not path.startswith("/"):
        return "a probe begins with a path, and that with a slash; it is asked on the site's own host name"
    if path.startswith("//"):
        return "the path begins with two slashes, like the name of a host; it is asked on the site's own host name"
    if len(path) > LONGEST_PATH:
        return f"the path is longer than {LONGEST_PATH} characters"
    if not _PATH.fullmatch(path):
        return "the path holds a character that must be percent-encoded, a fragment or a bare %"
    return ""


def _wrong_status(status: int) -> str:
    if LOWEST_STATUS <= status <= HIGHEST_STATUS:
        return ""
    return f"the number after the path is no HTTP status from {LOWEST_STATUS} to {HIGHEST_STATUS}"


def _wrong_text(text: str) -> str:
    return "" if text.isprintable() else "the text holds a control character, or a blank that is none"


class Verdict(StrEnum):
    """What an answer says of the app."""

    PASSED = "Passed"
    OLD = "Old"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was seen when an app was asked; `detail` says it in words, and never quotes the answer.

    OLD is the answer of a good app with an earlier certificate: a process from before is still there, or the app did
    not take the new one. `redirected` says that the app sent its visitor elsewhere.
    """

    verdict: Verdict
    detail: str
    redirected: bool = False


def judge(probe: Probe, status: int, body: str, new: Thumbprint, old: frozenset[Thumbprint]) -> ProbeResult:
    """Return what the app's answer says, once the new certificate is expected in place of the `old` ones.

    Text is compared without regard to case: apps write thumbprints either way.
    """
    if status != probe.status:
        return _other_status(probe, status)
    answered, seen = f"{probe.shown_path} answered {status} as expected", body.casefold()
    if probe.text_with(new).casefold() in seen:
        return ProbeResult(Verdict.PASSED, answered)
    for earlier in sorted(old):
        if probe.text_with(earlier).casefold() in seen:
            return ProbeResult(Verdict.OLD, f"{answered}, but shows {earlier}, not {new}")
    missing = f"without the text {probe.text_with(new)!r} in its first {READ_AT_MOST // 1024} KB"
    return ProbeResult(Verdict.FAILED, f"{answered}, but {missing}")


def _other_status(probe: Probe, status: int) -> ProbeResult:
    detail = f"{probe.shown_path} answered {status}, not {probe.status}"
    redirected = status // 100 == 3  # noqa: PLR2004 - the class of redirections, RFC 9110, 15.4
    if redirected:
        detail += (
            "; redirects are not followed: name in the tag a path that answers by itself and without a sign-in,"
            f" or the redirect as what is expected (certroll-probe: {probe.shown_path} {status})"
        )
    return ProbeResult(Verdict.FAILED, detail, redirected)


def probe_of(fleet: Fleet, site: SiteRef) -> Probe | None:
    """Return the probe that the tag asks for, None where there is none. Raises ProbeInvalid."""
    text = fleet.tag(site, PROBE)
    return None if text is None else Probe.parse(text)
