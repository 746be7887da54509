// SPDX-License-Identifier: Apache-2.0
// out[i] = in[i] * factor, on the device, in the stream given.
#pragma once
#include <cstdint>

void scale_on_device(const float *in, float *out, int64_t count, float factor, void *stream);
