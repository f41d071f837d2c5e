"""Certroll reads messages in base64 and in plain text, and describes unreadable messages without showing them."""

import base64
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.message_text import MOST_SHOWN, VOCABULARY, decoded, described

BODY = json.dumps({"v": 1, "vault": "kv-shop", "kind": "certificate", "name": "web", "cause": "manual", "waits": 0})


def in_base64(text: str | bytes) -> str:
    """Return the text or the bytes in base64."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


LINES = "\n".join(re.findall(".{1,76}", in_base64(BODY)))
UTF_16 = in_base64(BODY.encode("utf-16"))
LATIN = in_base64("Zertifikat für Köln".encode("latin-1"))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(BODY, BODY, id="plain JSON, as a person types it with the CLI"),
        pytest.param(in_base64(BODY), BODY, id="base64 of JSON, as Event Grid and Certroll send it"),
        pytest.param(LINES, BODY, id="base64 in lines, as the tool base64 prints it"),
        pytest.param(in_base64("für Köln ☂"), "für Köln ☂", id="base64 of any text"),
        pytest.param("?!? not base64", "?!? not base64", id="text that is no base64"),
        pytest.param('{"YWJj"}', '{"YWJj"}', id="text that is base64 without its other characters"),
        pytest.param("für Köln", "für Köln", id="text with other letters"),
        pytest.param(LATIN, LATIN, id="base64 of bytes that are not UTF-8"),
        pytest.param(UTF_16, UTF_16, id="base64 of UTF-16"),
        pytest.param(in_base64("a\x00b"), in_base64("a\x00b"), id="base64 of a control character"),
        pytest.param("abc", "abc", id="base64 without its end"),
        pytest.param("YWJj-", "YWJj-", id="base64 with a character that is none of base64"),
        pytest.param("", "", id="nothing"),
        pytest.param(" ", "", id="a blank"),
    ],
)
def test_message_is_read_however_it_was_written(content: str, text: str) -> None:
    """Certroll reads a message in base64 and in plain text, and leaves unchanged what has no readable text."""
    assert decoded(content) == text


XML_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]))
"""The texts that Queue storage can hold without base64, because its requests are XML."""


@settings(max_examples=200)
@given(st.one_of(XML_TEXT, st.binary().map(in_base64)))
def test_dead_letter_arrives_as_it_was(content: str) -> None:
    """A message that goes back to its queue in base64 is the same message when it arrives again."""
    kept = decoded(content)
    assert decoded(in_base64(kept)) == kept


@pytest.mark.parametrize(
    ("text", "description"),
    [
        pytest.param("", "the message is empty", id="nothing"),
        pytest.param(" \n", "2 characters, all of them blanks", id="blanks"),
        pytest.param("hunter2", "7 characters of the form x", id="a word"),
        pytest.param(
            '{"vault": "kv", "name": "web"}',
            '30 characters of the form {"vault": "x", "name": "x"}',
            id="JSON of our own fields",
        ),
        pytest.param('{"pass word": "P@ss!"}', '22 characters of the form {"x x": "x"}', id="JSON of other fields"),
        pytest.param("AccountKey=aGk=;x", "17 characters of the form x=x=x", id="a connection string"),
        pytest.param("<a  b='c'>", "10 characters of the form <x x=x>", id="XML"),
        pytest.param("x" * 48_000, "48000 characters of the form x …", id="48 KB"),
    ],
)
def test_unreadable_message_is_described(text: str, description: str) -> None:
    """The description of an unreadable message shows its length, its punctuation and words of Certroll's messages."""
    assert described(text) == description


@settings(max_examples=200)
@given(st.text())
def test_description_shows_nothing_that_a_person_typed(text: str) -> None:
    """A description holds only `x`, punctuation, blanks and words of Certroll's messages, and is short."""
    form = described(text).partition(" of the form ")[2].removesuffix(" …")
    whole = form if len(form) < MOST_SHOWN else re.sub(r"\w+$", "", form)
    assert set(re.findall(r"[^\s{}\[\]\":,<>=/]+", whole)) <= {"x", *VOCABULARY}
    assert len(form) <= MOST_SHOWN
