"""The tag `certroll-probe` describes a request to an app, and Certroll judges the app's answer."""

import pytest

from shared.domain.fleet.probe import Probe, ProbeInvalid, ProbeResult, Verdict, judge
from shared.domain.names import Thumbprint
from tests.build import FOREIGN, NEW, OLD, OLDER

NOBODY: frozenset[Thumbprint] = frozenset()
LONGEST = "/" + "a" * 199


@pytest.mark.parametrize(
    ("tag", "probe"),
    [
        ("/health", Probe("/health", 200, "")),
        ("/", Probe("/", 200, "")),
        ("/health 204", Probe("/health", 204, "")),
        ("/health 200 {thumbprint}", Probe("/health", 200, "{thumbprint}")),
        ("/health healthy", Probe("/health", 200, "healthy")),
        ("/health 401 please  sign in", Probe("/health", 401, "please  sign in")),
        ("/health all 3 partners", Probe("/health", 200, "all 3 partners")),
        ("/health 200 200", Probe("/health", 200, "200")),
        ("/health läuft", Probe("/health", 200, "läuft")),
        ("/health ²³⁴", Probe("/health", 200, "²³⁴")),
        ("  /health   503   down  ", Probe("/health", 503, "down")),
        ("/health   down  ", Probe("/health", 200, "down")),
        ("/healthX", Probe("/healthX", 200, "")),
        ("/health X200 okX", Probe("/health", 200, "X200 okX")),
        ("/health 200 XokX", Probe("/health", 200, "XokX")),
        ("/health 100", Probe("/health", 100, "")),
        ("/health 599", Probe("/health", 599, "")),
        (LONGEST, Probe(LONGEST, 200, "")),
        ("/a/-._~!$&'()*+,;=:@?x=/?&y=%20%aF", Probe("/a/-._~!$&'()*+,;=:@?x=/?&y=%20%aF", 200, "")),
    ],
)
def test_tag_is_read(tag: str, probe: Probe) -> None:
    """The tag `certroll-probe` has a path, an optional status and an optional text, separated by blanks."""
    assert Probe.parse(tag) == probe


@pytest.mark.parametrize(
    ("tag", "wrong"),
    [
        ("", "begins with a path"),
        ("   ", "begins with a path"),
        ("health", "begins with a path"),
        ("200 /health", "begins with a path"),
        ("\t/health", "begins with a path"),
        ("https://evil.example/health", "begins with a path"),
        ("evil.example/health", "begins with a path"),
        ("\\\\evil.example/health", "begins with a path"),
        ("@evil.example/", "begins with a path"),
        ("?x=1", "begins with a path"),
        ("//", "two slashes"),
        ("//evil.example/", "two slashes"),
        ("/\\evil.example/", "percent-encoded"),
        ("/a\\..\\b", "percent-encoded"),
        ("/health#top", "fragment"),
        ("/100%", "bare %"),
        ("/100%2", "bare %"),
        ("/100%zz", "bare %"),
        ("/gruß", "percent-encoded"),
        ("/health\r\nHost:evil.example", "percent-encoded"),
        ("/health\n", "percent-encoded"),
        ("/health\t200", "percent-encoded"),
        ("/health\x00", "percent-encoded"),
        ("/health\x7f", "percent-encoded"),
        ("/health\xa0200", "percent-encoded"),
        ("/{thumbprint}", "percent-encoded"),
        (LONGEST + "a", "longer than 200"),
        ("/health 99", "no HTTP status"),
        ("/health 099", "no HTTP status"),
        ("/health 0200", "no HTTP status"),
        ("/health 600", "no HTTP status"),
        ("/health 2026 was good", "no HTTP status"),
        ("/health " + "9" * 5000, "no HTTP status"),
        ("/health 200 ok\nforged line", "control character"),
        ("/health 200 ok\x1b[2J", "control character"),
        ("/health 200\tok", "control character"),
        ("/health 200 not\xa0ok", "unusual blank"),
    ],
)
def test_what_is_no_probe_is_refused_with_an_example(tag: str, wrong: str) -> None:
    """Certroll refuses a malformed probe tag with the problem and a correct example."""
    with pytest.raises(ProbeInvalid, match=wrong) as refused:
        Probe.parse(tag)
    assert str(refused.value).endswith("; an example: certroll-probe: /health 200 {thumbprint}")


