"""`orderflow doctor`: what it says when all is well, and when one thing is not."""
import json
import re
import signal
import socket
import subprocess

from lib import broker, places, process
from lib.environment import TestCase, main
from lib.flow import Flow
from lib.orderflow import program_path

import kafka.admin      # noqa: E402, after lib, which fetches it

JAAS = "org.apache.kafka.common.security.plain.PlainLoginModule required "


class Doctor(TestCase):
    def ask(self, flow, *arguments, brokers=None, registry_url=None, lines=False):
        """Exit status and answer of one run of it, against this flow's topics."""
        command = [program_path(), "doctor", "--brokers", brokers or flow.client.bootstrap, "--registry",
                   registry_url or self.registry_url, "--topic", flow.topic, "--retry-topic", flow.retry, "--dlq-topic",
                   flow.dlq, "--aggregates-topic", flow.aggregates, "--group", flow.settings.group,
                   *([] if lines else ["--json"]), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=280)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, done.stdout if lines else json.loads(done.stdout)

    def await_answer(self, flow, fits, what, *arguments, **options):
        """The first answer that fits(status, answer). Asked again for a while, as a machine under load may let an answer
        take longer than the doctor waits."""
        last = []

        def asked():
            last[:] = self.ask(flow, *arguments, **options)
            return fits(*last)
        try:
            self.wait_until(asked, 200, what)
        except process.Timeout:
            print(json.dumps(last, indent=1), flush=True)
            raise
        return last[1]

    def expect(self, flow, status, verdict, check, says, *arguments, first=True, **options):
        """It ends with that status, and a check that begins so has that verdict and says so. Returns the whole answer."""
        def said(ended, answer):
            found = [row for row in answer["checks"] if row["check"].startswith(check) and row["verdict"] == verdict
                     and says in row["text"]]
            return ended == status and found and (
                not first or (answer["fix_first"] or {}).get("check", "").startswith(check))
        return self.await_answer(flow, said, f"{verdict} {check}: {says}", *arguments, **options)

    def ready_flow(self):
        """One whose topics and schema are there, as a run leaves them."""
        flow = Flow(self)
        flow.publish_orders(30)
        with flow.run("--exit-at-end") as program:
            program.final(120)
        return flow


class Surroundings(Doctor):
    def test_all_is_well(self):
        flow = self.ready_flow()
        wanted = {f"topic {flow.topic}", f"topic {flow.retry}", f"topic {flow.dlq}", f"topic {flow.aggregates}",
                  "registry", f"schema {flow.topic}-value", "permissions", "versions", "group", "source", "open files"}

        def well(status, answer):
            good = {row["check"] for row in answer["checks"] if row["verdict"] == "ok"}
            return status == 0 and answer["healthy"] and wanted <= good
        answer = self.await_answer(flow, well, "all is well")
        group, = (row for row in answer["checks"] if row["check"] == "group")
        self.assertIn("0 orders behind in 3 partitions", group["text"])

    def test_a_schema_without_the_wanted_field(self):
        flow = self.ready_flow()
        answer = self.expect(flow, 1, "fail", f"schema {flow.topic}-value", "cannot be read", "--value-field", "weight")
        self.assertIn("--value-field", answer["fix_first"]["remedy"])
        self.await_answer(flow, lambda status, text: status == 1 and re.search(
            r"(?m)^fail  schema .*  — name other fields with --value-field", text) and re.search(r"(?m)^fix first: ", text),
                          "lines for people", "--value-field", "weight", lines=True)

    def test_a_broker_that_is_down(self):
        flow, port = Flow(self), process.free_port()
        answer = self.expect(flow, 1, "fail", "broker 127.0.0.1:", "TCP fails", brokers=f"127.0.0.1:{port}")
        self.assertIn("start it", answer["fix_first"]["remedy"])
        for check in ("topics", "permissions", "group"):
            self.assertEqual([row["verdict"] for row in answer["checks"] if row["check"] == check], ["skip"])
        self.expect(flow, 0, "warn", "broker 127.0.0.1:", "TCP fails", first=False,
                    brokers=f"127.0.0.1:{port},{self.bootstrap}")
        self.expect(flow, 1, "fail", "broker no-such-host.invalid:9092", "resolving its name fails",
                    brokers="no-such-host.invalid:9092")

    def test_a_broker_that_speaks_something_else(self):
        flow = Flow(self)
        self.expect(flow, 1, "fail", "broker ", "TLS fails", "-X", "security.protocol=ssl")
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.expect(flow, 1, "fail", "broker 127.0.0.1:", "ApiVersions fails: no answer",
                        brokers=f"127.0.0.1:{silent.getsockname()[1]}")

    def test_a_registry_that_is_down(self):
        flow = self.ready_flow()
        answer = self.expect(flow, 1, "fail", "registry", "cannot reach",
                             registry_url=f"http://127.0.0.1:{process.free_port()}")
        self.assertEqual([row["verdict"] for row in answer["checks"] if row["check"] == "clock"], ["skip"])

    def test_topics_that_are_missing(self):
        flow = Flow(self)
        self.expect(flow, 0, "ok", f"topic {flow.aggregates}", "run creates it with 3 partitions", first=False)
        answer = self.expect(flow, 1, "fail", f"topic {flow.retry}", "does not exist", "--no-create-topics")
        self.assertIn("create it with 3 partitions", answer["fix_first"]["remedy"])
        self.assertNotIn(flow.retry, flow.client.topics(), "looking creates nothing")
        flow.topic = self.unique("nowhere")
        self.expect(flow, 1, "fail", f"topic {flow.topic}", "does not exist", "--no-create-topics")

    def test_topics_with_settings_that_lose_records(self):
        flow = Flow(self)
        flow.client.create_topic(flow.aggregates, 2, cleanup_policy="delete")
        flow.client.create_topic(flow.retry, 3, retention_ms=60000, max_message_bytes=1000)
        flow.client.create_topic(flow.dlq, 1, cleanup_policy="compact")
        wanted = ((flow.aggregates, "fail", "cleanup.policy is delete"),
                  (flow.aggregates, "warn", "2 partitions, and 3 are needed"),
                  (flow.retry, "warn", "retention.ms is 60000"), (flow.retry, "warn", "max.message.bytes is 1000"),
                  (flow.dlq, "fail", "cleanup.policy is compact"), (flow.dlq, "warn", "several share one"))

        def told(status, answer):
            return status == 1 and all(any(row["check"] == f"topic {topic}" and row["verdict"] == verdict and
                                           says in row["text"] for row in answer["checks"])
                                       for topic, verdict, says in wanted)
        answer = self.await_answer(flow, told, "all of it is told")
        self.assertEqual(answer["fix_first"]["check"], f"topic {flow.dlq}", "the first of what fails")

    def test_a_run_says_which_record_is_stuck_and_why(self):
        flow = Flow(self)
        flow.publish_orders(9)
        with flow.run(registry_url=f"http://127.0.0.1:{process.free_port()}") as program:
            program.wait_event("held", 120)

            def told():
                process.send(program.child, signal.SIGUSR1)
                text = program.stderr_path.read_text()
                return all(re.search(pattern, text, re.M) for pattern in (
                    rf"^  {flow.topic} \d is held at offset 0 since .*\(registry_unavailable\)$",
                    r"^  .* held at 0, registry_unavailable: ", r"^thread publish-0$", r"publish\[0\] +fetch\[0\]"))
            self.wait_until(told, 120, "the state")
            self.assertRegex(program.stderr_path.read_text(), rf"warning fetch: held: .* stage=decode topic={flow.topic} "
                             r"partition=\d offset=0 cause=registry_unavailable")

    def test_a_port_that_is_taken(self):
        flow = Flow(self)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.expect(flow, 0, "warn", "health port", "", "--http", taken.getsockname()[1], first=False)

    def test_a_token_that_is_not_there(self):
        flow = Flow(self)
        secret = self.folder / "token"
        arguments = "--http", process.free_port(), "--http-token-file", secret
        self.expect(flow, 1, "fail", "health token", "cannot read", *arguments, first=False)
        secret.write_text("\n")
        self.expect(flow, 1, "fail", "health token", "no token in the first line", *arguments, first=False)
        secret.write_text("open sesame\n")
        self.expect(flow, 0, "ok", "health token", "", *arguments, first=False)


