"""The project's files as the style tests see them: modules as CMake declares them, files with module and #include lines."""
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    """A `headsweep_module` line of CMakeLists.txt."""
    name: str
    deps: tuple
    uses: tuple


@dataclass(frozen=True)
class Include:
    line: int
    text: str  # between the brackets or quotes


@cache
def modules():
    """Name -> Module, in the order of CMakeLists.txt."""
    text = (ROOT / "CMakeLists.txt").read_text()
    found = {}
    for name, words in re.findall(r"^\s*headsweep_module\((\w+)((?:\s+[\w:.+-]+)*)\s*\)", text, re.MULTILINE):
        deps, _, uses = words.partition("USES")
        found[name] = Module(name, tuple(deps.replace("DEPS", "").split()), tuple(uses.split()))
    return found


@cache
def all_files():
    """Every file that git tracks or would, sorted; in a checkout without git, all but hidden and built ones."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        names = map(Path, listed.stdout.splitlines())
    else:
        outside = re.compile(r"^(build.*|runs|\..*|.*__pycache__)$")
        names = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        names = (name for name in names if not any(outside.match(part) for part in name.parts))
    return sorted(name for name in names if (ROOT / name).is_file())


def cpp_files(*folders):
    """C++ files below these folders."""
    return [name for name in all_files() if name.parts[0] in folders and name.suffix in {".cpp", ".hpp"}]


def module_of(name):
    """The module that a file of include/headsweep or src belongs to."""
    return name.stem if name.parts[0] == "include" else name.parts[1]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def includes_of(name):
    lines = enumerate(text_of(name).splitlines(), start=1)
    matches = ((number, re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)) for number, line in lines)
    return [Include(number, match[1]) for number, match in matches if match]


def report(problems):
    """One problem a line, for assert messages."""
    return "\n" + "\n".join(problems)
