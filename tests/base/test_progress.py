import logging

from pneumonia.base.progress import follow


def test_a_log_gets_a_line_every_so_often_with_the_time_left(caplog):
    times = iter([0.0, 5.0, 25.0, 30.0, 60.0])
    with caplog.at_level(logging.INFO), follow(400, "Reading", clock=lambda: next(times)) as advance:
        for _ in range(4):
            advance(100)

    # After 25 s 200 of 400 are done: 25 s are left. At the end nothing is said.
    assert [record.message for record in caplog.records] == ["Reading: 200 of 400 images, about 25 s left."]


def test_a_short_step_says_nothing(caplog):
    with caplog.at_level(logging.INFO), follow(2, "Reading") as advance:
        advance(2)
    assert caplog.records == []
