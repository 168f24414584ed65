"""What the tests of packaging have in common: where things are, and what to do when a tool is missing."""
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("ORDERFLOW_PROGRAM", ROOT / "build" / "dev" / "src" / "orderflow"))
PACKAGES = ROOT / "build" / "package"
SKIPPED = 77    # what CTest takes for skipped


def output(*command, status=0, **options):
    """What a command prints; it must end with this status (None: with any) within two minutes."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, **options)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def need(*tools):
    """Ends the test as skipped when one is missing; `./dev test`, which installs them, makes that a failure."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        print(f"missing: {' '.join(missing)} (./dev setup installs them)", file=sys.stderr)
        sys.exit(1 if os.environ.get("ORDERFLOW_REQUIRE_PACKAGE") else SKIPPED)


def package():
    """The newest package that was built."""
    found = sorted(PACKAGES.glob("*.deb"), key=os.path.getmtime)
    if not found:
        raise AssertionError("no package: ./dev package makes it")
    return found[-1]


def obstacle():
    """Why there can be no other root here; None: there can."""
    if os.geteuid() != 0:
        return "only root can make another root"
    if subprocess.run(["unshare", "--mount", "mount", "-t", "proc", "proc", "/proc"], capture_output=True).returncode:
        return "nothing can be mounted here"
    return None


def make_root(release, target, *options, seconds):
    """Runs mmdebstrap, which makes a Debian from the packages that this machine's apt offers. Its end, and what it printed."""
    return subprocess.run(["mmdebstrap", "--mode=root", '--aptopt=Acquire::Retries "3"', *options, release, target],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds)


def main_with_root(what):
    """main() of tests that make roots; skipped, which says what was not tested, where there can be none."""
    need("mmdebstrap", "unshare", "mount")
    if (reason := obstacle()) is not None:
        print(f"NOT TESTED, {what}: {reason}", file=sys.stderr)
        sys.exit(SKIPPED)
    main()


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    sys.exit(not program.result.wasSuccessful())
