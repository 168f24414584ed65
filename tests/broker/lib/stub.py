"""A schema registry that misbehaves on command: for faults only, beside the real one.

    with StubRegistry({1: ORDER_SCHEMA}) as stub:         # or upstream=registry.url, for the ids it does not know
        stub.misbehave(Fault(status=503), times=2)        # the next two requests
        stub.misbehave(Fault(delay_s=5), path="/schemas/ids/7")    # until stub.behave()
        stub.stop(); stub.start()                         # connections refused in between, same port
        stub.behave()
        # Without an upstream it also takes schemas, and gives each an id and a GUID, which the real one does not.
        stub.requests                                     # all that arrived
"""
import dataclasses
import http.server
import json
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid

from lib import process


@dataclasses.dataclass
class Fault:
    """What happens to a request. Fields combine; close means that the connection ends in place of an answer."""
    status: int = 200
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    delay_s: float = 0          # before the answer
    close: bool = False
    repeat: int = 1             # so many times the body, without ever holding it
    truncate: bool = False      # promises twice the bytes that it sends, then closes
    then_behave: bool = False   # after the delay, the right answer
    every: int = 1              # only each so manieth request, beginning with the first


@dataclasses.dataclass
class Request:
    monotonic_s: float
    method: str
    path: str
    headers: dict
    body: bytes


class StubRegistry:
    def __init__(self, schemas=None, upstream=None, tls=None):
        """schemas: {id: text or object}. Unknown ids are 404 with error_code 40403 unless there is an upstream.

        tls: an ssl.SSLContext, for https."""
        self.schemas = dict(schemas or {})
        self.upstream = upstream.rstrip("/") if upstream else None
        self.port = process.free_port()
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.requests = []
        self.guids = {}        # guid: id
        self._faults = []      # [fault, path, times left or None]; the oldest that fits is taken
        self._lock = threading.Lock()
        self._server = None

    def misbehave(self, fault, path="", times=None):
        """Applies to requests whose path starts with `path`; for so many of them, or until behave()."""
        with self._lock:
            self._faults.append([fault, path, times, 0])

    def behave(self):
        with self._lock:
            self._faults.clear()

    def count(self, path=""):
        with self._lock:
            return sum(request.path.startswith(path) for request in self.requests)

    def start(self):
        stub = self

        class Handler(_Handler):
            registry = stub

        self._server = _Server(("127.0.0.1", self.port), Handler)
        if self.tls:
            # The handshake belongs to the connection's own thread: a client that fails it must not stop the others.
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True,
                                                       do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        """Refuses connections, and ends those that are open."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.drop_connections()
            self._server = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def take(self, request):
        """Notes the request and returns the fault that applies to it, or None."""
        with self._lock:
            self.requests.append(request)
            for entry in self._faults:
                fault, path, times, seen = entry
                if request.path.startswith(path):
                    entry[3] += 1
                    if seen % fault.every:
                        continue
                    if times is not None:
                        entry[2] -= 1
                        if entry[2] == 0:
                            self._faults.remove(entry)
                    return fault
        return None

    def answer(self, request):
        """(status, body) of a registry that behaves."""
        if request.method == "GET" and request.path.startswith("/schemas/ids/"):
            schema = self.schemas.get(int(request.path.split("/")[3].split("?")[0]))
            if schema is not None:
                text = schema if isinstance(schema, str) else json.dumps(schema)
                return 200, json.dumps({"schema": text}).encode()
        if self.upstream:
            return self._forward(request)
        if request.method == "GET" and request.path.startswith("/schemas/guids/"):
            number = self.guids.get(request.path.split("/")[3].split("?")[0])
            if number is not None:
                return 200, json.dumps({"schema": self.schemas[number], "id": number}).encode()
        if request.method == "POST" and request.path.split("?")[0].endswith("/versions"):
            return 200, json.dumps(self.register(json.loads(request.body)["schema"])).encode()
        return 404, json.dumps({"error_code": 40403, "message": "Schema not found"}).encode()

    def register(self, text):
        """{"id", "guid"} of a schema, as Confluent's registry answers."""
        guid = str(uuid.uuid5(uuid.NAMESPACE_OID, text))
        with self._lock:
            number = self.guids.setdefault(guid, max(self.schemas, default=0) + 1)
            self.schemas[number] = text
        return {"id": number, "guid": guid, "version": 1, "subject": "any", "schema": text}

    def _forward(self, request):
        headers = {name: request.headers[name] for name in ("Content-Type", "Authorization") if name in request.headers}
        ask = urllib.request.Request(self.upstream + request.path, request.body or None, headers, method=request.method)
        try:
            with urllib.request.urlopen(ask, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            return 502, str(error).encode()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *arguments):
        self.open = set()
        super().__init__(*arguments)

    def get_request(self):
        connection, address = super().get_request()
        self.open.add(connection)
        return connection, address

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self):
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request, client_address):
        pass    # clients that went away are what these tests are about


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry = None

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(time.monotonic(), self.command, self.path, dict(self.headers), body)
        fault = self.registry.take(request)
        if fault is None:
            self._send(*self.registry.answer(request))
            return
        time.sleep(fault.delay_s)
        if fault.close:
            self.close_connection = True
        elif fault.then_behave:
            self._send(*self.registry.answer(request))
        else:
            self._send(fault.status, fault.body, fault.headers, fault.truncate, fault.repeat)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _send(self, status, body, headers=None, truncate=False, repeat=1):
        self.send_response(status)
        for name, value in {"Content-Type": "application/vnd.schemaregistry.v1+json", **(headers or {})}.items():
            self.send_header(name, value)
        length = len(body) * repeat
        self.send_header("Content-Length", str(length * 2 + 1 if truncate else length))
        self.end_headers()
        for _ in range(repeat):
            self.wfile.write(body)
        self.close_connection = self.close_connection or truncate

    def log_message(self, *_):
        pass
