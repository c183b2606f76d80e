"""Shares and their intervals, against scipy's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import binomtest

from satcore.proportions import Proportion


@settings(deadline=None)
@given(some.integers(1, 10_000), some.data())
def test_the_interval_is_wilsons(total, draw):
    count = draw.draw(some.integers(0, total))
    there = Proportion(count, total)
    expected = binomtest(count, total).proportion_ci(0.95, method="wilson")
    assert there.share == count / total
    assert there.interval == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= there.interval[0] <= there.share <= there.interval[1] <= 1


@pytest.mark.parametrize("count, total", [(0, 0), (-1, 5), (6, 5)])
def test_no_share_is_refused(count, total):
    with pytest.raises(ValueError, match="expected a count of 0 to 1 or more images"):
        Proportion(count, total)
