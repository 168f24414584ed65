"""What becomes of records that are not good orders: every row of the table of fates, on a real broker."""
import hashlib
import json
import math
import struct
import time

from lib import orders
from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow, now_ms
from lib.oracle import ERRORS, RETRY_HEADER, RetryHeader
from lib.orders import Order, body, encode, frame, string, zigzag
from lib.stub import Fault, StubRegistry

import kafka.admin      # found once lib.client has been imported

UNKNOWN_ID = 99999999
GOOD = Order("1001", "Laptop", 0.5)


def schema(*fields):
    rows = [{"name": name, "type": kind} for name, kind in fields]
    return {"type": "record", "name": "Order", "namespace": "com.bigdata.orders", "fields": rows}


NAMES = (("orderId", "string"), ("product", "string"))
WIDER = schema(("note", "bytes"), ("paid", "boolean"), *NAMES, ("count", "int"), ("serial", "long"), ("rate", "double"),
               ("nothing", "null"), ("price", "double"))
NUMBERED = schema(("price", "long"), ("product", "int"), ("orderId", "bytes"))
UNRESOLVABLE = [schema(*NAMES), schema(*NAMES, ("price", "string")), schema(*NAMES, ("price", "boolean")),
                schema(("orderId", "string"), ("price", "float")), {"type": "string"}]


def wider(order, note=b"note", paid=b"\1"):
    return (zigzag(len(note)) + note + paid + string(order.order_id) + string(order.product) + zigzag(-5)
            + zigzag(1 << 40) + struct.pack("<d", 2.5) + struct.pack("<d", order.price))


