"""Certroll validates each message of its queues, because a writer to the storage account can forge it."""

import json

import pytest

from shared.domain.errors import MessageInvalid
from shared.domain.messages import (
    MOST_WAITS,
    Cause,
    CertificateMessage,
    EnvironmentMessage,
    SiteMessage,
    SweepMessage,
)
from shared.domain.sweeps import Job
from tests.build import ASE, NOW, REF, SUBSCRIPTION, site_ref

SLOT = site_ref("shop", "staging")
CERTIFICATE = {"v": 1, "vault": "kv-shop", "kind": "certificate", "name": "shop", "cause": "event", "waits": 0}
SITE = {"v": 1, "site": SLOT.resource_id, "vault": "kv-shop", "kind": "certificate", "name": "shop", "waits": 3}
ENVIRONMENT = {"v": 1, "environment": ASE.resource_id, "waits": 3}


def test_certificate_message_is_written_as_agreed() -> None:
    """The body of a queue message about a certificate has exactly the documented fields."""
    assert json.loads(CertificateMessage(REF, Cause.EVENT).body()) == CERTIFICATE


def test_site_message_is_written_as_agreed() -> None:
    """A queue message about a site has exactly the documented fields, among them the site's whole resource id."""
    assert json.loads(SiteMessage(SLOT, REF, 3).body()) == SITE


def test_environment_message_is_written_as_agreed() -> None:
    """A queue message about an environment has exactly the documented fields, among them its resource id."""
    assert json.loads(EnvironmentMessage(ASE, 3).body()) == ENVIRONMENT


def test_new_site_message_has_not_waited() -> None:
    """A new queue message about a site or an App Service Environment has a count of zero waits."""
    assert SiteMessage(SLOT, REF).waits == 0
    assert EnvironmentMessage(ASE).waits == 0


def test_causes_are_written_as_agreed() -> None:
    """Operators who write a certificate message by hand can rely on the words for its cause."""
    assert [str(cause) for cause in Cause] == ["event", "sweep", "manual", "wait", "cut_off"]


def test_inspection_counts_for_one_message() -> None:
    """A message names the last inspection that had begun, and the message for the next run asks for another one."""
    message = CertificateMessage.parse(json.dumps({**CERTIFICATE, "after": 3}))
    following = message.next_wait()
    assert message.after == 3
    assert following is not None
    assert (following.cause, following.waits, following.after) == (Cause.WAIT, 1, None)


@pytest.mark.parametrize("waits", [0, MOST_WAITS])
def test_every_number_of_waits_up_to_the_last_is_read(waits: int) -> None:
    """Certroll accepts a queue message with any count of waits from zero to twenty."""
    assert CertificateMessage.parse(json.dumps({**CERTIFICATE, "waits": waits})).waits == waits
    assert SiteMessage.parse(json.dumps({**SITE, "waits": waits})).waits == waits
    assert EnvironmentMessage.parse(json.dumps({**ENVIRONMENT, "waits": waits})).waits == waits


def test_certificate_message_comes_back_as_it_was() -> None:
    """Certroll reads a certificate message back unchanged, whatever its cause."""
    messages = [CertificateMessage(REF, cause, 7, after) for cause in Cause for after in (None, 0, 5)]
    messages.append(CertificateMessage(REF, Cause.EVENT, 0, 1, f"{'a' * 16}-5"))
    assert [CertificateMessage.parse(message.body()) for message in messages] == messages


@pytest.mark.parametrize("site", [site_ref(), SLOT], ids=["a site", "a slot"])
def test_site_message_comes_back_as_it_was(site: object) -> None:
    """Certroll reads a site message back unchanged for a site and for a slot."""
    message = SiteMessage.parse(json.dumps({**SITE, "site": getattr(site, "resource_id", "")}))
    assert message == SiteMessage(site_ref(slot=message.site.slot), REF, 3)
    assert message.site == site
    assert SiteMessage.parse(message.body()) == message


def test_environment_message_comes_back_as_it_was() -> None:
    """Certroll reads a queue message about an App Service Environment back unchanged."""
    assert EnvironmentMessage.parse(json.dumps(ENVIRONMENT)) == EnvironmentMessage(ASE, 3)
    assert EnvironmentMessage.parse(EnvironmentMessage(ASE, 7).body()) == EnvironmentMessage(ASE, 7)


@pytest.mark.parametrize("part", [*Job, SUBSCRIPTION])
@pytest.mark.parametrize("sweep", [NOW, None])
def test_sweep_message_comes_back_as_it_was(part: str, sweep: object) -> None:
    """Certroll reads a queue message about a part of a sweep back unchanged, with and without its sweep."""
    message = SweepMessage(part, sweep)  # type: ignore[arg-type]
    assert SweepMessage.parse(message.body()) == message


