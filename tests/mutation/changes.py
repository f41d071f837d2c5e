"""Define the changes of a node of the syntax tree: each change replaces the node."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, TypeVar

Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The place of a node in the syntax tree."""

    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The members of every enum that the code knows, in their order."""
    function: ast.FunctionDef | None = None
    """The function that the node is in, or None in modules and classes, whose tuples are tables."""
    ordering: bool = False
    """True if the node is in a lambda. Tuples in a lambda are mostly sort keys."""
    parent: ast.AST | None = None


def changes(node: ast.AST, place: Surroundings) -> Iterator[ast.AST]:
    """Yield every mutated node that may replace a node of the syntax tree.

    Another call of `changes` yields the mutated nodes for each child node.
    """
    for kind, change in CHANGES:
        if isinstance(node, kind):
            yield from change(node, place)


def is_text(value: object) -> bool:
    """Return True if the constant is a text for human readers.

    A text for human readers has more than one word, or a part that a space follows.
    """
    return isinstance(value, str) and " " in value.strip("\n") and value != " "


def is_message(node: ast.AST) -> bool:
    """Return True if the node is a text for human readers, with or without values in the text."""
    if isinstance(node, ast.Constant):
        return is_text(node.value)
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return any(isinstance(part, ast.Constant) and " " in str(part.value) for part in parts)


def _with(node: Node, **fields: Any) -> Node:  # noqa: ANN401 - the fields of any node
    """Return a copy of the syntax tree's node with the given fields replaced."""
    other = copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _without(items: Sequence[Any], index: int) -> list[Any]:
    return [*items[:index], *items[index + 1 :]]


def _is_none(node: ast.AST | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


# ------------------------------------------------------------------------------------------------------- expressions

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
ONE_SIDED = (ast.Add, ast.Sub, ast.BitOr, ast.BitAnd)
OTHER_FUNCTION = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
OTHER_METHOD = {
    "startswith": "endswith",
    "endswith": "startswith",
    "partition": "rpartition",
    "rpartition": "partition",
    "removeprefix": "removesuffix",
    "removesuffix": "removeprefix",
    "fullmatch": "match",
    "issubset": "issuperset",
    "isdisjoint": "issubset",
}
CLEANING = frozenset({"lower", "upper", "strip", "lstrip", "rstrip", "casefold"})
WITH_DEFAULT = {"next": 2, "get": 2, "pop": 2, "getattr": 3, "split": 2, "rsplit": 2}
"""Calls whose last argument is a default or a limit, with the number of arguments that they then have."""
ORDERLESS = frozenset(
    {"min", "max", "any", "all", "sum", "set", "frozenset", "sorted", "isinstance", "startswith", "endswith"}
)
UNTOLD = frozenset({"strict", "slots", "repr", "frozen"})
"""Keywords that guard against mistakes of programmers, or that change only what people read."""


def _compared(node: ast.Compare, _: Surroundings) -> Iterator[ast.AST]:
    for index, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            yield _with(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])


def _combined(node: ast.BoolOp, _: Surroundings) -> Iterator[ast.AST]:
    yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    for index in range(len(node.values)):
        left = _without(node.values, index)
        yield left[0] if len(left) == 1 else _with(node, values=left)


def _negated(node: ast.UnaryOp, _: Surroundings) -> Iterator[ast.AST]:
    yield node.operand


def _chosen(node: ast.IfExp, _: Surroundings) -> Iterator[ast.AST]:
    yield node.body
    yield node.orelse


def _calculated(node: ast.BinOp, _: Surroundings) -> Iterator[ast.AST]:
    if type(node.op) in ARITHMETIC and not is_message(node.left):
        yield _with(node, op=ARITHMETIC[type(node.op)]())
        if isinstance(node.op, ONE_SIDED):
            yield node.left


def _constant(node: ast.Constant, place: Surroundings) -> Iterator[ast.AST]:
    match node.value:
        case bool():
            yield ast.Constant(not node.value)
        case int() | float():
            yield ast.Constant(node.value + 1)
        case str() if not is_text(node.value) and not isinstance(place.parent, ast.JoinedStr):
            yield ast.Constant(f"{node.value}X")


def _formatted(node: ast.JoinedStr, _: Surroundings) -> Iterator[ast.AST]:
    for index, part in enumerate(node.values):
        if isinstance(part, ast.Constant):
            yield _with(node, values=_without(node.values, index))


