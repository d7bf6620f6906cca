//! What an object store promises, tried on each implementation: the embedded one, and S3 against a
//! real server that checks signatures.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on must stop, and these are its helpers"
)]

mod bench;
mod clauses;
mod links;
mod streams;
mod troubles;

/// Every clause, for every store.
macro_rules! contract {
    ($($module:ident :: $clause:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $clause() {
                super::$module::$clause(&super::bench::Bench::embedded()).await;
            })*
        }
        mod s3 {
            $(#[tokio::test]
            async fn $clause() {
                super::$module::$clause(&super::bench::Bench::s3().await).await;
            })*
        }
    };
}

contract! {
    clauses::what_was_put_is_there_until_it_is_deleted,
    clauses::listing_shows_what_begins_with_the_prefix,
    clauses::touching_makes_it_used_now,
    clauses::a_prefix_is_deleted_whole_and_alone,
    clauses::a_file_is_stored,
    clauses::a_range_stops_at_the_end,
    clauses::a_copy_outlives_its_source,
    clauses::a_local_file_is_what_was_committed,
    clauses::no_key_leaves_the_root,
    clauses::many_puts_at_once_keep_to_themselves,
    clauses::it_says_that_it_works,
    streams::a_stream_is_stored_whole_and_held_in_part,
    streams::an_empty_stream_is_an_empty_object,
    streams::a_stream_that_breaks_leaves_nothing,
    streams::an_abandoned_put_leaves_nothing,
}
