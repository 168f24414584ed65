"""`stats` and `reset`, and restoring, on records that the test wrote: no run is needed."""
import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import pty
import struct
import subprocess
import termios
import time
from fractions import Fraction

from lib import aggregates, places, process
from lib.aggregates import Marker, row_of
from lib.client import Record
from lib.environment import TestCase, main
from lib.orderflow import program_path

SCHEMA = json.loads((places.ROOT / "schemas" / "aggregate.avsc").read_text())


class Scene(TestCase):
    """Topics of a group, and what is recorded of it."""

    def setUp(self):
        super().setUp()
        self.topic = self.client.create_topic(self.unique("orders"), 3)
        self.retry = self.client.create_topic(self.unique("retry"), 3)
        self.aggregates = self.client.create_topic(self.unique("aggregates"), 3, cleanup_policy="compact")
        self.elsewhere = self.client.create_topic(self.unique("elsewhere"), 1)
        self.group = self.unique("group")
        self.schema_id = self.registry.register(f"{self.aggregates}-value", SCHEMA)

    def arguments(self, group=None):
        return ["--topic", self.topic, "--retry-topic", self.retry, "--aggregates-topic", self.aggregates, "--group",
                group or self.group]

    def row(self, topic, partition, name, *prices, next_offset=10, group=None):
        return aggregates.row_record(self.schema_id, group or self.group,
                                     row_of(topic, partition, name, prices, next_offset))

    def marker(self, topic, partition, rows, next_offset=10, retries=0, dead_letters=0, version=1, group_by="product"):
        return aggregates.marker_record(self.schema_id, self.group, Marker(topic, partition, next_offset, retries,
                                                                           dead_letters, rows, version, "price", group_by))

    def write(self, *records):
        self.client.produce(self.aggregates, records)

    def usual(self):
        """Two products in orders, one of them in retries too; other groups and topics beside them."""
        self.write(self.row(self.topic, 0, b"Laptop", 1.0), self.row(self.topic, 0, b"Laptop", 100.25, 0.5, 1e30),
                   self.row(self.topic, 2, b"Mouse", -2.5), self.row(self.retry, 2, b"Mouse", 3.25, 1.0),
                   self.row(self.retry, 1, b"Gone", 7.0), Record.of(None, aggregates.key(self.group, self.retry, 1, b"Gone"), 1),
                   self.row(self.topic, 1, b"\xff", 2.0), self.row(self.topic, 0, b"Laptop", 5000.0, group="another"),
                   self.row(self.elsewhere, 0, b"Laptop", 9.0), Record.of(b"junk", b"junk", 1),
                   self.marker(self.topic, 0, 1, retries=3), self.marker(self.topic, 2, 1, retries=1, dead_letters=4),
                   self.marker(self.retry, 2, 1, dead_letters=1))
        return {"Laptop": [100.25, 0.5, 1e30], "Mouse": [-2.5, 3.25, 1.0], "\\xFF": [2.0]}

    def said(self, prices):
        """What `stats --json` says of these prices by product, retries and dead letters apart."""
        def numbers(values):
            total = sum(map(Fraction, values), Fraction(0))
            return {"orders_processed": len(values), "price_sum": decimal(total), "price_average": float(total / len(values))}
        everything = list(itertools.chain(*prices.values()))
        return {**numbers(everything), "products": {name: numbers(values) for name, values in prices.items()}}

    def stats(self, *arguments, group=None, status=0):
        with self.orderflow_plain("stats", *self.arguments(group), *arguments) as program:
            self.assertEqual(program.wait(60), status, program.stderr())
        return program

    def orderflow_plain(self, command, *arguments, **options):
        """Without the registry, which is no option of stats."""
        from lib.orderflow import Orderflow
        return Orderflow(command, "--brokers", self.bootstrap, *arguments, folder=self.folder, name=command, **options)

    def reset(self, *arguments, status=0):
        with self.orderflow("reset", *self.arguments(), *arguments) as program:
            self.assertEqual(program.wait(90), status, program.stderr())
        return program


def decimal(fraction):
    """Exact decimal notation of a fraction whose denominator is a power of two."""
    digits = 0
    while (fraction * 10 ** digits).denominator > 1:
        digits += 1
    number = abs(fraction * 10 ** digits).numerator
    text = str(number).rjust(digits + 1, "0")
    text = text[:-digits] + "." + text[-digits:] if digits else text
    return "-" * (fraction < 0) + text


