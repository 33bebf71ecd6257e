"""The life of one endpoint, as `make demo` shows it. It really runs each line after a `$`, and measures each figure.

It runs in the cluster's network, needs Kindler installed, and uses only the standard library. Each chapter is one
function.
"""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

GATEWAY = os.environ.get("KINDLER_GATEWAY", "")
PATH = "/namespaces/default/endpoints/iris/invocations"
FLOWERS = '{"inputs": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}'
REQUEST = f"{GATEWAY}{PATH} -H 'Content-Type: application/json' -d '{FLOWERS}'"
PODS = "pod -l serving.kindler.dev/endpoint=iris"
PHASES = {
    "created": "pod created",
    "scheduled": "scheduled",
    "ip": "IP address",
    "started": "container started",
    "ping": "first ping",
}
TITLE_WIDTH = 110


class StoryError(Exception):
    """A step of the demo had another result than expected. The text names the step."""


def title(text: str) -> None:
    line = f"── {text} " + "─" * max(2, TITLE_WIDTH - len(text))
    print(f"\n\033[1m{line}\033[0m" if sys.stdout.isatty() else f"\n{line}", flush=True)


def say(text: str) -> None:
    print(text, flush=True)


def shell(line: str, *, show: bool = True, output: bool = True) -> tuple[str, float]:
    """Runs a line with bash. Returns its output and the seconds that it took. Raises StoryError if it fails.

    `show`: print the line and its output. `output`: if False, print the line without its output.
    """
    if show:
        say(f"$ {line}")
    begin = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    seconds = time.monotonic() - begin
    if show and output and done.stdout.strip():
        say("  " + done.stdout.strip().replace("\n", "\n  "))
    if done.returncode:
        raise StoryError(f"`{line}` failed with exit status {done.returncode}:\n{done.stdout}")
    return done.stdout, seconds


