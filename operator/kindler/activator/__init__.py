"""The data plane: what happens to one request (route, admit, hold, scale up from zero, place, forward, count).

    process                                        starts and drains the process
    router  ownership  peer  admin                 which endpoint a request names, who owns it, the two internal ports
    metrics  accesslog                             the metrics, and the access log, which observes requests
    cluster                                        reads from the cluster and writes to it
    wire                                           reads and writes HTTP, and owns the connections
    endpoint                                       the state of one endpoint

Does not belong here: decisions (core), the specs of pods (controller and core), requests to Kubernetes (clients).
"""
