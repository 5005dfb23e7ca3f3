//! One optimiser step on padded weights, the formulas of `train::optimizer`.

use pulp::Simd;

use crate::train::optimizer::{Coefficients, OptimizerConfig, OptimizerKind};

/// Weights, gradient and moments of one member, all of one length.
pub(super) struct Update<'a> {
    pub(super) weights: &'a mut [f32],
    pub(super) gradient: &'a mut [f32],
    pub(super) moments: &'a mut [super::buffer::Buffer],
}

impl Update<'_> {
    /// Clips the gradient and moves the weights; numbers from `theta` on are not decayed.
    #[inline(always)]
    pub(super) fn apply<S: Simd>(
        &mut self,
        simd: S,
        config: &OptimizerConfig,
        coefficients: Coefficients,
        theta: usize,
    ) {
        if let Some(limit) = config.gradient_clip {
            self.clip(simd, limit);
        }
        let free = Coefficients { l2: 0.0, shrink: 1.0, ..coefficients };
        for (range, coefficients) in [(0..theta, coefficients), (theta..self.weights.len(), free)] {
            let weights = &mut self.weights[range.clone()];
            let gradient = &self.gradient[range.clone()];
            match (config.kind, &mut *self.moments) {
                (OptimizerKind::Adam | OptimizerKind::Adamw, [first, second]) => {
                    let moments = (&mut first[range.clone()], &mut second[range]);
                    adam(simd, config, coefficients, (weights, gradient), moments);
                }
                (OptimizerKind::Sgd, [velocity]) => {
                    sgd(simd, config.momentum, coefficients, (weights, gradient), &mut velocity[range]);
                }
                _ => {}
            }
        }
    }

    /// Scales the gradient to a norm of `limit` where it is longer.
    #[inline(always)]
    fn clip<S: Simd>(&mut self, simd: S, limit: f32) {
        let norm = super::matmul::dot(simd, self.gradient, self.gradient).sqrt();
        // A norm that is not a number does not pass, so that the member is seen to diverge.
        let factor = if norm > limit { simd.splat_f32s(limit / norm) } else { return };
        for g in S::as_mut_simd_f32s(self.gradient).0 {
            *g = simd.mul_f32s(*g, factor);
        }
    }
}

#[inline(always)]
fn adam<S: Simd>(
    simd: S,
    config: &OptimizerConfig,
    c: Coefficients,
    (weights, gradient): (&mut [f32], &[f32]),
    (first, second): (&mut [f32], &mut [f32]),
) {
    let splat = |value: f32| simd.splat_f32s(value);
    let (beta1, rest1) = (splat(config.beta1), splat(1.0 - config.beta1));
    let (beta2, rest2) = (splat(config.beta2), splat(1.0 - config.beta2));
    let (rate, root, epsilon) = (splat(c.rate), splat(c.root), splat(config.epsilon));
    let (l2, shrink) = (splat(c.l2), splat(c.shrink));
    let weights = S::as_mut_simd_f32s(weights).0.iter_mut().zip(S::as_simd_f32s(gradient).0);
    let moments = S::as_mut_simd_f32s(first).0.iter_mut().zip(S::as_mut_simd_f32s(second).0);
    for ((w, &g), (m, v)) in weights.zip(moments) {
        let g = simd.mul_add_e_f32s(l2, *w, g);
        *m = simd.mul_add_e_f32s(beta1, *m, simd.mul_f32s(rest1, g));
        *v = simd.mul_add_e_f32s(beta2, *v, simd.mul_f32s(rest2, simd.mul_f32s(g, g)));
        let scale = simd.mul_add_e_f32s(simd.sqrt_f32s(*v), root, epsilon);
        let step = simd.div_f32s(simd.mul_f32s(rate, *m), scale);
        *w = simd.sub_f32s(simd.mul_f32s(shrink, *w), step);
    }
}

#[inline(always)]
fn sgd<S: Simd>(
    simd: S,
    momentum: f32,
    c: Coefficients,
    (weights, gradient): (&mut [f32], &[f32]),
    velocity: &mut [f32],
) {
    let (momentum, rate, l2) = (simd.splat_f32s(momentum), simd.splat_f32s(c.rate), simd.splat_f32s(c.l2));
    let weights = S::as_mut_simd_f32s(weights).0.iter_mut().zip(S::as_simd_f32s(gradient).0);
    for ((w, &g), m) in weights.zip(S::as_mut_simd_f32s(velocity).0) {
        *m = simd.mul_add_e_f32s(momentum, *m, simd.mul_add_e_f32s(l2, *w, g));
        *w = simd.negate_mul_add_e_f32s(rate, *m, *w);
    }
}
