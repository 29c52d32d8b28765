#!/usr/bin/env python3
"""1,000 positions against 1,000,000 images by the index of their cells: index.py INDEX-BINARY [ROUNDS] [IMAGES]

Images of up to 1 deg² all over the sky, at most 32 cells each. PostgreSQL is filled by COPY, SQLite by its own import,
both before the clock starts; a round is one question for 1,000 new positions with boxes of 10 arcmin, from positions to
pairs of position and image in memory.
"""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

from cluster import Cluster
from table import note, number, shown, table

POSITIONS = 1_000
IMAGE = "id, collection, path, url, size, etag, band, obs, hdus, ra, dec, radius, described"


def main():
    binary = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    images = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    run = lambda *arguments: subprocess.run(
        [binary, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    rows = []

    def measure(name, url, filters):
        for label, bands in filters:
            found = json.loads(run("run", url, POSITIONS, rounds, *bands))
            pairs, hits = found["pairs"] / POSITIONS, found["hits"] / POSITIONS
            rows.append([name, label, shown(found["seconds"]) + " s", number(pairs), number(hits)])
        return found["statement"]

    filters = [("none", []), ("one band of three", ["150ghz"])]
    with tempfile.TemporaryDirectory(prefix="sidereal-index.") as folder:
        os.chmod(folder, 0o755)
        note(f"{images:,} images and their footprints")
        cells = json.loads(run("prepare", folder, images))
        with Cluster() as cluster:
            run("migrate", cluster.url())
            note("into PostgreSQL")
            cluster.psql(
                "DROP INDEX image_cell_of_image",
                "ALTER TABLE image_cell DROP CONSTRAINT image_cell_pkey",
                "ALTER TABLE image_cell DROP CONSTRAINT image_cell_image_fkey",
                f"\\copy image ({IMAGE}) FROM '{folder}/image.csv' CSV",
                f"\\copy image_cell (cell, image) FROM '{folder}/image_cell.csv' CSV",
                "SET maintenance_work_mem = '1GB'; ALTER TABLE image_cell ADD PRIMARY KEY (cell, image)",
                "CREATE INDEX image_cell_of_image ON image_cell (image)",
                "ALTER TABLE image_cell ADD FOREIGN KEY (image) REFERENCES image (id) ON DELETE CASCADE",
                "VACUUM (ANALYZE) image",
                "VACUUM (ANALYZE) image_cell",
            )
            note("PostgreSQL is asked")
            statement = measure("PostgreSQL", cluster.url(), filters)
            plan = cluster.psql("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) " + statement)
            size = cluster.psql("SELECT pg_size_pretty(pg_total_relation_size('image_cell'))").strip()
        path = f"{folder}/sidereal.db"
        run("migrate", f"sqlite://{path}")
        note("into SQLite")
        into_sqlite(path, folder)
        note("SQLite is asked")
        measure("SQLite", f"sqlite://{path}", filters)
    table(
        f"{POSITIONS:,} positions against {images:,} images "
        f"({number(cells['all'] / images)} cells an image, at most {cells['most']}; {size} of cells and indices)",
        ["database", "filter", "median (least–greatest)", "found a position", "of them surely on it"],
        rows,
    )
    print("\n<details><summary>PostgreSQL's plan</summary>\n\n```\n" + plan + "```\n</details>")


def into_sqlite(path, folder):
    # In the order of its key a table grows at its end.
    cells = f"{folder}/sorted.csv"
    subprocess.run(
        ["sort", "-t,", "-k1,1n", "-k2,2n", "-o", cells, f"{folder}/image_cell.csv"],
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("DROP INDEX image_cell_of_image")
    places = ", ".join("?" * len(IMAGE.split(",")))
    with open(f"{folder}/image.csv", newline="") as rows:
        database.executemany(f"INSERT INTO image ({IMAGE}) VALUES ({places})", csv.reader(rows))
    with open(cells, newline="") as rows:
        database.executemany("INSERT INTO image_cell (cell, image) VALUES (?, ?)", csv.reader(rows))
    database.execute("CREATE INDEX image_cell_of_image ON image_cell (image)")
    database.execute("ANALYZE")
    database.commit()
    database.close()


if __name__ == "__main__":
    main()
