"""Test the tool behind `make mutants`."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.mutation.changes import is_text
from tests.mutation.mutants import Edited, Mutant, change_of, enums_of, mutants, mutated, mutations
from tests.mutation.pool import Result
from tests.mutation.recording import OWN
from tests.mutation.report import judged, passes, table, verdict
from tests.mutation.results import Results
from tests.mutation.sample import LEAST, sample
from tests.mutation.survivors import explained, idle, line_of

ENUMS = {"State": ("OLD", "NEW", "GONE")}
ROOT = Path(__file__).parents[2]


def changed(code: str) -> list[str]:
    """Return all changes of the code, as the mutation tool shows the changes to its users."""
    return [change_of(found) for found in mutations(ast.parse(dedent(code)), ENUMS)]


def written(folder: Path, **modules: str) -> tuple[Path, ...]:
    """Write a file for each module with the given text, and return the paths."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(dedent(text))
    return tuple(folder / f"{name}.py" for name in modules)


def mutant(key: str, module: str = "m") -> Mutant:
    """Return a mutant of which only the key and the module matter."""
    return Mutant(key, Path(f"{module}.py"), 0, "f", (1, 1), "a < b -> a <= b")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a < b", {"a < b -> a <= b", "a < b -> a >= b"}),
        ("a == b", {"a == b -> a != b"}),
        ("a is b", {"a is b -> a is not b"}),
        ("a in b", {"a in b -> a not in b"}),
        ("a and b", {"a and b -> a or b", "a and b -> b", "a and b -> a"}),
        ("not a", {"not a -> a"}),
        ("a if b else c", {"a if b else c -> a", "a if b else c -> c"}),
        ("a + b", {"a + b -> a - b", "a + b -> a"}),
        ("a // b", {"a // b -> a * b"}),
        ("a | b", {"a | b -> a & b", "a | b -> a"}),
        ("7", {"7 -> 8"}),
        ("True", {"True -> False"}),
        ("'word'", {"'word' -> 'wordX'"}),
        ("''", {"'' -> 'X'"}),
        ("f'{a}/{b}'", {"f'{a}/{b}' -> f'{a}{b}'"}),
        ("a[1:]", {"it[1:] -> it[:]", "1 -> 2"}),
        ("min(a)", {"min(a) -> max(a)"}),
        ("all(a)", {"all(a) -> any(a)"}),
        ("sorted(a, key=b)", {"sorted(a, key=b) -> list(a)", "sorted(a, key=b) -> sorted(a)"}),
        ("reversed(a)", {"reversed(a) -> a"}),
        ("a.lower()", {"a.lower() -> a"}),
        ("a.startswith(b)", {"a.startswith(b) -> a.endswith(b)"}),
        ("a.get(b, c)", {"a.get(b, c) -> a.get(b)"}),
        ("f(a, b=c)", {"f(a, b=c) -> f(a)"}),
        ("State.OLD", {"State.OLD -> State.NEW"}),
        ("State.GONE", {"State.GONE -> State.OLD"}),
        ("(a, b)", {"(a, b) -> (b,)", "(a, b) -> (a,)", "(a, b) -> (b, a)"}),
        ("{a, b}", {"{a, b} -> {b}", "{a, b} -> {a}"}),
        ("set((a, b))", {"(a, b) -> (b,)", "(a, b) -> (a,)"}),
        ("{a: b}", {"{a: b} -> {}"}),
        ("[a for a in b if c]", {"for a in b if c -> for a in b"}),
        ("lambda a: (a.b, a.c)", {f"(a.b, a.c) -> {left}" for left in ("(a.c,)", "(a.b,)", "(a.c, a.b)")}),
        (
            "re.compile('a+b?')",
            {
                "re.compile('a+b?') -> re.compile('a*b?')",
                "re.compile('a+b?') -> re.compile('a+b')",
                "'a+b?' -> 'a+b?X'",
            },
        ),
        ("re.compile('a{1,2}')", {"re.compile('a{1,2}') -> re.compile('a{1,3}')", "'a{1,2}' -> 'a{1,2}X'"}),
    ],
)
def test_expression_is_changed(code: str, expected: set[str]) -> None:
    """The mutation tool makes exactly the expected changes of each kind of expression."""
    assert set(changed(f"it = {code}")) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("if a:\n    b", {"if a: ... -> if False: ...", "if a: ... -> if True: ..."}),
        ("while a:\n    b", {"while a: ... -> while False: ..."}),
        ("return a", {"return a -> return None"}),
        ("return", set()),
        ("return a < b", {"a < b -> a <= b", "a < b -> a >= b"}),
        ("return a, b", {"return (a, b) -> return None"}),
        ("f(a)", {"f(a) -> pass"}),
        ("yield a", {"yield a -> pass"}),
        ("a.b = c", {"a.b = c -> pass"}),
        ("a = b", set()),
        ("a += b", {"a += b -> pass", "a += b -> a -= b"}),
        ("for a in b:\n    continue", {"continue -> break"}),
        ("for a in b:\n    break", {"break -> continue"}),
        ("raise a", {"raise a -> pass"}),
        ("try:\n    a\nexcept b:\n    c", {"except b: c -> except b: raise"}),
        ("try:\n    a\nexcept (b, c):\n    raise", {"(b, c) -> (c,)", "(b, c) -> (b,)"}),
    ],
)
def test_statement_is_changed(code: str, expected: set[str]) -> None:
    """The mutation tool makes exactly the expected changes of each kind of statement."""
    body = code.replace("\n", "\n    ")
    assert set(changed(f"def f():\n    {body}")) == expected


