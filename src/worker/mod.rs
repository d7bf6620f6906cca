//! Carrying tasks out.
