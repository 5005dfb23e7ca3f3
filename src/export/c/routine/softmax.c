/* Turns n logits into probabilities. */
static void softmax(float *p, size_t n)
{
    float most = p[0];
    float sum = 0.0f;
    for (size_t k = 1; k < n; k++) {
        most = p[k] > most ? p[k] : most;
    }
    for (size_t k = 0; k < n; k++) {
        p[k] = expf(p[k] - most);
        sum += p[k];
    }
    for (size_t k = 0; k < n; k++) {
        p[k] /= sum;
    }
}
