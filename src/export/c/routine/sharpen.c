/* Raises n probabilities to a power and makes their sum 1 again. */
static void sharpen(float power, float *p, size_t n)
{
    const float least = 2.220446049250313e-16f;
    for (size_t k = 0; k < n; k++) {
        p[k] = power * logf(p[k] < least ? least : p[k]);
    }
    softmax(p, n);
}
