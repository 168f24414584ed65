"""What `orderflow produce` publishes, read back by a client that shares nothing with it."""
import json
import os
import re
import struct
from fractions import Fraction

from lib import orders, process
from lib.environment import TestCase, main
from lib.orderflow import Orderflow, program_path
from lib.orders import frame
from lib.terminal import Terminal


def without_doc(schema):
    fields = [{key: value for key, value in field.items() if key != "doc"} for field in schema["fields"]]
    return {**schema, "fields": fields}


class Produce(TestCase):
    def produce(self, topic, *arguments, status=0, seconds=60, **options):
        with self.orderflow("produce", "--topic", topic, *arguments, **options) as program:
            self.assertEqual(program.wait(seconds), status, program.stderr())
            return program

    def published(self, topic):
        """The orders of the topic by id, each record checked."""
        found, schemas = {}, set()
        for record in self.client.read(topic):
            number, order = orders.decode(record.value)
            schemas.add(number)
            self.assertEqual(record.key, order.order_id.encode(), "the key is the order id")
            self.assertNotIn(order.order_id, found)
            found[order.order_id] = (order, record.partition, record.offset)
        self.assertEqual(len(schemas), 1)
        self.assertEqual(without_doc(self.registry.schema(schemas.pop())), orders.SCHEMA)
        return found

    def assert_statistics(self, program, found):
        """The end of the output tells count, exact sum and average of exactly what is in the topic."""
        text = "\n".join(program.lines)
        total = orders.exact_sum(order.price for order, _, _ in found.values())
        self.assertIn(f"orders delivered   {len(found)}\n", text)
        exact = re.search(r"price sum .*exactly ([0-9.-]+)\)", text).group(1)
        self.assertEqual(Fraction(exact), total)
        average = re.search(r"average price +\$([0-9.-]+)", text).group(1)
        self.assertLessEqual(abs(Fraction(average) - total / len(found)), Fraction(1, 200))

    def test_orders_are_told_one_by_one(self):
        topic = self.unique("orders")
        program = self.produce(topic, "--interval-ms", "20", "--partitions", "4")
        self.assertEqual(len(self.client.partitions(topic)), 4, "the topic was created")
        found = self.published(topic)
        self.assertEqual(sorted(found), [str(number) for number in range(1001, 1021)])
        text = "\n".join(program.lines)
        for order_id, (order, partition, offset) in found.items():
            self.assertIn(f"order {order_id}  {order.product}  ${order.price:.2f}\n", text)
            self.assertIn(f"order {order_id}  delivered to {topic}[{partition}] at offset {offset}\n", text)
        self.assert_statistics(program, found)

    def test_as_fast_as_it_goes_loses_nothing(self):
        topic = self.unique("orders")
        program = self.produce(topic, "--count", "50000", "--rate", "0", "--first-id", "1", "--seed", "7")
        found = self.published(topic)
        self.assertEqual(set(found), {str(number) for number in range(1, 50001)})
        self.assert_statistics(program, found)

    def test_the_seed_decides(self):
        prices = []
        for seed in ("5", "5", "6"):
            topic = self.unique("orders" + str(len(prices)))
            self.produce(topic, "--rate", "0", "--seed", seed)
            prices.append([order for order, _, _ in sorted(self.published(topic).values())])
        self.assertEqual(prices[0], prices[1])
        self.assertNotEqual(prices[0], prices[2])

    def test_rows_of_a_file(self):
        topic = self.unique("orders")
        rows = 'orderId,price,product\n7,1.5,"Lap, top"\n8,-2.25,Gerät\n'.encode()
        program = self.produce(topic, "--file", "-", "--rate", "1000", stdin=rows)
        found = self.published(topic)
        self.assertEqual([found[key][0] for key in ("7", "8")],
                         [orders.Order("7", "Lap, top", 1.5), orders.Order("8", "Gerät", -2.25)])
        self.assert_statistics(program, found)

    def test_a_bad_row_ends_it_after_the_good_ones(self):
        topic = self.unique("orders")
        rows = b'{"orderId": 1, "product": "a", "price": 1}\n{"orderId": 2, "product": "b", "price": "x"}\n'
        program = self.produce(topic, "--file", "-", "--rate", "0", stdin=rows, status=1)
        self.assertEqual(list(self.published(topic)), ["1"])
        self.assertRegex(program.stderr(), "line 2, column price")

    def test_the_subject_follows_the_topic_or_the_option(self):
        topic, subject = self.unique("orders"), self.unique("subject")
        self.produce(topic, "--count", "1", "--rate", "0")
        self.assertIn(topic + "-value", self.registry.subjects())
        self.produce(topic, "--count", "1", "--rate", "0", "--subject", subject)
        self.assertIn(subject, self.registry.subjects())

    def test_no_topic_and_none_wanted(self):
        topic = self.unique("orders")
        program = self.produce(topic, "--no-create-topics", status=1)
        self.assertIn(f"topic {topic} does not exist", program.stderr())
        self.assertNotIn(topic, self.client.topics())

    def test_interrupt_delivers_what_was_published(self):
        topic = self.unique("orders")
        with self.orderflow("produce", "--topic", topic, "--rate", "2000", "--count", "10000000",
                            "--progress-seconds", "1") as program:
            self.wait_for_line(program, " published ")
            program.interrupt()
            self.assertEqual(program.wait(15), 0, program.stderr())
        found = self.published(topic)
        self.assertGreater(len(found), 1000)
        self.assert_statistics(program, found)

    def test_a_terminal_has_a_bar(self):
        """Drawn again in place, and gone before the statistics; a pipe has neither bar nor lines of progress."""
        topic = self.unique("orders")
        command = f"{program_path()} produce --topic {topic} --rate 2000 --count 10000"
        variables = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
        variables |= {"ORDERFLOW_BROKERS": self.bootstrap, "ORDERFLOW_REGISTRY": self.registry_url, "NO_COLOR": "1",
                      "LC_ALL": "C.UTF-8"}
        with Terminal(command, folder=self.folder, environment=variables, tty=True) as terminal:
            terminal.wait_for(r"publishing  [█░]{20} +\d+%  [\d,]+ of 10,000 orders  [\d,]+/s  \d+ (s|min)", 60, count=3)
            text = terminal.end(60)
        self.assertRegex(text, r"\x1b\[1A\x1b\[J\n+Final statistics\n  orders delivered   10000\n")
        with Terminal(command, folder=self.folder, environment=variables) as terminal:
            text = terminal.end(60)
        self.assertNotIn("publishing  ", text)
        self.assertNotIn(" published ", text)

    def wait_for_line(self, program, text, seconds=30):
        process.wait_until(lambda: any(text in line for line in program.lines), seconds, text)

    def test_a_broker_that_goes_away_is_told(self):
        kafka = self.own_kafka()
        with self.orderflow("produce", "--interval-ms", "100", "--count", "100", "-X", "message.timeout.ms=3000",
                            brokers=kafka.bootstrap) as program:
            self.wait_for_line(program, "delivered to orders")
            kafka.kill()
            self.assertEqual(program.wait(90), 1, program.stderr())
            self.assertRegex(program.stderr(), r"\d+ of 100 orders were not delivered; order \d+: ")