def test_example_in_the_message_is_right() -> None:
    """The example in the error message about a probe tag is a probe that proves a certificate."""
    with pytest.raises(ProbeInvalid) as refused:
        Probe.parse("")
    assert Probe.parse(str(refused.value).partition("certroll-probe: ")[2]).proves


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [("//evil.example/", 200, ""), ("/a b", 200, ""), ("/", 99, ""), ("/", 600, ""), ("/", 200, "a\nb")],
)
def test_no_probe_comes_about_that_the_tag_could_not_ask_for(path: str, status: int, text: str) -> None:
    """A probe that Certroll's code creates must follow the same rules as a probe from a tag."""
    with pytest.raises(ProbeInvalid):
        Probe(path, status, text)


@pytest.mark.parametrize(
    ("text", "proves"),
    [
        ("{thumbprint}", True),
        ("partner accepted {thumbprint} today", True),
        ("{Thumbprint}", True),
        ("", False),
        ("healthy", False),
        ("thumbprint", False),
        (NEW, False),
    ],
)
def test_only_a_thumbprint_that_is_filled_in_proves(text: str, *, proves: bool) -> None:
    """A probe proves a certificate only if the probe's text has the placeholder `{thumbprint}`."""
    assert Probe("/", 200, text).proves is proves


PROVING = Probe("/partner?key=1", 200, "Shown: {thumbprint}")
PLAIN = Probe("/partner", 200, "healthy")


@pytest.mark.parametrize(
    ("probe", "status", "body", "verdict"),
    [
        pytest.param(PROVING, 200, f"<p>Shown: {NEW}</p>", Verdict.PASSED, id="the new thumbprint passes"),
        pytest.param(PROVING, 200, f"SHOWN: {NEW.lower()}", Verdict.PASSED, id="case does not count"),
        pytest.param(PROVING, 200, f"shown: {OLD}, Shown: {NEW}", Verdict.PASSED, id="new next to old passes"),
        pytest.param(PROVING, 200, f"shown: {OLD.lower()}", Verdict.OLD, id="an old thumbprint is an old process"),
        pytest.param(PROVING, 200, f"Shown: {OLDER}", Verdict.OLD, id="so is an older one"),
        pytest.param(
            PROVING, 200, f"Shown: {FOREIGN}", Verdict.OTHER, id="an unknown thumbprint is another certificate"
        ),
        pytest.param(PROVING, 200, f"Hidden: {NEW}", Verdict.FAILED, id="the words around it count"),
        pytest.param(PROVING, 200, f"Hidden: {OLD}", Verdict.FAILED, id="around an old one as well"),
        pytest.param(PROVING, 200, "Shown: {thumbprint}", Verdict.FAILED, id="the placeholder itself is no answer"),
        pytest.param(PROVING, 200, "", Verdict.FAILED, id="an empty answer fails"),
        pytest.param(PROVING, 500, f"Shown: {NEW}", Verdict.FAILED, id="another status fails whatever the text"),
        pytest.param(PROVING, 503, f"Shown: {OLD}", Verdict.FAILED, id="another status is no old process"),
        pytest.param(PLAIN, 200, "I am HEALTHY", Verdict.PASSED, id="a text without thumbprint passes"),
        pytest.param(PLAIN, 200, "sick", Verdict.FAILED, id="a missing text fails"),
        pytest.param(Probe("/"), 200, "", Verdict.PASSED, id="without a text the status is enough"),
        pytest.param(Probe("/", 204), 200, "", Verdict.FAILED, id="any other status fails"),
        pytest.param(Probe("/", 302, "gone"), 302, "Gone", Verdict.PASSED, id="a redirect that was asked for passes"),
        pytest.param(Probe("/", 200, "STRASSE"), 200, "Straße", Verdict.PASSED, id="case is folded, not lowered"),
    ],
)
def test_answer_is_judged(probe: Probe, status: int, body: str, verdict: Verdict) -> None:
    """An app's answer passes the probe, shows an old thumbprint, or fails the probe."""
    result = judge(probe, status, body, NEW, frozenset({OLD, OLDER}))
    assert (result.verdict, result.redirected) == (verdict, False)


