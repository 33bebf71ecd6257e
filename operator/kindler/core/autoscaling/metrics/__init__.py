"""Which load a scaling policy sees, and by which metrics API the HPA reads it.

Belongs here: metrics from the activators' statistics, queries for metrics of others, the choice of the APIService.
Does not belong here: requests to anybody (clients) and the answer of the metrics server (kindler.metrics).
"""
