"""A day of requests through one endpoint in virtual time: what provisioned concurrency of a fixed size, by target, by schedule and by both would cost and save.

    trace      when requests come and how long they take: a made-up day, or a CSV file of yours
    world      pods, requests and the clock, on the product's own decisions (kindler.core)
    arms       the ways to provision that are compared
    report     table, JSON and plot

`python3 -m hack simulate --help` tells the options, docs/provisioned-concurrency.md what to make of the numbers.
"""
