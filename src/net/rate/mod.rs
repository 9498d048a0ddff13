//! Floor 3. Stands on: base.
//!
//! Token buckets: so much a second, with one second's worth in reserve. They read no clock; `now` is an argument.

mod bucket;

mod addresses;

pub use addresses::{ADDRESSES_MAX, AddressBuckets};
pub use bucket::Bucket;
