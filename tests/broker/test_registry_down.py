"""The registry is dead for a minute under load while two new ids arrive: nothing is given up, nothing else waits."""
import http.client
import json
import struct
import time

from lib import orders, process
from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow
from lib.orders import Order, encode

NOTED = {**orders.SCHEMA, "fields": [*orders.SCHEMA["fields"], {"name": "note", "type": "string", "default": ""}]}
DOUBLE = {**orders.SCHEMA, "fields": [*orders.SCHEMA["fields"][:2], {"name": "price", "type": "double"}]}
DOWN_S = 60
PARTITIONS = 4      # 0 and 1 get the new ids
LATE_S = 5          # more than this is a delay


class RegistryDown(TestCase):
    def setUp(self):
        super().setUp()
        self.mine = self.own_registry(keep=True)
        self.registry = self.mine.client

    def ready(self):
        """(status, reasons) of /readyz."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status, json.load(answer).get("reasons", [])
        finally:
            connection.close()

    def test_only_partitions_with_new_ids_wait(self):
        flow = Flow(self, PARTITIONS, registry_url=self.mine.url)
        noted, double = flow.register(NOTED), flow.register(DOUBLE)
        self.port = process.free_port()
        with flow.run("--http", self.port) as program:
            flow.publish_orders(400)
            self.wait_until(lambda: flow.settled() == 400, 60, "orders of the known id counted")
            self.assertEqual(self.ready(), (200, []))
            self.mine.kill()
            down = time.monotonic()
            wide = orders.string("new-2") + orders.string("Mouse") + struct.pack("<d", 1.25)
            flow.publish([Record.of(encode(noted, Order("new-1", "Laptop", 2.5)) + orders.string("note"), b"new-1", 0),
                          Record.of(orders.frame(double, wide), b"new-2", 1)])
            for partition in (0, 1):
                program.wait_event(lambda event: event["event"] == "held" and event["partition"] == partition
                                   and event["cause"] == "registry_unavailable", 30)
            known = self.publish_while_down(flow, down)
            self.assertEqual(flow.settled(), 400 + known)
            status, reasons = self.ready()
            self.assertEqual(status, 503)
            self.assertEqual({reason["partition"] for reason in reasons}, {0, 1})
            self.assertEqual({reason["cause"] for reason in reasons}, {"registry_unavailable"})
            self.assertEqual({event["partition"] for event in flow.events("held")}, {0, 1})
            self.mine.start()
            expected = flow.expected()
            self.wait_until(lambda: flow.settled() == len(expected.verdicts), 60, "all counted")
            self.wait_until(lambda: self.ready()[0] == 200, 10, "ready by itself")
            program.terminate()
            self.assertEqual(program.final(30)["run"]["dead_letters"], 0)
        flow.check()

    def publish_while_down(self, flow, down):
        """Orders of the known id to all partitions; those of partitions 2 and 3 are counted as if nothing was."""
        count = 0
        while time.monotonic() < down + DOWN_S:
            flow.publish(list(flow_orders(flow, count)))
            count += 200
            self.wait_until(lambda: flow.settled() >= 400 + count, LATE_S, "partitions without the new ids go on")
            self.assertEqual(flow.events("dead_letter"), [])
            time.sleep(0.2)
        return count


def flow_orders(flow, count):
    """400 orders of the id that is known, without asking the registry: half of them to partitions that wait."""
    known = min(flow.schemas, key=lambda number: flow.schemas[number] != orders.SCHEMA)
    for index in range(400):
        order = Order(f"{count}-{index}", "Tablet", index / 4)
        yield Record.of(encode(known, order), order.order_id.encode(), index % PARTITIONS)


if __name__ == "__main__":
    main()
