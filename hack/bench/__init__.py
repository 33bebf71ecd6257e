"""Measurements. They are not tests: they print figures, and most of them write the figures as JSON and as plots.

    coldstart/      how long the first request waits when no pod runs
    warm/           requests per second through the activator
    hpa/            the real HPA compared with the rule that AWS documents
    simulate/       a day of requests in virtual time, for ways to provision concurrency
    campaign        runs that take too long for CI
    scaling_plot    the figure of a warm pool that follows its load
    plotting        what all figures have in common
    commands        the commands behind `make bench-…`, `make campaign` and `make simulate`
    tools           the benchmarks' own programs in Go

This package contains what measures or compares. It contains nothing that a test or the cluster needs. `commands` and
`tools` use only the standard library; all other modules run in `.venv`.
"""
