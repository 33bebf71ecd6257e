"""What all decisions share: pods in words, pools, blockers, timestamps, rate limits.

Belongs here: values and functions that two of the other rooms of core use. Does not belong here: decisions of one room.
"""