def _filtered(node: ast.comprehension, _: Surroundings) -> Iterator[ast.AST]:
    for index in range(len(node.ifs)):
        yield _with(node, ifs=_without(node.ifs, index))


def _sliced(node: ast.Slice, _: Surroundings) -> Iterator[ast.AST]:
    for end in ("lower", "upper"):
        if getattr(node, end) is not None:
            yield _with(node, **{end: None})


def _called(node: ast.Call, place: Surroundings) -> Iterator[ast.AST]:
    match node.func:
        case ast.Name(id="reversed"):
            yield node.args[0]
        case ast.Name(id=name) if name in OTHER_FUNCTION:
            kept = [keyword for keyword in node.keywords if OTHER_FUNCTION[name] != "list"]
            yield _with(node, func=ast.Name(OTHER_FUNCTION[name], ast.Load()), keywords=kept)
        case ast.Attribute(value=receiver, attr=name) if name in CLEANING and not node.args:
            yield receiver
        case ast.Attribute(attr=name) if name in OTHER_METHOD:
            yield _with(node, func=_with(node.func, attr=OTHER_METHOD[name]))
        case ast.Attribute(value=ast.Name(id="re"), attr="compile"):
            yield from _patterns(node)
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if len(node.args) == WITH_DEFAULT.get(name):
        yield _with(node, args=node.args[:-1])
    yield from _keywords(node, place)


def _keywords(node: ast.Call, _: Surroundings) -> Iterator[ast.AST]:
    for index, keyword in enumerate(node.keywords):
        if keyword.arg not in {None, *UNTOLD} and not is_message(keyword.value):
            yield _with(node, keywords=_without(node.keywords, index))


def _patterns(node: ast.Call) -> Iterator[ast.AST]:
    """Yield the regular expression with each of its repetitions changed, such as `+` to `*`.

    Another mutation operator changes the whole regular expression as a string.
    """
    pattern = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
    if not isinstance(pattern, str):
        return
    for match in re.finditer(r"(?<!\\)([+*?]|\{(\d+)(,?)(\d*)\})", pattern):
        found, low, comma, high = match.groups()
        other = {"+": "*", "*": "+", "?": ""}.get(found)
        if other is None:
            other = f"{{{low}{comma}{int(high) + 1}}}" if high else f"{{{int(low) + 1}{comma}}}"
        changed = pattern[: match.start()] + other + pattern[match.end() :]
        if _compiles(changed):
            yield _with(node, args=[ast.Constant(changed), *node.args[1:]])


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _member(node: ast.Attribute, place: Surroundings) -> Iterator[ast.AST]:
    """Yield the next member of an enum, as a mutant of code that uses a member."""
    if not isinstance(node.value, ast.Name):
        return
    members = place.enums.get(node.value.id, ())
    if node.attr in members and len(members) > 1:
        yield _with(node, attr=members[(members.index(node.attr) + 1) % len(members)])


def _elements(node: ast.Tuple | ast.List | ast.Set, place: Surroundings) -> Iterator[ast.AST]:
    """Yield mutants of a table of values: without each element, and with each pair of neighbours exchanged.

    A plain tuple as an argument of a call gets no such mutants, because the tuple is no table of values.
    """
    if isinstance(getattr(node, "ctx", None), ast.Store) or isinstance(place.parent, ast.Subscript):
        return
    joined = any(isinstance(element, ast.Starred) for element in node.elts)
    table = place.function is None or place.ordering or joined or isinstance(node, ast.List)
    if table or isinstance(node, ast.Set) or isinstance(place.parent, ast.Compare | ast.ExceptHandler):
        for index in range(len(node.elts)):
            yield _with(node, elts=_without(node.elts, index))
    if table and not isinstance(node, ast.Set) and not _is_orderless(place.parent):
        for index in range(len(node.elts) - 1):
            first, second = node.elts[index : index + 2]
            yield _with(node, elts=[*node.elts[:index], second, first, *node.elts[index + 2 :]])


def _is_orderless(parent: ast.AST | None) -> bool:
    """Return True if the parent is a call that ignores the order of its arguments' items."""
    match parent:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in ORDERLESS
    return False


def _entries(node: ast.Dict, _: Surroundings) -> Iterator[ast.AST]:
    for index in range(len(node.keys)):
        yield _with(node, keys=_without(node.keys, index), values=_without(node.values, index))


