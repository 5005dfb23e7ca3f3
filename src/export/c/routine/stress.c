/* Where a stress of a law comes from. */
typedef struct {
    uint16_t column; /* position of the input */
    float median;    /* stands for a missing one */
} stress_t;

/* Collects n stresses. */
static void stress(const stress_t *from, size_t n, const float *x, float *s)
{
    for (size_t i = 0; i < n; i++) {
        const float value = x[from[i].column];
        s[i] = isfinite(value) ? value : from[i].median;
    }
}
