"""What the shells themselves offer with the scripts of `orderflow completion`: each is asked the same questions."""
import os
import pathlib
import pty
import re
import select
import shlex
import signal
import subprocess
import tempfile
import time
import unittest

from surroundings import PROGRAM, main, need, output

SECONDS = 120   # for a shell to answer on a busy machine

# In zsh, the Tab key writes what is offered to $offered, and a last line END. compadd is what all completion ends in.
ZSH = r"""
PROMPT= RPROMPT=
autoload -Uz compinit && compinit -u -D
source $script
compadd() {
  local argument
  local -a hits
  for argument in "$@"; do
    [[ $argument == --* ]] && break
    [[ $argument == -[a-zA-Z0-9]#[OAD] ]] && { builtin compadd "$@"; return }
  done
  builtin compadd -O hits "$@"
  print -lr -- $hits >>$offered
  builtin compadd "$@"
}
offer() { : >$offered; zle complete-word; print END >>$offered; BUFFER= }
zle -N offer
bindkey '^I' offer
setopt extendedglob
zstyle ':completion:*' menu no
print READY >$offered
"""


class Shell(unittest.TestCase):
    """Questions; a class for each shell answers them."""
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orderflow-completion-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "orders.csv").touch()
        (self.folder / "sales").mkdir()
        self.script = self.folder / "script"
        self.script.write_text(output(PROGRAM, "completion", self.shell))

    def check(self, line, offered=(), absent=(), exactly=False):
        found = self.ask(line)
        self.assertLessEqual(set(offered), found, line)
        self.assertFalse(set(absent) & found, f"{line}: {found & set(absent)}")
        if exactly:
            self.assertEqual(set(offered), found, line)


class Questions:
    def test_commands(self):
        text = output(PROGRAM, "help")
        commands = set(re.findall(r"^  ([a-z]+) +", text, re.M))
        self.assertGreater(len(commands), 8)
        self.check("orderflow ", commands, exactly=True)
        self.check("orderflow pro", {"produce"}, exactly=True)
        self.check("orderflow help re", {"reset"}, exactly=True)

    def test_options_of_every_command(self):
        configured = re.search("^_orderflow_configured='(.*)'$", output(PROGRAM, "completion", "bash"), re.M).group(1)
        self.assertGreater(len(configured.split()), 5)
        for command in configured.split():
            text = output(PROGRAM, command, "--help")
            options = {"--" + name for name in re.findall(r"^  --(?:\[no-\])?([a-z-]+)", text, re.M)}
            options |= {"--no-" + name for name in re.findall(r"^  --\[no-\]([a-z-]+)", text, re.M)}
            self.assertGreater(len(options), 4)
            self.check(f"orderflow {command} --", options | {"--help"}, exactly=True)

    def test_options_begun(self):
        self.check("orderflow run --guar", {"--guarantee"}, exactly=True)
        self.check("orderflow run --console json --guar", {"--guarantee"}, exactly=True)
        self.check("orderflow produce --no-auto", {"--no-auto-register"}, exactly=True)
        self.check("orderflow run --registry-", {"--registry-user", "--registry-password-file"},
                   {"--registry-password", "--registry-token"})

    def test_values(self):
        self.check("orderflow run --guarantee ", {"exactly-once", "at-least-once"}, exactly=True)
        self.check("orderflow run --guarantee=at", {"at-least-once"}, exactly=True)
        self.check("orderflow run --from l", {"latest"}, exactly=True)
        self.check("orderflow run --group ", (), exactly=True)

    def test_files(self):
        self.check("orderflow produce --file ord", {"orders.csv"}, exactly=True)
        self.check("orderflow run --registry-cache-dir ", {"sales"}, {"orders.csv"})
        self.check("orderflow schema explain ord", {"orders.csv"}, exactly=True)

    def test_words(self):
        self.check("orderflow schema re", {"register"}, exactly=True)
        self.check("orderflow completion ", {"bash", "zsh", "fish"}, exactly=True)
        self.check("orderflow config pr", {"print"}, exactly=True)
        self.check("orderflow config print prod", {"produce"}, exactly=True)
        self.check("orderflow config print run --max-ret", {"--max-retries"}, exactly=True)
        self.check("orderflow config explain max-ret", {"max-retries"}, exactly=True)
        self.check("orderflow config explain registry-pass", {"registry-password", "registry-password-file"}, exactly=True)