# -------------------------------------------------------------------------------------------------------- statements


def _branched(node: ast.If, _: Surroundings) -> Iterator[ast.AST]:
    yield _with(node, test=ast.Constant(value=False))
    yield _with(node, test=ast.Constant(value=True))


def _looped(node: ast.While, _: Surroundings) -> Iterator[ast.AST]:
    yield _with(node, test=ast.Constant(value=False))


def _returned(node: ast.Return, place: Surroundings) -> Iterator[ast.AST]:
    """Yield mutants of a `return`: with an empty value, or with True and with False for a `bool`.

    A `return` of a comparison or a constant gets no mutant from this function, because other mutation operators change
    the value.
    """
    if _is_none(node.value) or isinstance(node.value, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
        return
    returns = ast.unparse(place.function.returns) if place.function and place.function.returns else ""
    if returns.startswith(("tuple[", "Iterable[", "Iterator[")) and not _is_empty(node.value):
        yield _with(node, value=ast.Tuple([], ast.Load()))
    elif returns == "bool":
        yield _with(node, value=ast.Constant(value=False))
        yield _with(node, value=ast.Constant(value=True))
    else:
        yield _with(node, value=ast.Constant(None))


def _is_empty(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Tuple) and not node.elts


def _stated(node: ast.Expr, _: Surroundings) -> Iterator[ast.AST]:
    if isinstance(node.value, ast.Call | ast.Yield | ast.YieldFrom):
        yield ast.Pass()


def _assigned(node: ast.Assign, _: Surroundings) -> Iterator[ast.AST]:
    """Yield `pass` as the mutant of an assignment to an attribute or an item.

    An assignment to a name gets no mutant with `pass`, because a missing name would fail most tests.
    """
    if any(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
        yield ast.Pass()


def _augmented(node: ast.AugAssign, _: Surroundings) -> Iterator[ast.AST]:
    yield ast.Pass()
    if type(node.op) in ARITHMETIC:
        yield _with(node, op=ARITHMETIC[type(node.op)]())


def _raised(node: ast.Raise, place: Surroundings) -> Iterator[ast.AST]:
    """Yield `pass` as the mutant of a `raise`.

    A `raise` directly below an `if` gets no mutant with `pass`, because a mutant that changes the condition of the `if`
    has the same effect.
    """
    if not isinstance(place.parent, ast.If) and node.exc is not None:
        yield ast.Pass()


def _continued(_: ast.Continue, __: Surroundings) -> Iterator[ast.AST]:
    yield ast.Break()


def _broken(_: ast.Break, __: Surroundings) -> Iterator[ast.AST]:
    yield ast.Continue()


def _handled(node: ast.ExceptHandler, _: Surroundings) -> Iterator[ast.AST]:
    if not (len(node.body) == 1 and isinstance(node.body[0], ast.Raise)):
        yield _with(node, body=[ast.Raise()])


def _matched(node: ast.Match, _: Surroundings) -> Iterator[ast.AST]:
    if len(node.cases) > 1:
        for index in range(len(node.cases)):
            yield _with(node, cases=_without(node.cases, index))


def _guarded(node: ast.match_case, _: Surroundings) -> Iterator[ast.AST]:
    if node.guard is not None:
        yield _with(node, guard=None)


Change = Callable[[Any, Surroundings], Iterator[ast.AST]]
CHANGES: tuple[tuple[Any, Change], ...] = (
    (ast.Compare, _compared),
    (ast.BoolOp, _combined),
    (ast.UnaryOp, _negated),
    (ast.IfExp, _chosen),
    (ast.BinOp, _calculated),
    (ast.Constant, _constant),
    (ast.JoinedStr, _formatted),
    (ast.comprehension, _filtered),
    (ast.Slice, _sliced),
    (ast.Call, _called),
    (ast.Attribute, _member),
    (ast.Tuple | ast.List | ast.Set, _elements),
    (ast.Dict, _entries),
    (ast.If, _branched),
    (ast.While, _looped),
    (ast.Return, _returned),
    (ast.Expr, _stated),
    (ast.Assign, _assigned),
    (ast.AugAssign, _augmented),
    (ast.Raise, _raised),
    (ast.Continue, _continued),
    (ast.Break, _broken),
    (ast.ExceptHandler, _handled),
    (ast.Match, _matched),
    (ast.match_case, _guarded),
)
