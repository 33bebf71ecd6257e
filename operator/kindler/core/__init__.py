"""Decisions: pure functions of frozen values, with `now` as an argument.

Belongs here: every rule that can be stated without I/O. Does not belong here: I/O, await, clocks, random numbers,
logging, any client.

    endpoint      what the controller decides about one Endpoint
    autoscaling   how provisioned concurrency scales: entries, bounds, schedules, metrics, the HPA
    dataplane     what the activator decides about one request and its pods
    common        values and functions that these three packages share

Imports run in one direction: endpoint -> autoscaling | dataplane -> common. import-linter checks it.
"""
