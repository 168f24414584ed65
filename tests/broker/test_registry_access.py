"""Who the program says it is to the registry, whom it trusts, and what of that can be seen."""
import pathlib
import ssl
import subprocess
import time

from lib import orders
from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow
from lib.orders import Order, encode
from lib.stub import Fault, StubRegistry

SECRET = "hush-hush-1234"


class Access(TestCase):
    def flow(self, url, count=10):
        flow = Flow(self, 1, registry_url=url)
        flow.schemas[1] = orders.SCHEMA
        flow.publish([Record.of(encode(1, Order(str(n), "Laptop", n / 2)), b"%d" % n, 0) for n in range(count)])
        return flow

    def count(self, url, *arguments, **options):
        flow = self.flow(url)
        with flow.run("--exit-at-end", *arguments, **options) as program:
            program.final(60)
        flow.check()
        return program

    def held(self, url, text, *arguments, **options):
        """Nothing is counted, for the reason given."""
        flow = self.flow(url)
        with flow.run(*arguments, **options) as program:
            program.wait_event(lambda event: event["event"] == "held" and text in event.get("detail", ""), 30)
            self.assertEqual(flow.settled(), 0)
            program.terminate()
            program.final(30)

    def said_to(self, stub):
        return {request.headers.get("Authorization") for request in stub.requests}

    # --- credentials ------------------------------------------------------------------------------------------------

    def test_a_password_from_the_environment_or_a_file(self):
        password = self.folder / "password"
        password.write_text(SECRET + "\n")
        for arguments, environment in (((), {"ORDERFLOW_REGISTRY_PASSWORD": SECRET}),
                                       (("--registry-password-file", password), {})):
            with StubRegistry({1: orders.SCHEMA}) as stub:
                self.count(stub.url, "--registry-user", "me", *arguments, environment=environment)
                self.assertEqual(self.said_to(stub), {"Basic bWU6aHVzaC1odXNoLTEyMzQ="})

    def test_a_token_that_is_renewed(self):
        token = self.folder / "token"
        token.write_text("old")
        with StubRegistry({1: orders.SCHEMA}) as stub:
            stub.misbehave(Fault(status=401))
            flow = self.flow(stub.url)
            with flow.run("--exit-at-end", "--registry-token-file", token) as program:
                program.wait_event(lambda event: event.get("cause") == "registry_denied", 30)
                stub.behave()
                token.write_text("new")
                program.final(60)
            self.assertEqual([request.headers["Authorization"] for request in stub.requests
                              if request.path.startswith("/schemas/ids/")], ["Bearer old", "Bearer new"])

    def test_secrets_are_seen_nowhere(self):
        for registry, arguments, environment in (
                ("http://{}", ("--registry-user", "me"), {"ORDERFLOW_REGISTRY_PASSWORD": SECRET}),
                ("http://{}", (), {"ORDERFLOW_REGISTRY_TOKEN": SECRET}),
                (f"http://me:{SECRET}@{{}}", (), {})):
            with StubRegistry({1: orders.SCHEMA}) as stub:
                stub.misbehave(Fault(status=403, body=b'{"error_code":40301,"message":"no"}'))
                flow = self.flow(registry.format(f"127.0.0.1:{stub.port}"))
                with flow.run("--log-level", "debug", *arguments, environment=environment) as program:
                    program.wait_event(lambda event: event.get("cause") == "registry_denied", 30)
                    listed = pathlib.Path(f"/proc/{program.child.pid}/cmdline").read_bytes()
                    program.terminate()
                    program.final(30)
                self.assertIn(SECRET if "user" not in arguments and "TOKEN" in str(environment) else "Basic",
                              str(self.said_to(stub)), "it was used")
                for name, text in (("arguments", listed), ("log", program.stderr().encode()),
                                   ("output", program.stdout_path.read_bytes())):
                    self.assertNotIn(SECRET.encode(), text, name)

    # --- TLS --------------------------------------------------------------------------------------------------------

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=self.folder, capture_output=True)

    def certificates(self):
        """An authority, and a server's and a client's certificate by it."""
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj",
                     "/CN=ca", "-days", "2")
        for name in ("server", "client"):
            (self.folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\n")
            self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj",
                         f"/CN={name}")
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                         "-out", f"{name}.pem", "-days", "2", "-extfile", "extensions")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        context.load_verify_locations(self.folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def test_both_sides_show_a_certificate(self):
        with StubRegistry({1: orders.SCHEMA}, tls=self.certificates()) as stub:
            ca = ("--registry-ca", self.folder / "ca.pem")
            mine = ("--registry-cert", self.folder / "client.pem", "--registry-key", self.folder / "client.key")
            self.count(stub.url, *ca, *mine)
            asked = len(stub.requests)
            self.held(stub.url, "is not trusted", *mine)
            self.held(stub.url, "schema registry at", *ca)
            self.assertEqual(len(stub.requests), asked)

    # --- several registries, and none -------------------------------------------------------------------------------

    def test_the_next_one_is_asked_when_one_does_not_answer(self):
        with StubRegistry({1: orders.SCHEMA}) as dead, StubRegistry({1: orders.SCHEMA}) as good:
            dead.stop()
            self.count(f"{dead.url},{good.url}")
            self.assertEqual(good.count("/schemas/ids/1"), 1)

    def test_a_directory_does_without_a_registry_after_a_restart(self):
        with StubRegistry({1: orders.SCHEMA}) as stub:
            kept = ("--registry-cache-dir", self.folder / "schemas")
            self.count(stub.url, *kept)
            stub.stop()
            self.count(stub.url, *kept)
            self.assertEqual(stub.count("/schemas/ids/"), 1)
            kinds = sorted(path.name.split("-")[0] for path in (self.folder / "schemas").iterdir())
            self.assertEqual(kinds, ["aggregates", "id"])

    def test_a_slow_registry_delays_for_its_timeout_only(self):
        with StubRegistry({1: orders.SCHEMA}) as stub:
            stub.misbehave(Fault(delay_s=30, then_behave=True), times=1)
            began = time.monotonic()
            self.count(stub.url, "--registry-timeout-ms", 500)
            self.assertLess(time.monotonic() - began, 20)


if __name__ == "__main__":
    main()