SALE = {"type": "record", "name": "Sale", "namespace": "com.example", "fields": [
    {"name": "saleId", "type": "long"},
    {"name": "amount", "type": "double"},
    {"name": "country", "type": ["null", "string"], "default": None},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["OPEN", "PAID"]}, "default": "OPEN"},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}}]}


class Records(TestCase):
    """Any flat record, and the registry's word on its schema."""

    def produce(self, topic, *arguments, status=0, rows=None, schema=SALE):
        path = self.folder / "sale.avsc"
        path.write_text(json.dumps(schema))
        with self.orderflow("produce", "--topic", topic, "--schema", path, "--id-field", "saleId", "--value-field",
                            "amount", "--rate", 0, *arguments, stdin=rows) as program:
            self.assertEqual(program.wait(60), status, program.stderr())
            return program

    def test_columns_go_to_fields_by_name(self):
        topic = self.unique("sales")
        rows = b"price,amount,saleId,country,other\n12.5,-2.5,7,,x\n0.01,1e3,8,D,x\n"
        program = self.produce(topic, "--file", "-", rows=rows)
        number = self.registry.latest(f"{topic}-value")["id"]
        wanted = {b"7": frame(number, b"\x0e" + struct.pack("<d", -2.5) + b"\0" + b"\0" + b"\4\x04\xe2"),
                  b"8": frame(number, b"\x10" + struct.pack("<d", 1000) + b"\2\2D" + b"\0" + b"\2\1")}
        self.assertEqual({record.key: record.value for record in self.client.read(topic)}, wanted)
        self.assertIn("exactly 997.5)", "\n".join(program.lines))

    def test_a_row_that_does_not_fit_is_named(self):
        topic = self.unique("sales")
        rows = b'{"saleId": 1, "amount": 1, "price": "1.00"}\n{"saleId": 2, "amount": 1, "price": "1.001"}\n'
        program = self.produce(topic, "--file", "-", rows=rows, status=1)
        self.assertIn('standard input: row at line 2, column price: "1.001" has more decimals', program.stderr())
        self.assertEqual([record.key for record in self.client.read(topic)], [b"1"])

    def test_an_incompatible_schema_is_refused_with_the_registrys_words(self):
        topic = self.unique("sales")
        rows = b"saleId,amount,price\n1,1,1\n"
        self.produce(topic, "--file", "-", rows=rows)
        self.registry.call("PUT", f"/config/{topic}-value", {"compatibility": "BACKWARD"})
        other = {**SALE, "fields": [{"name": "saleId", "type": "long"}, {"name": "amount", "type": "double"},
                                    {"name": "price", "type": "string"}, {"name": "more", "type": "string"}]}
        program = self.produce(topic, "--file", "-", rows=b"saleId,amount,price,more\n1,1,1,1\n", schema=other, status=1)
        self.assertRegex(program.stderr(), "refuses the schema for subject .* \\(409, incompatible\\): .*[Ii]ncompatible")
        self.assertEqual(len(self.client.read(topic)), 1)
        check = self.schema("check", "--subject", f"{topic}-value", status=1)
        self.assertIn("not compatible", check.stderr())

    def test_nothing_is_registered_where_that_is_not_wanted(self):
        topic = self.unique("sales")
        rows = b"saleId,amount,price\n1,1,1\n"
        program = self.produce(topic, "--no-auto-register", "--file", "-", rows=rows, status=1)
        self.assertIn("does not have this schema under subject", program.stderr())
        self.assertNotIn(f"{topic}-value", self.registry.subjects())
        registered = self.schema("register", "--subject", f"{topic}-value")
        number = self.registry.latest(f"{topic}-value")["id"]
        self.assertIn(f"subject {topic}-value, schema id {number}", registered.lines)
        self.produce(topic, "--no-auto-register", "--file", "-", rows=rows)
        self.assertEqual(self.client.read(topic)[0].value[:5], frame(number, b""))
        self.assertIn(f"subject {topic}-value: compatible", self.schema("check", "--subject", f"{topic}-value").lines)
        listed = [line.split() for line in self.schema("list").lines]
        self.assertIn([f"{topic}-value", "1", str(number), "AVRO"], listed)

    def schema(self, action, *arguments, status=0):
        """`orderflow schema` with the schema that was produced with last."""
        path = self.folder / "sale.avsc"
        with Orderflow("schema", action, "--registry", self.registry_url, "--schema", path, *arguments,
                       folder=self.folder, name=f"schema-{action}") as program:
            self.assertEqual(program.wait(30), status, program.stderr())
            return program


if __name__ == "__main__":
    main()
