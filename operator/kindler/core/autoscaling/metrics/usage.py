"""The use of an endpoint in the last minute, from what all activators report about once a second.

The result is exact, or it is "no data" with the reason. It is never 0 for "unknown". Counts of activators only grow
(api/stats.py), so nothing is lost if a response is missing: the next response contains what happened in the meantime.
The counts at the start of the minute are:

    the activator reported at that time                         as reported
    it was not queried, or was silent, for a few seconds        interpolated between the readings before and after
    the endpoint, or this run of the activator, began later     0
    it has counted nothing so far                               0
    else (sampling began later, or it was silent for long)      not known: no data until a whole minute was sampled

The counts of several activators are added, because each one counts only the requests that it admitted itself. An
activator that does not exist any more counts with its last report. If an activator is listed but does not respond, and
its last report says that it admits requests for the endpoint, it may still admit requests. Then the result is "no
data", unless another activator has taken over in the meantime.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kindler.api.stats import EndpointStats, Stats, Totals
from kindler.core.autoscaling.metrics.track import MAX_GAP_SECONDS, ZERO, Track, add_totals, subtract

WINDOW: Final = 60.0  # seconds that a metric covers, from the newest sample that is at least this old
STALE_SECONDS: Final = 5.0  # a response of this age does not describe the current state any more


@dataclass(frozen=True, slots=True)
class NoData:
    """The use or the metric cannot be read. `reason`: why, as a sentence for a person.

    The sentence contains no numbers, because it becomes part of a condition, and each change of a condition is a write.
    `retry_soon`: True if activators respond, but no activator knows the endpoint yet. The next sample may contain it.
    """

    reason: str
    retry_soon: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """One endpoint's last minute. `load`: executions and held requests on average.

    `highest`, `lowest`: the highest and lowest sampled load. `increase`: what was added to the counts. `allocated`: how
    many requests the current warm pods can run together.
    """

    load: float
    highest: int
    lowest: int
    increase: Totals
    allocated: int


@dataclass(slots=True)
class _Replica:
    """An activator. `listed`: when it was last listed. `responded`: when it last responded; None: never.

    `started`: the current run of the activator began after this time.
    """

    listed: float
    started: float
    boot: str = ""
    responded: float | None = None


@dataclass(slots=True)
class _Endpoint:
    """What all activators reported of one endpoint, by (activator, boot)."""

    tracks: dict[tuple[str, str], Track] = field(default_factory=dict)


class Window:
    """The use of all endpoints with a warm pool in the last minute. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._sampled: list[float] = []
        self._replicas: dict[str, _Replica] = {}
        self._endpoints: dict[str, _Endpoint] = {}

    @property
    def last(self) -> float:
        """When activators were last sampled; minus infinity before the first sample."""
        return self._sampled[-1] if self._sampled else -math.inf

    @property
    def endpoints(self) -> int:
        """How many endpoints are tracked."""
        return len(self._endpoints)

    # Methods that add samples

    def add(self, sample: Iterable[tuple[str, Stats | None]], now: float) -> None:
        """Adds a sample: what each listed activator reported (None: it did not respond)."""
        before = self.last
        for name, stats in sample:
            replica = self._replicas.get(name)
            if replica is None:
                # The activator was not listed in the last sample, so it started after that sample.
                replica = self._replicas[name] = _Replica(now, before)
            replica.listed = now
            if stats is not None:
                self._add_stats(name, replica, stats, now)
        self._sampled.append(now)
        self._prune(now)

    def _add_stats(self, name: str, replica: _Replica, stats: Stats, now: float) -> None:
        if replica.responded is not None and replica.boot != stats.boot:
            replica.started = replica.responded
        replica.boot, replica.responded = stats.boot, now
        for reported in stats.endpoints.values():
            if reported.totals is not None:
                self._add_endpoint(name, replica, reported, reported.totals, now)

    def _add_endpoint(self, name: str, replica: _Replica, reported: EndpointStats, totals: Totals, now: float) -> None:
        endpoint = self._endpoints.get(reported.uid)
        if endpoint is None:
            endpoint = self._endpoints[reported.uid] = _Endpoint()
        track = endpoint.tracks.get((name, replica.boot))
        if track is None or track.restarts(totals):
            started = replica.started if track is None else track.last.at
            if track is not None:  # the counts restarted in the same run: keep the earlier counts
                track.ended = now
                endpoint.tracks[name, f"{replica.boot} until {now}"] = track
            track = endpoint.tracks[name, replica.boot] = Track(started)
        track.add(now, reported, totals)

    def _prune(self, now: float) -> None:
        horizon = now - WINDOW - MAX_GAP_SECONDS
        del self._sampled[: bisect_right(self._sampled, horizon)]
        for name in [name for name, replica in self._replicas.items() if replica.listed < horizon]:
            del self._replicas[name]
        for uid, endpoint in list(self._endpoints.items()):
            for key, track in list(endpoint.tracks.items()):
                track.forget(horizon)
                if track.ended is None and not self._is_reported(key, track, now):
                    track.ended = now
                if track.last.at < horizon and track.ended is not None:
                    del endpoint.tracks[key]
            if not endpoint.tracks:
                del self._endpoints[uid]

    def _is_reported(self, key: tuple[str, str], track: Track, now: float) -> bool:
        """Whether the activator is listed and, if it responded now, reported the endpoint in the same run."""
        replica = self._replicas.get(key[0])
        return replica is not None and replica.listed == now and (replica.responded != now or track.last.at == now)

    # Methods that return results

    def load_seconds(self, uid: str) -> float:
        """The load seconds that activators have counted for an endpoint, in total.

        If the number changes, the endpoint is or was in use.
        """
        endpoint = self._endpoints.get(uid)
        return sum(track.last.totals.load_seconds for track in endpoint.tracks.values()) if endpoint else 0.0

    def usage(self, uid: str, age: float, now: float) -> Usage | NoData:
        """The last minute of an endpoint that was created `age` seconds ago.

        An age below -STALE_SECONDS was computed with a clock that differs from ours. Then the time of creation is not
        known.
        """
        end = self.last
        if age < -STALE_SECONDS:
            age = math.inf
        if now - end > STALE_SECONDS:
            return NoData("no activator has been asked yet" if end == -math.inf else "activators cannot be asked")
        endpoint = self._endpoints.get(uid)
        if endpoint is None:
            return NoData(
                self._no_owner(end), retry_soon=any(replica.responded == end for replica in self._replicas.values())
            )
        tracks = endpoint.tracks
        if (reason := self._unknown_owner(tracks, end)) is not None:
            return NoData(reason)
        start = next((time for time in reversed(self._sampled) if end - time >= WINDOW), end - WINDOW)
        load, increase = 0.0, ZERO
        for track in tracks.values():
            first = track.at(start, now - age)
            if first is None:
                return NoData("it is being measured, and a whole minute has not been seen yet")
            added = subtract(track.last.totals, first)
            load += added.load_seconds / ((track.last.at if end - track.last.at <= STALE_SECONDS else end) - start)
            increase = add_totals(increase, added)
        levels = self._levels(tracks.values(), start)
        allocated = max((t.allocated for t in tracks.values() if t.ended is None and t.owned is not None), default=0)
        return Usage(load, max(levels), min(levels), increase, allocated)

    def _levels(self, tracks: Iterable[Track], start: float) -> list[int]:
        times = self._sampled[bisect_right(self._sampled, start) :]
        return [sum(simultaneous) for simultaneous in zip(*(track.levels(times) for track in tracks), strict=True)]

    def _unknown_owner(self, tracks: dict[tuple[str, str], Track], end: float) -> str | None:
        """Why the reports may be incomplete; None if they are complete.

        Either no activator that admits requests for the endpoint responded, or an activator that admitted requests
        before does not respond now.
        """
        owners = [(key[0], track) for key, track in tracks.items() if track.ended is None and track.owned is not None]
        newest_owner = max(
            (track.owned or 0.0 for _, track in owners if end - track.last.at <= STALE_SECONDS), default=None
        )
        for name, track in owners:
            if end - track.last.at > STALE_SECONDS and (newest_owner is None or newest_owner <= track.last.at):
                return f"activator {name}, which serves it, does not answer"
        return None if newest_owner is not None else self._no_owner(end)

    def _no_owner(self, end: float) -> str:
        listed = {name: replica for name, replica in self._replicas.items() if replica.listed == end}
        unresponsive = [
            name
            for name, replica in listed.items()
            if replica.responded is None or end - replica.responded > STALE_SECONDS
        ]
        if unresponsive:
            return f"activator {unresponsive[0]} does not answer"
        return "no activator serves a warm pool of it yet" if listed else "no activator runs"