class Bash(Questions, Shell):
    shell = "bash"

    def ask(self, line):
        """As readline cuts the line: '=' is a word of its own."""
        words = re.findall(r"=|[^\s=]+", line) + ([""] if line[-1] == " " else [])
        text = (f"source {self.script}; COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}; "
                r'_orderflow; printf "%s\n" "${COMPREPLY[@]}"')
        return set(output("bash", "--norc", "-c", text, cwd=self.folder).split())


class Fish(Questions, Shell):
    shell = "fish"

    def ask(self, line):
        text = f"source {self.script}; complete -C {shlex.quote(line)}"
        home = {**os.environ, "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "config"),
                "XDG_DATA_HOME": str(self.folder / "data")}
        rows = output("fish", "--no-config", "-c", text, cwd=self.folder, env=home).splitlines()
        offered = {row.split("\t")[0] for row in rows}
        return {word.removesuffix("/").partition("=")[2] or word.removesuffix("/") for word in offered} - {"-h", "-X"}


class Zsh(Questions, Shell):
    shell = "zsh"

    def setUp(self):
        super().setUp()
        self.offered = self.folder / "offered"
        (self.folder / ".zshrc").write_text(ZSH)
        environment = {**os.environ, "ZDOTDIR": str(self.folder), "script": str(self.script), "TERM": "dumb",
                       "offered": str(self.offered), "HOME": str(self.folder)}
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(["zsh", "-d", "-i"], stdin=slave, stdout=slave, stderr=slave,
                                        cwd=self.folder, env=environment, start_new_session=True)
        os.close(slave)
        self.addCleanup(self.end)
        self.wait_for("READY")

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)
        os.close(self.master)

    def wait_for(self, word):
        """What it prints is read, so that it never waits for us."""
        deadline = time.monotonic() + SECONDS
        seen = b""
        while time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.02)[0]:
                seen += os.read(self.master, 65536)
            lines = self.offered.read_text().split("\n") if self.offered.exists() else []
            if word in lines:
                return {line for line in lines if line and line != word}
        self.fail(f"zsh says nothing: {seen.decode(errors='replace')}")

    def ask(self, line):
        self.offered.unlink()
        os.write(self.master, line.encode() + b"\t")
        return {word.removesuffix("=") for word in self.wait_for("END")} - {"-h", "-X"}


class Program(unittest.TestCase):
    def test_shells_read_them(self):
        for shell in ("bash", "zsh", "fish"):
            with tempfile.NamedTemporaryFile("w") as script:
                script.write(output(PROGRAM, "completion", shell))
                script.flush()
                output(shell, "-n", script.name)

    def test_words_are_those_of_the_usage(self):
        """The words that are offered after a command are those that its help tells."""
        for command, option in (("schema", "--help"), ("config", "--help"), ("completion", "--help")):
            text = output(PROGRAM, command, option)
            told = set(re.findall(rf"^(?:usage:|      ) orderflow {command} ([a-z]+)", text, re.M))
            told |= set(re.findall(r"^  ([a-z]+) ", text.partition("\n\n")[2].partition("\n\n")[2].partition("\n\n")[0],
                                   re.M)) if command != "config" else set()
            line = re.search(rf"^    {command}\) echo '(.*)' ;;$", output(PROGRAM, "completion", "bash"), re.M)
            self.assertEqual(set(line.group(1).split()), told, command)

    def test_other_shells_are_refused(self):
        output(PROGRAM, "completion", "csh", status=2)
        output(PROGRAM, "completion", status=2)


if __name__ == "__main__":
    need("bash", "zsh", "fish")
    main()
