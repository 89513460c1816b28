"""Changes of what a service holds, each with what is answered after it."""

import io
import zipfile
from typing import Any

from tests.support.golden.checkout import JSON, Part, Service
from tests.support.golden.questions import stored_answers
from tests.support.golden.subject import Subject, csv_text


def changed_answers(service: Service, subject: Subject) -> dict[str, Any]:
    """Verdicts, changes and an import, each with what is answered after it."""
    found: dict[str, Any] = {}
    a, b, c = (row["posting_id"] for row in subject.rows[:3])
    group = subject.rows[0]["label_group"]
    sibling = next(row["posting_id"] for row in subject.rows[1:] if row["label_group"] == group)
    (image, title), (image_2, title_2) = subject.parts(9), subject.parts(10)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for row in subject.others[11:14]:
            file.writestr(row["image"], subject.image(row))
    rows = [*subject.others[11:14], subject.rows[7] | {"image": "", "title": "Susu UHT coklat 200 ml isi 3"}]
    table: Part = ("postings", "rows.csv", csv_text([*rows, rows[0] | {"posting_id": "?"}]).encode())
    missing: Part = ("postings", "rows.csv", b"title\nno ids\n")

    def after(name: str, answer: dict[str, Any], *postings: str) -> None:
        """Keep the answer to a change, and what the service says of these postings then."""
        found[name] = answer
        for posting in postings:
            found[f"{name}: {posting}"] = service.get(f"/postings/{posting}")
            found[f"{name}: matches of {posting}"] = service.get(f"/postings/{posting}/matches")

    after("same", service.send("PUT", f"/verdicts/{a}/{b}", {"verdict": "same"}), a, b)
    after("different", service.send("PUT", f"/verdicts/{a}/{sibling}", {"verdict": "different"}), a, sibling)
    after("same as third", service.send("PUT", f"/verdicts/{c}/{b}", {"verdict": "same"}), c)
    after("contradiction", service.send("PUT", f"/verdicts/{a}/{c}", {"verdict": "different"}), a, c)
    after("verdict of itself", service.send("PUT", f"/verdicts/{a}/{a}", {"verdict": "same"}))
    after("verdict", service.get(f"/verdicts/{b}/{a}"))
    found |= {f"decided {path}": answer for path, answer in stored_answers(service).items()}
    for how in ({"method": "matcher"}, {"method": "dbscan", "eps": 0.5}):
        found[f"decided by {how}"] = service.send("POST", "/cluster", {"posting_ids": "all", **how})
    after("withdrawn", service.ask("DELETE", f"/verdicts/{a}/{c}"), a)
    after("withdrawn again", service.ask("DELETE", f"/verdicts/{a}/{c}"))
    after("new", service.form("PUT", "/postings/new", image, title), "new", a)
    after("found", service.form("POST", "/match", image, title))
    after("as it is", service.form("PUT", "/postings/new", image, title))
    not_there = {"If-None-Match": "*"}
    after("is there", service.ask("PUT", "/postings/new", b'{"title": "x"}', JSON, not_there))
    after("other revision", service.ask("DELETE", "/postings/new", headers={"If-Match": '"0"'}))
    after("replaced", service.form("PUT", "/postings/new", image_2, title_2), "new")
    after("title only", service.send("PUT", "/postings/title", {"title": title[2].decode()}), "title", "new")
    after("picture only", service.ask("PUT", "/postings/picture", image[2], "image/jpeg"), "picture")
    after("no picture", service.ask("PUT", "/postings/broken", image[2][:500], "image/jpeg"))
    after("removed", service.ask("DELETE", f"/postings/{sibling}"), sibling, a)
    after("removed again", service.ask("DELETE", f"/postings/{sibling}"))
    imported = service.form("POST", "/postings/import", table, ("images", "a.zip", archive.getvalue()))
    after("import", imported, *(row["posting_id"] for row in rows))
    after("refused import", service.form("POST", "/postings/import", missing))
    return found
