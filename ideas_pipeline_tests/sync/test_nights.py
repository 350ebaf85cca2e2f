"""What a first sync and a quiet night cost, by what a check has seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.probe.step import Size
from ideas_pipeline.sync.nights import SyncCosts, estimate_nights
from ideas_pipeline_tests.end_to_end.pipeline import contract_with

# 20 challenges, 2,000 ideas, 10,000 comments, 30,000 votes, 3,000 users, pages of 100.
SIZES = {
    "challenges": Size(1, 20),
    "users": Size(1, 3000),
    "ideas": Size(20, 100),
    "comments": Size(2000, 5),
    "votes": Size(2000, 15),
}


def limited(**limits: Any) -> Contract:
    return contract_with(
        {"limits": {"requests_per_second": None, "requests_per_hour": None, "concurrency": 10} | limits}
    )


def estimated(contract: Contract, sizes: Mapping[str, Size] = SIZES, days: int = 14) -> SyncCosts:
    nights = estimate_nights(contract, sizes, days)
    assert nights is not None
    return nights


def test_a_first_sync_reads_every_list_and_a_quiet_night_a_share_of_those_that_show_their_changes() -> None:
    nights = estimated(limited())
    assert 4_000 < nights.first.requests < 4_300
    # The 72 pages of challenges, users and ideas, and a fourteenth of the other 4,000.
    assert nights.quiet.requests == 72 + 286
    assert nights.verified_within == 14
    assert nights.quiet.because == "10 at a time, if a response takes 0.3 seconds"


def test_the_slowest_limit_says_how_long_it_takes() -> None:
    nights = estimated(limited(requests_per_second=10))
    assert nights.first.seconds == pytest.approx(nights.first.requests / 10)
    assert nights.first.because == "the contract's limit of 10 requests per second"


@pytest.mark.parametrize(("per_hour", "within"), [(300, 14), (10, 24), (1, None)])
def test_an_hourly_limit_that_is_too_low_makes_the_verification_longer_or_impossible(
    per_hour: int, within: int | None
) -> None:
    nights = estimated(limited(requests_per_hour=per_hour))
    assert nights.verified_within == within
    assert nights.quiet.requests <= max(24 * per_hour, 72)


def test_without_the_size_of_every_stream_there_is_no_estimate() -> None:
    assert estimate_nights(limited(), {name: SIZES[name] for name in ("challenges", "ideas")}, 14) is None
