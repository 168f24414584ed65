"""One flow of orders for a test: its topics, its group, what is in them, and whether a run made of it what it must.

    flow = Flow(self, failure_rate=0.1)
    flow.publish_orders(1000)
    with flow.run("--exit-at-end") as program:
        program.final(60)
    flow.check()
"""
import random
import struct
import time

from lib import orders
from lib.client import Record
from lib.oracle import Settings, Totals, judge

PRODUCTS = ["Laptop", "Mouse", "Keyboard", "Monitor", "Käse", "", "Headphones \"L\"", "a\\b", "Tablet", "x" * 60]


def now_ms():
    return time.time_ns() // 1000000


class Flow:
    def __init__(self, test, partitions=3, delay_ms=300, topic=None, client=None, registry_url=None, **settings):
        """settings: of the oracle, which become options of the program too. topic: one that is there already."""
        self.test = test
        self.client = client or test.client
        self.registry_url = registry_url or test.registry_url
        self.partitions = partitions
        self.delay_ms = delay_ms
        self.retry_partitions = self.dlq_partitions = partitions    # what the program makes them
        self.topic = topic or self.client.create_topic(test.unique("orders"), partitions)
        name = test.unique("")[1:]
        self.retry, self.dlq, self.aggregates = f"retry-{name}", f"dlq-{name}", f"aggregates-{name}"
        self.settings = Settings(group=f"group-{name}", retry_topic=self.retry, **settings)
        self.schemas = {}       # by id, as far as the test registered them
        self.programs = []
        self.began_ms = now_ms()

    # --- what goes in -----------------------------------------------------------------------------------------------

    def register(self, schema=None):
        """The id of a schema, by default that of an order, which the oracle then knows too."""
        schema = schema or orders.SCHEMA
        number = self.test.registry.register(f"{self.topic}-value", schema)
        self.schemas[number] = schema
        return number

    def random_orders(self, count, seed=1, first_id=1001):
        """Records of orders over all partitions: prices that no float sum gets right, headers of all kinds."""
        number = self.register()
        chance = random.Random(seed)
        for index in range(count):
            price = round(chance.uniform(1, 2000), 2)
            if chance.random() < 0.05:
                price = chance.choice((1e30, -1e30, 1e-30, -0.0, -5.25, 3e38, 1e-45))
            price, = struct.unpack("<f", struct.pack("<f", price))
            order = orders.Order(str(first_id + index), chance.choice(PRODUCTS), price)
            headers = [("trace", b"\xff\0%d" % index), ("trace", b"")] if index % 16 == 0 else []
            yield Record.of(orders.encode(number, order), order.order_id.encode(), index % self.partitions, headers)

    def publish(self, records, topic=None):
        """Returns where they are: [(partition, offset)]."""
        return self.client.produce(topic or self.topic, records)

    def publish_orders(self, count, **options):
        return self.publish(self.random_orders(count, **options))

    def produce(self, count):
        """Many orders quickly, by the program's own `produce`; the oracle knows them as the client reads them."""
        with self.test.orderflow("produce", "--topic", self.topic, "--count", count, "--rate", 0,
                                 brokers=self.client.bootstrap) as program:
            self.test.assertEqual(program.wait(60), 0, program.stderr())
        ends = self.client.end_offsets(self.topic)
        for record in self.client.read(self.topic, start={p: end - 1 for p, end in ends.items()}):
            number, _ = orders.decode(record.value)
            self.schemas[number] = self.test.registry.schema(number)

    # --- what works on it -------------------------------------------------------------------------------------------

    def run(self, *arguments, name=None, **options):
        """The program on this flow, not started yet."""
        settings = self.settings
        flags = ["--topic", self.topic, "--retry-topic", self.retry, "--dlq-topic", self.dlq, "--aggregates-topic",
                 self.aggregates, "--group", settings.group, "--seed", settings.seed, "--failure-rate",
                 settings.failure_rate, "--max-retries", settings.max_retries, "--retry-delay-ms", self.delay_ms,
                 "--console", "json"]
        flags += ["--min-value", settings.min_value] if settings.min_value > float("-inf") else []
        flags += ["--max-field-bytes", settings.max_field_bytes] if settings.max_field_bytes != 1 << 20 else []
        flags += ["--max-value", settings.max_value] if settings.max_value < float("inf") else []
        program = self.test.orderflow("run", *flags, *arguments, name=name or f"run-{len(self.programs) + 1}",
                                      **{"registry_url": self.registry_url, "brokers": self.client.bootstrap, **options})
        self.programs.append(program)
        return program

    # --- what must come out -----------------------------------------------------------------------------------------

    def expected(self, waiting=()):
        """waiting: records that stood in the retry topic before the run."""
        return judge(self.client.read(self.topic) + list(waiting), self.schemas, self.settings)

    def events(self, kind=None):
        """Of all programs so far."""
        return [event for program in self.programs for event in list(program.events)
                if kind is None or event["event"] == kind]

    def told(self):
        """How often an order was told of as counted or dead."""
        return len(self.events("processed")) + len(self.events("dead_letter"))

    def settled(self):
        """The same by orders: one is told of again after an aborted transaction. Those of a topic made anew have the places of others."""
        return len({(event["origin_topic"], event["origin_partition"], event["origin_offset"])
                    for kind in ("processed", "dead_letter") for event in self.events(kind)})

    def dead_letters(self):
        return self.client.read(self.dlq)

    def check(self, expected=None, waiting=(), repeated=False):
        """All programs have ended with a final event and together made exactly what the oracle says.

        waiting: see expected(). repeated: see event_complaints().
        """
        expected = expected or self.expected(waiting)
        found = sum((Totals.of_event(program.events[-1]["run"]) for program in self.programs), Totals())
        self.test.assertEqual(found, expected.totals)
        self.test.assertEqual(expected.event_complaints(self.events(), repeated), [])
        mine = {(record.partition, record.offset) for record in waiting}
        written = [row for row in self.client.read(self.retry) if (row.partition, row.offset) not in mine]
        self.test.assertEqual(expected.retry_record_complaints(written, self.retry_partitions), [])
        self.check_dead_letters(expected)

    def check_dead_letters(self, expected):
        complaints = expected.dead_letter_complaints(self.dead_letters(), (self.began_ms, now_ms()), self.delay_ms,
                                                     self.dlq_partitions)
        self.test.assertEqual(complaints, [])
