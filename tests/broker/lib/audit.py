"""The verdict after chaos: what stands in the topics, compared order by order with what must have come of the orders.

    world = World.read(...)                                   # everything as a read-committed reader sees it
    verdict = audit(world, settings, schemas, delay_ms, exactly_once=True)
    verdict.complaints == []

The totals hold sums, not ids. So that they can be judged by id, the prices of the load (lib/load.py) are powers of two
that lie apart within a product: a sum is then a number whose digits tell how often each single order was counted.

Exactly once: every order is in the totals once, or in the dead-letter topic once, and never in both; every attempt that
failed has one retry record.

At least once: none is missing; retry records and dead letters may repeat, and what was retried is counted once for
every record of its last retry: the totals must come to just that. Verdict.repeated_* says how many there were.
"""
import dataclasses
import math
from collections import Counter, defaultdict
from fractions import Fraction
from typing import NamedTuple

from lib.state import State
from lib.oracle import ERRORS, NOTHING, Sum, Totals, judge, retry_header

DIGIT_BITS = 4      # an order can be told to be counted up to 15 times
MOST = 5            # examples in a sentence


class World(NamedTuple):
    orders: list            # records of the three topics
    retries: list
    letters: list
    state: State
    stats: object           # Totals of `orderflow stats`; None where it was not asked
    committed: dict         # {(topic, partition): offset} of the group
    ends: dict              # {(topic, partition): behind the last record, of orders and retry topic}
    events: list            # of all processes, those that were killed too


@dataclasses.dataclass
class Verdict:
    complaints: list = dataclasses.field(default_factory=list)
    orders: int = 0
    counted: int = 0
    dead: int = 0
    lost: list = dataclasses.field(default_factory=list)                # sentences, one for each order
    counted_twice: list = dataclasses.field(default_factory=list)
    repeated_retries: int = 0
    repeated_letters: int = 0
    repeated_orders: int = 0    # times that orders were counted again because their retry records repeat

    def complain(self, lines):
        self.complaints.extend(lines)


def audit(world, settings, schemas, delay_ms, exactly_once):
    expected = judge(world.orders, schemas, settings)
    verdict = Verdict(orders=len(expected.verdicts), counted=len(expected.counted), dead=len(expected.dead))
    chains = _chains(world.retries, settings.group)
    _judge_letters(world, expected, delay_ms, exactly_once, verdict)
    _judge_retries(world, expected, exactly_once, verdict)
    verdict.complain(_order_of_attempts(chains, exactly_once))
    verdict.complain(_never_early(chains, world, delay_ms))
    times = _times(expected, chains, exactly_once)
    _judge_totals(world.state, expected, times, verdict)
    verdict.complain(_judge_markers(world, expected, exactly_once))
    if world.stats is not None:
        verdict.complain(_judge_stats(world))
    if verdict.lost:
        verdict.complaints.append(f"LOST: {len(verdict.lost)} orders, such as {verdict.lost[:MOST]}")
    if verdict.counted_twice:
        verdict.complaints.append(f"COUNTED TWICE: {len(verdict.counted_twice)} orders, such as "
                                  f"{verdict.counted_twice[:MOST]}")
    return verdict


# --- retry and dead-letter topic --------------------------------------------------------------------------------------

def _chains(retries, group):
    """{origin: [(record, its header)] as they stand in their partition}."""
    chains = defaultdict(list)
    for record in retries:
        header = retry_header(record)
        if header is not None and header.group == group:
            chains[header.origin].append((record, header))
    return chains


def _first_of_each(records, name):
    """(records without repetitions, how many were repetitions)."""
    firsts = {}
    for record in records:
        firsts.setdefault(name(record), record)
    return list(firsts.values()), len(records) - len(firsts)


def _letter_origin(letter):
    return tuple(letter.header(ERRORS + part) for part in ("topic", "partition", "offset"))


def _judge_letters(world, expected, delay_ms, exactly_once, verdict):
    firsts, verdict.repeated_letters = _first_of_each(world.letters, _letter_origin)
    verdict.complain(expected.dead_letter_complaints(world.letters if exactly_once else firsts, delay_ms=delay_ms))
    there = Counter(_letter_origin(letter) for letter in world.letters)
    for origin in expected.dead:
        found = there[origin.topic, str(origin.partition), str(origin.offset)]
        if found == 0:
            verdict.lost.append(f"{_name(expected, origin)} has no dead letter")
        elif found > 1 and exactly_once:
            verdict.counted_twice.append(f"{_name(expected, origin)} has {found} dead letters")