class Poison(TestCase):
    def bad_values(self, flow):
        """Values of every kind that is no order, each with a name."""
        number, wide, numbered = flow.register(), flow.register(WIDER), flow.register(NUMBERED)
        good = encode(number, GOOD)
        yield "null value", None
        for length in range(5):
            yield f"{length} bytes", good[:length]
        yield "magic byte 2", b"\2" + good[1:]
        yield "a GUID that nobody knows", b"\1" + good[1:].ljust(30, b"x")
        yield "not a whole GUID", b"\1" + b"g" * 15
        yield "text", b"{\"orderId\":\"1\"}"
        yield "unknown id", encode(UNKNOWN_ID, GOOD)
        yield "no body", good[:5]
        for cut in (6, 8, 9, 10, 14, len(good) - 1):
            yield f"cut after {cut}", good[:cut]
        yield "a byte too many", good + b"\0"
        yield "twice", good + good[5:]
        yield "negative length", frame(number, zigzag(-1) + body(GOOD))
        yield "enormous length", frame(number, zigzag(1 << 62) + body(GOOD))
        yield "length without end", frame(number, b"\xff" * 11 + body(GOOD))
        yield "length beyond 64 bits", frame(number, b"\xff" * 9 + b"\x7f" + body(GOOD))
        yield "long field", encode(number, GOOD._replace(product="x" * 5001))
        yield "long field that is passed over", frame(wide, wider(GOOD, note=b"x" * 5001))
        yield "boolean 2", frame(wide, wider(GOOD, paid=b"\2"))
        yield "int beyond 32 bits", frame(numbered, zigzag(7) + zigzag(1 << 31) + b"\2x")
        for price in (math.nan, math.inf, -math.inf):
            yield f"price {price}", encode(number, GOOD._replace(price=price))
        yield "double NaN", frame(wide, wider(GOOD._replace(price=math.nan)))
        for index, each in enumerate(UNRESOLVABLE):
            yield f"unresolvable {index}", frame(flow.register(each), body(GOOD))

    def good_values(self, flow):
        number, wide, numbered = flow.register(), flow.register(WIDER), flow.register(NUMBERED)
        yield encode(number, GOOD._replace(product="x" * 5000))
        yield encode(number, GOOD._replace(order_id=""))
        yield frame(number, zigzag(2) + b"\xff\xfe" + zigzag(4) + b"\\xFF" + struct.pack("<f", -1.5))
        yield frame(number, zigzag(1) + b"i" + zigzag(3) + b"\xff\xc3\0" + struct.pack("<f", -1.5))
        yield frame(wide, wider(GOOD._replace(price=-1e300)))
        yield frame(wide, wider(GOOD._replace(price=5e-324)))
        yield frame(numbered, zigzag(-7) + zigzag(-2147483648) + b"\2x")

    def test_every_bad_record(self):
        flow = Flow(self, failure_rate=0.2, max_field_bytes=5000)
        bad = list(self.bad_values(flow))
        mine = RetryHeader(flow.settings.group, flow.topic, 1, 7, now_ms(), 2, now_ms() + 600000, now_ms(), 9).encode()
        records = []
        for index, (name, value) in enumerate(bad):
            headers = [("name", name.encode()), ("empty", b""), ("name", b"\xff\0")]
            key = None if value is not None and index % 4 == 0 else f"{index}".encode()
            records.append(Record.of(value, key, index % 3, headers, 1600000000000 + index))
        records += [Record.of(value, b"good", index % 3) for index, value in enumerate(self.good_values(flow))]
        # On this topic headers of orderflow's mean nothing.
        for index, header in enumerate((mine, b"garbage", b"")):
            headers = [(RETRY_HEADER, header), (ERRORS + "cause", b"old"), ("kept", b"1")]
            records += [Record.of(encode(flow.register(), GOOD), b"good", index, headers),
                        Record.of(b"bad", b"bad", index, headers)]
        records += flow.random_orders(300)
        flow.publish(records)
        expected = flow.expected()
        causes = {verdict.cause for verdict in expected.dead.values()}
        self.assertEqual(causes - {"simulated"}, {"null_value", "bad_framing", "unknown_schema", "undecodable",
                                                  "unresolvable_schema", "invalid_value"})
        with flow.run("--exit-at-end") as program:
            program.final(60)
        flow.check(expected)
        for event in flow.events("dead_letter"):
            verdict = expected.dead[event["origin_topic"], event["origin_partition"], event["origin_offset"]]
            self.assertEqual(event["cause"], verdict.cause)
            self.assertTrue(event["message"], event)

    def test_limits(self):
        flow = Flow(self, min_value=-1.5, max_value=100.25)
        number = flow.register()
        prices = (-1.75, -1.5, -0.0, 0.0, 100.25, 100.5, 3e38, -3e38)
        flow.publish([Record.of(encode(number, GOOD._replace(price=price)), b"k") for price in prices])
        with flow.run("--exit-at-end") as program:
            self.assertEqual(program.final(60)["run"]["dead_letters"], 4)
        flow.check()

    def test_records_in_the_retry_topic(self):
        """Ours go on where their header says, without a readable one they are new orders, others' are passed over."""
        flow = Flow(self, failure_rate=0.5)
        flow.client.create_topic(flow.retry, 3)
        number = flow.register()
        now = now_ms()
        mine = RetryHeader(flow.settings.group, "elsewhere", 2, 0, now - 9000, 1, now, now - 8000, 9)
        rows = [[(RETRY_HEADER, mine._replace(offset=offset, attempts=1 + offset % 4).encode())]
                for offset in range(40)]
        rows += [[], [(RETRY_HEADER, b"garbage")], [(RETRY_HEADER, b"")],
                 [(RETRY_HEADER, b"\2" + mine.encode()[1:])], [(RETRY_HEADER, mine.encode() + b"\0")],
                 [(RETRY_HEADER, mine._replace(attempts=0).encode())]] * 5
        foreign = [[(RETRY_HEADER, mine._replace(group=group, offset=1000 + index).encode())]
                   for index, group in enumerate(("other", flow.settings.group + "2", flow.settings.group[:-1]))]
        waiting = [Record.of(encode(number, GOOD), b"k", 2, headers + [("kept", b"1")]) for headers in rows + foreign]
        waiting += [Record.of(b"bad", b"k", 2, [(RETRY_HEADER, mine._replace(offset=100, attempts=2).encode())]),
                    Record.of(b"bad", b"k", 2, [])]
        flow.publish(waiting, flow.retry)
        flow.publish_orders(20)
        waiting = flow.client.read(flow.retry)
        with flow.run("--exit-at-end") as program:
            program.final(60)
        expected = flow.expected(waiting)
        self.assertEqual(len(expected.verdicts), 20 + len(waiting) - len(foreign))
        flow.began_ms = now - 8000      # when the first attempts failed
        flow.delay_ms = 0               # nobody waited for those
        flow.check(expected, waiting=waiting)


