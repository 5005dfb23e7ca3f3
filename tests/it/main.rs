//! The one integration binary.

mod reproduce; // The same bytes, killed or not, alone or in a population.
