"""What the activator decides about one request and its pods.

Belongs here: address, admission, placement, scaling up and down, outlier detection. Does not belong here: bytes, connections, tasks (activator).
"""
