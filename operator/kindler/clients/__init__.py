"""Clients of everything outside the process: the cluster's API, informers, the Lease, the activators' statistics.

Belongs here: one file for each system outside the process. Only this package imports `kubernetes`. Does not belong
here: decisions.
"""
