from datetime import UTC, datetime, timedelta, timezone

import pytest

from streamer.commands.timestamps import TimestampError, parse_timestamp, run_time

STARTED = datetime(2026, 11, 21, 20, 15, 3, tzinfo=timezone(timedelta(hours=1)))
HOUR = 3_600_000
SPAN = (9_000, 8 * HOUR)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("20:16", 57_000),
        ("20:15:30", 27_000),
        ("20:15", 9_000),
        ("20:14:30", 9_000),
        ("2026-11-21 21:15:03", HOUR),
        ("2026-11-22T00:15:03", 4 * HOUR),
        ("0:15:03", 4 * HOUR),
        ("04:15:30", 8 * HOUR),
        ("+90", 90_000),
        ("+90.5", 90_500),
        ("+1:30", 90_000),
        ("+90:00", 90 * 60_000),
        ("+1:30:00", 90 * 60_000),
        ("+0", 9_000),
    ],
)
def test_moments_are_found(text, ms):
    assert parse_timestamp(text, "--from", STARTED, SPAN) == ms


def test_a_range_over_midnight_ends_the_next_day():
    begin = parse_timestamp("23:59", "--from", STARTED, SPAN)
    assert parse_timestamp("00:01", "--to", STARTED, SPAN, begin) == begin + 120_000


def test_a_time_of_day_is_the_first_that_comes_later():
    long = (0, 60 * HOUR)
    begin = parse_timestamp("2026-11-22 21:00", "--from", STARTED, long)
    assert parse_timestamp("20:30", "--to", STARTED, long, begin) == begin + 23 * HOUR + HOUR // 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "later",
            "--from is 'later'; must be a time of day such as 20:15 or 20:15:30, or counted from the start such as +1:30",
        ),
        ("25:00", "--from is '25:00'; must be"),
        ("2026-13-41 12:00", "--from is '2026-13-41 12:00'; there is no such day"),
        (
            "12:00",
            "--from is 12:00; the run lasted from 2026-11-21 20:15:12 to 2026-11-22 04:15:03 (+0:00:09 to +8:00:00)",
        ),
        ("+9:00:00", "--from is +9:00:00; the run lasted from"),
    ],
)
def test_others_are_refused(text, says):
    with pytest.raises(TimestampError) as error:
        parse_timestamp(text, "--from", STARTED, SPAN)
    assert str(error.value).startswith(says)


def test_an_end_before_the_beginning_is_refused():
    with pytest.raises(TimestampError, match=r"--to is \+60; .*, and --from is 20:20:03$"):
        parse_timestamp("+60", "--to", STARTED.astimezone(STARTED.tzinfo), SPAN, 300_000)


def test_run_times_are_read_back():
    assert run_time(3_723_900) == "+1:02:03"
    assert parse_timestamp(run_time(3_723_000), "--from", STARTED.astimezone(UTC), SPAN) == 3_723_000
