"""The simulation of a million photos, compared with queueing theory, with the prices, and with a measured run."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.scale import check, inputs, plan, workload
from benchmarks.scale.__main__ import main
from benchmarks.scale.fleet import Fleet
from benchmarks.scale.inputs import Inputs
from benchmarks.scale.simulation import Outcome, Sender, Simulation
from benchmarks.scale.workload import Workload
from tests.support.paths import ROOT

Values = NDArray[np.float64]

INPUTS = inputs.read()
FLEET = Fleet(max_instances=4, cpus=1, concurrency=1, start_s=2, queue_s=math.inf, idle_s=900)
EAGER = Sender(10**9, 10**9, 1, 8)


def changed(**sections: dict[str, Any]) -> Inputs:
    """Return the inputs with some values changed, by section."""
    return {name: {**values, **sections.get(name, {})} for name, values in INPUTS.items()}


def work(
    due_s: Values | Sequence[float],
    cpu_s: Values | float,
    write_s: Values | float = 0.0,
    failures: Sequence[int] | NDArray[np.int64] | int = 0,
) -> Workload:
    """Return a workload in which each delivery is another photo."""
    count = len(due_s)
    cpu, write = (np.broadcast_to(np.asarray(values, dtype=float), count) for values in (cpu_s, write_s))
    failed = np.broadcast_to(np.asarray(failures), count)
    return Workload(np.asarray(due_s, dtype=float), np.arange(count), 0.0, cpu, write, failed)


def drawn(pattern: str, photos: int = 20_000, seed: int = 5, duplicate_share: float = 0.1) -> Workload:
    """Draw the workload of a pattern, with many failures and duplicates."""
    values = changed(
        function={"failure_share": 0.05}, events={"duplicate_share": duplicate_share}, arrivals={"burst_s": 300}
    )
    return workload.make(pattern, photos, values, seed)


def simulate(work: Workload, fleet: Fleet = FLEET, sender: Sender = EAGER) -> Outcome:
    return Simulation(work, sender, fleet).run()


def poisson(rate: float, count: int, seed: int = 3) -> Values:
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count))


def exponential(mean: float, count: int, seed: int = 4) -> Values:
    return np.random.default_rng(seed).exponential(mean, count)


def erlang_c_wait_s(rate: float, service_s: float, servers: int) -> float:
    """Return the mean wait in an M/M/c queue (Erlang's C formula)."""
    load = rate * service_s
    last = load**servers / math.factorial(servers) / (1 - load / servers)
    probability = last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)
    return probability * service_s / (servers - load)


# Known answers