def test_cases_and_their_conditions_are_dropped() -> None:
    """The mutation tool drops each case of a `match` once, and each condition of a case once."""
    code = "def f():\n    match a:\n        case b if c:\n            pass\n        case _:\n            pass"
    assert set(changed(code)) == {
        "match a of b, _ -> match a of _",
        "match a of b, _ -> match a of b",
        "case b if c -> case b",
    }


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ("bool", {"return g() -> return False", "return g() -> return True"}),
        ("tuple[int, ...]", {"return g() -> return ()"}),
        ("int", {"return g() -> return None"}),
    ],
)
def test_return_is_changed_as_its_type_allows(returns: str, expected: set[str]) -> None:
    """The mutation tool returns True and False for a `bool`, an empty tuple for a sequence, None for other values."""
    assert set(changed(f"def f() -> {returns}:\n    return g()")) == expected


def test_what_decorators_hide_is_changed() -> None:
    """The mutation tool changes fields, methods and properties of dataclasses, which mutmut leaves out."""
    code = """
        @dataclass(frozen=True, slots=True, order=True)
        class It:
            size: int = 1

            @property
            def big(self) -> bool:
                return self.size > LIMIT

            @classmethod
            def of(cls) -> Self:
                return cls(2)
    """
    assert changed(code) == [
        "dataclass(frozen=True, slots=True, order=True) -> dataclass(frozen=True, slots=True)",
        "True -> False",
        "1 -> 2",
        "self.size > LIMIT -> self.size >= LIMIT",
        "self.size > LIMIT -> self.size <= LIMIT",
        "return cls(2) -> return None",
        "2 -> 3",
    ]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param('"""A docstring of more than 1 word."""', id="docstring"),
        pytest.param('def f():\n    """Word."""', id="docstring of one word"),
        pytest.param('A = B\n"""Word."""', id="docstring of a constant"),
        pytest.param('A = "it is disabled"', id="message"),
        pytest.param("A = f\"it was issued by {', '.join(sorted(b))}\"", id="message with values"),
        pytest.param('A = f"{b} {c}"', id="values with a space between"),
        pytest.param("def f(a: tuple[int, ...]) -> dict[str, int]:\n    pass", id="types"),
        pytest.param("Tags = tuple[tuple[str, str], ...]", id="type alias"),
        pytest.param('Item = TypeVar("Item")', id="type variable"),
        pytest.param("Answer = int | Exception", id="union"),
        pytest.param('A = cast("It", b)', id="cast"),
        pytest.param("class It(Protocol):\n    size = 1", id="protocol"),
        pytest.param("A = zip(b, c, strict=True)", id="strict zip"),
        pytest.param("import a, b", id="import"),
    ],
)
def test_what_only_people_and_type_checkers_read_is_left_alone(code: str) -> None:
    """The mutation tool makes no mutant of text for human readers or for type checkers."""
    assert changed(code) == []


@pytest.mark.parametrize(
    ("value", "text"), [("two words", True), (", ", True), (" ", False), ("word", False), (7, False)]
)
def test_text_is_told_from_words_that_mean_something(value: object, text: bool) -> None:  # noqa: FBT001
    """The mutation tool treats a string with a space as text for human readers, and a single word as code."""
    assert is_text(value) is text


