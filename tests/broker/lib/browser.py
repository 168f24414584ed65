"""A real browser without a window, spoken to in the DevTools protocol: Chromium, which `./dev setup` installs.

    with Browser(folder) as browser:
        browser.open("http://127.0.0.1:8080/")
        browser.wait_for("document.querySelector('#orders')", 30)
        print(browser.value("document.title"))
        browser.requests        # the addresses of all that it asked for

The protocol is JSON over a WebSocket, of which this needs so little that a package would be more.
"""
import base64
import json
import os
import pathlib
import shutil
import socket
import struct
import time
import urllib.request

from lib import fetch, process

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def chromium():
    """The program; raises Missing."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    raise fetch.Missing("no chromium on PATH: ./dev setup")


class Socket:
    """The client's side of a WebSocket."""

    def __init__(self, url, seconds=60):
        host, _, path = url.removeprefix("ws://").partition("/")
        name, port = host.split(":")
        self.socket = socket.create_connection((name, int(port)), seconds)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.stream = self.socket.makefile("rb")
        assert b" 101 " in self.stream.readline()
        while self.stream.readline() not in (b"\r\n", b""):
            pass

    def send(self, text, kind=TEXT):
        data, mask = text.encode(), os.urandom(4)
        size = len(data)
        head = bytes([0x80 | kind]) + (bytes([0x80 | size]) if size < 126 else
                                       struct.pack(">BH", 0x80 | 126, size) if size < 65536 else
                                       struct.pack(">BQ", 0x80 | 127, size))
        self.socket.sendall(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    def receive(self, seconds):
        """The next message; a TimeoutError when there is none."""
        self.socket.settimeout(seconds)
        text = b""
        while True:
            first, second = self.stream.read(2)
            size = second & 0x7F
            if size == 126:
                size, = struct.unpack(">H", self.stream.read(2))
            elif size == 127:
                size, = struct.unpack(">Q", self.stream.read(8))
            data, kind = self.stream.read(size), first & 0x0F
            if kind == CLOSE:
                raise ConnectionError("the browser closed the connection")
            if kind == PING:
                self.send(data.decode(), PONG)
                continue
            text += data
            if first & 0x80:
                return text.decode()

    def close(self):
        self.stream.close()
        self.socket.close()


class Browser:
    def __init__(self, folder, width=1280, height=900):
        self.folder = pathlib.Path(folder) / "browser"
        self.size = width, height
        self.messages = 0
        self.requests = []      # addresses
        self.complaints = []    # of the page's policy, and errors of its script

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.log = open(self.folder / "log", "wb")
        self.child = process.spawn(
            [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-sync",
             "--disable-component-update", "--hide-scrollbars", "--remote-debugging-port=0",
             f"--user-data-dir={self.folder / 'profile'}", "about:blank"], stdout=self.log, stderr=self.log)
        try:
            self._connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        process.kill(self.child)
        self.log.close()
        shutil.rmtree(self.folder / "profile", ignore_errors=True)

    def _connect(self):
        port_file = self.folder / "profile" / "DevToolsActivePort"
        process.wait_until(lambda: port_file.exists() and port_file.read_text().count("\n"), 120, "the browser listens")
        port = port_file.read_text().split("\n")[0]
        pages = process.wait_until(lambda: self._pages(port), 30, "the browser has a page")
        self.socket = Socket(pages[0]["webSocketDebuggerUrl"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(*self.size)

    @staticmethod
    def _pages(port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            return [page for page in json.load(answer) if page["type"] == "page"]

    def call(self, method, **arguments):
        """The protocol's method, and its result."""
        self.messages += 1
        number = self.messages
        self.socket.send(json.dumps({"id": number, "method": method, "params": arguments}))
        deadline = time.monotonic() + 120
        while True:
            message = json.loads(self.socket.receive(max(0.1, deadline - time.monotonic())))
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self._take(message)

    def _take(self, event):
        method, details = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(details["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Log.entryAdded" and details["entry"]["source"] in ("security", "violation"):
            self.complaints.append(details["entry"]["text"])

    # --- what a person does -----------------------------------------------------------------------------------------

    def resize(self, width, height, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def dark(self, dark=True):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def value(self, expression):
        """Of an expression in the page, as JSON has it."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, expression, seconds):
        return process.wait_until(lambda: self.value(expression), seconds, expression)

    def text(self, selector):
        return self.value(f"document.querySelector({json.dumps(selector)}).textContent")

    def rows(self, selector):
        """The cells of a table's body."""
        return self.value(f"[...document.querySelectorAll({json.dumps(selector + ' tbody tr')})]"
                          ".map(row => [...row.cells].map(cell => cell.textContent))")

    def picture(self, path, whole=True):
        """A screenshot as PNG; of the whole page, or of what fits the window."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                          **({"clip": self._whole()} if whole else {}))
        pathlib.Path(path).write_bytes(base64.b64decode(found["data"]))

    def _whole(self):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
