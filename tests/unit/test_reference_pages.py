"""Test that docs/reference/ documents each setting, tag, right, reason and event exactly once."""

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from local.azure.front_door.operations import unlisted
from shared.clients.storage.findings import MOST_WRITES
from shared.domain.certificates.requirements import Requirement
from shared.domain.outcome import Outcome
from shared.domain.reason import Reason
from shared.schedules import COMPLIANCE_SCHEDULE, SWEEP_SCHEDULE
from shared.settings import Settings
from tests.pages import PAGES, ROOT, code_in, nothing_is_wrong, part_of, rows_of, text_of, written

REFERENCE = "docs/reference"
SETTINGS, TAGS, ROLES, REASONS = (f"{REFERENCE}/{name}.md" for name in ("settings", "tags", "roles", "reasons"))
EVENTS = f"{REFERENCE}/events.md"
ORDER_ACTIONS = {
    f"Microsoft.CertificateRegistration/certificateOrders/{action}"
    for action in ("write", "renew/action", "reissue/action")
} | {"Microsoft.Resources/tags/write"}
"""The rights that Certroll needs only with `CERTROLL_ORDER_ACTIONS`, which the custom role lacks."""
MOST_WORDS = 45
IN_ALL_EVENTS = {"event", "part", "parts", "run"}
"""The fields that each event of a run may have."""
CHOICE, FIELD = re.compile(r"coalesce\(((?:[^()]|\([^()]*\))*)\)"), re.compile(r"\bline\.(\w+)")
EVENT_NAME = re.compile(r'"([a-z_]+\.[a-z_]+)"')

Function = ast.FunctionDef | ast.AsyncFunctionDef


# ------------------------------------------------------------------------------------------------- what the code says


@cache
def _modules() -> list[tuple[Path, ast.Module]]:
    paths = (path for folder in ("shared", "functions") for path in sorted((ROOT / folder).rglob("*.py")))
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


@pytest.fixture(scope="module", autouse=True)
def _parsed() -> Iterator[None]:
    """Forget the parsed modules after the tests of this file."""
    yield
    _modules.cache_clear()


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def _texts(node: ast.expr, function: Function, tree: ast.Module) -> set[str]:
    """Return every text that an expression may have: a literal, a choice, a variable, or an argument of its callers."""
    match node:
        case ast.Constant(value=str() as text):
            return {text}
        case ast.IfExp():
            return _texts(node.body, function, tree) | _texts(node.orelse, function, tree)
        case ast.Name():
            return _texts_of_variable(node.id, function, tree)
    pytest.fail(f"line {node.lineno}: {ast.unparse(node)} cannot be followed; write the name where it is used")


def _texts_of_variable(name: str, function: Function, tree: ast.Module) -> set[str]:
    parameters = [parameter.arg for parameter in function.args.args]
    if name in parameters:
        position = parameters.index(name)
        return {
            text for call, caller in _callers(function.name, tree) for text in _texts(call.args[position], caller, tree)
        }
    assigned = [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
    ]
    assert assigned, f"line {function.lineno}: nothing assigns {name}"
    return {text for value in assigned for text in _texts(value, function, tree)}


def _callers(name: str, tree: ast.Module) -> Iterator[tuple[ast.Call, Function]]:
    for function in ast.walk(tree):
        if isinstance(function, Function):
            for call in _calls(function, name):
                yield call, function


