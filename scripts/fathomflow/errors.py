"""The one error that a user can mend."""

from __future__ import annotations


class InputError(Exception):
    """Something in the input that its owner can mend.

    Each problem is one line that names the file, the row or key, what was found and what to do. Programs
    print the lines and leave with status 2; any other exception is a defect of ours and shows its traceback.

    Parameters
    ----------
    *problems
        One or more lines.
    """

    def __init__(self, *problems: str) -> None:
        if not problems:
            raise ValueError("an InputError needs at least one problem")
        super().__init__("\n".join(problems))
        self.problems = problems
