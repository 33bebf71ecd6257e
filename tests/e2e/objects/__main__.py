"""`python -m tests.e2e.objects [--write]`: asks the API server of $KUBECONFIG about every case; with --write, its answers become the committed page.

The CRDs and the warning policy must be installed (`make up` and the chart do that).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tests.e2e.objects.ask import asking
from tests.e2e.objects.table import CASES, PAGE, complaint, page


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.objects")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE}")
    options = parser.parse_args()
    version = json.loads(subprocess.run(["kubectl", "version", "-o", "json"], check=True, capture_output=True, text=True).stdout)["serverVersion"]["gitVersion"]
    with asking("default") as asker:
        answers = [(case, asker.ask(case)) for case in CASES]
    complaints = [text for case, answer in answers if (text := complaint(case, answer))]
    print(*complaints, f"{len(CASES)} objects asked, {len(complaints)} with another answer than expected", sep="\n")
    if options.write and not complaints:
        Path(PAGE).write_text(page(answers, f"Kubernetes {version}"), encoding="utf-8")
        print(f"wrote {PAGE}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
