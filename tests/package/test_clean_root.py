"""The package in a Debian that has nothing else in it: installed, used, upgraded, purged. in_clean_root has the steps.

The root is made by mmdebstrap from the packages that this machine's apt offers. Emptied of ours and with systemd added
it is left as build/package/root.tar, for machine.py to boot."""
import pathlib
import subprocess
import sys
import unittest

from surroundings import PACKAGES, SKIPPED, main, need, obstacle, package

SECONDS = 850
SYSTEMD = ('chroot "$1" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 install -y '
           '--no-install-recommends systemd dbus')


class CleanRoot(unittest.TestCase):
    def test_it_is_installed_and_works(self):
        root = PACKAGES / "root.tar"
        root.unlink(missing_ok=True)
        script = pathlib.Path(__file__).resolve().parent / "in_clean_root"
        done = subprocess.run(
            ["mmdebstrap", "--mode=root", "--variant=apt", "--format=tar", "--aptopt=Acquire::Retries \"3\"",
             f"--customize-hook=upload {package()} /tmp/orderflow.deb", f"--customize-hook={script} \"$1\"",
             f"--customize-hook={SYSTEMD}", "bookworm", f"{root}.new"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
        self.assertIn("the package works in a clean root\n", done.stdout, done.stdout[-6000:])
        self.assertEqual(done.returncode, 0, done.stdout[-6000:])
        pathlib.Path(f"{root}.new").rename(root)


if __name__ == "__main__":
    need("mmdebstrap", "unshare", "mount")
    if (reason := obstacle()) is not None:
        print(f"NOT TESTED, the package in a clean root: {reason}", file=sys.stderr)
        sys.exit(SKIPPED)
    main()
