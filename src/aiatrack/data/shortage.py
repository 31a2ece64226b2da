"""Why there is nothing to draw of what the settings ask for, and what helps."""

from collections.abc import Sequence

from aiatrack.data.corpus import Corpus


def why_none(corpus: Corpus, kinds: Sequence[str]) -> str:
    """Explain that a corpus has no samples of the kinds asked for.

    Args:
        corpus: what there is.
        kinds: `still` and `clip` where there are annotated boxes and none of them can be used; none of the
            two where there is nothing at all.
    """
    of_boxes = f"of annotated boxes ({', '.join(kinds)}) " if kinds else ""
    lacking = f"the training data has none of the samples {of_boxes}that its settings ask for"
    if kept := _kept_back(corpus):
        return f"{lacking}: {kept}"
    reasons = [reason for counts in corpus.counts for reason in counts.passed_over()]
    if kinds and reasons and not sum(counts.usable for counts in corpus.counts):
        without = " ".join(f"data.{kind}_share=0" for kind in kinds)
        return (
            f"{lacking}: {', '.join(reasons)}; change the setting or the boxes, or train without these "
            f"samples: {without}"
        )
    return f"{lacking}: check the sources with `aiatrack data check`, or the settings' shares"


def _kept_back(corpus: Corpus) -> str:
    """What is all in the other part of the data, and which settings put it there; empty if nothing is."""
    usable, here = (sum(getattr(c, name) for c in corpus.counts) for name in ("usable", "usable_here"))
    if not corpus.shares_elsewhere or (corpus.has_images and (here or not usable)):
        return ""
    what = f"all {usable} usable boxes are" if usable else "all of it is"
    if corpus.part == "validation":
        return f"{what} kept for training: raise {' or '.join(corpus.shares_elsewhere)}"
    helps = " ".join(f"{share}=0" for share in corpus.shares_elsewhere)
    return f"{what} kept for validation: train on it with {helps}, or add data"
