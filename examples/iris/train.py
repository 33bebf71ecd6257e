"""Trains a classifier on Fisher's iris data, which scikit-learn ships, and saves it in MLflow's format. Usage: train.py FOLDER"""

import sys

import mlflow.sklearn
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

iris = load_iris()
model = make_pipeline(
    StandardScaler(), LogisticRegression()
)  # a convex problem solved from a fixed start: the same weights on each run
model.fit(iris.data, iris.target_names[iris.target])
print(f"accuracy on its training data: {model.score(iris.data, iris.target_names[iris.target]):.3f}")

# `pip_requirements`: the image holds what is needed already; MLflow would start a second process to find out.
mlflow.sklearn.save_model(model, sys.argv[1], pip_requirements=[], serialization_format="cloudpickle")
