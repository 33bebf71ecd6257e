"""Trains a classifier on Fisher's iris data, which scikit-learn contains, and saves it in MLflow's format.

Usage: train.py FOLDER
"""

import sys

import mlflow.sklearn
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

iris = load_iris()
# The problem is convex and the start is fixed: each run gives the same weights.
model = make_pipeline(StandardScaler(), LogisticRegression())
model.fit(iris.data, iris.target_names[iris.target])
print(f"accuracy on its training data: {model.score(iris.data, iris.target_names[iris.target]):.3f}")

# Without `pip_requirements`, MLflow would start a second process to find them. The image has all packages already.
mlflow.sklearn.save_model(model, sys.argv[1], pip_requirements=[], serialization_format="cloudpickle")