@pytest.mark.parametrize(
    "fields",
    [{"part": "secrets"}, {"part": f"{SUBSCRIPTION}/x"}, {"part": 1}, {"part": "orders", "sweep": "2026-12-01T06:00"}],
)
def test_sweep_message_of_no_part_is_refused(fields: dict[str, object]) -> None:
    """A message about something that is no part of a sweep, or about a time without a zone, is refused."""
    with pytest.raises(MessageInvalid):
        SweepMessage.parse(json.dumps({"v": 1, **fields}))


def test_names_in_messages_compare_without_case() -> None:
    """Certroll reads the names in a queue message in any letter case."""
    body = json.dumps({**CERTIFICATE, "vault": "KV-Shop", "name": "SHOP"})
    assert CertificateMessage.parse(body) == CertificateMessage(REF, Cause.EVENT)
    shouted = json.dumps({**ENVIRONMENT, "environment": ASE.resource_id.upper()})
    assert EnvironmentMessage.parse(shouted) == EnvironmentMessage(ASE, 3)


def test_waiting_is_counted() -> None:
    """If a run has to wait, the queue message for the next run counts another wait."""
    assert CertificateMessage(REF, Cause.EVENT, 4, 2, f"{'a' * 16}-5").next_wait() == CertificateMessage(
        REF, Cause.WAIT, 5
    )
    assert SiteMessage(SLOT, REF, 4).next_wait() == SiteMessage(SLOT, REF, 5)
    assert EnvironmentMessage(ASE, 4).next_wait() == EnvironmentMessage(ASE, 5)


def test_waiting_ends() -> None:
    """After twenty waits in a row, a queue message has no next message, because the hourly sweep continues the work."""
    assert CertificateMessage(REF, Cause.WAIT, MOST_WAITS - 1).next_wait() == CertificateMessage(REF, Cause.WAIT, 20)
    assert CertificateMessage(REF, Cause.WAIT, MOST_WAITS).next_wait() is None
    assert SiteMessage(SLOT, REF, MOST_WAITS - 1).next_wait() == SiteMessage(SLOT, REF, 20)
    assert SiteMessage(SLOT, REF, MOST_WAITS).next_wait() is None
    assert EnvironmentMessage(ASE, MOST_WAITS - 1).next_wait() == EnvironmentMessage(ASE, 20)
    assert EnvironmentMessage(ASE, MOST_WAITS).next_wait() is None


@pytest.mark.parametrize("waits", [0, 7, MOST_WAITS])
def test_progress_begins_the_count_anew(waits: int) -> None:
    """If a run made progress, the queue message for the next run has a count of zero waits."""
    certificate, site = CertificateMessage(REF, Cause.EVENT, waits), SiteMessage(SLOT, REF, waits)
    assert certificate.next_wait(progress=True) == CertificateMessage(REF, Cause.WAIT, 0)
    assert site.next_wait(progress=True) == SiteMessage(SLOT, REF, 0)
    assert EnvironmentMessage(ASE, waits).next_wait(progress=True) == EnvironmentMessage(ASE, 0)


TAMPERED = [
    pytest.param("", "the message is not JSON", id="nothing"),
    pytest.param("<xml/>", "the message is not JSON", id="no JSON"),
    pytest.param("[" * 4000, "the message is not JSON", id="JSON too deep to read"),
    pytest.param("9" * 4400, "the message has 4400 characters; at most 4096", id="too long"),
    pytest.param("[]", "the message is not an object with v=1", id="a list"),
    pytest.param("null", "the message is not an object with v=1", id="null"),
    pytest.param("{}", "the message is not an object with v=1", id="no version"),
    pytest.param({"v": 2}, "the message is not an object with v=1", id="another version"),
    pytest.param({"extra": 1}, "the message has a field besides", id="a field too many"),
    pytest.param({"name": ...}, "the message lacks name", id="a field missing"),
    pytest.param({"vault": None}, "vault is not a text", id="a vault that is null"),
    pytest.param({"vault": "evil.com"}, "^vault is not the name of a key vault$", id="a vault that is a host"),
    pytest.param({"name": "../x"}, "^name is not the name of a vault object$", id="a name that is a path"),
    pytest.param({"name": ["shop"]}, "name is not a text", id="a name that is a list"),
    pytest.param({"kind": "key"}, "^kind is not one of certificate, secret$", id="a kind that is not known"),
    pytest.param({"waits": -1}, "waits is not a number from 0 to 20", id="negative waits"),
    pytest.param({"waits": 21}, "waits is not a number from 0 to 20", id="too many waits"),
    pytest.param({"waits": True}, "waits is not a number from 0 to 20", id="waits that are true"),
    pytest.param({"waits": "3"}, "waits is not a number from 0 to 20", id="waits as a text"),
    pytest.param({"waits": 1.5}, "waits is not a number from 0 to 20", id="waits with a fraction"),
]


