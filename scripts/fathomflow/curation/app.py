"""The App on a study's dataset, as a review starts in it."""

from __future__ import annotations

import logging
import os
import signal
import socket

import fiftyone as fo
from fiftyone.core.service import ServiceListenTimeout

from fathomflow.curation.state import load_dataset
from fathomflow.curation.views import WORKSPACE, first_view
from fathomflow.errors import InputError


def serve_app(name: str, *, view: str | None, address: str, port: int, browser: bool) -> None:
    """Serve the App until it is interrupted.

    Parameters
    ----------
    name
        The dataset.
    view
        Saved view to open with; None: the first list of potential label errors.
    address, port
        Where to serve.
    browser
        Whether to open a browser here.

    Raises
    ------
    InputError
        There is no such dataset or view, or the App cannot be served there.
    """
    dataset = load_dataset(name)
    views = dataset.list_saved_views()
    if view is not None and view not in views:
        raise InputError(f"dataset {name!r} has no saved view {view!r}; it has: {'; '.join(views)}")
    chosen = view or first_view(dataset)
    # FiftyOne greets at length, and twice where a program logs.
    logging.getLogger("fiftyone").setLevel(logging.WARNING)
    # Fiftyone may have been imported before this package could say so: no usage data, from here nor from the browser.
    fo.config.do_not_track = True
    os.environ["FIFTYONE_DO_NOT_TRACK"] = "1"
    with socket.socket() as probe:
        if probe.connect_ex((address, port)) == 0:
            raise InputError(f"port {port} at {address} is taken; choose another one with --port")
    try:
        session = fo.launch_app(
            dataset,
            view=dataset.load_saved_view(chosen) if chosen else None,
            spaces=dataset.load_workspace(WORKSPACE) if WORKSPACE in dataset.list_workspaces() else None,
            remote=not browser,
            address=address,
            port=port,
        )
    except ServiceListenTimeout:
        raise InputError(f"the App's server did not come up at {address}:{port} within a minute; try again") from None
    logging.info("the App is at http://%s:%d; Ctrl-C ends it", address, port)
    # A closed terminal or `kill` must stop the database in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        session.wait(-1)
    except KeyboardInterrupt:
        logging.info("ending")
    finally:
        session.close()
