//! Tables of every format: what pyarrow wrote, what we write, and what is damaged.

use super::*;
