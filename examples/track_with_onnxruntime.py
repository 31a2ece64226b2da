"""Follow a target with an exported network: NumPy and ONNX Runtime, neither PyTorch nor aiatrack.

    aiatrack export lite --format onnx -o lite-onnx
    python track_with_onnxruntime.py lite-onnx film.mp4 120,80,64,48

OpenCV only reads frames and resizes crops. Prints x,y,w,h,score of every frame; boxes are aiatrack's own.
"""

import json
import math
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

PARTS = ("keys", "values", "positions")


class Tracker:
    """The published tracking loop on three graphs: encode, remember, locate."""

    def __init__(self, folder):
        """Open the graphs of an exported folder."""
        metadata, self.graphs = json.loads((Path(folder) / "metadata.json").read_text()), {}
        for name, graph in metadata["graphs"].items():
            self.graphs[name] = onnxruntime.InferenceSession(Path(folder) / graph["file"])
        self.size = metadata["crop"]["size_px"]
        self.settings = metadata["settings"]["tracking"]

    def run(self, name, **inputs):
        """Run a graph; returns its outputs by name."""
        graph, outputs = self.graphs[name], [port.name for port in self.graphs[name].get_outputs()]
        known = {port.name: inputs[port.name] for port in graph.get_inputs()}
        return dict(zip(outputs, graph.run(outputs, known), strict=True))

    def encode(self, frame):
        """Cut the square around the last box, black outside the frame, and encode it."""
        x, y, width, height = self.box
        side = math.ceil(math.sqrt(width * height) * self.settings["search_factor"])
        left, top = round(x + 0.5 * width - 0.5 * side), round(y + 0.5 * height - 0.5 * side)
        rows, columns = np.mgrid[top : top + side, left : left + side]
        # The last row and column count as outside, as in the published crops.
        inner_rows, inner_columns = rows.clip(0, frame.shape[0] - 2), columns.clip(0, frame.shape[1] - 2)
        outside = (rows != inner_rows) | (columns != inner_columns)
        region = np.where(outside[..., None], 0, frame[inner_rows, inner_columns]).astype(np.uint8)
        crop = cv2.resize(region, (self.size, self.size))
        # A pixel is padding where any of the region's that it was mixed from is.
        padding = cv2.resize(outside.astype(np.float32), (self.size, self.size)) > 0
        memory = self.run("encode", crops=crop[None], padding=padding[None])
        return memory, side, (x + 0.5 * width, y + 0.5 * height)

    def remember(self, memory, box):
        """Make a reference of an encoded crop; box in the crop, in [0, 1]."""
        found = self.run("remember", tokens=memory["tokens"], boxes_xywh=np.float32([box]))
        return {**found, **dict.fromkeys(("long_positions", "short_positions"), memory["inner_positions"])}

    def start(self, frame, box):
        """Remember what is inside the box `x, y, w, h` of an RGB frame, for ever."""
        self.box = np.array(box, np.float64)
        memory, side, centre = self.encode(frame)
        corner = (self.size - 1) / 2 / self.size + (self.box[:2] - centre) / side
        self.references = [self.remember(memory, np.concatenate((corner, self.box[2:] / side)))]

    def update(self, frame):
        """Find the target in the next RGB frame: box, and score in [-1, 1]."""
        memory, side, centre = self.encode(frame)
        count, last = self.settings["ensemble_size"], len(self.references) - 1
        drawn = Counter(last * i // count for i in range(1, count + 1))
        first, *ensemble = (self.references[i] for i in (0, *drawn))
        found = self.run(
            "locate",
            tokens=memory["tokens"],
            **{f"long_{part}": first[f"long_{part}"] for part in PARTS},
            **{f"short_{part}": np.stack([r[f"short_{part}"] for r in ensemble], 1) for part in PARTS},
            multiplicity=np.array([list(drawn.values())], np.float32),
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
    print(*box, score, sep=",")
    while (frame := film.read()[1]) is not None:
        box, score = tracker.update(frame[..., ::-1])
        print(*np.round(box, 2), round(score, 3), sep=",")
