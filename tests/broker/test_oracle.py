"""The oracle itself, on cases that were worked out by hand."""
import math
import struct
import unittest
from fractions import Fraction

from lib import oracle, orders
from lib.client import Record
from lib.environment import main
from lib.oracle import ERRORS, Origin, RetryHeader, Settings, Sum, Totals, judge
from lib.orders import Order, encode

SCHEMAS = {1: orders.SCHEMA}
HALF = Order("1001", "Laptop", 0.5)


def record(offset, value, partition=0, topic="orders", headers=(), key=b"k", timestamp_ms=1700000000123):
    return Record(topic, partition, offset, timestamp_ms, key, value, list(headers))


def judge_values(values, schemas=None, **settings):
    rows = [record(offset, value) for offset, value in enumerate(values)]
    return judge(rows, schemas or SCHEMAS, Settings("g", **settings))


class Failures(unittest.TestCase):
    """The worked numbers of docs/simulated-failures.md."""

    def test_numbers(self):
        self.assertEqual(oracle.mix(0x9E3779B97F4A7C15), 0xE220A8397B1DCDAF)
        self.assertEqual(oracle.fnv1a64(b"orders"), 0x00125D9250BE8B4C)
        for seed, partition, offset, attempt, number in ((1, 0, 0, 1, 0.25608075495179594),
                                                         (1, 2, 41, 4, 0.3414133528331703),
                                                         (42, 1, 123456789012, 3, 0.15225200288575313)):
            self.assertEqual(oracle.failure_number(seed, Origin("orders", partition, offset), attempt), number)

    def test_sixty_orders(self):
        expected = judge_values([encode(1, HALF)] * 60, failure_rate=0.1)
        self.assertEqual({(origin.offset, attempt) for origin, attempt in expected.retries},
                         {(3, 1), (6, 1), (24, 1), (34, 1), (34, 2), (36, 1), (48, 1)})
        self.assertEqual(expected.totals, Totals(Sum(60, Fraction(30)), 7, 0, {b"Laptop": Sum(60, Fraction(30))}))
        self.assertEqual(expected.verdicts["orders", 0, 34].attempts, 3)

    def test_given_up(self):
        expected = judge_values([encode(1, HALF)] * 60, failure_rate=0.1, max_retries=1)
        self.assertEqual({origin.offset for origin in expected.dead}, {34})
        self.assertEqual((len(expected.counted), len(expected.retries)), (59, 6))
        self.assertEqual(expected.dead["orders", 0, 34][3:6], ("simulated", 2, 0))
        never = judge_values([encode(1, HALF)] * 3, failure_rate=1.0)
        self.assertEqual([verdict.attempts for verdict in never.dead.values()], [4] * 3)
        self.assertEqual(never.totals, Totals(Sum(0, Fraction(0)), 9, 3, {}))


