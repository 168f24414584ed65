"""What carries chaos out, where the cluster itself fails it: the next schedule finds a whole one, and nothing of that is
taken for the program's fault, nor for a schedule that was performed."""
import os
import signal
import unittest
from unittest import mock

from lib import arena, chaos, places, process, schedule
from lib.audit import Verdict
from lib.client import kafka
from lib.environment import TestCase, main

NOWHERE = "127.0.0.1:9"     # where nobody listens


class Clusters(TestCase):
    def test_a_dead_controller_and_a_broker_killed_behind_its_back(self):
        with arena.Arena(self.folder / "arena", 3, self.registry_url) as place:
            place.make_whole()
            topic = place.client.create_topic("orders", 6, -1)
            place.client.elect(topic)
            # In KRaft a client is told some live broker as the controller; kafka-python keeps to it for good.
            dead = place.kafka.nodes[place.client._admin._controller_id - 1]
            os.killpg(dead.child.pid, signal.SIGKILL)
            self.wait_until(lambda: not dead.running(), 30, "the broker has ended")
            place.client.elect(topic)
            place.client.reassign(topic, [1, 2, 3], 1, copies=3)
            place.make_whole()
            self.assertTrue(all(node.running() for node in place.kafka.nodes))
            self.assertEqual(place.client.broker_ports(), {node.port for node in place.kafka.nodes})
            self.assertEqual(place.client.partitions(topic), list(range(6)), "it is the same cluster")
            self.assertEqual(place.clusters, 1)

    def test_a_cluster_that_cannot_be_mended_is_replaced(self):
        said = []
        with arena.Arena(self.folder / "arena", 1, self.registry_url, show=said.append) as place:
            old = place.kafka.nodes[0]
            old.kill()
            (old.folder / "node.properties").write_text("process.roles=nonsense\n")
            one = schedule.make(1, 4)._replace(stored=50, rate=50, steps=(schedule.Step(0.0, "start", 0),), members=1)
            outcome = place.perform(one)
            self.assertEqual(outcome.problems(), [], f"logs: {outcome.folder}")
            self.assertGreaterEqual(outcome.verdict.orders, 50)
            self.assertEqual((len(said), place.clusters), (1, 2), said)
            self.assertIn("fresh cluster", said[0])
            self.assertFalse(old.running())


class Failing(arena.Performance):
    """One during which an exception comes; the program may have been complained of before."""

    def __init__(self, *arguments, error, complaints=()):
        super().__init__(*arguments)
        self.error = error
        self.complaints += complaints

    def _carry_out(self):
        raise self.error


class Blame(unittest.TestCase):
    def setUp(self):
        self.folder = places.fresh(places.RUN / "tests" / f"chaos_harness.{self._testMethodName}")
        self.place = arena.Arena(self.folder, 1, f"http://{NOWHERE}", bootstrap=NOWHERE)

    def outcome(self, error, complaints=()):
        with mock.patch.object(arena, "Scene"):
            return Failing(self.place, schedule.make(1, 1), True, self.folder / "one", error=error,
                           complaints=complaints).run()

    def test_a_registry_that_nobody_reaches_is_no_verdict(self):
        outcome = self.place.perform(schedule.make(1, 1))
        self.assertEqual(outcome.verdict.complaints, [])
        self.assertIn("refused", outcome.trouble)
        self.assertTrue((outcome.folder / "complaints.txt").exists())

    def test_what_the_cluster_does_is_no_verdict(self):
        for error in (process.Unavailable("no broker answers"), kafka.errors.NodeNotReadyError("1"), OSError("no port")):
            with self.subTest(error):
                outcome = self.outcome(error)
                self.assertEqual(outcome.verdict.complaints, [])
                self.assertIn(str(error), outcome.trouble)

    def test_what_the_program_does_is_one(self):
        for error in (process.Timeout("member-0 has not ended"), AssertionError("stats: exit status 1"), KeyError("sum")):
            with self.subTest(error):
                outcome = self.outcome(error)
                self.assertIsNone(outcome.trouble)
                self.assertEqual(len(outcome.verdict.complaints), 1)
        outcome = self.outcome(process.Unavailable("no broker answers"), complaints=["member-0 ended by itself"])
        self.assertIsNone(outcome.trouble, "the complaint came first")
        self.assertEqual(outcome.verdict.complaints, ["member-0 ended by itself", "Unavailable: no broker answers"])


class Rounds(unittest.TestCase):
    """The run of many schedules, on arenas that only say what the test has them say."""

    def setUp(self):
        self.folder = places.fresh(places.RUN / "tests" / f"chaos_harness.{self._testMethodName}")
        self.said, self.arenas = [], []

    def report(self, numbers, answer):
        """answer(arena's number, schedule's number): a list of complaints, text of a trouble, or raises."""
        test = self

        class Place:
            def __init__(self, *_, **__):
                self.index = len(test.arenas)
                test.arenas.append(self)

            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

            def perform(self, one, _):
                found = answer(self.index, one.number)
                trouble = found if isinstance(found, str) else None
                return arena.Outcome(one, Verdict(complaints=[] if trouble else found), None, None, 0.0, test.folder,
                                     trouble)
        run = chaos.Run([chaos.Task(schedule.make(1, number), True) for number in numbers], "", 1, self.folder,
                        self.said.append, make_arena=Place)
        run.run()
        return chaos.report_of(run, 0.0)

    def test_all_is_well(self):
        report = self.report([0, 1, 2], lambda *_: [])
        self.assertEqual((chaos.exit_status(report), len(self.arenas)), (0, 1))
        self.assertNotIn("NOT PERFORMED", chaos.text(report) + "".join(self.said))

    def test_what_was_not_performed_is_tried_once_more(self):
        report = self.report([0, 1, 2], lambda place, number: "no answer" if (place, number) == (0, 1) else [])
        self.assertEqual((chaos.exit_status(report), len(self.arenas)), (0, 2))
        self.assertEqual(report["guarantees"]["exactly-once"]["performed"], 3)
        self.assertTrue(any("NOT PERFORMED" in line for line in self.said), self.said)

    def test_once_more_and_no_further(self):
        tried = []
        report = self.report([0, 1, 2], lambda _, number: tried.append(number) or ("no answer" if number == 1 else []))
        self.assertEqual(tried, [0, 1, 2, 1])
        self.assertEqual(chaos.exit_status(report), 3)
        part = report["guarantees"]["exactly-once"]
        self.assertEqual((part["performed"], part["failed"], part["not_performed"]), (2, [], {1: "no answer"}))
        self.assertIn("schedule 1 was NOT PERFORMED: no answer", chaos.text(report))

    def test_failures_are_told_first(self):
        report = self.report([0, 1, 2], lambda _, number: "no answer" if number == 1 else ["lost"] if number else [])
        self.assertEqual(chaos.exit_status(report), 1)
        self.assertEqual(report["guarantees"]["exactly-once"]["failed"], [2])

    def test_an_arena_that_breaks_down_leaves_its_schedules_to_another(self):
        def answer(place, number):
            if place == 0 and number == 1:
                raise process.Unavailable("no cluster to be had")
            return []
        report = self.report([0, 1, 2], answer)
        self.assertEqual((chaos.exit_status(report), len(self.arenas)), (0, 2))
        self.assertEqual(len(report["errors"]), 1)


if __name__ == "__main__":
    main()
