"""Files as text: sizes and shapes of files and functions, cards, paths, and what has no place in the repository."""
import re
import warnings

import lizard
from sources import ROOT, all_files, cpp_files, report, text_of

CODE = {".cpp", ".hpp", ".cu", ".py", ".sh", ".cmake"}
CODE_FOLDERS = {"include", "src", "cmake", "analysis", "tests", "jobs", "slurm"}
LARGEST_FILE = 4 << 20
# Guides and limits of lines: over the guide warns, over the limit fails.
FILE_GUIDE, FILE_LIMIT, HEADER_GUIDE = 300, 320, 150
FUNCTION_GUIDE, FUNCTION_LIMIT, PARAMETERS_GUIDE = 60, 70, 5
COMPILED = re.compile(r".*\.(o|a|so|gch|pch|pyc|whl|deb|d|obj|dll|exe|class|core)|.*/CMakeCache\.txt|(build|\.venv|runs)/.*")


def code_files():
    return [name for name in all_files() if name.parts[0] in CODE_FOLDERS and name.suffix in CODE]


def text_files():
    """All files that hold text."""
    return [name for name in all_files() if b"\0" not in (ROOT / name).read_bytes()[:8192]]


def warn_all(problems):
    for problem in problems:
        warnings.warn(problem, stacklevel=2)


def test_files_are_short():
    lengths = {name: text_of(name).count("\n") for name in code_files()}
    warn_all(f"{name}: {lines} lines, the guide is {guide}" for name, lines in lengths.items()
             for guide in [HEADER_GUIDE if name.parts[0] == "include" else FILE_GUIDE] if lines > guide)
    too_long = [f"{name}: {lines} lines, at most {FILE_LIMIT}" for name, lines in lengths.items() if lines > FILE_LIMIT]
    assert not too_long, report(too_long)


def test_functions_are_short():
    too_long = []
    for name in code_files():
        for function in lizard.analyze_file(str(ROOT / name)).function_list:
            lines = function.end_line - function.start_line + 1
            place = f"{name}:{function.start_line}: {function.name}"
            if lines > FUNCTION_LIMIT:
                too_long.append(f"{place}: {lines} lines, at most {FUNCTION_LIMIT}")
            elif lines > FUNCTION_GUIDE:
                warnings.warn(f"{place}: {lines} lines, the guide is {FUNCTION_GUIDE}", stacklevel=1)
            if len(function.parameters) > PARAMETERS_GUIDE:
                warnings.warn(f"{place}: {len(function.parameters)} parameters, a struct reads better", stacklevel=1)
    assert not too_long, report(too_long)


def card_of(name):
    """The comment or docstring that a file starts with, or None."""
    text = re.sub(r"\A#!.*\n", "", text_of(name))
    starts = {".py": ('"""', "# "), ".sh": ("# ",), ".cmake": ("# ",)}.get(name.suffix, ("// ",))
    return text.splitlines()[0] if text.startswith(starts) else None


def test_every_file_starts_with_a_card():
    bare = [str(name) for name in code_files() if text_of(name).strip() and not card_of(name)]
    assert not bare, report(bare)


def test_cards_of_modules_name_them():
    """`// model: ...`, `// model/llama: ...` or `// model, private: ...`: a file says where it belongs wherever it is read."""
    def owner(name):
        return name.stem if name.parts[0] == "include" else name.parts[1]

    wrong = [f"{name}: {card_of(name)}" for name in cpp_files("include", "src")
             if not re.match(rf"// {owner(name)}(/\w+)?(, private)?: ", card_of(name) or "")]
    assert not wrong, report(wrong)


def test_no_paths_of_a_machine():
    path = re.compile(r"(?<![\w.])/(work|root|home|Users)/\w")
    found = [f"{name}:{number}: {line.strip()[:100]}" for name in text_files() if name.suffix != ".jsonl"
             for number, line in enumerate(text_of(name).splitlines(), start=1) if path.search(line)]
    assert not found, report(found)


def test_nothing_is_left_to_do():
    mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    found = [f"{name}:{number}: {line.strip()[:100]}" for name in code_files()
             for number, line in enumerate(text_of(name).splitlines(), start=1) if mark.search(line)]
    assert not found, report(found)


def test_lines_end_cleanly():
    found = [f"{name}:{number}: trailing space, tab or carriage return" for name in code_files()
             for number, line in enumerate(text_of(name).split("\n"), start=1) if re.search(r"[ \t\r]$", line)]
    assert not found, report(found)


def test_no_large_or_compiled_files():
    large = [f"{name}: {size >> 10} KiB" for name in all_files()
             for size in [(ROOT / name).stat().st_size] if size > LARGEST_FILE]
    compiled = [str(name) for name in all_files()
                if COMPILED.fullmatch(str(name)) or (ROOT / name).read_bytes()[:4] == b"\x7fELF"]
    assert not large + compiled, report(large + compiled)
