"""Test the check of words that `make check` runs."""

from pathlib import Path

import pytest

from tests import style

NAMED_ONE = {
    "a loop": "for one in sites:\n    pass",
    "a comprehension": "[one.name for one in sites]",
    "an argument": "def f(one):\n    pass",
    "an argument of a lambda": "key = lambda one: one.name",
    "an assignment": "one = site",
    "a pattern": "match site:\n    case Site() as one:\n        pass",
    "the rest of a pattern": "match sites:\n    case [first, *one]:\n        pass",
    "an error": "try:\n    pass\nexcept OSError as one:\n    pass",
}
REFUSED = (
    "It is told to go.",
    "Told\nto go",
    "# told\n# to go",
    "done ANEW",
    "a fresh look",
    "no leave",
    "He owes it.",
)
ACCEPTED = (
    "It looks at the app.",
    "the app leaves",
    "`one` of them",
    "replay_poisoned",
    "besides",
    "allowed",
    "renewed",
)


@pytest.mark.parametrize("code", NAMED_ONE.values(), ids=NAMED_ONE.keys())
def test_variable_called_one_is_found(code: str) -> None:
    """The check finds a variable called `one`, in whatever way the code binds the variable."""
    assert len(list(style.wrong_names(code))) == 1


def test_one_as_a_word_or_an_attribute_is_no_variable() -> None:
    """The check accepts the word `one` in a text, and as the name of an attribute or a keyword."""
    assert list(style.wrong_names("text = 'one'\nversion.one = call(one=1)\n")) == []


@pytest.mark.parametrize("text", REFUSED)
def test_refused_word_is_found(text: str) -> None:
    """The check finds a refused word in any case, and also across two lines of a comment."""
    assert len(list(style.wrong_words(text))) == 1


@pytest.mark.parametrize("text", ACCEPTED)
def test_other_words_are_accepted(text: str) -> None:
    """The check accepts words that only contain a refused word, and verbs with the spelling of a refused noun."""
    assert list(style.wrong_words(text)) == []


def test_finding_names_its_line(tmp_path: Path) -> None:
    """Each line that the check of words prints begins with the refused word's place, and says what to write instead."""
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nBegin anew.\n", encoding="utf-8")
    assert list(style.findings(page)) == ["3: 'anew': write again"]


def test_code_tests_and_pages_are_checked() -> None:
    """The check reads the product, the local Azure, the tests and the documents, and skips itself."""
    names = {path.relative_to(style.ROOT).as_posix() for path in style.files()}
    assert {"function_app.py", "README.md", "docs/reference/settings.md", "shared/runtime.py", "local/app.py"} <= names
    assert "tests/unit/test_docs.py" in names
    assert not names & style.OWN
    assert not any("node_modules" in name for name in names)
