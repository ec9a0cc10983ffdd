"""CPU per sample of the gateway beside servers of other makers, all measured in turn in one run.

    make peers                                                # installs them, then measures (ARGS="--quick")
    python loadtests/peers.py --lines cached,batch --peers mosec --pairs 7 --write table.md

Every server has a trivial model, the length of a response, so that what is measured is the server: user and system
time of all its processes while ``wrk`` posts prepared bodies. The yardstick, "plain", is FastAPI as OpenRLHF's examples
write a remote reward model. In each round every server is measured once, in the next round in the opposite order; a
ratio is the median over the rounds of (server / plain), with the least and the greatest. Peers keep no scores: what
they do is the same in a cold and in a cached line.
"""

import argparse
import asyncio
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import wrk
from generator import Answers, open_loop, request
from peer_stack import (
    DEFAULT,
    PEERS,
    SERVER,
    TRITON,
    VALKEY,
    LeftOut,
    Server,
    gateway_running,
    model_running,
    peer_running,
    title,
)
from rich.console import Console
from rich.table import Table

CONNECTIONS = 64
BATCH = 256
BATCH_CONNECTIONS = 4
"""Few, since batches that are not answered when the time is over have cost CPU and are not counted."""
BODIES = 64
WARM_UP_S = 1
DRAIN_S = 3
"""For which a server may go on with posts whose client is gone: else its next round begins behind them."""
MOST_RATE = 1000
"""Posts per second of the open loop at most: it runs in Python, beside what it measures."""

T = TypeVar("T")
console = Console()


@dataclass(frozen=True, slots=True)
class Entrant:
    """A server with what it is posted in one line."""

    server: Server
    url: str
    bodies: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU in µs per sample, by part of the server, and samples per second."""

    parts: Mapping[str, float]
    rate: float


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: what was measured, how it compares, what stands beside it, the load average meanwhile."""

    line: str
    server: str
    measured: str
    ratio: str = ""
    beside: str = ""
    load: str = ""


@dataclass(slots=True)
class Run:
    """How often and how long each server is measured, and the servers: plain is the first of the peers."""

    pairs: int
    seconds: int
    gateway: Server
    peers: Sequence[Server]
    rows: list[Row] = field(default_factory=list)

    def entrants(
        self, path: str, ours: Sequence[bytes], theirs: Sequence[bytes], *, all_peers: bool = True
    ) -> list[Entrant]:
        """Plain, the gateway, and the other peers where they take such posts."""
        plain, *others = (Entrant(peer, peer.url, theirs) for peer in self.peers)
        return [plain, Entrant(self.gateway, self.gateway.url + path, ours), *(others if all_peers else ())]

    def take_turns(
        self, line: str, entrants: Sequence[Entrant], measure: Callable[[Entrant], T]
    ) -> tuple[list[list[T]], str]:
        """What was measured of each entrant, a value per round, and the load averages meanwhile."""
        found: list[list[T]] = [[] for _ in entrants]
        loads = []
        for number in range(self.pairs):
            order = range(len(entrants)) if number % 2 == 0 else reversed(range(len(entrants)))
            for k in order:
                found[k].append(measure(entrants[k]))
                loads.append(os.getloadavg()[0])
            console.print(f"  {line}: round {number + 1} of {self.pairs}, load {loads[-1]:.1f}")
        return found, f"{min(loads):.0f} to {max(loads):.0f}"


def samples(count: int, number: int, **more: str) -> list[dict[str, str]]:
    """Samples of some 90 characters, each unlike the others."""
    said = "in boiling water for 8 minutes, then in cold water."
    texts = ((f"How do I boil egg {number}?", f"Put {i} of {number} {said}") for i in range(count))
    return [{"prompt": prompt, "response": response, **more} for prompt, response in texts]


def bodies(count: int, **more: object) -> list[bytes]:
    """What is posted in turn: requests of so many samples."""
    made = BODIES if count == 1 else BODIES // 4
    return [json.dumps({"samples": samples(count, number), **more}).encode() for number in range(made)]


def bodies_of_their_own(**more: object) -> list[bytes]:
    """Requests of one sample, each with a name that no other has: the scores are cached, the answers are not kept."""
    named = (samples(1, number, id=wrk.NUMBER) for number in range(BODIES))
    return [json.dumps({"samples": sample, **more}).encode() for sample in named]