class Fates(unittest.TestCase):
    def cause_of(self, value, schemas=None, **settings):
        verdict, = judge_values([value], schemas, **settings).verdicts.values()
        return verdict.cause, verdict.stage, verdict.schema_id, verdict.attempts

    def test_causes(self):
        good = encode(1, HALF)
        for value, wanted in ((None, ("null_value", "decode", None, 0)), (b"", ("bad_framing", "decode", None, 0)),
                              (b"\0\0\0\1", ("bad_framing", "decode", None, 0)),
                              (b"\2" + good[1:], ("bad_framing", "decode", None, 0)),
                              (b"\1" + b"g" * 15, ("bad_framing", "decode", None, 0)),
                              (b"\1" + b"g" * 16, ("unknown_schema", "decode", "67676767-6767-6767-6767-676767676767", 0)),
                              (encode(2, HALF), ("unknown_schema", "decode", 2, 0)),
                              (good[:5], ("undecodable", "decode", 1, 0)),
                              (good[:-1], ("undecodable", "decode", 1, 0)),
                              (good + b"\0", ("undecodable", "decode", 1, 0)),
                              (orders.frame(1, b"\1" + good[6:]), ("undecodable", "decode", 1, 0)),
                              (orders.frame(1, b"\x80" * 10 + b"\1"), ("undecodable", "decode", 1, 0)),
                              (encode(1, HALF._replace(price=math.nan)), ("invalid_value", "process", 1, 0)),
                              (encode(1, HALF._replace(price=-math.inf)), ("invalid_value", "process", 1, 0)),
                              (encode(1, HALF._replace(price=-1.0)), (None, "decode", 1, 1))):
            with self.subTest(value):
                self.assertEqual(self.cause_of(value), wanted)

    def test_limits(self):
        causes = [self.cause_of(encode(1, HALF._replace(price=price)), min_value=0.5, max_value=2)[0]
                  for price in (0.25, 0.5, 2.0, 2.5)]
        self.assertEqual(causes, ["invalid_value", None, None, "invalid_value"])
        self.assertEqual(self.cause_of(encode(1, HALF), max_field_bytes=5)[0], "undecodable")
        self.assertEqual(self.cause_of(encode(1, HALF), max_field_bytes=6)[0], None)

    def test_schemas(self):
        def schema(*fields):
            return {"type": "record", "name": "R", "fields": [{"name": n, "type": t} for n, t in fields]}
        other = schema(("price", "double"), ("skipped", "boolean"), ("product", "bytes"), ("orderId", "long"))
        value = orders.frame(7, struct.pack("<d", 0.1) + b"\1" + b"\x04\xff\xfe" + b"\x01")
        verdict, = judge_values([value], {7: other}).verdicts.values()
        self.assertEqual(verdict.order, (b"-1", b"\xff\xfe", 0.1))
        for bad in (schema(("price", "float"), ("product", "string")), "string",
                    schema(("price", "string"), ("product", "string"), ("orderId", "string")),
                    schema(("price", ["null", "float"]), ("product", "string"), ("orderId", "string"))):
            with self.subTest(bad):
                self.assertEqual(self.cause_of(value, {7: bad})[0], "unresolvable_schema")


class Retries(unittest.TestCase):
    HEADER = RetryHeader("order-consumer-group", "orders", 2, 41, 1700000004475, 1, 1700000002623, 1700000000623, 9)

    def test_header(self):
        self.assertEqual(self.HEADER.encode().hex(" ").split()[:5], ["01", "00", "14", "6f", "72"])
        self.assertEqual(len(self.HEADER.encode()), 46 + 20 + 6)
        self.assertEqual(RetryHeader.parse(self.HEADER.encode()), self.HEADER)
        documented = bytes.fromhex("010014" "6f726465722d636f6e73756d65722d67726f7570"
                                   "00066f7264657273" "00000002" "0000000000000029" "0000018bcfe5687b" "00000001"
                                   "0000018bcfe5723f" "0000018bcfe56a6f" "09")
        self.assertEqual(RetryHeader.parse(documented),
                         ("order-consumer-group", "orders", 2, 41, 0x18BCFE5687B, 1, 0x18BCFE5723F, 0x18BCFE56A6F, 9))

    def test_what_is_no_header(self):
        good = self.HEADER.encode()
        bad = [b"", good[:-1], good + b"\0", b"\2" + good[1:], b"garbage"]
        bad += [self.HEADER._replace(**change).encode() for change in (
            {"group": ""}, {"topic": ""}, {"partition": -1}, {"offset": -1}, {"timestamp_ms": -2}, {"attempts": 0},
            {"attempts": 1000001}, {"due_ms": -1}, {"first_failed_ms": -1}, {"cause": 0})]
        for data in bad:
            with self.subTest(data):
                self.assertIsNone(RetryHeader.parse(data))

    def test_records_of_the_retry_topic(self):
        mine = self.HEADER._replace(group="g")
        headers = [[(oracle.RETRY_HEADER, data)] for data in (mine.encode(), self.HEADER.encode(), b"garbage")]
        rows = [record(offset, encode(1, HALF), topic="retry", headers=row) for offset, row in enumerate(headers)]
        rows += [record(0, encode(1, HALF), headers=headers[1])]
        settings = Settings("g", retry_topic="retry", failure_rate=1.0)
        expected = judge(rows, SCHEMAS, settings)
        self.assertEqual({origin: (v.earlier, v.attempts, list(v.retries)) for origin, v in expected.verdicts.items()},
                         {("orders", 2, 41): (1, 4, [2, 3]), ("retry", 0, 2): (0, 4, [1, 2, 3]),
                          ("orders", 0, 0): (0, 4, [1, 2, 3])})


