"""The course of a run, by images and by a clock of the test's own."""

import time

import pytest

from swapae.training.schedule import Schedule


@pytest.fixture
def clock(monkeypatch):
    seconds = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])

    def pass_seconds(count):
        seconds[0] += count

    return pass_seconds


def test_by_images_the_learning_rate_falls_over_the_last_alone():
    course = Schedule(100, 40)
    assert [course.lr_multiplier(seen) for seen in (0, 60, 80, 99)] == [1, 1, 0.5, 0.025]
    assert Schedule(100, 0).lr_multiplier(99) == 1
    assert [course.is_over(96, more) for more in (0, 4, 5)] == [False, False, True]


def test_it_rises_over_the_first():
    assert [Schedule(100, 0, warm_up_images=8).lr_multiplier(seen) for seen in (0, 3, 7, 8)] == [1 / 8, 1 / 2, 1, 1]


def test_by_minutes_it_falls_over_the_last_third(clock):
    course = Schedule(10**6, 0, minutes=3)
    seen = []
    for _ in range(6):
        seen.append((course.lr_multiplier(10), course.is_over(10), course.minutes_left))
        clock(36)
        course.advance()
    assert [value for value, _, _ in seen] == pytest.approx([1, 1, 1, 1, 0.6, 0])
    assert [over for _, over, _ in seen] == [False] * 5 + [True]
    assert [left for _, _, left in seen] == pytest.approx([3, 2.4, 1.8, 1.2, 0.6, 0])


def test_by_minutes_it_has_risen_after_a_fifth_at_the_latest(clock):
    course, late = Schedule(10**6, 0, 1600, minutes=5), Schedule(10**6, 0, 1600, minutes=5)
    assert course.lr_multiplier(7) == 8 / 1600
    for part in (0.5, 1):
        clock(30)
        course.advance()
        assert course.lr_multiplier(7) == pytest.approx(part)
    assert late.lr_multiplier(1599) == 1  # by its images, before


def test_a_resumed_run_has_what_is_left(clock):
    course = Schedule(10**6, 0, minutes=1, seconds=45)
    clock(5)
    course.advance()
    assert course.seconds == pytest.approx(50)
    assert course.lr_multiplier(0) == pytest.approx(0.5)
    clock(10)
    assert not course.is_over(0)  # not before all processes looked
    course.advance()
    assert course.is_over(0)


def test_all_processes_end_by_their_mean(clock):
    course = Schedule(10**6, 0, minutes=1, mean=lambda share: (share + 1.5) / 2)
    clock(30)
    course.advance()
    assert course.is_over(0)
