"""Which pod takes the next request."""

from __future__ import annotations

from dataclasses import dataclass

from kindler.core.dataplane.placement import Placement


@dataclass(eq=False)
class Chair:
    name: str
    in_use: int = 0


def backends(per_instance: int, warm: str = "", demand: str = "") -> tuple[Placement[Chair], dict[str, Chair]]:
    placement: Placement[Chair] = Placement(per_instance)
    chairs = {name: Chair(name) for name in warm + demand}
    for name in warm + demand:
        placement.add(chairs[name], warm=name in warm)
    return placement, chairs


def taken(placement: Placement[Chair], times: int) -> str:
    return "".join(backend.name if (backend := placement.take()) else "-" for _ in range(times))


def test_warm_pods_come_first_and_none_takes_more_than_one() -> None:
    placement, _ = backends(1, warm="ab", demand="xy")

    assert set(taken(placement, 2)) == {"a", "b"}
    assert set(taken(placement, 2)) == {"x", "y"}
    assert taken(placement, 1) == "-"


def test_the_most_recently_used_pod_comes_first_so_that_the_rest_grow_idle() -> None:
    placement, chairs = backends(1, demand="xyz")
    assert sorted(taken(placement, 3)) == ["x", "y", "z"]
    for name in "yzx":
        placement.give_back(chairs[name])

    for _ in range(3):
        assert taken(placement, 1) == "x"
        placement.give_back(chairs["x"])
    assert taken(placement, 3) == "xzy"


def test_a_newcomer_is_used_last() -> None:
    placement, _ = backends(1, demand="x")
    placement.add(Chair("new"), warm=False)

    assert taken(placement, 2) in ("xnew", "x" + "new")


def test_a_pod_takes_up_to_the_limit_per_instance_before_the_next_one_is_touched() -> None:
    placement, chairs = backends(3, demand="xy")
    first = taken(placement, 1)

    assert taken(placement, 2) == first * 2
    other = "y" if first == "x" else "x"
    assert taken(placement, 4) == other * 3 + "-"
    placement.give_back(chairs[first])
    assert taken(placement, 2) == first + "-"


def test_a_removed_pod_takes_nothing_and_what_is_in_it_stays_counted() -> None:
    placement, chairs = backends(2, demand="x")
    assert taken(placement, 1) == "x"
    placement.remove(chairs["x"])
    placement.remove(chairs["x"])

    assert taken(placement, 1) == "-"
    placement.add(chairs["x"], warm=False)
    assert taken(placement, 2) == "x-", "one of its two places is still in use"
    placement.remove(chairs["x"])
    placement.give_back(chairs["x"])
    assert taken(placement, 1) == "-", "giving back does not bring a removed pod back"
    assert chairs["x"].in_use == 1


def test_a_full_pod_that_comes_back_is_not_free() -> None:
    placement, chairs = backends(1)
    chairs["x"] = Chair("x", in_use=1)
    placement.add(chairs["x"], warm=True)

    assert taken(placement, 1) == "-"
    assert placement.room(warm=True) == 0
    placement.give_back(chairs["x"])
    assert placement.room(warm=True) == 1
    assert taken(placement, 1) == "x"


def test_the_limit_per_instance_may_change_under_way() -> None:
    placement, chairs = backends(2, warm="a", demand="x")
    assert taken(placement, 4) in ("aaxx", "aax" + "x")
    placement.limit(1)
    placement.give_back(chairs["a"])
    assert taken(placement, 1) == "-", "one is still in it, and one is the limit now"
    placement.limit(3)
    assert placement.room(warm=True) == 2
    assert placement.room(warm=False) == 1
    assert taken(placement, 4) == "aax-"
