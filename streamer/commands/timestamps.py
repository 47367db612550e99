"""Parses times within a past run: a time of day, or counted from the start of the run."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from streamer.errors import ZoomdreamError

SLACK = timedelta(seconds=60)
"""How far outside the run a time of day may be, since people leave out the seconds."""
_WALL = re.compile(r"(?:(?P<day>\d{4}-\d\d-\d\d)[ T])?(?P<hours>[01]?\d|2[0-3]):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d))?")
_RUN = re.compile(r"\+(?:(?:(?P<hours>\d{1,4}):(?P<sixty>[0-5]\d)|(?P<minutes>\d{1,6})):)?(?P<seconds>\d{1,7}(?:\.\d{1,3})?)")


class TimestampError(ZoomdreamError):
    """A time that cannot be parsed, or is outside the run."""

    wrong_call = True


def parse_timestamp(text: str, option: str, started: datetime, span_ms: tuple[int, int], after_ms: int = -1) -> int:
    """Parse a time within a run; return ms since its start.

    ``20:15`` and ``20:15:30`` are times of day in the run's time zone, the first such within it; the date may precede it
    (``2026-11-21 20:15``). ``+90``, ``+1:30`` and ``+0:01:30`` are counted from the run's start.

    Args:
        option: The option's name in errors.
        span_ms: Times of the run's first and last picture; times of day slightly outside mean these.
        after_ms: The result must be later than this.

    Raises:
        TimestampError: The message says what is wrong, and what is possible.
    """
    text = text.strip()
    if found := _RUN.fullmatch(text):
        hours, minutes = int(found["hours"] or 0), int(found["sixty"] or found["minutes"] or 0)
        at_ms = round((hours * 3600 + minutes * 60 + float(found["seconds"])) * 1000)
        if span_ms[0] - SLACK.total_seconds() * 1000 <= at_ms <= span_ms[1] and at_ms > after_ms:
            return max(at_ms, span_ms[0])
        raise TimestampError(f"{option} is {text}; {_span(started, span_ms)}{_later(started, after_ms)}")
    if (found := _WALL.fullmatch(text)) is None:
        raise TimestampError(
            f"{option} is '{text}'; must be a time of day such as 20:15 or 20:15:30, or counted from the start such as +1:30"
        )
    first, last = (started + timedelta(milliseconds=ms) for ms in span_ms)
    try:
        day = datetime.fromisoformat(found["day"]) if found["day"] else first.replace(tzinfo=None)
    except ValueError:
        raise TimestampError(f"{option} is '{text}'; there is no such day") from None
    hour, minute, second = int(found["hours"]), int(found["minutes"]), int(found["seconds"] or 0)
    moment = day.replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=started.tzinfo)
    for days in range(1 if found["day"] else (last.date() - first.date()).days + 1):
        at = moment + timedelta(days=days)
        at_ms = round((min(max(at, first), last) - started) / timedelta(milliseconds=1))
        if first - SLACK <= at <= last + SLACK and at_ms > after_ms:
            return at_ms
    raise TimestampError(f"{option} is {text}; {_span(started, span_ms)}{_later(started, after_ms)}")


def run_time(at_ms: int) -> str:
    """Format a time counted from the run's start in whole seconds, as ``parse_timestamp`` accepts it."""
    minutes, seconds = divmod(at_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"+{hours}:{minutes:02}:{seconds:02}"


def _span(started: datetime, span_ms: tuple[int, int]) -> str:
    first, last = (started + timedelta(milliseconds=ms) for ms in span_ms)
    end = f"{last:%H:%M:%S}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"the run lasted from {first:%Y-%m-%d %H:%M:%S} to {end} ({run_time(span_ms[0])} to {run_time(span_ms[1])})"


def _later(started: datetime, after_ms: int) -> str:
    return f", and --from is {started + timedelta(milliseconds=after_ms):%H:%M:%S}" if after_ms >= 0 else ""
