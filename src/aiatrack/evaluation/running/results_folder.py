"""The folder of one tracker's results on one benchmark.

`NAME.txt` (boxes), `NAME_time.txt` (seconds a frame), `NAME_score.txt` (where the tracker gives scores),
`records/NAME.json` (how the sequence was run) and `manifest.json`. `NAME.txt` is written last: where it
exists, the sequence is done.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from aiatrack.atomic_files import write_text
from aiatrack.errors import DataError, OutputError, SettingsError
from aiatrack.evaluation.dialects import DIALECTS
from aiatrack.evaluation.running.locks import hold_lock
from aiatrack.evaluation.running.manifest import Manifest, now
from aiatrack.evaluation.running.sequence_run import SequenceRun, SequenceTask
from aiatrack.paths import is_file

BOX_DIALECT = DIALECTS["plain"]
"""How boxes are written: commas, four digits after the point."""

_ORPHANS_PATIENCE_S = 60.0


class ResultsFolder:
    """Reads and writes the files of one folder.

    Args:
        path: made when first locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def lock_for_runner(self) -> Iterator[None]:
        """Keep other evaluations out, and wait until the workers of one that was killed have gone.

        Raises:
            OutputError: another evaluation writes here, or the folder cannot be made.
        """
        try:
            (self.path / "records").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {self.path}: {error.strerror}") from error
        with hold_lock(self.path / ".runner.lock"):
            with hold_lock(self._workers_lock, patience_s=_ORPHANS_PATIENCE_S):
                self._remove_torn_files()
            yield

    @contextmanager
    def lock_for_worker(self) -> Iterator[None]:
        """Tell later evaluations that a worker of this one still lives."""
        with hold_lock(self._workers_lock, shared=True, patience_s=_ORPHANS_PATIENCE_S):
            yield

    def open_manifest(self, identity: Mapping[str, Any]) -> Manifest:
        """Read the manifest, or make one in memory.

        Raises:
            SettingsError: made with another identity, or results without a manifest lie here.
            DataError: it is damaged or cannot be read.
        """
        path = self.path / "manifest.json"
        if not is_file(path) and any(self.path.glob("*.txt")):
            raise SettingsError(
                f"{self.path} holds text files but no {path.name}, so whose results they are is not known: "
                "give a new folder"
            )
        return Manifest(path, identity)

    def is_done(self, name: str, frames: int) -> bool:
        """Whether a sequence need not be run.

        Raises:
            DataError: its result has another number of rows: the benchmark on disk has changed since.
        """
        path = self._boxes_path(name)
        if not is_file(path):
            return False
        rows = path.read_bytes().count(b"\n")
        if rows != frames:
            raise DataError(
                f"{path} has {rows} rows, but {name} now has {frames} frames: remove the file to run it again"
            )
        return True

    def check_names(self, names: Collection[str]) -> None:
        """Make sure that no sequence's boxes would lie in the file of another's times or scores.

        Raises:
            DataError: of two sequences, to be run or finished here before.
        """
        known = {*names, *self._recorded_names()}
        for name in sorted(known):
            for other in (f"{name}_time", f"{name}_score"):
                if other in known:
                    raise DataError(
                        f"sequences {name} and {other} would both be written to {self.path / other}.txt: "
                        "rename one of them"
                    )

    def check_data(self, task: SequenceTask) -> None:
        """Make sure that a finished sequence was run on the data that lie on disk now.

        Raises:
            DataError: it starts from another box, or its frames were other files.
        """
        first_row = BOX_DIALECT.format_boxes(np.array([task.first_box]))
        # Records of earlier versions do not say which frames.
        digest = self.read_record(task.name).get("frames_sha256")
        if not self._boxes_path(task.name).read_bytes().startswith(first_row.encode()):
            difference = "start from another box"
        elif digest is not None and digest != task.digest_frames():
            difference = "were made with other frames"
        else:
            return
        raise DataError(
            f"results of {task.name} in {self.path} {difference}: they are of other data; "
            "choose another folder"
        )

    def save_run(self, run: SequenceRun, task: SequenceTask, *, session: int, attempt: int) -> None:
        """Write all files of a sequence, its boxes last.

        Args:
            run: what came of the task.
            task: the sequence as it was given out.
            session: number of the call, for the record.
            attempt: number of the try in it, for the record.

        Raises:
            OutputError: a file cannot be written.
        """
        write_text(self.path / f"{run.name}_time.txt", "".join(f"{s:.8f}\n" for s in run.frame_seconds))
        if np.isfinite(run.scores[1:]).any():
            write_text(self.path / f"{run.name}_score.txt", "".join(f"{score:.6f}\n" for score in run.scores))
        record = {
            "frames": len(run.boxes_xywh),
            "frames_sha256": task.digest_frames(),
            "session": session,
            "attempt": attempt,
            "finished": now(),
            "seconds": {
                "with_decoding": round(run.total_seconds, 6),
                "without_decoding": round(run.total_seconds - run.decoding_seconds, 6),
                "tracking": round(float(run.frame_seconds.sum()), 6),
            },
        }
        write_text(self._record_path(run.name), json.dumps(record, indent=1) + "\n")
        write_text(self._boxes_path(run.name), BOX_DIALECT.format_boxes(run.boxes_xywh))

    def read_record(self, name: str) -> Any:
        """How a finished sequence was run.

        Raises:
            DataError: the record is missing or damaged.
        """
        path = self._record_path(name)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self._boxes_path(name)} was not written by this folder's runs, or its record {path} was "
                f"damaged ({error}): remove the file to run {name} again"
            ) from error

    def read_records(self) -> dict[str, Any]:
        """Records of all finished sequences by name.

        Raises:
            DataError: one is damaged.
        """
        return {name: self.read_record(name) for name in self._recorded_names()}

    def _recorded_names(self) -> list[str]:
        """Names of all finished sequences."""
        names = sorted(path.stem for path in (self.path / "records").glob("[!.]*.json"))
        return [name for name in names if is_file(self._boxes_path(name))]

    def _remove_torn_files(self) -> None:
        """Remove the temporary files of writers that were killed; only their locks' holder may."""
        for folder in (self.path, self.path / "records"):
            for pattern in (".*.txt.*", ".*.json.*"):
                for path in folder.glob(pattern):
                    path.unlink(missing_ok=True)

    @property
    def _workers_lock(self) -> Path:
        return self.path / ".workers.lock"

    def _boxes_path(self, name: str) -> Path:
        return self.path / f"{name}.txt"

    def _record_path(self, name: str) -> Path:
        return self.path / "records" / f"{name}.json"
