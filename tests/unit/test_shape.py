"""Test that functions and files of the product and the local Azure are short."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("shared", "functions", "local", "release")
MEDIAN, NINETIETH, LONGEST = 8, 25, 50
"""The most lines that the median function, the ninth decile and the longest function may have, without docstring."""
LONGEST_FILE = 350
PURE_DATA: dict[str, str] = {}
"""The files that may be longer, each with a reason, because they hold only data."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _files() -> Iterator[Path]:
    yield ROOT / "function_app.py"
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in path.parts)


def _lengths(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the length of each function of a file, with its place."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield _length(node), f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def _length(function: Function) -> int:
    """Return the number of lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.fixture(scope="module")
def lengths() -> list[tuple[int, str]]:
    """Return the length and the place of every function."""
    return sorted(found for path in _files() for found in _lengths(path))


def test_functions_are_short(lengths: list[tuple[int, str]]) -> None:
    """The median and the ninth decile of the lengths of functions are within the limits of CONTRIBUTING."""
    lines = [length for length, _ in lengths]
    assert median(lines) <= MEDIAN
    assert quantiles(lines, n=10)[-1] <= NINETIETH


def test_no_function_is_long(lengths: list[tuple[int, str]]) -> None:
    """Each function has at most 50 lines."""
    assert [place for length, place in lengths if length > LONGEST] == []


def test_no_file_is_long() -> None:
    """Each file has at most 350 lines, unless the file holds only data."""
    assert _long_files() - PURE_DATA.keys() == set()


def test_exceptions_are_needed() -> None:
    """Each file in the list of exceptions is longer than 350 lines."""
    assert PURE_DATA.keys() <= _long_files()


def _long_files() -> set[str]:
    sizes = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in _files()}
    return {name for name, size in sizes.items() if size > LONGEST_FILE}


def test_length_counts_neither_docstring_nor_signature() -> None:
    """A function's length is the length of its body, without signature and docstring."""
    (node,) = ast.parse('def f(\n    a,\n):\n    """First.\n\n    More.\n    """\n    b = a\n\n    return b\n').body
    assert isinstance(node, Function)
    assert _length(node) == 3
