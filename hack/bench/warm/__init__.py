"""The warm path: requests per second through the activator and a Go reverse proxy, in pairs on the same machine.

    __main__    runs both proxies and compares them
    serve       the activator's request path, with an endpoint of warm pods instead of a cluster
    go/         the Go reverse proxy, the model and the generator of load, in one program

`make bench-warm` runs `__main__`. Not here: cold starts (bench/coldstart).
"""
