"""Make the mutants of a module: every change of every meaningful node, each with a key.

A mutant's key is a hash of the change and of the text of the changed function or statement. Path, line, comments,
docstrings and messages do not affect a mutant's key. A function that moves to another place keeps the keys of its
mutants.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import takewhile
from pathlib import Path

from tests.mutation.changes import UNTOLD, Surroundings, changes, is_message

Function = ast.FunctionDef | ast.AsyncFunctionDef
TEXT = "…"
NO_CHANGE = -1
UNREAD = frozenset({"annotation", "returns", "targets", "target", "bases", "cause", "ctx", "pattern", "type_params"})
"""Fields of nodes that hold types, names, or text for people."""
LONGEST = 90
AROUND = 30
"""The number of characters that are shown around a change in a long text."""


class Edited(Exception):
    """The source of a mutant was edited while mutants were tried."""


@dataclass(frozen=True)
class Unit:
    """The unit whose text is hashed for a mutant's key: a whole function, or a statement of a module or class."""

    name: str
    node: ast.AST
    holder: ast.AST

    @cached_property
    def text(self) -> object:
        """The syntax tree of the unit as plain values."""
        return canonical(self.node)

    @cached_property
    def ordinals(self) -> dict[int, int]:
        """The number of earlier nodes with the same text, by the identity of each node."""
        seen: Counter[str] = Counter()
        found: dict[int, int] = {}
        for node in _in_order(self.node):
            form = repr(canonical(node))
            found[id(node)] = seen[form]
            seen[form] += 1
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a node in the syntax tree."""

    parent: ast.AST
    field: str
    index: int | None = None

    def put(self, node: ast.AST) -> None:
        """Replace the node at this place of the syntax tree by another node."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change of one node in a syntax tree that was parsed only for this change."""

    unit: Unit
    place: Place
    before: ast.AST
    after: ast.AST
    lines: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of a module that is tried, counted and reported."""

    key: str
    path: Path
    number: int
    """The number of the mutant among the mutations of its module."""
    unit: str
    lines: tuple[int, int]
    """The first and the last line of the code by which tests are chosen."""
    change: str

    @property
    def module(self) -> str:
        """The name of the module that the mutant changes."""
        return ".".join(self.path.with_suffix("").parts).removesuffix(".__init__")


def mutants(paths: tuple[Path, ...], enums: Mapping[str, tuple[str, ...]]) -> tuple[Mutant, ...]:
    """Return the mutants of all modules.

    The order of functions tells functions with the same text apart.
    """
    seen: Counter[str] = Counter()
    found: list[Mutant] = []
    for path in paths:
        for number, mutation in enumerate(mutations(ast.parse(path.read_text(encoding="utf-8")), enums)):
            key = key_of(mutation)
            seen[key] += 1
            key = key if seen[key] == 1 else f"{key}.{seen[key]}"
            found.append(Mutant(key, path, number, mutation.unit.name, mutation.lines, change_of(mutation)))
    return tuple(found)


def mutations(tree: ast.Module, enums: Mapping[str, tuple[str, ...]]) -> Iterator[Mutation]:
    """Yield the changes of a module, in a fixed order and each change only once."""
    for unit in _units(tree):
        function = unit.node if isinstance(unit.node, ast.FunctionDef) else None
        place = _place_of(unit)
        yield from _below(unit, place, unit.node, Surroundings(enums, function, parent=unit.holder), _lines(unit.node))


def control_of(mutant: Mutant) -> Mutant:
    """Return a control: a `Mutant` that names the same code but leaves the code unchanged."""
    return replace(mutant, number=NO_CHANGE, key=f"control-{mutant.key}")


def mutated(source: str, mutant: Mutant, enums: Mapping[str, tuple[str, ...]]) -> ast.Module:
    """Return the syntax tree of the source with the mutant's change.

    Raise Edited if the source no longer has the code that the mutant changes.
    """
    tree = ast.parse(source)
    if mutant.number == NO_CHANGE:
        return tree
    mutation = next((found for number, found in enumerate(mutations(tree, enums)) if number == mutant.number), None)
    if mutation is None or key_of(mutation) != mutant.key.partition(".")[0]:
        raise Edited(f"{mutant.path} was edited while mutants were tried")
    mutation.place.put(ast.copy_location(mutation.after, mutation.before))
    return ast.fix_missing_locations(tree)


def key_of(mutation: Mutation) -> str:
    """Return the key of the mutation, which is stable while its function has the same text."""
    unit = mutation.unit
    where = (unit.name, unit.text, unit.ordinals[id(mutation.before)])
    return sha256(repr((*where, canonical(mutation.before), canonical(mutation.after))).encode()).hexdigest()[:12]


def change_of(mutation: Mutation) -> str:
    """Return the change as a line for human readers, which shows only the difference of long texts."""
    before, after = _code(mutation.before), _code(mutation.after)
    same = _alike(before, after)
    rest = min(_alike(before[::-1], after[::-1]), len(before) - same, len(after) - same)
    return f"{_cut(before, same, rest)} -> {_cut(after, same, rest)}"


def _alike(first: str, second: str) -> int:
    """Return the number of characters that both texts have in common at the start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _cut(text: str, same: int, rest: int) -> str:
    """Return the part of a changed text that differs, with some characters around that part."""
    if len(text) <= LONGEST:
        return text
    first, last = max(0, same - AROUND), min(len(text), len(text) - rest + AROUND)
    return f"{'...' if first else ''}{text[first:last]}{'...' if last < len(text) else ''}"


