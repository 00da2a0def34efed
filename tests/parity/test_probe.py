"""The localiser's regressions and areas under the curve against scikit-learn, on features from blurred to separable."""
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("HEADSWEEP_BUILD", ROOT / "build")) / "tests" / "test_probe"

# name: (heads, texts, head width, how far the classes stand apart, scale of the features, c)
CASES = {
    "blurred": (4, 300, 16, 0.3, 1.0, 1.0),
    "nearly_separable": (3, 200, 8, 2.0, 1.0, 1.0),
    "separable": (2, 80, 12, 4.0, 1.0, 1.0),
    "small_features": (3, 300, 16, 1.0, 0.01, 1.0),
    "wide": (2, 60, 90, 0.5, 1.0, 1.0),
    "strong_penalty": (3, 200, 8, 1.0, 1.0, 0.01),
    "weak_penalty": (3, 400, 6, 0.5, 1.0, 100.0),
}


def make_case(name: str) -> dict:
    """Features [heads, n, D] with labels, and what scikit-learn makes of them."""
    heads, texts, width, apart, scale, c = CASES[name]
    random = np.random.default_rng(list(name.encode()))
    labels = np.arange(texts) % 2
    features = random.normal(size=(heads, texts, width)) + random.normal(size=(heads, 1, width))
    features[:, :, 0] += apart * (2 * labels - 1)
    features *= scale
    # The default solver, lbfgs, stops about 1e-5 from the minimum that both share.
    solver = LogisticRegression(C=c, tol=1e-10, max_iter=10000, solver="newton-cholesky")
    fits = [clone(solver).fit(x, labels) for x in features]
    return {
        "features": features.tolist(),
        "labels": labels.astype(float).tolist(),
        "c": c,
        "weights": [fit.coef_[0].tolist() for fit in fits],
        "bias": [float(fit.intercept_[0]) for fit in fits],
        "auc": [roc_auc_score(labels, fit.decision_function(x)) for fit, x in zip(fits, features)],
    }


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("probes")
    for name in CASES:
        (folder / f"{name}.json").write_text(json.dumps(make_case(name)))
    return folder


def test_probe_agrees_with_scikit_learn(cases):
    environment = {**os.environ, "HEADSWEEP_PARITY": str(cases), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([PROGRAM, "--gtest_filter=ProbeParity.*"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout
    print(done.stdout)
