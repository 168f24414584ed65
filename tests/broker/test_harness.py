"""The harness itself: what every other broker test takes for granted."""
import struct
import subprocess
import threading
import time
import unittest
from fractions import Fraction

from lib import broker, orders, process
from lib.client import Record
from lib.environment import TestCase, main
from lib.registry import RegistryClient, RegistryError
from lib.stub import Fault, StubRegistry


class Shared(TestCase):
    def test_records_keep_all_they_have(self):
        topic = self.client.create_topic(self.unique("topic"), partitions=3, retention_ms=86400000 * 365)
        self.assertEqual(self.client.config(topic)["retention.ms"], str(86400000 * 365))
        headers = [("a", b"1"), ("a", b"\xff"), ("b", b"")]
        sent = [Record.of(b"v%d" % i, b"k%d" % i, i % 3, headers, 1700000000000 + i) for i in range(1000)]
        sent += [Record.of(None, key=b"k", partition=2)]
        where = self.client.produce(topic, sent)
        found = {(record.partition, record.offset): record for record in self.client.read(topic)}
        self.assertEqual(len(found), len(sent))
        for record, place in zip(sent, where):
            back = found[place]
            self.assertEqual((back.key, back.value, back.headers), (record.key, record.value, record.headers))
            if record.timestamp_ms:
                self.assertEqual(back.timestamp_ms, record.timestamp_ms)
        self.assertEqual(self.client.end_offsets(topic), {0: 334, 1: 333, 2: 334})
        rest = self.client.read(topic, start={0: 330, 1: 333, 2: 334})
        self.assertEqual([record.offset for record in rest], [330, 331, 332, 333])

    def test_only_committed_transactions_are_read(self):
        topic = self.client.create_topic(self.unique("topic"), partitions=1)
        name = self.unique("transaction")
        self.client.transact(topic, [Record.of(b"kept")], name)
        self.client.transact(topic, [Record.of(b"given up")], name, commit=False)
        self.assertEqual([record.value for record in self.client.read(topic)], [b"kept"])
        self.assertEqual([record.value for record in self.client.read(topic, committed=False)], [b"kept", b"given up"])
        self.assertEqual(self.client.end_offsets(topic), {0: 4}, "a marker ends each transaction")

    def test_group_offsets_are_read_and_moved(self):
        topic = self.client.create_topic(self.unique("topic"), partitions=2)
        group = self.unique("group")
        self.assertEqual(self.client.committed(group), {})
        self.client.commit(group, {(topic, 0): 17, (topic, 1): 0})
        self.assertEqual(self.client.committed(group), {(topic, 0): 17, (topic, 1): 0})
        self.assertEqual(self.client.members(group), [])

    def test_records_can_be_dropped_as_retention_does(self):
        topic = self.client.create_topic(self.unique("topic"), partitions=1)
        self.client.produce(topic, [Record.of(b"%d" % i) for i in range(10)])
        self.client.delete_records(topic, {0: 6})
        self.assertEqual(self.client.begin_offsets(topic), {0: 6})
        self.assertEqual([record.offset for record in self.client.read(topic)], [6, 7, 8, 9])

    def test_registry_gives_back_what_was_registered(self):
        subject = self.unique("orders-value")
        number = self.registry.register(subject, orders.SCHEMA)
        self.assertEqual(self.registry.schema(number), orders.SCHEMA)
        self.assertEqual(self.registry.register(subject, orders.SCHEMA), number)
        with self.assertRaises(RegistryError) as raised:
            self.registry.schema(99999999)
        self.assertEqual((raised.exception.status, raised.exception.code), (404, 40403))


