//! Tests of the tables and pictures of lives and tiers.