class Complaints(unittest.TestCase):
    """What the comparisons find: one dead letter that is right, and each way to be wrong."""

    def setUp(self):
        rows = [record(5, encode(1, HALF), partition=4, headers=[("trace", b"\xff")])]
        self.expected = judge(rows, SCHEMAS, Settings("g", failure_rate=1.0))
        texts = {"topic": "orders", "partition": "4", "offset": "5", "timestamp": "1700000000123", "group": "g",
                 "attempts": "4", "class": "transient", "cause": "simulated", "message": "failed", "stage": "process",
                 "first_failed": "1000", "last_failed": "1900", "schema_id": "1"}
        headers = [("trace", b"\xff")] + [(ERRORS + name, text.encode()) for name, text in texts.items()]
        self.letter = record(0, encode(1, HALF), partition=1, topic="dlq", headers=headers, timestamp_ms=2000)

    def complaints(self, *letters):
        return self.expected.dead_letter_complaints(letters, (1000, 2000), delay_ms=300, dlq_partitions=3)

    def with_header(self, name, text):
        rows = [(key, text.encode() if key == ERRORS + name else value) for key, value in self.letter.headers]
        return self.letter._replace(headers=[row for row in rows if text or row[0] != ERRORS + name])

    def test_right(self):
        self.assertEqual(self.complaints(self.letter), [])

    def test_wrong(self):
        wrong = [[], [self.letter, self.letter], [self.letter._replace(key=b"x")], [self.letter._replace(value=b"x")],
                 [self.letter._replace(partition=2)], [self.letter._replace(timestamp_ms=2001)],
                 [self.letter._replace(headers=self.letter.headers[1:])],
                 [self.letter._replace(headers=self.letter.headers + [(ERRORS + "new", b"")])],
                 [self.letter._replace(headers=self.letter.headers * 2)]]
        wrong += [[self.with_header(name, text)] for name, text in (
            ("topic", "other"), ("partition", "3"), ("offset", "6"), ("timestamp", "0"), ("group", "h"),
            ("attempts", "3"), ("class", "poison"), ("cause", "null_value"), ("message", ""), ("stage", "decode"),
            ("first_failed", "999"), ("first_failed", "1001"), ("last_failed", "2001"), ("last_failed", "1899"),
            ("schema_id", "2"), ("schema_id", ""), ("offset", ""))]
        for letters in wrong:
            with self.subTest(letters):
                self.assertTrue(self.complaints(*letters))

    def test_events(self):
        def event(kind, attempt):
            return {"event": kind, "origin_topic": "orders", "origin_partition": 4, "origin_offset": 5,
                    "attempt": attempt}
        right = [event("retry", attempt) for attempt in (1, 2, 3)] + [event("dead_letter", 4)]
        self.assertEqual(self.expected.event_complaints(right + [{"event": "progress"}]), [])
        for events in (right[:-1], right + right[:1], right + [event("processed", 1)]):
            self.assertTrue(self.expected.event_complaints(events))

    def test_totals_of_an_event(self):
        event = {"orders_processed": 3, "price_sum": "1", "price_average": 1 / 3, "retry_attempts": 2,
                 "dead_letters": 1, "products": {"a\\xFF": {"orders_processed": 3, "price_sum": "1",
                                                            "price_average": 1 / 3}}}
        wanted = Totals(Sum(3, Fraction(1)), 2, 1, {b"a\xff": Sum(3, Fraction(1))})
        self.assertEqual(Totals.of_event(event), wanted)
        self.assertEqual(wanted + wanted, Totals(Sum(6, Fraction(2)), 4, 2, {b"a\xff": Sum(6, Fraction(2))}))
        for change in ({"price_average": math.nextafter(1 / 3, 1)}, {"price_sum": "1.0"}, {"price_sum": "1e0"}):
            with self.assertRaises(AssertionError):
                Totals.of_event({**event, **change})


if __name__ == "__main__":
    main()
