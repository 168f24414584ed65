"""A schema changes on a live topic: version 1, then a defaulted field, then the price as a double, mixed in one partition."""
import json
import random
import struct

from lib import orders
from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow
from lib.orders import Order, frame, string

V1 = orders.SCHEMA
V2 = {**V1, "fields": [*V1["fields"], {"name": "channel", "type": "string", "default": "shop"}]}
V3 = {**V1, "fields": [*V1["fields"][:2], {"name": "price", "type": "double"}, V2["fields"][3]]}
EACH = 200


def encode(version, number, order):
    text = string(order.order_id) + string(order.product)
    if version == 1:
        return frame(number, text + struct.pack("<f", order.price))
    price = struct.pack("<f" if version == 2 else "<d", order.price)
    return frame(number, text + price + string("web"))


class Evolution(TestCase):
    def wave(self, flow, versions, seed):
        """EACH orders of each of these versions, one after the other and then at random."""
        chance = random.Random(seed)
        numbers = {version: flow.register((V1, V2, V3)[version - 1]) for version in versions}
        rows = [version for version in versions for _ in range(EACH // 2)]
        rows += chance.sample(rows, len(rows))
        for index, version in enumerate(rows):
            price = round(chance.uniform(-10, 2000), 2)
            if version < 3:
                price, = struct.unpack("<f", struct.pack("<f", price))
            order = Order(f"{seed}-{index}", chance.choice(("Laptop", "Mouse")), price)
            yield Record.of(encode(version, numbers[version], order), order.order_id.encode(), index % 7 % 3 // 2)

    def test_versions_come_one_after_the_other_and_mix(self):
        flow = Flow(self, 2, failure_rate=0.05)
        with flow.run() as program:
            for wave, versions in enumerate(((1,), (1, 2), (1, 2, 3), (3, 1))):
                flow.publish(list(self.wave(flow, versions, wave)))
                wanted = len(flow.expected().verdicts)
                self.wait_until(lambda: flow.settled() == wanted, 60, f"versions {versions} counted")
            self.assertEqual(len(flow.schemas), 3)
            self.assertLessEqual({event["cause"] for event in flow.events("dead_letter")}, {"simulated"})
            program.terminate()
            program.final(30)
        flow.check()

    def test_a_later_start_reads_them_all(self):
        flow = Flow(self, 2)
        flow.publish(list(self.wave(flow, (1, 2, 3), 9)))
        with flow.run("--exit-at-end") as program:
            program.final(60)
        flow.check()


CUSTOMER = {"type": "record", "name": "Customer", "namespace": "com.bigdata.people",
            "fields": [{"name": "name", "type": "string"}, {"name": "tags", "type": {"type": "array", "items": "string"}}]}
SOLD = {**V1, "fields": [{"name": "customer", "type": "com.bigdata.people.Customer"}, *V1["fields"]]}


class References(TestCase):
    def test_a_schema_that_refers_to_another(self):
        flow = Flow(self, 2)
        subject = self.unique("customer")
        self.registry.register(subject, CUSTOMER)
        number = self.registry.call("POST", f"/subjects/{flow.topic}-value/versions", {
            "schema": json.dumps(SOLD),
            "references": [{"name": "com.bigdata.people.Customer", "subject": subject, "version": 1}]})["id"]
        customer = string("Ada") + b"\4" + string("a") + string("b") + b"\0"
        flow.publish([Record.of(frame(number, customer + orders.body(Order(str(n), "Laptop", n / 2))), b"%d" % n, n % 2)
                      for n in range(1, 101)])
        with flow.run("--exit-at-end") as program:
            run = program.final(60)["run"]
        self.assertEqual((run["orders_processed"], run["price_sum"], run["dead_letters"]), (100, "2525", 0))


if __name__ == "__main__":
    main()
