/* Brings the n sums of a layer to mean 0 and variance 1, then to the scales and shifts in v. */
static void normalise(const float *v, size_t n, float *y)
{
    float mean = 0.0f;
    float variance = 0.0f;
    for (size_t j = 0; j < n; j++) {
        mean += y[j];
    }
    mean /= (float)n;
    for (size_t j = 0; j < n; j++) {
        variance += (y[j] - mean) * (y[j] - mean);
    }
    const float sd = sqrtf(variance / (float)n + 1e-5f);
    for (size_t j = 0; j < n; j++) {
        y[j] = (y[j] - mean) / sd * v[j] + v[n + j];
    }
}
