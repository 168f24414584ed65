"""Instances with a fixed name: back at once after a crash, quickly gone after a stop, and never two of one name."""
import os
import socket
import time

from lib.environment import TestCase, main
from lib.flow import Flow

PARTITIONS = 4
EVERYTHING = 2 * PARTITIONS     # of orders and of retries
EXIT_USAGE, EXIT_FENCED = 2, 4


def changes(program):
    """What it has told of partitions that came and went."""
    return [event for event in list(program.events) if event["event"] in ("assigned", "revoked", "lost")]


def held(program):
    """How many partitions it reads now."""
    return sum(1 if event["event"] == "assigned" else -1 for event in changes(program))


class Identity(TestCase):
    def setUp(self):
        super().setUp()
        self.flow = Flow(self, PARTITIONS)
        self.locks = self.folder / "locks"

    def run_as(self, instance, *arguments, locks=None, name=None, **options):
        """The program under this name, not started yet."""
        return self.flow.run("--instance-id", instance, "--lock-folder", locks or self.locks, *arguments,
                             name=name or f"{instance}-{len(self.flow.programs) + 1}", **options)

    def wait_for_partitions(self, program, count, seconds=30):
        """Until it reads exactly so many. Returns how long that took, in seconds."""
        began = time.monotonic()
        self.wait_until(lambda: held(program) == count, seconds, f"{program.name} has {count} partitions")
        return time.monotonic() - began

    def share(self, *programs):
        for program in programs:
            self.wait_for_partitions(program, EVERYTHING // len(programs))

    def wait_for_orders(self, count):
        self.flow.publish_orders(count)
        total = sum(1 for _ in self.flow.client.read(self.flow.topic))
        self.wait_until(lambda: self.flow.settled() >= total, 30, f"{total} orders settled")


class Crash(Identity):
    def test_the_same_name_is_back_at_once(self):
        with self.run_as("a", "--fetch-threads", 2) as first:
            self.share(first)
            self.wait_for_orders(100)
            first.kill()
        with self.run_as("a", "--fetch-threads", 2) as second:
            took = self.wait_for_partitions(second, EVERYTHING)
            self.wait_for_orders(100)
            second.terminate()
            second.final(30)
        print(f"after kill -9: all partitions again {took:.2f} s after the start", flush=True)
        self.assertLess(took, 3)

    def test_without_a_name_it_takes_the_session(self):
        """What the name is good for: the same without it."""
        session = ("-X", "session.timeout.ms=6000")
        with self.run_as("none", *session) as first:
            self.share(first)
            first.kill()
        with self.run_as("none", *session) as second:
            took = self.wait_for_partitions(second, EVERYTHING, 60)  # the dead one's transaction has to time out, too
        self.assertGreater(took, 2)
        self.assertIsNone(second.of_kind("started")[0]["instance"])


class Slots(Identity):
    def instance(self, program):
        return program.wait_event("started", 30)["instance"]

    def test_each_process_has_its_own(self):
        names = [f"{socket.gethostname()}-{slot}" for slot in range(2)]
        with self.run_as("host") as first:
            self.assertEqual(self.instance(first), names[0])
            with self.run_as("host") as second:
                self.assertEqual(self.instance(second), names[1])
                self.share(first, second)
                first.kill()
                before = changes(second)
                with self.run_as("host") as third:
                    self.assertEqual(self.instance(third), names[0])
                    self.assertLess(self.wait_for_partitions(third, EVERYTHING // 2), 3)
                    self.assertEqual(changes(second), before, "nothing changed for the second")

    def test_a_container_has_none_and_says_so(self):
        plain = {key: value for key, value in os.environ.items() if not key.startswith("ORDERFLOW_")}
        with self.run_as("auto", environment={**plain, "KUBERNETES_SERVICE_HOST": "10.0.0.1"}) as program:
            self.assertIsNone(self.instance(program))
            self.share(program)
            self.assertIn("instance: none: this is a container", program.stderr())
        self.assertFalse(self.locks.exists(), "nothing was locked")


class Stop(Identity):
    def stopped(self, *arguments):
        """Two that share, of which the first is stopped. Returns both, the second running until the test's end."""
        first, second = self.run_as("a", *arguments), self.run_as("b")
        self.enterContext(second)
        with first:
            self.share(first, second)
            self.wait_for_orders(100)
            first.terminate()
            first.final(30)
        return first, second

    def test_leave(self):
        _, second = self.stopped()
        took = self.wait_for_partitions(second, EVERYTHING)
        print(f"--on-stop leave: the other has the partitions {took:.2f} s later", flush=True)
        self.assertLess(took, 5, "one heartbeat interval, not a session")
        self.assertEqual([member["group_instance_id"] for member in self.client.members(self.flow.settings.group)],
                         ["b-0"])

    def test_leave_while_joining(self):
        """Its JoinGroup is under way, and the group is about to give it partitions that nobody would read."""
        with self.run_as("a") as first:
            self.share(first)
            second = self.enterContext(self.run_as("b"))
            second.wait_event("started", 30)
            time.sleep(0.1)
            second.terminate()
            self.assertEqual(second.wait(10), 0, second.stderr())
            self.assertEqual([member["group_instance_id"] for member in
                              self.client.members(self.flow.settings.group)], ["a-0"])
            self.wait_for_partitions(first, EVERYTHING, 10)

    def test_stay(self):
        _, second = self.stopped("--on-stop", "stay")
        before = changes(second)
        time.sleep(4)       # more than a heartbeat interval
        self.assertEqual(changes(second), before, "the partitions wait for their owner")
        self.assertEqual(sorted(member["group_instance_id"] for member in
                                self.client.members(self.flow.settings.group)), ["a-0", "b-0"])
        with self.run_as("a") as third:
            took = self.wait_for_partitions(third, EVERYTHING // 2)
            print(f"--on-stop stay: back with its partitions {took:.2f} s after the start", flush=True)
            self.assertLess(took, 3)
            self.wait_for_orders(100)
        self.assertEqual(changes(second), before, "no rebalance")


class Twins(Identity):
    def test_a_second_on_this_host_is_refused(self):
        with self.run_as("a") as first:
            self.share(first)
            with self.run_as("a") as second:
                self.assertEqual(second.wait(30), EXIT_USAGE)
                self.assertIn(f"process {first.child.pid}, since 20", second.stderr())
            self.wait_for_orders(10)
            first.terminate()
            first.final(30)

    def test_another_group_may_use_the_name(self):
        other = Flow(self, PARTITIONS)
        with self.run_as("a") as first:
            self.share(first)
            with other.run("--instance-id", "a", "--lock-folder", self.locks, name="other") as second:
                self.wait_for_partitions(second, EVERYTHING)

    def test_the_older_of_two_hosts_is_fenced(self):
        with self.run_as("a", locks=self.folder / "host-1") as first:
            self.share(first)
            with self.run_as("a", locks=self.folder / "host-2") as second:
                began = time.monotonic()
                self.assertEqual(first.wait(30), EXIT_FENCED)
                print(f"fenced {time.monotonic() - began:.2f} s after the twin's start", flush=True)
                self.assertIn("another instance with the same identity", first.stderr())
                self.wait_for_partitions(second, EVERYTHING)
                self.assertNotIn("taking up a new producer", second.stderr(), "the older does not take anything back")
                self.flow.publish_orders(100)
                self.wait_until(lambda: self.flow.settled() == 100, 30, "it goes on")
                second.terminate()
                self.assertEqual(second.final(30)["total"]["orders_processed"], 100)


if __name__ == "__main__":
    main()
