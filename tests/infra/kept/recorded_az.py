"""Answer as az did: find the arguments in answers.json next to this program. An unknown command fails, as in Azure."""

import json
import sys
from pathlib import Path

answers = json.loads(Path(__file__).with_name("answers.json").read_text(encoding="utf-8"))
found = answers.get(" ".join(sys.argv[1:]), {"code": 3, "answer": ""})
sys.stdout.write(found["answer"])
raise SystemExit(found["code"])
