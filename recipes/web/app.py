# SPDX-License-Identifier: Apache-2.0
"""The mean of numbers: /mean?x=1&x=2"""
import numpy
from fastapi import FastAPI, Query

app = FastAPI(title="mean")


@app.get("/mean")
def mean(x: list[float] = Query()):
    return {"mean": float(numpy.mean(x)), "numpy": numpy.__version__}


@app.get("/health")
def health():
    return {"status": "ok"}
