"""One folder for each queue or timer; `controller.py` is the page to read first."""
