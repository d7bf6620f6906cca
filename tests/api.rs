//! The HTTP API against API.md: the real router over the real state machine, with a store in
//! memory and no media. Every answer is also held to the `OpenAPI` document the router serves.

mod access;
mod admin;
mod contract;
mod errors;
mod events;
mod idempotency;
mod limits;
mod links;
mod listing;
mod memory_store;
mod renders;
mod retention;
mod uploads;
mod webhooks;
mod work;
mod world;
