"""Write the generated parts of the pages in docs/, for `make docs`.

A generated part stands between two comments such as the following, and people write everything around it.

    <!-- generated: times -->
    <!-- end -->

The generated part `index` is a table of all reasons. The part `head` is the first line below the heading of a reason.
The parts `tags`, `times` and `api_versions` are tables of all tags, times and API versions. The parts `figures` and
`bars` are the tables of the bench, from the kept figures. The parts `rules` and `compliance` are a table and a section
for each compliance rule. This module reads times from the source text, because the string below a constant explains its
value.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

from bench.report import bars_table, figures_table, read
from shared.compliance.rule import AnyRule, Citation, Example, Status
from shared.compliance.rules import RULES
from shared.domain.api_versions import API_VERSIONS, ApiVersion
from shared.domain.reason import Reason
from shared.domain.tags import TAGS, Carrier, Tag

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
LINE = 120
"""The most characters of a line of a page."""
UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "min": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
NUMBERS = {"_SECONDS": timedelta(seconds=1), "_HOURS": timedelta(hours=1)}
"""The unit of a constant that is a number and means a time, by the ending of its name."""
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(?=<!-- end -->)", re.DOTALL)
_HEADING = re.compile(r"^(?=#+ )", re.MULTILINE)


class Time(NamedTuple):
    """A constant of the app that is a time."""

    module: str
    name: str
    value: timedelta
    formula: str
    """The expression that derives the time from other constants, empty for a plain value."""
    why: str
    """The reason for the length of the time."""


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each page that has a generated part, with the page's up-to-date text."""
    tables = {
        "index": index_table(),
        "tags": tags_table(),
        "times": times_table(list(times())),
        "api_versions": api_versions_table(),
        "figures": figures_table(read()),
        "bars": bars_table(read()),
        "rules": rules_index(),
        "compliance": "\n".join(map(rule_section, RULES)),
    }
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if _PART.search(text):
            yield page, filled(text, tables)


def filled(text: str, tables: Mapping[str, str]) -> str:
    """Return the text of a page with every generated part up to date.

    The part `head` describes the reason that the heading above it names. Any other part may have headings of its own.
    """
    whole = _PART.sub(lambda match: match[1] + tables.get(match[2], match[0].removeprefix(match[1])), text)
    return "".join(map(_section, _HEADING.split(whole)))


def _section(section: str) -> str:
    """Return a section of a page with the head of the reason that its heading names."""
    heading = section.partition("\n")[0].lstrip("# ")
    head = "".join(head_of(reason) for reason in Reason if reason == heading)
    return _PART.sub(lambda match: match[1] + head if match[2] == "head" else match[0], section)


# ------------------------------------------------------------------------------------------------------------ reasons


def head_of(reason: Reason) -> str:
    """Return the line that says where a reason shows, and if a person has to act."""
    person = f"Person needed, severity {reason.severity}" if reason.needs_person else "No person needed"
    return f"`{reason}` shows as: {_shows(reason)}. {person}.\n"


def index_table() -> str:
    """Return a table with a row for each reason, in alphabetical order."""
    rows = (f"| [{reason}](#{reason.lower()}) | {_shows(reason)} | {_person(reason)} |" for reason in sorted(Reason))
    return _table(("reason", "shows as", "person needed"), rows)


def _shows(reason: Reason) -> str:
    return ", ".join(reason.shows)


def _person(reason: Reason) -> str:
    return "no" if not reason.needs_person else f"yes, severity {reason.severity}"


# -------------------------------------------------------------------------------------------------- compliance rules


def rules_index() -> str:
    """Return a table with a row for each compliance rule."""
    rows = (
        f"| [{rule.id}](#{rule.id.lower()}-{rule.name.lower()}) | {rule.title} | {rule.severity} |" for rule in RULES
    )
    return _table(("rule", "finding", "severity"), rows)


def rule_section(rule: AnyRule) -> str:
    """Return the section of a compliance rule: what it says, why, from which facts, and a finding as data."""
    sources = ", ".join(sorted(rule.needs))
    facts = (
        f"{rule.title}. {rule.why}",
        f"Severity {rule.severity}. Certroll reads: {sources}. Mended by: {rule.fix}.",
        rule.silent,
        f"Sources: {'; '.join(map(_cited, rule.citations))}.",
    )
    text = "\n\n".join(_wrapped(fact) for fact in facts if fact)
    examples = next((shown for shown in map(_example, rule.examples) if shown and _fits(shown)), "")
    return f"### {rule.id} {rule.name}\n\n{text}\n\n{_remedy(rule)}\n{examples}"


