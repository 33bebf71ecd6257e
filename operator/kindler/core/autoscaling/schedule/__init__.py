"""When a scheduled action acts: at(...), rate(...) and cron(...) expressions.

Belongs here: how to parse a schedule and find its timestamps. Does not belong here: how an action changes the bounds
(core.autoscaling.bounds).
"""
