"""The Debian package: built as `./dev package` does, and read by Debian's own tools."""
import os
import re
import subprocess
import unittest

from surroundings import ROOT, main, need, output

FOLDER = ROOT / "build" / "package"
# Nobody has to close a bug for the first upload of what Debian does not distribute; init.d is not for us.
EXPECTED = {"initial-upload-closes-no-bugs", "package-supports-alternative-init-but-no-init.d-script",
            "binary-has-unneeded-section"}


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for old in FOLDER.glob("*.deb"):
            old.unlink()
        done = subprocess.run(["./dev", "package"], cwd=ROOT, env={**os.environ, "ORDERFLOW_SKIP_SETUP": "1"},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1200)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        cls.package, = FOLDER.glob("*.deb")
        cls.files = {line.split()[-1].removeprefix("."): line.split()[0]
                     for line in output("dpkg-deb", "-c", cls.package).splitlines()}

    def field(self, name):
        return output("dpkg-deb", "-f", self.package, name).strip()

    def test_lintian_has_nothing_to_say(self):
        done = subprocess.run(["lintian", "--allow-root", "--display-info", "--no-cfg", str(self.package)],
                              capture_output=True, text=True, timeout=300)
        said = re.findall(r"^[EWI]: orderflow: ((\S+).*)$", done.stdout, re.M)
        self.assertEqual([line for line, tag in said if tag not in EXPECTED], [], done.stderr)

    def test_lintian_would_say_so(self):
        """Without the copyright it complains."""
        folder = FOLDER / "spoiled"
        subprocess.run(["rm", "-rf", folder, f"{folder}.deb"], check=True)
        output("dpkg-deb", "-R", self.package, folder)
        (folder / "usr/share/doc/orderflow/copyright").unlink()
        output("dpkg-deb", "--root-owner-group", "-b", folder, f"{folder}.deb")
        done = subprocess.run(["lintian", "--allow-root", "--no-cfg", f"{folder}.deb"], capture_output=True, text=True,
                              timeout=300)
        subprocess.run(["rm", "-rf", folder, f"{folder}.deb"], check=True)
        self.assertIn("no-copyright-file", done.stdout)

    def test_it_depends_on_what_the_program_is_linked_with(self):
        depends = self.field("Depends")
        for library in ("librdkafka1", "libcurl4", "libjemalloc2", "libmicrohttpd12", "libc6", "adduser"):
            self.assertIn(library, depends)
        self.assertNotIn("-dev", depends)
        self.assertNotIn("libcmocka", depends)

    def test_versions_agree(self):
        version = re.search(r"project\(orderflow VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
        self.assertEqual(self.field("Version"), f"{version}-1")
        first = (ROOT / "packaging" / "debian" / "changelog").read_text().splitlines()[0]
        self.assertIn(f"({version}-1)", first)
        listed, = FOLDER.glob("*.deb")
        self.assertEqual(listed.name, f"orderflow_{version}-1_{self.field('Architecture')}.deb")

    def test_what_is_in_it(self):
        for path in ("/usr/bin/orderflow", "/usr/lib/systemd/system/orderflow.service", "/etc/orderflow/orderflow.conf",
                     "/usr/share/man/man1/orderflow-run.1.gz", "/usr/share/man/man5/orderflow.conf.5.gz",
                     "/usr/share/bash-completion/completions/orderflow", "/usr/share/zsh/vendor-completions/_orderflow",
                     "/usr/share/fish/vendor_completions.d/orderflow.fish", "/usr/share/doc/orderflow/copyright",
                     "/usr/share/doc/orderflow/changelog.gz", "/usr/share/orderflow/schemas/order.avsc"):
            self.assertIn(path, self.files)
        self.assertEqual([path for path, rights in self.files.items() if rights[8] == "w" or "s" in rights], [])
        outside = [path for path in self.files if not path.startswith(("/usr/", "/etc/")) and path != "/"]
        self.assertEqual(outside, [])
        self.assertIn("/etc/orderflow/orderflow.conf", output("dpkg-deb", "-I", self.package, "conffiles"))

    def test_its_scripts_are_read_by_a_shell(self):
        for name in ("postinst", "prerm", "postrm"):
            output("sh", "-n", ROOT / "packaging" / "debian" / name)
            self.assertTrue(os.access(ROOT / "packaging" / "debian" / name, os.X_OK))


if __name__ == "__main__":
    need("dpkg-shlibdeps", "dpkg-deb", "fakeroot", "file", "lintian", "cmake", "ninja")
    main()
