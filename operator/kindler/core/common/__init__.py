"""What all decisions share: pods, pools, blockers, deadlines, timestamps and rate limits.

Belongs here: values and functions that at least two rooms of core use. Does not belong here: decisions of one room.
"""
