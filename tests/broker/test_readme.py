"""README.md as a newcomer follows it: every command is run as it is written, and shows what the text says.

What no engine here can run is read instead: docker's lines, by their arguments and docker-compose.yml. `./dev` is run
in a copy of the tree in which CMake does nothing but say so, because the program under test is built already.
`lib/readme.py` finds the commands; a new or changed one fails Complete until a test names it.
"""
import argparse
import ctypes
import json
import re
import shlex
import shutil
import struct
import subprocess
import time
import unittest
import urllib.request

from lib import orders, places, process, readme
from lib.client import Record
from lib.environment import main
from lib.newcomer import SECONDS, Newcomer, held
from lib.orderflow import program_path
from lib.readme import shows
from lib.stub import Fault, StubRegistry

import yaml     # found since lib.client is there

COORDINATOR_LOAD_IN_PROGRESS = 14   # Kafka's number for it


class Complete(unittest.TestCase):
    def test_every_command_is_shown(self):
        self.assertEqual(readme.unanswered(Walk, Demonstration, Tree), [])

    def test_what_is_new_or_gone_is_found(self):
        class Tests:
            @shows("a b", "c d")
            def test(self, *_):
                pass
        text = ("    a b    # why\n\n`c\nd` and `--e`\n\n| x | how |\n|---|---|\n| y | `z \\| w` |\n\n"
                "```\nout\n./dev f\n```\n")
        self.assertEqual(readme.claims(text), {"a b": 1, "c d": 3, "y | `z | w`": 8, "./dev f": 12})
        self.assertEqual(len(readme.unanswered(Tests, readme=text)), 2)
        self.assertEqual(len(readme.unanswered(Tests, readme="    a b\n")), 1)

    def test_options_exist(self):
        """Every option that is named by itself."""
        known = "".join(subprocess.run([program_path(), command, "--help"], capture_output=True, text=True).stdout
                        for command in ("run", "produce", "demo", "stats", "reset", "schema"))
        named = set(re.findall(r"`(--[a-z-]+)[ `]", readme.text()))
        self.assertGreater(len(named), 5)
        self.assertEqual([option for option in named if not re.search(rf"^  {option} ", known, re.M)], [])


