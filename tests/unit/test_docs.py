"""What is documented is there, and what is there is documented."""

import ast
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from shared import actions, planner
from shared.domain.outcome import Outcome
from shared.domain.reason import NEEDS_A_PERSON, Reason
from shared.reconcile import _pending_records, _plan_of_site, _shown
from shared.run import Run
from shared.settings import Settings
from tests.build import APPLY, NEW, WEST, ManualClock, copy, snapshot, version
from tests.small_storage import SmallStorage, ports_on

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ADRS = sorted((DOCS / "adr").glob("[0-9]*.md"))
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")] + sorted(
    DOCS.rglob("*.md")
)
ADR_HEADINGS = ["Context", "Decision", "Alternatives", "Consequences", "What would change our mind"]
ADR_STATUSES = {"proposed", "accepted", "superseded"}
LONGEST_ADR = 60
LONGEST_LINE = 120

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _part(text: str, heading: str) -> str:
    """Return what stands under a second-level heading."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _rows(text: str) -> list[list[str]]:
    """Return the cells of every table row whose first cell is a word of code."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def _words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# ------------------------------------------------------------------------------------------------- what the code says


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("shared", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def _texts(node: ast.expr, function: Function, tree: ast.Module) -> set[str]:
    """Return every text that an expression may be: a literal, a choice, a variable, or what callers pass in."""
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
    """Return every event that is logged, with its fields."""
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
    """Return the reasons that the code names, as a member or by its text, outside of their definition."""
    found = set()
    for path, tree in _modules():
        for node in ast.walk(tree) if path.name != "reason.py" else ():
            match node:
                case ast.Attribute(value=ast.Name(id="Reason"), attr=member):
                    found.add(Reason[member].value)
                case ast.Constant(value=str() as text) if text in set(Reason):
                    found.add(text)
    return found


# ---------------------------------------------------------------------------------------------------- settings, reasons


def test_every_setting_is_documented() -> None:
    """Each setting that is read has one row in docs/settings.md, and no row is left over."""
    read = {str(field.alias) for field in Settings.model_fields.values()} | {"CERTROLL_SWEEP_SCHEDULE"}
    text = _text("docs/settings.md")
    rows = [
        row
        for heading in ("What operators set", "Storage", "What Azure provides")
        for row in _rows(_part(text, heading))
    ]
    assert sorted(read) == sorted(_words(row[0])[0] for row in rows)


def test_readme_names_only_settings_that_exist() -> None:
    """Each CERTROLL_ setting of the README and the runbook is one that is documented."""
    known = {_words(row[0])[0] for row in _rows(_text("docs/settings.md"))}
    for page in ("README.md", "docs/runbook.md", "docs/reasons.md"):
        assert set(re.findall(r"CERTROLL_[A-Z_]+[A-Z]", _text(page))) <= known, page


def test_every_reason_is_documented() -> None:
    """Each reason has one heading in docs/reasons.md, and no heading is left over."""
    headings = re.findall(r"^#### (\w+)$", _part(_text("docs/reasons.md"), "Reasons"), re.MULTILINE)
    assert sorted(Reason) == sorted(headings)


def test_every_reason_says_where_it_shows_and_who_acts() -> None:
    """Below its heading each reason says where it is met and whether a person is needed, as the code has it."""
    reasons = _part(_text("docs/reasons.md"), "Reasons")
    _nothing_is_wrong(wrong for reason in Reason for wrong in _wrong_with_reason(reasons, reason))


def _wrong_with_reason(reasons: str, reason: Reason) -> Iterator[str]:
    part = reasons.partition(f"#### {reason}\n")[2].partition("\n####")[0]
    head = re.match(r"\nShows as: .+\. Person needed: (yes|no)\.\n\n\S", part)
    if head is None:
        yield f"{reason} does not begin with where it shows and whether a person is needed: {part[:80]!r}"
    elif head.group(1) == "no" and reason in NEEDS_A_PERSON:
        yield f"{reason} needs a person, and says no"


def test_every_reason_is_used() -> None:
    """No reason is kept that nothing gives."""
    assert set(Reason) - _used_reasons() == set()


def test_every_outcome_is_documented() -> None:
    """Each outcome of a run has its row."""
    rows = _rows(_part(_text("docs/reasons.md"), "Outcomes"))
    assert sorted(kind.__name__ for kind in get_args(Outcome)) == sorted(_words(row[0])[0] for row in rows)


def test_every_event_is_documented_with_its_fields() -> None:
    """Each log line has its row with exactly the fields that it carries, and no row is left over."""
    rows = [
        row for row in _rows(_part(_text("docs/reasons.md"), "Events")) if len(row) == len(("event", "fields", "when"))
    ]
    assert _logged() == {_words(row[0])[0]: set(_words(row[1])) for row in rows}


def test_every_entry_of_the_history_is_documented() -> None:
    """Each name that the history holds has its row."""
    rows = [row for row in _rows(_part(_text("docs/reasons.md"), "Events")) if len(row) == len(("entry", "when"))]
    assert _entries() == {_words(row[0])[0] for row in rows}


# ------------------------------------------------------------------------------------------------------------- pages


def _anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def _nothing_is_wrong(found: Iterable[str]) -> None:
    """Fail with all that was found, one a line."""
    wrong = list(found)
    assert not wrong, "\n".join(("", *wrong))


def _nothing_is_wrong_on_any(pages: list[Path], wrong_with: Callable[[Path], Iterable[str]]) -> None:
    """Fail with all that is wrong, each with its page, and where there is no page to look at."""
    assert pages
    _nothing_is_wrong(f"{page.relative_to(ROOT)}: {wrong}" for page in pages for wrong in wrong_with(page))


def test_relative_links_lead_somewhere() -> None:
    """Each relative link of each page names a file that exists, and a heading in it where it names one."""
    _nothing_is_wrong_on_any(PAGES, _broken_links)


def _broken_links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", _prose(page)):
        name, _, anchor = target.partition("#")
        there = page.parent / name if name else page
        if not there.exists():
            yield f"{target} is not there"
        elif anchor and anchor not in _anchors(there.read_text(encoding="utf-8")):
            yield f"{target} has no such heading"


def test_references_are_defined() -> None:
    """Each reference-style link of each page has its address once, and each address is used."""
    _nothing_is_wrong_on_any(PAGES, _loose_references)


def _loose_references(page: Path) -> Iterator[str]:
    prose = _prose(page)
    defined = Counter(re.findall(r"^\[([\w-]+)\]: https://", prose, re.MULTILINE))
    used = set(re.findall(r"\]\[([\w-]+)\]", prose))
    yield from (f"[{name}] has no address" for name in sorted(used - defined.keys()))
    yield from (f"[{name}] is not used" for name in sorted(defined.keys() - used))
    yield from (f"[{name}] has several addresses" for name, count in sorted(defined.items()) if count > 1)


def test_lines_fit() -> None:
    """Lines of every page are short enough to compare; tables and addresses cannot be broken."""
    _nothing_is_wrong_on_any(PAGES, _long_lines)


def _long_lines(page: Path) -> Iterator[str]:
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if len(line) > LONGEST_LINE and not line.startswith(("|", "[")):
            yield f"line {number} has {len(line)} characters"


def test_decisions_are_numbered_without_gaps() -> None:
    """Decisions count from 1."""
    assert [int(adr.name[:4]) for adr in ADRS] == list(range(1, len(ADRS) + 1))


def test_every_decision_has_its_headings() -> None:
    """Each decision says its context, its alternatives and what would change it, on one page."""
    _nothing_is_wrong_on_any(ADRS, _wrong_with_decision)


def _wrong_with_decision(adr: Path) -> Iterator[str]:
    text = adr.read_text(encoding="utf-8")
    if not text.startswith(f"# {int(adr.name[:4])}. "):
        yield "its title does not begin with its number"
    if (headings := re.findall(r"^## (.+)$", text, re.MULTILINE)) != ADR_HEADINGS:
        yield f"its headings are {headings}"
    if (lines := len(text.splitlines())) > LONGEST_ADR:
        yield f"it has {lines} lines"


def _head(adr: Path) -> dict[str, str]:
    """Return the fields that stand between a decision's title and its first heading."""
    head = adr.read_text(encoding="utf-8").partition("\n## ")[0]
    return dict(re.findall(r"^- ([A-Z][a-z ]+): (.+)$", head, re.MULTILINE))


def test_every_decision_has_a_status_and_a_date() -> None:
    """Each decision says whether it holds and since when, and no field is there that nobody knows."""
    _nothing_is_wrong_on_any(ADRS, _wrong_with_head)


def _wrong_with_head(adr: Path) -> Iterator[str]:
    head = _head(adr)
    if unknown := head.keys() - {"Status", "Date", "Supersedes", "Superseded by"}:
        yield f"it has the fields {sorted(unknown)}"
    if head.get("Status") not in ADR_STATUSES:
        yield f"its status is {head.get('Status')}"
    if not re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", head.get("Date", "")):
        yield f"its date is {head.get('Date')}"
    if head.get("Status") == "superseded" and "Superseded by" not in head:
        yield "it does not name its successor"


def test_superseded_decisions_name_each_other() -> None:
    """Where a decision names what it supersedes, that decision names its successor, and the other way round."""
    assert _named("Supersedes") == {(old, new) for new, old in _named("Superseded by")}


def _named(field: str) -> set[tuple[str, str]]:
    """Return the pairs of a decision and another that its field names."""
    return {(adr.name, other) for adr in ADRS for other in re.findall(r"\]\(([^)]+)\)", _head(adr).get(field, ""))}


def test_index_of_decisions_is_complete() -> None:
    """The index has one row for each decision, with its title, status and date, in order."""
    rows = re.findall(
        r"^\| (\d+) \| \[(.+?)\]\((.+?)\) \| (\w+).* \| (\S+) \|$", _text("docs/adr/README.md"), re.MULTILINE
    )
    assert rows == [_row(adr) for adr in ADRS]


def _row(adr: Path) -> tuple[str, ...]:
    number, _, title = adr.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").partition(". ")
    head = _head(adr)
    return number, title, adr.name, head["Status"], head["Date"]


def test_custom_role_is_json() -> None:
    """The role in the settings page can be given to az as it is."""
    (block,) = re.findall(r"```json\n(.*?)```", _text("docs/settings.md"), re.DOTALL)
    assert {"Name", "IsCustom", "Description", "Actions", "AssignableScopes"} <= set(json.loads(block))


@pytest.fixture
def worked_example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the names of the test in CONTRIBUTING, having put its action where an action has its place."""
    blocks = re.findall(r"```python\n(.*?)```", _text("CONTRIBUTING.md"), re.DOTALL)
    action, test = (block.replace("Reason.NOT_BOUND", "Reason.STALE_THUMBPRINT") for block in blocks[-2:])
    module = ModuleType("shared.actions.bind_host_name")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(actions, "bind_host_name", module, raising=False)
    exec(compile(action, module.__name__, "exec"), module.__dict__)  # noqa: S102 - our own page
    names: dict[str, Any] = {}
    exec(compile(test, "test_bind_host_name", "exec"), names)  # noqa: S102
    return names


def test_worked_example_still_fits(worked_example: dict[str, Any]) -> None:
    """The action of CONTRIBUTING passes its own test against the code as it is."""
    promises = [promise for name, promise in worked_example.items() if name.startswith("test_")]
    assert promises
    for promise in promises:
        promise()


def test_worked_example_is_one_file_and_one_line(
    worked_example: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its line is in the table, every guard lets the action pass, and the site's run has it to perform."""
    propose = worked_example["bind_host_name"].propose
    monkeypatch.setattr(planner, "PROPOSALS", (*planner.PROPOSALS, propose))
    asked, unbound = worked_example["ASKED"], worked_example["UNBOUND"]
    seen = snapshot(sites=(asked,), bindings=(unbound,), copies=(copy(thumbprint=NEW),))
    steps = planner.plan(seen, APPLY).steps
    assert [step.action.binds for step in steps] == [unbound]
    (record,) = _pending_records(seen, version(), WEST, steps, _shown(seen))
    with ThreadPoolExecutor(1) as pool:
        run = Run.start(ports_on(SmallStorage(), ManualClock()), APPLY, pool)
        assert _plan_of_site(run, seen, record).steps == steps
