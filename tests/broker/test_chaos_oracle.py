"""What judges chaos, judged: a world in which all is right, and every way to be wrong that it must not miss."""
import io
import json
import math
import struct
import unittest
from fractions import Fraction



from lib import load, places, recovery, schedule
from lib.state import Marker, Row, State, exact_sum, fastavro
from lib.arena import assigned
from lib.audit import World, audit, trace
from lib.client import Record
from lib.environment import main
from lib.oracle import ERRORS, RETRY_HEADER, RetryHeader, Settings, Sum, Totals, judge
from lib.orders import SCHEMA, decode

PARTITIONS, ORDERS, DELAY_MS, T0 = 2, 600, 100, 1700000000000
AGGREGATE = json.loads((places.ROOT / "schemas" / "aggregate.avsc").read_text())
SETTINGS = Settings("g", seed=3, failure_rate=0.3, max_retries=2, retry_topic="retry")


class Pipeline:
    """A model of a pipeline that does everything right: builds the records that it would leave behind."""

    def __init__(self):
        values = [load.make_value(index, -20, 1) for index in range(ORDERS)]
        self.orders = [Record("orders", index % PARTITIONS, index // PARTITIONS, T0 + index, b"k", value, [])
                       for index, value in enumerate(values)]
        self.expected = judge(self.orders, {1: SCHEMA}, SETTINGS)
        self.retries, self.letters, self.events = [], [], []
        self.ends = {("orders", p): ORDERS // PARTITIONS for p in range(PARTITIONS)}
        for origin, fate in self.expected.verdicts.items():
            self._settle(origin, fate)

    def _settle(self, origin, fate):
        failed = T0 + 10000
        for attempt in fate.retries:
            header = RetryHeader("g", origin.topic, origin.partition, origin.offset, fate.timestamp_ms, attempt,
                                 failed + (attempt - 1) * 150 + DELAY_MS, failed, 9)
            self.retries.append(self._record("retry", origin, fate, [(RETRY_HEADER, header.encode())],
                                             failed + (attempt - 1) * 150 + 1))
        last = failed + 150 * max(0, fate.attempts - 1)
        if fate.cause:
            self.letters.append(self._record("dlq", origin, fate, self._headers(origin, fate, failed, last), last + 1))
        else:
            self.events.append({"event": "processed", "origin_topic": origin.topic, "origin_offset": origin.offset,
                                "origin_partition": origin.partition, "attempt": fate.attempts, "time": last})

    def _headers(self, origin, fate, first, last):
        texts = {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset,
                 "timestamp": fate.timestamp_ms, "group": "g", "attempts": fate.attempts,
                 "class": "transient" if fate.cause == "simulated" else "poison", "cause": fate.cause, "message": "m",
                 "stage": fate.stage, "first_failed": first, "last_failed": last, "schema_id": 1}
        return [(ERRORS + name, str(text).encode()) for name, text in texts.items()]

    def _record(self, topic, origin, fate, headers, timestamp_ms):
        where = topic, origin.partition
        offset = self.ends.get(where, 0)
        self.ends[where] = offset + 1
        return Record(topic, origin.partition, offset, timestamp_ms, fate.record.key, fate.record.value, headers)

    def world(self, times=None):
        """times: how often single orders are counted, where it is not once: {origin: count}."""
        rows = {}
        for origin in self.expected.counted:
            order = self.expected.verdicts[origin].order
            count = (times or {}).get(origin, 1)
            key = "orders", origin.partition, order.product
            old = rows.get(key, Row(Sum(0, Fraction(0)), math.inf, -math.inf, 0))
            if count:
                rows[key] = Row(old.sum + Sum(count, count * Fraction(order.price)), min(old.least, order.price),
                                max(old.greatest, order.price), ORDERS)
        committed = {where: end for where, end in self.ends.items() if where[0] != "dlq"}
        markers = {where: Marker(end, 0, 0, 0) for where, end in committed.items()}
        markers["orders", 0] = markers["orders", 0]._replace(retries=len(self.retries), dead_letters=len(self.letters))
        state = State(rows, markers, [])
        products = state.products()
        stats = Totals(sum(products.values(), Sum(0, Fraction(0))), len(self.retries), len(self.letters), products)
        return World(list(self.orders), list(self.retries), list(self.letters), state, stats, dict(committed),
                     committed, list(self.events))


def verdict(world, exactly_once=True):
    return audit(world, SETTINGS, {1: SCHEMA}, DELAY_MS, exactly_once)


class Audit(unittest.TestCase):
    def setUp(self):
        self.pipeline = Pipeline()
        self.world = self.pipeline.world()
        fates = self.pipeline.expected.verdicts
        self.once = next(origin for origin, fate in fates.items() if fate.cause is None and fate.attempts == 1)
        self.retried = next(origin for origin, fate in fates.items() if fate.cause is None and fate.attempts == 3)
        self.dead = next(origin for origin, fate in fates.items() if fate.cause == "simulated")

    def copies(self, origin, attempt=None):
        """Places in the list of retry records."""
        wanted = [(row, RetryHeader.parse(row.headers[0][1])) for row in self.world.retries]
        return [index for index, (_, header) in enumerate(wanted)
                if header.origin == origin and attempt in (None, header.attempts)]

    def assert_bad(self, world, word, exactly_once=True, lost=0, twice=0):
        found = verdict(world, exactly_once)
        self.assertTrue(any(word in line for line in found.complaints), (word, found.complaints))
        self.assertEqual((len(found.lost), len(found.counted_twice)), (lost, twice), found.complaints)

    def test_a_world_without_fault(self):
        for exactly_once in (True, False):
            found = verdict(self.world, exactly_once)
            self.assertEqual(found.complaints, [])
            self.assertEqual(found.counted + found.dead, ORDERS)
            self.assertGreater(found.dead, 5)
            self.assertGreater(len(self.world.retries), 100)
            self.assertEqual((found.repeated_retries, found.repeated_letters, found.repeated_orders), (0, 0, 0))

    # --- totals -----------------------------------------------------------------------------------------------------

    def test_lost_and_counted_twice(self):
        for origin in (self.once, self.retried):
            name = f"orders[{origin.partition}]@{origin.offset}"
            for exactly_once in (True, False):
                self.assert_bad(self.pipeline.world({origin: 0}), name, exactly_once, lost=1)
                self.assert_bad(self.pipeline.world({origin: 2}), name, exactly_once, twice=1)

    def test_one_lost_and_one_twice_of_the_same_product(self):
        """The count is right, and only the sum can tell."""
        product = self.pipeline.expected.verdicts[self.once].order.product
        other = next(origin for origin in self.pipeline.expected.counted if origin != self.once
                     and self.pipeline.expected.verdicts[origin].order.product == product)
        self.assert_bad(self.pipeline.world({self.once: 0, other: 2}), "product", lost=1, twice=1)

    def test_a_dead_order_that_is_counted_as_well(self):
        order = self.pipeline.expected.verdicts[self.dead].order
        key = next(key for key in self.world.state.rows if key[2] == order.product)
        row = self.world.state.rows[key]
        self.world.state.rows[key] = row._replace(sum=row.sum + Sum(1, Fraction(order.price)))
        self.assert_bad(self.world, "COUNTED TWICE", twice=1)

    def test_sums_that_are_a_little_wrong(self):
        key, row = next(iter(self.world.state.rows.items()))
        self.world.state.rows[key] = row._replace(sum=Sum(row.sum.count, row.sum.total + Fraction(1, 2 ** 200)))
        self.assert_bad(self.world, "product")
        self.world.state.rows[key] = row._replace(least=row.least / 2)
        self.assert_bad(self.world, "least and greatest")

    def test_no_state_at_all(self):
        world = self.world._replace(state=State({}, {}, []))
        self.assert_bad(world, "LOST", lost=len(self.pipeline.expected.counted))

    def test_unreadable_state(self):
        state = self.world.state._replace(complaints=["aggregates: bad"])
        self.assert_bad(self.world._replace(state=state), "aggregates")

    # --- retry records ----------------------------------------------------------------------------------------------

    def test_retry_records_missing_or_repeated(self):
        at, = self.copies(self.retried, 2)
        rows = self.world.retries
        self.assert_bad(self.world._replace(retries=rows[:at] + rows[at + 1:]), "missing")
        self.assert_bad(self.world._replace(retries=rows[:at] + rows[at + 1:]), "missing", exactly_once=False)
        self.assert_bad(self.world._replace(retries=rows + [rows[at]]), "too many")

    def test_repeated_retry_records_count_again_at_least_once(self):
        at, = self.copies(self.retried, 2)
        retries = self.world.retries + [self.world.retries[at]]
        again = verdict(self.pipeline.world({self.retried: 2})._replace(retries=retries), exactly_once=False)
        self.assertEqual(again.complaints, [])
        self.assertEqual((again.repeated_retries, again.repeated_orders), (1, 1))
        for count, kind in ((1, {"lost": 1}), (3, {"twice": 1})):
            self.assert_bad(self.pipeline.world({self.retried: count})._replace(retries=retries), "product",
                            exactly_once=False, **kind)

    def test_attempts_out_of_order(self):
        first, = self.copies(self.retried, 1)
        second, = self.copies(self.retried, 2)
        rows = list(self.world.retries)
        rows[first], rows[second] = rows[second], rows[first]
        for exactly_once in (True, False):
            self.assert_bad(self.world._replace(retries=rows), "stand in this order", exactly_once)

    def change_header(self, origin, attempt, **changes):
        at, = self.copies(origin, attempt)
        row = self.world.retries[at]
        header = RetryHeader.parse(row.headers[0][1])._replace(**changes)
        rows = list(self.world.retries)
        rows[at] = row._replace(headers=[(RETRY_HEADER, header.encode())])
        return self.world._replace(retries=rows)

    def test_attempts_before_they_were_due(self):
        at, = self.copies(self.retried, 1)
        due = RetryHeader.parse(self.world.retries[at].headers[0][1]).due_ms
        self.assert_bad(self.change_header(self.retried, 2, due_ms=due + DELAY_MS - 1), "1 ms early")
        event = next(row for row in self.world.events if row["attempt"] == 3)
        self.world.events[self.world.events.index(event)] = {**event, "time": event["time"] - 51}
        self.assert_bad(self.world, "early")

    def test_dead_letters_of_attempts_before_they_were_due(self):
        self.assert_bad(self.change_letter("last_failed", str(T0 + 10000 + 2 * DELAY_MS)), "early")

    # --- dead letters -----------------------------------------------------------------------------------------------

    def letter_place(self):
        return next(index for index, row in enumerate(self.world.letters)
                    if (int(row.header(ERRORS + "partition")), int(row.header(ERRORS + "offset"))) == self.dead[1:])

    def change_letter(self, name, text):
        at = self.letter_place()
        rows = list(self.world.letters)
        rows[at] = rows[at]._replace(headers=[(key, text.encode() if key == ERRORS + name else value)
                                              for key, value in rows[at].headers])
        return self.world._replace(letters=rows)

    def test_dead_letters_missing_or_repeated(self):
        at, rows = self.letter_place(), self.world.letters
        for exactly_once in (True, False):
            self.assert_bad(self.world._replace(letters=rows[:at] + rows[at + 1:]), "no dead letter", exactly_once,
                            lost=1)
        twice = self.world._replace(letters=rows + [rows[at]])
        self.assert_bad(twice, "2 dead letters", twice=1)
        self.assertEqual((verdict(twice, False).complaints, verdict(twice, False).repeated_letters), ([], 1))

    def test_dead_letters_that_say_something_else(self):
        for exactly_once in (True, False):
            self.assert_bad(self.change_letter("attempts", "2"), "attempts", exactly_once)

    def test_a_dead_letter_of_an_order_that_is_counted(self):
        letter = self.change_letter("offset", str(self.once.offset)).letters[self.letter_place()]
        letter = letter._replace(headers=[(key, str(self.once.partition).encode() if key == ERRORS + "partition" else
                                           value) for key, value in letter.headers])
        for exactly_once in (True, False):
            self.assert_bad(self.world._replace(letters=self.world.letters + [letter]), "too many", exactly_once)

    # --- offsets, markers, stats ------------------------------------------------------------------------------------

    def test_offsets_and_markers(self):
        where = "orders", 1
        for exactly_once in (True, False):
            self.world.committed[where] -= 1
            self.assert_bad(self.world, "committed offset", exactly_once)
            self.world.committed[where] += 1
            del self.world.state.markers[where]
            self.assert_bad(self.world, "no marker", exactly_once)
            self.world.state.markers[where] = Marker(ORDERS // PARTITIONS, 0, 0, 0)
        self.world.state.markers[where] = Marker(ORDERS // PARTITIONS, 1, 0, 0)
        self.assert_bad(self.world, "markers count")

    def test_stats_that_say_something_else(self):
        stats = self.world.stats
        more = stats.orders + Sum(0, Fraction(1, 2 ** 300))
        for change in ({"retry_attempts": 0}, {"dead_letters": 0}, {"orders": more}, {"products": {}}):
            wrong = Totals(**{**vars(stats), **change})
            self.assert_bad(self.world._replace(stats=wrong), "stats")


class Tracing(unittest.TestCase):
    def test_digits(self):
        prices = {"a": 2.0 ** -149, "b": 2.0 ** -145, "c": 2.0 ** 127}
        total = 3 * Fraction(prices["a"]) + 15 * Fraction(prices["b"])
        self.assertEqual(trace(prices, total), {"a": 3, "b": 15, "c": 0})
        self.assertEqual(trace(prices, Fraction(0)), {"a": 0, "b": 0, "c": 0})

    def test_what_cannot_be_told(self):
        prices = {"a": 1.0, "b": 16.0}
        for total in (Fraction(1, 2), Fraction(-1), Fraction(2 ** 40)):
            self.assertIsNone(trace(prices, total))
        self.assertIsNone(trace({"a": 1.0, "b": 8.0}, Fraction(1)), "digits that overlap")
        self.assertIsNone(trace({"a": 3.0}, Fraction(3)), "no power of two")

    def test_the_load_can_be_traced(self):
        for exponent in (-149, 19):
            prices = {}
            for index in range(2 * load.PRODUCTS * load.DIGITS):
                order = load.make_order(index, exponent)
                self.assertEqual(struct.unpack("<f", struct.pack("<f", order.price))[0], order.price)
                prices.setdefault(order.product, {})[order.order_id] = order.price
            self.assertEqual({len(rows) for rows in prices.values()}, {load.DIGITS})
            for rows in prices.values():
                self.assertEqual(set(trace(rows, sum(map(Fraction, rows.values()))).values()), {1})

    def test_the_load_has_poison(self):
        values = [load.make_value(index, 0, 1) for index in range(300)]
        self.assertTrue(math.isnan(decode(values[299])[1].price))
        with self.assertRaises((AssertionError, struct.error)):
            decode(values[149])
        self.assertEqual(sum(verdict.cause is not None for verdict in judge(
            [Record("orders", 0, index, 0, b"", value, []) for index, value in enumerate(values)], {1: SCHEMA},
            Settings("g")).verdicts.values()), 2)


class Aggregates(unittest.TestCase):
    def record(self, offset, product, count, exact, group="g", partition=0, **changes):
        total = exact_sum(exact)
        key = b"\t".join([group.encode(), b"orders", b"0"] + ([product] if product is not None else []))
        marker = {"retries": 3, "deadLetters": 2, "rows": 1, "version": 1, "valueField": "price",
                  "groupByField": "product"}
        value = {"consumerGroup": group, "topic": "orders", "partition": 0, "groupValue": product and product.decode(),
                 "count": count, "sum": float(total), "average": float(total / count) if count else None,
                 "exactSum": exact, "decimals": [], "min": 1.0, "max": 2.0, "nextOffset": 17,
                 "marker": marker if product is None else None, **changes}
        return Record("aggregates", partition, offset, 0, key, self.encode(value), [])

    def encode(self, value):
        out = io.BytesIO(b"\0\0\0\0\7")
        out.seek(5)
        fastavro.schemaless_writer(out, self.schema(7), value)
        return out.getvalue()

    def schema(self, number):
        self.assertEqual(number, 7)
        return fastavro.parse_schema(AGGREGATE)

    def state(self, *records):
        return State.of(records, self.schema, "g")

    def test_the_newest_of_a_key_counts(self):
        found = self.state(self.record(0, b"a\tb", 1, b"\1\0\0\1"), self.record(1, b"a\tb", 2, b"\1\0\0\3"),
                           self.record(2, b"other", 1, b"\0", group="h"), self.record(3, None, 0, b"\0"))
        self.assertEqual(found.complaints, [])
        self.assertEqual(found.products(), {b"a\tb": Sum(2, Fraction(3))})
        self.assertEqual(found.rows["orders", 0, b"a\tb"], Row(Sum(2, Fraction(3)), 1.0, 2.0, 17))
        self.assertEqual(found.markers, {("orders", 0): Marker(17, 3, 2, 1)})

    def test_what_breaks_the_rules(self):
        good = self.record(0, b"a", 1, b"\1\0\0\1")
        changes = ({"topic": "x"}, {"sum": 2.0}, {"average": 2.0}, {"partition": 1})
        for bad in (*(self.record(0, b"a", 1, b"\1\0\0\1", **change) for change in changes),
                    good._replace(value=good.value + b"\0"), good._replace(value=b"\1" + good.value[1:]),
                    good._replace(value=good.value[:-1]), good._replace(partition=1)):
            self.assertTrue(self.state(bad).complaints)
        self.assertEqual(self.state(good._replace(value=None)).rows, {})

    def test_exact_sums(self):
        for data, wanted in ((b"\0", 0), (b"\1\0\0\1", 1), (b"\2\0\1\5", -1280), (b"\1\xff\xff\1\0", 1),
                             (b"\1\xff\xfe\1", Fraction(1, 65536))):
            self.assertEqual(exact_sum(data), wanted)
        for data in (b"", b"\3\0\0\1", b"\1\0\0"):
            with self.assertRaises((ValueError, struct.error)):
                exact_sum(data)


class Schedules(unittest.TestCase):
    many = [schedule.make(seed, number) for seed in (1, 2) for number in range(200)]

    def test_a_seed_makes_the_same_again(self):
        self.assertEqual(schedule.make(1, 7), self.many[7])
        self.assertEqual(len(set(self.many)), len(self.many))

    def test_all_that_is_asked_for_happens(self):
        for action in ("kill", "term", "freeze", "thaw", "lose", "broker-kill", "broker-start", "registry-down",
                       "move", "settle", "elect"):
            self.assertGreater(sum(one.has(action) for one in self.many), 10, action)
        self.assertTrue(any(one.fetch_threads == 2 for one in self.many))
        for one in self.many:
            self.assertFalse(schedule.without_freezes(one).has("freeze", "thaw"))

    def test_steps_fit_together(self):
        """Whoever is harmed is there and well; whoever is repaired was harmed; in the end all brokers are up."""
        for one in self.many:
            self.assertEqual({step.action for step in one.steps[:one.members]}, {"start"})
            members, down, shut, moved = {}, set(), False, False
            for step in one.steps:
                with self.subTest(one.text(), step=step):
                    state = members.get(step.target, "out")
                    if step.action == "start":
                        self.assertIn(state, ("out", "killed", "stopping"))
                        members[step.target] = "up"
                    elif step.action in ("kill", "term", "freeze", "lose"):
                        self.assertEqual(state, "up")
                        members[step.target] = {"kill": "killed", "term": "stopping", "freeze": "frozen",
                                                "lose": "lost"}[step.action]
                    elif step.action == "thaw":
                        self.assertEqual(state, "frozen")
                        members[step.target] = "up"
                    elif step.action == "broker-kill":
                        self.assertEqual((down, moved), (set(), False))
                        down.add(step.target)
                    elif step.action == "broker-start":
                        down.remove(step.target)
                    elif step.action in ("move", "settle"):
                        self.assertEqual((down, moved, one.brokers), (set(), step.action == "settle", 3))
                        moved = not moved
                    elif step.action == "elect":
                        self.assertEqual(one.brokers, 3)
                    else:
                        self.assertEqual(shut, step.action == "registry-up")
                        shut = not shut
            self.assertEqual((down, shut, moved), (set(), False, False))
            self.assertFalse({"killed", "frozen"} & set(members.values()), one.text())
            self.assertIn(one.steps[-1].action, ("start", "lose"))


class Recovery(unittest.TestCase):
    A, B = ("orders", 0), ("orders", 1)
    rows = [(1.0, {A: 5, B: 5}), (2.0, {A: 5, B: 6}), (3.0, {A: 6, B: 7})]

    def seconds(self, at_s, *partitions, enough=any):
        return recovery.seconds_until(recovery.Event(at_s, frozenset(partitions)), self.rows, enough)

    def test_first_move(self):
        self.assertEqual(self.seconds(1.5, self.A, self.B), 0.5)
        self.assertEqual(self.seconds(1.5, self.A, self.B, enough=all), 1.5)
        self.assertEqual(self.seconds(1.5, self.A), 1.5)
        self.assertEqual(self.seconds(3.5, self.A), math.inf)
        self.assertEqual(self.seconds(2.5, ("orders", 2)), math.inf)

    def test_what_cannot_be_told(self):
        self.assertIsNone(self.seconds(0.5, self.A))
        self.assertIsNone(self.seconds(1.5))

    def test_percentiles(self):
        values = [5, 1, 4, 2, 3]
        self.assertEqual([recovery.percentile(values, share) for share in (0.01, 0.2, 0.5, 0.95, 1)], [1, 1, 3, 5, 5])
        self.assertIsNone(recovery.percentile([], 0.5))

    def test_partitions_of_a_process(self):
        events = [{"event": kind, "topic": "orders", "partition": number} for kind, number in (
            ("assigned", 0), ("assigned", 1), ("revoked", 0), ("assigned", 2), ("lost", 2), ("processed", 5))]
        self.assertEqual(assigned([{"event": "started"}] + events), {("orders", 1)})


if __name__ == "__main__":
    main()
