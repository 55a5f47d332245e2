"""The simulation of a million photos, against what is known of queues, of the bill, and of a measured run."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.report.panel import Panel
from benchmarks.scale import check, inputs, plan, work
from benchmarks.scale.__main__ import main
from benchmarks.scale.bill import Usage, usd
from benchmarks.scale.fleet import Fleet
from benchmarks.scale.simulation import Outcome, Sender, Simulation
from benchmarks.scale.work import Work
from tests.support.paths import ROOT

GIVEN = inputs.read()
FLEET = Fleet(most=4, cpus=1, concurrency=1, start_s=2, queue_s=math.inf, idle_s=900)
EAGER = Sender(10**9, 10**9, 1, 8)


def todo(due_s, cpu_s, write_s=0.0, failures=0) -> Work:
    """Make work in which each delivery is another photo."""
    count = len(due_s)
    full = [
        np.broadcast_to(np.asarray(values, dtype=kind), count) for values, kind in ((cpu_s, float), (write_s, float))
    ]
    return Work(
        np.asarray(due_s, dtype=float), np.arange(count), 0.0, full[0], full[1], np.broadcast_to(failures, count)
    )


def drawn(pattern: str, photos: int = 20_000, seed: int = 5, **changes: Any) -> Work:
    """Draw a pattern's work, with failures and duplicates enough to matter."""
    given = replace(
        GIVEN,
        function=replace(GIVEN.function, failure_share=0.05),
        events=replace(GIVEN.events, duplicate_share=0.1),
        arrivals=replace(GIVEN.arrivals, burst_s=300),
    )
    return work.make(pattern, photos, replace(given, **changes), seed)


def simulate(work: Work, fleet: Fleet = FLEET, sender: Sender = EAGER) -> Outcome:
    return Simulation(work, sender, fleet).run()


def poisson(rate: float, count: int, seed: int = 3) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count))


def exponential(mean: float, count: int, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).exponential(mean, count)


def erlang_c_wait_s(rate: float, service_s: float, servers: int) -> float:
    """Give the mean wait of an M/M/c queue in its closed form."""
    load = rate * service_s
    last = load**servers / math.factorial(servers) / (1 - load / servers)
    chance = last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)
    return chance * service_s / (servers - load)


def alive_at_most(outcome: Outcome) -> int:
    """Count the instances that were there at once, from when each began and ended."""
    changes = sorted([(began, 1) for began, _ in outcome.lives] + [(end, -1) for _, end in outcome.lives])
    return int(max(np.cumsum([change for _, change in changes])))


# Known answers