def test_exactly_one_change_is_made(tmp_path: Path) -> None:
    """A mutant differs from its source in exactly the change that its name states."""
    (file,) = written(tmp_path, m="A = 1\n\n\ndef f(a):\n    return a < 2\n")
    made = {ast.unparse(mutated(file.read_text(), found, {})) for found in mutants((file,), {})}
    assert made == {
        "A = 2\n\ndef f(a):\n    return a < 2",
        "A = 1\n\ndef f(a):\n    return a <= 2",
        "A = 1\n\ndef f(a):\n    return a >= 2",
        "A = 1\n\ndef f(a):\n    return a < 3",
    }


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("shared/planning/planner.py", "shared.planning.planner"),
        ("shared/planning/guards/__init__.py", "shared.planning.guards"),
    ],
)
def test_module_is_named_as_it_is_imported(path: str, module: str) -> None:
    """A mutant of a package's `__init__.py` changes the module under its import name."""
    assert Mutant("ab", Path(path), 0, "f", (1, 1), "").module == module


def test_source_that_was_edited_meanwhile_is_not_judged(tmp_path: Path) -> None:
    """The mutation tool refuses to change a source that was edited after the mutants were made."""
    (file,) = written(tmp_path, m="A = 1\nB = 2\n")
    first, second = mutants((file,), {})
    for found, source in ((second, "A = 1\n"), (first, "B = 2\nA = 1\n")):
        with pytest.raises(Edited, match="was edited"):
            mutated(source, found, {})


FUNCTION = '''
def f(a):
    """Say so."""
    if a > 1:  # for a reason
        raise ValueError("it is too large")
    return a
'''


@pytest.mark.parametrize(
    ("text", "same"),
    [
        pytest.param(f"B = 1\n\n{FUNCTION}", True, id="moved"),
        pytest.param(FUNCTION.replace("Say so.", "Return it.\n\n    And more."), True, id="docstring"),
        pytest.param(FUNCTION.replace('    """Say so."""\n', ""), True, id="no docstring"),
        pytest.param(FUNCTION.replace("  # for a reason", ""), True, id="comment"),
        pytest.param(FUNCTION.replace("too large", "too big"), True, id="message"),
        pytest.param(FUNCTION.replace("> 1", "> 2"), False, id="code"),
        pytest.param(FUNCTION.replace("def f", "def g"), False, id="renamed"),
    ],
)
def test_key_is_of_the_functions_text(tmp_path: Path, text: str, same: bool) -> None:  # noqa: FBT001
    """A function that moves keeps the keys of its mutants, and a changed function gets new keys."""
    here, elsewhere = written(tmp_path, here=FUNCTION, elsewhere=text)
    before = {found.key for found in mutants((here,), {})}
    after = {found.key for found in mutants((elsewhere,), {}) if found.unit != "B"}
    assert (before == after) is same
    assert same or not before & after