def mixed_bodies() -> list[bytes]:
    """Posts of one sample, whose responses have 4 to 300 words: as many below 35 as above."""
    lengths = [round(4 * 75 ** (k / (BODIES - 1))) for k in range(BODIES)]
    words = ("put", "the", "egg", "into", "boiling", "water", "for", "some", "minutes", "and", "then", "cool", "it")
    made = []
    for k in range(BODIES):
        response = " ".join([str(k), *(words[i % len(words)] for i in range(lengths[k * 29 % BODIES]))])
        made.append(json.dumps({"samples": [{"prompt": f"Egg {k}?", "response": response}]}).encode())
    return made


def openrlhf_bodies(**more: object) -> list[bytes]:
    """Posts of one sample, as OpenRLHF's trainer makes them."""
    rows = [samples(1, number)[0] for number in range(BODIES)]
    made = [{"query": [row["prompt"] + row["response"]], "prompts": [row["prompt"]], "labels": [None]} for row in rows]
    return [json.dumps(body | more).encode() for body in made]


def check(entrant: Entrant) -> None:
    """Post each body once, which fills a cache, and see a number for every sample.

    Raises:
        RuntimeError: the server answered something else.
    """
    with httpx.Client(timeout=wrk.LONGEST_ANSWER_S, headers={"Content-Type": "application/json"}) as client:
        for body in entrant.bodies:
            answer = client.post(entrant.url, content=body)
            sent = json.loads(body)
            rewards = read_rewards(answer.json()) if answer.is_success else []
            expected = len(sent["samples"] if "samples" in sent else sent["query"])
            if len(rewards) != expected or not all(isinstance(reward, float) for reward in rewards):
                raise RuntimeError(f"{entrant.url}: {expected} numbers expected, not {answer.text[:300]}")


def read_rewards(answer: Mapping[str, Any]) -> list[Any]:
    """The numbers of an answer, the gateway's or another's."""
    return answer["rewards"] if "rewards" in answer else [result["reward"] for result in answer["results"]]


def spread(values: Sequence[float]) -> str:
    """The median, the least and the greatest."""
    return f"**{statistics.median(values):.2f}** ({min(values):.2f} to {max(values):.2f})"


def microseconds(values: Sequence[float]) -> str:
    """The median, with no more digits than it is worth."""
    median = statistics.median(values)
    return f"{median:,.0f} µs" if median >= 100 else f"{median:.1f} µs"


def over(values: Sequence[float], yardstick: Sequence[float]) -> str:
    """The ratios of the rounds."""
    return spread([a / b for a, b in zip(values, yardstick, strict=True)])


def measure_cost(run: Run, line: str, entrants: Sequence[Entrant], count: int, connections: int) -> None:
    """CPU per sample of each entrant, posts holding ``count`` samples."""

    def measure(entrant: Entrant) -> Cost:
        before = entrant.server.cpu()
        load = wrk.post(entrant.url, entrant.bodies, run.seconds, connections)
        after = entrant.server.cpu()
        answered = load.posts * count
        return Cost({part: (after[part] - before[part]) / answered * 1e6 for part in after}, load.rate * count)

    for entrant in entrants:
        check(entrant)
        wrk.post(entrant.url, entrant.bodies, WARM_UP_S, connections)
    found, load = run.take_turns(line, entrants, measure)
    plain = [cost.parts[SERVER] for cost in found[0]]
    for entrant, costs in zip(entrants, found, strict=True):
        own = [cost.parts[SERVER] for cost in costs]
        parts = [part for part in (TRITON, VALKEY) if part in costs[0].parts]
        beside = [f"{part} {microseconds([cost.parts[part] for cost in costs])}" for part in parts]
        beside.append(f"{statistics.median(cost.rate for cost in costs):,.0f} samples/s")
        ratio = "1" if costs is found[0] else over(own, plain)
        run.rows.append(Row(line, entrant.server.title, microseconds(own), ratio, ", ".join(beside), load))


def measure_cold(run: Run) -> None:
    entrants = run.entrants("/v1/score", bodies(1, options={"cache": "off"}), bodies(1))
    measure_cost(run, "one sample, cold", entrants, 1, CONNECTIONS)


def measure_cached(run: Run) -> None:
    measure_cost(run, "one sample, cached", run.entrants("/v1/score", bodies(1), bodies(1)), 1, CONNECTIONS)