def canonical(node: object) -> object:
    """Return the node as plain values, without positions, docstrings and texts for human readers.

    The plain values of a node are the same in every Python from 3.11 on.
    """
    if isinstance(node, list):
        return tuple(canonical(item) for item in node if not _is_docstring(item))
    if isinstance(node, ast.Constant):
        return TEXT if is_message(node) else (type(node.value).__name__, repr(node.value))
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []) and name != "ctx")
    return (type(node).__name__, *((name, canonical(value)) for name, value in fields if name != "type_params"))


def enums_of(paths: tuple[Path, ...]) -> dict[str, tuple[str, ...]]:
    """Return the members of all enums in the modules, by the name of the enum class."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in paths)
    classes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {node.name: _members(node) for node in classes if any(_names_enum(base) for base in node.bases)}


def _names_enum(base: ast.expr) -> bool:
    return isinstance(base, ast.Name) and base.id in {"Enum", "StrEnum", "IntEnum"}


def _members(node: ast.ClassDef) -> tuple[str, ...]:
    targets = (target for line in node.body if isinstance(line, ast.Assign) for target in line.targets)
    return tuple(target.id for target in targets if isinstance(target, ast.Name))


# ------------------------------------------------------------------------------------------------------------- units


def _units(tree: ast.Module) -> Iterator[Unit]:
    for line in tree.body:
        yield from _units_of(line, "", tree)


def _units_of(line: ast.stmt, within: str, holder: ast.AST) -> Iterator[Unit]:
    if isinstance(line, ast.ClassDef):
        if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in line.bases):
            return
        for decorator in line.decorator_list:
            yield Unit(f"{within}{line.name}", decorator, line)
        for inner in line.body:
            yield from _units_of(inner, f"{within}{line.name}.", line)
    elif isinstance(line, Function):
        yield Unit(f"{within}{line.name}", line, holder)
    elif not isinstance(line, ast.Import | ast.ImportFrom) and not _is_docstring(line) and not _is_alias(line):
        yield Unit(f"{within}{_target(line)}", line, holder)


def _target(line: ast.stmt) -> str:
    targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
    return ", ".join(ast.unparse(target) for target in targets if target is not None)


def _is_docstring(line: object) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _is_alias(line: ast.stmt) -> bool:
    """Return True if the statement names a type, as `Tags = tuple[str, ...]` does.

    In this project, the names of constants are in capitals, and the names of types are not.
    """
    name = _target(line) if isinstance(line, ast.Assign) else ""
    return name[:1].isupper() and name != name.upper()


def _place_of(unit: Unit) -> Place:
    field = "decorator_list" if isinstance(unit.holder, ast.ClassDef) and isinstance(unit.node, ast.expr) else "body"
    return Place(unit.holder, field, getattr(unit.holder, field).index(unit.node))


# -------------------------------------------------------------------------------------------------------------- walk


def _below(unit: Unit, place: Place, node: ast.AST, where: Surroundings, lines: tuple[int, int]) -> Iterator[Mutation]:
    """Yield the changes of the node and of all nodes below it."""
    if is_message(node) or _is_docstring(node):
        return
    if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
        lines = _lines(node)
    made = {repr(canonical(node))}
    for after in changes(node, where):
        if (form := repr(canonical(after))) not in made:
            made.add(form)
            yield Mutation(unit, place, node, after, lines)
    inside = replace(where, parent=node, ordering=where.ordering or isinstance(node, ast.Lambda))
    for below in _children(node):
        child = _at(below)
        yield from _below(unit, below, child, inside, lines)


def _children(node: ast.AST) -> Iterator[Place]:
    for name, value in ast.iter_fields(node):
        if name in UNREAD or (name == "decorator_list" and isinstance(node, Function)):
            continue
        if name == "type" and not isinstance(value, ast.Tuple):
            continue
        if isinstance(value, ast.AST):
            yield Place(node, name)
        elif isinstance(value, list):
            yield from (
                Place(node, name, index) for index, item in enumerate(value) if _is_read(node, name, index, item)
            )


def _is_read(node: ast.AST, name: str, index: int, item: object) -> bool:
    """Return True if mutants may change the item of a list.

    The first argument of `cast` is a type and stays unchanged.
    """
    if isinstance(item, ast.keyword) and item.arg in UNTOLD:
        return False
    cast = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cast"
    return isinstance(item, ast.AST) and not (cast and name == "args" and index == 0)


def _at(place: Place) -> ast.AST:
    held = getattr(place.parent, place.field)
    child: ast.AST = held if place.index is None else held[place.index]
    return child


def _lines(node: ast.AST) -> tuple[int, int]:
    """Return the lines of a statement, or the lines of a compound statement's head."""
    if isinstance(node, ast.match_case):
        first = node.pattern.lineno
        return first, max(first, node.body[0].lineno - 1)
    first = getattr(node, "lineno", 1)
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        return first, max(first, body[0].lineno - 1)
    if isinstance(node, ast.Match):
        return first, max(first, node.subject.end_lineno or first)
    return first, getattr(node, "end_lineno", first)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _code(node: ast.AST) -> str:
    """Return the code of a node on one line."""
    match node:
        case ast.If() | ast.While():
            return f"{type(node).__name__.lower()} {ast.unparse(node.test)}: ..."
        case ast.Match():
            return f"match {ast.unparse(node.subject)} of {', '.join(ast.unparse(case.pattern) for case in node.cases)}"
        case ast.match_case():
            return f"case {ast.unparse(node.pattern)}" + (f" if {ast.unparse(node.guard)}" if node.guard else "")
        case ast.Slice():
            return ast.unparse(ast.Subscript(ast.Name("it"), node))
        case ast.comprehension():
            return ast.unparse(node).strip()
    return " ".join(ast.unparse(node).split())