class Walk(Newcomer):
    """From `On a real Kafka` to the end."""

    @shows("orderflow run", "orderflow produce",
           "normal | `orderflow run`, `orderflow produce` | an order, where it was read, the new sum and average")
    def test_two_terminals(self, run, produce, _):
        self.assertIn("time between two orders (0 to 86400000; default 2000)", self.output("orderflow produce --help"))
        with self.terminal(run) as first:
            first.wait_for("Waiting for orders. Ctrl.C stops.", SECONDS)
            first.wait_for(r"^assigned +orders\[", SECONDS, count=3)
            produced = self.output(produce, ORDERFLOW_INTERVAL_MS="25")
            self.assertIn("orders delivered   20\n", produced)
            shown = first.wait_for(r"^aggregated +(\d+) orders processed, sum \$([\d.]+), running average \$([\d.]+)",
                                   SECONDS, count=20)
            found = self.statistics(self.stop(first))
        self.assertEqual(len(set(re.findall(r"^processed +order (\d+) ", first.text(), re.M))), 20)
        self.assertEqual(len(re.findall(r"^received .* from orders\[\d\] offset \d+$", first.text(), re.M)), 20)
        self.assertEqual(shown[-1][1].group(1, 2, 3), (found["orders processed"], found["price sum"][1:],
                                                       found["running average"][1:]))
        self.assertIn(f"price sum          {found['price sum']}", produced)
        self.assertLessEqual({"orders", "orders-retry", "orders-dlq"}, self.client.topics())

    @shows("orderflow produce --count 100000 --rate 0", "orderflow run --exit-at-end")
    def test_as_fast_as_it_goes(self, produce, run):
        produced = self.output(produce)
        text = self.output(run)
        found = self.statistics(text)
        self.assertEqual(found["orders processed"], "100000")
        self.assertLess(text.count("\nreceived "), 1000, "more than 50 a second are shown as a summary")
        self.assertIn("orders delivered   100000\n", produced)
        self.assertIn(f"price sum          {found['price sum']}", produced)
        self.assertNotIn("received", self.output(run), "everything was read")

    @shows("retries | `orderflow run --failure-rate 0.1` | `retry 1/3`, and the order again two seconds later, while "
           "others go on")
    def test_retries(self, row):
        with self.terminal(command_of(row)) as run:
            run.wait_for(r"^assigned", SECONDS, count=6)
            self.publish(80, rate=20)
            came = run.wait_for(r"^received +order (\d+) .* from orders-retry\[", SECONDS)[0]
            retried = run.wait_for(r"^retry 1/3 +order (\d+) .* due in 2000 ms", SECONDS)[0]
            others = run.wait_for(r"^processed", SECONDS)
            self.stop(run)
        self.assertEqual(came[1].group(1), retried[1].group(1))
        self.assertAlmostEqual(came[0] - retried[0], 2, delta=1)
        self.assertGreater(len([at for at, _ in others if retried[0] < at < came[0]]), 5)

    @shows("dead letters | `orderflow run --failure-rate 1 --max-retries 1` | every order ends in `orders-dlq`, and "
           "says why in its headers")
    def test_dead_letters(self, row):
        self.publish(5)
        text = self.output(command_of(row) + " --exit-at-end")
        self.assertEqual(self.statistics(text)["dead letters"], "5")
        self.assertEqual(len(re.findall(r"^dead letter +order \d+ .* sent to orders-dlq: still failing after 1 of 1",
                                        text, re.M)), 5)
        self.dead_letters("simulated", 5)

    @shows("a poisonous record | `echo garbage | kcat -b localhost:9092 -t orders -P` | one dead letter, "
           "`(unreadable)`, with the cause `bad_framing` in its headers; nothing stops")
    def test_a_poisonous_record(self, row):
        self.publish(1)
        with self.terminal("orderflow run", tty=True) as run:
            run.wait_for(r"processed", SECONDS)
            self.output(command_of(row))
            run.wait_for(r"dead letter.*\(unreadable\)", SECONDS)
            self.publish(1)
            run.wait_for(r"processed", SECONDS, count=2)
            self.stop(run)
        letter, = self.dead_letters("bad_framing", 1)
        self.assertEqual(letter.value, b"garbage")

    @shows("two instances | `orderflow run` in two terminals | partitions are shared; stop one and the other takes "
           "over")
    def test_two_instances(self, row):
        with self.terminal(command_of(row)) as first:
            first.wait_for(r"^assigned", SECONDS, count=6)
            with self.terminal(command_of(row)) as second:
                both = (first, second)
                process.wait_until(lambda: all(map(held, both)) and sorted(held(first) + held(second)) == [0, 1, 2],
                                   SECONDS, "each has a part of the partitions")
                self.stop(first)
                process.wait_until(lambda: sorted(held(second)) == [0, 1, 2], SECONDS, "the other has taken over")
                self.publish(10)
                second.wait_for(r"^processed", SECONDS, count=10)
                self.stop(second)

    @shows("kill and restart | `orderflow run --instance-id shop`, `kill -9`, the same again | it has its partitions back at "
           "once and goes on with all that was committed; the rest is read again. Hosts have a name by default, "
           "containers have none and wait 30 s")
    def test_kill_and_restart(self, row):
        with self.terminal(command_of(row)) as run:
            run.wait_for(r"^assigned", SECONDS, count=6)
            self.publish(20)
            process.wait_until(lambda: sum(self.client.committed("order-consumer-group").values()) >= 20, SECONDS,
                               "all is committed")
            run.kill()
        self.publish(7)
        committed = self.client.committed("order-consumer-group")
        began = time.monotonic()
        with self.terminal(command_of(row)) as again:
            taken = again.wait_for(r"^assigned +(orders)\[(\d)\] at offset (\d+)", SECONDS, count=3)
            self.assertLess(taken[-1][0] - began, 10, "at once, not when the session of 30 s is over")
            again.wait_for(r"^processed", SECONDS, count=7)
            self.stop(again)
        self.assertEqual({(m.group(1), int(m.group(2))): int(m.group(3)) for _, m in taken},
                         {place: offset for place, offset in committed.items() if place[0] == "orders"})
        self.assertIn("orders processed   27\n", self.output("orderflow stats"))

    @shows("instance ... runs on this host already")
    def test_two_of_one_name(self, message):
        with self.terminal("orderflow run --instance-id shop") as first:
            first.wait_for(r"^assigned", SECONDS, count=6)
            text = self.output("orderflow run --instance-id shop", status=2)
            self.stop(first)
        self.assertRegex(text, message.replace(" ... ", " shop .*"))

    @shows("registry down | `orderflow run --registry http://localhost:1`, then with the right one | partitions that "
           "need a schema wait, `held`; no dead letters; the second run reads them all",
           "cannot reach the schema registry")
    def test_registry_down(self, row, message):
        self.publish(20)
        with self.terminal(command_of(row)) as run:
            run.wait_for(rf"^held +orders\[\d\] .*{message}", SECONDS, count=3)
            self.assertEqual(self.statistics(self.stop(run))["dead letters"], "0")
        found = self.statistics(self.output("orderflow run --exit-at-end"))
        self.assertEqual((found["orders processed"], found["dead letters"]), ("20", "0"))

    @shows("orderflow stats", "orderflow reset",
           "starting over | `orderflow reset --yes`, with no instance running; then `orderflow run` | offsets and totals "
           "are forgotten together; the run counts everything again")
    def test_totals_and_starting_over(self, stats, reset, _):
        self.publish(20)
        first = self.statistics(self.output("orderflow run --exit-at-end"))
        text = self.output(stats)
        self.assertIn("Group order-consumer-group\n", text)
        self.assertIn(f"price sum          {first['price sum']}", text)
        self.assertIn("Nothing was changed; --yes does it.", self.output(reset))
        self.assertIn("Done.", self.output("orderflow reset --yes"))
        again = self.statistics(self.output("orderflow run --exit-at-end"))
        self.assertEqual((again["orders processed"], again["price sum"]), ("20", first["price sum"]))

    @shows("totals of all instances | `orderflow stats --follow`, while two instances run | one table of what both have "
           "committed, drawn again as it changes")
    def test_totals_of_all_instances(self, row):
        with self.terminal("orderflow run") as first, self.terminal("orderflow run") as second:
            both = (first, second)
            process.wait_until(lambda: all(map(held, both)) and sorted(held(first) + held(second)) == [0, 1, 2],
                               SECONDS, "each has a part of the partitions")
            self.publish(30)
            process.wait_until(lambda: sum(len(re.findall("^processed", run.text(), re.M)) for run in both) == 30,
                               SECONDS, "all is counted")
            with self.terminal(command_of(row), tty=True) as stats:
                stats.wait_for(r"orders processed   30", SECONDS)
                self.publish(10)
                stats.wait_for(r"orders processed   40", SECONDS)
                self.stop(stats)
            self.stop(first), self.stop(second)

    @shows("an average of another field | `orderflow run --group-by-field orderId` | the statistics per order id")
    def test_an_average_of_another_field(self, row):
        self.publish(20)
        text = self.output(command_of(row) + " --exit-at-end")
        rows = re.findall(r"^ +1 +\$[\d.]+ +\$[\d.]+  (\d+)$", text, re.M)
        self.assertEqual(rows, [str(number) for number in range(1001, 1021)])

    @shows("--value-field payment.amount --group-by-field country --id-field uuid")
    def test_other_names(self, options):
        payment = {"type": "record", "name": "Amount", "fields": [{"name": "amount", "type": "double"}]}
        fields = [{"name": "uuid", "type": "string"}, {"name": "note", "type": "int"},
                  {"name": "country", "type": "string"}, {"name": "payment", "type": payment}]
        number = self.registry.register("payments-value", {"type": "record", "name": "Payment", "fields": fields})
        self.client.create_topic("orders")
        for country, amount in (("DE", 1.5), ("FR", 2.25), ("DE", 2.5)):
            value = orders.string("u-1") + orders.zigzag(7) + orders.string(country) + struct.pack("<d", amount)
            self.client.produce("orders", [Record.of(orders.frame(number, value), b"u-1")])
        text = self.output(f"orderflow run --exit-at-end {options}")
        self.assertIn("processed   order u-1  FR  $2.25\n", text)
        self.assertRegex(text, r"\n +2 +\$2\.00 +\$4\.00  DE\n +1 +\$2\.25 +\$2\.25  FR")

    @shows("orderflow schema explain FILE", "orderflow schema register", "--schema sale.avsc")
    def test_schemas(self, explain, register, schema):
        fields = [{"name": "orderId", "type": "string"}, {"name": "product", "type": ["null", "string"]},
                  {"name": "note", "type": "int"},
                  {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}}]
        (self.folder / "sale.avsc").write_text(json.dumps({"type": "record", "name": "Sale", "fields": fields}))
        text = self.output(explain.replace("FILE", "sale.avsc"))
        for row in (r"orderId +string +id", "product +union of null and string +group, .*", "note +int +passed over",
                    r"price +decimal\(9,2\) as bytes +value"):
            self.assertRegex(text, rf"\n  {row}\n")
        of_sales = f"{schema} --subject {self.unique('sales')}-value"
        self.output(f"{register} {of_sales}")
        self.output(f"{register.replace('register', 'check')} {of_sales}")
        self.assertIn(of_sales.split()[-1], self.output(register.replace("register", "list")))
        (self.folder / "sales.csv").write_text("orderId,product,note,price\na1,Desk,1,10.10\na2,Desk,2,0.20\n")
        self.output("orderflow produce --file sales.csv " + of_sales)
        self.assertEqual(self.statistics(self.output("orderflow run --exit-at-end"))["price sum"], "$10.30")

    @shows("orderflow produce --file orders.csv", "--file -")
    def test_orders_from_a_file(self, produce, standard_input):
        (self.folder / "orders.csv").write_text("orderId,product,price\na1,Laptop,10.5\na2,\"Desk, oak\",20\n")
        self.assertIn("orders delivered   2\n", self.output(produce))
        line = json.dumps({"orderId": "a3", "product": "Mouse", "price": 1})
        self.assertIn("orders delivered   1\n", self.output(f"echo '{line}' | orderflow produce {standard_input}"))
        found = [orders.decode(record.value)[1] for record in self.client.read("orders")]
        self.assertEqual(sorted(found), [("a1", "Laptop", 10.5), ("a2", "Desk, oak", 20), ("a3", "Mouse", 1)])

    # --- looking into the topics ------------------------------------------------------------------------------------

    @shows("apt install kcat",
           r"kcat -b localhost:9092 -t orders -C -e -f 'partition %p offset %o key %k, %S bytes\n'",
           r"kcat -b localhost:9092 -t orders-retry -C -e -f 'partition %p offset %o key %k\n'",
           r"kcat -b localhost:9092 -t orders-dlq -C -e -f 'partition %p offset %o key %k\n  %h\n'",
           "kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic orders-dlq --from-beginning "
           "--property print.key=true --property print.headers=true",
           "kafka-consumer-groups.sh --bootstrap-server localhost:9092 --describe --group order-consumer-group")
    def test_looking_into_the_topics(self, install, of_orders, of_retries, of_letters, console, groups):
        self.assertIn(f"kcat:{install.split()[-1]}", (self.tree / "dev").read_text(), "the lane installs the same")
        self.publish(5)
        with self.terminal("orderflow run --failure-rate 1 --max-retries 1 --retry-delay-ms 10") as run:
            run.wait_for(r"^dead letter", SECONDS, count=5)
            ids = {str(number) for number in range(1001, 1006)}
            place = r"^partition \d offset \d+ key (\d+)"
            self.assertEqual(set(re.findall(place + r", \d\d bytes$", self.output(of_orders), re.M)), ids)
            self.assertEqual(set(re.findall(place + "$", self.output(of_retries), re.M)), ids)
            letters = self.output(of_letters)
            self.assertEqual(set(re.findall(place + r"\n  .*__orderflow\.errors\.cause=simulated", letters, re.M)), ids)
            text = self.output(groups)
            without_lag = re.findall(r"^order-consumer-group +orders(?:-retry)? +\d +\d+ +\d+ +0 ", text, re.M)
            self.assertEqual(len(without_lag), 6, text)
            with self.terminal(console) as consumer:
                seen = consumer.wait_for(r"__orderflow\.errors\.cause:simulated[^\t]*\t(\d+)\t", SECONDS, count=5)
                consumer.interrupt()
            self.assertEqual({match.group(1) for _, match in seen}, ids)
            self.stop(run)

    # --- options ----------------------------------------------------------------------------------------------------

    @shows("orderflow run --help", "orderflow config print", "--config orderflow.conf", "ORDERFLOW_MAX_RETRIES=5",
           "kafka.sasl.password = ...")
    def test_options(self, usage, shown, file, variable, secret):
        self.assertIn("  --max-retries COUNT ", self.output(usage))
        template = (places.ROOT / "etc" / "orderflow.conf").read_text()
        options = re.findall(r"^  --(?:\[no-\])?([a-z-]+)", self.output(usage), re.M)
        missing = [name for name in options if name not in ("config", "help", "print-wiring")
                   and not re.search(rf"^#? *{name} =", template, re.M)]
        self.assertEqual(missing, [], "etc/orderflow.conf has them all")
        (self.folder / "orderflow.conf").write_text(template + secret.replace("...", "open-sesame") + "\n")
        text = self.output(f"{variable} {shown} {file}")
        self.assertRegex(text, r"\n  max-retries +5 +environment\n")
        self.assertRegex(text, r"\n  group +order-consumer-group +(default|orderflow\.conf:\d+)\n")
        self.assertIn("sasl.password", text)
        self.assertNotIn("open-sesame", text)

    @shows("orderflow doctor", "orderflow config check")
    def test_what_finds_what_is_wrong(self, doctor, check):
        self.publish(1)
        self.assertIn("nothing is wrong", self.output(check))
        self.assertRegex(self.output(doctor), r"(?m)^ok    registry  ")

    @shows("orderflow run --brokers kafka.example.com:9093 -X security.protocol=sasl_ssl "
           "-X sasl.mechanisms=PLAIN -X sasl.username=orders -X sasl.password=... "
           "-X ssl.ca.location=/etc/ssl/kafka-ca.pem")
    def test_properties_of_the_library(self, run):
        """As far as there is no such broker: librdkafka takes the properties and connects."""
        address = f"127.0.0.1:{process.free_port()}"
        run = run.replace("kafka.example.com:9093", address).replace("/etc/ssl/kafka-ca.pem",
                                                                      "/etc/ssl/certs/ca-certificates.crt")
        with self.terminal(run) as terminal:
            terminal.wait_for(f"cannot reach Kafka at {address}", SECONDS)
            self.stop(terminal)

    @shows("--console json", "--http 127.0.0.1:8080")
    def test_for_programs(self, console, http):
        address = f"127.0.0.1:{process.free_port()}"
        self.publish(3)
        with self.terminal(f"orderflow run {console} {http.replace('127.0.0.1:8080', address)}") as run:
            run.wait_for(r'"event":"processed"', SECONDS, count=3)
            for path in ("/healthz", "/readyz", "/", "/metrics", "/api/stats"):
                with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
                    self.assertEqual(answer.status, 200)
            text = self.stop(run)
        events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        self.assertEqual(events[-1]["event"], "final")

    @shows("--console summary")
    def test_the_live_view(self, console):
        with self.terminal(f"orderflow run {console} --commit-interval-ms 50", tty=True) as run:
            run.wait_for(r"assigned", SECONDS, count=6)
            self.publish(300, rate=100)
            for seen in (r"[1-9]\d* .*orders/s", "running average", r"lag", r"aggregate .*%", r"product +.*orders",
                         r"Laptop .*\$"):
                run.wait_for(seen, SECONDS)
            run.wait_for("\033\\[\\d+A", SECONDS)     # back to its top
            self.stop(run)

    @shows("orderflow run --print-wiring", "--decode-threads 0 --process-threads 0 --aggregate-threads 0")
    def test_threads(self, wiring, fewer):
        self.assertEqual(re.findall(r"^  (\w+)-0 +runs \1\[0\],", self.output(wiring), re.M),
                         ["fetch", "decode", "process", "aggregate", "publish"])
        self.assertRegex(self.output(f"{wiring} {fewer}"), r"\n  fetch-0 +runs fetch\[0\] decode\[0\] process\[0\] ")

    @shows("--source auto", "--guarantee at-least-once")
    def test_what_else_reads_and_commits(self, source, guarantee):
        """What is in force by default, and what takes over."""
        self.publish(3)
        self.assertIn("source: direct, as nothing speaks against it", self.output(f"orderflow run --exit-at-end {source}"))
        text = self.output(f"orderflow run --exit-at-end {source} {guarantee} --group another-group "
                           "-X broker.address.family=v4")
        self.assertRegex(text, "source: librdkafka, because .*broker.address.family")
        self.assertIn("  guarantee          at-least-once\n", text)
        self.assertEqual(self.statistics(text)["orders processed"], "3")
        self.assertIn("orders processed   3\n", self.output("orderflow stats --group another-group"))

    # --- when something is wrong ------------------------------------------------------------------------------------

    @shows("cannot reach Kafka at localhost:9092")
    def test_no_broker(self, message):
        port = process.free_port()
        with self.terminal("orderflow run", ORDERFLOW_BROKERS=f"localhost:{port}") as run:
            run.wait_for(message.replace("9092", str(port)), SECONDS)
            self.stop(run)

    @shows("answers 404, but not as a schema registry does",
           "export ORDERFLOW_REGISTRY=http://localhost:8081/apis/ccompat/v7")
    def test_the_registry_below_a_path(self, message, export):
        """The lane's registry is the one that ./dev cluster starts."""
        path = export.partition("8081")[2]
        self.assertEqual(self.registry_url, self.registry_url.removesuffix(path) + path)
        self.publish(3)
        with self.terminal("orderflow run", ORDERFLOW_REGISTRY=self.registry_url.removesuffix(path)) as run:
            run.wait_for(message, SECONDS)
            self.stop(run)
        export = export.replace("http://localhost:8081" + path, self.registry_url)
        text = self.output(f"{export}; orderflow run --exit-at-end", ORDERFLOW_REGISTRY="http://127.0.0.1:1")
        self.assertEqual(self.statistics(text)["orders processed"], "3")

    @shows("refuses access (401)")
    def test_the_registry_wants_a_password(self, message):
        self.publish(3)
        with StubRegistry(upstream=self.registry_url) as stub:
            stub.misbehave(Fault(status=401))
            with self.terminal("orderflow run", ORDERFLOW_REGISTRY=stub.url) as run:
                run.wait_for("^held .*" + re.escape(message), SECONDS)
                stub.behave()
                self.stop(run)
            known = {"ORDERFLOW_REGISTRY": stub.url, "ORDERFLOW_REGISTRY_PASSWORD": "open-sesame"}
            self.output("orderflow run --exit-at-end --registry-user me", **known)
            self.assertIn("Basic bWU6b3Blbi1zZXNhbWU=", [request.headers.get("Authorization") for request in stub.requests])

    @shows("orderflow run --group another-group")
    def test_another_group_reads_from_the_beginning(self, run):
        self.publish(4)
        for command in ("orderflow run", run):
            self.assertEqual(self.statistics(self.output(f"{command} --exit-at-end"))["orders processed"], "4")

    @shows("held ... retention has passed the committed offset")
    def test_retention_has_passed(self, message):
        self.publish(30)
        self.output("orderflow run --exit-at-end")
        self.publish(30)
        self.client.delete_records("orders", self.client.end_offsets("orders"))
        with self.terminal("orderflow run") as run:
            run.wait_for("^" + message.replace(" ... ", ".* "), SECONDS, count=3)
            self.stop(run)

    @shows("Coordinator load in progress: retrying")
    def test_a_coordinator_that_loads(self, message):
        """No broker says so on demand; librdkafka words it."""
        library = ctypes.CDLL("librdkafka.so.1")
        library.rd_kafka_err2str.restype = ctypes.c_char_p
        said = library.rd_kafka_err2str(COORDINATOR_LOAD_IN_PROGRESS).decode()
        self.assertIn(message.removesuffix(": retrying"), said)


