"""What `make demo` shows: the life of one endpoint (story.py), with the manifests that its chapters apply.

Not here: the start of the cluster and the installation of Kindler (install.py), and manifests for users (examples/).
"""
