"""The shared suite, run over the table of formats."""

from tests.formats.suite import FormatSuite, ResultFormatSuite


class TestFormats(FormatSuite):
    pass


class TestResultFormats(ResultFormatSuite):
    pass
