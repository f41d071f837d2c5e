"""Check the words of code and documents, as a step of `make check`.

A variable has the name of its type, so `one` is refused as a name. The dict WORDS lists all refused words.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("shared", "functions", "local", "tests", "docs")
LEFT_OUT = {"node_modules", "__pycache__"}
OWN = {"tests/style.py", "tests/unit/test_style.py"}
"""The files that name the refused words in order to refuse them."""
WORDS = {
    "told to go": "admitted",
    "of whom": "name the person or the thing",
    "in vain": "without success",
    "likewise": "also, or repeat the verb",
    "heed|heeds|heeded|heeding": "respect, or support",
    "anew": "again",
    "(?:take|takes|taken|taking|took) (?:it |them |this |that )?for": "read as, or mistake for",
    "as (?:it stands|they stand)": "now, or unchanged",
    "beside": "in addition to, or next to",
    "(?:a|the|only|no) leave": "permission",
    "(?:a|the|this|that|each|every|another|no|fresh|first|second|next|last|earlier|later) look": "inspection, or read",
    "say whether": "Return True if",
    r"owe|owes|(?<!starts\.)owed|owing": "pending",
    "set aside": "deferred",
    "spared": "excluded",
    "fought over": "contested",
    "poisoned": "dead letter",
    "rooted": "wants a root",
    "cures?": "remedy, or next step",
}
"""Each refused pattern, with the words to write in its place."""
PATTERNS = {
    re.compile(rf"\b(?:{words})\b".replace(" ", r"[\s#]+"), re.IGNORECASE): better for words, better in WORDS.items()
}


def main() -> int:
    """Print every style problem, and return the exit code."""
    found = [f"{path.relative_to(ROOT)}:{finding}" for path in files() for finding in findings(path)]
    print(*found, f"{len(found)} findings of style", sep="\n")
    return 1 if found else 0


def files() -> Iterator[Path]:
    """Yield all Python files and Markdown pages of the project."""
    found = [*ROOT.glob("*"), *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")))]
    for path in found:
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in {".py", ".md"} and name not in OWN and not LEFT_OUT.intersection(path.parts):
            yield path


def findings(path: Path) -> Iterator[str]:
    """Yield every style problem in a file, with its line."""
    text = path.read_text(encoding="utf-8")
    for line, finding in sorted({*wrong_words(text), *(wrong_names(text) if path.suffix == ".py" else ())}):
        yield f"{line}: {finding}"


def wrong_words(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each refused word, with the words to write in its place."""
    for pattern, better in PATTERNS.items():
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, f"{' '.join(match[0].split())!r}: write {better}"


def wrong_names(code: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each variable that is called `one`."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case (
                ast.Name(id="one", ctx=ast.Store(), lineno=line)
                | ast.arg(arg="one", lineno=line)
                | ast.MatchAs(name="one", lineno=line)
                | ast.MatchStar(name="one", lineno=line)
                | ast.ExceptHandler(name="one", lineno=line)
            ):
                yield line, "a variable is called 'one': name its type"


if __name__ == "__main__":
    sys.exit(main())
