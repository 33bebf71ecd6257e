"""Whether this activator admits requests for an endpoint. The router checks it, and `/stats` reports it.

Today one replica owns all endpoints. If several replicas share the endpoints in the future, the decision belongs here
and in no other place. It must stay cheap, because the router needs it while a request waits. Does not belong here: how
replicas agree on the owner of an endpoint, and writes to the cluster.
"""

from __future__ import annotations


class Ownership:
    """The endpoints for which this replica admits requests."""

    def owns(self, uid: str) -> bool:
        """True while only this replica admits requests for the Endpoint with this uid. Today always True."""
        return True