def _logged() -> dict[str, set[str]]:
    """Return every event that Certroll logs, with its fields."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path, tree in _modules():
        if path.name == "telemetry.py":
            continue
        for call, function in _callers("event", tree):
            for name in _texts(call.args[0], function, tree):
                found[name] |= {keyword.arg for keyword in call.keywords if keyword.arg}
    return dict(found)


def _entries() -> set[str]:
    """Return every name that an entry of the history may have."""
    return {
        name
        for _, tree in _modules()
        for call, function in _callers("HistoryEntry", tree)
        for name in _texts(call.args[1], function, tree)
    }


def _used_reasons() -> set[str]:
    """Return the reasons that the code names as a member or as a text, except where the code defines the reasons."""
    found = set()
    for path, tree in _modules():
        for node in ast.walk(tree) if path.name != "reason.py" else ():
            match node:
                case ast.Attribute(value=ast.Name(id="Reason"), attr=member):
                    found.add(Reason[member].value)
                case ast.Constant(value=str() as text) if text in set(Reason):
                    found.add(text)
    return found


def _functions_of_tests() -> set[str]:
    """Return the names of all functions below tests/."""
    modules = (path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py")))
    return {name for text in modules for name in re.findall(r"^\s*def (\w+)", text, re.MULTILINE)}


# ------------------------------------------------------------------------------------------------------ one home each


def _first_cells(pattern: str) -> list[tuple[str, str]]:
    """Return the page and the first cell of each table row whose first cell matches the pattern."""
    return [
        (str(page.relative_to(ROOT)), row[0])
        for page in PAGES
        for row in rows_of(page.read_text(encoding="utf-8"))
        if re.match(pattern, row[0])
    ]


def _strays(pattern: str, home: str) -> list[str]:
    """Return the matching table rows on all pages but the home page, after a check that the home page has some."""
    found = _first_cells(pattern)
    assert any(page == home for page, _ in found), f"{home} has no such row"
    return [f"{page}: the row {cell} belongs to {home}" for page, cell in found if page != home]


def _repeated(names: list[str]) -> list[str]:
    return [f"{name} is there {count} times" for name, count in sorted(Counter(names).items()) if count > 1]


def test_every_setting_is_documented() -> None:
    """The page of settings has exactly one row for each setting that Certroll reads, and no other row."""
    read = {str(field.alias) for field in Settings.model_fields.values()} | {
        SWEEP_SCHEDULE.name,
        COMPLIANCE_SCHEDULE.name,
    }
    rows = [row for row in rows_of(text_of(SETTINGS)) if row[0].startswith("`")]
    assert sorted(read) == sorted(code_in(row[0])[0] for row in rows)


def test_settings_have_one_home() -> None:
    """Only the page of settings has a table of settings."""
    nothing_is_wrong(_strays(r"`(CERTROLL_|AzureWebJobsStorage|AZURE_CLIENT_ID|WEBSITE_(SITE|OWNER)_NAME)", SETTINGS))


def test_pages_name_only_settings_that_exist() -> None:
    """The page of settings documents each setting with the prefix `CERTROLL_` that any page names."""
    known = {code_in(row[0])[0] for row in rows_of(text_of(SETTINGS)) if row[0].startswith("`")}
    named = {
        f"{page.relative_to(ROOT)} names {setting}"
        for page in PAGES
        for setting in re.findall(r"\bCERTROLL_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8"))
        if setting not in known
    }
    nothing_is_wrong(sorted(named))


def test_tags_have_one_home() -> None:
    """The page of tags has one row for each tag, and no other page has a table of tags."""
    tag = r"`certroll(-[a-z]+)*(: [^`]*)?`"
    nothing_is_wrong(_strays(tag, TAGS))
    nothing_is_wrong(_repeated([cell for page, cell in _first_cells(tag) if page == TAGS]))


def test_rights_have_one_home() -> None:
    """The page of roles has one row for each Azure action, and no other page has a table of actions."""
    action = r"`(Microsoft\.|…/)\S*/(read|write|delete|action)`"
    nothing_is_wrong(_strays(action, ROLES))
    nothing_is_wrong(_repeated([cell for page, cell in _first_cells(action) if page == ROLES]))


def test_roles_have_one_home() -> None:
    """Only the page of roles has a table of built-in roles."""
    nothing_is_wrong(_strays(r"(Key Vault (Reader|Secrets User|Certificate User)|Storage \w+ Data)", ROLES))


def test_custom_role_has_the_documented_actions() -> None:
    """The custom role has the fields that az needs, and the documented actions with variants for slots.

    The custom role has no other action, and lacks the actions that only `CERTROLL_ORDER_ACTIONS` needs. It also lacks
    the actions that Microsoft's lists lack, because Azure would refuse the whole role for one unknown action.
    """
    (block,) = re.findall(r"```json\n(.*?)```", text_of(ROLES), re.DOTALL)
    role = json.loads(block)
    assert {"Name", "IsCustom", "Description", "Actions", "AssignableScopes"} <= set(role)
    documented = {cell.strip("`") for _, cell in _first_cells(r"`Microsoft\.\S+`")}
    twins = {action for action in role["Actions"] if action.startswith("Microsoft.Web/sites/slots/")}
    assert set(role["Actions"]) == documented - ORDER_ACTIONS - unlisted() | twins
    assert {twin.replace("/slots/", "/") for twin in twins} - {"Microsoft.Web/sites/read"} <= documented
    nothing_is_wrong(_repeated(role["Actions"]))


# ------------------------------------------------------------------------------------- reasons, events, requirements


def test_every_reason_is_documented() -> None:
    """The page of reasons has exactly one heading for each reason, and no other heading."""
    assert sorted(Reason) == sorted(re.findall(r"^### (\w+)$", text_of(REASONS), re.MULTILINE))


def test_every_reason_is_explained() -> None:
    """Each reason has a sentence below its heading and its generated head."""
    _, *parts = re.split(r"^### (\w+)$", written(text_of(REASONS)), flags=re.MULTILINE)
    texts = {name: text.partition("\n## ")[0] for name, text in zip(parts[::2], parts[1::2], strict=True)}
    assert texts
    nothing_is_wrong(f"{name} is not explained" for name, text in texts.items() if not re.search(r"\w\W?\.\s", text))


def test_reasons_have_one_home() -> None:
    """Only the page of reasons has a table whose rows begin with links to reasons."""
    found = [
        f"{page.relative_to(ROOT)}: the row {row[0]} belongs to {REASONS}"
        for page in PAGES
        for row in rows_of(page.read_text(encoding="utf-8"))
        if re.match(r"\[[A-Z]\w+\]\(\S*reasons\.md#", row[0]) and str(page.relative_to(ROOT)) != REASONS
    ]
    nothing_is_wrong(found)


def test_every_reason_is_used() -> None:
    """The code uses every reason that it defines."""
    assert set(Reason) - _used_reasons() == set()


def _queries() -> list[tuple[str, str]]:
    """Return each query of the log on a page, with the page."""
    blocks = re.compile(r"```kusto\n(.*?)```", re.DOTALL)
    return [
        (str(page.relative_to(ROOT)), query)
        for page in PAGES
        for query in blocks.findall(page.read_text(encoding="utf-8"))
    ]


def test_queries_for_people_ask_for_what_needs_a_person() -> None:
    """A query of findings asks for `person`, or names a reason for which the code says that a person has to act.

    A list of exceptions in a query is out of date with the next reason.
    """
    found = [(page, query) for page, query in _queries() if "finding.reported" in query]
    assert len(found) >= 3
    named = {page: {text for text in re.findall(r'"(\w+)"', query) if text in set(Reason)} for page, query in found}
    assert [name for names in named.values() for name in names if not Reason[_member(name)].needs_person] == []
    nothing_is_wrong([page for page, query in found if "line.person" not in query and not named[page]])


def _member(value: str) -> str:
    """Return the name of the member of `Reason` with a value."""
    return next(reason.name for reason in Reason if reason.value == value)


def test_queries_read_only_fields_of_events() -> None:
    """Each field of an event that a query reads is a field of one of the events that the query names.

    A query that joins several queries reads the fields of any event.
    """
    fields, wrong = _logged(), []
    for page, query in _queries():
        names = [name for name in EVENT_NAME.findall(query) if name in fields]
        known = set().union(*(fields[name] for name in names)) | IN_ALL_EVENTS
        read = set(re.findall(r"\bline\.(\w+)", query)) if "let " not in query else set()
        wrong += [f"{page}: line.{field} is no field of {', '.join(names)}" for field in sorted(read - known) if names]
    nothing_is_wrong(wrong)


def test_queries_show_no_column_that_an_event_lacks() -> None:
    """Each column that a query shows has a value for each event that the query finds.

    The query uses `coalesce` where only some of the events have a field.
    """
    fields, wrong = _logged(), []
    for page, query in ((page, part) for page, whole in _queries() for part in whole.split(";")):
        found: set[str] = set()
        for stage in re.split(r"\n\s*\| ", query):
            named = {name for name in EVENT_NAME.findall(stage) if name in fields}
            if stage.startswith("where") and named:
                found = named
            elif not stage.startswith("where"):
                wrong += [f"{page}: {name} has no {text}" for name in found for text in _empty(stage, fields[name])]
    nothing_is_wrong(wrong)


def _empty(stage: str, has: set[str]) -> list[str]:
    """Return the columns of a stage of a query that are empty for an event with the fields `has`.

    A `coalesce` with a text of its own is never empty.
    """
    chosen = [text for text in CHOICE.findall(stage) if ', "' not in text]
    read = [FIELD.findall(text) for text in chosen] + [[field] for field in FIELD.findall(CHOICE.sub("", stage))]
    return [" or ".join(names) for names in read if names and not {*names} & (has | IN_ALL_EVENTS)]


def test_queries_show_either_key_of_an_item() -> None:
    """A query of `references.found` reads documented keys, and `coalesce`s the keys of which an item has only one."""
    _, _, below = text_of(EVENTS).partition("### Fields of `references.found`")
    rows = [row[0] for row in rows_of(below.partition("## ")[0])]
    keys = {key for row in rows for key in code_in(row)}
    either = [code_in(row) for row in rows if ", or " in row]
    assert either == [["certificate", "copy"]]
    for page, query in _queries():
        if "references.found" in query:
            assert set(re.findall(r"\breference\.(\w+)", query)) <= keys, page
            assert all(_chosen(names) in query for names in either), page
            assert "line.mentions" in query, page


def _chosen(names: list[str]) -> str:
    return f"coalesce({', '.join(f'tostring(reference.{name})' for name in names)})"


def test_queries_compare_text_with_lists() -> None:
    """A query compares a list with text, because a field of a parsed line is of the type dynamic."""
    nothing_is_wrong(
        f"{page}: write tostring({field})"
        for page, query in _queries()
        for field in re.findall(r"(?<!tostring\()\b(line\.\w+|operation_Id) in ?~?\(", query)
    )


def test_query_of_the_history_asks_for_every_write() -> None:
    """The command that finds a write in the history asks for the correlation of each write that an entry can have."""
    page = text_of("docs/how-to/find-who-changed-a-resource.md")
    (asked,) = re.findall(r"or correlation_%d eq '\$ID'\" ([\d ]+)\)", page)
    assert [int(number) for number in asked.split()] == list(range(MOST_WRITES))


def _documented(heading: str) -> list[list[str]]:
    """Return the rows below a heading of the page of events, without the tables of its sub-headings."""
    part = part_of(text_of(EVENTS), heading).partition("\n### ")[0]
    return [row for row in rows_of(part) if row[0].startswith("`")]


def test_every_outcome_is_documented() -> None:
    """The page of events has one row for each outcome of a run."""
    documented = sorted(code_in(row[0])[0] for row in _documented("Outcomes"))
    assert sorted(kind.__name__ for kind in get_args(Outcome)) == documented


def test_every_event_is_documented_with_its_fields() -> None:
    """The page of events has one row for each logged event, with exactly the event's fields."""
    rows = _documented("Events")
    assert _logged() == {code_in(row[0])[0]: set(code_in(row[1])) for row in rows}
    nothing_is_wrong(_repeated([row[0] for row in rows]))


