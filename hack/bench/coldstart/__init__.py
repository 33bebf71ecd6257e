"""How long the first request waits when no pod runs, for three ways to run the same pod.

    arms    the three ways, and one cold start of each
    plot    the figure
    server/ the model server that is measured

`make bench-coldstart` runs `__main__`. Not here: the warm path (bench/warm).
"""
