//! The product from outside: the binary, its API, the files it leaves. The claims of the
//! acceptance list are the `chaos` crate's; here they are held, at a size a test run can
//! bear. At full size: `make acceptance`.

mod api_live;
mod av_sync;
mod bucket;
mod cancel;
mod command_line;
mod corpus;
mod crash;
mod damage;
mod destination;
mod determinism;
mod disk;
mod downloads;
mod events;
mod faults;
mod frame_exactness;
mod idempotency;
mod imports;
mod keys;
mod minimal;
mod mutants;
mod probe;
mod slow_sources;
mod upgrade;
mod uploads;
mod webhooks;