def test_every_entry_of_the_history_is_documented() -> None:
    """The page of events has one row for each name of an entry of the history."""
    assert sorted(_entries()) == sorted(code_in(row[0])[0] for row in _documented("History"))


def test_every_requirement_is_documented() -> None:
    """The page of requirements has one row for each requirement, in the order in which Certroll checks them."""
    rows = rows_of(text_of(f"{REFERENCE}/requirements.md"))
    named = [code_in(row[0])[0] for row in rows if row[0].startswith("`")]
    assert named == [str(requirement) for requirement in Requirement]


# --------------------------------------------------------------------------------------------- guarantees, glossary


def test_guarantees_name_guards_and_tests_that_exist() -> None:
    """Each guarantee names a test or property, and each guard, test and property that the guarantee names exists."""
    guards = {path.stem for path in (ROOT / "shared").rglob("guards/*.py")}
    functions = _functions_of_tests()
    rows = [row for row in rows_of(text_of(f"{REFERENCE}/guarantees.md")) if row[0] != "Certroll never …"]
    assert rows
    for promise, guard, shown in rows:
        assert {*code_in(guard)} <= guards, promise
        assert shown, promise
        assert {*code_in(shown)} <= functions, promise


def test_glossary_is_short_and_in_order() -> None:
    """The glossary has at most 45 words, each only once and in alphabetical order."""
    words = [row[0] for row in rows_of(text_of(f"{REFERENCE}/glossary.md"))][1:]
    assert words == sorted(set(words), key=str.lower)
    assert 0 < len(words) <= MOST_WORDS
