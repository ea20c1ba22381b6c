"""A load generator: asks a server over kept-alive connections, one after the other or at random instants.

example: python -m benchmarks.serving.load --port 8080 --calls calls.json --kind full --n 1000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

Call = dict[str, Any]


class Reply(NamedTuple):
    """Seconds of one request: when it should have been sent (the same clock), until its answer was read; and the answer."""

    due: float
    seconds: float
    answer: dict[str, Any]


async def _ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], body: bytes) -> dict[str, Any]:
    reader, writer = streams
    head = f"POST /v1/rewrite HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(f"{head}\r\n\r\n".encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if not answer.startswith("http/1.1 200"):
        raise RuntimeError(answer.splitlines()[0])
    length = int(answer.split("content-length:")[1].split("\r\n")[0])
    found: dict[str, Any] = json.loads(await reader.readexactly(length))
    return found


async def closed(port: int, calls: Sequence[Call], connections: int) -> list[Reply]:
    """Replies to the calls, each connection sending its next as soon as it has its answer."""
    bodies, replies = iter([json.dumps(call).encode() for call in calls]), list[Reply]()

    async def one() -> None:
        streams = await asyncio.open_connection("127.0.0.1", port)
        for body in bodies:
            began = time.perf_counter()
            answer = await _ask(streams, body)
            replies.append(Reply(began, time.perf_counter() - began, answer))
        streams[1].close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return replies


def _instants(rate: float, seed: int) -> Iterator[float]:
    rng, at = Random(seed), 0.0
    while True:
        at += rng.expovariate(rate)
        yield at


async def open_loop(port: int, calls: Sequence[Call], rate: float, seed: int = 0) -> list[Reply]:
    """Replies to calls that arrive as a Poisson process of ``rate`` a second, whether or not the server keeps up."""
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    began = time.perf_counter()

    async def one(call: Call, due: float) -> Reply:
        await asyncio.sleep(due - time.perf_counter())
        while free and free[-1][0].at_eof():  # the server closes what is idle for seconds
            free.pop()
        streams = free.pop() if free else await asyncio.open_connection("127.0.0.1", port)
        answer = await _ask(streams, json.dumps(call).encode())
        free.append(streams)
        return Reply(due, time.perf_counter() - due, answer)

    replies = await asyncio.gather(*(one(c, began + at) for c, at in zip(calls, _instants(rate, seed), strict=False)))
    for _, writer in free:
        writer.close()
    return list(replies)


def main() -> None:
    """Ask, and print the replies as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--calls", type=argparse.FileType("rb"), required=True, help="JSON: kind -> bodies of requests")
    parser.add_argument("--kind", required=True)
    parser.add_argument("--first", type=int, default=0, help="number of the first call")
    parser.add_argument("--n", type=int, default=1000, help="how many calls")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--rate", type=float, help="requests a second of an open loop; without it the loop is closed")
    args = parser.parse_args()
    calls = json.load(args.calls)[args.kind][args.first : args.first + args.n]
    asking = open_loop(args.port, calls, args.rate) if args.rate else closed(args.port, calls, args.connections)
    for reply in asyncio.run(asking):
        print(json.dumps(reply))


if __name__ == "__main__":
    main()