def measure_default(run: Run) -> None:
    entrants = run.entrants("/v1/score", bodies(1, reward=DEFAULT), bodies(1), all_peers=False)
    measure_cost(run, "one sample, default recipe, cached", entrants, 1, CONNECTIONS)


def measure_own_bodies(run: Run) -> None:
    """Cached samples in requests that do not come again, of one model and of the default recipe."""
    for line, more in (("one sample", {}), ("default recipe", {"reward": DEFAULT})):
        entrants = run.entrants("/v1/score", bodies_of_their_own(**more), bodies_of_their_own(), all_peers=False)
        measure_cost(run, f"{line}, cached, no body twice", entrants, 1, CONNECTIONS)
    posts = openrlhf_bodies(step=wrk.NUMBER)  # a key that nobody reads
    entrants = run.entrants("/get_reward", posts, posts, all_peers=False)
    measure_cost(run, "OpenRLHF's post, cached, no body twice", entrants, 1, CONNECTIONS)


def measure_openrlhf(run: Run) -> None:
    posts = openrlhf_bodies()
    entrants = run.entrants("/get_reward", posts, posts, all_peers=False)
    measure_cost(run, "one sample, OpenRLHF's post, cached", entrants, 1, CONNECTIONS)


def measure_batches(run: Run) -> None:
    entrants = run.entrants("/v1/score", bodies(BATCH, options={"cache": "off"}), bodies(BATCH))
    measure_cost(run, f"batches of {BATCH}, cold", entrants, BATCH, BATCH_CONNECTIONS)


def measure_workers(run: Run) -> None:
    """Posts per second of two workers beside one, and how evenly the two share the work."""
    line = "one sample, cached, 2 workers"
    with gateway_running(workers=2) as two:
        entrants = [Entrant(server, f"{server.url}/v1/score", bodies(1)) for server in (run.gateway, two)]

        def measure(entrant: Entrant) -> tuple[float, float]:
            """Posts per second, and the largest share of the CPU that one worker had."""
            before = entrant.server.workers()
            load = wrk.post(entrant.url, entrant.bodies, run.seconds, CONNECTIONS)
            used = [seconds - before[pid] for pid, seconds in entrant.server.workers().items()]
            return load.rate, max(used) / sum(used)

        for entrant in entrants:
            check(entrant)
            wrk.post(entrant.url, entrant.bodies, WARM_UP_S, CONNECTIONS)
        (one, both), load = run.take_turns(line, entrants, measure)
    rates = [rate for rate, _ in both]
    ratio = f"{over(rates, [rate for rate, _ in one])} of one worker's"
    shares = [share for _, share in both]
    beside = f"the busier worker has {statistics.median(shares):.0%} of the CPU (at most {max(shares):.0%})"
    measured = f"{statistics.median(rates):,.0f} posts/s"
    run.rows.append(Row(line, run.gateway.title, measured, ratio, beside, load))


def measure_latency(run: Run) -> None:
    """Latency in an open loop at half of what the server answers at most."""
    line = "latency at half load, cached"
    entrants = run.entrants("/v1/score", bodies(1), bodies(1))
    rates: dict[str, float] = {}
    for entrant in entrants:
        check(entrant)
        peak = wrk.post(entrant.url, entrant.bodies, run.seconds, CONNECTIONS).rate
        rates[entrant.url] = min(MOST_RATE, peak / 2)

    def measure(entrant: Entrant) -> Answers:
        rate = rates[entrant.url]
        posts = [request(entrant.url, body) for body in entrant.bodies]
        due = [posts[k % len(posts)] for k in range(math.ceil(rate * run.seconds))]
        answers = asyncio.run(open_loop(entrant.url, due, rate))
        if answers.ok < answers.count:
            raise RuntimeError(f"{entrant.url}: answered with {answers.statuses}")
        return answers

    found, load = run.take_turns(line, entrants, measure)
    plain = [answers.quantile(0.99) for answers in found[0]]
    for entrant, rounds in zip(entrants, found, strict=True):
        p50, p99 = ([answers.quantile(q) for answers in rounds] for q in (0.5, 0.99))
        measured = f"p50 {statistics.median(p50) * 1e3:.1f}, p99 {statistics.median(p99) * 1e3:.1f} ms"
        ratio = "1" if rounds is found[0] else f"p99 {over(p99, plain)}"
        beside = f"p99 / p50 {over(p99, p50)}, {rates[entrant.url]:,.0f} posts/s"
        run.rows.append(Row(line, entrant.server.title, measured, ratio, beside, load))


