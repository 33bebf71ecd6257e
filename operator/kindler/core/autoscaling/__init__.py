"""How the provisioned concurrency of one Endpoint scales.

Belongs here: which entry of spec.autoscaling applies, the bounds in force, the HPA and its rule, conditions, causes and
scaling activities. Does not belong here: the rollout of a revision (core.endpoint) and how loads are read (clients).

`decide` composes the decision. It calls the other modules of this package; none of them calls `decide`.
"""
