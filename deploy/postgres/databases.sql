-- Run once, when the volume of the database is empty. MLflow migrates its tables by itself, so it has a database alone.
CREATE DATABASE mlflow;
