"""Computes a pipeline that `fadecast export --format keras` wrote, with Keras 3."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras


def answers(model_path, weights_path, rows):
    """Answers [row, answer] in physical units for rows [row, input], none missing."""
    model = keras.models.model_from_json(open(model_path).read())
    model.load_weights(weights_path)
    return keras.ops.convert_to_numpy(model(rows.astype("float32"), training=False)).astype(float)
