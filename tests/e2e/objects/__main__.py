"""`python -m tests.e2e.objects [--write]`: sends every case to the API server of $KUBECONFIG.

With --write, the command writes the server's responses into the committed pages.

The CRDs and the warning policy must be installed (`make up` and the chart do that).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tests.e2e.objects.client import connected
from tests.e2e.objects.table import CASES, PAGES, complaint, page


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.objects")
    parser.add_argument("--write", action="store_true", help=f"write {' and '.join(PAGES)}")
    options = parser.parse_args()
    version = json.loads(
        subprocess.run(["kubectl", "version", "-o", "json"], check=True, capture_output=True, text=True).stdout
    )["serverVersion"]["gitVersion"]
    with connected("default") as client:
        responses = {case.name: client.send(case) for case in CASES}
    complaints = [text for case in CASES if (text := complaint(case, responses[case.name]))]
    print(*complaints, f"{len(CASES)} objects sent, {len(complaints)} with another response than expected", sep="\n")
    if options.write and not complaints:
        for path in PAGES:
            Path(path).write_text(page(path, responses, f"Kubernetes {version}"), encoding="utf-8")
            print(f"wrote {path}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
