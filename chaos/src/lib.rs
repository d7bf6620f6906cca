//! What this project promises, and the means to try it from outside.
//!
//! Nothing here links the product: it starts the `framelane` binary, talks to its HTTP API,
//! kills it, and judges the files it leaves with tools of other people's making (`ffmpeg`,
//! `ffprobe`). The end-to-end tests run the claims small, the `acceptance` program runs them
//! at full size, and the `chaos` program breaks things at random and asks the checkers.
//!
//! | what is promised | who proves it |
//! | --- | --- |
//! | the minimal composition gives exactly the file the contract describes | [`claim::minimal`] |
//! | every output frame shows the right source frame | [`claim::frame_exactness`] |
//! | every kind of file shows and plays what was put into it | [`claim::corpus`] |
//! | sound stays with the picture, and has no seams | [`claim::av_sync`] |
//! | same composition, same bytes | [`claim::determinism`] |
//! | one idempotency key, one render | [`claim::idempotency`] |
//! | a cancelled render stops at once and leaves nothing | [`claim::cancel`] |
//! | killed workers and killed servers lose nothing | [`claim::crash`] |
//! | broken media cost their renders and never the server | [`claim::mutants`] |
//! | what a client names is fetched and judged by what it is | [`claim::imports`] |
//! | a large file goes through without being held, and goes on where it broke off | [`claim::uploads`] |
//! | who registered is told of every change, whatever is killed | [`claim::webhooks`] |
//! | a finished file goes on to the bucket that its request names | [`claim::destination`] |
//! | everyone who follows a render hears of its end at once | [`claim::events`] |
//! | it costs little more than the encoder alone | [`claim::speed`] |
//! | no accepted job is lost, whatever is killed | [`check::no_lost_job`] |
//! | a job has one output, the same on every look | [`check::one_output`] |
#![forbid(unsafe_code)]

pub mod api;
pub mod check;
pub mod claim;
pub mod client;
pub mod clips;
pub mod compositions;
pub mod corpus;
pub mod event_stream;
pub mod fault;
pub mod history;
pub mod latencies;
pub mod measure;
pub mod mutate;
pub mod node;
pub mod origin;
pub mod peaks;
pub mod process;
pub mod receiver;
pub mod s3;
pub mod small_disk;
pub mod stubborn;
pub mod timestamp;
pub mod workload;
