"""The ground that Kindler is developed on: tools, a container engine, a kind cluster, a local registry, images. Standard library only.

`python3 -m hack COMMAND` (see `__main__`), which `make` calls. Nobody else needs to know whether the engine and the node image are the machine's or were
made here: `cluster.up`, `cluster.down`, `images.load` and `cluster.run` are the whole interface.
"""
