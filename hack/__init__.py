"""What Kindler is developed with: a kind cluster, images, tests, the demo, generated files and measurements.

`make` calls `python3 -m hack COMMAND`; `__main__` lists the commands. A machine with Docker and a reachable image
registry uses these modules, from the highest layer to the lowest:

    __main__                      the commands
    suite, install, demo/         what check, test, journeys and demo do
    generate, reference           CRDs and reference pages, from the models
    cluster, registry, images     kind cluster, image registries next to it, our images; settings in kindconfig
    engine, docker, builder       the Docker engine, and `docker build`
    toolbox                       kind, kubectl and helm, built from pinned Go modules
    leftovers, archive            removal of what killed commands left; container images from files
    paths, steps, lock, shell     folders, progress lines, locks, child processes
    devenv                        the virtual environment
    kubeapi, aggregated           a small Kubernetes client and a foreign metrics server, for journeys and benchmarks

    bench/      measurements: cold start, warm path, the HPA compared with AWS's rule, simulation, campaign
    sandbox/    what replaces Docker or the registry on a machine without them; only engine.py imports it

This package contains what a developer or CI runs. It contains no tests (tests/) and nothing that the product imports.

Import-linter checks these rules: the layers above; `kindler` never imports `hack`; only engine.py imports sandbox;
`__main__` and all that it imports need only the standard library, because it runs before the environment exists.
"""
