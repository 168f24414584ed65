"""A retry waits its time, never less, while orders flow."""
import time

from lib import orders
from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow, now_ms
from lib.oracle import RETRY_HEADER, Origin, RetryHeader, retry_header


class Retry(TestCase):
    def test_never_early_while_orders_flow(self):
        flow = Flow(self, failure_rate=0.5, delay_ms=4000)
        with flow.run() as program:
            program.wait_event("assigned", 60)
            for part in range(40):
                flow.publish_orders(10, seed=part, first_id=1001 + part * 10)
                time.sleep(0.05)
            expected = flow.expected()
            self.wait_until(lambda: flow.settled() == len(expected.verdicts), 60, "all orders settled")
            program.terminate()
            program.final(30)
        flow.check(expected)
        self.assertGreater(len(expected.dead), 5)
        self.check_due_times(flow)
        self.check_flow(flow)

    def check_due_times(self, flow):
        """What was settled after a retry record was settled when that was due, or later."""
        due = {(header.origin, header.attempts): (record, header) for record in flow.client.read(flow.retry)
               for header in [retry_header(record)]}
        settled = {(Origin(event["origin_topic"], event["origin_partition"], event["origin_offset"]),
                    event["attempt"]): event["time"] for event in flow.events() if "origin_topic" in event}
        for (origin, attempt), (record, header) in due.items():
            failed = settled[origin, attempt]
            self.assertLessEqual(header.first_failed_ms, failed)
            self.assertGreaterEqual(header.due_ms, header.first_failed_ms + attempt * flow.delay_ms)
            self.assertLessEqual(header.due_ms, record.timestamp_ms + flow.delay_ms)
            self.assertGreaterEqual(settled[origin, attempt + 1], header.due_ms, (origin, attempt))

    def check_flow(self, flow):
        """No order waited for a retry: each had its first attempt before the first retry of all was due."""
        written = {(row.partition, row.offset): row.timestamp_ms for row in flow.client.read(flow.topic)}
        for event in flow.events():
            if event.get("attempt") == 1 and event["topic"] == flow.topic:
                waited = event["time"] - written[event["partition"], event["offset"]]
                self.assertLess(waited, flow.delay_ms, event)

    def test_due_times_of_other_clocks(self):
        """A due time far ahead is waited for no longer than the configured delay, one that has passed not at all."""
        flow = Flow(self, delay_ms=3000)
        flow.client.create_topic(flow.retry, 3)
        number = flow.register()
        now = now_ms()
        waiting = []
        for partition, due_ms in ((0, now + 3600000), (1, now - 3600000), (2, 0)):
            header = RetryHeader(flow.settings.group, flow.topic, partition, 1000, now - 5000, 1, due_ms, now - 4000, 9)
            value = orders.encode(number, orders.Order(str(partition), "Laptop", 1.5))
            waiting.append(Record.of(value, b"key", partition, [("trace", b"1"), (RETRY_HEADER, header.encode())]))
        flow.publish(waiting, flow.retry)
        waiting = flow.client.read(flow.retry)
        begun = now_ms()
        with flow.run("--exit-at-end") as program:
            program.final(60)
        flow.check(waiting=waiting)
        times = {event["origin_partition"]: event["time"] for event in flow.events("processed")}
        assigned = program.of_kind("assigned")[0]["time"]
        self.assertGreaterEqual(times[0], begun + 3000)
        self.assertLess(times[0], assigned + 30000)
        self.assertLess(max(times[1], times[2]), times[0])

    def test_retries_wait_through_a_restart(self):
        """The time that passes while no program runs counts: what was due meanwhile is due at once."""
        flow = Flow(self, failure_rate=0.5, delay_ms=3000, max_retries=1)
        flow.publish_orders(50)
        with flow.run() as program:
            self.wait_until(lambda: flow.settled() + len(flow.events("retry")) >= 50, 30, "all first attempts made")
            program.terminate()
            program.final(30)
        with flow.run("--exit-at-end") as program:
            program.final(60)
        flow.check()
        self.check_due_times(flow)


if __name__ == "__main__":
    main()
