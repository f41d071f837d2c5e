"""Test that Certroll reads every text that Azure may hold as a host name, and never compares two names as one."""

from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.letter_case import lower_case, upper_case
from shared.domain.names import InvalidNameError, SiteRef, is_host_name, parse_host_name, read_host_name, readable_host
from tests.build import SUBSCRIPTION

LETTERS = st.one_of(st.characters(), st.sampled_from("abcü.ß-_*xn\u3002\uff0e\u200d\u0130\u212a\u017f"))
TEXTS = st.text(LETTERS, max_size=30)
HOSTS = TEXTS | TEXTS.map("{}.example".format) | TEXTS.map("xn--{}.example".format)
LONGEST_NAME, LONGEST_LABEL = 253, 63


@given(HOSTS)
@example("\ud800.example")
@example(f"{'ü' * 60}.example")
def test_every_text_is_a_host_name_or_is_refused(text: str) -> None:
    """Certroll reads any text as a host name that TLS can carry, or knows that no client can ask for it."""
    name = read_host_name(text)
    assert readable_host(name).isprintable()
    try:
        parsed = parse_host_name(text)
    except InvalidNameError:
        assert not is_host_name(name)
        return
    assert name == parsed == parse_host_name(parsed)
    assert is_host_name(name)
    assert len(name.encode("ascii")) <= LONGEST_NAME
    assert max(map(len, name.split("."))) <= LONGEST_LABEL


@given(st.text(LETTERS, min_size=1, max_size=30))
@example("K\u212a\u0130\u017f")
def test_lower_case_changes_only_letters_that_upper_case_restores(text: str) -> None:
    """Certroll's lower case keeps the number of letters, and each letter that it changes has a way back."""
    lower = lower_case(text)
    assert len(lower) == len(text)
    assert lower_case(lower) == lower
    assert all(old in (new, upper_case(new)) for old, new in zip(text, lower, strict=True))


@given(st.from_regex(r"[\w-]{1,60}", fullmatch=True))
@example("\u212a")
def test_site_is_named_to_azure_as_azure_wrote_it(name: str) -> None:
    """A site's name goes back to Azure letter by letter, and the comparison form is an id of the same site."""
    ref = SiteRef.parse(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG/providers/Microsoft.Web/sites/{name}")
    assert ref.address == ("RG", name)
    assert SiteRef.parse(ref.resource_id) == ref
