"""What `make demo` shows: the life of one endpoint (story.py), with the manifests that its chapters apply.

Not here: how the cluster and Kindler get there (install.py), and manifests for users (examples/).
"""
