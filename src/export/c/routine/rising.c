/* Value at p of a function that is linear between n places x and constant beyond them, kept between two bounds. */
static float rising(const float *x, const float *y, size_t n, float least, float p)
{
    size_t above = 0;
    if (!isfinite(p)) {
        return p;
    }
    while (above < n && x[above] < p) {
        above++;
    }
    float value = above == 0 ? y[0] : y[above - 1];
    if (above > 0 && above < n) {
        value += (p - x[above - 1]) / (x[above] - x[above - 1]) * (y[above] - y[above - 1]);
    }
    value = value < least ? least : value;
    return value > 1.0f - least ? 1.0f - least : value;
}

/* Makes the sum of n probabilities 1 again. */
static void share(float *p, size_t n)
{
    float sum = 0.0f;
    for (size_t k = 0; k < n; k++) {
        sum += p[k];
    }
    for (size_t k = 0; k < n; k++) {
        p[k] /= sum;
    }
}
