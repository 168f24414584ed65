"""Topics as they may be found: absent, of other sizes, cut by retention, with transactions, growing."""
from lib.environment import TestCase, main
from lib.flow import Flow


class Topics(TestCase):
    def test_missing_topics_are_created(self):
        flow = Flow(self, 5, failure_rate=0.5)
        flow.publish_orders(50)
        with flow.run("--exit-at-end") as program:
            program.final(60)
        flow.check()
        for topic in (flow.retry, flow.dlq):
            self.assertEqual(flow.client.partitions(topic), [0, 1, 2, 3, 4])
        retention_ms = int(flow.client.config(flow.retry)["retention.ms"])
        self.assertTrue(retention_ms < 0 or retention_ms > 7 * 86400000, "far above any outage")

    def test_the_aggregates_topic_is_compacted_and_large_enough(self):
        flow = Flow(self, 2)
        flow.client.create_topic(flow.retry, 5)
        with flow.run("--exit-at-end") as program:
            program.final(60)
        self.assertEqual(flow.client.partitions(flow.aggregates), [0, 1, 2, 3, 4])
        self.assertEqual(flow.client.config(flow.aggregates)["cleanup.policy"], "compact")

    def test_an_aggregates_topic_that_is_too_small_grows(self):
        flow = Flow(self, 3)
        flow.client.create_topic(flow.aggregates, 1, cleanup_policy="compact")
        with flow.run("--no-create-topics") as program:
            self.assertEqual(program.wait(30), 1)
            self.assertIn("does not exist", program.stderr())
        with flow.run("--exit-at-end") as program:
            program.final(60)
            self.assertIn(f"topic {flow.aggregates} had 1 partitions, now 3", program.stderr())
        flow.client.ask(lambda admin: admin.create_partitions({flow.topic: 4}))
        self.wait_until(lambda: len(flow.client.partitions(flow.topic)) == 4, 60, "4 partitions")
        with flow.run("--no-create-topics") as program:
            self.assertEqual(program.wait(30), 1)
            self.assertIn(f"topic {flow.aggregates} has 3 partitions, and 4 are needed", program.stderr())

    def test_an_aggregates_topic_that_forgets_is_refused(self):
        flow = Flow(self)
        flow.client.create_topic(flow.aggregates, 3, cleanup_policy="compact,delete")
        with flow.run() as program:
            self.assertEqual(program.wait(30), 1)
            self.assertIn(f"topic {flow.aggregates} has cleanup.policy=compact,delete", program.stderr())

    def test_missing_topics_that_may_not_be_created(self):
        flow = Flow(self)
        with flow.run("--no-create-topics", "--exit-at-end") as program:
            self.assertEqual(program.wait(30), 1)
            self.assertIn(f"topic {flow.retry} does not exist", program.stderr())
        self.assertNotIn(flow.retry, flow.client.topics())

    def test_fewer_partitions_are_shared(self):
        flow = Flow(self, 5, failure_rate=0.5)
        flow.retry_partitions, flow.dlq_partitions = 2, 3
        flow.client.create_topic(flow.retry, 2)
        flow.client.create_topic(flow.dlq, 3)
        flow.publish_orders(500)
        with flow.run("--exit-at-end", "--fetch-threads", 2) as program:
            program.final(60)
            self.assertIn(f"topic {flow.dlq} has 3 partitions", program.stderr())
        flow.check()

    def test_only_committed_records_count(self):
        flow = Flow(self, failure_rate=0.2)
        name = self.unique("transaction")
        for seed in range(6):
            records = list(flow.random_orders(100, seed=seed, first_id=1001 + 100 * seed))
            flow.client.transact(flow.topic, records, name, commit=seed % 2 == 0)
        with flow.run("--exit-at-end") as program:      # whose partitions end with the marker of an abort
            program.final(60)
        expected = flow.expected()
        self.assertEqual(len(expected.verdicts), 300)
        flow.check(expected)

    def test_an_empty_topic_has_an_end(self):
        flow = Flow(self)
        with flow.run("--exit-at-end") as program:
            final = program.final(60)
        self.assertEqual((final["run"]["orders_processed"], final["run"]["price_sum"], final["run"]["price_average"]),
                         (0, "0", None))

    def test_retention_before_the_first_start(self):
        flow = Flow(self)
        flow.publish_orders(300)
        flow.client.delete_records(flow.topic, {0: 30, 1: 100})
        with flow.run("--exit-at-end") as program:
            program.final(60)
        expected = flow.expected()
        self.assertEqual(len(expected.verdicts), 170)
        flow.check(expected)

    def test_retention_that_passes_the_committed_offset_is_told(self):
        flow = Flow(self)
        flow.publish_orders(300)
        with flow.run("--exit-at-end") as program:
            program.final(60)
        flow.publish_orders(300, first_id=2001)
        expected = flow.expected()
        flow.client.delete_records(flow.topic, {1: 150})
        with flow.run() as program:
            held = program.wait_event(lambda event: event["event"] == "held" and event["cause"] == "offset_out_of_range", 60)
            self.assertEqual(held["partition"], 1)
            self.assertIn("retention has passed 50 offsets", held["detail"])
            self.assertIn("--on-out-of-range", held["detail"], "what one can do")
            self.assertIn("orderflow reset", held["detail"])
            self.wait_until(lambda: len(program.of_kind("processed")) == 200, 60, "the other partitions go on")
            program.terminate()
            self.assertEqual(program.final(30)["run"]["orders_processed"], 200)
        self.assertEqual(flow.client.committed(flow.settings.group)[flow.topic, 1], 100, "nothing was jumped over")
        flow.client.commit(flow.settings.group, {(flow.topic, 1): 150})     # somebody decides, without the totals
        with flow.run() as program:
            held = program.wait_event("held", 60)
            self.assertEqual((held["partition"], held["cause"]), (1, "state_mismatch"))
            self.assertIn("orderflow reset", held["detail"])
            program.terminate()
            program.final(30)
        with self.orderflow("reset", "--yes", "--group", flow.settings.group, "--topic", flow.topic, "--retry-topic",
                            flow.retry, "--aggregates-topic", flow.aggregates, name="reset") as reset:
            self.assertEqual(reset.wait(60), 0, reset.stderr())
        with flow.run("--exit-at-end") as program:      # begins with what there is
            program.final(60)
        lost = {origin for origin in expected.verdicts if origin.partition == 1 and origin.offset < 150}
        counted = [(event["origin_topic"], event["origin_partition"], event["origin_offset"])
                   for event in program.of_kind("processed")]
        self.assertEqual(sorted(counted), sorted(set(expected.verdicts) - lost))

    def test_retention_is_passed_over_if_asked_to(self):
        """Never silently: an event and a line in the log say from where to where, and how many offsets that are."""
        flow = Flow(self)
        flow.publish_orders(300)
        with flow.run("--exit-at-end") as program:
            program.final(60)
        lost = set()
        for policy, end, first, to in (("earliest", 200, 150, 150), ("latest", 300, 250, 300),
                                       ("earliest", 400, 400, 400)):
            flow.publish_orders(300, first_id=10 * end, seed=end)
            at = end - 100
            expected = flow.expected()      # of what is there now; what an earlier turn lost is not
            flow.client.delete_records(flow.topic, {1: first})
            with flow.run("--exit-at-end", "--on-out-of-range", policy) as program:
                run = program.final(60)["run"]
            skipped, = program.of_kind("skipped")
            self.assertEqual([skipped[key] for key in ("topic", "partition", "offset", "next_offset", "cause")],
                             [flow.topic, 1, at, to, "offset_out_of_range"])
            self.assertIn(f"{to - at} offsets from {at} on are skipped, of which retention has passed {first - at}",
                          skipped["detail"])
            self.assertIn(skipped["detail"], program.stderr())
            self.assertEqual(flow.client.committed(flow.settings.group)[flow.topic, 1], end, "committed")
            self.assertEqual(run["orders_processed"], 200 + end - to)
            lost |= {origin for origin in expected.verdicts if origin.partition == 1 and at <= origin.offset < to}
        self.assertEqual(len(lost), 50 + 100 + 100)
        counted = [(event["origin_partition"], event["origin_offset"]) for event in flow.events("processed")]
        self.assertEqual(sorted(counted), sorted({(partition, offset) for partition in range(3) for offset in range(400)} -
                                                 {(origin.partition, origin.offset) for origin in lost}))

    def test_from_latest(self):
        flow = Flow(self)
        flow.publish_orders(300)
        with flow.run("--from", "latest") as program:
            self.wait_until(lambda: len([event for event in flow.events("assigned") if event["topic"] == flow.topic])
                            == 3, 60, "partitions assigned")
            flow.publish_orders(30, first_id=2001)
            self.wait_until(lambda: flow.settled() >= 30, 60, "new orders counted")
            program.terminate()
            program.final(30)
        offsets = {(event["partition"], event["offset"]) for event in flow.events("processed")}
        self.assertEqual(offsets, {(partition, offset) for partition in range(3) for offset in range(100, 110)})

    def test_partitions_that_appear_are_read_from_their_beginning(self):
        flow = Flow(self, 2)
        with flow.run("--from", "latest", "-X", "topic.metadata.refresh.interval.ms=1000") as program:
            program.wait_event("assigned", 60)
            flow.client.ask(lambda admin: admin.create_partitions({flow.topic: 4}))
            self.wait_until(lambda: len(flow.client.partitions(flow.topic)) == 4, 60, "4 partitions")
            flow.partitions = 4
            flow.publish_orders(400)
            expected = flow.expected()
            self.wait_until(lambda: flow.settled() >= 400, 60, "orders of all partitions counted")
            program.terminate()
            program.final(30)
        flow.check(expected)

    def test_the_end_is_what_was_there_at_the_start(self):
        """Orders that come while a run to the end is under way do not keep it going."""
        flow = Flow(self, failure_rate=0.3, delay_ms=1500)
        flow.publish_orders(100)
        expected = flow.expected()
        with flow.run("--exit-at-end") as program:
            for part in range(300):
                flow.publish_orders(3, seed=part, first_id=2001 + 3 * part)
                if not program.running():
                    break
            final = program.final(10)
        settled = {(event["origin_topic"], event["origin_partition"], event["origin_offset"])
                   for kind in ("processed", "dead_letter") for event in flow.events(kind)}
        self.assertEqual(set(expected.verdicts) - settled, set(), "all that was there")
        self.assertEqual(final["run"]["orders_processed"], len(flow.events("processed")))


if __name__ == "__main__":
    main()
