"""A day of requests through one endpoint, in virtual time: what each way to provision concurrency costs and saves.

    trace     when requests arrive and how long they take: a made-up day, or a CSV file
    world     pods, requests and the clock; the decisions are the product's own (kindler.core)
    arms      the ways to provision that are compared
    report    table, JSON and figure

`make simulate` runs `__main__`; `python3 -m hack simulate --help` lists the options. docs/provisioned-concurrency.md
explains the numbers. Not here: anything that needs a cluster.
"""