class Load:
    """Clients that request predictions one after the other. Status 0 counts broken connections."""

    def __init__(self, clients: int) -> None:
        self.statuses: Counter[int] = Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def _run(self) -> None:
        at = urlsplit(GATEWAY)
        while not self._stop.is_set():
            connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=240)
            try:
                connection.request("POST", PATH, FLOWERS, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                self.statuses[response.status] += 1
            except (OSError, http.client.HTTPException):
                self.statuses[0] += 1
            finally:
                connection.close()
            self._stop.wait(0.05)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(250)

    def summary(self) -> str:
        """The number of requests, as a phrase. Raises StoryError if one failed: an update must fail no request."""
        failed = {status: count for status, count in self.statuses.items() if status != 200}
        if failed:
            raise StoryError(f"requests failed during the update: {failed}")
        return f"{sum(self.statuses.values()):,} requests in that time, 0 failed"


def await_no_pods(*, show: bool = True) -> float:
    """Waits until the endpoint has no pod. Returns the seconds that it took."""
    return shell(f"kubectl wait {PODS} --for=delete --timeout=180s", show=show)[1]


def response_lines(more: str = "") -> list[str]:
    """Requests a prediction; prints and returns its status line, the headers that matter, its body and the time.

    `more`: the name of another header to show, and a `|` after it.
    """
    out, _ = shell(f"curl -s -D - -w '\\n%{{time_total}} s in total\\n' {REQUEST}", output=False)
    pattern = rf"HTTP/|x-kindler|{more}[{{\[]|[\d.]+ s"
    lines = [line for line in out.splitlines() if re.match(pattern, line, re.IGNORECASE)]
    say("  " + "\n  ".join(lines))
    return lines


def clean() -> None:
    """Removes the objects that an earlier, interrupted run left."""
    say(
        "Removes iris, iris-bigger and iris-broken of an earlier run, and waits until their pods are gone (up to 90 s)."
    )
    shell("kubectl delete kep,kepc,kmodel iris iris-bigger iris-broken --ignore-not-found", show=False)
    await_no_pods(show=False)


def three_manifests() -> None:
    title("1. Three manifests: which model, how much memory and concurrency, and the endpoint's name")
    shell("kubectl apply -f examples/iris/")
    _, seconds = shell("kubectl wait kep/iris --for=condition=Ready --timeout=180s")
    say(f"In service after {seconds:.1f} s: one pod has started and responded to /ping.")


def prediction() -> None:
    title("2. A prediction")
    shell(f"curl -s {REQUEST}")
    _, seconds = shell(f"curl -s -o /dev/null {REQUEST}", show=False)
    say(
        f"Two flowers: a setosa and a virginica. A second request took {1000 * seconds:.0f} ms, with the start of curl."
    )


def scale_to_zero() -> None:
    title("3. Without requests the endpoint scales to zero: no pod runs")
    seconds = await_no_pods()
    say(f"The last pod was gone {seconds:.1f} s later, because idleTimeoutInSeconds is 10 here.")
    say("The endpoint stays in service. Its status counts pods again after 10 s at most:")
    counted = "{.status.productionVariants[0].demandInstanceCount}"
    shell(f"kubectl wait kep/iris --for=jsonpath='{counted}'=0 --timeout=30s", show=False)
    shell("kubectl get kep iris")


def cold_start() -> None:
    title("4. A request at zero: it is held, a pod starts, and the response shows where the time went")
    lines = response_lines(more="server-timing|")
    timing = "".join(line for line in lines if line.lower().startswith("server-timing"))
    durations = dict(re.findall(r"(\w+);dur=([\d.]+)", timing))
    reached = (f" · {phase} {float(durations[name]):.0f}" for name, phase in PHASES.items() if name in durations)
    say("request 0 ms" + "".join(reached))


def provisioned() -> None:
    title("5. Provisioned concurrency: the first request without a cold start")
    shell("kubectl apply -f hack/demo/provisioned.yaml")
    current = "{.status.productionVariants[0].currentServerlessConfig.provisionedConcurrency}"
    _, seconds = shell(f"kubectl wait kep/iris --for=jsonpath='{current}'=1 --timeout=120s")
    say(f"One warm pod is ready after {seconds:.1f} s; a HorizontalPodAutoscaler keeps the number between 1 and 3.")
    say("The other pod, which the request before started, is removed when it is idle. The warm pod stays:")
    shell(f"kubectl wait {PODS},serving.kindler.dev/pool=demand --for=delete --timeout=180s", show=False)
    if any("x-kindler-cold-start" in line.lower() for line in response_lines()):
        raise StoryError("the first request had a cold start, although a pod is warm")
    shell("kubectl get hpa iris-warm")
    shell("kubectl apply -f examples/iris/endpoint.yaml")


def throttle() -> None:
    title("6. Thirty requests at once, from zero again, at maxConcurrency 5: five are served, the rest is throttled")
    await_no_pods(show=False)
    curl = f"curl -s -o /dev/null -w '%{{http_code}} %{{time_total}}\\n' {REQUEST}"
    out, _ = shell(f"seq 30 | xargs -P 30 -I + {curl}", output=False)
    times: dict[str, list[float]] = {}
    for code, seconds in (line.split() for line in out.splitlines()):
        times.setdefault(code, []).append(float(seconds))
    for code, what in (("200", "served"), ("429", "throttled")):
        found = sorted(times.get(code, [0.0]))
        say(f"  {len(times.get(code, [])):2} × {code} {what:9}  after {found[0]:.3f} to {found[-1]:.3f} s")
    if {code: len(found) for code, found in times.items()} != {"200": 5, "429": 25}:
        raise StoryError(f"expected 5 of 30 requests served and 25 throttled: {times}")
    say("Five requests started one pod each, all at the same time. With few cores this takes longer than one start.")


def update() -> None:
    title("7. More memory, while four clients send requests without a pause")
    with Load(4) as load:
        shell("kubectl apply -f hack/demo/bigger.yaml")
        shell("""kubectl patch kep iris --type=merge -p '{"spec":{"endpointConfigName":"iris-bigger"}}'""")
        switched = "--for=jsonpath='{.status.endpointConfigName}'=iris-bigger"
        _, seconds = shell(f"kubectl wait kep/iris {switched} --timeout=180s")
        shell("kubectl wait kep/iris --for=condition=Ready --timeout=180s")
    say(f"Switched after {seconds:.1f} s, when enough bigger pods were ready: {load.summary()}.")
    shell("kubectl get kep iris")


def broken_update() -> None:
    title("8. An update that cannot work: the old pods serve on, and the status gives the reason")
    with Load(2) as load:
        shell("kubectl apply -f hack/demo/broken.yaml")
        shell("""kubectl patch kep iris --type=merge -p '{"spec":{"endpointConfigName":"iris-broken"}}'""")
        shell("kubectl wait kep/iris --for=condition=Stalled --timeout=180s")
        reason = '{.status.endpointStatus}{"\\n"}{.status.failureReason}{"\\n"}'
        shell(f"kubectl get kep iris -o jsonpath='{reason}'")
    say(f"Served by the old pods: {load.summary()}.")


def delete() -> None:
    title("9. Delete: everything is removed")
    shell("kubectl delete kep,kepc,kmodel iris iris-bigger iris-broken --ignore-not-found")
    await_no_pods()
    shell("kubectl get replicasets,controllerrevisions,services,pods -l serving.kindler.dev/endpoint=iris")


def what_next() -> None:
    title("What to try next")
    say(f"""The cluster is still up. `make shell` opens a shell in which kubectl, helm and curl reach it:

  kubectl apply -f examples/iris/
  kubectl wait kep/iris --for=condition=Ready --timeout=180s
  curl -s {REQUEST}
  kubectl get kindler
  kubectl describe kep iris
  kubectl apply -f examples/provisioned/target.yaml && kubectl get kep,hpa
  kubectl explain kepc.spec.productionVariants.serverlessConfig

Your own model: any image that responds to GET /ping and POST /invocations on port 8080 (docs/getting-started.md).
`make down` removes everything.""")


CHAPTERS = (
    *(three_manifests, prediction, scale_to_zero, cold_start, provisioned),
    *(throttle, update, broken_update, delete, what_next),
)


def main() -> None:
    try:
        clean()
        for chapter in CHAPTERS:
            chapter()
    except StoryError as error:
        sys.exit(f"✗ {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped. `make demo` starts from the beginning; `make down` removes everything")


if __name__ == "__main__":
    main()
