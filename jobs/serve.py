"""Serve the current bundle over HTTP, and follow every later publish, rollback and block without a restart."""

from __future__ import annotations

import argparse
import logging
import math
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from jobs.command import Parser, run_main
from jobs.terminal import terminal_parser
from rewriter.errors import RewriterError
from serving.app import create_app
from serving.holder import Holder
from serving.service import Limits

#: Seconds that requests in flight get to finish after SIGTERM.
_DRAIN_S = 10


def _parser() -> Parser:
    limits = Limits()
    parser = terminal_parser("serve", __doc__, "--bundles warehouse/bundles --port 8080")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine alone)")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes a free one (default 8080)")
    parser.add_argument("--decisions", type=Path, help="folder of the decision log (default: decisions beside the bundles)")
    parser.add_argument("--workers", type=int, default=limits.workers, help=f"deciding threads (default {limits.workers})")
    parser.add_argument(
        "--max-in-flight",
        type=int,
        default=limits.max_in_flight,
        help=f"requests at once; more are left alone with the reason overload (default {limits.max_in_flight})",
    )
    parser.add_argument(
        "--deadline-ms",
        type=float,
        default=limits.deadline_ms,
        help=f"longest time to an answer, in milliseconds (default {limits.deadline_ms:g})",
    )
    return parser


def _require_limits(parser: Parser, args: argparse.Namespace) -> None:
    """Exit with one line that names every limit with which nothing could be answered."""
    wrong = [
        f"--{name.replace('_', '-')} must be at least 1" for name in ("workers", "max_in_flight") if getattr(args, name) < 1
    ]
    if not 0 < args.deadline_ms < math.inf:
        wrong.append("--deadline-ms must be a number above 0")
    if wrong:
        parser.error("; ".join(wrong))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises
    ------
    RewriterError
        If the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise RewriterError(f"cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error})") from error
    # Without it the body of an answer waits 40 ms for the caller's acknowledgement of its headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished first.

    Raises
    ------
    RewriterError, ContractError
        If there is no whole bundle to serve, or the port is taken.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    _require_limits(parser, args)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it says at length which instruction sets it tries
    limits = Limits(args.workers, args.max_in_flight, args.deadline_ms)
    decisions = args.decisions if args.decisions is not None else args.bundles.resolve().parent / "decisions"
    with listen(args.host, args.port) as listener:
        app = create_app(args.bundles, decisions, limits)
        holder: Holder = app.state.holder
        host = f"[{args.host}]" if ":" in args.host else args.host
        print(f"serving {holder.version} on http://{host}:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_DRAIN_S,
            lifespan="on",
            server_header=False,
        )
        server = uvicorn.Server(config)
        # A signal that comes before uvicorn listens for it; and uvicorn, having drained, raises it again for its caller.
        signal.signal(signal.SIGTERM, lambda *_: setattr(server, "should_exit", True))
        server.run(sockets=[listener])
    print("stopped", flush=True)


if __name__ == "__main__":
    run_main(main)
