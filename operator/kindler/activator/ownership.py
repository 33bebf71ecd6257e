"""Does this replica own an endpoint? Asked in this one place, on every request: a flag and a comparison, no more.

One replica owns all. Sharing among replicas will answer here and nowhere else.
"""

from __future__ import annotations


class Ownership:
    """Which endpoints this replica admits for."""

    def owns(self, uid: str) -> bool:
        """True while this replica alone admits for the endpoint with this uid."""
        return True
