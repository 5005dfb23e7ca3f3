/*
 * Sum of the leaves that a row falls into. A left node follows its parent, the right one is `jump` further; a leaf has a
 * jump of 0. The last bit of `feature` says whether a missing input goes left, the others are the input's position.
 */
static FLOAT32 forest(const feature_t *feature, const jump_t *jump, const FLOAT32 *value, const root_t *root,
                      size_t n_trees, FLOAT32 start, const float *x)
{
    FLOAT32 sum = start;
    for (size_t t = 0; t < n_trees; t++) {
        size_t at = root[t];
        while (jump[at] != 0u) {
            const FLOAT32 v = (FLOAT32)x[feature[at] >> 1];
            const int goes_left = isfinite(v) ? v < value[at] : (feature[at] & 1u) != 0u;
            at += goes_left ? 1u : (size_t)jump[at];
        }
        sum += value[at];
    }
    return sum;
}
