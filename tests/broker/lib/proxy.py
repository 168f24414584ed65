"""A TCP proxy in front of a broker that does to connections what networks do.

    proxy = Proxy()                                         # listens at proxy.port, which the broker is to advertise
    kafka = self.own_kafka(settings=proxy.advertise(node))  # or any address in proxy.target
    proxy.plan = cut(range(4096))                           # one fault for each connection of the direct source

Only connections of the direct source are harmed: they say "orderflow" in ApiVersions, librdkafka says its own name.
A plan is an iterator: for each new connection of that kind it gives what happens to it, or None; when it is at its end,
nothing happens any more. Positions count the bytes from the broker on that connection.
"""
import random
import selectors
import socket
import threading
import time
from typing import NamedTuple

SOFTWARE = b"\x0aorderflow"     # a compact string; the client id before it has another kind of length


class Fault(NamedTuple):
    kind: str   # "cut", "garbage", "half-open", "slow"
    at: int     # bytes of the broker's that pass unharmed
    seed: int = 0


def each(kind, places):
    """One fault of that kind for every place."""
    return (Fault(kind, place, place) for place in places)


class Proxy:
    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.target = None
        self.plan = iter(())
        self.harmed = 0
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def advertise(self, target_port):
        """Settings for a broker that is reached through this proxy alone."""
        self.target = ("127.0.0.1", target_port)
        return {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}"}

    def close(self):
        self._closed = True
        self._listener.close()

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _next_fault(self):
        with self._lock:
            fault = next(self.plan, None)
            self.harmed += fault is not None
            return fault

    def _serve(self, client):
        try:
            broker = socket.create_connection(self.target, timeout=5)
        except OSError:
            client.close()
            return
        with client, broker:
            for one in (client, broker):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                first = client.recv(65536)
                fault = self._next_fault() if SOFTWARE in first else None
                broker.sendall(first)
                self._pump(client, broker, fault)
            except OSError:
                pass

    def _pump(self, client, broker, fault):
        passed, noise = 0, random.Random(fault.seed) if fault else None
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(broker, selectors.EVENT_READ)
            while not self._closed:
                for key, _ in selector.select(1):
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if key.fileobj is client:
                        broker.sendall(data)
                        continue
                    if fault and passed + len(data) > fault.at:
                        keep = max(0, fault.at - passed)
                        if fault.kind in ("cut", "half-open"):
                            client.sendall(data[:keep])
                            if fault.kind == "half-open":
                                self._hang(client)
                            return
                        if fault.kind == "garbage":
                            data = data[:keep] + noise.randbytes(len(data) - keep)
                    if fault and fault.kind == "slow":
                        for byte in range(0, len(data), 997):
                            client.sendall(data[byte:byte + 997])
                            time.sleep(0.003)
                    else:
                        client.sendall(data)
                    passed += len(data)

    def _hang(self, client):
        """Open, and silent, until the other side has had enough."""
        until = time.monotonic() + 60
        while not self._closed and time.monotonic() < until:
            client.settimeout(1)
            try:
                if not client.recv(65536):
                    return
            except TimeoutError:
                continue