class Access(Doctor):
    """A broker that wants to know who asks, and what they may do."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kafka = broker.Kafka(places.fresh(places.RUN / "tests" / "test_doctor.kafka"))
        node, cls.sasl = cls.kafka.nodes[0], process.free_port()
        listeners = f"PLAINTEXT://127.0.0.1:{node.port},SASL://127.0.0.1:{cls.sasl}"
        cls.kafka.settings = {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{node.controller_port}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": JAAS + 'user_alice="alice-secret";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        cls.kafka.start()
        cls.addClassCleanup(cls.kafka.kill)

    def setUp(self):
        super().setUp()
        self.flow = Flow(self, client=self.client_of(self.kafka))
        for topic, settings in ((self.flow.retry, {}), (self.flow.dlq, {}),
                                (self.flow.aggregates, {"cleanup_policy": "compact"})):
            self.flow.client.create_topic(topic, 3, **settings)

    def as_alice(self, status, verdict, check, says, password="alice-secret", **options):
        return self.expect(self.flow, status, verdict, check, says, "-X", "security.protocol=sasl_plaintext",
                           "-X", "sasl.mechanism=PLAIN", "-X", "sasl.username=alice", "-X", f"sasl.password={password}",
                           brokers=f"127.0.0.1:{self.sasl}", **options)

    def allow(self, kind, name, *operations):
        pattern = kafka.admin.ResourcePattern(kind, name)
        rules = [kafka.admin.ACL("User:alice", "*", operation, kafka.admin.ACLPermissionType.ALLOW, pattern)
                 for operation in operations]
        self.flow.client.ask(lambda admin: admin.create_acls(rules))

    def test_a_wrong_password(self):
        answer = self.as_alice(1, "fail", "broker ", "SASL fails", password="guessed")
        self.assertIn("sasl.password", answer["fix_first"]["remedy"])
        self.assertNotIn("guessed", json.dumps(answer))

    def test_permissions_are_asked_for_one_by_one(self):
        flow, operation = self.flow, kafka.admin.ACLOperation
        topic, group = kafka.admin.ResourceType.TOPIC, kafka.admin.ResourceType.GROUP
        self.as_alice(1, "fail", f"permissions {flow.retry}", "may not even know", first=False)
        for name in (flow.topic, flow.retry, flow.dlq, flow.aggregates):
            self.allow(topic, name, operation.READ, operation.DESCRIBE_CONFIGS)
        self.as_alice(1, "fail", f"permissions {flow.retry}", "may not Write it", first=False)
        self.as_alice(1, "fail", "group", "", first=False)
        for name in (flow.retry, flow.dlq, flow.aggregates):
            self.allow(topic, name, operation.WRITE)
        self.allow(group, flow.settings.group, operation.READ)
        self.as_alice(0, "ok", "permissions", "may be read and written", first=False)


if __name__ == "__main__":
    main()
