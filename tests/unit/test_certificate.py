"""The metrics server's own certificates over days: each is published half a day before the server uses it."""

from __future__ import annotations

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from kindler.metrics.certificate import HOUR, PUBLISH_BEFORE_USE, Rotation, make, next_rotation, publication

NAMES = ("kindler-metrics.kindler-system.svc",)


def test_the_rotation_of_two_certificates() -> None:
    first = next_rotation(None, NAMES, 0)
    assert next_rotation(first, NAMES, 23.9 * HOUR) is first
    both = next_rotation(first, NAMES, 24 * HOUR)
    assert (
        both.current == first.current
        and both.upcoming is not None
        and both.published == first.current.certificate + both.upcoming.certificate
    )
    assert next_rotation(both, NAMES, 35.9 * HOUR) is both
    assert next_rotation(both, NAMES, 36 * HOUR) == Rotation(both.upcoming)
    late = next_rotation(first, NAMES, 48 * HOUR)  # no check ran for 48 hours
    assert late.current.made == 48 * HOUR and late.upcoming is None


def test_after_a_clock_was_set_back_certificates_of_the_future_are_replaced() -> None:
    ahead = next_rotation(None, NAMES, 30 * HOUR)
    assert next_rotation(ahead, NAMES, 29.5 * HOUR) is ahead, "clocks differ a little"
    assert next_rotation(ahead, NAMES, 6 * HOUR).current.made == 6 * HOUR
    first = next_rotation(None, NAMES, 0)
    both = next_rotation(first, NAMES, 47 * HOUR)
    assert next_rotation(both, NAMES, 23 * HOUR) == first
    again = next_rotation(both, NAMES, 25 * HOUR)
    assert again.current == first.current and again.upcoming is not None and again.upcoming.made == 25 * HOUR


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1, 5.9 * HOUR), min_size=1, max_size=25))
def test_the_certificate_in_use_is_always_valid_and_was_published_long_enough(gaps: list[float]) -> None:
    now, shown, published = 0.0, next_rotation(None, NAMES, 0), {}
    published[shown.current.certificate] = now
    for gap in gaps:
        now += gap
        before, shown = shown, next_rotation(shown, NAMES, now)
        for pair in filter(None, (shown.current, shown.upcoming)):
            published.setdefault(pair.certificate, now)
        assert now < shown.current.ends
        assert shown.current == before.current or now - published[shown.current.certificate] >= PUBLISH_BEFORE_USE


def test_the_fields_of_the_certificate() -> None:
    pair = make((*NAMES, NAMES[0] + ".cluster.local"), 1_000_000)
    reported = x509.load_pem_x509_certificate(pair.certificate.encode())
    assert (
        reported.not_valid_before_utc.timestamp() == 1_000_000 - HOUR
        and reported.not_valid_after_utc.timestamp() == pair.ends == 1_000_000 + 48 * HOUR
    )
    assert not reported.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert "PRIVATE" in pair.key and "PRIVATE" not in pair.certificate


def test_a_name_that_is_too_long_for_a_common_name() -> None:
    name = "a-release-with-a-long-name-metrics.a-namespace-with-a-long-name-too.svc"
    reported = x509.load_pem_x509_certificate(make((name,), 0).certificate.encode())
    assert reported.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    ) == [name]


def test_the_changes_of_the_config_map() -> None:
    old, young = make(NAMES, 0).certificate, make(NAMES, 40 * HOUR).certificate
    now = 50 * HOUR
    assert publication({}, "me", "mine", now) == {"me": "mine"}
    assert publication({"me": "mine"}, "me", "mine", now) == {}
    crashed = {f"pod-{n:02}": make(NAMES, n * HOUR).certificate for n in range(25, 50)}
    assert publication(crashed, "me", "mine", now) == {"me": "mine"} | {f"pod-{n:02}": None for n in range(25, 30)}, (
        "the newest are enough"
    )
    assert publication({"me": old, "other": old, "both": old + young, "broken": "-"}, "me", "mine", now) == {
        "me": "mine",
        "other": None,
        "broken": None,
    }
