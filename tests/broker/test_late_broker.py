"""What is down at the start is waited for, and said so."""
from lib import process
from lib.broker import Kafka
from lib.environment import TestCase, main
from lib.flow import Flow
from lib.stub import StubRegistry


class LateBroker(TestCase):
    def test_a_broker_that_is_down_is_waited_for(self):
        port = process.free_port()
        with self.orderflow("run", "--topic", "orders", "--console", "json", brokers=f"127.0.0.1:{port}") as program:
            self.wait_until(lambda: f"127.0.0.1:{port}" in program.stderr(), 30, "a message names the broker")
            self.assertTrue(program.running())
            kafka = Kafka(self.folder / "kafka", ports=[port])
            self.addCleanup(kafka.kill)
            kafka.start()
            program.wait_event("assigned", 60)
            client = self.client_of(kafka)
            self.assertEqual(len(client.partitions("orders")), 3, "created as soon as there was a broker")
            flow = Flow(self, topic="orders", client=client)
            flow.publish_orders(100)
            self.wait_until(lambda: len(program.of_kind("processed")) == 100, 60, "all counted")
            program.terminate()
            self.assertEqual(program.final(30)["run"]["orders_processed"], 100)

    def test_a_stop_while_waiting(self):
        port = process.free_port()
        with self.orderflow("run", "--console", "json", brokers=f"127.0.0.1:{port}") as program:
            self.wait_until(lambda: f"127.0.0.1:{port}" in program.stderr(), 30, "a message names the broker")
            program.terminate()
            self.assertEqual(program.wait(30), 0)

    def test_produce_waits_too(self):
        port = process.free_port()
        with self.orderflow("produce", "--count", 10, "--rate", 0, brokers=f"127.0.0.1:{port}") as program:
            self.wait_until(lambda: f"127.0.0.1:{port}" in program.stderr(), 30, "a message names the broker")
            kafka = Kafka(self.folder / "kafka", ports=[port])
            self.addCleanup(kafka.kill)
            kafka.start()
            self.assertEqual(program.wait(60), 0)
            self.assertEqual(len(self.client_of(kafka).read("orders")), 10)

    def test_a_registry_that_is_down_is_waited_for(self):
        with StubRegistry(upstream=self.registry_url) as stub:
            flow = Flow(self, registry_url=stub.url)
            flow.publish_orders(100)
            stub.stop()
            with flow.run("--exit-at-end") as program:
                program.wait_event(lambda event: event["event"] == "held" and stub.url in event.get("detail", ""), 30)
                self.assertEqual(flow.settled(), 0)
                stub.start()
                program.final(60)
            flow.check()


if __name__ == "__main__":
    main()
