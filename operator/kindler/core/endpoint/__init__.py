"""What the controller decides about one Endpoint: references, revisions, rollout, writes, status and Events.

Belongs here: functions of `Observed`, the state of one Endpoint that was read once. Does not belong here: how to read that state or to carry out
the writes (controller), and how many warm pods there should be (core.autoscaling).
"""
