"""Whether this activator admits requests for an endpoint. The router checks it per request, `/stats` reports it.

Today one replica owns all endpoints. When several replicas share them, the decision belongs here and in no other
place. It must stay as cheap as a flag and a comparison. Does not belong here: how owners are agreed upon, and writes
to the cluster.
"""

from __future__ import annotations


class Ownership:
    """Which endpoints this replica admits requests for."""

    def owns(self, uid: str) -> bool:
        """True while this replica alone admits requests for the Endpoint with this uid. Today always True."""
        return True
