from __future__ import annotations

from pathlib import Path

from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.report.reading import Page


def test_the_demo_shows_two_communities_with_different_apis_in_one_warehouse(tmp_path: Path) -> None:
    done = ideas_pipeline("demo", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("votes: complete, 900 seen in 60 requests") == 2
    assert done.stdout.count("A first query") == 1
    page = Page((tmp_path / ".demo/communities.html").read_text(encoding="utf-8"))
    links = {link.text: tmp_path / ".demo" / link.get("href") for link in page.all("a")}
    assert links.keys() == {"demo", "demo-partner"}
    assert all(link.is_file() for link in links.values())
    # As its last line says.
    shown = ideas_pipeline("status", folder=tmp_path, IDEAS_CONFIG=".demo/ideas_pipeline.yaml").stdout
    assert shown.startswith("All is well with all 2 communities.")