def _retry_name(record):
    header = retry_header(record)
    return (header.origin, header.attempts) if header else (record.partition, record.offset)


def _judge_retries(world, expected, exactly_once, verdict):
    firsts, verdict.repeated_retries = _first_of_each(world.retries, _retry_name)
    verdict.complain(expected.retry_record_complaints(world.retries if exactly_once else firsts))


def _order_of_attempts(chains, exactly_once):
    """Attempts of an order stand behind each other: 1, 2, 3; a repeated one (at least once) behind what it came of."""
    lines = []
    for origin, chain in chains.items():
        attempts = [header.attempts for _, header in chain]
        if exactly_once:
            good = attempts == list(range(1, len(attempts) + 1))
        else:
            good = all(attempt == 1 or attempt - 1 in attempts[:index] for index, attempt in enumerate(attempts))
        if not good:
            lines.append(f"attempts of {tuple(origin)} stand in this order: {attempts}")
    return lines[:MOST]


def _never_early(chains, world, delay_ms):
    """No attempt was made before the record that asks for it was due.

    Three witnesses: the next retry record (when it was written, and its own due time less the delay: when the attempt
    failed), the dead letter, and the event of an order that was counted.
    """
    due = {}        # (origin, attempt to be made): earliest due time of a record that asks for it
    lines = []
    for origin, chain in chains.items():
        for record, header in chain:
            asked = origin, header.attempts + 1
            due[asked] = min(header.due_ms, due.get(asked, math.inf))
            failed_ms = header.due_ms - delay_ms
            if header.first_failed_ms > failed_ms or failed_ms > record.timestamp_ms:
                lines.append(f"retry {header.attempts} of {tuple(origin)}: first failed {header.first_failed_ms}, "
                             f"failed {failed_ms}, written {record.timestamp_ms}: not in this order")
    made = [(origin, header.attempts, header.due_ms - delay_ms, "failed again") for origin, chain in chains.items()
            for _, header in chain]
    for letter in world.letters:
        topic, partition, offset = _letter_origin(letter)
        if None not in (topic, partition, offset):
            made.append(((topic, int(partition), int(offset)), int(letter.header(ERRORS + "attempts")),
                         int(letter.header(ERRORS + "last_failed")), "dead"))
    made += [((event["origin_topic"], event["origin_partition"], event["origin_offset"]), event["attempt"],
              event["time"], "counted") for event in world.events if event.get("event") == "processed"]
    for origin, attempt, at_ms, what in made:
        if attempt > 1 and at_ms < due.get((origin, attempt), -math.inf):
            lines.append(f"attempt {attempt} of {tuple(origin)} ({what}) came {due[origin, attempt] - at_ms} ms early")
    return lines[:MOST]


# --- totals -----------------------------------------------------------------------------------------------------------

def _times(expected, chains, exactly_once):
    """{origin: how often it must be in the totals}."""
    asked = Counter((origin, header.attempts) for origin, chain in chains.items() for _, header in chain)
    times = {}
    for origin, fate in expected.verdicts.items():
        if fate.cause is not None:
            times[origin] = 0
        elif exactly_once or fate.attempts == 1:
            times[origin] = 1
        else:
            times[origin] = max(1, asked[origin, fate.attempts - 1])
    return times


def _judge_totals(state, expected, times, verdict):
    """Bit for bit, by product; where a sum is wrong, which orders are missing from it or too often in it."""
    verdict.complain(state.complaints)
    verdict.repeated_orders = sum(count - 1 for count in times.values() if count > 1)
    by_product = defaultdict(list)
    for origin, fate in expected.verdicts.items():
        if fate.order is not None and math.isfinite(fate.order.price):
            by_product[fate.order.product].append(origin)
    found = state.products()
    for product in sorted(by_product.keys() | found.keys()):
        prices = {origin: expected.verdicts[origin].order.price for origin in by_product[product]}
        wanted = Sum(sum(times[origin] for origin in prices),
                     sum((times[origin] * Fraction(price) for origin, price in prices.items()), Fraction(0)))
        mine = found.get(product, NOTHING)
        if mine != wanted:
            _trace_product(product, prices, wanted, mine, expected, times, verdict)
        else:
            verdict.complain(_extremes(state, product, [p for origin, p in prices.items() if times[origin]]))


