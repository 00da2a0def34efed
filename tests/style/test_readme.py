"""The README's links resolve, and every command it shows exists: make targets, headsweep commands and their options,
Python modules, files."""
import os
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
from sources import ROOT, all_files, report, text_of

PROGRAM = ROOT / os.environ.get("HEADSWEEP_BUILD", "build") / "headsweep"
PLAIN_COMMANDS = {"cd", "cmake", "ctest", "export", "git", "h5dump", "h5ls", "less", "ls", "ninja", "scancel", "squeue"}
README = ROOT / "README.md"
needs_readme = pytest.mark.skipif(not README.exists(), reason="no README.md")


def make_targets():
    return set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))


def command_lines(markdown):
    """Lines of ```sh blocks as lists of words; continued lines joined, comments dropped."""
    for block in re.findall(r"^```sh\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s*(?:&&|\|\||[|;])\s", line):
                words = shlex.split(part, comments=True)
                if words:
                    yield words


@cache
def help_of(*command):
    return subprocess.run([PROGRAM, *command, "--help"], capture_output=True, text=True, check=True).stdout


def problem_with_headsweep(words):
    """`words` follow the program's name."""
    if not PROGRAM.exists():
        return None
    if words[0].startswith("-"):
        return None if words[0] in help_of() else f"unknown option {words[0]}"
    if not re.search(rf"^\s*{re.escape(words[0])}\b", help_of(), re.MULTILINE):
        return f"unknown command {words[0]}"
    options = (word.split("=")[0] for word in words[1:] if word.startswith("--"))
    unknown = [option for option in options if not re.search(rf"{option}\b", help_of(words[0]))]
    return f"{words[0]} has no {unknown[0]}" if unknown else None


def problem_with(words):
    """What is wrong with this command line, or None."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words:
        return None
    for index, word in enumerate(words):
        if Path(word).name == "headsweep":
            return problem_with_headsweep(words[index + 1:])
    program = Path(words[0]).name
    if program == "make":
        unknown = [word for word in words[1:] if not re.match(r"-|[A-Z_]+=", word) and word not in make_targets()]
        return f"no make target {unknown[0]}" if unknown else None
    if program in ("python", "python3"):
        file = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
        return None if (ROOT / file).exists() or words[2] in ("pytest", "venv") else f"no {file}"
    if program in ("sbatch", "bash"):
        files = [word for word in words[1:] if word.endswith((".sbatch", ".sh"))]
        return None if files and (ROOT / files[0]).exists() else f"no {files[:1]}"
    known = program in PLAIN_COMMANDS or (ROOT / words[0]).is_file()
    return None if known else "unknown program"


def problem_with_files(words):
    """The project's own files that a command names must be there."""
    named = [word for word in words if re.match(r"(\./)?(jobs|slurm|tests|analysis|cmake)/[\w./-]+$", word)]
    missing = [word for word in named if not (ROOT / word).exists()]
    return f"no {missing[0]}" if missing else None


@needs_readme
def test_commands_of_the_readme_exist():
    lines = list(command_lines(text_of("README.md")))
    assert lines, "the README shows no ```sh block"
    problems = [f"{' '.join(words)}: {problem}" for words in lines
                for problem in [problem_with(words) or problem_with_files(words)] if problem]
    assert not problems, report(problems)


def anchors(markdown):
    """Names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.*)", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_of_markdown_files_resolve():
    problems = []
    for name in (name for name in all_files() if name.suffix == ".md"):
        text = re.sub(r"```.*?```", "", text_of(name), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"", text):
            file, _, anchor = (link[0] or link[1]).partition("#")
            target = (ROOT / name).parent / file if file else ROOT / name
            if re.match(r"[a-z]+:", file):
                continue
            if not target.exists():
                problems.append(f"{name}: {file} does not exist")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
                problems.append(f"{name}: no heading #{anchor} in {target.name}")
    assert not problems, report(problems)


def test_make_help_names_every_target():
    phony = set(re.search(r"^\.PHONY: (.*)$", text_of("Makefile"), re.MULTILINE)[1].split())
    assert phony == make_targets()
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in shown.splitlines()} == phony
