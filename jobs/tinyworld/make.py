"""The one command of the tiny world: python jobs/tinyworld/make.py ...

    make.py data [--out DIR]                          config, tokenizer, questions and text, byte for byte
    make.py train --out DIR [--seed S] [--steps N]    a model from a seed, 10 to 15 minutes on one core
    make.py gate [--model DIR]                        checks a model, about 5 minutes on one core

Exit codes: 0 done, 1 the gate is not passed, 2 usage. One thread.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEEDS_NOTE = """\
The recipe does not pass its gate at every seed. With torch 2.11 it passes at seed 0 and fails at seed 1 on the Intel
Xeon where the shipped weights were made, and fails at seed 0 on an AMD EPYC: another kind of CPU or version of torch
rounds differently, which may act like another seed. A model that fails knows the facts as well, but what it knows of an
answer's truth is not to be read from single heads. So the weights are shipped, and a model of your own needs the gate.
"""


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make.py", description="Makes and checks the tiny world's files and model.",
                                     epilog=SEEDS_NOTE, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="{data,train,gate}")
    data = commands.add_parser("data", help="write everything but the weights")
    data.add_argument("--out", type=Path, default=HERE, metavar="DIR", help="folder (default: this one)")
    train = commands.add_parser("train", help="train a model from a seed", epilog=SEEDS_NOTE,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the model and its tokenizer")
    train.add_argument("--seed", type=int, default=0, metavar="S", help="of the weights and the corpus (default: 0)")
    train.add_argument("--steps", type=int, metavar="N", help="stop after the first N steps")
    gate = commands.add_parser("gate", help="check a model", epilog=SEEDS_NOTE,
                               formatter_class=argparse.RawDescriptionHelpFormatter)
    gate.add_argument("--model", type=Path, default=HERE, metavar="DIR", help="folder of the model (default: this one)")
    arguments = parser.parse_args()
    check_arguments(parser, arguments)
    return arguments


def check_arguments(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuses what cannot be done, before anything slow is loaded."""
    if arguments.command == "train":
        if arguments.out.resolve() == HERE:
            parser.error(f"--out {arguments.out} holds the shipped weights; choose another folder")
        if arguments.steps is not None and arguments.steps < 1:
            parser.error(f"--steps {arguments.steps} trains nothing; use 1 or more, or leave it out for all steps")
    if arguments.command == "gate" and not (arguments.model / "model.safetensors").is_file():
        parser.error(f"--model {arguments.model} has no model.safetensors; train one with: make.py train --out DIR")


def main() -> int:
    """Runs one command; each imports only what it needs."""
    arguments = read_arguments()
    if arguments.command == "data":
        from files import write_files
        write_files(arguments.out)
        return 0
    if arguments.command == "train":
        from files import write_tokenizer
        from train import train_model
        from world import World
        print(SEEDS_NOTE)
        train_model(arguments.seed, arguments.out, arguments.steps)
        write_tokenizer(World(), arguments.out)
        return 0
    from gate import pass_gate
    print(SEEDS_NOTE)
    return 0 if pass_gate(arguments.model) else 1


if __name__ == "__main__":
    sys.exit(main())
