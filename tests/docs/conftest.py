"""Fixtures of the report tests that pages of methods need, too."""

from tests.support.report_fixtures import suite, table  # noqa: F401
