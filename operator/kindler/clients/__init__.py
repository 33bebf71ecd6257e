"""How we see and touch the world: the cluster's API, informers, the Lease, the activators' statistics.

Lives here: one file per outside world; the only room that imports `kubernetes`. Must not live here: decisions.
"""