class Demonstration(Newcomer):
    @shows("./dev demo", "./dev demo --count 100000 --rate 0", "./dev demo --help")
    def test_it_prints_what_the_readme_shows(self, demo, faster, usage):
        self.assertIn("  --failure-rate RATE ", self.dev(usage))
        with self.dev_terminal(demo) as slow, self.dev_terminal(faster) as fast:
            text = slow.end(60)
            found = self.statistics(fast.end(60))
        self.assertEqual(int(found["orders processed"]) + int(found["dead letters"]), 100000)
        (_, shown), = [fence for fence in readme.fences(readme.text()) if any("dead letter" in row for row in fence[1])]
        printed = {without_totals(row) for row in text.splitlines()}
        missing = [row for row in shown if row not in ("", "...") and without_totals(row) not in printed]
        self.assertEqual(missing, [])
        self.assertEqual(self.statistics("\n".join(shown)).items() - self.statistics(text).items(), set())


class Tree(Newcomer):
    """./dev, docker and CMake."""

    @shows("./dev build", "alias orderflow=$PWD/build/dev/src/orderflow",
           "cmake --preset release && cmake --build build/release && cmake --install build/release")
    def test_building(self, build, alias, installation):
        self.dev(build)
        self.dev(installation.rpartition(" && ")[0])
        self.assertEqual((self.folder / "cmake.log").read_text().splitlines()[:4:2], ["cmake --preset dev",
                                                                                       "cmake --preset release"])
        presets = json.loads((self.tree / "CMakePresets.json").read_text())["configurePresets"]
        self.assertLessEqual({"dev", "release"}, {preset["name"] for preset in presets})
        self.assertRegex(self.dev(f"shopt -s expand_aliases\n{alias}\norderflow version"), r"^orderflow \d+\.")
        (self.tools / "cmake").unlink()
        self.dev(f"{installation.rpartition(' && ')[2]} --prefix {self.folder}/installed")
        self.assertRegex(self.output(f"{self.folder}/installed/bin/orderflow version"), r"^orderflow \d+\.")

    @shows("./dev test", "dev: not root and no sudo")
    def test_what_dev_says(self, test, message):
        """It is what runs this: here it only has to be there."""
        told = re.search(r"all tests, (about \d+ minutes)", (places.ROOT / "README.md").read_text()).group(1)
        self.assertRegex(self.dev("./dev help"), rf"(?m)^  {test.split()[1]} +everything: .* {told}")
        few = self.folder / "few"       # neither a compiler nor sudo, and another user
        few.mkdir()
        for tool in ("sh", "dirname", "nproc", "tr", "apt-get", "dpkg-query"):
            (few / tool).symlink_to(shutil.which(tool) or shutil.which("true"))
        (few / "id").write_text("#!/bin/sh\necho 1000\n")
        (few / "id").chmod(0o755)
        text = self.output(f"PATH={few} ./dev build", directory=self.tree, status=2)
        self.assertRegex(text, rf"^{message}: run as root: apt-get install .*\bgcc\b.*\bcmake\b")

    @shows("./dev bench", "./dev bench throughput", "./dev bench sweep")
    def test_benchmarks(self, bench, throughput, sweep):
        """They take minutes; here they only say what they would do."""
        self.assertLessEqual({"throughput", "sweep", "decode"}, set(self.dev(bench).split()))
        for command, option in ((throughput, "--pairs"), (sweep, "--rounds")):
            self.assertRegex(self.dev(f"{command} --help", ORDERFLOW_RUN_DIR=str(self.folder)), f"\n +{option} ")
        self.assertFalse((self.folder / "cluster").exists(), "for that they start none")

    @shows("./dev cluster start", "./dev cluster status", "./dev cluster stop", "./dev cluster start --fresh",
           "./dev cluster start --kafka-port 19092 --registry-port 18081", "./dev cluster", "address already in use")
    def test_the_cluster(self, start, status, stop, fresh, elsewhere, _, taken):
        kafka, registry = process.free_port(), process.free_port()
        ports = elsewhere.removeprefix(start).replace("19092", str(kafka)).replace("18081", str(registry))
        run = {"ORDERFLOW_RUN_DIR": str(self.run_folder("one"))}
        try:
            self.assertIn(f"broker    127.0.0.1:{kafka}\n", self.dev(start + ports, seconds=120, **run))
            self.assertIn(f"registry  http://127.0.0.1:{registry}/apis/ccompat/v7\n", self.dev(status, **run))
            cluster = {"ORDERFLOW_BROKERS": f"localhost:{kafka}",
                       "ORDERFLOW_REGISTRY": f"http://localhost:{registry}/apis/ccompat/v7"}
            self.output("orderflow produce --count 3 --rate 0", **cluster)
            text = self.dev(start + ports, status=1, ORDERFLOW_RUN_DIR=str(self.run_folder("two")))
            self.assertIn(taken, text)
            self.assertIn("stopped", self.dev(stop, **run))
            self.dev(fresh + ports, seconds=120, **run)
            self.output("orderflow produce --count 1 --rate 0", **cluster)
            found = self.statistics(self.output("orderflow run --exit-at-end", **cluster))
            self.assertEqual(found["orders processed"], "1", "it began with nothing")
        finally:
            self.dev(stop, **run)

    def run_folder(self, name):
        """A .run of its own, with the downloads of the lane."""
        folder = self.folder / name
        folder.mkdir()
        for part in places.RUN.iterdir():
            if re.match(r"(kafka|registry|python)", part.name) and not part.name.endswith(".lock"):
                (folder / part.name).symlink_to(part)
        return folder

    @shows("./dev clean --all")
    def test_cleaning_up(self, clean):
        (self.tree / ".run").mkdir()
        self.dev(clean, ORDERFLOW_RUN_DIR=str(self.tree / ".run"))
        self.assertFalse((self.tree / "build").exists() or (self.tree / ".run").exists())
        self.assertTrue(program_path().exists())

    @shows("docker compose up -d --wait kafka registry", "docker compose up --build", "docker compose down -v",
           "docker compose ps", "docker compose exec kafka bash")
    def test_docker(self, services, everything, *others):
        """By the arguments that Docker documents, and by what docker-compose.yml says."""
        compose = yaml.safe_load((places.ROOT / "docker-compose.yml").read_text())
        for command in (services, everything, *others):
            wanted = docker().parse_args(shlex.split(command)[1:])
            self.assertLessEqual(set(getattr(wanted, "services", [])), set(compose["services"]), command)
        for name, port in (("kafka", "9092"), ("registry", "8081")):
            self.assertIn("test", compose["services"][name]["healthcheck"], "--wait waits for it")
            self.assertIn(f"127.0.0.1:{port}:{port}", compose["services"][name]["ports"])
        built = {name for name, service in compose["services"].items() if "build" in service}
        self.assertEqual(built, {"producer", "pipeline"})
        self.assertEqual(list(compose["volumes"]), ["kafka-data"], "what down -v removes")


def docker():
    """The part of Docker's command line that the README uses."""
    parser = argparse.ArgumentParser("docker")
    compose = parser.add_subparsers(required=True).add_parser("compose").add_subparsers(required=True)
    up = compose.add_parser("up")
    up.add_argument("-d", "--detach", action="store_true")
    up.add_argument("--wait", action="store_true")
    up.add_argument("--build", action="store_true")
    up.add_argument("services", nargs="*")
    compose.add_parser("down").add_argument("-v", "--volumes", action="store_true")
    compose.add_parser("ps").add_argument("services", nargs="*")
    inside = compose.add_parser("exec")
    inside.add_argument("services", nargs=1)
    inside.add_argument("command", nargs="+")
    return parser


def command_of(row):
    """The first command of a scenario."""
    return re.search(r"`([^`]+)`", row.split(" | ", 1)[1]).group(1)


def without_totals(row):
    """An order that comes back meets the others a little earlier or later, so sums under way may differ."""
    return re.sub(r"^(aggregated +).*", r"\1", row)


if __name__ == "__main__":
    main()
