"""Write the report as one HTML page that needs nothing else: no server, no network, no other file.

The page has its own style and script, and a policy that lets a browser run just these, by their hashes. The script
shows every text of the report as text, so that a tag's value never becomes a part of the page.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""The characters that could end the block with the data, or a line of a script, as JSON escapes."""


def page_of(report: Mapping[str, Any]) -> str:
    """Return the page with the report in it."""
    page = files("shared.compliance").joinpath("page.html").read_text(encoding="utf-8")
    policy = f"default-src 'none'; style-src {_hash(_STYLE, page)}; script-src {_hash(_SCRIPT, page)}; base-uri 'none'"
    data = json.dumps(report, ensure_ascii=False)
    for character, escape in _UNSAFE.items():
        data = data.replace(character, escape)
    head, _, rest = page.partition("POLICY")
    before, _, after = rest.partition("DATA")
    return f"{head}{policy}{before}{data}{after}"


def _hash(part: re.Pattern[str], page: str) -> str:
    """Return the hash of a part of the page, as a policy names it (CSP Level 3, hash-source)."""
    (content,) = part.findall(page)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
