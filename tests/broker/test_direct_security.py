"""The direct source over TLS and SASL, against a real broker: who may read reads the same, who may not is told why."""
import re

from lib import broker, places, process
from lib.certificates import Authority
from lib.client import Client
from lib.environment import TestCase, main
from lib.flow import Flow
from test_records import run

USERS = {"PLAIN": "alice", "SCRAM-SHA-256": "bob", "SCRAM-SHA-512": "carol"}
JAAS = "org.apache.kafka.common.security."


class Secured(TestCase):
    """A broker that can be reached in four ways, and the whole of the pipeline over any of them."""

    VERSION = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = places.fresh(places.RUN / "tests" / f"test_direct_security.{cls.__name__}")
        cls.authority = Authority(folder.parent / "test_direct_security.certificates")
        cls.kafka = broker.Kafka(folder, version=cls.VERSION)
        node = cls.kafka.nodes[0]
        cls.tls, cls.sasl_tls, cls.sasl = (process.free_port() for _ in range(3))
        ways = [("PLAINTEXT", f"127.0.0.1:{node.port}", "PLAINTEXT"), ("TLS", f"localhost:{cls.tls}", "SSL"),
                ("SASLTLS", f"localhost:{cls.sasl_tls}", "SASL_SSL"), ("SASL", f"localhost:{cls.sasl}", "SASL_PLAINTEXT")]
        listeners = ",".join(f"{name}://{at}" for name, at, _ in ways)
        cls.kafka.users = {name: (mechanism, f"{name}-secret") for mechanism, name in USERS.items()
                           if mechanism != "PLAIN"}
        cls.kafka.settings = {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{node.controller_port}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, _, kind in ways)
            + ",CONTROLLER:PLAINTEXT",
            "ssl.keystore.type": "PEM", "ssl.keystore.location": cls.authority.store("broker", "DNS:localhost"),
            "ssl.truststore.type": "PEM", "ssl.truststore.location": cls.authority.certificate,
            "listener.name.tls.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        }
        for way in ("sasltls", "sasl"):
            cls.kafka.settings.update({
                f"listener.name.{way}.plain.sasl.jaas.config":
                    JAAS + 'plain.PlainLoginModule required user_alice="alice-secret";',
                f"listener.name.{way}.scram-sha-256.sasl.jaas.config": JAAS + "scram.ScramLoginModule required;",
                f"listener.name.{way}.scram-sha-512.sasl.jaas.config": JAAS + "scram.ScramLoginModule required;",
            })
        cls.kafka.start()
        cls.addClassCleanup(cls.kafka.kill)
        cls.ca = f"ssl.ca.location={cls.authority.certificate}"

    @staticmethod
    def user(mechanism, password=None, protocol="sasl_ssl"):
        name = USERS[mechanism]
        return [f"security.protocol={protocol}", f"sasl.mechanism={mechanism}", f"sasl.username={name}",
                f"sasl.password={password or name + '-secret'}"]

    def pipeline(self, port, *properties):
        """All of it that way: the member, its producer, what restores, and the direct source, exactly once."""
        flow = Flow(self, 3, client=self.client_of(self.kafka), failure_rate=0.3, max_retries=2)
        flow.publish_orders(600)
        options = [word for value in properties for word in ("-X", value)]
        for _ in range(2):      # the second begins with what the first has recorded
            with flow.run("--exit-at-end", *options, brokers=f"localhost:{port}") as program:
                program.final(120)
            self.assertIn("source: direct, as nothing speaks against it", program.stderr(100))
            self.assertEqual(program.of_kind("started")[0]["guarantee"], "exactly-once")
            if not flow.settled() > 600:
                flow.publish_orders(300, seed=2, first_id=5001)
        flow.check()
        self.assertGreater(len(flow.events("retry")), 100)
        self.assertGreater(len(flow.events("dead_letter")), 5)


class Scram(Secured):
    """The last Kafka that takes the nonce of librdkafka before 2.6.1, which is the member and the producer."""

    VERSION = "3.7.1"

    def test_the_pipeline_by_scram(self):
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            with self.subTest(mechanism):
                self.pipeline(self.sasl_tls, self.ca, *self.user(mechanism))


class Security(Secured):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stranger = Authority(places.RUN / "tests" / "test_direct_security.certificates", "stranger")
        client = Client(cls.kafka.bootstrap)
        cls.topic, cls.empty = "orders", "orders-retry"
        client.create_topic(cls.topic, 1, **{"max.message.bytes": 8000000, "retention.ms": -1})
        client.create_topic(cls.empty, 1)
        client.close()
        run("fill", cls.kafka.bootstrap, cls.topic, 1)
        cls.expected = run("look", cls.kafka.bootstrap, cls.topic)
        certificate, key = cls.authority.sign("client", "DNS:client")
        cls.client_certificate = [f"ssl.certificate.location={certificate}", f"ssl.key.location={key}"]

    def look(self, port, *properties, host="localhost", patience_ms=30000):
        return run("look", f"{host}:{port}", self.topic, *properties, patience_ms=patience_ms)

    def refused(self, why, port, *properties, **options):
        """A broker that has just started may take longer over its first handshake."""
        wanted = f"(?m)^6 Kafka: .*{why}"
        for patience_ms in (2000, 20000):
            with self.assertRaises(AssertionError) as caught:
                self.look(port, *properties, patience_ms=patience_ms, **options)
            if re.search(wanted, str(caught.exception)):
                break
        self.assertRegex(str(caught.exception), wanted)

    def test_tls_with_a_client_certificate(self):
        self.assertEqual(self.look(self.tls, "security.protocol=ssl", self.ca, *self.client_certificate), self.expected)

    def test_every_mechanism(self):
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            with self.subTest(mechanism):
                self.assertEqual(self.look(self.sasl_tls, self.ca, *self.user(mechanism)), self.expected)
        self.assertEqual(self.look(self.sasl, *self.user("SCRAM-SHA-256", protocol="sasl_plaintext")), self.expected)

    def test_the_whole_source(self):
        """By PLAIN: the nonce of librdkafka before 2.6.1, which is the member, is refused by brokers from 3.7.2 on."""
        wanted = sorted(run("read", "direct", self.kafka.bootstrap, "plain", self.topic, self.empty).splitlines())
        got = run("read", "direct", f"localhost:{self.sasl_tls}", "secured", self.topic, self.empty, self.ca,
                  *self.user("PLAIN"), patience_ms=60000)
        self.assertTrue(sorted(got.splitlines()) == wanted)
        self.assertGreater(len(wanted), 500000)

    def test_the_pipeline_over_tls_with_a_client_certificate(self):
        self.pipeline(self.tls, "security.protocol=ssl", self.ca, *self.client_certificate)

    def test_the_pipeline_over_sasl_and_tls(self):
        self.pipeline(self.sasl_tls, self.ca, *self.user("PLAIN"))

    def test_a_client_without_certificate_is_told(self):
        self.refused("alert (bad certificate|certificate required)", self.tls, "security.protocol=ssl", self.ca)

    def test_a_wrong_password(self):
        for mechanism in ("PLAIN", "SCRAM-SHA-512"):
            self.refused(f"refuses user {USERS[mechanism]}", self.sasl_tls, self.ca, *self.user(mechanism, "wrong"))

    def test_an_unknown_authority(self):
        self.refused("certificate is refused", self.sasl_tls, f"ssl.ca.location={self.stranger.certificate}",
                     *self.user("PLAIN"))

    def test_another_host(self):
        self.refused("certificate is refused", self.sasl_tls, self.ca, *self.user("PLAIN"), host="127.0.0.1")


if __name__ == "__main__":
    main()
