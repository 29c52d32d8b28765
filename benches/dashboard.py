#!/usr/bin/env python3
"""Dashboards of a large product: dashboard.py SERVER [ROUNDS]   (SQLite)

A stand-in for LTD Keeper answers for a product with 600 editions and 3,000 builds. It is built, built again as it was,
and again after a change: the time of the whole job, of Keeper's part of it and of making the pages, as the job's report
has them, and the server's peak memory. The pages lie on a memory file system.
"""

import http.server
import json
import pathlib
import statistics
import sys
import tempfile
import threading
import time

from server import Server
from table import number, shown, table

EDITIONS, BUILDS = 600, 3_000
SLUG = "large"


def bulk(base, title):
    """What Keeper 1.23 answers at /products/large/dashboard."""
    site = f"https://{SLUG}.docs.example"

    def date(number):
        return f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.841707Z"

    def build(number):
        return {
            "self_url": f"{base}/builds/{number}", "product_url": f"{base}/products/{SLUG}", "slug": str(number),
            "git_refs": [f"tickets/DM-{number}"], "github_requester": f"person-{number % 40}", "uploaded": True,
            "bucket_name": "docs", "bucket_root_dir": f"{SLUG}/builds/{number}",
            "published_url": f"{site}/builds/{number}", "date_created": date(number), "date_ended": None,
            "surrogate_key": f"{number:032x}",
        }  # fmt: skip

    def edition(number):
        ref = "main" if number == 0 else f"v{number // 100}.{number % 100}" if number < 200 else f"tickets/DM-{number}"
        slug = ref.removeprefix("tickets/")
        return {
            "self_url": f"{base}/editions/{number}", "product_url": f"{base}/products/{SLUG}",
            "build_url": f"{base}/builds/{number * 4 + 1}", "slug": slug, "title": slug,
            "published_url": f"{site}/v/{slug}", "mode": "git_refs", "tracked_refs": [ref], "pending_rebuild": False,
            "date_created": date(number), "date_rebuilt": date(number + 60), "date_ended": None,
            "surrogate_key": f"{number + BUILDS:032x}",
        }  # fmt: skip

    product = {
        "self_url": f"{base}/products/{SLUG}", "slug": SLUG, "doc_repo": "https://github.com/example-org/large.git",
        "title": title, "root_domain": "docs.example", "domain": f"{SLUG}.docs.example", "bucket_name": "docs",
        "published_url": site, "surrogate_key": "c04e0954661d43a99207ef2126c61f6f",
    }  # fmt: skip
    editions = [edition(number) for number in range(EDITIONS)]
    builds = [build(number) for number in range(1, BUILDS + 1)]
    return json.dumps({"product": product, "editions": editions, "builds": builds}).encode()


class Keeper(http.server.ThreadingHTTPServer):
    """Answers with `body`, whatever it is asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.body = b""
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


def built(server):
    """Milliseconds of a job that does the product, and its report."""
    start = time.perf_counter()
    job = server.create("dashboard", {"PRODUCT": SLUG, "PHASE": "RUN"})
    phase = server.wait(job)
    taken = (time.perf_counter() - start) * 1e3
    if phase != "COMPLETED":
        raise SystemExit(f"{job}: {phase}: {server.get(job + '/error')}")
    return taken, json.loads(server.get(job + "/results/report"))[0]


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    keeper = Keeper()
    home = pathlib.Path(tempfile.mkdtemp(prefix="sidereal-bench-", dir="/dev/shm"))
    (home / "sidereal.toml").write_text(
        f'[dashboard]\nsweep = 0\n[[dashboard.keepers]]\nname = "bench"\nbase_url = "{keeper.url}"\nprivate_ok = true\n'
    )
    published, unchanged = [], []
    with Server(sys.argv[1], data=home) as server:
        resident = server.memory()
        server.forget_peak()
        for turn in range(rounds):
            keeper.body = bulk(keeper.url, f"Large: {turn}")
            for runs, state in [(published, "published"), (unchanged, "unchanged")]:
                taken, report = built(server)
                if (report["state"], report["editions"], report["builds"]) != (state, EDITIONS, BUILDS):
                    raise SystemExit(f"{report}")
                runs.append((taken, report["fetch_ms"], report["render_ms"], report["bytes"]))
        peak = server.peak()

    def row(name, runs):
        whole, fetch, render, size = zip(*runs)
        rest = [all_of_it - its for all_of_it, its in zip(whole, fetch)]
        return [name, shown(whole), shown(fetch), shown(render), shown(rest), f"{statistics.median(size) / 1e6:.1f} MB"]

    table(
        f"A dashboard of {EDITIONS} editions and {BUILDS:,} builds (Keeper's answer: {len(keeper.body) / 1e6:.2f} MB)",
        ["", "POST → COMPLETED, ms", "asking Keeper, ms", "making pages, ms", "all but asking, ms", "written"],
        [row("after a change", published), row("as it was", unchanged)],
    )
    print(f"\nMost memory: {number(peak / 1e6)} MB, {number(resident / 1e6)} MB before.")


if __name__ == "__main__":
    main()
