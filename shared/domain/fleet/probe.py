"""Probes: requests to an app that operators define by the tag `certroll-probe: /path [status] [text]`.

Certroll probes an app with the tag `certroll-probe` before and after a change of the app's settings. An answer with the
new certificate's thumbprint proves that the app uses the new certificate. An expected answer without the new
certificate's thumbprint only proves that the app is alive.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.errors import CertrollError
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import SiteRef, Thumbprint
from shared.domain.tags import PROBE

EXAMPLE = "certroll-probe: /health 200 {thumbprint}"
LONGEST_PATH = 200
STATUS_DIGITS = 3
LOWEST_STATUS, HIGHEST_STATUS = 100, 599
READ_AT_MOST = 65_536
"""How many bytes of an answer Certroll reads."""

_PLACEHOLDER = re.compile(r"\{thumbprint\}", re.IGNORECASE)
_THUMBPRINT = r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])"
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")


class ProbeInvalid(CertrollError, ValueError):
    """The value of the tag `certroll-probe` is not a probe.

    The error's message names the problem of the tag `certroll-probe` and an example of a valid tag.
    """


@dataclass(frozen=True, slots=True)
class Probe:
    """A path of the app, with the answer that a healthy app gives. Raises ProbeInvalid."""

    path: str
    """The path and the query of the request, which Certroll sends without any encoding.

    The path holds only characters that RFC 3986 allows in a path and a query (3.3, 3.4). It does not begin with two
    slashes, because a host name would follow them (4.2).
    """
    status: int = 200
    """The HTTP status of the answer."""
    text: str = ""
    """A text in the answer. In it `{thumbprint}` stands for the thumbprint of the new certificate."""

    def __post_init__(self) -> None:
        if wrong := _wrong_path(self.path) or _wrong_status(self.status) or _wrong_text(self.text):
            raise ProbeInvalid(f"{wrong}; an example: {EXAMPLE}")

    @classmethod
    def parse(cls, tag: str) -> "Probe":
        """Return the probe in the value of the tag `certroll-probe`: a path, an optional status and an optional text.

        In a probe's tag, an expected text that begins with a number needs the expected status before the text. Raises
        ProbeInvalid.
        """
        path, _, rest = tag.strip(" ").partition(" ")
        word, _, text = rest.lstrip(" ").partition(" ")
        if word.isascii() and word.isdigit():
            return cls(path, int(word) if len(word) == STATUS_DIGITS else 0, text.strip(" "))
        return cls(path, text=rest.strip(" "))

    @property
    def proves(self) -> bool:
        """True if an expected answer proves that the app uses the new certificate.

        A probe without `{thumbprint}` only proves that the app is alive.
        """
        return _PLACEHOLDER.search(self.text) is not None

    def text_with(self, thumbprint: Thumbprint) -> str:
        """Return the text that the app's answer must contain if the app uses the certificate."""
        return _PLACEHOLDER.sub(thumbprint, self.text)

    def shows_any(self, body: str) -> bool:
        """Return True if the probe asks for a thumbprint, and the answer has the text with any thumbprint."""
        parts = _PLACEHOLDER.split(self.text)
        return self.proves and re.search(_THUMBPRINT.join(map(re.escape, parts)), body, re.IGNORECASE) is not None

    @property
    def shown_path(self) -> str:
        """The path of the probe without the query, because a query may contain a secret."""
        return self.path.partition("?")[0]


def _wrong_path(path: str) -> str:
    if not path.startswith("/"):
        return "a probe begins with a path, and a path begins with a slash; the host name is always the site's own"
    if path.startswith("//"):
        return "the path begins with two slashes, like the name of a host; the host name is always the site's own"
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
    return "" if text.isprintable() else "the text holds a control character or an unusual blank"


class Verdict(StrEnum):
    """The meaning of an app's answer to a probe."""

    PASSED = "Passed"
    OLD = "Old"
    """The app is alive and shows an earlier certificate.

    A process from before the change still answers, or the app does not use the new certificate.
    """
    OTHER = "Other"
    """The app is alive and shows a certificate that the change is not about, because it names several certificates."""
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a probe of an app."""

    verdict: Verdict
    detail: str
    """The result in words, which never quotes the app's answer."""
    redirected: bool = False
    """True if the app answered with a redirect."""


def judge(probe: Probe, status: int, body: str, new: Thumbprint, old: frozenset[Thumbprint]) -> ProbeResult:
    """Return the meaning of an app's answer after the app's certificate changed from `old` to `new` thumbprints.

    The comparison of the app's answer ignores upper and lower case, because apps write thumbprints in both.
    """
    if status != probe.status:
        return _other_status(probe, status)
    answered, seen = f"{probe.shown_path} answered {status} as expected", body.casefold()
    if probe.text_with(new).casefold() in seen:
        return ProbeResult(Verdict.PASSED, answered)
    for earlier in sorted(old):
        if probe.text_with(earlier).casefold() in seen:
            return ProbeResult(Verdict.OLD, f"{answered}, but shows {earlier}, not {new}")
    if probe.shows_any(body):
        return ProbeResult(Verdict.OTHER, f"{answered}, but shows another certificate than {new}")
    missing = f"without the text {probe.text_with(new)!r} in its first {READ_AT_MOST // 1024} KB"
    return ProbeResult(Verdict.FAILED, f"{answered}, but {missing}")


def _other_status(probe: Probe, status: int) -> ProbeResult:
    detail = f"{probe.shown_path} answered {status}, not {probe.status}"
    redirected = status // 100 == 3  # noqa: PLR2004 - the class of redirections, RFC 9110, 15.4
    if redirected:
        detail += (
            "; Certroll does not follow redirects: name a path in the tag that answers without a redirect and without"
            f" a sign-in, or expect the redirect (certroll-probe: {probe.shown_path} {status})"
        )
    return ProbeResult(Verdict.FAILED, detail, redirected)


def probe_of(fleet: Fleet, site: SiteRef) -> Probe | None:
    """Return the probe in the tag `certroll-probe` of a site or slot, None if the site or slot has no probe.

    Raises ProbeInvalid.
    """
    text = fleet.tag(site, PROBE)
    return None if text is None else Probe.parse(text)
