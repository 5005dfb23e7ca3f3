/* Answers rows of numbers, one a line, with an exported model: `soh`, `cycle_life` or the probabilities of tiers. */
#include "model.h"

#include <stdio.h>

int main(void)
{
    model_input_t in;
    model_output_t out;
    double value = 0.0;
    size_t i = 0;
    while (scanf("%lf", &value) == 1) {
        in.value[i++] = (NUMBER)value;
        if (i < MODEL_INPUTS) {
            continue;
        }
        i = 0;
        printf("%d", model_predict(&in, &out));
#ifdef TIERS
        for (size_t k = 0; k < MODEL_TIERS; k++) {
            printf(" %.17g", (double)out.probability[k]);
        }
#else
        printf(" %.17g %.17g %.17g", (double)out.ANSWER, (double)out.LOWER, (double)out.UPPER);
#endif
        printf("\n");
    }
    return 0;
}
