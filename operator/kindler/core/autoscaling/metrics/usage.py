"""How an endpoint was used in the last minute, from what all activators told, about once a second: exact, or no data and why, never 0 for "unknown".

Counts of activators only grow (api/stats.py), so a missed answer hides nothing: the next one tells what happened meanwhile. Where the minute begins:

    an activator told its counts just then                    these
    it was not asked, or did not answer, for a few seconds    between the readings before and after
    the endpoint, or the activator's life, began later        0
    it has counted nothing so far                             0
    else (we began to look later; it was silent for long)     not known: no data until a whole minute was seen

Several activators are summed: each counts what it admitted itself. One that is gone counts with what it told last. One that is listed and silent, and by its
last word admitted for the endpoint, may do so still: no data, unless another has taken over since.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kindler.api.stats import EndpointStats, Stats, Totals
from kindler.core.autoscaling.metrics.track import WIDEST, ZERO, Track, minus, plus

WINDOW: Final = 60.0  # seconds of a metric: the last round at least so long ago is where it begins
STALE: Final = 5.0  # seconds after which an answer says nothing of now


@dataclass(frozen=True, slots=True)
class NoData:
    """`reason`: a sentence for a person, without numbers: conditions hold it, and each change of these is a write.

    `early`: activators answer, none knows the endpoint, and one may when they are asked again.
    """

    reason: str
    early: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """One endpoint's last minute. `load`: executions and held requests on average; `highest`, `lowest`: the same as sampled. `done`: what was added.

    `allocated`: requests that the standing warm pods take together, now.
    """

    load: float
    highest: int
    lowest: int
    done: Totals
    allocated: int


@dataclass(slots=True)
class _Replica:
    """An activator. `listed`: the last round in which it was there. `heard`: when it last answered, None: never. `born`: its life began after this moment."""

    listed: float
    born: float
    boot: str = ""
    heard: float | None = None


@dataclass(slots=True)
class _Endpoint:
    """What all activators told of it, by (activator, its life)."""

    tracks: dict[tuple[str, str], Track] = field(default_factory=dict)


class Window:
    """The last minute of all endpoints with a warm pool. Moments are seconds of one clock that never goes back."""

    def __init__(self) -> None:
        self._rounds: list[float] = []
        self._replicas: dict[str, _Replica] = {}
        self._endpoints: dict[str, _Endpoint] = {}

    @property
    def last(self) -> float:
        """When activators were last asked; minus infinity before."""
        return self._rounds[-1] if self._rounds else -math.inf

    @property
    def endpoints(self) -> int:
        """How many are followed."""
        return len(self._endpoints)

    # Hearing

    def add(self, told: Iterable[tuple[str, Stats | None]], now: float) -> None:
        """Takes what each listed activator told (None: it did not answer)."""
        before = self.last
        for name, stats in told:
            known = self._replicas.get(name)
            if known is None:
                known = self._replicas[name] = _Replica(
                    now, before
                )  # who was not there in the last round has begun since
            known.listed = now
            if stats is not None:
                self._hear(name, known, stats, now)
        self._rounds.append(now)
        self._tidy(now)

    def _hear(self, name: str, replica: _Replica, stats: Stats, now: float) -> None:
        if replica.heard is not None and replica.boot != stats.boot:
            replica.born = replica.heard
        replica.boot, replica.heard = stats.boot, now
        for told in stats.endpoints.values():
            if told.totals is not None:
                self._take(name, replica, told, told.totals, now)

    def _take(self, name: str, replica: _Replica, told: EndpointStats, totals: Totals, now: float) -> None:
        endpoint = self._endpoints.get(told.uid)
        if endpoint is None:
            endpoint = self._endpoints[told.uid] = _Endpoint()
        track = endpoint.tracks.get((name, replica.boot))
        if track is None or track.restarts(totals):
            born = replica.born if track is None else track.last.at
            if track is not None:  # it counts anew in the same life: what it counted before stays ours to know
                track.ended = now
                endpoint.tracks[name, f"{replica.boot} until {now}"] = track
            track = endpoint.tracks[name, replica.boot] = Track(born)
        track.add(now, told, totals)

    def _tidy(self, now: float) -> None:
        horizon = now - WINDOW - WIDEST
        del self._rounds[: bisect_right(self._rounds, horizon)]
        for name in [name for name, replica in self._replicas.items() if replica.listed < horizon]:
            del self._replicas[name]
        for uid, endpoint in list(self._endpoints.items()):
            for key, track in list(endpoint.tracks.items()):
                track.forget(horizon)
                if track.ended is None and not self._lives(key, track, now):
                    track.ended = now
                if track.last.at < horizon and track.ended is not None:
                    del endpoint.tracks[key]
            if not endpoint.tracks:
                del self._endpoints[uid]

    def _lives(self, key: tuple[str, str], track: Track, now: float) -> bool:
        """Whether the activator is there, and if it answered in this round, in this life, and told of the endpoint."""
        replica = self._replicas.get(key[0])
        return replica is not None and replica.listed == now and (replica.heard != now or track.last.at == now)

    # Answering

    def counted(self, uid: str) -> float:
        """What activators have counted of an endpoint, all told: another number means that it is, or was, in use."""
        endpoint = self._endpoints.get(uid)
        return sum(track.last.totals.load_seconds for track in endpoint.tracks.values()) if endpoint else 0.0

    def usage(self, uid: str, age: float, now: float) -> Usage | NoData:
        """The last minute of an endpoint that was created `age` seconds ago. One of the future was created by another clock, and says nothing of the past."""
        end = self.last
        if age < -STALE:
            age = math.inf
        if now - end > STALE:
            return NoData("no activator has been asked yet" if end == -math.inf else "activators cannot be asked")
        endpoint = self._endpoints.get(uid)
        if endpoint is None:
            return NoData(self._nobody(end), early=any(replica.heard == end for replica in self._replicas.values()))
        tracks = endpoint.tracks
        if (silence := self._silence(tracks, end)) is not None:
            return NoData(silence)
        begin = next((moment for moment in reversed(self._rounds) if end - moment >= WINDOW), end - WINDOW)
        load, done = 0.0, ZERO
        for track in tracks.values():
            first = track.at(begin, now - age)
            if first is None:
                return NoData("it is being measured, and a whole minute has not been seen yet")
            added = minus(track.last.totals, first)
            load += added.load_seconds / ((track.last.at if end - track.last.at <= STALE else end) - begin)
            done = plus(done, added)
        levels = self._levels(tracks.values(), begin)
        allocated = max((t.allocated for t in tracks.values() if t.ended is None and t.owned is not None), default=0)
        return Usage(load, max(levels), min(levels), done, allocated)

    def _levels(self, tracks: Iterable[Track], begin: float) -> list[int]:
        moments = self._rounds[bisect_right(self._rounds, begin) :]
        return [sum(at_once) for at_once in zip(*(track.levels(moments) for track in tracks), strict=True)]

    def _silence(self, tracks: dict[tuple[str, str], Track], end: float) -> str | None:
        """Why what was told may not be all: nobody who admits for the endpoint was heard now, or one who did was not."""
        owners = [(key[0], track) for key, track in tracks.items() if track.ended is None and track.owned is not None]
        fresh = max((track.owned or 0.0 for _, track in owners if end - track.last.at <= STALE), default=None)
        for name, track in owners:
            if end - track.last.at > STALE and (fresh is None or fresh <= track.last.at):
                return f"activator {name}, which serves it, does not answer"
        return None if fresh is not None else self._nobody(end)

    def _nobody(self, end: float) -> str:
        listed = {name: replica for name, replica in self._replicas.items() if replica.listed == end}
        silent = [name for name, replica in listed.items() if replica.heard is None or end - replica.heard > STALE]
        if silent:
            return f"activator {silent[0]} does not answer"
        return "no activator serves a warm pool of it yet" if listed else "no activator runs"
