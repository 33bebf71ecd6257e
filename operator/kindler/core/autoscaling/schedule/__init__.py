"""When a scheduled action acts: at(...), rate(...) and cron(...) expressions.

Belongs here: parsing a schedule and finding its timestamps. Does not belong here: what an action does to the bounds
(core.autoscaling.bounds).
"""
