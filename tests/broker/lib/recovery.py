"""How long it took until orders were committed again: read off a line of observations of the group's offsets.

Only what happens last in a schedule is measured: a restart that something else follows could be measured only if it was
quick, and the slow ones would be missing from the numbers.
"""
import math
from typing import NamedTuple


class Event(NamedTuple):
    """A member was started again after kill -9, or was killed for good, at a moment (monotonic seconds).

    partitions: what it had when it was killed, {(topic, number)}.
    """
    at_s: float
    partitions: frozenset


def seconds_until(event, observations, enough):
    """Until any (a restart) or all (a loss) of the partitions are ahead of where they were; infinite: not yet.

    observations: [(moment, {partition: offset})]; the last one before the event must be younger than the kill.
    None: it cannot be told, as the member had no partitions yet.
    """
    before = [row for row in observations if row[0] <= event.at_s]
    if not before or not event.partitions:
        return None
    base = before[-1][1]
    for moment, offsets in observations[len(before):]:
        if enough(offsets.get(where, 0) > base.get(where, 0) for where in event.partitions):
            return moment - event.at_s
    return math.inf


def percentile(values, share):
    """The smallest value that at least this share of all are not above; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