class UnknownSchema(TestCase):
    def test_a_registry_that_lags_is_asked_again(self):
        with StubRegistry({7: orders.SCHEMA}) as stub:
            flow = Flow(self, registry_url=stub.url)
            flow.schemas[7] = orders.SCHEMA
            flow.publish([Record.of(encode(7, GOOD), b"k", index % 3) for index in range(30)])
            stub.misbehave(Fault(status=404, body=b'{"error_code":40403,"message":"Schema not found"}'), times=1,
                           path="/schemas/ids/7")
            with flow.run("--exit-at-end") as program:
                self.assertEqual(program.final(60)["run"]["dead_letters"], 0)
            flow.check()
            self.assertEqual(stub.count("/schemas/ids/7"), 2)

    def test_each_id_is_asked_for_once(self):
        with StubRegistry(upstream=self.registry_url) as stub:
            flow = Flow(self, registry_url=stub.url)
            flow.publish_orders(5000)
            with flow.run("--exit-at-end", "--fetch-threads", 2, "--decode-threads", 4) as program:
                program.final(60)
            flow.check()
            self.assertEqual(stub.count("/schemas/ids/"), 1)


class Registry(TestCase):
    """Trouble with the registry costs no order: partitions that need it are held, the others go on."""
    FAULTS = [
        ("registry_denied", Fault(status=401)),
        ("registry_denied", Fault(status=403, body=b'{"error_code":40301,"message":"no"}')),
        ("registry_unavailable", Fault(status=429)),
        ("registry_unavailable", Fault(status=429, headers={"Retry-After": "2"})),
        ("registry_unavailable", Fault(body=b"x" * (1 << 20), repeat=1024)),
        ("registry_unavailable", Fault(status=500, body=b'{"error_code":50001,"message":"oh"}')),
        ("registry_unavailable", Fault(status=503, body=b"<html>")),
        ("registry_unavailable", Fault(body=b"garbage")),
        ("registry_unavailable", Fault(body=b"{}")),
        ("registry_unavailable", Fault(body=b'{"schema":7}')),
        ("registry_unavailable", Fault(status=404, body=b"<html>a server of another kind</html>")),
        ("registry_unavailable", Fault(close=True)),
        ("registry_unavailable", Fault(body=json.dumps({"schema": json.dumps(orders.SCHEMA)}).encode(), truncate=True)),
    ]

    def test_faults_hold(self):
        self.hold(self.FAULTS, 1.5)

    def test_a_slow_registry_holds(self):
        self.hold([("registry_unavailable", Fault(delay_s=15, then_behave=True))], 13)

    def test_retry_after_is_waited_for(self):
        """Neither sooner, nor much later."""
        with StubRegistry({1: orders.SCHEMA}) as stub:
            stub.misbehave(Fault(status=429, headers={"Retry-After": "4"}), times=2, path="/schemas/ids/")
            self.count_one(stub)
            asked = [request.monotonic_s for request in stub.requests if "/schemas/ids/" in request.path]
            self.assertEqual(len(asked), 3)
            for wait in (asked[1] - asked[0], asked[2] - asked[1]):
                self.assertGreaterEqual(wait, 4)
                self.assertLess(wait, 6)

    def test_every_other_answer_is_an_error(self):
        with StubRegistry({number: orders.SCHEMA for number in range(1, 6)}) as stub:
            stub.misbehave(Fault(status=500, every=2))
            self.count_one(stub, ids=range(1, 6))
            self.assertGreaterEqual(len(stub.requests), 6)

    def test_wrong_credentials_are_no_reason_to_hurry(self):
        with StubRegistry({1: orders.SCHEMA}) as stub:
            stub.misbehave(Fault(status=401), times=1, path="/schemas/ids/")
            self.count_one(stub)
            first, second = (request.monotonic_s for request in stub.requests if "/schemas/ids/" in request.path)
            self.assertGreaterEqual(second - first, 10)

    def count_one(self, stub, ids=(1,)):
        """An order of each id, counted in the end."""
        flow = Flow(self, 1, registry_url=stub.url)
        flow.schemas.update(stub.schemas)
        flow.publish([Record.of(encode(number, GOOD), b"k", 0) for number in ids])
        with flow.run("--exit-at-end") as program:
            program.final(60)
        flow.check()

    def hold(self, faults, seconds):
        """A partition for each fault, and one without."""
        ids = range(101, 101 + len(faults))
        with StubRegistry({number: orders.SCHEMA for number in [100, *ids]}) as stub:
            flow = Flow(self, len(faults) + 1, registry_url=stub.url)
            flow.schemas.update(stub.schemas)
            for number, (_, fault) in zip(ids, faults):
                stub.misbehave(fault, path=f"/schemas/ids/{number}")
            flow.publish([Record.of(encode(100 + index % flow.partitions, GOOD), b"k", index % flow.partitions)
                          for index in range(20 * flow.partitions)])
            with flow.run("--exit-at-end") as program:
                self.wait_until(lambda: len({event["partition"] for event in self.held(flow)}) == len(faults)
                                and flow.settled() >= 20, 30, "all but one partition held, that one done")
                until = time.monotonic() + seconds
                while time.monotonic() < until:
                    self.assertEqual(flow.settled(), 20)
                    self.assertEqual(flow.events("dead_letter"), [])
                    time.sleep(0.1)
                self.check_reasons(flow, faults)
                stub.behave()
                program.final(60)
            flow.check()

    @staticmethod
    def held(flow):
        """Events about partitions of orders: those of retries go down with a transaction, too."""
        return [event for event in flow.events("held") if event["topic"] == flow.topic]

    def check_reasons(self, flow, faults):
        reasons = {}
        for event in self.held(flow):
            if event["cause"] != "schema_pending":
                self.assertEqual((event["class"], event["offset"]), ("infrastructure", 0))
                self.assertIn(flow.registry_url, event["detail"])
                reasons.setdefault(event["partition"], set()).add(event["cause"])
        self.assertEqual(reasons, {1 + index: {cause} for index, (cause, _) in enumerate(faults)})


