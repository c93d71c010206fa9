"""The command `hwr serve`: the web page."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwr.commands import options
from hwr.defaults import SAMPLES, default_data, default_model

if TYPE_CHECKING:
    import gradio as gr

#: Pictures offered on the Upload and Batch tabs.
EXAMPLES = 8


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser(
        "serve",
        parents=[options.MODEL, options.DATA],
        help="serve the web page on http://127.0.0.1:7860",
        epilog="Each option has an environment variable.",
    )
    option = parser.add_argument
    option(
        "--host",
        help="address to listen on ($HWR_HOST, else 127.0.0.1; all addresses on a Hugging Face "
        "Space)",
    )
    option("--port", type=int, help="port ($HWR_PORT, else 7860)")
    option(
        "--queue-size",
        type=int,
        help="readings that may wait before visitors are asked to come back ($HWR_QUEUE_SIZE, "
        "else 32)",
    )
    option(
        "--name",
        action="append",
        dest="names",
        help="another host name of the page, for instance names.example.org behind a proxy; can be "
        "repeated ($HWR_NAMES, with commas)",
    )
    option(
        "--mcp",
        action="store_true",
        help="offer the endpoints as tools to language models, too ($HWR_MCP=1); needs "
        "pip install 'gradio[mcp]'",
    )
    parser.set_defaults(command=serve)


def from_environment(args: argparse.Namespace) -> argparse.Namespace:
    """Return arguments in which environment variables stand for options not given.

    Raises:
        ValueError: a variable holds no number.
    """
    names = args.names or os.environ.get("HWR_NAMES", "").split(",")
    given = {
        "port": _number("HWR_PORT", 7860) if args.port is None else args.port,
        "queue_size": _number("HWR_QUEUE_SIZE", 32) if args.queue_size is None else args.queue_size,
        "names": [name.strip() for name in names if name.strip()],
        "host": args.host or os.environ.get("HWR_HOST") or None,
        "mcp": args.mcp or os.environ.get("HWR_MCP") == "1",
    }
    return argparse.Namespace(**vars(args) | given)


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"${name} must be a whole number. Received: {text!r}") from None


def _login() -> tuple[str, str] | None:
    """Return name and password of $HWR_LOGIN, or None.

    There is no option for it: a command line can be read by everybody on the machine.

    Raises:
        ValueError: the variable does not hold both.
    """
    text = os.environ.get("HWR_LOGIN")
    if not text:
        return None
    name, _, password = text.partition(":")
    if not name or not password:
        raise ValueError("$HWR_LOGIN must be NAME:PASSWORD; one of them is missing.")
    return name, password


def make_page(args: argparse.Namespace) -> gr.Blocks:
    """Return the page for the model and data of the command line; the model loads in a thread.

    Raises:
        hwr.network.model_folder.ModelFolderError: the model folder cannot be used.
    """
    from hwr.network.model_folder import load_spec
    from hwr.recognizer import Recognizer
    from hwr.ui.about import about_model
    from hwr.ui.background_reader import Reader
    from hwr.ui.page import build
    from hwr.ui.tabs.samples import Samples

    model = args.model or default_model()
    spec = load_spec(model)
    reader = Reader(lambda: Recognizer.load(model))
    return build(
        reader,
        Samples(args.data or default_data(), spec.alphabet),
        read_many=reader.read_many,
        examples=[s.path for s in Samples(SAMPLES, spec.alphabet).usable("test", EXAMPLES)],
        model=model,
        about=about_model(model),
    )


def launch(page: gr.Blocks, args: argparse.Namespace, **settings: Any) -> None:
    """Serve `page`, by default to this machine alone.

    Raises:
        ValueError: --mcp needs a package that is not installed, or the login is incomplete.
    """
    from gradio.utils import get_upload_folder
    from starlette.middleware import Middleware

    from hwr.bulk.zip_archive import MAX_ARCHIVE
    from hwr.ui.page import READERS
    from hwr.ui.server.cleanup import VISITORS, upkeep
    from hwr.ui.server.gradio_queue import make_steady
    from hwr.ui.server.request_guard import Guard, own_names
    from hwr.ui.style import HEAD, SCRIPT, STYLE, theme

    if args.mcp and importlib.util.find_spec("mcp") is None:
        raise ValueError("--mcp needs another package; install it with pip install 'gradio[mcp]'.")
    # Gradio sums up the last 10,000 events after each one, also where the monitor is off.
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
    page.queue(default_concurrency_limit=READERS, max_size=args.queue_size)
    make_steady(page)
    on_space = "SPACE_ID" in os.environ
    host = args.host or ("0.0.0.0" if on_space else "127.0.0.1")
    guard = Middleware(
        Guard,
        uploads=Path(get_upload_folder()),
        hosts=own_names(host, args.names),
        tools=args.mcp,
        framed=on_space,
    )
    page.launch(
        server_name=host,
        server_port=args.port,
        share=False,
        show_error=False,
        # A single picture is refused above hwr.image.MAX_BYTES when it is read.
        max_file_size=MAX_ARCHIVE,
        enable_monitoring=False,
        run_history=False,
        strict_cors=True,
        ssr_mode=False,
        mcp_server=args.mcp,
        state_session_capacity=VISITORS,
        auth=_login(),
        app_kwargs={"middleware": [guard], "lifespan": upkeep(page)},
        allowed_paths=None,
        footer_links=["api"],
        theme=theme(),
        css=STYLE,
        head=HEAD,
        js=SCRIPT,
        **settings,
    )


def serve(args: argparse.Namespace) -> int:
    """Serve the page until interrupted."""
    # Gradio reads these variables when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

    from PIL import Image

    from hwr.image import MAX_PIXELS
    from hwr.ui.server.temp_folder import scratch, scratch_root

    # Gradio decodes drawings itself. Pillow refuses images of more than twice this number.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
    args = from_environment(args)
    os.environ.setdefault("GRADIO_TEMP_DIR", str(scratch("uploads")))
    os.environ.setdefault("GRADIO_EXAMPLES_CACHE", str(scratch("examples")))
    page = make_page(args)
    # Uploads that are being received are temporary files.
    tempfile.tempdir = str(scratch_root())
    # A service that is stopped removes its files, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    launch(page, args)
    return 0
