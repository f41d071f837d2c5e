"""Whatever a parser meets, it reads it or says by name what is wrong with it."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import TargetInvalid
from shared.domain.reason import Reason
from shared.domain.targets import parse_targets, resolve

Value = TypeVar("Value")
Error = TypeVar("Error", bound=Exception)

TO = "certroll-public-to"
ENTRIES = st.sampled_from(
    ["shop", "rg/shop", "rg/shop/slot", "Büro", "", " ", "a b", "/", "x/", "x" * 91, "a.", "a/b/c/d"]
)
VALUES = st.lists(ENTRIES, max_size=6).map(",".join) | st.text(max_size=256)
KEYS = st.sampled_from([TO, TO.upper(), f" {TO}", *(f"{TO}-{n}" for n in ("0", "1", "2", "02", "3", "99", "100", "x"))])
TAGS = st.lists(st.tuples(KEYS | st.text(max_size=40), VALUES), max_size=15).map(tuple)


def _outcome(parse: Callable[[], Value], kind: type[Error]) -> tuple[Value | None, Error | None]:
    """Return what the parser returns, or the named error that it raises; any other error fails the test."""
    try:
        return parse(), None
    except kind as error:
        return None, error


@given(TAGS)
def test_tags_give_targets_or_a_reason(tags: tuple[tuple[str, str], ...]) -> None:
    """Any tags name targets that are found by their own text, or are refused with the entry that is wrong."""
    targets, refused = _outcome(lambda: parse_targets(tags, TO), TargetInvalid)
    if refused is not None:
        assert refused.reason is Reason.TARGET_INVALID
        assert TO in str(refused)
    targets = targets or ()
    assert len(set(targets)) == len(targets)
    for target in targets:
        assert resolve(target, {"x": frozenset({str(target)}), "y": frozenset()}) == "x"
        assert parse_targets(((TO, str(target)),), TO) == (target,)


@given(st.dictionaries(st.text(max_size=8), st.frozensets(st.sampled_from(["shop", "rg/shop", "api"]))))
def test_target_is_found_only_where_one_answers(candidates: dict[str, frozenset[str]]) -> None:
    """A name leads somewhere exactly where one candidate answers to it."""
    (target,) = parse_targets(((TO, "shop"),), TO)
    answering = [candidate for candidate, names in candidates.items() if "shop" in names]
    found, _ = _outcome(lambda: resolve(target, candidates), TargetInvalid)
    assert found == (answering[0] if len(answering) == 1 else None)
