"""Read the text of a queue message, and describe a text that Certroll cannot read without showing what it says."""

import base64
import re
from typing import Final

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""The characters that JSON allows nowhere (RFC 8259, section 7)."""
_WORD = re.compile(r"[^\s{}\[\]\":,<>=/]+")
_BLANKS = re.compile(r"\s+")
_OWN = "v vault kind name cause waits site environment certificate secret event sweep manual wait"
_OF_EVENTS = (
    "id topic subject source specversion type time data eventType eventTime dataVersion metadataVersion"
    " Id VaultName ObjectType ObjectName Version NBF EXP"
)
VOCABULARY: Final = frozenset({*_OWN.split(), *_OF_EVENTS.split()})
"""The words of Certroll's own messages and the keys of Key Vault's events, which a description shows."""
MOST_READ = 2000
"""How many characters of an unreadable message Certroll describes."""
MOST_SHOWN = 160


def decoded(content: str) -> str:
    """Return the text of a queue message that arrives in base64 or as plain text.

    Plain JSON contains braces, which base64 lacks, so Certroll never takes plain JSON for base64. This function returns
    the content unchanged if the content is no base64, or the base64 of something that is no text. Certroll sends every
    message in base64, so a dead letter that goes back to its queue has the same text when it arrives again.
    """
    try:
        text = base64.b64decode("".join(content.split()), validate=True).decode()
    except ValueError:
        return content
    return content if _CONTROL.search(text) else text


def described(text: str) -> str:
    """Return the length and the form of a text that Certroll cannot read.

    Whoever writes to a queue may type anything, even a password. A description therefore shows only punctuation and the
    words of `VOCABULARY`. Each other word becomes `x`, whatever its length.
    """
    if not text.strip():
        return f"{len(text)} characters, all of them blanks" if text else "the message is empty"
    form = _WORD.sub(_masked, _BLANKS.sub(" ", text[:MOST_READ]))
    cut = len(text) > MOST_READ or len(form) > MOST_SHOWN
    return f"{len(text)} characters of the form {form[:MOST_SHOWN]}{' …' if cut else ''}"


def _masked(word: re.Match[str]) -> str:
    return word[0] if word[0] in VOCABULARY else "x"
