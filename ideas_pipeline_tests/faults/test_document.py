"""The page about faults is current."""

from ideas_pipeline_tests.faults.document import FILE, document


def test_the_page_says_what_the_tests_try() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "write it: python -m ideas_pipeline_tests.faults.document"
