"""Follow a target with an exported network: NumPy and ONNX Runtime, neither PyTorch nor aiatrack.

    aiatrack export lite --format onnx -o lite-onnx
    python track_with_onnxruntime.py lite-onnx film.mp4 120,80,64,48

OpenCV only reads frames and resizes crops. Prints `x,y,w,h,score` for every frame; the boxes are aiatrack's own.
"""

import json
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

PARTS = ("keys", "values", "positions")


class Tracker:
    """The published tracking loop on three graphs: encode, remember, locate."""

    def __init__(self, folder):
        """Open the graphs of an exported folder."""
        metadata = json.loads((Path(folder) / "metadata.json").read_text())
        self.graphs = {
            name: onnxruntime.InferenceSession(Path(folder) / graph["file"])
            for name, graph in metadata["graphs"].items()
        }
        self.size = metadata["crop"]["size_px"]
        self.settings = metadata["settings"]["tracking"]

    def run(self, name, **inputs):
        """Run a graph; returns its outputs by name."""
        graph = self.graphs[name]
        outputs = [port.name for port in graph.get_outputs()]
        known = {port.name: inputs[port.name] for port in graph.get_inputs()}
        return dict(zip(outputs, graph.run(outputs, known), strict=True))

    def encode(self, frame):
        """Cut the square around the last box, black outside the frame, and encode it."""
        x, y, width, height = self.box
        side = math.ceil(math.sqrt(width * height) * self.settings["search_factor"])
        left, top = round(x + 0.5 * width - 0.5 * side), round(y + 0.5 * height - 0.5 * side)
        rows, columns = np.arange(top, top + side), np.arange(left, left + side)
        outside = np.logical_or.outer(
            (rows < 0) | (rows >= frame.shape[0]), (columns < 0) | (columns >= frame.shape[1])
        )
        region = frame[rows.clip(0, frame.shape[0] - 1)][:, columns.clip(0, frame.shape[1] - 1)]
        region[outside] = 0
        crop = cv2.resize(region, (self.size, self.size))
        # A pixel is padding where any of the region's that it was mixed from is.
        padding = cv2.resize(outside.astype(np.uint8) * 255, (self.size, self.size)) > 0
        memory = self.run("encode", crops=crop[None], padding=padding[None])
        return memory, side, (x + 0.5 * width, y + 0.5 * height)

    def remember(self, memory, box):
        """Make a reference of an encoded crop; box in the crop, in [0, 1]."""
        found = self.run("remember", tokens=memory["tokens"], boxes_xywh=box[None].astype(np.float32))
        positions = memory["inner_positions"]
        return {**found, "long_positions": positions, "short_positions": positions}

    def start(self, frame, box):
        """Remember what is inside the box `x, y, w, h` of an RGB frame, for ever."""
        self.box = np.array(box, np.float64)
        memory, side, centre = self.encode(frame)
        corner = (self.size - 1) / 2 + (self.box[:2] - centre) * self.size / side
        in_crop = np.concatenate((corner / self.size, self.box[2:] / side))
        self.references = [self.remember(memory, in_crop)]

    def update(self, frame):
        """Find the target in the next RGB frame: box, and score in [-1, 1]."""
        memory, side, centre = self.encode(frame)
        count, last = self.settings["ensemble_size"], len(self.references) - 1
        drawn = [last * i // count for i in range(1, count + 1)]
        ensemble = [self.references[i] for i in sorted(set(drawn))]
        first = self.references[0]
        found = self.run(
            "locate",
            tokens=memory["tokens"],
            **{f"long_{part}": first[f"long_{part}"] for part in PARTS},
            **{f"short_{part}": np.stack([r[f"short_{part}"] for r in ensemble], 1) for part in PARTS},
            multiplicity=np.array([[drawn.count(i) for i in sorted(set(drawn))]], np.float32),
        )
        box, score = found["located_xywh"][0].astype(np.float64), float(found["scores"][0])
        if score > self.settings["min_score_to_remember"]:
            if len(self.references) >= self.settings["memory_capacity"]:
                del self.references[1]
            self.references.append(self.remember(memory, box))
        corner = box[:2] * side + centre - np.array(side / 2)
        limits, margin = np.array(frame.shape[1::-1]), self.settings["clip_margin_px"]
        end = np.clip(corner + box[2:] * side, margin, limits)
        start = np.clip(corner, 0, limits - margin)
        self.box = np.concatenate((start, np.maximum(margin, end - start)))
        return self.box, score


if __name__ == "__main__":
    tracker, film = Tracker(sys.argv[1]), cv2.VideoCapture(sys.argv[2])
    box, score = np.array(sys.argv[3].split(","), np.float64), 1.0
    tracker.start(film.read()[1][..., ::-1], box)
    while True:
        print(*np.round(box, 2), round(score, 3), sep=",")
        more, frame = film.read()
        if not more:
            break
        box, score = tracker.update(frame[..., ::-1])
