"""What replaces Docker or an image registry on a machine that lacks them, for example a CI job in a container.

    dockerd      a Docker engine from Debian packages, in its own network, mount and process namespaces
    machine      Debian packages, and the machine's settings that the engine changes and restores
    network      the pods' network, and routes to it
    nodeimage    the image of the cluster's nodes, built from Debian packages, kind's files and our programs
    nodetools    those programs, built from Go modules (tools/)
    debian       root file systems from Debian packages
    pythonbase   the base of our images, made of such a file system
    buildah      builds images without Docker

A machine with Docker and a reachable registry does not use this package, and code that such a machine needs does not
belong here. Only hack/engine.py imports this package. Standard library only: it runs before the virtual environment
exists.
"""
