"""The command line: the list of commands."""

from __future__ import annotations

import argparse
import os
import sys

from hwr.commands import (
    average,
    calibrate,
    data,
    evaluate,
    export,
    extract,
    language_model,
    read,
    serve,
    train,
    transcribe,
)

COMMANDS = (
    read,
    transcribe,
    serve,
    evaluate,
    train,
    calibrate,
    data,
    extract,
    language_model,
    average,
    export,
)

#: Names of the previous version; they are accepted and not shown.
OLD_COMMANDS = {
    "letters": ("extract", "letters"),
    "words": ("extract", "words"),
    "pieces": ("extract", "subwords"),
    "prior": ("language-model",),
}
OLD_OPTIONS = {
    "--roster": "--lexicon",
    "--prior": "--language-model",
    "--no-prior": "--no-language-model",
    "--use-prior": "--use-language-model",
    "--no-use-prior": "--no-use-language-model",
    "--careful": "--tta",
    "--no-careful": "--no-tta",
    "--gold": "--reference",
}

#: The packages of each extra of pyproject.toml, as they are imported.
EXTRAS = {
    "app": ("gradio", "pandas"),
    "train": ("tensorflow", "keras", "onnx", "tqdm", "tensorboard"),
    "bulk": ("pyarrow", "ray"),
    "kaggle": ("kagglehub",),
    "jax": ("jax",),
}


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="hwr", description="Read handwritten names.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser.parse_args(_renamed(sys.argv[1:] if argv is None else argv))


def _renamed(argv: list[str]) -> list[str]:
    """Return arguments with names of the previous version replaced by the present ones."""
    if argv and argv[0] in OLD_COMMANDS:
        argv = [*OLD_COMMANDS[argv[0]], *argv[1:]]
    renamed = []
    for argument in argv:
        option, equals, value = argument.partition("=")
        renamed.append(OLD_OPTIONS.get(option, option) + equals + value)
    return renamed


def main(argv: list[str] | None = None) -> int:
    """Run one command; return 0, or 2 where the input cannot be used or an extra is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    args = get_args(argv)
    try:
        code: int = args.command(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the pipe, such as `head`, has closed it; what is left cannot be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        print(f"hwr: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        extra = next((extra for extra, names in EXTRAS.items() if error.name in names), None)
        if extra is None:
            raise
        print(
            f"hwr: This command needs the package {error.name}, which is not installed; "
            f"install it with: pip install 'hwr[{extra}]'",
            file=sys.stderr,
        )
        return 2
    return code
