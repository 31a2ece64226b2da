"""How fast: stages timed one by one, contenders by turns on the same film, and what machine it was.

For accuracy see `aiatrack.evaluation`.
"""

from aiatrack.timing.contenders import Contender, enter_models, enter_peers
from aiatrack.timing.film import TimingFilm, render_film, take_film
from aiatrack.timing.race import WARM_UP_FRAMES, FilmTimes, Timing, time_contenders, time_film
from aiatrack.timing.report import Report, write_report
from aiatrack.timing.spread import Spread

__all__ = [
    "WARM_UP_FRAMES",
    "Contender",
    "FilmTimes",
    "Report",
    "Spread",
    "Timing",
    "TimingFilm",
    "enter_models",
    "enter_peers",
    "render_film",
    "take_film",
    "time_contenders",
    "time_film",
    "write_report",
]