class Oversize(TestCase):
    """What the broker finds too large is made smaller: without message, without others' headers, cut with a digest."""

    LIMIT = 150000

    def letters(self, values, headers):
        flow = Flow(self)
        flow.client.create_topic(flow.dlq, 3, max_message_bytes=self.LIMIT)
        number = flow.register()
        flow.publish([Record.of(encode(number, GOOD), b"k")] * 5)
        flow.publish([Record.of(value, b"key", 0, rows) for value, rows in zip(values, headers)])
        flow.publish([Record.of(encode(number, GOOD), b"k")] * 5)
        with flow.run("--exit-at-end") as program:
            final = program.final(60)
        self.assertEqual((final["run"]["orders_processed"], final["run"]["dead_letters"]), (10, len(values)))
        found = {int(record.header(ERRORS + "offset")): record for record in flow.dead_letters()}
        self.assertEqual(sorted(found), list(range(5, 5 + len(values))), "one dead letter each")
        return [found[offset] for offset in sorted(found)]

    def test_headers_of_others_go_before_the_payload(self):
        value = b"\2" + b"v" * 100000
        letters = self.letters([value, value], [[("small", b"s")], [("large", b"l" * 200000)]])
        self.assertEqual([letter.value for letter in letters], [value, value])
        self.assertEqual([letter.header("small") for letter in letters], ["s", None])
        self.assertEqual([letter.header("large") for letter in letters], [None, None])
        self.assertEqual([letter.header(ERRORS + "cause") for letter in letters], ["bad_framing"] * 2)

    def test_a_payload_leaves_its_digest(self):
        value = b"\2" + bytes(index % 251 for index in range(400000))
        letter, = self.letters([value], [[("large", b"l" * 100)]])
        self.assertTrue(value.startswith(letter.value))
        self.assertEqual(len(letter.value), 1024)
        self.assertEqual(letter.key, b"key")
        self.assertEqual(letter.header(ERRORS + "value_bytes"), str(len(value)))
        self.assertEqual(letter.header(ERRORS + "value_sha256"), hashlib.sha256(value).hexdigest())

    def test_a_retry_record_that_is_too_large_is_a_dead_letter(self):
        flow = Flow(self, failure_rate=1.0, max_retries=2)
        flow.client.create_topic(flow.retry, 3, max_message_bytes=self.LIMIT)
        number = flow.register()
        flow.publish([Record.of(encode(number, GOOD._replace(product=product)), b"k")
                      for product in ("small", "x" * 2 * self.LIMIT, "little")])
        with flow.run("--exit-at-end") as program:
            final = program.final(60)
        self.assertEqual((final["run"]["retry_attempts"], final["run"]["dead_letters"]), (4, 3))
        attempts = {record.header(ERRORS + "offset"): record.header(ERRORS + "attempts")
                    for record in flow.dead_letters()}
        self.assertEqual(attempts, {"0": "3", "1": "1", "2": "3"})

    def test_records_that_fit_alone_are_not_refused_together(self):
        flow = Flow(self, failure_rate=1.0, max_retries=1)
        flow.client.create_topic(flow.retry, 3, max_message_bytes=1000)
        number = flow.register()
        flow.publish([Record.of(encode(number, GOOD), b"k")] * 200)
        with flow.run("--exit-at-end") as program:
            final = program.final(60)
        self.assertEqual((final["run"]["retry_attempts"], final["run"]["dead_letters"]), (200, 200))
        self.assertEqual({record.header(ERRORS + "attempts") for record in flow.dead_letters()}, {"2"})


