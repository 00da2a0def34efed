"""The layers: the DEPS and USES words of CMakeLists.txt are the law, the #include lines must keep it."""
import json
import os
import re
import shlex
import subprocess

import pytest
from sources import ROOT, cpp_files, includes_of, module_of, modules, report, text_of

# What a third-party header starts with -> the USES word that its module needs.
THIRD_PARTY = {
    "ATen/": "torch", "c10/": "torch", "torch/": "torch",
    "boost/program_options": "Boost::program_options",
    "cuda_runtime_api.h": "nccl", "nccl.h": "nccl",
    "fmt/": "fmt::fmt",
    "hdf5": "HDF5::HDF5",
    "mpi.h": "MPI::MPI_C",
    "nlohmann/": "nlohmann_json::nlohmann_json",
    "pcre2.h": "PkgConfig::PCRE2",
    "sentencepiece_processor.h": "PkgConfig::SENTENCEPIECE",
    "xxhash.h": "PkgConfig::XXHASH",
    "yaml-cpp/": "yaml-cpp",
}
STANDARD = re.compile(r"[a-z_]+|(sys/)?(fcntl|file|malloc|mman|stat|statvfs|types|unistd|wait)\.h")
MAY_BRANCH_BY_PREPROCESSOR = {"comm", "kernels"}
PUBLIC_HEADERS = sorted(name for name in cpp_files("include"))


def reaches_torch(header):
    """Whether a public header brings ATen's headers, by itself or through others."""
    texts = [include.text for include in includes_of(header)]
    others = [other for other in PUBLIC_HEADERS if str(other.relative_to("include")) in texts]
    return any(text.startswith("ATen/") for text in texts) or any(map(reaches_torch, others))


def problem_with(module, include):
    """What is wrong with this include line in this module, or None."""
    text = include.text
    if text.startswith("headsweep/"):
        other = text.removeprefix("headsweep/").removesuffix(".hpp")
        return None if other in (module.name, *module.deps) else f"{other} is not in DEPS of {module.name}"
    if text.split("/")[0] in modules() and "/" in text:
        return None if text.split("/")[0] == module.name else f"a private header of {text.split('/')[0]}"
    if STANDARD.fullmatch(text):
        return None
    words = [use for prefix, use in THIRD_PARTY.items() if text.startswith(prefix)]
    if not words:
        return "a header that THIRD_PARTY in tests/style/test_layers.py does not know"
    return None if words[0] in module.uses else f"{words[0]} is not in USES of {module.name}"


def test_modules_are_declared_after_what_they_include():
    declared = []
    for module in modules().values():
        assert set(module.deps) <= set(declared), f"{module.name} is declared before one of {module.deps}"
        declared.append(module.name)
    assert len(declared) >= 13


def test_every_file_belongs_to_a_module():
    strangers = [str(name) for name in cpp_files("include", "src") if module_of(name) not in modules()]
    assert not strangers, report(strangers)


def test_modules_include_only_what_cmake_allows():
    problems = []
    for name in cpp_files("include", "src"):
        for include in includes_of(name):
            problem = problem_with(modules()[module_of(name)], include)
            if problem:
                problems.append(f"{name}:{include.line}: <{include.text}>: {problem}")
    assert not problems, report(problems)


def test_no_include_cycles():
    """x.hpp and x.cpp of a module are one node, for either is read with the other."""
    def node_of(name):
        return f"{module_of(name)}/{name.stem}"

    files = cpp_files("include", "src")
    by_include = {str(name.relative_to(name.parts[0])): name for name in files}
    edges = {}
    for name in files:
        targets = (by_include.get(include.text) for include in includes_of(name))
        edges.setdefault(node_of(name), set()).update(node_of(target) for target in targets if target)

    done = set()

    def visit(node, path):
        assert node not in path, "include cycle: " + " -> ".join([*path[path.index(node):], node])
        if node not in done:
            for target in sorted(edges[node] - {node}):
                visit(target, [*path, node])
            done.add(node)

    for node in edges:
        visit(node, [])


def test_only_comm_and_kernels_branch_by_preprocessor():
    problems = [f"{name}:{number}: {line.strip()}"
                for name in cpp_files("include", "src") if module_of(name) not in MAY_BRANCH_BY_PREPROCESSOR
                for number, line in enumerate(text_of(name).splitlines(), start=1)
                if re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else)\b", line)]
    assert not problems, report(problems)


@pytest.fixture(scope="session")
def compile_flags():
    """Module -> the flags that its own files are compiled with, less output and precompiled headers."""
    file = ROOT / os.environ.get("HEADSWEEP_BUILD", "build") / "compile_commands.json"
    assert file.exists(), f"{file} is missing; `make build` writes it"
    flags = {}
    for command in json.loads(file.read_text()):
        source = os.path.relpath(command["file"], ROOT).split(os.sep)
        if source[0] == "src" and source[1] not in flags:
            words = iter(shlex.split(command["command"]))
            kept = []
            for word in words:
                if word in ("-o", "-include", "-c"):
                    next(words)
                elif word != "-Winvalid-pch":
                    kept.append(word)
            flags[source[1]] = kept
    return flags


@pytest.mark.parametrize("header", PUBLIC_HEADERS, ids=lambda name: name.stem)
def test_public_header_compiles_alone(header, compile_flags, tmp_path):
    module = module_of(header)
    if reaches_torch(header) and not os.environ.get("HEADSWEEP_LONG"):
        pytest.skip("10 s for a header with torch's: HEADSWEEP_LONG=1")
    if module not in compile_flags:
        pytest.skip("the module has no compiled file")
    alone = tmp_path / "alone.cpp"
    alone.write_text(f"#include <headsweep/{header.name}>\n")
    done = subprocess.run([*compile_flags[module], "-fsyntax-only", alone], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
