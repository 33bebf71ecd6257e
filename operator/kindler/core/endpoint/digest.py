"""Resolves the tag of an image to a digest once per revision. So a revision never has two versions of an image."""

from __future__ import annotations

from kindler.core.endpoint.state import Observed, ResolvedImage, StoredRevision


def resolved_image(observed: Observed, stored: StoredRevision, pin: bool) -> ResolvedImage | None:
    """The stored digest, else the digest of the first Ready pod of the revision. None if there is no digest yet.

    A digest counts only if the runtime reports the repository that the user named. `pin`: pin new pods to the digest.
    """
    image = stored.pod_spec["containers"][0]["image"]
    if stored.resolved or "@" in image:
        return stored.resolved
    for pool in observed.pools:
        for facts in observed.of(pool):
            repository, at, digest = facts.image_id.rpartition("://")[2].partition("@")
            if (
                pool.revision == stored.revision
                and facts.ready
                and at
                and _repository(repository) == _repository(image)
            ):
                return ResolvedImage(f"{_without_tag(image)}@{digest}", int(observed.now), pin)
    return None


def _without_tag(image: str) -> str:
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]


def _repository(image: str) -> str:
    """The full name of the repository, as runtimes report it. For iris:1 it is docker.io/library/iris."""
    bare = _without_tag(image)
    first, slash, _ = bare.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return bare
    return f"docker.io/{bare}" if slash else f"docker.io/library/{bare}"
