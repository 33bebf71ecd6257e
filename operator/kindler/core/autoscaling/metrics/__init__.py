"""The load that a scaling policy reads, and the metrics API through which the HPA reads it.

Belongs here: metrics from the activators' statistics, queries for foreign metrics, the choice of the APIService.
Does not belong here: requests (clients) and the responses of the metrics server (kindler.metrics).
"""
