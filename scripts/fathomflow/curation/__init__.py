"""FiftyOne as a view on a study's files: built from them, brought up to date with them, and read for decisions."""

import os

# Read when fiftyone is imported: nothing about a study leaves the machine.
os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "1")
os.environ.setdefault("FIFTYONE_SHOW_PROGRESS_BARS", "false")
