"""Which pod takes the next request."""

from __future__ import annotations

from dataclasses import dataclass

from kindler.core.dataplane.placement import Placement


@dataclass(eq=False)
class FakeBackend:
    name: str
    in_use: int = 0


def backends(
    per_instance: int, warm: str = "", demand: str = ""
) -> tuple[Placement[FakeBackend], dict[str, FakeBackend]]:
    placement: Placement[FakeBackend] = Placement(per_instance)
    all_backends = {name: FakeBackend(name) for name in warm + demand}
    for name in warm + demand:
        placement.add(all_backends[name], warm=name in warm)
    return placement, all_backends


def taken(placement: Placement[FakeBackend], times: int) -> str:
    return "".join(backend.name if (backend := placement.take()) else "-" for _ in range(times))


def test_warm_pods_come_first_and_each_takes_one_request() -> None:
    placement, _ = backends(1, warm="ab", demand="xy")

    assert set(taken(placement, 2)) == {"a", "b"}
    assert set(taken(placement, 2)) == {"x", "y"}
    assert taken(placement, 1) == "-"


def test_the_most_recently_used_pod_comes_first_so_that_the_others_become_idle() -> None:
    placement, all_backends = backends(1, demand="xyz")
    assert sorted(taken(placement, 3)) == ["x", "y", "z"]
    for name in "yzx":
        placement.give_back(all_backends[name])

    for _ in range(3):
        assert taken(placement, 1) == "x"
        placement.give_back(all_backends["x"])
    assert taken(placement, 3) == "xzy"


def test_a_new_pod_is_used_last() -> None:
    placement, _ = backends(1, demand="x")
    placement.add(FakeBackend("new"), warm=False)

    assert taken(placement, 2) in ("xnew", "x" + "new")


def test_a_pod_takes_up_to_the_limit_per_instance_before_the_next_one_is_used() -> None:
    placement, all_backends = backends(3, demand="xy")
    first = taken(placement, 1)

    assert taken(placement, 2) == first * 2
    other = "y" if first == "x" else "x"
    assert taken(placement, 4) == other * 3 + "-"
    placement.give_back(all_backends[first])
    assert taken(placement, 2) == first + "-"


def test_a_removed_pod_takes_no_request_and_those_in_it_stay_counted() -> None:
    placement, all_backends = backends(2, demand="x")
    assert taken(placement, 1) == "x"
    placement.remove(all_backends["x"])
    placement.remove(all_backends["x"])

    assert taken(placement, 1) == "-"
    placement.add(all_backends["x"], warm=False)
    assert taken(placement, 2) == "x-", "one of its two slots is still in use"
    placement.remove(all_backends["x"])
    placement.give_back(all_backends["x"])
    assert taken(placement, 1) == "-", "give_back does not add a removed pod again"
    assert all_backends["x"].in_use == 1


def test_a_full_pod_that_is_added_again_has_no_free_slot() -> None:
    placement, all_backends = backends(1)
    all_backends["x"] = FakeBackend("x", in_use=1)
    placement.add(all_backends["x"], warm=True)

    assert taken(placement, 1) == "-"
    assert placement.room(warm=True) == 0
    placement.give_back(all_backends["x"])
    assert placement.room(warm=True) == 1
    assert taken(placement, 1) == "x"


def test_the_limit_per_instance_may_change_at_any_time() -> None:
    placement, all_backends = backends(2, warm="a", demand="x")
    assert taken(placement, 4) in ("aaxx", "aax" + "x")
    placement.limit(1)
    placement.give_back(all_backends["a"])
    assert taken(placement, 1) == "-", "one request is still in it, and the limit is one now"
    placement.limit(3)
    assert placement.room(warm=True) == 2
    assert placement.room(warm=False) == 1
    assert taken(placement, 4) == "aax-"