def test_longest_body_is_read() -> None:
    """Certroll reads a queue message whose body has exactly the largest allowed length."""
    body = json.dumps(SITE)
    assert SiteMessage.parse(body + " " * (4096 - len(body))).waits == 3


def changed(whole: dict[str, object], change: dict[str, object] | str) -> str:
    """Return the queue message's body with these fields changed, without each field whose new value is `...`."""
    if isinstance(change, str):
        return change
    return json.dumps({key: value for key, value in {**whole, **change}.items() if value is not ...})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        *TAMPERED,
        pytest.param(
            {"cause": "boredom"},
            "^cause is not one of event, sweep, manual, wait, cut_off$",
            id="a cause that is not known",
        ),
        pytest.param({"after": -1}, "^after is not the number of an inspection$", id="a negative inspection"),
        pytest.param({"after": True}, "^after is not the number of an inspection$", id="an inspection that is true"),
        pytest.param({"after": "3"}, "^after is not the number of an inspection$", id="an inspection as a text"),
        pytest.param({"mark": 3}, "^mark is not a text$", id="a mark that is a number"),
        pytest.param({"mark": "12-3"}, "^mark is not the mark of a moment$", id="a mark of no process"),
        pytest.param({"mark": f"{'a' * 16}-"}, "^mark is not the mark of a moment$", id="a mark without a number"),
    ],
)
def test_tampered_certificate_message_is_refused(change: dict[str, object] | str, complaint: str) -> None:
    """Certroll refuses a malformed certificate message, and the error names the problem."""
    with pytest.raises(MessageInvalid, match=complaint):
        CertificateMessage.parse(changed(CERTIFICATE, change))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        *TAMPERED,
        pytest.param({"site": "shop"}, "^site is not the resource id of a site or slot$", id="a bare site name"),
        pytest.param({"site": SLOT.resource_id + "/../x"}, "^site is not the resource id", id="a site with a way up"),
        pytest.param({"site": SLOT.resource_id + "?x"}, "^site is not the resource id", id="a site with a query"),
        pytest.param({"site": 5}, "site is not a text", id="a site that is a number"),
        pytest.param({"retry": "soon"}, "^retry is not a time with a time zone$", id="a word for a time"),
        pytest.param({"retry": "2026-11-21T12:00"}, "^retry is not a time with a time zone$", id="a time without zone"),
    ],
)
def test_tampered_site_message_is_refused(change: dict[str, object] | str, complaint: str) -> None:
    """Certroll refuses a malformed site message, and the error names the problem."""
    with pytest.raises(MessageInvalid, match=complaint):
        SiteMessage.parse(changed(SITE, change))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        *(odd for odd in TAMPERED if not isinstance(odd.values[0], dict) or odd.values[0].keys() <= {"v", "waits"}),
        pytest.param({"extra": 1}, "the message has a field besides", id="a field too many"),
        pytest.param({"environment": ...}, "the message lacks environment", id="a field missing"),
        pytest.param({"waits": ...}, "the message lacks waits", id="no waits"),
        pytest.param({"environment": None}, "environment is not a text", id="an environment that is null"),
        pytest.param({"environment": ["ase"]}, "environment is not a text", id="an environment that is a list"),
        pytest.param({"environment": "ase"}, "^environment is not the resource id of an App Service", id="a bare name"),
        pytest.param(
            {"environment": SLOT.resource_id}, "is not the resource id of an App Service Environment", id="a slot"
        ),
        pytest.param(
            {"environment": ASE.resource_id + "/../x"}, "is not the resource id", id="an environment with a way up"
        ),
        pytest.param(
            {"environment": ASE.resource_id + "?x"}, "^environment is not the resource id", id="one with a query"
        ),
    ],
)
def test_tampered_environment_message_is_refused(change: dict[str, object] | str, complaint: str) -> None:
    """Certroll refuses a malformed App Service Environment message, and the error names the problem."""
    with pytest.raises(MessageInvalid, match=complaint):
        EnvironmentMessage.parse(changed(ENVIRONMENT, change))


def test_complaint_about_many_fields_is_short() -> None:
    """The error about a queue message with many unknown fields does not name all of the fields."""
    with pytest.raises(MessageInvalid) as caught:
        SiteMessage.parse(json.dumps({**SITE, **{f"field-{number}": 0 for number in range(200)}}))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("field", [*CERTIFICATE, "another field"])
def test_complaint_quotes_nothing_that_a_person_typed(field: str) -> None:
    """The error about a queue message does not contain the text that a person typed into a field, or as a field."""
    for body in ({**CERTIFICATE, field: "Pass-/word?"}, {**CERTIFICATE, "Pass-/word?": 0}):
        with pytest.raises(MessageInvalid) as caught:
            CertificateMessage.parse(json.dumps(body))
        assert "Pass-" not in str(caught.value)
