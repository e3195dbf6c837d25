//! An optional accelerator of opsonin's ingest: fills templates that `ingest.learn` derived from the adapters themselves.
//!
//! Nothing here knows a product or a field. An adapter's own Python says what a line means; lines that differ from it
//! only in addresses, ports, counts and times then become events here, byte for byte as it would have made them.

#![deny(unsafe_code)]

mod clock;
mod digest;
mod engine;
#[allow(unsafe_code)]
mod ffi;
mod forms;
mod plan;
mod scan;
mod site;
mod spec;
mod values;
