"""How long the first request waits when no pod runs, for three ways to run the same pod.

server/ holds the model server that is measured. Not here: the warm path (bench/warm).
"""
