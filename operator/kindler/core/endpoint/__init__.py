"""What the controller decides about one Endpoint: references, revisions, rollout, writes, status and Events.

Belongs here: functions of `Observed`, the state of one Endpoint that was read once. Does not belong here: how to read
that state or to carry out the writes (controller), and how many warm pods must exist (core.autoscaling).

    values         state, actions, revision (PodShape, Limits), reported (reads a status back)
    decide         rollout composes serving, attempts, warmpool, desiredpools, revisionhistory, draining,
                   availability and digest
    write          plan (in which order), with manifests (objects) and podspec
    report         status from statusrow and variants; statusdiff, events, acceptance
    read           references

Decisions do not import each other: `rollout.decide` calls them and passes values from one to the next.
"""
