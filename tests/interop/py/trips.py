"""Round trips by gossip: what asks begins with `q` and a number, what answers has `r` in its place."""

import time

import trio

ASK, ANSWER = b"q", b"r"
HEAD_BYTES = 9
# An answer that takes longer counts as lost.
LOST_S = 10


class Trips:
    def __init__(self, publish):
        self.publish = publish
        self.echoed = set()
        self.quiet = set()
        self.topic = None
        self.open = {}
        self.times = []
        self.changed = trio.Event()

    def echo(self, topic, quiet):
        self.echoed.add(topic)
        self.silence(topic, quiet)

    def silence(self, topic, quiet):
        if quiet:
            self.quiet.add(topic)

    async def hear(self, topic, data):
        if data[:1] == ASK and topic in self.echoed:
            await self.publish(topic, ANSWER + data[1:])
        if data[:1] == ANSWER and topic == self.topic and len(data) >= HEAD_BYTES:
            sent = self.open.pop(int.from_bytes(data[1:HEAD_BYTES], "big"), None)
            if sent is not None:
                self.ended = time.monotonic()
                self.times.append(self.ended - sent)
                self.changed.set()

    async def measure(self, topic, count, in_flight, size, quiet):
        if self.topic is not None:
            raise RuntimeError("a measurement is under way")
        self.silence(topic, quiet)
        self.topic, self.times, lost, next = topic, [], 0, 0
        start = self.ended = time.monotonic()
        try:
            while next < count or self.open:
                while next < count and len(self.open) < in_flight:
                    self.open[next] = time.monotonic()
                    await self.publish(topic, (ASK + next.to_bytes(8, "big")).ljust(size, b"\0"))
                    next += 1
                with trio.move_on_after(0.25):
                    await self.changed.wait()
                self.changed = trio.Event()
                late = [number for number, sent in self.open.items() if time.monotonic() - sent > LOST_S]
                lost += len(late)
                for number in late:
                    del self.open[number]
        finally:
            self.topic = None
            self.open.clear()
        times = sorted(self.times)

        def quantile(part):
            return round(times[min(int(len(times) * part), len(times) - 1)] * 1e6) if times else None

        return {
            "seconds": self.ended - start if times else None,
            "p50_us": quantile(0.5),
            "p99_us": quantile(0.99),
            "lost": lost,
        }
