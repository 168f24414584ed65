"""Topics that are deleted under a running pipeline, and made again: nothing is lost without a word, or counted twice."""
import json
import re
import urllib.request
import urllib.error

from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow

QUICK = ("-X", "topic.metadata.refresh.interval.ms=1000")


class DeletedTopics(TestCase):
    def serve(self, flow, *arguments):
        """The program with a health page, not started yet."""
        return flow.run("--http", "127.0.0.1:0", *QUICK, *arguments)

    def readiness(self, program):
        """What /readyz answers."""
        if not hasattr(program, "port"):
            found = self.wait_until(lambda: re.search(r"http://[^ ]*:(\d+)", program.stderr(1000)), 60, "the page is there")
            program.port = int(found.group(1))
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{program.port}/readyz", timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as answer:
            return json.load(answer)

    def held(self, program):
        """{(topic, partition): cause} of what /readyz complains about."""
        return {(row["topic"], row["partition"]): row["cause"] for row in self.readiness(program)["reasons"]
                if row["reason"] == "held"}

    def counted(self, flow, count):
        self.wait_until(lambda: flow.settled() >= count, 90, f"{count} orders settled")

    def test_retries(self):
        flow = Flow(self, failure_rate=1.0, max_retries=1, delay_ms=100)
        flow.publish_orders(30)
        with self.serve(flow) as program:
            self.counted(flow, 30)
            flow.client.delete_topic(flow.retry)
            flow.publish_orders(30, first_id=2001)
            held = program.wait_event("held", 120)
            print(held, self.held(program))
            import time
            for i in range(10):
                time.sleep(3); print(self.held(program), flush=True)
            flow.client.create_topic(flow.retry, 3)
            for i in range(10):
                time.sleep(3); print(self.readiness(program), flow.settled(), flush=True)
            program.terminate()
            program.final(60)

    def test_aggregates(self):
        flow = Flow(self)
        flow.publish_orders(300)
        with self.serve(flow) as program:
            self.counted(flow, 300)
            flow.client.delete_topic(flow.aggregates)
            flow.publish_orders(30, first_id=2001)
            held = program.wait_event("held", 120)
            print(held, self.held(program))
            import time
            for i in range(10):
                time.sleep(3); print(self.held(program), flush=True)
            flow.client.create_topic(flow.aggregates, 3, cleanup_policy="compact")
            for i in range(10):
                time.sleep(3); print(self.readiness(program), flow.settled(), flush=True)
            program.terminate()
            print(program.final(60))

    def test_orders(self):
        flow = Flow(self)
        flow.publish_orders(300)
        with self.serve(flow) as program:
            self.counted(flow, 300)
            flow.client.delete_topic(flow.topic)
            import time
            for i in range(10):
                time.sleep(3); print(self.readiness(program), flush=True)
            flow.client.create_topic(flow.topic, 3)
            flow.publish_orders(30, first_id=2001)
            for i in range(10):
                time.sleep(3); print(self.readiness(program), flow.settled(), flush=True)
            flow.publish_orders(600, first_id=3001)
            for i in range(5):
                time.sleep(3); print(self.readiness(program), flow.settled(), flush=True)
            program.terminate()
            print(program.final(60))


if __name__ == "__main__":
    main()
