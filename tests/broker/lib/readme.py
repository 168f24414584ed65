"""What README.md tells people to type, and the tests that answer for it.

    @shows("orderflow produce", "orderflow run --exit-at-end")      the literal text of the README, each handed over
    def test_as_fast_as_it_goes(self, produce, run): ...

    unanswered(TestClasses) == []       nothing in the README without a test, no test for what is gone from it

A claim is a command line (indented, or in a fence for a shell), an inline `span with blanks` anywhere else (a command,
options, a message), or a whole row of a table that has a column "how": what to type and what one sees, cells joined
by " | ". Comments behind a command are no part of it; a fence that shows output is no claim.
"""
import functools
import re

from lib import places

SHELLS = ("sh", "shell", "bash", "console")
COMMAND = re.compile(r"(\$ |orderflow |\./dev |docker |kcat |kafka-\S+\.sh |cmake |export |alias |apt )")


def text():
    return (places.ROOT / "README.md").read_text()


def shows(*claims):
    """A test answers for these claims and gets the text of each."""
    def mark(test):
        @functools.wraps(test)
        def run(self):
            return test(self, *claims)
        run.claims = claims
        return run
    return mark


def answered(case):
    """The claims that the tests of a class answer for."""
    return [claim for name in dir(case) for claim in getattr(getattr(case, name), "claims", ())]


def unanswered(*cases, readme=None):
    """Sentences for people: claims of the README that no test names, and claims of tests that the README lacks."""
    readme = text() if readme is None else readme
    known = {claim for case in cases for claim in answered(case)}
    found = claims(readme)
    whole = re.sub(r"\s+", " ", readme.replace("\\|", "|"))
    wrong = [f"README.md:{line}: no test shows `{claim}`" for claim, line in found.items() if claim not in known]
    return wrong + [f"a test shows what README.md does not say: `{claim}`" for claim in sorted(known - set(found))
                    if claim not in whole]


def claims(readme):
    """{claim: number of its first line} in order."""
    found = {}
    for line, claim in _claims(readme):
        found.setdefault(claim, line)
    return found


def fences(readme):
    """[(language, [line, ...])] of the fenced blocks."""
    parts = re.findall(r"^```(\S*)\n(.*?)^```$", readme, re.M | re.S)
    return [(language, body.splitlines()) for language, body in parts]


def _claims(readme):
    prose, how = [], False      # lines of the paragraph under way; whether a table with a column "how" is
    fence = None
    lines = readme.splitlines() + [""]
    number = 0
    while number < len(lines):
        begin, line = number + 1, lines[number]
        number += 1
        if line.startswith("```"):
            fence = line[3:] if fence is None else None
        elif fence is not None and not (fence in SHELLS or fence == "" and COMMAND.match(line)):
            continue
        elif fence is not None or line.startswith("    "):
            while line.endswith("\\"):
                line = line[:-1].rstrip() + " " + lines[number].strip()
                number += 1
            yield begin, _command(line)
        elif line.startswith("|"):
            cells = _cells(line)
            how = how or "how" in cells
            if how and "how" not in cells and not set(line) <= set("|-: "):
                yield begin, " | ".join(cells)
            elif not how:
                yield from ((begin, span) for span in _spans(line))
        elif line:
            prose.append((begin, line))
            continue
        how = how and line.startswith("|")
        yield from _of_paragraph(prose)
        prose = []


def _of_paragraph(prose):
    """Spans may go on in the next line."""
    if prose:
        yield from ((prose[0][0], span) for span in _spans(" ".join(line for _, line in prose)))


def _command(line):
    return re.sub(r"\s+#.*$", "", line.strip()).removeprefix("$ ")


def _cells(row):
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def _spans(line):
    """Inline code that has blanks in it; single words are names."""
    return [span.replace("\\|", "|") for span in re.findall(r"`([^`]+)`", line) if " " in span.strip()]
