"""What it costs, from what was used."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.scale.inputs import Price

TIB = 2.0**40


@dataclass(frozen=True)
class Usage:
    """What was used.

    busy_s: instances' time with anything to do, and their starts; ready_s: instances' time kept ready
    requests: deliveries; events: those of them that came as events; photos: those that have a mask
    """

    busy_s: float
    requests: int
    events: int = 0
    photos: int = 0
    ready_s: float = 0


def usd(usage: Usage, cpus: float, memory_gib: float, price: Price, free: bool) -> dict[str, float]:
    """Give the US dollars of each kind; free: less the month's free share of Cloud Run."""

    def beyond(share: float, used: float) -> float:
        return max(0.0, used - share) if free else used

    cpu_usd = beyond(price.free_cpu_s, usage.busy_s * cpus) * price.cpu_s
    memory_usd = beyond(price.free_gib_s, usage.busy_s * memory_gib) * price.gib_s
    pubsub_usd = 2 * usage.events * price.event_bytes / TIB * price.pubsub_tib
    reads = usage.requests * price.reads + usage.events * price.notices
    kinds = {
        "instances": cpu_usd + memory_usd + usage.ready_s * (cpus + memory_gib) * price.idle_s,
        "requests": beyond(price.free_requests, usage.requests) * price.request,
        "storage": usage.photos * price.writes * price.class_a + reads * price.class_b,
        "events": usage.events * price.event + pubsub_usd,
    }
    return {**kinds, "total": sum(kinds.values())}
