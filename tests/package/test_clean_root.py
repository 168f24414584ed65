"""The package in a Debian that has nothing else in it: installed, used, upgraded, purged. in_clean_root has the steps.

The root is made by mmdebstrap from the packages that this machine's apt offers. Emptied of ours and with systemd added
it is left as build/package/root.tar, for machine.py to boot."""
import pathlib
import unittest

from surroundings import PACKAGES, main_with_root, make_root, package

SECONDS = 850
SYSTEMD = ('chroot "$1" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 install -y '
           '--no-install-recommends systemd dbus')


class CleanRoot(unittest.TestCase):
    def test_it_is_installed_and_works(self):
        root = PACKAGES / "root.tar"
        root.unlink(missing_ok=True)
        script = pathlib.Path(__file__).resolve().parent / "in_clean_root"
        done = make_root(
            "bookworm", f"{root}.new", "--variant=apt", "--format=tar",
            f"--customize-hook=upload {package()} /tmp/orderflow.deb", f"--customize-hook={script} \"$1\"",
            f"--customize-hook={SYSTEMD}", seconds=SECONDS)
        self.assertIn("the package works in a clean root\n", done.stdout, done.stdout[-6000:])
        self.assertEqual(done.returncode, 0, done.stdout[-6000:])
        pathlib.Path(f"{root}.new").rename(root)


if __name__ == "__main__":
    main_with_root("the package in a clean root")