@pytest.mark.parametrize(("instances", "cpus", "photos"), [(1, 1, 7), (4, 1, 10), (2, 3, 12), (3, 2, 100)])
def test_equal_photos_all_at_once_take_as_many_rounds_as_they_must(instances: int, cpus: int, photos: int) -> None:
    fleet = replace(FLEET, most=instances, ready=instances, cpus=cpus, concurrency=cpus)
    assert simulate(todo(np.zeros(photos), 1.5), fleet).wall_s == pytest.approx(1.5 * -(-photos // (instances * cpus)))


def test_photos_above_the_cpus_share_them_while_their_storage_goes_on() -> None:
    fleet = replace(FLEET, most=1, ready=1, concurrency=4)
    assert simulate(todo(np.zeros(4), 1.0, write_s=0.5), fleet).served_s == [1.5, 2.5, 3.5, 4.5]


def test_a_photo_goes_to_the_instance_with_the_least_to_do() -> None:
    fleet = replace(FLEET, most=2, ready=2, concurrency=2)
    assert simulate(todo(np.zeros(2), 1.0), fleet).served_s == [1.0, 1.0]


def test_the_first_photo_waits_for_a_start_and_the_start_is_paid_for() -> None:
    outcome = simulate(todo([10.0], 0.25))
    assert outcome.served_s == [12.25]
    assert outcome.busy_s == pytest.approx(2 + 0.3)  # rounded up to 100 ms


def test_time_that_is_paid_for_by_rounding_up_is_not_paid_for_twice() -> None:
    outcome = simulate(todo([0.0, 0.15], 0.11), replace(FLEET, most=1, ready=1))
    assert outcome.busy_s == pytest.approx(0.2 + 0.1)


@pytest.mark.parametrize(("instances", "cpus", "concurrency"), [(4, 1, 1), (1, 4, 4), (1, 4, 1000), (2, 2, 2)])
def test_random_photos_wait_as_long_as_the_closed_form_says(instances: int, cpus: int, concurrency: int) -> None:
    rate, service_s, count = 3.2, 1.0, 150_000
    due_s, cpu_s = poisson(rate, count), exponential(service_s, count)
    fleet = replace(FLEET, most=instances, ready=instances, cpus=cpus, concurrency=concurrency)
    waits = np.array(simulate(todo(due_s, cpu_s), fleet).served_s) - due_s - cpu_s
    assert waits.mean() == pytest.approx(erlang_c_wait_s(rate, service_s, 4), rel=0.06)


def test_as_many_photos_are_there_as_come_in_the_time_one_stays() -> None:
    rate, count = 3.0, 60_000
    due_s = poisson(rate, count)
    outcome = simulate(todo(due_s, exponential(0.5, count), write_s=0.4), replace(FLEET, ready=4, concurrency=2))
    there = [at_work + waiting for now, _, at_work, waiting in outcome.timeline if now < due_s[-1]]
    stays_s = np.mean(np.array(outcome.served_s) - due_s)
    assert np.mean(there) == pytest.approx(rate * stays_s, rel=0.03)


def test_a_steady_load_has_instances_for_sixty_percent_of_their_cpus() -> None:
    due_s = np.arange(0, 1200, 1 / 12)
    outcome = simulate(todo(due_s, 0.5), replace(FLEET, most=100, concurrency=8, idle_s=60))
    (instances,) = {instances for now, instances, _, _ in outcome.timeline if 600 < now < 1190}
    assert instances == 10  # 12 a second of half a CPU each


# What must always hold


@pytest.mark.parametrize("pattern", plan.PATTERNS)
@pytest.mark.parametrize("limit", [2, 50])
@pytest.mark.parametrize("kill_every_s", [0, 7])
def test_every_photo_gets_a_mask_and_every_failure_is_tried_again(
    pattern: str, limit: int, kill_every_s: float
) -> None:
    fleet = replace(FLEET, most=limit, concurrency=8, kill_every_s=kill_every_s)
    sender = replace(plan.sender(pattern, limit, GIVEN), attempts_most=math.inf, keeps_s=math.inf)
    todo = drawn(pattern)
    outcome = simulate(todo, fleet, sender)
    assert not np.isnan(outcome.served_s).any()
    assert (np.array(outcome.served_s) > todo.first_s()).all()
    assert outcome.deliveries == len(todo.photo) + outcome.retries
    assert outcome.retries >= todo.failures.sum() + outcome.refusals
    assert (outcome.kills > 0) == (kill_every_s > 0)


@pytest.mark.parametrize("limit", [1, 3, 40])
def test_there_are_never_more_instances_nor_calls_in_them_than_allowed(limit: int) -> None:
    fleet = replace(FLEET, most=limit, concurrency=8, kill_every_s=11, idle_s=20)
    outcome = simulate(drawn("burst"), fleet, plan.sender("burst", limit, GIVEN))
    assert alive_at_most(outcome) == outcome.most_instances <= limit
    assert max(at_work for _, _, at_work, _ in outcome.timeline) <= 8 * limit


@pytest.mark.parametrize("pattern", plan.PATTERNS)
def test_more_instances_never_take_more_time(pattern: str) -> None:
    walls = []
    for limit in (1, 2, 4, 8, 16, 64, 256):
        fleet = replace(FLEET, most=limit, concurrency=8)
        walls.append(simulate(drawn(pattern), fleet, plan.sender(pattern, limit, GIVEN)).wall_s)
    assert walls == sorted(walls, reverse=True)
    assert walls[0] > walls[-1] or pattern == "day"


def test_the_same_seed_gives_the_same_and_another_one_another() -> None:
    first, again, other = (plan.one("burst", 5, 3000, GIVEN, seed) for seed in (1, 1, 2))
    assert first == again != other


# Failures


def test_a_photo_that_fails_too_often_is_given_up_and_no_other() -> None:
    failures = np.array([0, 1, 4, 5, 9])
    outcome = simulate(todo(np.zeros(5), 0.1, failures=failures), sender=replace(EAGER, attempts_most=5))
    assert np.isnan(outcome.served_s).tolist() == [False, False, False, True, True]
    assert outcome.deliveries == 1 + 2 + 5 + 5 + 5


def test_an_event_that_is_kept_no_longer_is_lost() -> None:
    fleet = replace(FLEET, most=1, ready=1)
    outcome = simulate(todo(np.zeros(10), 1.0), fleet, Sender(1, 1, 1, 8, keeps_s=4.5))
    assert np.isnan(outcome.served_s).tolist() == [False] * 5 + [True] * 5


def test_an_event_that_still_fails_when_it_is_kept_no_longer_is_lost() -> None:
    outcome = simulate(todo([0.0], 1.0, failures=9), replace(FLEET, ready=1), replace(EAGER, keeps_s=7.5))
    assert np.isnan(outcome.served_s).all()
    assert outcome.deliveries == 4  # it fails at 1, 3, 6 and 11 s


def test_what_waits_for_an_instance_is_served_in_order() -> None:
    assert simulate(todo([0.0, 0.1, 0.2], 1.0), replace(FLEET, most=1, ready=1)).served_s == [1.0, 2.0, 3.0]


def test_pauses_double_up_to_the_longest() -> None:
    outcome = simulate(todo([0.0], 1.0, failures=5), replace(FLEET, ready=1))
    assert outcome.wall_s == 6 * 1.0 + 1 + 2 + 4 + 8 + 8


def test_a_request_that_waits_too_long_is_refused_and_comes_again() -> None:
    fleet = replace(FLEET, most=1, ready=1, queue_s=10)
    outcome = simulate(todo(np.zeros(5), 4.0), fleet, replace(EAGER, retry_least_s=10))
    assert outcome.refusals > 0
    assert outcome.deliveries == 5 + outcome.refusals
    assert outcome.wall_s >= 5 * 4.0
    assert not simulate(todo(np.zeros(3), 4.0), fleet).refusals


def test_what_a_killed_instance_had_in_hand_is_lost_and_done_again() -> None:
    fleet = replace(FLEET, most=1, ready=1, start_s=3, kill_every_s=2.5)
    outcome = simulate(todo(np.zeros(2), 1.9), fleet)
    # The second photo is killed at 2.5, the next instance serves from 5.5, past the kill at 5 that finds none.
    assert outcome.served_s == pytest.approx([1.9, 7.4])
    assert outcome.kills == 1


# Instances come and go


@pytest.mark.parametrize(("pause_s", "starts"), [(800, 1), (1000, 2)])
def test_an_instance_without_work_stays_for_fifteen_minutes(pause_s: float, starts: int) -> None:
    assert simulate(todo([0.0, pause_s], 0.1)).starts == starts


def test_jobs_of_a_client_hold_their_place_while_they_wait() -> None:
    failures = [3, 0]
    holding, letting_go = (
        simulate(todo([0.0, 0.0], 1.0, failures=failures), replace(FLEET, ready=1), Sender(1, 1, 5, 5, holds=holds))
        for holds in (True, False)
    )
    assert holding.served_s == [19.0, 20.0]
    assert letting_go.served_s[1] == 2.0


def test_the_window_opens_with_success_and_no_wider_than_it_may() -> None:
    outcome = simulate(todo(np.zeros(400), 1.0), replace(FLEET, most=100, ready=100), Sender(1, 16, 1, 8))
    assert max(at_work for _, _, at_work, _ in outcome.timeline) == 16
    assert outcome.wall_s == pytest.approx(5 + math.ceil((400 - 31) / 16), abs=1)


# Arrivals


@pytest.mark.parametrize("pattern", plan.PATTERNS)
def test_every_photo_falls_due_in_order(pattern: str) -> None:
    todo = drawn(pattern)
    assert (np.diff(todo.due_s) >= 0).all()
    counts = Counter(todo.photo.tolist())
    assert len(counts) == 20_000
    assert len(todo.photo) - 20_000 == pytest.approx(0 if pattern == "backfill" else 2000, rel=0.1)


def test_a_day_is_busy_at_noon_and_quiet_at_night() -> None:
    due_s = drawn("day", events=replace(GIVEN.events, duplicate_share=0)).due_s
    hours = np.histogram(due_s, bins=24, range=(0, work.DAY_S))[0] * 24 / len(due_s)
    assert hours[12] == pytest.approx(1.8, rel=0.1)
    assert hours[0] == pytest.approx(0.2, rel=0.3)


def test_times_have_the_median_and_the_95th_percentile_that_were_given() -> None:
    times = work.spread(66, 110, 200_000, np.random.default_rng(1))
    assert np.percentile(times, [50, 95]) == pytest.approx([66, 110], rel=0.01)


# The bill


def test_a_bill_by_hand() -> None:
    price = GIVEN.price
    found = usd(Usage(busy_s=1000, requests=10_000, events=10_000, photos=9000), 2, 0.5, price, free=False)
    assert found["instances"] == pytest.approx(1000 * (2 * 0.000024 + 0.5 * 0.0000025))
    assert found["requests"] == pytest.approx(0.004)
    assert found["storage"] == pytest.approx(9000 * 0.000005 + 10_000 * 3 * 0.0000004)
    assert found["events"] == pytest.approx(2 * 10_000 * 2048 / 2**40 * 40)
    assert found["total"] == pytest.approx(sum(found.values()) - found["total"])


@pytest.mark.skipif(not shutil.which("awk"), reason="awk is not installed")
@pytest.mark.parametrize(("cpu", "memory_gib", "ready"), [(1, 1, 0), (4, 8, 0), (2, 0.5, 3)])
def test_the_prices_are_those_that_a_deployment_prints(cpu: int, memory_gib: float, ready: int) -> None:
    sizes = ["-v", f"cpu={cpu}", "-v", f"memory={memory_gib * 1024:g}Mi", "-v", f"ready={ready}"]
    printed = subprocess.run(
        ["awk", *sizes, "-f", ROOT / "deploy" / "cost.awk"], capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(r"(\d+) photos +\$([\d.]+)", printed)
    assert [photos for photos, _ in found] == ["0", "10000", "1000000"]
    for photos, dollars in found:
        count = int(photos)
        busy_s = count * (0.2 + (0 if ready else 0.03))
        bill = usd(Usage(busy_s, count, ready_s=ready * 30 * 86400), cpu, memory_gib, GIVEN.price, free=True)
        assert bill["instances"] + bill["requests"] == pytest.approx(float(dollars), abs=0.0051)


def test_every_price_of_a_deployment_is_one_of_the_inputs() -> None:
    """A number that the comparison of the sums cannot see, within the free share, say, is held by its text."""
    awk = (ROOT / "deploy" / "cost.awk").read_text()
    said = {float(number) for number in re.findall(r"0\.00000\d+|0\.0000\d+|\d{6,}", awk)} - {1_000_000}
    price = GIVEN.price
    known = {price.cpu_s, price.gib_s, price.idle_s, price.request}
    assert said == known | {price.free_cpu_s, price.free_gib_s, price.free_requests}


def test_every_input_says_where_it_is_from_and_since_when() -> None:
    for section, table in inputs.facts().items():
        for name, fact in table.items():
            assert fact["status"] in inputs.STATUSES, (section, name)
            assert fact["source"], (section, name)
            assert fact["date"].year >= 2026, (section, name)
            assert fact.get("why") or fact["status"] in ("published", "reported"), (section, name)


# The measured run


def measured(**changes: Any) -> dict[str, Any]:
    """Make up a run on loopback, as the simulation itself would have it with another seed."""
    run: dict[str, Any] = {"photos": 2000, "processes": 3, "concurrency": 4, "in_flight": 16, "kill_every_s": 3.0}
    run |= {"restart_s": 1.0, "storage_failure_share": 0.02, "duplicate_share": 0.2, "retries": 80, "kills": 9}
    run |= {"service_ms": {"mean": 63.0, "p50": 60.0, "p95": 100.0}, "service_ms_sample": []}
    outcome = check.simulate(run, seed=99)
    run |= {"wall_s": outcome.answered_s, "photos_per_s": 2000 / outcome.answered_s, "deliveries": outcome.deliveries}
    return run | changes


def held_against(run: dict[str, Any], tmp_path: Path) -> int:
    (tmp_path / "run.json").write_text(json.dumps(run) + "\n")
    return main(["--check", str(tmp_path / "run.json")])


def test_a_run_that_the_simulation_reproduces_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert held_against(measured(), tmp_path) == 0
    assert re.search(r"wall_s: measured \d+\.\d+, simulated \d+\.\d+, [+-]\d", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("key", "factor"), [("wall_s", 1.3), ("wall_s", 0.8), ("photos_per_s", 1.3), ("deliveries", 1.3)]
)
def test_a_run_that_it_does_not_reproduce_is_refused_with_the_distance(
    key: str, factor: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = measured()
    run[key] *= factor
    assert held_against(run, tmp_path) == 1
    said = capsys.readouterr()
    off = float(re.search(rf"{key}: .* ([+-][\d.]+)%", said.out)[1])
    assert off == pytest.approx(100 * (1 / factor - 1), abs=6)
    assert "do not believe it" in said.err


def test_kills_failures_and_duplicates_of_the_run_count() -> None:
    calm = measured(kill_every_s=0, storage_failure_share=0.0, duplicate_share=0.0)
    still = check.simulate(calm)
    assert still.deliveries == 2000
    mean_s = check.service_s(calm, np.random.default_rng(check.SEED)).mean()
    assert still.wall_s == pytest.approx(2000 * mean_s / 12, rel=0.03)  # 3 processes of 4
    assert check.simulate(calm | {"duplicate_share": 0.5}).deliveries == pytest.approx(3000, rel=0.03)
    assert check.simulate(calm | {"storage_failure_share": 0.1}).deliveries == pytest.approx(2000 / 0.81, rel=0.03)
    killed = check.simulate(calm | {"kill_every_s": 3.0, "restart_s": 1.0})
    assert killed.wall_s == pytest.approx(still.wall_s * 9 / 8, rel=0.03)  # one of three away for a third of the time


def told(**changes: Any) -> dict[str, Any]:
    """Make up a line as tests.stress.bucket_chaos prints it, of a run in which all went well."""
    kinds: dict[str, Any] = {"note": {"count": 0}, "mask": {"count": 3000, "mean": 100.0, "quantiles": [100.0] * 21}}
    line = {"photos": 2500, "events": 3000, "processes": 3, "in_flight": 8, "events_ahead": 10**6, "kill_every_s": 0}
    line["upload_ms"] = 0
    line |= {"duplicates": 0, "deliveries": 3000, "statuses": {"204": 3000}, "start_ms": {"count": 0}}
    return line | {"service_ms": kinds, "wall_s": 37.5, "photos_per_s": 66.7, **changes}


def test_a_line_of_the_proof_is_taken_as_it_is_printed(tmp_path: Path) -> None:
    assert held_against(told(wall_s=37.5 + 0.75), tmp_path) == 0
    assert held_against(told(wall_s=50.0), tmp_path) == 1
    assert held_against(told(deliveries=3600), tmp_path) == 1


def test_what_spoils_a_run_of_the_proof_slows_its_simulation() -> None:
    def wall_s(**changes: Any) -> float:
        return check.simulate(check.brought_over(told(**changes))).answered_s

    assert wall_s() == pytest.approx(37.5 + 0.75, rel=0.05)
    assert wall_s(duplicates=1500) == pytest.approx(1.5 * 37.5, rel=0.05)
    assert wall_s(statuses={"204": 2400, "503": 600}) == pytest.approx(1.25 * 37.5, rel=0.1)
    # With 20 ahead, late by 0.75 s in the mean and then at work for 0.1 s, no more than 21 / 0.85 come in a second.
    assert wall_s(events_ahead=20) == pytest.approx(3000 / (21 / 0.85), rel=0.05)


def test_behind_a_round_robin_what_meets_a_killed_process_fails_at_once_and_comes_again() -> None:
    fleet = replace(FLEET, most=2, ready=2, concurrency=9, cpus=9, start_s=1, kill_every_s=2.5, in_turn=True)
    outcome = simulate(todo([0.0, 1.0, 3.0, 3.1], 0.5), fleet, replace(EAGER, retry_least_s=0.7))
    # The first of the two is away from 2.5 to 3.5: the third photo meets that at 3, and finds it back at 3.7.
    assert outcome.served_s == pytest.approx([0.5, 1.5, 4.2, 3.6])
    assert outcome.deliveries == 5


def test_the_sample_of_a_run_goes_before_its_percentiles() -> None:
    run = measured(service_ms_sample=[10.0, 30.0])
    assert set(check.service_s(run, np.random.default_rng(1))) == {0.01, 0.03}


# What it writes


def test_a_plan_is_written_as_json_as_a_picture_and_as_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--photos", "2000", "--limits", "10,1,1000", "--processes", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    found = json.loads((tmp_path / "scale.json").read_text())
    assert found["limits"] == [1, 10, 1000]
    assert found["inputs"]["price"]["cpu_s"] == GIVEN.price.cpu_s
    for cells in found["patterns"].values():
        assert [cell["masks"] for cell in cells.values()] == [2000] * 3
    assert ElementTree.fromstring((tmp_path / "scale.svg").read_text()).tag.endswith("svg")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 9
    assert len({row.count("|") for row in rows}) == 1


def test_an_axis_of_powers_of_ten_has_equal_steps() -> None:
    panel = Panel(None, 0, 0, 100, 90, 1, 1000, 1000, y_least=1)
    assert [panel.at(1, y)[1] for y in (1, 10, 100, 1000)] == pytest.approx([90, 60, 30, 0])
