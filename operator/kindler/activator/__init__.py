"""The data plane: what happens to one request (route, admit, hold, scale up from zero, place, forward, count).

    process                                        starts and drains the process
    router  ownership  peer  admin                 which endpoint a request names, who owns it, the two inner ports
    metrics  accesslog                             what observers of requests publish
    cluster                                        what is read from and written to the cluster
    wire                                           bytes and connections
    endpoint                                       the state of one endpoint

Does not belong here: decisions (core), the specs of pods (the controller, through core), Kubernetes calls (clients).
"""
