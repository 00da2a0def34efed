"""Made-up sweeps of known truth for the simulations: questions of differing difficulty, locations, seeds.

In: the true shares of true and informative answers at each location.  Out: answers [L, S, N] of 0 and 1.
An answer is true where quality of the location + ease of the question + location x question + seed + noise > 0,
all normal; so the true share over all questions is the normal distribution of a location's quality, exactly.
Locations answer the same questions, whose ease is shared; truth and info of an answer are correlated.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats as distributions

from analysis.stats import Answers

Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Standard deviations beside the noise's 1, of truth; info has half the questions' and no seed's."""

    questions: int = 163
    ease: float = 1.0  # of questions
    taste: float = 0.5  # location x question
    seed: float = 0.0  # of seeds within a location
    of_groups: float = 0.0  # share of the variance of ease and taste that whole groups have in common
    group_size: int = 1
    link: float = -0.3  # correlation of the noise of truth and of info: refusals are true but say nothing
    seeds: int = 1

    @property
    def groups(self) -> NDArray[np.int64]:
        """Each question's group."""
        return np.arange(self.questions) // self.group_size

    def clustered(self) -> Self:
        """The same with questions in groups of four that have much in common, beside what locations are good at."""
        return replace(self, taste=1.0, of_groups=0.8, group_size=4)

    def draw(self, generator: np.random.Generator, truth: ArrayLike, info: ArrayLike) -> tuple[Array, Array]:
        """Truth and info of locations with these true shares [L]: [L, S, N] each, of new questions."""
        locations = np.size(truth)
        shape = (locations, self.seeds, self.questions)
        noise = generator.standard_normal((2, *shape))
        noise[1] = self.link * noise[0] + np.sqrt(1.0 - self.link**2) * noise[1]
        of_seed = self.seed * generator.standard_normal((locations, self.seeds, 1))
        quality = distributions.norm.ppf(np.asarray(truth)) * np.sqrt(self._total(1.0) + self.seed**2)
        openness = distributions.norm.ppf(np.asarray(info)) * np.sqrt(self._total(0.5))
        of_truth = quality[:, None, None] + of_seed + self._effects(generator, locations, 1.0) + noise[0]
        of_info = openness[:, None, None] + self._effects(generator, locations, 0.5) + noise[1]
        return (of_truth > 0).astype(np.float64), (of_info > 0).astype(np.float64)

    def answers(self, generator: np.random.Generator, truth: ArrayLike, info: ArrayLike) -> list[Answers]:
        """The same as one `Answers` a location."""
        drawn = self.draw(generator, truth, info)
        return [Answers(each, other) for each, other in zip(*drawn, strict=True)]

    def _total(self, scale: float) -> float:
        return 1.0 + scale**2 * (self.ease**2 + self.taste**2)

    def _effects(self, generator: np.random.Generator, locations: int, scale: float) -> Array:
        """Ease [N] plus taste [L, N] as [L, 1, N]."""
        ease, taste = (self._normal(generator, rows) for rows in (1, locations))
        return scale * (self.ease * ease + self.taste * taste)[:, None, :]

    def _normal(self, generator: np.random.Generator, rows: int) -> Array:
        """Standard normal [rows, N], correlated within groups."""
        common = generator.standard_normal((rows, self.groups[-1] + 1))[:, self.groups]
        own = generator.standard_normal((rows, self.questions))
        return np.sqrt(self.of_groups) * common + np.sqrt(1.0 - self.of_groups) * own


def shares_of_draws(generator: np.random.Generator, mean: float, spread: float, count: int) -> Array:
    """True shares of `count` random locations: near normal around the mean, within 0.02 and 0.98."""
    return np.clip(mean + spread * generator.standard_normal(count), 0.02, 0.98)


def layered(
    generator: np.random.Generator, within: float, layers: int = 16, width: int = 16
) -> tuple[Array, Array, Array]:
    """Localiser, edited score and layer of heads: layers move both, within a layer the correlation is `within`."""
    layer = np.repeat(np.arange(layers), width)
    common = generator.normal(size=layers)[layer]
    x, noise = generator.normal(size=(2, layer.size))
    y = within * x + np.sqrt(1 - within**2) * noise
    return x + common, y + common, layer


def as_table(correct: Array, kind: ArrayLike = "random") -> pd.DataFrame:
    """[L, S, N] as a long table; one kind of location, or one for each."""
    location, seed, question = (each.ravel() for each in np.indices(correct.shape))
    return pd.DataFrame(
        {
            "location": location,
            "seed": seed,
            "question": question,
            "correct": correct.ravel(),
            "kind": np.broadcast_to(kind, len(correct))[location],
        }
    )