def _trace_product(product, prices, wanted, found, expected, times, verdict):
    verdict.complaints.append(f"product {product!r}: {found.count} orders with sum {float(found.total)!r} are counted, "
                              f"not {wanted.count} with {float(wanted.total)!r}")
    counted = trace(prices, found.total)
    if counted is None or sum(counted.values()) != found.count:
        lost, more = wanted.count - found.count, found.count - wanted.count
        verdict.lost += [f"an order of {product!r}, which cannot be told from its sum"] * max(lost, 0)
        verdict.counted_twice += [f"an order of {product!r}, which cannot be told from its sum"] * max(more, 0)
        return
    for origin, count in counted.items():
        if count != times[origin]:
            kind = verdict.lost if count < times[origin] else verdict.counted_twice
            kind.append(f"{_name(expected, origin)} is {count} times in the totals, not {times[origin]}")


def trace(prices, total):
    """{origin: how often its price is in the sum}, or None where prices or sum do not tell."""
    exponents = {}
    for origin, price in prices.items():
        mantissa, exponent = math.frexp(price)
        if mantissa != 0.5:
            return None
        exponents[origin] = exponent - 1
    ordered = sorted(exponents.values())
    if any(after - before < DIGIT_BITS for before, after in zip(ordered, ordered[1:])):
        return None
    scaled = total * Fraction(2) ** -ordered[0] if ordered else total
    if scaled.denominator != 1 or scaled < 0:
        return None
    counts = {}
    for origin, exponent in exponents.items():
        counts[origin] = int(scaled) >> (exponent - ordered[0]) & (1 << DIGIT_BITS) - 1
    rest = scaled - sum(count << (exponents[origin] - ordered[0]) for origin, count in counts.items())
    return counts if rest == 0 else None


def _extremes(state, product, prices):
    rows = [row for (_, _, name), row in state.rows.items() if name == product and row.sum.count]
    if not rows:
        return []
    found = min(row.least for row in rows), max(row.greatest for row in rows)
    wanted = min(prices), max(prices)
    return [] if found == wanted else [f"product {product!r}: least and greatest are {found}, not {wanted}"]


def _name(expected, origin):
    order = expected.verdicts[origin].order
    text = order.id.decode("utf-8", "replace") if order else "undecodable"
    return f"order {text} at {origin.topic}[{origin.partition}]@{origin.offset}"


# --- offsets and what else tells the same -----------------------------------------------------------------------------

def _judge_markers(world, expected, exactly_once):
    """Marker, committed offset and the end of a partition are one and the same when all is done."""
    lines = []
    for where, end in world.ends.items():
        committed, marker = world.committed.get(where), world.state.markers.get(where)
        if end and (committed or 0) < end:
            lines.append(f"{where}: the committed offset is {committed}, the last record ends at {end}")
        if marker is not None and marker.next_offset != committed:
            lines.append(f"{where}: the marker says {marker.next_offset}, the committed offset is {committed}")
        if end and marker is None:
            lines.append(f"{where}: no marker")
    if exactly_once and world.state.markers:
        found = (sum(marker.retries for marker in world.state.markers.values()),
                 sum(marker.dead_letters for marker in world.state.markers.values()))
        wanted = len(expected.retries), len(expected.dead)
        if found != wanted:
            lines.append(f"markers count {found} retries and dead letters, not {wanted}")
    return lines


def _judge_stats(world):
    markers = world.state.markers.values()
    products = world.state.products()
    wanted = Totals(sum(products.values(), NOTHING), sum(marker.retries for marker in markers),
                    sum(marker.dead_letters for marker in markers), products)
    if world.stats == wanted:
        return []
    return [f"stats says {_brief(world.stats)}, the topics say {_brief(wanted)}"]


def _brief(totals):
    return (f"{totals.orders.count} orders, sum {float(totals.orders.total)!r}, {totals.retry_attempts} retries, "
            f"{totals.dead_letters} dead letters, {len(totals.products)} products")
