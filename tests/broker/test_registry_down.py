"""The registry is down for 20 s while a new schema id arrives: nothing is given up, nothing else is delayed."""
import time

from lib import orders
from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow
from lib.orders import Order, encode
from lib.stub import StubRegistry

NEW = {**orders.SCHEMA, "fields": [*orders.SCHEMA["fields"], {"name": "note", "type": "string", "default": ""}]}
DOWN_S = 20


class RegistryDown(TestCase):
    def test_only_partitions_with_the_new_id_wait(self):
        with StubRegistry(upstream=self.registry_url) as stub:     # what the program can reach; behind it the real one
            flow = Flow(self, registry_url=stub.url)
            with flow.run() as program:
                flow.publish_orders(300)
                self.wait_until(lambda: flow.settled() == 300, 60, "orders of the known id counted")
                stub.stop()
                down = time.monotonic()
                new = flow.register(NEW)
                value = encode(new, Order("new", "Laptop", 2.5)) + orders.string("note")
                flow.publish([Record.of(value, b"new", 0)])
                program.wait_event(lambda event: event["event"] == "held" and event["partition"] == 0, 30)
                known = self.publish_while_down(flow, down)
                self.assertEqual(flow.settled(), 300 + known)
                self.assertEqual({event["partition"] for event in flow.events("held")}, {0})
                stub.start()
                expected = flow.expected()
                self.wait_until(lambda: flow.settled() == len(expected.verdicts), 60, "all counted")
                program.terminate()
                self.assertEqual(program.final(30)["run"]["dead_letters"], 0)
            flow.check(expected)
            self.assertGreater(stub.count(f"/schemas/ids/{new}"), 0)

    def publish_while_down(self, flow, down):
        """Orders of the known id to all partitions; those outside partition 0 are counted as if nothing was."""
        count = 0
        while time.monotonic() < down + DOWN_S:
            flow.publish(list(flow.random_orders(30, seed=count, first_id=5000 + count)))
            count += 20
            self.wait_until(lambda: flow.settled() >= 300 + count, 10, "partitions without the new id go on")
            self.assertEqual(flow.events("dead_letter"), [])
            time.sleep(0.5)
        return count


if __name__ == "__main__":
    main()
