"""Find tags and settings of Certroll whose names or values Certroll does not understand, with the nearest known name.

A typing mistake must not go unnoticed, because the operator relies on the tag or setting.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from shared.domain.reason import Reason
from shared.domain.tags import OFF, ON, OPT_OUT, PREFIX, TAGS, Carrier, Kind, Tag, Tags, is_on, opts_out

SETTINGS_BEGIN = "CERTROLL_"
"""The beginning of the names of all settings of Certroll."""
MOST_SHOWN = 60
"""How many characters of a foreign name or value a message shows."""


@dataclass(frozen=True, slots=True)
class TagProblem:
    """A tag of Certroll that has another effect than its writer expects."""

    key: str
    """The name of the tag as it is written on the resource."""
    reason: Reason
    detail: str


def tag_problems(tags: Tags, carrier: Carrier) -> tuple[TagProblem, ...]:
    """Return the tags of a resource that Certroll does not know there, or whose switch has an unknown value."""
    found = (_problem(key, value, carrier) for key, value in sorted(tags) if _plain(key).startswith(PREFIX))
    return tuple(problem for problem in found if problem is not None)


def unknown_settings(names: Iterable[str], known: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """Return the names that are no settings of Certroll, each with the nearest known name or None."""
    settings = {name.upper() for name in known}
    strange = sorted(name for name in names if name.upper() not in settings)
    return tuple((name[:MOST_SHOWN], _nearest(name.upper(), settings, SETTINGS_BEGIN)) for name in strange)


def _nearest(name: str, known: Iterable[str], begin: str) -> str | None:
    """Return the known name that resembles a mistyped name most, or None. All names begin with the text `begin`."""
    ends = {full.removeprefix(begin): full for full in sorted(known)}
    found = get_close_matches(name.removeprefix(begin)[:MOST_SHOWN], ends, 1)
    return ends[found[0]] if found else None


def _meant(key: str, carrier: Carrier) -> str | None:
    """Return the tag that a mistyped tag of this kind of resource resembles most, or None."""
    plain = _plain(key).replace("_", "-")
    if plain.removeprefix(PREFIX).strip("-:= ") in {*ON, *OFF}:
        return OPT_OUT.name
    return _nearest(plain, (tag.name for tag in TAGS if carrier in tag.carriers), f"{PREFIX}-")


def _problem(key: str, value: str, carrier: Carrier) -> TagProblem | None:
    tag = next((tag for tag in TAGS if _names(tag, key)), None)
    if tag is None:
        meant = _meant(key, carrier)
        question = f"is {meant} meant?" if meant else "docs/reference/tags.md lists all tags"
        return TagProblem(key, Reason.UNKNOWN_TAG, f"Certroll knows no tag {key[:MOST_SHOWN]!r}: {question}")
    if carrier not in tag.carriers:
        where = ", ".join(sorted(tag.carriers))
        return TagProblem(
            key, Reason.UNKNOWN_TAG, f"Certroll reads {tag} only on: {where}; on a {carrier} it does nothing"
        )
    if tag is OPT_OUT and opts_out(value) and value.strip().lower() not in OFF:
        detail = f"{value[:MOST_SHOWN]!r} is neither on nor off, so Certroll counts it as off: write on or off"
        return TagProblem(key, Reason.TAG_NOT_UNDERSTOOD, detail)
    if tag.kind is Kind.ON_SWITCH and not is_on(value.strip()) and value.strip().lower() not in OFF:
        detail = f"{value[:MOST_SHOWN]!r} is neither on nor off, so Certroll does not do it: write on or off"
        return TagProblem(key, Reason.TAG_NOT_UNDERSTOOD, detail)
    return None


def _names(tag: Tag, key: str) -> bool:
    """Return True if the key is the tag's name, or continues the tag's list of targets."""
    number = tag.number_of(key)
    return number == "" or (number is not None and tag.makes_wanted)


def _plain(key: str) -> str:
    return key.strip().lower()
