/* Sums of a layer: weights w, a row an output; in v a bias an output. */
static void dense(const float *w, const float *v, size_t n_in, size_t n_out, const float *x, float *y)
{
    for (size_t j = 0; j < n_out; j++) {
        float sum = v[j];
        for (size_t i = 0; i < n_in; i++) {
            sum += w[j * n_in + i] * x[i];
        }
        y[j] = sum;
    }
}