@pytest.mark.parametrize(("instances", "cpus", "photos"), [(1, 1, 7), (4, 1, 10), (2, 3, 12), (3, 2, 100)])
def test_equal_photos_sent_at_once_take_the_fewest_rounds(instances: int, cpus: int, photos: int) -> None:
    fleet = replace(FLEET, max_instances=instances, ready=instances, cpus=cpus, concurrency=cpus)
    assert simulate(work(np.zeros(photos), 1.5), fleet).wall_s == pytest.approx(1.5 * -(-photos // (instances * cpus)))


def test_photos_share_the_cpu_but_write_in_parallel() -> None:
    fleet = replace(FLEET, max_instances=1, ready=1, concurrency=4)
    assert simulate(work(np.zeros(4), 1.0, write_s=0.5), fleet).served_s == [1.5, 2.5, 3.5, 4.5]


def test_a_photo_goes_to_the_instance_with_the_least_load() -> None:
    fleet = replace(FLEET, max_instances=2, ready=2, concurrency=2)
    assert simulate(work(np.zeros(2), 1.0), fleet).served_s == [1.0, 1.0]


def test_the_first_photo_waits_for_a_start_which_is_billed() -> None:
    outcome = simulate(work([10.0], 0.25))
    assert outcome.served_s == [12.25]
    assert outcome.billed_s == pytest.approx(2 + 0.3)  # rounded up to 100 ms


def test_time_billed_by_rounding_up_is_not_billed_twice() -> None:
    outcome = simulate(work([0.0, 0.15], 0.11), replace(FLEET, max_instances=1, ready=1))
    assert outcome.billed_s == pytest.approx(0.2 + 0.1)


@pytest.mark.parametrize(("instances", "cpus", "concurrency"), [(4, 1, 1), (1, 4, 4), (1, 4, 1000), (2, 2, 2)])
def test_the_mean_wait_of_random_arrivals_follows_erlangs_formula(instances: int, cpus: int, concurrency: int) -> None:
    rate, service_s, count = 3.2, 1.0, 150_000
    due_s, cpu_s = poisson(rate, count), exponential(service_s, count)
    fleet = replace(FLEET, max_instances=instances, ready=instances, cpus=cpus, concurrency=concurrency)
    waits = np.array(simulate(work(due_s, cpu_s), fleet).served_s) - due_s - cpu_s
    assert waits.mean() == pytest.approx(erlang_c_wait_s(rate, service_s, 4), rel=0.06)


def test_the_number_of_photos_in_the_system_follows_littles_law() -> None:
    rate, count = 3.0, 60_000
    due_s = poisson(rate, count)
    outcome = simulate(work(due_s, exponential(0.5, count), write_s=0.4), replace(FLEET, ready=4, concurrency=2))
    in_system = [in_progress + queued for now, _, in_progress, queued in outcome.timeline if now < due_s[-1]]
    stay_s = np.mean(np.array(outcome.served_s) - due_s)
    assert np.mean(in_system) == pytest.approx(rate * stay_s, rel=0.03)


def test_a_steady_load_uses_sixty_percent_of_the_cpus() -> None:
    due_s = np.arange(0, 1200, 1 / 12)
    outcome = simulate(work(due_s, 0.5), replace(FLEET, max_instances=100, concurrency=8, idle_s=60))
    (instances,) = {instances for now, instances, _, _ in outcome.timeline if 600 < now < 1190}
    assert instances == 10  # 12 per second, half a CPU-second each


# Invariants


@pytest.mark.parametrize("pattern", plan.PATTERNS)
@pytest.mark.parametrize("limit", [2, 50])
@pytest.mark.parametrize("kill_every_s", [0, 7])
def test_every_photo_gets_a_mask_and_every_failure_is_retried(pattern: str, limit: int, kill_every_s: float) -> None:
    fleet = replace(FLEET, max_instances=limit, concurrency=8, kill_every_s=kill_every_s)
    sender = replace(plan.sender(pattern, limit, INPUTS), max_attempts=math.inf, retention_s=math.inf)
    photos = drawn(pattern)
    outcome = simulate(photos, fleet, sender)
    assert not np.isnan(outcome.served_s).any()
    assert (np.array(outcome.served_s) > photos.first_due_s()).all()
    assert outcome.deliveries == len(photos.photo) + outcome.retries
    assert outcome.retries >= photos.failures.sum() + outcome.refusals
    assert (outcome.kills > 0) == (kill_every_s > 0)


@pytest.mark.parametrize("limit", [1, 3, 40])
def test_instances_and_their_deliveries_never_exceed_their_limits(limit: int) -> None:
    fleet = replace(FLEET, max_instances=limit, concurrency=8, kill_every_s=11, idle_s=20)
    outcome = simulate(drawn("burst"), fleet, plan.sender("burst", limit, INPUTS))
    assert max(instances for _, instances, _, _ in outcome.timeline) == outcome.peak_instances <= limit
    assert max(in_progress for _, _, in_progress, _ in outcome.timeline) <= 8 * limit


@pytest.mark.parametrize("pattern", plan.PATTERNS)
def test_more_instances_never_take_longer(pattern: str) -> None:
    walls = []
    for limit in (1, 2, 4, 8, 16, 64, 256):
        fleet = replace(FLEET, max_instances=limit, concurrency=8)
        walls.append(simulate(drawn(pattern), fleet, plan.sender(pattern, limit, INPUTS)).wall_s)
    assert walls == sorted(walls, reverse=True)
    assert walls[0] > walls[-1] or pattern == "day"


def test_the_figures_depend_on_the_seed_alone() -> None:
    first, again, other = (plan.simulate("burst", 5, 3000, INPUTS, seed) for seed in (1, 1, 2))
    assert first == again != other


# Failures


def test_only_a_photo_that_fails_too_often_is_dropped() -> None:
    failures = np.array([0, 1, 4, 5, 9])
    outcome = simulate(work(np.zeros(5), 0.1, failures=failures), sender=replace(EAGER, max_attempts=5))
    assert np.isnan(outcome.served_s).tolist() == [False, False, False, True, True]
    assert outcome.deliveries == 1 + 2 + 5 + 5 + 5


def test_an_expired_event_is_dropped() -> None:
    fleet = replace(FLEET, max_instances=1, ready=1)
    outcome = simulate(work(np.zeros(10), 1.0), fleet, Sender(1, 1, 1, 8, retention_s=4.5))
    assert np.isnan(outcome.served_s).tolist() == [False] * 5 + [True] * 5


def test_an_event_that_fails_after_its_expiry_is_dropped() -> None:
    outcome = simulate(work([0.0], 1.0, failures=9), replace(FLEET, ready=1), replace(EAGER, retention_s=7.5))
    assert np.isnan(outcome.served_s).all()
    assert outcome.deliveries == 4  # it fails at 1, 3, 6 and 11 s


def test_queued_requests_are_served_in_order() -> None:
    assert simulate(work([0.0, 0.1, 0.2], 1.0), replace(FLEET, max_instances=1, ready=1)).served_s == [1.0, 2.0, 3.0]


def test_the_backoff_doubles_up_to_its_maximum() -> None:
    outcome = simulate(work([0.0], 1.0, failures=5), replace(FLEET, ready=1))
    assert outcome.wall_s == 6 * 1.0 + 1 + 2 + 4 + 8 + 8


def test_a_request_that_is_queued_too_long_is_refused_and_retried() -> None:
    fleet = replace(FLEET, max_instances=1, ready=1, queue_s=10)
    outcome = simulate(work(np.zeros(5), 4.0), fleet, replace(EAGER, min_backoff_s=10))
    assert outcome.refusals > 0
    assert outcome.deliveries == 5 + outcome.refusals
    assert outcome.wall_s >= 5 * 4.0
    assert not simulate(work(np.zeros(3), 4.0), fleet).refusals


def test_deliveries_to_a_killed_instance_fail_and_are_retried() -> None:
    fleet = replace(FLEET, max_instances=1, ready=1, start_s=3, kill_every_s=2.5)
    outcome = simulate(work(np.zeros(2), 1.9), fleet)
    # The second photo is killed at 2.5, the next instance serves from 5.5, past the kill at 5 that finds none.
    assert outcome.served_s == pytest.approx([1.9, 7.4])
    assert outcome.kills == 1


def test_kills_reduce_the_throughput_by_the_time_of_the_restarts() -> None:
    service_s = workload.log_normal(60, 100, 2000, np.random.default_rng(1)) / 1000
    photos, sender = work(np.zeros(2000), 0.0, write_s=service_s), Sender(16, 16, 0, 0)
    fleet = replace(FLEET, max_instances=3, ready=3, concurrency=4, start_s=1)
    undisturbed = simulate(photos, fleet, sender)
    assert undisturbed.wall_s == pytest.approx(service_s.sum() / 12, rel=0.03)  # 3 instances of 4
    killed = simulate(photos, replace(fleet, kill_every_s=3), sender)
    # One of three is away for a third of the time.
    assert killed.wall_s == pytest.approx(undisturbed.wall_s * 9 / 8, rel=0.03)


# The autoscaler and the window of the sender


@pytest.mark.parametrize(("pause_s", "starts"), [(800, 1), (1000, 2)])
def test_an_idle_instance_is_kept_for_fifteen_minutes(pause_s: float, starts: int) -> None:
    assert simulate(work([0.0, pause_s], 0.1)).starts == starts


def test_a_job_of_the_client_is_occupied_while_it_waits_for_a_retry() -> None:
    failures = [3, 0]
    holding, releasing = (
        simulate(
            work([0.0, 0.0], 1.0, failures=failures), replace(FLEET, ready=1), Sender(1, 1, 5, 5, holds_slot=holds_slot)
        )
        for holds_slot in (True, False)
    )
    assert holding.served_s == [19.0, 20.0]
    assert releasing.served_s[1] == 2.0


def test_the_window_grows_with_success_up_to_its_maximum() -> None:
    outcome = simulate(work(np.zeros(400), 1.0), replace(FLEET, max_instances=100, ready=100), Sender(1, 16, 1, 8))
    assert max(in_progress for _, _, in_progress, _ in outcome.timeline) == 16
    assert outcome.wall_s == pytest.approx(5 + math.ceil((400 - 31) / 16), abs=1)


# Arrivals


@pytest.mark.parametrize("pattern", plan.PATTERNS)
def test_deliveries_are_due_in_order(pattern: str) -> None:
    photos = drawn(pattern)
    assert (np.diff(photos.due_s) >= 0).all()
    counts = Counter(photos.photo.tolist())
    assert len(counts) == 20_000
    assert len(photos.photo) - 20_000 == pytest.approx(0 if pattern == "backfill" else 2000, rel=0.1)


def test_a_day_is_busiest_at_noon_and_quietest_at_midnight() -> None:
    due_s = drawn("day", duplicate_share=0).due_s
    hours = np.histogram(due_s, bins=24, range=(0, workload.DAY_S))[0] * 24 / len(due_s)
    assert hours[12] == pytest.approx(1.8, rel=0.1)
    assert hours[0] == pytest.approx(0.2, rel=0.3)


def test_times_have_the_given_median_and_95th_percentile() -> None:
    times = workload.log_normal(66, 110, 200_000, np.random.default_rng(1))
    assert np.percentile(times, [50, 95]) == pytest.approx([66, 110], rel=0.01)


# The cost


def test_the_cost_equals_a_calculation_by_hand() -> None:
    values = changed(function={"cpus": 2, "memory_gib": 0.5})
    costs = plan.usd(values, billed_s=1000, requests=10_000, events=10_000, photos=9000)
    assert costs["instances"] == pytest.approx(1000 * (2 * 0.000024 + 0.5 * 0.0000025))
    assert costs["requests"] == pytest.approx(0.004)
    assert costs["storage"] == pytest.approx(9000 * 0.000005 + 10_000 * 3 * 0.0000004)
    assert costs["events"] == pytest.approx(2 * 10_000 * 2048 / 2**40 * 40)
    assert costs["total"] == pytest.approx(sum(costs.values()) - costs["total"])


@pytest.mark.skipif(not shutil.which("awk"), reason="awk is not installed")
@pytest.mark.parametrize("region", ["europe-west1", "europe-west3"])
@pytest.mark.parametrize(
    ("cpu", "memory_gib", "ready"), [(1, 1, 0), (4, 8, 0), (2, 0.5, 3), (0.5, 1, 0), (0.1, 0.5, 0)]
)
def test_the_costs_are_those_that_a_deployment_prints(cpu: float, memory_gib: float, ready: int, region: str) -> None:
    slower = 1 / min(cpu, 1)
    for count, dollars in printed_costs(region, cpu, f"{memory_gib * 1024:g}Mi", ready).items():
        values = changed(function={"cpus": cpu, "memory_gib": memory_gib})
        values["price"] |= {name: fact["value"] for name, fact in inputs.prices(region).items()}
        billed_s = count * (0.2 + (0 if ready else 0.03)) * slower
        costs = plan.usd(values, billed_s, count, ready_s=ready * 30 * 86400, free_tier=True)
        assert costs["instances"] + costs["requests"] == pytest.approx(dollars, abs=0.0051)


def printed_costs(region: str, cpu: float, memory: str, ready: int = 0) -> dict[int, float]:
    """Return the dollars that deploy/cost.awk prints, by the number of photos."""
    rows = re.findall(r"(\d+) photos +\$([\d.]+)", cost_report(region, cpu, memory, ready))
    assert [photos for photos, _ in rows] == ["0", "10000", "1000000"]
    return {int(photos): float(dollars) for photos, dollars in rows}


def cost_report(region: str, cpu: float = 1, memory: str = "1Gi", ready: int = 0) -> str:
    variables = {"region": region, "cpu": cpu, "memory": memory, "ready": ready}
    options = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
    command = ["awk", *options, "-f", str(ROOT / "deploy" / "cost.awk"), str(inputs.PRICES)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not shutil.which("awk"), reason="awk is not installed")
def test_half_a_cpu_takes_twice_as_long_and_saves_nothing() -> None:
    half, one = (printed_costs("europe-west1", cpu, "1Gi")[1_000_000] for cpu in (0.5, 1))
    assert half >= one > 1


@pytest.mark.skipif(not shutil.which("awk"), reason="awk is not installed")
def test_the_cost_names_the_tier_of_the_region_and_the_date_of_the_prices() -> None:
    dates = {fact["date"] for fact in inputs.prices("europe-west1").values()}
    assert f"europe-west1, at Cloud Run's tier 1 prices as of {min(dates)}" in cost_report("europe-west1")
    assert "in asia-south1, at Cloud Run's tier 2 prices" in cost_report("asia-south1")
    assert printed_costs("asia-south1", 1, "1Gi")[1_000_000] > printed_costs("europe-west1", 1, "1Gi")[1_000_000]


@pytest.mark.skipif(not shutil.which("awk"), reason="awk is not installed")
def test_a_region_of_unknown_tier_is_priced_as_the_dearer_one_and_said_so() -> None:
    report = cost_report("moon-west1")
    assert "The price tier of moon-west1 is not in deploy/prices.tsv; tier 2" in report
    assert printed_costs("moon-west1", 1, "1Gi") == printed_costs("asia-south1", 1, "1Gi")
    with pytest.raises(ValueError, match="moon-west1"):
        inputs.prices("moon-west1")


def test_prices_are_in_one_table_only() -> None:
    assert not re.search(r"0\.0000\d+|\d{6,}", (ROOT / "deploy" / "cost.awk").read_text().replace("1000000", ""))
    assert not re.search(r"^(cpu_s|gib_s|idle_s|request|free_\w+) =", inputs.FILE.read_text().split("[price]")[1], re.M)


def test_every_input_has_a_source_and_a_date() -> None:
    for section, table in inputs.facts().items():
        for name, fact in table.items():
            assert fact["status"] in inputs.STATUSES, (section, name)
            assert fact["source"], (section, name)
            assert fact["date"].year >= 2026, (section, name)
            assert fact.get("why") or fact["status"] in ("published", "reported"), (section, name)


def test_the_time_of_a_photo_is_the_measured_latency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = {"ours": {"title": "Silhouette", "ms": {"median": 60.0}}}
    photo = {"name": inputs.MEASURED_PHOTO, "servers": servers}
    latency = {"machine": {"date": "2026-11-27"}, "photos": [{"name": "600x400-jpg"}, photo]}
    monkeypatch.setattr(inputs, "LATENCY", tmp_path / "latency.json")
    (tmp_path / "latency.json").write_text(json.dumps(latency))
    assert inputs.read()["function"]["cpu_ms_p50"] == 60
    assert inputs.facts()["function"]["cpu_ms_p50"]["date"].isoformat() == "2026-11-27"
    with pytest.raises(ValueError, match="no times of ours-float16: run"):
        inputs.read(server="ours-float16")


# The measured run


def proof_line(**changes: Any) -> dict[str, Any]:
    """Return a made-up result of tests.stress.bucket_chaos in which nothing failed."""
    times: dict[str, Any] = {"note": {"count": 0}, "mask": {"count": 3000, "mean": 100.0, "quantiles": [100.0] * 21}}
    line: dict[str, Any] = {
        "photos": 2500,
        "events": 3000,
        "processes": 3,
        "in_flight": 8,
        "events_ahead": 10**6,
        "kill_every_s": 0,
    }
    line["upload_ms"] = 0
    line |= {"duplicates": 0, "deliveries": 3000, "statuses": {"204": 3000}, "start_ms": {"count": 0}}
    return line | {"service_ms": times, "wall_s": 37.5, "photos_per_s": 66.7, **changes}


def measured(**changes: Any) -> dict[str, Any]:
    """Return a made-up run with kills, failures and duplicates: the simulation itself, with another seed."""
    quantiles = np.geomspace(30.0, 120.0, 21).tolist()
    run = proof_line(
        events=2000,
        in_flight=16,
        kill_every_s=2.0,
        start_ms={"count": 9, "mean": 1000.0},
        duplicates=400,
        deliveries=2490,
        statuses={"204": 2400, "503": 50, "0": 40},
        service_ms={"mask": {"count": 2400, "quantiles": quantiles}},
    )
    run |= changes
    outcome = check.simulate(run, seed=99)
    run |= {"wall_s": outcome.end_s, "photos_per_s": 2000 / outcome.end_s, "deliveries": outcome.deliveries}
    return run | changes


def run_check(run: dict[str, Any], tmp_path: Path) -> int:
    (tmp_path / "run.json").write_text(json.dumps(run) + "\n")
    return main(["--check", str(tmp_path / "run.json")])


def test_a_run_that_the_simulation_reproduces_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_check(measured(), tmp_path) == 0
    assert re.search(r"wall_s: measured \d+\.\d+, simulated \d+\.\d+, [+-]\d", capsys.readouterr().out)


@pytest.mark.parametrize(("key", "factor"), [("wall_s", 1.3), ("wall_s", 0.8), ("deliveries", 1.3)])
def test_a_run_that_the_simulation_does_not_reproduce_fails_with_the_error(
    key: str, factor: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = measured()
    run[key] *= factor
    assert run_check(run, tmp_path) == 1
    output = capsys.readouterr()
    errors = {name: float(error) for name, error in re.findall(r"(\w+): .* ([+-][\d.]+)%", output.out)}
    assert errors[key] == pytest.approx(100 * (1 / factor - 1), abs=6)
    if key == "wall_s":
        assert errors["photos_per_s"] == pytest.approx(100 * (factor - 1), abs=6)
    assert "do not rely on it" in output.err


def test_the_simulation_of_a_run_has_its_kills_failures_and_duplicates() -> None:
    calm = measured(kill_every_s=0, statuses={"204": 2400}, duplicates=0)
    base = check.simulate(calm)
    assert base.deliveries == 2000
    mean_s = check.service_sample_s(calm).mean()
    assert base.end_s == pytest.approx(2000 * mean_s / 16, rel=0.03)  # 16 in flight
    assert check.simulate(calm | {"duplicates": 1000}).deliveries == pytest.approx(3000, rel=0.03)
    failing = calm | {"statuses": {"204": 1900, "503": 500, "0": 90}, "deliveries": 2490}
    assert check.simulate(failing).deliveries == pytest.approx(2000 / (1 - 500 / 2400), rel=0.03)
    killed = check.simulate(calm | {"kill_every_s": 2.0, "start_ms": {"count": 9, "mean": 1000.0}})
    assert killed.kills == pytest.approx(killed.end_s / 3, abs=1)
    assert killed.end_s > base.end_s
    assert killed.deliveries == 2000 + killed.retries > 2000


def test_a_result_of_the_stress_test_is_accepted_as_it_is_printed(tmp_path: Path) -> None:
    assert run_check(proof_line(wall_s=37.5 + 0.75), tmp_path) == 0
    assert run_check(proof_line(wall_s=50.0), tmp_path) == 1
    assert run_check(proof_line(deliveries=3600), tmp_path) == 1


def test_the_simulation_reproduces_the_committed_run() -> None:
    run = json.loads((ROOT / "benchmarks" / "results" / "proof.json").read_text())
    assert all(abs(error) <= 0.09 for *_, error in check.compare(run))


def test_what_slows_a_run_slows_its_simulation() -> None:
    def wall_s(**changes: Any) -> float:
        return check.simulate(proof_line(**changes)).end_s

    assert wall_s() == pytest.approx(37.5 + 0.75, rel=0.05)
    assert wall_s(duplicates=1500) == pytest.approx(1.5 * 37.5, rel=0.05)
    assert wall_s(statuses={"204": 2400, "503": 600}) == pytest.approx(1.25 * 37.5, rel=0.1)
    # With 20 ahead, each late by 0.75 s on average and in progress for 0.1 s, at most 21 / 0.85 arrive per second.
    assert wall_s(events_ahead=20) == pytest.approx(3000 / (21 / 0.85), rel=0.05)


def test_with_round_robin_a_delivery_to_a_killed_process_fails_at_once_and_is_retried() -> None:
    fleet = replace(
        FLEET, max_instances=2, ready=2, concurrency=9, cpus=9, start_s=1, kill_every_s=2.5, round_robin=True
    )
    outcome = simulate(work([0.0, 1.0, 3.0, 3.1], 0.5), fleet, replace(EAGER, min_backoff_s=0.7))
    # The first of the two is restarting from 2.5 to 3.5: the third photo fails there at 3, and succeeds at 3.7.
    assert outcome.served_s == pytest.approx([0.5, 1.5, 4.2, 3.6])
    assert outcome.deliveries == 5


def test_service_times_are_drawn_from_the_quantiles_of_a_run() -> None:
    run = proof_line(service_ms={"a": {"count": 3, "quantiles": [10.0] * 21}, "b": {"count": 1, "quantiles": [30.0]}})
    assert check.service_sample_s(run).tolist() == [0.01, 0.01, 0.01, 0.03]
    assert set(check.workload(run, 1).write_s) == {0.01, 0.03}


# The results


def test_the_results_are_written_as_json_chart_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--photos", "2000", "--limits", "10,1,1000", "--processes", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    result = json.loads((tmp_path / "scale.json").read_text())
    assert result["limits"] == [1, 10, 1000]
    assert result["inputs"]["price"]["cpu_s"] == INPUTS["price"]["cpu_s"]
    for cells in result["patterns"].values():
        assert [cell["without_mask"] for cell in cells.values()] == [0] * 3
    if (tmp_path / "scale.svg").is_file():  # not where matplotlib cannot be installed
        assert ElementTree.fromstring((tmp_path / "scale.svg").read_text()).tag.endswith("svg")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 9
    assert len({row.count("|") for row in rows}) == 1
