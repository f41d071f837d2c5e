"""These tests check how text, tables and commands are laid out in a terminal of a given width."""

import pytest

from local.layout import Column, continued, fold, lay_out, sentences_and_commands

ID = (
    "/subscriptions/8d1f6f5e-3c0b-4e0a-9f57-6a3d1b2c9e01/resourceGroups/security/providers/Microsoft.KeyVault/vaults/kv"
)


def test_text_folds_at_blanks() -> None:
    """A text folds at blanks, and no line is longer than the width."""
    assert fold("one two three four", 9) == ["one two", "three", "four"]
    assert fold("", 9) == [""]


def test_a_long_phrase_keeps_its_blanks() -> None:
    """A phrase that is wider than its column folds at its blanks, and no two words are joined."""
    assert fold("3 sites Proven, 1 app Overlapping", 16, phrases=True) == ["3 sites Proven,", "1 app", "Overlapping"]


def test_a_long_word_folds_after_punctuation() -> None:
    """A word that is longer than the line folds after punctuation, never between two letters."""
    lines = fold(f"at {ID}", 40)
    assert all(len(line) <= 40 for line in lines)
    assert "".join(lines).replace(" ", "") == f"at{ID}"
    assert all(line[-1] in "-/.:" for line in lines[:-1])


def test_a_word_without_punctuation_stays_whole() -> None:
    """A word that nothing divides stays whole, although its line is too long."""
    assert fold("a " + "x" * 30, 10) == ["a", "x" * 30]


ROWS = [("api.contoso.com", "api-contoso", "A" * 12), ("shop.contoso.com", "shop-contoso", "B" * 12)]


def test_a_table_that_fits_has_every_column() -> None:
    """A table that fits has all its columns, each as wide as its longest cell."""
    laid = lay_out(("host name", Column("site", 1), "serves"), ROWS, 80)
    assert laid.head == "  host name         site          serves"
    assert laid.rows[0] == ("  api.contoso.com   api-contoso   AAAAAAAAAAAA",)
    assert laid.omitted == ()


def test_a_narrow_table_leaves_out_columns_and_names_them() -> None:
    """A table that does not fit leaves out the columns of the highest rank, and names them."""
    laid = lay_out(("host name", Column("site", 1), "serves"), ROWS, 40)
    assert laid.head == "  host name         serves"
    assert laid.omitted == ("site",)


def test_a_table_without_spare_columns_folds_the_widest() -> None:
    """A table without columns to spare folds its widest column, and all other columns stay whole."""
    laid = lay_out(("kind", "what"), [("cleanup", "certroll-www-fabrikam-com-" + "0" * 16)], 32)
    assert laid.rows == (("  cleanup  certroll-www-", "           fabrikam-com-", "           0000000000000000"),)


def test_a_column_may_ask_to_be_folded() -> None:
    """A column with `folds` folds its cells, after commas, although another column is wider."""
    laid = lay_out(("name", Column("states", folds=True)), [("n" * 30, "1 app Pending, 2 apps Answered")], 52)
    assert laid.rows == ((f"  {'n' * 30}  1 app Pending,", f"  {' ' * 30}  2 apps Answered"),)


def test_two_columns_fold_where_a_column_is_not_enough() -> None:
    """A table whose folding column is as narrow as possible also folds its next widest column."""
    laid = lay_out(("name", Column("states", folds=True)), [("n-" * 30, "1 app Pending, 2 apps Answered")], 40)
    assert max(len(line) for row in laid.rows for line in row) <= 40


def test_an_empty_table_has_its_head() -> None:
    """A table without rows has its head and no rows."""
    laid = lay_out(("host name", "serves"), [], 80)
    assert (laid.head, laid.rows) == ("  host name  serves", ())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("people uploaded it: delete it yourself", [("people uploaded it: delete it yourself", False)]),
        (
            "It lacks rights. Run: az role assignment create --role X",
            [("It lacks rights. Run:", False), ("az role assignment create --role X", True)],
        ),
        ("Run: az a b && az c d", [("Run:", False), ("az a b &&", True), ("az c d", True)]),
        ("Write this record: a.com. CNAME b.net.", [("Write this record:", False), ("a.com. CNAME b.net.", True)]),
        (
            'add this one: a.com. CAA 0 issue "digicert.com"',
            [("add this one:", False), ('a.com. CAA 0 issue "digicert.com"', True)],
        ),
        ("az webapp restart", [("az webapp restart", True)]),
        ("the blaz project", [("the blaz project", False)]),
    ],
)
def test_what_is_copied_stands_alone(text: str, parts: list[tuple[str, bool]]) -> None:
    """Commands and DNS records, which a person copies, are apart from the sentence before them."""
    assert list(sentences_and_commands(text)) == parts


def test_a_command_continues_before_options() -> None:
    """A long command continues on the next line before an option, and a shell reads the same words."""
    command = f'az role assignment create --role "Key Vault Certificate User" --assignee x --scope {ID}'
    lines = continued(command, 60)
    assert lines[0] == "az role assignment create \\"
    assert lines[-1] == f"  --scope {ID}"
    assert " ".join(line.removesuffix("\\").strip() for line in lines) == command
    assert continued("az webapp restart", 60) == ["az webapp restart"]