class Stats(Scene):
    def test_totals_of_the_group(self):
        expected = self.said(self.usual())
        program = self.stats("--json")
        found, = program.events
        self.assertEqual({"retry_attempts": 4, "dead_letters": 5, **expected}, found)

    def test_a_table(self):
        self.usual()
        text = "\n".join(self.stats().lines)
        for words in (f"Group {self.group}", r"orders processed   7", "retry attempts     4", "dead letters       5",
                      "Mouse", r"\xFF"):
            self.assertIn(words, text)

    def test_an_unknown_group(self):
        self.usual()
        program = self.stats(group="nobody", status=1)
        self.assertIn(f"topic {self.aggregates} holds no totals of group nobody", program.stderr())

    def test_a_missing_topic(self):
        self.aggregates = self.unique("missing")
        self.assertIn(f"topic {self.aggregates} does not exist", self.stats(status=1).stderr())
        self.assertNotIn(self.aggregates, self.client.topics())

    def test_rows_that_are_lost_are_told(self):
        self.write(self.row(self.topic, 0, b"Laptop", 1.0), self.marker(self.topic, 0, 3))
        self.assertIn(f"lost rows of {self.topic} [0]: there are 1 of at least 3", self.stats(status=1).stderr())

    def test_only_what_is_committed_counts(self):
        self.write(self.row(self.topic, 0, b"Laptop", 1.0))
        name = self.unique("transaction")
        self.client.transact(self.aggregates, [self.row(self.topic, 0, b"Laptop", 2.0)], name, commit=False)
        self.client.transact(self.aggregates, [self.row(self.topic, 1, b"Laptop", 4.0)], name)
        self.assertEqual(self.stats("--json").events[0]["price_sum"], "5")

    def test_following(self):
        """From before there is anything."""
        with self.orderflow_plain("stats", *self.arguments(), "--json", "--follow") as program:
            self.wait_until(lambda: f"holds no totals of group {self.group}" in program.stderr(), 30, "that it waits")
            self.write(self.row(self.topic, 0, b"Laptop", 1.0))
            self.wait_until(lambda: len(program.events) == 1, 30, "the first line")
            for count in range(2, 5):
                self.write(self.row(self.topic, 2, b"Mouse", *range(1, count)))
                self.wait_until(lambda: len(program.events) == count, 30, "a line per change")
            self.write(self.marker(self.topic, 2, 1))       # which changes no total
            time.sleep(1)
            program.interrupt()
            self.assertEqual(program.wait(10), 0, program.stderr())
        self.assertEqual([event["price_sum"] for event in program.events], ["1", "2", "4", "7"])


    def test_following_on_a_terminal(self):
        """Printed over itself, cut to the size of the screen."""
        self.write(*(self.row(self.topic, 0, b"product %d" % number, 1.0) for number in range(40)))
        shown = bytearray()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 60, 0, 0))
        child = process.spawn([program_path(), "stats", "--brokers", self.bootstrap, *self.arguments(), "--follow"],
                              stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm"})
        os.set_blocking(ours, False)
        os.close(theirs)

        def shows(text):
            with contextlib.suppress(BlockingIOError):
                shown.extend(os.read(ours, 65536))
            return text in shown
        self.wait_until(lambda: shows(b"orders processed   40"), 30, "the first table")
        self.write(self.row(self.topic, 2, b"Mouse", 2.5))
        self.wait_until(lambda: shows(b"orders processed   41") and shown.endswith(b"\x1b[J"), 30, "the second table")
        process.stop(child)
        first, second = shown.split(b"\x1b[11A")
        self.assertEqual((first.count(b"\n"), second.count(b"\n")), (11, 11))
        self.assertIn(b"$42.50", second)
        os.close(ours)


class Reset(Scene):
    def history(self):
        """A group with offsets and totals, and retries that wait. Returns the ends of the retry topic."""
        self.usual()
        self.client.produce(self.retry, [Record.of(b"waits", b"key", partition) for partition in (0, 0, 2)])
        self.client.commit(self.group, {(self.topic, 0): 10, (self.topic, 2): 10, (self.retry, 0): 0, (self.retry, 2): 1,
                                        (self.elsewhere, 0): 5})
        return self.client.end_offsets(self.retry)

    def state(self, group=None):
        return aggregates.newest(SCHEMA, group or self.group, [record for record in self.client.read(self.aggregates)
                                                               if record.key != b"junk"])

    def check_is_reset(self, ends):
        self.assertEqual(self.client.committed(self.group), {(self.elsewhere, 0): 5, **{(self.retry, p): end for p, end
                                                                                     in ends.items()}})
        markers = {(self.retry, p): Marker(self.retry, p, end, 0, 0, 0, 1, "", "") for p, end in ends.items()}
        kept = {where: row for where, row in self.state().items() if where[0] == self.elsewhere}
        self.assertEqual(len(kept), 1)
        self.assertEqual(self.state(), {**kept, **markers})
        self.assertEqual(len(self.state("another")), 1)

    def test_nothing_is_changed_without_yes(self):
        self.history()
        before = self.client.read(self.aggregates), self.client.committed(self.group)
        text = "\n".join(self.reset().lines)
        self.assertIn("Nothing was changed", text)
        self.assertRegex(text, r"committed offsets of 2 of 3 partitions are deleted")
        self.assertRegex(text, r"2 offsets of waiting retries")
        self.assertRegex(text, r"4 rows, which hold 7 orders, and 3 markers are deleted")
        self.assertEqual((self.client.read(self.aggregates), self.client.committed(self.group)), before)

    def test_offsets_and_totals_are_forgotten_together(self):
        ends = self.history()
        self.assertIn("Done.", self.reset("--yes").lines)
        self.check_is_reset(ends)
        self.assertEqual(self.stats("--json").events[0]["orders_processed"], 0)
        self.reset("--yes")         # again
        self.check_is_reset(ends)

    def test_a_reset_that_was_killed_is_finished_by_the_next(self):
        """Killed ever later; whatever it leaves, the group has its totals with its offsets or neither."""
        ends = self.history()
        before = self.state()
        for pause in (0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5):
            with self.orderflow("reset", *self.arguments(), "--yes") as program:
                time.sleep(pause)
                program.kill()
            # As a start sees it: behind the transaction that the killed one may have left open.
            self.reset()
            state, committed = self.state(), self.client.committed(self.group)
            if state == before:
                self.assertEqual(committed.get((self.retry, 2)), 1, "retries with their totals")
            else:
                self.check_is_reset(ends)
        self.reset("--yes")
        self.check_is_reset(ends)

    def test_a_group_with_members_is_refused(self):
        self.history()
        before = self.client.read(self.aggregates), self.client.committed(self.group)
        with self.orderflow("run", "--topic", self.topic, "--retry-topic", self.retry, "--dlq-topic", self.unique("dlq"),
                            "--aggregates-topic", self.unique("others"), "--group", self.group) as program:
            self.wait_until(lambda: self.client.members(self.group), 60, "a member")
            refused = self.reset("--yes", status=1)
            self.assertIn("has 1 member", refused.stderr())
            program.kill()
        self.assertEqual(self.client.read(self.aggregates), before[0])

    def test_a_group_that_nobody_knows(self):
        self.assertIn("there is nothing to reset", self.reset("--yes", status=1).stderr())

    def test_records_that_cannot_be_read_go_too(self):
        self.write(Record.of(b"junk", aggregates.key(self.group, self.topic, 1, b"Laptop"), 1))
        self.assertIn("cannot be used", self.stats(status=1).stderr())
        self.reset("--yes")
        self.assertEqual(self.stats("--json").events[0]["orders_processed"], 0)

    def test_a_registry_that_is_down_changes_nothing(self):
        self.history()
        before = self.client.read(self.aggregates), self.client.committed(self.group)
        with self.orderflow("reset", *self.arguments(), "--yes", registry_url="http://127.0.0.1:9") as program:
            self.assertEqual(program.wait(60), 1)
            self.assertIn("cannot register the schema of totals", program.stderr())
        self.assertEqual((self.client.read(self.aggregates), self.client.committed(self.group)), before)


class Restore(Scene):
    def restore(self, *wanted, max_groups=200000):
        """{slot: line}, and how many ms it took."""
        tool = pathlib.Path(program_path()).parent.parent / "tests" / "broker" / "broker_restore"
        told = subprocess.run([tool, self.bootstrap, self.aggregates, self.group, str(max_groups), *wanted],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(told.returncode, 0, told.stderr)
        *lines, last = told.stdout.splitlines()
        return dict(line.split(" ", 1) for line in lines), int(last.removeprefix("ms="))

    def test_orders_and_retries_of_all_partitions(self):
        self.usual()
        wanted = [f"{topic}:{p}" for p in range(3) for topic in (self.topic, self.retry)]
        found, _ = self.restore(*wanted)
        nothing = "ok next_offset=-1 retries=0 dead_letters=0 rows=0 orders=0 sum=0"
        self.assertEqual(found, {
            "0": f"ok next_offset=10 retries=3 dead_letters=0 rows=1 orders=3 sum={decimal(Fraction(100.75) + Fraction(1e30))}",
            "1": nothing,
            "2": "ok next_offset=-1 retries=0 dead_letters=0 rows=1 orders=1 sum=2",
            "3": nothing,
            "4": "ok next_offset=10 retries=1 dead_letters=4 rows=1 orders=1 sum=-2.5",
            "5": "ok next_offset=10 retries=0 dead_letters=1 rows=1 orders=2 sum=4.25"})

    def test_what_cannot_be_used(self):
        self.write(self.marker(self.topic, 0, 0, group_by="colour"), self.marker(self.topic, 1, 0, version=2))
        found, _ = self.restore(f"{self.topic}:0", f"{self.topic}:1", f"{self.topic}:3", f"{self.topic}:2")
        self.assertIn("poison", found["0"])
        self.assertIn("--group-by-field colour, not product", found["0"])
        self.assertRegex(found["1"], "poison .* another version")
        self.assertRegex(found["2"], "poison .* has 3 partitions, and partition 3 is needed")
        self.assertRegex(found["3"], "ok .* rows=0")

    def test_an_open_transaction_is_waited_for(self):
        """The end that counts lies behind it: a reader of committed records alone would stop before."""
        import kafka
        self.write(self.row(self.topic, 0, b"Laptop", 1.0))
        producer = kafka.KafkaProducer(bootstrap_servers=self.bootstrap, transactional_id=self.unique("open"))
        producer.init_transactions()
        producer.begin_transaction()
        record = self.row(self.topic, 0, b"Laptop", 2.0)
        producer.send(self.aggregates, value=record.value, key=record.key, partition=0).get(timeout=30)
        producer.flush()
        began = time.monotonic()
        tool = pathlib.Path(program_path()).parent.parent / "tests" / "broker" / "broker_restore"
        child = subprocess.Popen([tool, self.bootstrap, self.aggregates, self.group, "10", f"{self.topic}:0"],
                                 stdout=subprocess.PIPE, text=True)
        time.sleep(2)
        self.assertIsNone(child.poll(), "it waits")
        producer.commit_transaction()
        producer.close()
        told, _ = child.communicate(timeout=30)
        self.assertIn("orders=1 sum=2", told)
        self.assertGreater(int(told.split("ms=")[1]), 1500)
        self.assertLess(time.monotonic() - began, 20)

    def test_many_group_values(self):
        """100,000 rows within two seconds, after each was written twice."""
        def rows(price):
            for number in range(100000):
                yield self.row(self.topic, 0, b"product %d" % number, price)
        self.client.produce(self.aggregates, rows(1.0))
        self.client.produce(self.aggregates, itertools.chain(rows(1.5), [self.marker(self.topic, 0, 100000)]))
        times = []
        for _ in range(3):
            found, ms = self.restore(f"{self.topic}:0", f"{self.retry}:0")
            self.assertEqual(found["0"],
                             "ok next_offset=10 retries=0 dead_letters=0 rows=100000 orders=100000 sum=150000")
            times.append(ms)
        print(f"100,000 group values, 200,001 records: {sorted(times)} ms", flush=True)
        self.assertLess(min(times), 2000)
        found, _ = self.restore(f"{self.topic}:0", max_groups=1000)
        self.assertRegex(found["0"], "poison .*raise --max-groups")
        began = time.monotonic()
        self.assertEqual(self.stats("--json").events[0]["orders_processed"], 100000)
        print(f"stats: {time.monotonic() - began:.2f} s", flush=True)
        self.reset("--yes")
        self.assertEqual(self.stats("--json").events[0]["orders_processed"], 0)


if __name__ == "__main__":
    main()