def test_without_an_old_certificate_nothing_is_old() -> None:
    """If no old thumbprint is known, an answer with another thumbprint shows another certificate."""
    assert judge(PROVING, 200, f"Shown: {OLD}", NEW, NOBODY).verdict is Verdict.OTHER


def test_text_without_thumbprint_is_never_old() -> None:
    """If a probe's text has no thumbprint placeholder, no answer of the app counts as showing an old thumbprint."""
    assert judge(PLAIN, 200, "sick", NEW, frozenset({OLD})).verdict is Verdict.FAILED


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_redirect_fails_with_the_cure(status: int) -> None:
    """An unexpected redirect fails the probe, and the probe's result shows how to correct the tag."""
    result = judge(PROVING, status, f"Shown: {NEW}", NEW, NOBODY)
    assert result == ProbeResult(
        Verdict.FAILED,
        f"/partner answered {status}, not 200; Certroll does not follow redirects: name a path in the tag that answers"
        f" without a redirect and without a sign-in, or expect the redirect (certroll-probe: /partner {status})",
        redirected=True,
    )


@pytest.mark.parametrize("status", [100, 299, 400, 401, 404, 500])
def test_other_statuses_are_no_redirects(status: int) -> None:
    """The result of a probe with an unexpected status, but no redirect, names only the path and both statuses."""
    result = judge(PROVING, status, "", NEW, NOBODY)
    assert result == ProbeResult(Verdict.FAILED, f"/partner answered {status}, not 200")


def test_details_say_what_was_expected_and_seen() -> None:
    """A probe verdict's detail names the path without its query, and the expected text or the shown thumbprint."""
    details = [judge(PROVING, 200, body, NEW, frozenset({OLD})).detail for body in (NEW, OLD, "")]
    assert details[0] == f"/partner answered 200 as expected, but without the text 'Shown: {NEW}' in its first 64 KB"
    assert details[1:] == [details[0], details[0]]
    shown = [judge(PROVING, 200, f"Shown: {seen}", NEW, frozenset({OLD})).detail for seen in (NEW, OLD)]
    assert shown == [
        "/partner answered 200 as expected",
        f"/partner answered 200 as expected, but shows {OLD}, not {NEW}",
    ]


@pytest.mark.parametrize("status", [200, 302, 500])
@pytest.mark.parametrize("thumbprint", [NEW, OLD, FOREIGN])
def test_answer_is_never_quoted(status: int, thumbprint: Thumbprint) -> None:
    """The detail of a probe's verdict quotes nothing of the app's answer except known thumbprints."""
    result = judge(PROVING, status, f"Shown: {thumbprint} and the secret pear", NEW, frozenset({OLD}))
    assert "pear" not in repr(result)
    assert "key=1" not in repr(result)


def test_same_of_two_old_ones_is_named_each_time() -> None:
    """If an app shows two old thumbprints, the verdict's detail always names the same one of the two thumbprints."""
    body = f"Shown: {OLD} Shown: {OLDER}"
    assert judge(PROVING, 200, body, NEW, frozenset({OLD, OLDER})).detail.endswith(f"shows {OLDER}, not {NEW}")


def test_first_of_several_old_thumbprints_is_named() -> None:
    """If an app shows several old thumbprints, the verdict's detail names the first of them in sorted order."""
    old = frozenset(Thumbprint(f"{number:040}") for number in range(10))
    result = judge(Probe("/health", 200, "{thumbprint}"), 200, " ".join(sorted(old, reverse=True)), NEW, old)
    assert result.detail == f"/health answered 200 as expected, but shows {0:040}, not {NEW}"
