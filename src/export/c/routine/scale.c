/* How an input of a part is scaled. */
typedef struct {
    uint16_t column; /* position of the input */
    float pivot;     /* mean of training, rounded */
    float factor;    /* 1 / standard deviation */
    float shift;     /* what the rounding took, scaled */
    float imputed;   /* scaled median: stands for a missing input */
} scaling_t;

/* Scales n inputs. */
static void scale(const scaling_t *s, size_t n, const float *x, float *z)
{
    for (size_t i = 0; i < n; i++) {
        const float value = x[s[i].column];
        z[i] = isfinite(value) ? (value - s[i].pivot) * s[i].factor + s[i].shift : s[i].imputed;
    }
}
