"""A command line as people type it: run by bash, what it prints read as it comes, with the time of each line.

    with Terminal("orderflow run", folder=logs, environment=variables) as terminal:
        terminal.wait_for(r"^retry 1/3 ", 30)
        terminal.interrupt()                    # Ctrl+C
        text = terminal.end(30)                 # all it printed, after exit status 0
"""
import os
import re
import signal
import subprocess
import threading
import time

from lib import process


class Terminal:
    """Standard output and standard error together. tty: both are a terminal of 120 columns, else a pipe."""

    def __init__(self, command, *, folder, environment, directory=None, tty=False):
        self.command = command
        self.lines = []             # (monotonic seconds, line), under _changed
        self._changed = threading.Condition()
        self._closed = False
        environment = {**environment, "TERM": "xterm", "COLUMNS": "120"} if tty else environment
        self._source, writer = os.openpty() if tty else os.pipe()
        script = f"stty rows 50 columns 120 <&1 2>&-; {command}" if tty else command
        self.child = process.spawn(["bash", "-c", script], stdout=writer, stderr=subprocess.STDOUT,
                                   env=environment, cwd=directory or folder)
        os.close(writer)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        process.kill(self.child)
        self._reader.join(10)
        if kind is not None:
            print(f"$ {self.command}", *self.text().splitlines()[-40:], sep="\n", flush=True)

    def _read(self):
        try:
            with os.fdopen(self._source, errors="replace") as stream:
                for line in stream:
                    with self._changed:
                        self.lines.append((time.monotonic(), line.rstrip("\r\n")))
                        self._changed.notify_all()
        except OSError:     # a terminal whose other side is closed
            pass
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def text(self):
        with self._changed:
            return "\n".join(line for _, line in self.lines)

    def wait_for(self, pattern, seconds, count=1):
        """Waits for `count` lines that match; returns [(time, match)] of all that do."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                found = [(at, match) for at, line in self.lines for match in [re.search(pattern, line)] if match]
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    why = "its output ended" if self._closed else f"not within {seconds:g} s"
                    raise process.Timeout(f"$ {self.command}: {len(found)} of {count} lines like {pattern}: {why}")
                self._changed.wait(left)

    def end(self, seconds, status=0):
        """All that was printed, once the command has ended by itself with that status."""
        try:
            ended = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise process.Timeout(f"$ {self.command}: no exit within {seconds:g} s") from None
        self._reader.join(10)
        assert ended == status, f"$ {self.command}: exit status {ended}, not {status}\n{self.text()}"
        return self.text()

    def interrupt(self):
        """Ctrl+C."""
        process.send(self.child, signal.SIGINT)

    def kill(self):
        """kill -9."""
        process.kill(self.child)
        self._reader.join(10)
