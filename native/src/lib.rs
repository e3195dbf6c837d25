//! An optional accelerator of opsonin's ingest, which fills templates that `ingest.learn` derived from the adapters
//! themselves, and of its detection, which it tells the lines that no rule can hold for.
//!
//! Nothing here knows a product or a field. An adapter's own Python says what a line means; lines that differ from it
//! only in addresses, ports, counts and times then become events here, byte for byte as it would have made them.

#![deny(unsafe_code)]

mod clock;
mod digest;
mod engine;
#[allow(unsafe_code)]
mod ffi;
mod flat;
mod forms;
mod literals;
mod plan;
mod quick_hash;
mod scan;
mod shape;
mod sieve;
#[allow(unsafe_code)]
mod sieve_ffi;
mod site;
mod spec;
mod strings;
mod texts;
mod values;
