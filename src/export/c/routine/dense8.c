/* Sums of a layer of whole weights w, a row an output; in v a bias an output, then a scale an output. */
static void dense8(const int8_t *w, const float *v, size_t n_in, size_t n_out, const float *x, float *y)
{
    for (size_t j = 0; j < n_out; j++) {
        float sum = 0.0f;
        for (size_t i = 0; i < n_in; i++) {
            sum += (float)w[j * n_in + i] * x[i];
        }
        y[j] = v[j] + v[n_out + j] * sum;
    }
}
