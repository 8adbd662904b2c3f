"""The report: what the page holds, how it is worded, how it becomes one file."""
