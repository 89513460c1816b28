"""`pricematch namespaces`."""

from dataclasses import asdict

from pricematch.cli import options, terminal
from pricematch.cli.outcome import Outcome
from pricematch.settings import load_settings


def namespaces(data: options.StoreFolder = None) -> Outcome:
    """List the namespaces of a data folder, and how many postings each has, while a service may run on them.

    `PUT /namespaces/NAME` makes one; without a service, `pricematch import --namespace NAME` does.
    """
    from pricematch.serving.stored_catalogues import stored_catalogues

    settings = load_settings(data=data)
    found = stored_catalogues(settings)

    def show() -> None:
        columns = ["namespace", "postings", "catalogue version", "folder", ""]
        cells = [[it.name, it.postings, it.catalogue_version, it.folder, it.fault] for it in found]
        rows = [["" if cell is None else cell for cell in row] for row in cells]
        terminal.print_table(f"Namespaces in {settings.data}", columns, rows)

    return Outcome({"data": str(settings.data), "namespaces": [asdict(it) for it in found]}, show)
