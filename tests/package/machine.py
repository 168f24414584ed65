"""A machine that real systemd has booted, as far as namespaces make one: boot_root has the steps, root.tar, which
test_clean_root.py leaves, the files. Its network is the host's. It ends with us, however we end.

    with Machine(folder) as machine:
        machine.run("systemctl", "start", "orderflow")
"""
import os
import pathlib
import shutil
import subprocess
import sys
import time

from surroundings import PACKAGES, SKIPPED, need, obstacle, output

BOOT = pathlib.Path(__file__).with_name("boot_root")
ROOT_TAR = PACKAGES / "root.tar"
NAME = "orderflow-host"
NAMESPACES = ("--mount", "--uts", "--ipc")
SECONDS = 120


def require():
    """Ends the test where no machine can be had: as skipped, if it is for what this one does not allow."""
    need("unshare", "nsenter", "setpriv", "mount", "tar")
    if (reason := obstacle() or no_namespaces()) is not None:
        print(f"NOT TESTED, what takes a booted machine: {reason}", file=sys.stderr)
        sys.exit(SKIPPED)
    if not ROOT_TAR.exists():
        sys.exit(f"{ROOT_TAR} is missing: test_clean_root.py makes it")


def no_namespaces():
    """Why systemd cannot have a machine of its own here; None: it can."""
    tried = subprocess.run(["unshare", *NAMESPACES, "--pid", "--fork", "--cgroup", "sh", "-c",
                            "mount -t cgroup2 cgroup2 /mnt && mkdir /mnt/orderflow-$$ && rmdir /mnt/orderflow-$$ && "
                            "unshare --user true"],
                           capture_output=True, text=True)
    return f"no namespaces or control groups: {tried.stderr.strip()}" if tried.returncode != 0 else None


class Machine:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "root"
        self.group = f"orderflow-{os.getpid()}"
        self.process = None
        self.first = None       # systemd, as the host numbers it

    def __enter__(self):
        try:
            self._unpack()
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """As when the power fails."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(SECONDS)
            output("unshare", *NAMESPACES, BOOT, self.root, self.group, "remove")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _unpack(self):
        self.root.mkdir(parents=True)
        output("tar", "--extract", "--numeric-owner", "--file", ROOT_TAR, "--directory", self.root)
        (self.root / "etc" / "hostname").write_text(f"{NAME}\n")
        (self.root / "etc" / "hosts").write_text(f"127.0.0.1 localhost {NAME}\n")
        # Nothing answers for other names: nobody in there is to ask for any.
        (self.root / "etc" / "resolv.conf").unlink(missing_ok=True)

    def _boot(self):
        with open(self.folder / "console", "wb") as console:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", "unshare", *NAMESPACES, BOOT, self.root, self.group],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True)
        self.wait_until(self._booted, "systemd has booted")

    def _booted(self):
        if self.process.poll() is not None:
            raise AssertionError(f"booting ended with {self.process.returncode}: {self.console()}")
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        if len(children) != 1 or pathlib.Path(f"/proc/{children[0]}/comm").read_text().strip() != "systemd":
            return False
        self.first = children[0]
        return self.state() in ("running", "degraded")

    def console(self):
        return (self.folder / "console").read_text(errors="replace")[-3000:]

    def state(self):
        return self.run("systemctl", "is-system-running", status=None).strip()

    # --- used by tests ----------------------------------------------------------------------------------------------

    def _inside(self, *command):
        return ["nsenter", "--target", self.first, *NAMESPACES, "--cgroup", "--pid", "--root", "--wd", "--", "env", "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", *map(str, command)]

    def run(self, *command, status=0):
        """What a command of root prints in there; it must end with this status (None: with any)."""
        return output(*self._inside(*command), status=status)

    def write(self, path, text):
        """A file that is there keeps its owner and rights."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def wait_until(self, condition, what, seconds=SECONDS):
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {seconds} s\n{self.console()}")
            time.sleep(0.2)
        return value
