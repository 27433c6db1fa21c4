//! A server that lies, floods or stalls: whatever it does, an error in time, in little memory, and never a panic.

mod after;
mod before;
mod between;
mod flood;
mod memory;
mod server;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