def measure_mixed(run: Run) -> None:
    """Posts per second of one sample each, of mixed lengths, to the same model: one thread, nothing remembered."""
    line = "one sample of mixed length, text model"
    posts = mixed_bodies()
    with model_running() as ours, peer_running("mosec-model") as theirs:
        options = [json.dumps({**json.loads(post), "options": {"cache": "off"}}).encode() for post in posts]
        entrants = [Entrant(ours, f"{ours.url}/v1/score", options), Entrant(theirs, theirs.url, posts)]
        for entrant in entrants:
            check(entrant)

        def measure(entrant: Entrant) -> float:
            rate = wrk.post(entrant.url, entrant.bodies, 4 * run.seconds, CONNECTIONS).rate
            time.sleep(DRAIN_S)
            return rate

        found, load = run.take_turns(line, entrants, measure)
    ratio = f"{over(found[0], found[1])} of mosec's"
    for entrant, rates, cell in zip(entrants, found, (ratio, ""), strict=True):
        run.rows.append(Row(line, entrant.server.title, f"{statistics.median(rates):,.0f} posts/s", cell, "", load))


LINES: Mapping[str, Callable[[Run], None]] = {
    "cold": measure_cold,
    "cached": measure_cached,
    "default": measure_default,
    "openrlhf": measure_openrlhf,
    "own": measure_own_bodies,
    "batch": measure_batches,
    "workers": measure_workers,
    "latency": measure_latency,
    "mixed": measure_mixed,
}
HEADS = ("line", "server", "measured", "of plain", "beside it", "load")


def cells(row: Row) -> tuple[str, ...]:
    return (row.line, row.server, row.measured, row.ratio, row.beside, row.load)


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(title="CPU per sample, or as said; medians over the rounds (least to greatest)")
    for head in HEADS:
        table.add_column(head, no_wrap=head == "server")
    for k, row in enumerate(rows):
        if k and row.line != rows[k - 1].line:
            table.add_section()
        table.add_row(*(cell.replace("**", "") for cell in cells(row)))
    console.print(table)


def markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEADS, ("---",) * len(HEADS), *map(cells, rows))) + "\n"


def listed(choices: Mapping[str, object]) -> Callable[[str], list[str]]:
    """What reads names divided by commas."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in choices]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(choices)}")
        return names

    return read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=listed(PEERS), default=list(PEERS), help=f"of {','.join(PEERS)}")
    parser.add_argument("--lines", type=listed(LINES), default=list(LINES), help=f"of {','.join(LINES)}")
    parser.add_argument("--pairs", type=int, help="rounds per line (default: 5, quick: 2)")
    parser.add_argument("--quick", action="store_true", help="two rounds of one second instead of five of two")
    parser.add_argument("--write", type=Path, help="write the table to this file, as Markdown")
    arguments = parser.parse_args()
    wrk.require()
    left_out = []
    with ExitStack() as servers:
        peers = [servers.enter_context(peer_running("plain"))]
        for name in PEERS:
            if name == "plain" or name not in arguments.peers:
                continue
            console.print(f"starting {name}")
            try:
                peers.append(servers.enter_context(peer_running(name)))
            except LeftOut as reason:
                console.print(f"  left out: {reason}")
                left_out.append(Row("all", title(name), "left out", beside=str(reason)))
        console.print("starting reward-gateway")
        gateway = servers.enter_context(gateway_running())
        run = Run(arguments.pairs or (2 if arguments.quick else 5), 1 if arguments.quick else 2, gateway, peers)
        for name in arguments.lines:
            console.print(f"{name}, {time.strftime('%H:%M:%S')}")
            try:
                LINES[name](run)
            except (RuntimeError, LeftOut) as fault:  # what else was measured is worth its table
                console.print(f"  {fault}")
                run.rows.append(Row(name, "", "failed", beside=str(fault)))
    rows = [*run.rows, *left_out]
    show(rows)
    if arguments.write:
        arguments.write.write_text(markdown(rows))


if __name__ == "__main__":
    main()
