"""The story that `make demo` tells, on a cluster where Kindler is installed: each line after a `$` is really run, each figure is this run's.

Runs inside the cluster's network, on the standard library alone.
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
    "ip": "IP",
    "started": "container started",
    "ping": "first ping",
}


class StoryError(Exception):
    """The story went another way than it should. The text says how."""


def title(text: str) -> None:
    line = f"── {text} " + "─" * max(2, 110 - len(text))
    print(f"\n\033[1m{line}\033[0m" if sys.stdout.isatty() else f"\n{line}", flush=True)


def say(text: str) -> None:
    print(text, flush=True)


def shell(line: str, *, show: bool = True, output: bool = True) -> tuple[str, float]:
    """Runs one line in a shell, showing it and what it says; returns that and the seconds it took. Raises StoryError when it fails."""
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
        raise StoryError(f"`{line}` ended with {done.returncode}:\n{done.stdout}")
    return done.stdout, seconds


class Load:
    """Clients that ask for predictions one after the other. A broken connection counts as status 0."""

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
                answer = connection.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
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

    def told(self) -> str:
        """Raises StoryError when a request failed: that is the promise."""
        failed = {status: count for status, count in self.statuses.items() if status != 200}
        if failed:
            raise StoryError(f"requests failed during the update: {failed}")
        return f"{sum(self.statuses.values()):,} requests meanwhile, 0 failed"


def asleep(*, show: bool = True) -> float:
    """Waits until no pod of the endpoint is left; returns the seconds."""
    return shell(f"kubectl wait {PODS} --for=delete --timeout=180s", show=show)[1]


def clean() -> None:
    """Removes what an earlier, interrupted story left."""
    shell("kubectl delete kep,kepc,kmodel iris iris-bigger iris-broken --ignore-not-found", show=False)
    asleep(show=False)


def three_manifests() -> None:
    title("1. Three manifests: what runs, how much of it, and its name")
    shell("kubectl apply -f examples/iris/")
    _, seconds = shell("kubectl wait kep/iris --for=condition=Ready --timeout=180s")
    say(f"In service after {seconds:.1f} s: one pod was started and has answered /ping.")


def prediction() -> None:
    title("2. A prediction")
    shell(f"curl -s {REQUEST}")
    _, seconds = shell(f"curl -s -o /dev/null {REQUEST}", show=False)
    say(f"Two flowers: a setosa and a virginica. Asked once more: {1000 * seconds:.0f} ms, curl's own start included.")


def sleep() -> None:
    title("3. Nobody asks: it sleeps, and no pod runs")
    say(
        f"The last pod is gone {asleep():.1f} s later: idleTimeoutInSeconds is 10 here. The endpoint stays in service (it counts pods every 10 s at most):"
    )
    shell(
        "kubectl wait kep/iris --for=jsonpath='{.status.productionVariants[0].demandInstanceCount}'=0 --timeout=30s",
        show=False,
    )
    shell("kubectl get kep iris")


def wake() -> None:
    title("4. A request at zero is held, a pod is started, and the answer tells where the time went")
    out, _ = shell(f"curl -s -D - -w '\\n%{{time_total}} s in all\\n' {REQUEST}", output=False)
    told = [
        line
        for line in out.splitlines()
        if re.match(r"HTTP/|x-kindler|server-timing|[{\[]|[\d.]+ s", line, re.IGNORECASE)
    ]
    say("  " + "\n  ".join(told))
    durations = dict(
        re.findall(r"(\w+);dur=([\d.]+)", "".join(line for line in told if line.lower().startswith("server-timing")))
    )
    say(
        "asked 0 ms"
        + "".join(f" · {word} {float(durations[name]):.0f}" for name, word in PHASES.items() if name in durations)
    )


def provisioned() -> None:
    title("5. Provisioned concurrency: the first request without a cold start")
    shell("kubectl apply -f hack/demo/provisioned.yaml")
    place = "{.status.productionVariants[0].currentServerlessConfig.provisionedConcurrency}"
    _, seconds = shell(f"kubectl wait kep/iris --for=jsonpath='{place}'=1 --timeout=120s")
    say(
        f"One place is warm after {seconds:.1f} s; the HorizontalPodAutoscaler keeps it between 1 and 3. The other pod goes to sleep, this one stays:"
    )
    shell(f"kubectl wait {PODS},serving.kindler.dev/pool=demand --for=delete --timeout=180s", show=False)
    out, _ = shell(f"curl -s -D - -w '\\n%{{time_total}} s in all\\n' {REQUEST}", output=False)
    told = [line for line in out.splitlines() if re.match(r"HTTP/|x-kindler|[{\[]|[\d.]+ s", line, re.IGNORECASE)]
    say("  " + "\n  ".join(told))
    if "x-kindler-cold-start" in out.lower():
        raise StoryError("the first request met a cold start")
    shell("kubectl get hpa iris-warm")
    shell("kubectl apply -f examples/iris/endpoint.yaml")


def throttle() -> None:
    title("6. Thirty requests at once, again from zero, at maxConcurrency 5: five are served, the rest is throttled")
    asleep(show=False)
    out, _ = shell(
        f"seq 30 | xargs -P 30 -I + curl -s -o /dev/null -w '%{{http_code}} %{{time_total}}\\n' {REQUEST}", output=False
    )
    times: dict[str, list[float]] = {}
    for code, seconds in (line.split() for line in out.splitlines()):
        times.setdefault(code, []).append(float(seconds))
    for code, what in (("200", "served"), ("429", "throttled")):
        found = sorted(times.get(code, [0.0]))
        say(f"  {len(times.get(code, [])):2} × {code} {what:9}  after {found[0]:.3f} to {found[-1]:.3f} s")
    if {code: len(found) for code, found in times.items()} != {"200": 5, "429": 25}:
        raise StoryError(f"not five of thirty were served: {times}")
    say(
        "Each of the five woke a pod of its own, all at the same moment: on few cores that takes longer than one alone."
    )


def update() -> None:
    title("7. A bigger tier, while four clients go on asking")
    with Load(4) as load:
        shell("kubectl apply -f hack/demo/bigger.yaml")
        shell("""kubectl patch kep iris --type=merge -p '{"spec":{"endpointConfigName":"iris-bigger"}}'""")
        _, seconds = shell(
            "kubectl wait kep/iris --for=jsonpath='{.status.endpointConfigName}'=iris-bigger --timeout=180s"
        )
        shell("kubectl wait kep/iris --for=condition=Ready --timeout=180s")
    say(f"Switched after {seconds:.1f} s, once as many bigger pods were ready as were needed: {load.told()}.")
    shell("kubectl get kep iris")


def broken_update() -> None:
    title("8. An update that cannot work: the old one serves on, and the status says why")
    with Load(2) as load:
        shell("kubectl apply -f hack/demo/broken.yaml")
        shell("""kubectl patch kep iris --type=merge -p '{"spec":{"endpointConfigName":"iris-broken"}}'""")
        shell("kubectl wait kep/iris --for=condition=Stalled --timeout=180s")
        shell('kubectl get kep iris -o jsonpath=\'{.status.endpointStatus}{"\\n"}{.status.failureReason}{"\\n"}\'')
    say(f"Served by the old one: {load.told()}.")


def delete() -> None:
    title("9. Delete, and everything is gone")
    shell("kubectl delete kep,kepc,kmodel iris iris-bigger iris-broken --ignore-not-found")
    asleep()
    shell("kubectl get replicasets,controllerrevisions,services,pods -l serving.kindler.dev/endpoint=iris")


def what_next() -> None:
    title("What to try next")
    say(f"""The cluster is still up. `make shell` opens a shell with kubectl, helm and curl as it needs them:

  kubectl apply -f examples/iris/
  kubectl wait kep/iris --for=condition=Ready --timeout=180s
  curl -s {REQUEST}
  kubectl get kindler
  kubectl describe kep iris
  kubectl apply -f examples/provisioned/target.yaml && kubectl get kep,hpa
  kubectl explain kepc.spec.productionVariants.serverlessConfig

Your own model: any image that answers GET /ping and POST /invocations on port 8080 (docs/getting-started.md). `make down` removes everything.""")


def main() -> None:
    try:
        clean()
        for chapter in (
            three_manifests,
            prediction,
            sleep,
            wake,
            provisioned,
            throttle,
            update,
            broken_update,
            delete,
            what_next,
        ):
            chapter()
    except StoryError as error:
        sys.exit(f"✗ {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; `make demo` starts the story again from its beginning, `make down` removes everything")


if __name__ == "__main__":
    main()
