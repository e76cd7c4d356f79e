from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.serving import ADMIN_KEY, Served, served_by_process


def test_the_audit_log_says_who_did_what_to_which_ids_and_nothing_else(tmp_path: Path) -> None:
    with served_by_process(tmp_path / "store") as (url, _), httpx.Client(base_url=url) as client:
        client.headers["apikey"] = ADMIN_KEY
        project = client.post("/projects", json={"name": "A secret name"}).json()["id"]
        client.get(f"/projects/{project}")
        client.get("/projects/not-there")
        text = (tmp_path / "store" / "audit.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/projects", 201),
        ("GET", "/projects/{project_id}", 200),
        ("GET", "/projects/{project_id}", 404),
    ]
    assert lines[1]["ids"] == [project]
    assert lines[0]["user"].endswith("@localhost")
    assert "secret" not in text
    assert ADMIN_KEY not in text


def test_the_log_holds_json_lines_without_names_or_keys(tmp_path: Path) -> None:
    with served_by_process(tmp_path / "store", "--verbose") as (url, process):
        httpx.post(f"{url}/projects", json={"name": "A secret name"}, headers={"apikey": ADMIN_KEY})
        process.terminate()
        assert process.stderr is not None
        text = process.stderr.read()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert ("POST", "/projects", 201) in [(line.get("method"), line.get("route"), line.get("status")) for line in lines]
    assert "secret" not in text
    assert ADMIN_KEY not in text


def test_prometheus_reads_counts_by_route_and_status(server: Served, admin: httpx.Client) -> None:
    admin.get("/projects/not-there")
    text = admin.get("/metrics").text
    assert 'datamint_like_requests_total{method="GET",route="/projects/{project_id}",status="404"} 1.0' in text
    assert "not-there" not in text


def test_several_processes_count_together(tmp_path: Path) -> None:
    with served_by_process(tmp_path / "store", "--workers", "2") as (url, _):
        for _ in range(10):
            with httpx.Client(base_url=url, headers={"apikey": ADMIN_KEY}) as client:  # a connection of its own
                client.get("/projects")
        text = httpx.get(f"{url}/metrics", headers={"apikey": ADMIN_KEY}).text
    assert 'datamint_like_requests_total{method="GET",route="/projects",status="200"} 10.0' in text


def test_a_right_key_passes_whatever_wrong_ones_came_before(server: Served, admin: httpx.Client) -> None:
    with server.client("dml_aaaaaaaa_" + "s" * 43) as wrong:
        assert [wrong.get("/projects").status_code for _ in range(3)] == [401] * 3
    assert admin.get("/projects").status_code == 200


def test_many_wrong_keys_of_one_address_answer_429() -> None:
    from datamint_like.server.throttle import REFUSED_FROM, WINDOW_S, FailedKeys

    now = [0.0]
    failed = FailedKeys(clock=lambda: now[0])
    answers = [failed.note("192.0.2.1") for _ in range(REFUSED_FROM + 1)]
    assert [refused for _, refused in answers] == [False] * REFUSED_FROM + [True]
    assert answers[-1][0] == 2.0
    assert failed.note("192.0.2.2") == (0.02, False)
    now[0] = WINDOW_S + 1
    assert failed.note("192.0.2.1") == (0.02, False)
