"""Apicurio Registry, which serves Confluent's API below /apis/ccompat/v7, and a client of that API."""
import base64
import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from lib import fetch, process

PATH = "/apis/ccompat/v7"
START_SECONDS = 90


class Registry:
    """In memory, or, given a folder to keep them in, with schemas and ids that survive a restart."""

    def __init__(self, folder, port=None, keep=False):
        self.folder = pathlib.Path(folder)
        self.port = port or process.free_port()
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        self.keep = keep
        self.log = self.folder / "log"
        self.child = None
        self.client = RegistryClient(self.url)

    def start(self, wait=True):
        assert not self.running(), "the registry runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        java, _ = fetch.java()
        # The second port is health and metrics, which would otherwise listen on all addresses at 9000.
        properties = {"quarkus.http.host": "127.0.0.1", "quarkus.http.port": self.port,
                      "quarkus.management.host": "127.0.0.1", "quarkus.management.port": process.free_port(),
                      "quarkus.http.access-log.enabled": "false", "quarkus.log.level": "WARN"}
        variables = dict(os.environ)
        if self.keep:
            # Written at once: by default what was registered in the last second is lost with the process.
            url = f"jdbc:h2:file:{self.folder}/schemas;DB_CLOSE_ON_EXIT=FALSE;WRITE_DELAY=0"
            variables |= {"REGISTRY_DATASOURCE_URL": url,       # 2.x
                          "APICURIO_STORAGE_KIND": "sql", "APICURIO_STORAGE_SQL_KIND": "h2",
                          "APICURIO_DATASOURCE_URL": url}       # 3.x
        command = [java, "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                   *(f"-D{name}={value}" for name, value in properties.items()), "-jar", fetch.registry()]
        with open(self.log, "ab") as log:
            self.child = process.spawn(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                                       env=variables)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=START_SECONDS):
        def ready():
            if not self.running():
                raise RuntimeError(f"the registry ended at start\n{process.tail(self.log)}see {self.log}")
            return self.client.answers()
        process.wait_until(ready, seconds, f"the registry answers (log {self.log})")

    def running(self):
        return self.child is not None and self.child.poll() is None

    def stop(self):
        if self.child is not None:
            process.stop(self.child)
            self.child = None

    def kill(self):
        if self.child is not None:
            process.kill(self.child)
            self.child = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


class RegistryError(Exception):
    def __init__(self, status, body):
        super().__init__(f"the registry answers {status}: {body!r}")
        self.status = status
        try:
            self.code = json.loads(body).get("error_code")
        except (ValueError, AttributeError):
            self.code = None


class RegistryClient:
    """The few calls that tests need; schemas are texts or what json.dumps makes texts of."""

    def __init__(self, url, user=None, seconds=10):
        self.url = url.rstrip("/")
        self.seconds = seconds
        self.headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        if user:
            self.headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()

    def register(self, subject, schema):
        """Returns the schema's id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self.call("POST", f"/subjects/{urllib.parse.quote(subject, safe='')}/versions", {"schema": text})["id"]

    def schema(self, number):
        """Returns the schema of an id, parsed."""
        return json.loads(self.call("GET", f"/schemas/ids/{number}")["schema"])

    def latest(self, subject):
        return self.call("GET", f"/subjects/{urllib.parse.quote(subject, safe='')}/versions/latest")

    def subjects(self):
        return self.call("GET", "/subjects")

    def answers(self):
        try:
            self.subjects()
            return True
        except (RegistryError, OSError, ValueError):
            return False

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self.headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self.seconds) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RegistryError(error.code, error.read()) from None
