"""Values and functions that all decisions share: pods, pools, blockers, deadlines, timestamps and rate limits.

Belongs here: code that at least two packages of core use. Does not belong here: decisions of one package.
"""
