"""The pages of the manual and the options in docs/configuration.md, both made from the table of options."""
import os
import pathlib
import re
import tempfile
import unittest

from surroundings import PROGRAM, ROOT, main, need, output

COMMANDS = ("run", "produce", "demo", "stats", "reset", "schema")
PAGES = {f"orderflow-{command}.1" for command in COMMANDS} | {
    "orderflow.1", "orderflow-config.1", "orderflow-completion.1", "orderflow.conf.5"}
BEGIN, END = "<!-- by `orderflow help --markdown` -->\n\n", "\n<!-- end -->"


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="orderflow-manual-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        output(PROGRAM, "help", "--man-pages", cls.folder)

    def rendered(self, name):
        """As a terminal of 200 columns shows it."""
        wide = {**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
        return re.sub(r"[ \n]+", " ", output("man", "--no-hyphenation", "--no-justification", "-l", self.folder / name,
                                             env=wide)).replace("\u2010", "-")

    def test_there_is_one_for_every_command(self):
        self.assertLessEqual(PAGES, {path.name for path in self.folder.iterdir()})

    def test_nothing_is_complained_about(self):
        for path in self.folder.iterdir():
            self.assertEqual(output("mandoc", "-T", "lint", "-W", "warning", path), "", path.name)
            text = output("sh", "-c", 'exec man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null', "-", path,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
            self.assertEqual(text, "", path.name)

    def test_a_complaint_would_be_seen(self):
        bad = self.folder.parent / f"{self.folder.name}-bad.1"
        self.addCleanup(bad.unlink)
        bad.write_text(".TH X 1\n.SH NAME\nx \\- y\n.NO_SUCH_MACRO\n")
        self.assertIn("NO_SUCH_MACRO", output("mandoc", "-T", "lint", "-W", "warning", bad, status=3))

    def test_they_can_be_found(self):
        for path in self.folder.iterdir():
            self.assertRegex(output("lexgrog", path), rf'"{re.escape(path.name[:-2])} - .+"')

    def test_every_option_is_told_with_default_and_range(self):
        for command in COMMANDS:
            entries = [re.sub(r"\s+", " ", entry) for entry in output(PROGRAM, command, "--help").split("\n  --")[1:]]
            page = self.rendered(f"orderflow-{command}.1").partition(" OPTIONS ")[2]
            self.assertGreater(len(entries), 4)
            for entry in entries:
                name = re.match(r"(?:\[no-\])?([a-z-]+)", entry).group(1)
                allowed, initial = re.search(r"\((?:([^()]*); )?(?:default ([^()]*)|no default)\)", entry).groups("")
                found = re.search(rf" --{name}[ ,].*?(Default: |No default)(.{{0,60}})", page)
                self.assertTrue(found, f"{command}: --{name}")
                self.assertTrue(found.group(2).startswith(initial), f"{command}: --{name}")
                self.assertIn(f"Allowed: {allowed}." if allowed else "", found.group(0))

    def test_the_file_has_every_key(self):
        page = self.rendered("orderflow.conf.5")
        keys = re.findall(r"^#([a-z-]+) =", (ROOT / "etc" / "orderflow.conf").read_text(), re.M)
        self.assertGreater(len(keys), 50)
        self.assertEqual([key for key in keys if f" {key} = " not in page], [])

    def test_one_page_at_a_time(self):
        self.assertEqual(output(PROGRAM, "help", "--man", "run"), (self.folder / "orderflow-run.1").read_text())
        self.assertEqual(output(PROGRAM, "help", "--man"), (self.folder / "orderflow.1").read_text())
        output(PROGRAM, "help", "--man", "no-such", status=2)
        output(PROGRAM, "help", "--man-pages", "/nonexistent/folder", status=1)

    def test_the_document_is_current(self):
        document = (ROOT / "docs" / "configuration.md").read_text()
        self.assertEqual(document.partition(BEGIN)[2].partition(END)[0], output(PROGRAM, "help", "--markdown"),
                         "put what `orderflow help --markdown` prints between the marks")


if __name__ == "__main__":
    need("man", "mandoc", "lexgrog", "groff")
    main()