def test_every_mutant_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Each mutant has a unique key, even in functions with the same text."""
    files = written(tmp_path, one=FUNCTION, other=FUNCTION, twice="def f(a, b):\n    return [a < 1, b, a < 1]\n")
    keys = [found.key for found in mutants(files, {})]
    assert len(keys) == len(set(keys)) == 6 + 6 + 12


def test_members_of_enums_are_known(tmp_path: Path) -> None:
    """The mutation tool finds an enum by its base class, with the members in their order."""
    files = written(
        tmp_path, m="class State(StrEnum):\n    OLD = 'old'\n    NEW = 'new'\n\n\nclass It(Base):\n    A = 1\n"
    )
    assert enums_of(files) == {"State": ("OLD", "NEW")}


def test_sample_is_the_same_for_a_seed_and_has_of_every_module() -> None:
    """A sample of mutants depends only on the code and the seed, and has mutants of every module."""
    many = [mutant(f"{number:012x}", "large") for number in range(1000)] + [mutant(f"a{n}", "small") for n in range(9)]
    chosen = sample(many, 100, seed=1)
    assert chosen == sample(reversed(many), 100, seed=1)
    assert chosen != sample(many, 100, seed=2)
    assert 100 <= len(chosen) <= 100 + 2 * LEAST
    assert sum(found.module == "small" for found in chosen) == LEAST


def test_noticed_stays_noticed_and_survivors_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the mutation tool reuses earlier outcomes, and tries survivors again after a test changed.

    A mutant counts as noticed only while the test that noticed it exists.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    test = "tests/unit/test_x.py::test_x"
    results = Results(frozenset({test}), tmp_path / "kept")
    results.keep(Result("noticed", test, 0.1))
    results.keep(Result("survived", "", 0.2))
    again = Results(frozenset({test}), tmp_path / "kept")
    assert (again.of("noticed"), again.of("survived")) == (Result("noticed", test, 0.1), Result("survived", "", 0.2))
    assert Results(frozenset(), tmp_path / "kept").of("noticed") is None
    (tmp_path / "tests" / "unit" / "test_more.py").write_text("")
    later = Results(frozenset({test}), tmp_path / "kept")
    assert (later.of("noticed"), later.of("survived")) == (Result("noticed", test, 0.1), None)


def test_explanations_are_read_by_their_keys(tmp_path: Path) -> None:
    """The printed line of a survivor explains the survivor once a reason is added to it."""
    file = tmp_path / "survivors.txt"
    file.write_text(f"# of people\n\n{line_of(mutant('ab'), 'a | b is the same for sets of one')}\n")
    assert explained(file) == {"ab": "b is the same for sets of one"}
    assert idle({"ab": "", "cd": ""}, [mutant("ab")]) == ("cd",)


@pytest.mark.parametrize("line", [line_of(mutant("ab"), ""), "ab | f | a reason alone"])
def test_explanation_without_a_reason_is_refused(tmp_path: Path, line: str) -> None:
    """The mutation tool refuses a line of the survivors file that gives no reason."""
    file = tmp_path / "survivors.txt"
    file.write_text(f"{line}\n")
    with pytest.raises(SystemExit, match=":1 is not"):
        explained(file)


@pytest.mark.parametrize(("unexplained", "good"), [(2, True), (3, False)])
def test_run_fails_over_two_percent(unexplained: int, good: bool) -> None:  # noqa: FBT001
    """A run of the mutation tool fails if more than 2 % of the mutants survive without a reason."""
    many = [mutant(str(number)) for number in range(100)]
    results = {found.key: Result(found.key, "" if int(found.key) <= unexplained else "a test", 0.1) for found in many}
    found = judged(many, results, {"0": "equivalent"})
    assert passes(found) is good
    assert verdict(found).startswith(f"{unexplained} unexplained survivors of 100 mutants: {unexplained}.0%")
    assert table(found).splitlines()[-1].split() == [
        "all",
        "100",
        str(99 - unexplained),
        str(unexplained + 1),
        "1",
        str(unexplained),
    ]


@pytest.fixture
def small_tree(tmp_path: Path) -> Path:
    """Build a small source tree with two functions, and a test of only one of them."""
    for folder in (
        "shared/domain",
        "shared/planning",
        "shared/clients",
        "tests/unit",
        "tests/properties",
    ):
        (tmp_path / folder).mkdir(parents=True)
    for file in (
        "shared/planning/planner.py",
        "shared/clients/retrying.py",
        "shared/__init__.py",
        "shared/domain/__init__.py",
    ):
        (tmp_path / file).touch()
    (tmp_path / "shared/domain/it.py").write_text("def f(a):\n    return a + 1\n\n\ndef g(a):\n    return not a\n")
    (tmp_path / "tests/unit/test_it.py").write_text(
        "from shared.domain.it import f\n\n\ndef test_f():\n    assert f(1) == 2\n"
    )
    (tmp_path / "tests/properties/test_none.py").write_text("def test_none():\n    pass\n")
    return tmp_path


def test_test_that_fails_by_itself_notices_nothing(small_tree: Path) -> None:
    """The mutation tool stops with an error if a test fails by itself without any mutant."""
    (small_tree / "tests/unit/test_it.py").write_text(
        "from shared.domain.it import f\n\nready = []\n\n\n"
        "def test_a():\n    ready.append(1)\n\n\ndef test_f():\n    assert f(1) == 2 and ready\n"
    )
    run = _run(small_tree)
    assert run.returncode == 1
    assert "Without any change tests/unit/test_it.py::test_f fails" in run.stderr


def test_run_tells_what_is_noticed_from_what_is_not(small_tree: Path) -> None:
    """The mutation tool reports which mutants the tests notice, and reuses known outcomes in a second run."""
    runs = [_run(small_tree), _run(small_tree)]
    for run in runs:
        assert run.returncode == 1, run.stderr
        assert "not a -> a" in run.stdout
        assert run.stdout.splitlines()[-1].startswith("1 unexplained survivors of 5 mutants: 20.0%, OVER 2%")
    assert "5 known from before" in runs[1].stdout


def _run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--all"],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_package_of_the_project_is_known() -> None:
    """The mutation tool imports no package of the project beforehand, or the tests would run the unchanged module."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and next(path.glob("*.py"), None) is not None}
    assert folders | {path.stem for path in ROOT.glob("*.py")} <= OWN
