"""One quick run of a benchmark, with our server and the function that returns "ok"."""

from __future__ import annotations

from benchmarks import cold
from benchmarks.harness.options import Options
from benchmarks.harness.servers import SERVERS


def test_a_quick_run_measures_our_server_and_the_function_that_returns_ok() -> None:
    result = cold.measure(Options(quick=True, only=("ok",), install=False))
    assert set(result["servers"]) == {"ours", "ok"}
    assert result["servers"]["ours"]["agreement"] == 1
    assert result["servers"]["ours"]["cold_ms"]["median"] > result["servers"]["ok"]["cold_ms"]["median"]
    assert next(iter(result["steps"])) == "Python"
    assert all(step["median"] > 0 for step in result["steps"].values())
    assert result["absent"] == dict.fromkeys(set(SERVERS) - {"ours", "ok"}, "not selected by --only")
