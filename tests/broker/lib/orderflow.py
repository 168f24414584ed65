"""The program under test as a process, its events read as they come.

    with Orderflow("run", "--brokers", kafka.bootstrap, "--console", "json", folder=logs) as program:
        program.wait_event(lambda event: event["event"] == "order", seconds=30)
        program.terminate()
        final = program.final(seconds=30)       # the last event, after exit status 0
"""
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

from lib import places, process


def program_path():
    """ORDERFLOW_PROGRAM, which CTest sets, else what ./dev build made."""
    given = os.environ.get("ORDERFLOW_PROGRAM")
    if given:
        return pathlib.Path(given)
    for name in ("src/orderflow", "orderflow"):
        found = places.ROOT / "build" / "dev" / name
        if found.exists():
            return found
    raise FileNotFoundError("the program is not built: ./dev build")


class Orderflow:
    """Standard output is split into events (JSON objects) and lines (anything else); standard error goes to a file."""

    def __init__(self, *arguments, folder, name="orderflow", environment=None, stdin=None):
        self.arguments = [str(argument) for argument in arguments]
        self.folder = pathlib.Path(folder)
        self.name = name
        plain = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
        source = os.environ.get("ORDERFLOW_SOURCE") if self.arguments[:1] == ["run"] else None
        self.environment = {**plain, **({"ORDERFLOW_SOURCE": source} if source else {}), **(environment or {})}
        self.stdin = stdin              # bytes for its standard input
        self.events = []                # under _changed, as are lines
        self.lines = []
        self._changed = threading.Condition()
        self._closed = False
        self._bad = None                # why its output could not be read
        self.child = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stderr_path = self.folder / f"{self.name}.err"
        self.stdout_path = self.folder / f"{self.name}.out"
        options = {}
        if self.stdin is not None:
            path = self.folder / f"{self.name}.in"
            path.write_bytes(self.stdin)
            options["stdin"] = open(path, "rb")
        with open(self.stderr_path, "wb") as errors:
            self.child = process.spawn([program_path(), *self.arguments], stdout=subprocess.PIPE, stderr=errors,
                                       env=self.environment, **options)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if self.child is not None:
            process.kill(self.child)
            self._reader.join(10)
        if kind is not None:
            print(f"{self.name}: arguments {' '.join(self.arguments)}\n{self.name}: output {self.stdout_path}, "
                  f"end of {self.stderr_path}:\n{self.stderr()}", flush=True)

    def _read(self):
        with open(self.stdout_path, "wb") as copy, self.child.stdout as stream:
            for line in stream:
                copy.write(line)
                try:
                    self._take(line)
                except ValueError as error:     # neither UTF-8 nor JSON: the program's fault
                    self._bad = self._bad or f"{error} in {line!r}"
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self, line):
        text = line.decode().rstrip("\n")
        with self._changed:
            if text.startswith("{"):
                self.events.append(json.loads(text))
            else:
                self.lines.append(text)
            self._changed.notify_all()

    # --- waiting ----------------------------------------------------------------------------------------------------

    def wait_event(self, fits, seconds, after=0):
        """The first event from index `after` on that fits, as soon as it comes. fits: a predicate, or a kind."""
        kind = fits
        if not callable(fits):
            def fits(event):
                return event.get("event") == kind
        deadline = time.monotonic() + seconds
        seen = after
        with self._changed:
            while True:
                for event in self.events[seen:]:
                    if fits(event):
                        return event
                seen = max(seen, len(self.events))
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    why = "its output ended" if self._closed else f"not within {seconds:g} s"
                    raise process.Timeout(f"{self.name}: event {kind}: {why}\n{self.stderr()}")
                self._changed.wait(left)

    def wait(self, seconds):
        """Exit status, all output read; killed and a Timeout when it takes longer."""
        try:
            status = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill(self.child)
            raise process.Timeout(f"{self.name}: no exit within {seconds:g} s\n{self.stderr()}") from None
        self._reader.join(10)
        assert self._bad is None, f"{self.name}: bad output: {self._bad}"
        return status

    def final(self, seconds, status=0):
        """The event `final`, which must be the last, of a run that ends with that exit status."""
        ended = self.wait(seconds)
        assert ended == status, f"{self.name}: exit status {ended}, not {status}\n{self.stderr()}"
        assert self.events and self.events[-1].get("event") == "final", f"{self.name}: the last event is not final"
        return self.events[-1]

    def of_kind(self, kind):
        with self._changed:
            return [event for event in self.events if event.get("event") == kind]

    def stderr(self, lines=25):
        return process.tail(self.stderr_path, lines)

    # --- signals ----------------------------------------------------------------------------------------------------

    def running(self):
        return self.child.poll() is None

    def terminate(self):
        process.send(self.child, signal.SIGTERM)

    def interrupt(self):
        process.send(self.child, signal.SIGINT)

    def kill(self):
        """SIGKILL, and what it wrote before is read."""
        process.kill(self.child)
        self._reader.join(10)

    def freeze(self):
        process.send(self.child, signal.SIGSTOP)

    def thaw(self):
        process.send(self.child, signal.SIGCONT)