class OwnBroker(TestCase):
    def test_killed_broker_keeps_its_data(self):
        kafka = self.own_kafka()
        client = self.client_of(kafka)
        topic = client.create_topic("kept", partitions=2)
        sent = [Record.of(b"%d" % i, partition=i % 2) for i in range(500)]
        client.produce(topic, sent)
        before = client.read(topic)
        self.assertEqual(len(before), 500)
        client.close()
        kafka.nodes[0].kill()
        self.assertEqual(broker.api_versions(kafka.nodes[0].port), {}, "still answers")
        kafka.nodes[0].start()
        self.assertEqual(client.cluster_id(), kafka.cluster_id)
        self.assertEqual(client.read(topic), before)

    def test_three_nodes_replicate(self):
        kafka = self.own_kafka(nodes=3, heap="256m")
        client = self.client_of(kafka)
        topic = client.create_topic("copied", partitions=3, replication=3)
        client.produce(topic, [Record.of(b"%d" % i, partition=i % 3) for i in range(300)])
        client.close()
        kafka.nodes[0].kill()
        left = ",".join(node.address for node in kafka.nodes[1:])
        client.bootstrap = left
        self.wait_until(lambda: client.partitions(topic) == [0, 1, 2], 30, "all partitions have leaders again")
        self.assertEqual(len(client.read(topic)), 300)


class Stub(unittest.TestCase):
    def test_it_misbehaves_on_command(self):
        with StubRegistry({7: orders.SCHEMA}) as stub:
            client = RegistryClient(stub.url, seconds=1)
            self.assertEqual(client.schema(7), orders.SCHEMA)
            stub.misbehave(Fault(status=503), path="/schemas/ids/7", times=1)
            with self.assertRaises(RegistryError) as raised:
                client.schema(7)
            self.assertEqual(raised.exception.status, 503)
            self.assertEqual(client.schema(7), orders.SCHEMA, "one time was asked for")
            for fault in (Fault(body=b"garbage"), Fault(close=True), Fault(body=b'{"schema":', truncate=True),
                          Fault(delay_s=1.5, then_behave=True)):
                with self.subTest(fault), self.assertRaises(Exception):
                    stub.misbehave(fault)
                    client.schema(7)
                stub.behave()
            self.assertEqual(client.schema(7), orders.SCHEMA)
            with self.assertRaises(RegistryError) as raised:
                client.schema(8)
            self.assertEqual((raised.exception.status, raised.exception.code), (404, 40403))
            stub.stop()
            self.assertFalse(client.answers())
            stub.start()
            self.assertEqual(client.schema(7), orders.SCHEMA)
            self.assertGreaterEqual(stub.count("/schemas/ids/7"), 8)

    def test_it_stands_before_a_real_registry(self):
        with StubRegistry({1: orders.SCHEMA}) as behind, StubRegistry(upstream=behind.url) as stub:
            self.assertEqual(RegistryClient(stub.url).schema(1), orders.SCHEMA)


class Orders(unittest.TestCase):
    def test_encoding_by_the_book(self):
        order = orders.Order("1001", "Laptop", 0.5)
        encoded = orders.encode(258, order)
        self.assertEqual(encoded, b"\0\0\0\1\2" + b"\x081001" + b"\x0cLaptop" + b"\0\0\0\x3f")
        self.assertEqual(orders.decode(encoded), (258, order))
        long = orders.Order("x" * 1000, "Käse", struct.unpack("<f", struct.pack("<f", 0.1))[0])
        self.assertEqual(orders.decode(orders.encode(1, long)), (1, long))
        self.assertEqual([orders.zigzag(n) for n in (0, -1, 1, -64, 64)], [b"\0", b"\1", b"\2", b"\x7f", b"\x80\1"])

    def test_sums_are_exact(self):
        self.assertEqual(orders.exact_sum([2.0 ** 60, 2.0 ** -60, -2.0 ** 60]), Fraction(1, 2 ** 60))
        self.assertEqual(orders.average(orders.exact_sum([0.5, 1.0]), 2), 0.75)
        self.assertIsNone(orders.average(Fraction(0), 0))


class Processes(unittest.TestCase):
    def test_stopped_in_time(self):
        child = process.spawn(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], stdout=subprocess.PIPE)
        with child.stdout:
            self.assertEqual(child.stdout.readline().strip(), b"ready")
        begun = time.monotonic()
        self.assertEqual(process.stop(child, seconds=0.5), -9)
        self.assertLess(time.monotonic() - begun, 5)

    def test_wait_until_names_what_it_waited_for(self):
        with self.assertRaisesRegex(process.Timeout, "rain"):
            process.wait_until(lambda: False, 0.05, "rain")
        flag = threading.Event()
        threading.Timer(0.1, flag.set).start()
        process.wait_until(flag.is_set, 5, "flag")


if __name__ == "__main__":
    main()
