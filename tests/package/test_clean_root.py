"""The package in a Debian that has nothing else in it: installed, used, upgraded, purged. in_clean_root has the steps.

The root is made by mmdebstrap from the packages that this machine's apt offers, and exists only while the test runs."""
import os
import pathlib
import subprocess
import sys
import unittest

from surroundings import ROOT, SKIPPED, main, need

SECONDS = 850


def package():
    found = sorted((ROOT / "build" / "package").glob("*.deb"), key=os.path.getmtime)
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


class CleanRoot(unittest.TestCase):
    def test_it_is_installed_and_works(self):
        script = pathlib.Path(__file__).resolve().parent / "in_clean_root"
        done = subprocess.run(
            ["mmdebstrap", "--mode=root", "--variant=apt", "--format=null", "--aptopt=Acquire::Retries \"3\"",
             f"--customize-hook=upload {package()} /tmp/orderflow.deb", f"--customize-hook={script} \"$1\"",
             "bookworm", "/dev/null"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
        self.assertIn("the package works in a clean root\n", done.stdout, done.stdout[-6000:])
        self.assertEqual(done.returncode, 0, done.stdout[-6000:])


if __name__ == "__main__":
    need("mmdebstrap", "unshare", "mount")
    if (reason := obstacle()) is not None:
        print(f"NOT TESTED, the package in a clean root: {reason}", file=sys.stderr)
        sys.exit(SKIPPED)
    main()
