"""A property of Azure's answer is read as what it is, and anything else is no answer."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.shown import Gap, NotSeen, Shown, Source
from tests.build import NOW

READERS = ("boolean", "text", "number", "moment", "optional_text", "texts", "entries")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def shown(**properties: object) -> Shown:
    """Return an answer with the properties."""
    return Shown(Source.LIST, NOW, properties)


@pytest.mark.parametrize(
    ("reader", "value", "found"),
    [
        ("boolean", False, False),
        ("text", "", ""),
        ("number", 3, 3),
        ("moment", "2026-11-04T09:00:00", datetime(2026, 11, 4, 9, tzinfo=UTC)),
        ("moment", "2026-11-04T10:00:00+01:00", datetime(2026, 11, 4, 9, tzinfo=UTC)),
        ("optional_text", None, None),
        ("texts", ["a", "b"], ("a", "b")),
    ],
)
def test_value_of_the_expected_type_is_read(reader: str, value: object, found: object) -> None:
    """Each reader returns a value of its type as Azure sent it, and a time in UTC."""
    assert getattr(shown(it=value), reader)("it") == found


@pytest.mark.parametrize("reader", READERS)
def test_missing_property_is_no_answer(reader: str) -> None:
    """A missing property is not seen, whichever type a rule expects."""
    with pytest.raises(NotSeen) as unseen:
        getattr(shown(), reader)("it")
    assert (unseen.value.source, unseen.value.gap, unseen.value.what) == (Source.LIST, Gap.NOT_SHOWN, "it")


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader != "optional_text"])
def test_null_is_no_answer(reader: str) -> None:
    """Null is not seen, unless a rule asks for a text that Azure may leave unset."""
    with pytest.raises(NotSeen) as unseen:
        getattr(shown(it=None), reader)("it")
    assert unseen.value.gap is Gap.NOT_SHOWN


@given(JSON, st.sampled_from(READERS))
def test_odd_value_is_never_read_as_another(value: object, reader: str) -> None:
    """Whatever Azure sends, a reader returns the same value, or says that it is no answer."""
    try:
        found = getattr(shown(it=value), reader)("it")
    except NotSeen as unseen:
        assert unseen.gap in {Gap.ODD, Gap.NOT_SHOWN}  # noqa: PT017 - either is right
    else:
        assert type(value) is {"texts": list, "entries": list, "moment": str}.get(reader, type(found))


def test_name_with_dots_leads_into_objects() -> None:
    """A name with dots reads a nested property, and meets no answer where an object is null or something else."""
    answer = shown(outer={"inner": "x"}, nothing=None, text="x")
    assert answer.text("outer.inner") == "x"
    for name, gap in (("nothing.inner", Gap.NOT_SHOWN), ("text.inner", Gap.ODD), ("outer.other", Gap.NOT_SHOWN)):
        with pytest.raises(NotSeen) as unseen:
            answer.text(name)
        assert unseen.value.gap is gap


def test_answer_that_is_not_there_shows_its_reason() -> None:
    """Where a read failed, every property is missing for the reason of the read."""
    with pytest.raises(NotSeen) as unseen:
        Shown.missing(Source.CONFIG, NOW, Gap.DENIED, "403").value("minTlsVersion")
    assert (unseen.value.gap, unseen.value.what) == (Gap.DENIED, "403")
