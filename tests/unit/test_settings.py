"""Settings that cannot be used are told when a process starts, not by pods that cannot be made."""

from __future__ import annotations

import pytest

from kindler.api.settings import SettingsError, controller_settings

SIZE = "KINDLER_EPHEMERAL_STORAGE_REQUEST"


@pytest.mark.parametrize("size", ["64Mi", "1Gi", "67108864", "500M"])
def test_a_size_is_taken_as_it_is_said(size: str) -> None:
    assert controller_settings({SIZE: size}).ephemeral_storage_request == size


@pytest.mark.parametrize("size", ["64 Mi", "64MB", "lots", "-1Gi", "0"])
def test_what_is_no_size_is_refused(size: str) -> None:
    with pytest.raises(SettingsError, match=SIZE):
        controller_settings({SIZE: size})