def _fits(text: str) -> bool:
    return all(len(line) <= LINE for line in text.splitlines())


def _wrapped(text: str) -> str:
    """Return a text in lines that fit."""
    return "\n".join(wrap(text, LINE, break_long_words=False, break_on_hyphens=False))


def _cited(citation: Citation) -> str:
    return f"[{citation.text}]({citation.url})" if citation.url else citation.text


def _remedy(rule: AnyRule) -> str:
    """Return the command or the sentence that mends a finding. A command may be longer than a line."""
    if not rule.remedy.startswith("az "):
        return f"{_wrapped(rule.remedy)}\n"
    return (
        "```sh\n"
        + " \\\n  ".join(wrap(rule.remedy, LINE - 4, break_long_words=False, break_on_hyphens=False))
        + "\n```\n"
    )


def _example(example: Example) -> str:
    """Return a finding as a sentence, and what it changes in a world in good order as JSON, or an empty text."""
    if example.status is not Status.FAIL:
        return ""
    world = json.dumps(example.world, indent=1, ensure_ascii=False)
    return f"\n{_wrapped(f'If {example.title}, the result is `{example.status}`:')}\n\n```json\n{world}\n```\n"


# --------------------------------------------------------------------------------------------------------------- tags


def tags_table() -> str:
    """Return a table with a row for each tag of Certroll."""
    rows = (f"| `{tag}: {tag.form}` | {_carriers(tag)} | {tag.meaning} |" for tag in TAGS)
    return _table(("tag", "on", "meaning"), rows)


def _carriers(tag: Tag) -> str:
    return ", ".join(carrier for carrier in Carrier if carrier in tag.carriers)


# ------------------------------------------------------------------------------------------------------- API versions


def api_versions_table() -> str:
    """Return a table with a row for each version of an Azure API that Certroll uses."""
    rows = (
        f"| {entry.api} | `{entry.version}` | {_chosen(entry)} | {entry.ends or 'none announced'} | {entry.source} |"
        for entry in API_VERSIONS
    )
    return _table(("API", "version", "chosen by", "ends", "source"), rows)


def _chosen(entry: ApiVersion) -> str:
    return f"`{entry.sdk}`" if entry.sdk else "Certroll"


# -------------------------------------------------------------------------------------------------------------- times


def times_table(found: list[Time]) -> str:
    """Return a table with a row for each time constant."""
    rows = (f"| `{time.module}` | `{time.name}` | {_worth(time)} | {time.why} |" for time in found)
    return _table(("module", "name", "value", "why"), rows)


def times() -> Iterator[Time]:
    """Yield each constant of the app that is a time, module by module."""
    for path in sorted((ROOT / "shared").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for number, statement in enumerate(body):
            for name in _names(statement):
                value = as_time(name, getattr(import_module(module), name))
                if value is not None and isinstance(statement, ast.Assign):
                    yield Time(module, name, value, _formula(statement.value), _string(body[number + 1 : number + 2]))


def as_time(name: str, value: object) -> timedelta | None:
    """Return the time that a constant means, or None if the constant is no time."""
    if isinstance(value, timedelta):
        return value
    unit = next((NUMBERS[end] for end in NUMBERS if name.endswith(end)), None)
    return unit * value if unit is not None and isinstance(value, int | float) else None


def _names(statement: ast.stmt) -> list[str]:
    """Return the names of all constants that a statement assigns."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def _formula(expression: ast.expr) -> str:
    """Return the expression if it derives the time from another constant."""
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)} - {"timedelta"}
    return ast.unparse(expression) if names else ""


def _string(following: list[ast.stmt]) -> str:
    """Return the string below a constant on one line, or an empty text if the constant has no string."""
    match following:
        case [ast.Expr(value=ast.Constant(value=str() as text))]:
            return " ".join(text.split())
    return ""


def _worth(time: Time) -> str:
    unit = next(unit for unit, length in UNITS.items() if time.value % length == timedelta(0))
    shown = f"{time.value // UNITS[unit]} {unit}"
    return f"{shown} = `{time.formula}`" if time.formula else shown


def _table(heads: tuple[str, ...], rows: Iterator[str]) -> str:
    lines = (f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *rows)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for page, text in pages():
        page.write_text(text, encoding="utf-8")
