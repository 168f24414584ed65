"""Orders that other people's serializers wrote, totalled exactly: Python, Java and Go, ids and GUIDs, value and header."""
import json
import subprocess
from fractions import Fraction

from lib import fetch, orders, process
from lib.environment import TestCase, main
from lib.stub import StubRegistry

COUNT = 5000
NATIVE = "/apis/registry/v2"      # Apicurio's own interface, beside Confluent's


class Serializers(TestCase):
    def setUp(self):
        super().setUp()
        self.topic = self.client.create_topic(self.unique("orders"), 3)
        self.schema = self.folder / "order.avsc"
        self.schema.write_text(json.dumps(orders.SCHEMA))

    def publish(self, command, *more, registry=None):
        log = self.folder / "publisher.log"
        arguments = [*command, self.bootstrap, registry or self.registry_url, self.topic, self.schema, COUNT, *more]
        with open(log, "wb") as out:
            child = process.spawn([str(argument) for argument in arguments], stdout=out, stderr=subprocess.STDOUT)
            self.assertEqual(child.wait(120), 0, process.tail(log))

    def assert_total(self, product, price, registry=None):
        """A run counts every order, with the exact sum; price: of the first, the others are multiples of it."""
        name = self.unique("")[1:]
        with self.orderflow("run", "--topic", self.topic, "--retry-topic", f"retry-{name}", "--dlq-topic",
                            f"dlq-{name}", "--group", name, "--console", "json", "--exit-at-end", "--exit-timeout-ms",
                            60000, registry_url=registry or self.registry_url) as program:
            run = program.final(90)["run"]
        total = price * COUNT * (COUNT + 1) / 2
        self.assertEqual((run["orders_processed"], Fraction(run["price_sum"]), run["dead_letters"]), (COUNT, total, 0))
        self.assertEqual([(name, row["orders_processed"], Fraction(row["price_sum"]))
                          for name, row in run["products"].items()], [(product, COUNT, total)])

    def python(self, where, registry=None):
        script = fetch.places.BROKER_TESTS / "serializers" / "python" / "publish.py"
        self.publish([fetch.python_serializer(), script], where, registry=registry)

    def test_confluent_kafka_with_ids_in_front(self):
        self.python("prefix")
        self.assertEqual(self.client.read(self.topic)[0].value[0], 0)
        self.assert_total("Phone", Fraction(1, 2))

    def test_confluent_kafka_with_guids_in_a_header(self):
        with StubRegistry() as stub:        # the real one has no GUIDs
            self.python("header", registry=stub.url)
            record = self.client.read(self.topic)[0]
            header = dict(record.headers)["__value_schema_id"]
            self.assertEqual((header[0], len(header)), (1, 17))
            self.assertEqual(record.value[:1], orders.string("python-1")[:1], "a bare body")
            self.assert_total("Phone", Fraction(1, 2), registry=stub.url)
            self.assertEqual(stub.count("/schemas/guids/"), 1)
            self.assertEqual(stub.count("/schemas/ids/"), 0)

    def test_apicurio_in_its_confluent_mode(self):
        java, _ = fetch.java()
        base = self.registry_url.removesuffix("/apis/ccompat/v7")
        self.publish([java, "-cp", f"{fetch.java_serializer()}/*", "Publish"], registry=base + NATIVE)
        self.assert_total("Tablet", Fraction(1, 4))

    def test_franz_go(self):
        self.publish([fetch.go_serializer()])
        self.assert_total("Camera", Fraction(1, 8))


if __name__ == "__main__":
    main()