class Refused(TestCase):
    """A broker that takes no dead letters: the partitions that have one are held, and go on when it does again."""

    def setUp(self):
        super().setUp()
        settings = {"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                    "allow.everyone.if.no.acl.found": "true"}
        self.kafka = self.own_kafka(settings=settings)
        # So many retries that no order becomes a dead letter, which could not be written either.
        self.flow = Flow(self, client=self.client_of(self.kafka), failure_rate=0.2, max_retries=9)

    def rules(self, topic):
        """Everything but writing."""
        pattern = kafka.admin.ResourcePattern(kafka.admin.ResourceType.TOPIC, topic)
        return [kafka.admin.ACL("User:ANONYMOUS", "*", operation, permission, pattern) for operation, permission in (
            (kafka.admin.ACLOperation.ALL, kafka.admin.ACLPermissionType.ALLOW),
            (kafka.admin.ACLOperation.WRITE, kafka.admin.ACLPermissionType.DENY))]

    def held_until_allowed(self, topic, cause):
        flow, rules = self.flow, self.rules(topic)
        flow.client.create_topic(topic, 3)
        flow.client.ask(lambda admin: admin.create_acls(rules))
        with flow.run("--exit-at-end") as program:
            held = program.wait_event(lambda event: event["event"] == "held" and event.get("cause") == cause, 60)
            self.assertEqual((held["topic"], held["partition"]), (flow.topic, 1))
            self.assertIn(topic, held.get("detail", ""), "it is named")
            self.wait_until(lambda: self.settled_elsewhere(program) == 220, 60, "the other partitions go on")
            time.sleep(1)
            self.assertTrue(program.running(), "a hold does not end a run to the end")
            flow.client.ask(lambda admin: admin.delete_acls(rules))
            program.final(90)
        flow.check(repeated=True)

    @staticmethod
    def settled_elsewhere(program):
        events = program.of_kind("processed") + program.of_kind("dead_letter")  # again after an aborted transaction
        places = {(event["origin_partition"], event["origin_offset"]) for event in events}
        return sum(partition != 1 for partition, _ in places)

    def test_not_allowed_to_write_dead_letters(self):
        self.flow.publish_orders(300)
        self.flow.publish([Record.of(b"bad", b"bad", 1)])
        self.flow.publish_orders(30, first_id=2001)
        self.held_until_allowed(self.flow.dlq, "dead_letter_refused")

    def test_not_allowed_to_write_retry_records(self):
        flow, rules = self.flow, self.rules(self.flow.retry)
        flow.client.create_topic(flow.retry, 3)
        flow.publish_orders(300)
        flow.client.ask(lambda admin: admin.create_acls(rules))
        with flow.run("--exit-at-end") as program:
            self.wait_until(lambda: {event["partition"] for event in program.of_kind("held")} == {0, 1, 2}, 60,
                            "all partitions with failures held")
            self.assertLessEqual({event["cause"] for event in program.of_kind("held")},
                                 {"retry_refused", "transaction_aborted"})
            time.sleep(1)
            self.assertEqual(flow.client.read(flow.dlq), [], "no attempt is lost by it")
            flow.client.ask(lambda admin: admin.delete_acls(rules))
            program.final(90)
        flow.check(repeated=True)


if __name__ == "__main__":
    main()
